"""What subscriptions bring in a month, and how many ended, as of any time.

Where a subscription stood before a time is what its last change before it said, by (occurred_at,
key).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, Text, exists, func, literal, select
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Subscription, SubscriptionChange
from crm_tui.services.figures import among
from crm_tui.services.figures.base import Scope
from crm_tui.services.filters.stages import EARNS, words
from crm_tui.services.money.terms import a_month
from crm_tui.vocabulary import SubscriptionState

_ENDED = words([SubscriptionState.ENDED])[0]


@dataclass(frozen=True, slots=True)
class Earning:
    """The subscriptions of one currency that earned.

    Attributes:
        monthly: what all bring in a month, exactly, in minor units.
        subscriptions: how many there are.
        businesses: how many pay for one or more of them.
    """

    monthly: Fraction
    subscriptions: int
    businesses: int


@dataclass(frozen=True, slots=True)
class Churn:
    """The subscriptions that earned before a period began, and those that ended in it.

    `ended_new` are those among the ended that did not earn when it began.
    """

    at_start: int
    ended: int
    ended_new: int


def standing(before: datetime) -> Subquery:
    """Each subscription's last change before a time."""
    change = SubscriptionChange
    # SQLite takes the other columns from the row that has the highest of these: a time is text of
    # fixed width, and the key decides between equal ones.
    last = func.max(change.occurred_at.cast(Text).concat(change.key))
    return (
        select(
            change.subscription_id,
            change.state,
            change.amount,
            change.currency,
            change.interval,
            change.interval_count,
            last.label("last"),
        )
        .where(change.occurred_at < before)
        .group_by(change.subscription_id)
        .subquery()
    )


def of_scope(scope: Scope) -> Iterator[ColumnElement[bool]]:
    """What a subscription must be to count: in money that does, and of a lead the filter finds."""
    yield Subscription.mode.in_(words(scope.modes))
    yield from among.of_leads(Subscription.business_id, scope)


def earning_ids(before: datetime) -> Select[int]:
    """The subscriptions that earned just before a time."""
    stood = standing(before)
    return select(stood.c.subscription_id).where(stood.c.state.in_(words(EARNS)))


async def earning(session: ReadSession, scope: Scope, before: datetime) -> Mapping[str, Earning]:
    """The subscriptions that earned just before a time, by currency."""
    stood = standing(before)
    earn = (
        select(Subscription.business_id, *stood.c)
        .join_from(stood, Subscription, Subscription.id == stood.c.subscription_id)
        .where(stood.c.state.in_(words(EARNS)), *of_scope(scope))
        .subquery()
    )
    terms = (earn.c.currency, earn.c.interval, earn.c.interval_count)
    sums = (func.sum(earn.c.amount), func.count())
    monthly: defaultdict[str, Fraction] = defaultdict(Fraction)
    subscriptions: Counter[str] = Counter()
    rows = await session.execute(select(*terms, *sums).group_by(*terms).order_by(*terms))
    for currency, interval, every, amount, count in rows:
        monthly[currency] += a_month(amount, interval, every)
        subscriptions[currency] += count
    businesses: Mapping[str, int] = subscriptions
    if await _have_several(session):
        payers = select(earn.c.currency, func.count(earn.c.business_id.distinct()))
        rows_of = await session.execute(payers.group_by(earn.c.currency))
        businesses = {row[0]: row[1] for row in rows_of}
    return {
        currency: Earning(amount, subscriptions[currency], businesses[currency])
        for currency, amount in monthly.items()
    }


async def _have_several(session: ReadSession) -> bool:
    """Whether any business has more than one subscription: else there are as many of both."""
    several = select(Subscription.business_id).group_by(Subscription.business_id)
    return await session.scalar(several.having(func.count() > 1).limit(1)) is not None


async def churn(session: ReadSession, scope: Scope, since: datetime, until: datetime) -> Churn:
    """How many subscriptions earned when a period began, and how many ended in it."""
    at_start = earning_ids(since).subquery()
    started = (
        select(func.count())
        .select_from(at_start)
        .join(Subscription, Subscription.id == at_start.c.subscription_id)
        .where(*of_scope(scope))
    )
    first = await session.scalar(started) or 0
    # Where each stood when the period began; None, where it was not there yet.
    stood = list(await session.scalars(ended_in(scope, since, until, _state_before(since))))
    return Churn(first, len(stood), sum(state not in EARNS for state in stood))


def ended_in(
    scope: Scope,
    since: datetime,
    until: datetime,
    column: ColumnElement[Any] | Any = Subscription.id,
) -> Select[Any]:
    """The subscriptions that ended in a period and had earned before, or a column of them.

    Ended in it is what stood as ended before its end, and did not before its beginning.
    """
    told = select(SubscriptionChange.subscription_id).where(
        SubscriptionChange.state == _ENDED,
        SubscriptionChange.occurred_at >= since,
        SubscriptionChange.occurred_at < until,
    )
    ever = aliased(SubscriptionChange)
    earned = exists().where(
        ever.subscription_id == Subscription.id,
        ever.state.in_(words(EARNS)),
        ever.occurred_at < until,
    )
    return select(column).where(
        Subscription.id.in_(told),
        *of_scope(scope),
        earned,
        _state_before(until) == _ENDED,
        func.coalesce(_state_before(since), literal("")) != _ENDED,
    )


def _state_before(at: datetime) -> ColumnElement[str]:
    change = aliased(SubscriptionChange)
    return (
        select(change.state)
        .where(change.subscription_id == Subscription.id, change.occurred_at < at)
        .order_by(change.occurred_at.desc(), change.key.desc())
        .limit(1)
        .correlate(Subscription)
        .scalar_subquery()
        .cast(Text)
    )
