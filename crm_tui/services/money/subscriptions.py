"""Subscriptions that the operator looks after: started and renewed by payments by hand.

A provider's own subscriptions are changed at the provider, which tells of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, Payment, Plan, Subscription, SubscriptionChange
from crm_tui.errors import BadInput, NotFound
from crm_tui.providers.money import MoneyEvent, MoneyKind, SubscriptionTold
from crm_tui.services.money.plans import PlanRow
from crm_tui.services.money.saying import PROVIDER, check_time, tell_by_hand, token
from crm_tui.services.money.terms import next_due
from crm_tui.vocabulary import Interval, Mode, SubscriptionState


@dataclass(frozen=True, slots=True)
class _Running:
    """A subscription as it stands; `changed_at` is when it last changed."""

    id: int
    business_id: int
    name: str
    plan_id: int | None
    plan: str | None
    provider: str
    provider_id: str
    state: SubscriptionState
    amount: int
    currency: str
    interval: Interval
    interval_count: int
    started_at: datetime
    current_period_end: datetime | None
    changed_at: datetime

    def told(
        self,
        *,
        state: SubscriptionState,
        plan: PlanRow | None = None,
        started_at: datetime | None = None,
        period_end: datetime | None = None,
        ended_at: datetime | None = None,
    ) -> SubscriptionTold:
        """What it is from now on: as it stands, but for what is said."""
        return SubscriptionTold(
            id=self.provider_id,
            state=state,
            amount=plan.amount if plan else self.amount,
            currency=plan.currency if plan else self.currency,
            interval=plan.interval if plan else self.interval,
            interval_count=1 if plan else self.interval_count,
            started_at=started_at or self.started_at,
            current_period_end=period_end or self.current_period_end,
            ended_at=ended_at,
        )


async def end(
    session: WriteSession, subscription_id: int, *, at: datetime | None = None, now: datetime
) -> None:
    """End a subscription by hand.

    Raises:
        NotFound: there is no such subscription.
        BadInput: a provider's it is, it has ended, or its time cannot be.
    """
    found = await _changeable(session, subscription_id, at=at, now=now)
    ended_at = at or now
    told = found.told(state=SubscriptionState.ENDED, ended_at=ended_at)
    await _tell_change(session, found, told, at=ended_at, plan_id=found.plan_id, now=now)


async def pause(
    session: WriteSession, subscription_id: int, *, at: datetime | None = None, now: datetime
) -> None:
    """Have a subscription by hand earn nothing until it is resumed.

    Raises:
        NotFound: there is no such subscription.
        BadInput: a provider's it is, it has ended or pauses, or its time cannot be.
    """
    found = await _changeable(session, subscription_id, at=at, now=now)
    if found.state is SubscriptionState.PAUSED:
        raise BadInput(f"Subscription {subscription_id} pauses already.")
    told = found.told(state=SubscriptionState.PAUSED)
    await _tell_change(session, found, told, at=at or now, plan_id=found.plan_id, now=now)


async def resume(
    session: WriteSession, subscription_id: int, *, at: datetime | None = None, now: datetime
) -> None:
    """Have a subscription by hand go on; what was paid for and not had is had now.

    Raises:
        NotFound: there is no such subscription.
        BadInput: a provider's it is, it does not pause, or its time cannot be.
    """
    found = await _changeable(session, subscription_id, at=at, now=now)
    if found.state is not SubscriptionState.PAUSED:
        raise BadInput(f"Subscription {subscription_id} does not pause.")
    again = at or now
    until = found.current_period_end
    if until is not None and until > found.changed_at:
        until = again + (until - found.changed_at)
    told = found.told(state=SubscriptionState.ACTIVE, period_end=until)
    await _tell_change(session, found, told, at=again, plan_id=found.plan_id, now=now)


async def change(
    session: WriteSession,
    subscription_id: int,
    plan: PlanRow,
    *,
    at: datetime | None = None,
    now: datetime,
) -> None:
    """Have a subscription by hand go by another plan; it stays paid until when it is.

    Raises:
        NotFound: there is no such subscription.
        BadInput: a provider's it is, it has ended, or the plan is paid once or is its own.
    """
    found = await _changeable(session, subscription_id, at=at, now=now)
    if not plan.repeats:
        raise BadInput(f"The plan {plan.name} is paid once, so there is no subscription to it.")
    if found.plan_id == plan.id:
        raise BadInput(f"Subscription {subscription_id} goes by the plan {plan.name} already.")
    told = found.told(state=found.state, plan=plan)
    await _tell_change(session, found, told, at=at or now, plan_id=plan.id, now=now)


async def whose(session: ReadSession, subscription_id: int) -> tuple[int, str]:
    """Whose a subscription is: the lead's number and name.

    Raises:
        NotFound: there is no such subscription.
    """
    found = await _required(session, subscription_id)
    return found.business_id, found.name


async def _required(session: ReadSession, subscription_id: int) -> _Running:
    found = await _subscriptions(session, Subscription.id == subscription_id)
    if not found:
        raise NotFound(
            f"There is no subscription {subscription_id}. See `crm-tui subscriptions list`."
        )
    return found[0]


async def _changeable(
    session: ReadSession, subscription_id: int, *, at: datetime | None, now: datetime
) -> _Running:
    found = await _required(session, subscription_id)
    if found.provider != PROVIDER:
        raise BadInput(
            f"Subscription {subscription_id} runs at {found.provider}: change it there, and it is "
            "told here by itself."
        )
    if found.state is SubscriptionState.ENDED:
        raise BadInput(f"Subscription {subscription_id} has ended.")
    when = at or now
    check_time(when, now)
    if when < found.changed_at:
        raise BadInput(
            f"Subscription {subscription_id} last changed on {found.changed_at:%Y-%m-%d}; it cannot "
            "change before that."
        )
    return found


async def by_hand(session: ReadSession, business_id: int) -> list[_Running]:
    """Subscriptions by hand that have not ended, the oldest first."""
    return await _subscriptions(
        session,
        Subscription.business_id == business_id,
        Subscription.mode == Mode.MANUAL,
        Subscription.state != SubscriptionState.ENDED,
    )


async def _subscriptions(session: ReadSession, *where: ColumnElement[bool]) -> list[_Running]:
    query = _query().where(*where).order_by(Subscription.started_at, Subscription.id)
    return [_Running(*row) for row in await session.execute(query)]


def _query() -> Select[*tuple[Any, ...]]:
    last = (
        select(func.max(SubscriptionChange.occurred_at))
        .where(SubscriptionChange.subscription_id == Subscription.id)
        .correlate(Subscription)
        .scalar_subquery()
    )
    return (
        select(
            Subscription.id,
            Subscription.business_id,
            Business.name,
            Subscription.plan_id,
            Plan.name,
            Subscription.provider,
            func.coalesce(Subscription.provider_id, Subscription.key),
            Subscription.state,
            Subscription.amount,
            Subscription.currency,
            Subscription.interval,
            Subscription.interval_count,
            Subscription.started_at,
            Subscription.current_period_end,
            func.coalesce(last, Subscription.started_at),
        )
        .join(Business, Business.id == Subscription.business_id)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
    )


# What payments do to them


async def paid_for(
    session: WriteSession,
    business_id: int,
    plan: PlanRow,
    *,
    at: datetime,
    modes: Collection[Mode],
    now: datetime,
) -> tuple[str | None, bool, str]:
    """Start or renew a subscription: its name, whether it ran already, what is to be said."""
    running = await by_hand(session, business_id)
    if running:
        return await _renew(session, running[0], plan, at=at, now=now)
    elsewhere = await _subscriptions(
        session,
        Subscription.business_id == business_id,
        Subscription.mode.in_([mode for mode in modes if mode is not Mode.MANUAL]),
        Subscription.state != SubscriptionState.ENDED,
    )
    if elsewhere:
        return (
            None,
            False,
            (f"Its subscription at {elsewhere[0].provider} runs on as it is; no second one began."),
        )
    if over := await _over(session, business_id, plan, at):
        if at < over.started_at:
            told = over.told(state=SubscriptionState.ACTIVE, started_at=at)
            await _tell_change(session, over, told, at=at, plan_id=plan.id, now=now)
        return over.provider_id, at >= over.started_at, ""
    named = token(now)
    begun = SubscriptionTold(
        id=named,
        state=SubscriptionState.ACTIVE,
        amount=plan.amount,
        currency=plan.currency,
        interval=plan.interval,
        started_at=at,
        current_period_end=next_due(at, plan.interval),
    )
    event = MoneyEvent(
        name=named, kind=MoneyKind.SUBSCRIPTION, occurred_at=at, live=True, subscription=begun
    )
    await tell_by_hand(session, business_id, event, plan_id=plan.id, now=now)
    return named, False, ""


async def _renew(
    session: WriteSession, running: _Running, plan: PlanRow, *, at: datetime, now: datetime
) -> tuple[str, bool, str]:
    """Pay a subscription by hand for one more interval; who paused goes on."""
    if at < running.started_at:
        await _begin_earlier(session, running, at=at, now=now)
        return running.provider_id, False, ""
    until = next_due(running.current_period_end or at, plan.interval, day=running.started_at.day)
    told = running.told(state=SubscriptionState.ACTIVE, plan=plan, period_end=until)
    when = max(at, running.changed_at)
    await _tell_change(session, running, told, at=when, plan_id=plan.id, now=now)
    words = ""
    if running.plan_id != plan.id:
        words = (
            f"Its subscription changed to {plan.name} (it was {running.plan or 'without a plan'})."
        )
    if running.state is SubscriptionState.PAUSED:
        words = f"{words} Its subscription goes on; it was paused.".strip()
    return running.provider_id, True, words


async def _begin_earlier(
    session: WriteSession, running: _Running, *, at: datetime, now: datetime
) -> None:
    """Have a subscription begin with a payment that is recorded after later ones.

    Where each payment so far paid for one interval from its beginning on, they do so from the new
    beginning: in whatever order payments are recorded, it is paid until the same day.
    """
    told = running.told(state=SubscriptionState.ACTIVE, started_at=at)
    await _tell_change(session, running, told, at=at, plan_id=running.plan_id, now=now)
    counted = select(func.count()).where(Payment.subscription_id == running.id)
    paid = (await session.execute(counted)).scalar_one()
    if next_due(running.started_at, running.interval, paid) == running.current_period_end:
        until = next_due(at, running.interval, paid + 1)
        told = running.told(state=running.state, started_at=at, period_end=until)
        when = running.changed_at
        await _tell_change(session, running, told, at=when, plan_id=running.plan_id, now=now)


async def _over(
    session: ReadSession, business_id: int, plan: PlanRow, at: datetime
) -> _Running | None:
    """The subscription by hand that ended since a time, to which a payment of then belongs."""
    ended = await _subscriptions(
        session,
        Subscription.business_id == business_id,
        Subscription.mode == Mode.MANUAL,
        Subscription.plan_id == plan.id,
        Subscription.ended_at >= at,
    )
    return ended[0] if ended else None


async def _tell_change(
    session: WriteSession,
    subscription: _Running,
    told: SubscriptionTold,
    *,
    at: datetime,
    plan_id: int | None,
    now: datetime,
) -> None:
    event = MoneyEvent(
        name=token(now),
        kind=MoneyKind.SUBSCRIPTION,
        occurred_at=at,
        live=True,
        subscription=told,
    )
    await tell_by_hand(session, subscription.business_id, event, plan_id=plan_id, now=now)
