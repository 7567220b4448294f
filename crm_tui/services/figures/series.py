"""How figures went over a time: MRR, new customers, and messages sent.

A time is told in days, weeks or months, whichever makes a picture that can be read. MRR is that of
the end of each part, or of now; the others are counted within it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from sqlalchemy import Text, func, select, type_coerce

from crm_tui import money
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Message, Payment, Subscription, SubscriptionChange
from crm_tui.db.types import utc_text
from crm_tui.services.figures import among, messages, subscriptions
from crm_tui.services.figures.asking import end_of
from crm_tui.services.figures.base import Scope
from crm_tui.services.figures.calendar import Parts, Step, day_of, read, step_for
from crm_tui.services.figures.customers import first_payments
from crm_tui.services.figures.sales import counted
from crm_tui.services.filters.stages import EARNS
from crm_tui.services.money.terms import a_month
from crm_tui.vocabulary import Interval

_MOMENT = timedelta(microseconds=1)


class SeriesName(StrEnum):
    """What is told over a time."""

    MRR = "mrr"
    NEW_CUSTOMERS = "new_customers"
    SENDS = "sends"


RULES = {
    SeriesName.MRR: "What active subscriptions come to in a month, at the end of each part.",
    SeriesName.NEW_CUSTOMERS: "Businesses by the time of their first payment.",
    SeriesName.SENDS: "Messages by the time they were sent.",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A value of the day, week or month that begins on a day; money in its major unit."""

    day: date
    value: int | Decimal


@dataclass(frozen=True, slots=True)
class Series:
    """A figure over a time; `currency` is None where it is no money."""

    name: SeriesName
    step: Step
    currency: str | None
    points: tuple[Point, ...]


async def series(session: ReadSession, scope: Scope, name: str) -> list[Series]:
    """A figure over the period, the earliest part first: one for each currency.

    Without a period it begins with the first that is told of; it never goes beyond now. It is empty
    where there is nothing to tell.

    Raises:
        ValueError: there is no such series; see `SeriesName`.
    """
    match SeriesName(name):
        case SeriesName.MRR:
            return await _mrr(session, scope)
        case SeriesName.NEW_CUSTOMERS:
            return await _new_customers(session, scope)
        case SeriesName.SENDS:
            return await _sends(session, scope)


def parts_of(scope: Scope, first: datetime | None) -> Parts | None:
    """The period in parts, from its begin, or else from the first that is told of, until now.

    None where nothing is told of, or nothing has begun yet.
    """
    zone, until = scope.standpoint.zone, _end(scope)
    since = scope.period.since or first
    if first is None or since is None or since >= until:
        return None
    begin, last = day_of(since, zone), day_of(until - _MOMENT, zone)
    return Parts(begin, last, step_for(begin, last), zone)


def _end(scope: Scope) -> datetime:
    """When the period ends, or now."""
    return min(end_of(scope), scope.standpoint.now + _MOMENT)


async def _new_customers(session: ReadSession, scope: Scope) -> list[Series]:
    first = select(func.min(Payment.paid_at)).where(
        *counted(scope), *among.of_leads(Payment.business_id, scope)
    )
    parts = parts_of(scope, await session.scalar(first))
    if parts is None:
        return []
    firsts = first_payments(scope)
    rough = parts.rough(firsts.c.paid_at)
    counts: Counter[int] = Counter()
    for at, count in await session.execute(select(rough, func.count()).group_by(rough)):
        counts[parts.at(read(at))] += count
    return [_counted(SeriesName.NEW_CUSTOMERS, parts, counts)]


async def _sends(session: ReadSession, scope: Scope) -> list[Series]:
    first = select(func.min(Message.sent_at)).where(
        messages.SENT, *among.of_leads(Message.business_id, scope)
    )
    parts = parts_of(scope, await session.scalar(first))
    if parts is None:
        return []
    rough = parts.rough(Message.sent_at)
    statement = select(rough, func.count()).where(*messages.sent_in(scope)).group_by(rough)
    counts: Counter[int] = Counter()
    for at, count in await session.execute(statement):
        counts[parts.at(max(read(at), parts.edges[0]))] += count
    return [_counted(SeriesName.SENDS, parts, counts)]


def _counted(name: SeriesName, parts: Parts, counts: Counter[int]) -> Series:
    points = (Point(day, counts[at]) for at, day in enumerate(parts.days))
    return Series(name, parts.step, None, tuple(points))


async def _mrr(session: ReadSession, scope: Scope) -> list[Series]:
    moves = await _moves(session, scope)
    parts = parts_of(scope, datetime.fromisoformat(moves[0][0]) if moves else None)
    if parts is None:
        return []
    ends = [utc_text(min(end, _end(scope))) for _, end in parts.spans]
    standing: defaultdict[str, Fraction] = defaultdict(Fraction)
    points: defaultdict[str, list[Point]] = defaultdict(list)
    currencies = sorted({currency for _, currency, _ in moves})
    waiting = iter([*moves, None])
    move = next(waiting)
    for day, end in zip(parts.days, ends, strict=True):
        while move is not None and move[0] < end:
            standing[move[1]] += move[2]
            move = next(waiting)
        for currency in currencies:
            points[currency].append(Point(day, money.major(standing[currency], currency)))
    return [
        Series(SeriesName.MRR, parts.step, currency, tuple(points[currency]))
        for currency in currencies
        if any(point.value for point in points[currency])
    ]


_Move = tuple[str, str, Fraction]
"""When, as it is stored; in which currency; by how much."""


async def _moves(session: ReadSession, scope: Scope) -> list[_Move]:
    """By how much MRR went up or down at each change of a subscription, the earliest first."""
    statement = (
        select(
            SubscriptionChange.subscription_id,
            type_coerce(SubscriptionChange.occurred_at, Text),
            type_coerce(SubscriptionChange.state, Text),
            SubscriptionChange.amount,
            SubscriptionChange.currency,
            type_coerce(SubscriptionChange.interval, Text),
            SubscriptionChange.interval_count,
        )
        .join(Subscription, Subscription.id == SubscriptionChange.subscription_id)
        .where(*subscriptions.of_scope(scope))
        .order_by(
            SubscriptionChange.subscription_id,
            SubscriptionChange.occurred_at,
            SubscriptionChange.key,
        )
    )
    moves: list[_Move] = []
    standing: dict[int, tuple[str, Fraction]] = {}
    for number, at, state, amount, currency, interval, count in await session.execute(statement):
        if number in standing:
            was, worth = standing[number]
            moves.append((at, was, -worth))
        worth = _worth(amount, interval, count) if state in EARNS else Fraction()
        standing[number] = currency, worth
        moves.append((at, currency, worth))
    return sorted(moves, key=lambda each: each[0])


@lru_cache(maxsize=1024)
def _worth(amount: int, interval: str, count: int) -> Fraction:
    return a_month(amount, Interval(interval), count)
