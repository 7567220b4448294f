"""How figures went over a time: MRR, new customers, and messages sent.

A time is told in days, weeks or months, whichever makes a picture that can be read. MRR is that of
the end of each part, or of now; the others are counted within it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from sqlalchemy import func, select

from crm_tui import money
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Message, Payment, Subscription, SubscriptionChange
from crm_tui.services.figures import among, messages
from crm_tui.services.figures.base import Scope
from crm_tui.services.figures.calendar import Parts, Step, day_of, read, step_for
from crm_tui.services.figures.sales import counted, first_payments
from crm_tui.services.money.terms import a_month

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
    zone, now = scope.standpoint.zone, scope.standpoint.now
    since = scope.period.since or first
    until = min(scope.period.until or now + _MOMENT, now + _MOMENT)
    if first is None or since is None or since >= until:
        return None
    begin, last = day_of(since, zone), day_of(until - _MOMENT, zone)
    return Parts(begin, last, step_for(begin, last), zone)


async def _new_customers(session: ReadSession, scope: Scope) -> list[Series]:
    first = select(func.min(Payment.paid_at)).where(
        *counted(scope), *among.of_leads(Payment.business_id, scope)
    )
    parts = parts_of(scope, await session.scalar(first))
    if parts is None:
        return []
    counts: Counter[int] = Counter()
    for sale in await first_payments(session, scope, paid=scope.period):
        counts[parts.at(sale.at)] += 1
    return [_counted(SeriesName.NEW_CUSTOMERS, parts, counts)]


async def _sends(session: ReadSession, scope: Scope) -> list[Series]:
    sent = (messages.SENT, *among.of_leads(Message.business_id, scope))
    parts = parts_of(scope, await session.scalar(select(func.min(Message.sent_at)).where(*sent)))
    if parts is None:
        return []
    rough = parts.rough(Message.sent_at)
    statement = (
        select(rough, func.count())
        .where(*sent, *among.within(Message.sent_at, scope.period))
        .group_by(rough)
    )
    rows = await session.execute(statement)
    counts: Counter[int] = Counter()
    for at, count in rows:
        counts[parts.at(max(read(at), parts.edges[0]))] += count
    return [_counted(SeriesName.SENDS, parts, counts)]


def _counted(name: SeriesName, parts: Parts, counts: Counter[int]) -> Series:
    points = (Point(day, counts[at]) for at, day in enumerate(parts.days))
    return Series(name, parts.step, None, tuple(points))


async def _mrr(session: ReadSession, scope: Scope) -> list[Series]:
    moves = await _moves(session, scope)
    parts = parts_of(scope, min((at for at, _, _ in moves), default=None))
    if parts is None:
        return []
    last = min(
        scope.standpoint.now + _MOMENT, scope.period.until or datetime.max.replace(tzinfo=UTC)
    )
    ends = [min(end, last) for _, end in parts.spans]
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


_Move = tuple[datetime, str, Fraction]


async def _moves(session: ReadSession, scope: Scope) -> list[_Move]:
    """By how much MRR went up or down at each change of a subscription, the earliest first."""
    statement = (
        select(
            SubscriptionChange.subscription_id,
            SubscriptionChange.occurred_at,
            SubscriptionChange.state,
            SubscriptionChange.amount,
            SubscriptionChange.currency,
            SubscriptionChange.interval,
            SubscriptionChange.interval_count,
        )
        .join(Subscription, Subscription.id == SubscriptionChange.subscription_id)
        .where(Subscription.mode.in_(scope.modes), *among.of_leads(Subscription.business_id, scope))
        .order_by(
            SubscriptionChange.subscription_id,
            SubscriptionChange.occurred_at,
            SubscriptionChange.key,
        )
    )
    moves: list[_Move] = []
    standing: dict[int, tuple[str, Fraction]] = {}
    rows = await session.execute(statement)
    for number, at, state, amount, currency, interval, count in rows:
        if number in standing:
            was, worth = standing[number]
            moves.append((at, was, -worth))
        worth = a_month(amount, interval, count) if state.earns else Fraction()
        standing[number] = currency, worth
        moves.append((at, currency, worth))
    return sorted(moves, key=lambda each: each[0])
