"""What messages cost: as their provider told, else by the price in the settings.

A message with a cost that was told counts at that, in the currency it was told in, whatever became
of it. Any other counts if it was sent, at its provider's `price_per_message`, in the currency of
[money]. Sums are exact fractions of the minor unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Integer, Select, func, literal, literal_column, select

from crm_tui import money
from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Message
from crm_tui.services.figures import among
from crm_tui.services.figures.base import Scope

_MILLION = 1_000_000


class By(StrEnum):
    """What costs are told by."""

    ALL = "all"
    CAMPAIGN = "campaign"
    SOURCE = "source"


def prices_of(settings: Settings) -> dict[str, Fraction]:
    """What a message costs by its provider, in the major unit, exactly as it was written."""
    named = msgspec.structs.asdict(settings.providers)
    prices = {name: getattr(each, "price_per_message", 0) for name, each in named.items()}
    return {name: Fraction(str(price)) for name, price in prices.items() if price}


async def message_costs(
    session: ReadSession, scope: Scope, *, by: By = By.ALL
) -> dict[tuple[Any, str], Fraction]:
    """What the messages of a scope cost, in minor units, by (what they are told by, currency).

    The first of a key is None, a campaign's number (None of single messages), or the source of the
    business as it is folded. A message belongs to the period in which it was sent; one that was
    not, but cost something, to that in which it was begun.
    """
    costs: defaultdict[tuple[Any, str], Fraction] = defaultdict(Fraction)
    key = _key(by)
    told = select(key, Message.currency, func.sum(Message.cost)).where(Message.cost > 0)
    at = func.coalesce(Message.sent_at, Message.claimed_at, Message.created_at)
    for of, currency, cost in await session.execute(
        _within(told, at, scope, by).group_by(*_parts(key, by), Message.currency)
    ):
        code = str(currency).upper()
        costs[of, code] += Fraction(int(cost) * 10 ** money.digits(code), _MILLION)
    if scope.prices:
        currency = scope.money.currency
        costs_of = await _by_price(session, scope, by, scope.prices)
        for of, cost in costs_of.items():
            costs[of, currency] += cost * 10 ** money.digits(currency)
    return {of: cost for of, cost in costs.items() if cost}


async def _by_price(
    session: ReadSession, scope: Scope, by: By, prices: Mapping[str, Fraction]
) -> dict[Any, Fraction]:
    """What was sent and not told the cost of, at the price of its provider, in the major unit."""
    costs: defaultdict[Any, Fraction] = defaultdict(Fraction)
    key = _key(by)
    sent = select(key, Message.provider, func.count()).where(
        Message.sent_at.is_not(None),  # in the words of the index
        Message.cost.is_(None),
        Message.provider.in_(list(prices)),
    )
    rows = _within(sent, Message.sent_at, scope, by).group_by(*_parts(key, by), Message.provider)
    for of, provider, count in await session.execute(rows):
        costs[of] += prices[provider] * count
    return costs


def _parts(key: ColumnElement[Any], by: By) -> tuple[ColumnElement[Any], ...]:
    """What costs are grouped by: a sort by what is the same of all would be for nothing."""
    return () if by is By.ALL else (key,)


def _key(by: By) -> ColumnElement[Any]:
    match by:
        case By.ALL:
            return literal(None)
        case By.CAMPAIGN:
            # SQLite would go by the index of campaigns otherwise, and look at every message.
            return literal_column("+message.campaign_id", Integer)
        case By.SOURCE:
            return Business.source_folded.expression


def _within(
    statement: Select[Any], at: ColumnElement[Any] | Any, scope: Scope, by: By
) -> Select[Any]:
    if by is By.SOURCE or scope.where is not None:
        statement = statement.join(Business, Business.id == Message.business_id)
    return statement.where(*among.found(scope), *among.within(at, scope.period))
