"""What figures are asked for, and what they are told as.

Every figure is one function of a session and a scope. A figure that cannot be told has no value
and says why; none is invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from crm_tui.config import MoneySettings
from crm_tui.services.filters import Standpoint
from crm_tui.services.filters.tree import Node
from crm_tui.vocabulary import Mode, Stage


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time, aware UTC: `since` is in it, `until` is not; None is the first record, or now."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Of which leads and which time figures are told.

    Attributes:
        period: the time.
        where: a filter of leads; None is all of them, archived and erased ones too.
        query: the filter as it was typed; "" is none.
        standpoint: now, the zone of days, and the score from which a lead is qualified.
        mode: whether a provider's real or play money counts, beside what was recorded by hand.
        money: the currency to speak of where there is none, and the gross margin.
        prices: what a message costs by its provider, in the major unit of that currency, where the
            provider does not tell (`message_costs.prices_of`).
    """

    period: Period
    where: Node | None
    query: str
    standpoint: Standpoint
    mode: Mode
    money: MoneySettings
    prices: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def modes(self) -> tuple[Mode, Mode]:
        """The money that counts."""
        return Mode.MANUAL, self.mode


NOT_ENOUGH = "not enough data"
NOT_MEASURED = "not measured"
"""How the note of a figure without a value begins."""


class Unit(StrEnum):
    """What a figure is counted in."""

    COUNT = "count"
    RATIO = "ratio"
    DAYS = "days"
    MONEY = "money"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure.

    Attributes:
        name: as in the command line's contract, in snake_case.
        value: a count, a ratio (0.25, not 25), days, or an amount in the currency's major unit,
            rounded half-even to its minor unit; None where there is not enough data, or where
            it is not measured.
        numerator, denominator: what it was computed of, as numbers of the same kinds.
        formula: in words.
        note: why there is no value, or what else is to be known.
    """

    name: str
    value: int | float | Decimal | None
    unit: Unit
    formula: str
    currency: str | None = None
    numerator: int | float | Decimal | None = None
    denominator: int | float | Decimal | None = None
    note: str = ""

    @property
    def lacks(self) -> str:
        """Why there is no value, in two or three words; "" where there is one."""
        if self.value is not None:
            return ""
        return NOT_MEASURED if self.note.startswith(NOT_MEASURED) else NOT_ENOUGH


@dataclass(frozen=True, slots=True)
class StageCount:
    """How many businesses ever reached at least a stage; rates are None where nothing is to compare."""

    stage: Stage
    count: int
    rate_from_previous: float | None
    rate_from_first: float | None


@dataclass(frozen=True, slots=True)
class Record:
    """One record behind a figure, for a list; `business_id` is the lead it opens."""

    business_id: int | None
    title: str
    detail: str
    at: datetime | None
    part: str
    """"numerator", "denominator" or "both"."""
