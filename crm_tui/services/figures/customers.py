"""Who bought for the first time in a period, and how long after the first contact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    Text,
    func,
    literal_column,
    select,
    type_coerce,
)

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Event, Payment
from crm_tui.services.figures import among
from crm_tui.services.figures.base import Scope
from crm_tui.services.filters.stages import words
from crm_tui.vocabulary import EventKind

CONTACTS = (EventKind.EMAIL_SENT, EventKind.SMS_SENT, EventKind.CALL)
"""What a first contact can be."""

DAY = 24 * 60 * 60 * 1_000_000
"""In microseconds."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long it took from the first contact to the first payment.

    Attributes:
        times: of each business that was contacted before it paid, in order; in microseconds.
        without: how many businesses paid without having been contacted before.
    """

    times: tuple[int, ...]
    without: int

    @property
    def customers(self) -> int:
        """All who bought for the first time."""
        return len(self.times) + self.without

    @property
    def median(self) -> Fraction | None:
        """The days in the middle, or half of those of the two there."""
        if not self.times:
            return None
        half, odd = divmod(len(self.times), 2)
        middle = self.times[half] if odd else Fraction(self.times[half - 1] + self.times[half], 2)
        return Fraction(middle, DAY)

    @property
    def mean(self) -> Fraction | None:
        """The days of all, by their number."""
        return Fraction(sum(self.times), DAY * len(self.times)) if self.times else None


def first_payments(scope: Scope) -> Subquery:
    """When each business that bought paid for the first time, if that was in the period."""
    first = func.min(Payment.paid_at)
    return (
        select(Payment.business_id, first.label("paid_at"))
        .where(
            Payment.paid_at.is_not(None),
            Payment.mode.in_(words(scope.modes)),
            *among.of_leads(Payment.business_id, scope),
        )
        .group_by(Payment.business_id)
        .having(*among.within(first, scope.period))
        .subquery()
    )


def first_contact(
    firsts: Subquery, said: Callable[[Any], ColumnElement[Any]] = lambda at: at
) -> Select[Any]:
    """When a business was first written to, or called; said in a form of its own."""
    contacts = select(said(Event.occurred_at)).where(
        Event.business_id == firsts.c.business_id,
        # In the words of the index, where the first one stands first.
        Event.kind.in_(words(CONTACTS)),
        Event.is_voided == literal_column("0"),
    )
    return contacts.order_by(Event.occurred_at).limit(1)


async def waits(session: ReadSession, scope: Scope) -> Waits:
    """How long those who bought for the first time in the period took.

    A contact after the payment is none that led to it.
    """
    firsts = first_payments(scope)
    contacts = first_contact(firsts, _microseconds).scalar_subquery()
    # As one text: a row for each would take longer than all the rest.
    took = func.group_concat(_microseconds(firsts.c.paid_at) - contacts)
    row = await session.execute(select(func.count(), took).select_from(firsts))
    count, text = row.one()
    found = msgspec.json.decode(f"[{text or ''}]", type=list[int])
    times = sorted(each for each in found if each >= 0)
    return Waits(tuple(times), count - len(times))


def _microseconds(at: ColumnElement[str]) -> ColumnElement[int]:
    """A stored time as a number of microseconds, exactly."""
    text = type_coerce(at, Text)
    seconds = func.strftime("%s", text).cast(Integer)
    return seconds * 1_000_000 + func.substr(text, 21, 6).cast(Integer)
