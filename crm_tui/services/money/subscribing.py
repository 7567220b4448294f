"""Subscriptions: what each was from a time on, in whatever order that is told.

Where a subscription stands is its last change by (time, key). One that ended never runs again: what
is told of a time after its end is not kept, whichever comes first. What the timeline says of a change
is what it changed, seen from the one before it, so one that comes late has those around it say it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from sqlalchemy import delete, func, select

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Subscription, SubscriptionChange
from crm_tui.db.types import utc_text
from crm_tui.money import plain_amount
from crm_tui.providers.money import MoneyEvent, SubscriptionTold
from crm_tui.services.events import NewEvent
from crm_tui.services.money.lines import show
from crm_tui.services.money.payments import Place, join_subscription
from crm_tui.services.money.words import day, terms
from crm_tui.vocabulary import EventKind, Mode, SubscriptionState

_STEPS = tuple(SubscriptionState)
"""Of changes of one second, which is as fine as providers count, the one further down is the later."""


async def tell(
    session: WriteSession,
    business_id: int,
    event: MoneyEvent,
    told: SubscriptionTold,
    place: Place,
    *,
    plan_id: int | None,
    source: str,
    now: datetime,
) -> bool:
    """Note what was told of a subscription; whether that was not known."""
    row = await session.scalar(
        select(Subscription)
        .where(
            Subscription.provider == place.provider,
            Subscription.mode == place.mode,
            Subscription.provider_id == told.id,
        )
        .execution_options(populate_existing=True)
    )
    key = _change_key(event, told, place)
    if row is None:
        row = _new(business_id, told, place)
        session.add(row)
        await session.flush()
    elif await session.scalar(select(SubscriptionChange.id).where(SubscriptionChange.key == key)):
        return False
    row.started_at = min(row.started_at, told.started_at)
    is_over = told.state is SubscriptionState.ENDED
    at = (told.ended_at or event.occurred_at) if is_over else event.occurred_at
    ended_at = await _ended_at(session, row)
    if ended_at is not None and at > ended_at:
        await session.flush()
        return False
    if is_over:
        await session.execute(
            delete(SubscriptionChange)
            .where(
                SubscriptionChange.subscription_id == row.id, SubscriptionChange.occurred_at > at
            )
            .execution_options(synchronize_session="fetch")
        )
    session.add(
        SubscriptionChange(
            key=key,
            subscription_id=row.id,
            occurred_at=at,
            state=told.state,
            amount=told.amount,
            currency=told.currency.upper(),
            interval=told.interval,
            interval_count=told.interval_count,
            current_period_end=told.current_period_end,
            cancel_at=told.cancel_at,
            plan_id=plan_id,
        )
    )
    await session.flush()
    changes = await _changes(session, row)
    _follow(row, changes)
    await session.flush()
    await join_subscription(session, row)
    lines = list(_lines(row, changes, source))
    await show(session, row.business_id, lines, begins=_line_key(row), now=now)
    return True


def _change_key(event: MoneyEvent, told: SubscriptionTold, place: Place) -> str:
    """A name under which changes of one moment stand in the order they happened.

    What is recorded by hand has names in that order. What is so still comes behind the rest, and
    the end behind all.
    """
    if told.state is SubscriptionState.ENDED:
        return place.key(f"~~{event.name}")
    if place.mode is Mode.MANUAL:
        return place.key(event.name)
    return place.key(f"{'~' if told.still else ''}{_STEPS.index(told.state)}:{event.name}")


def _new(business_id: int, told: SubscriptionTold, place: Place) -> Subscription:
    is_over = told.state is SubscriptionState.ENDED
    return Subscription(
        key=place.key(told.id),
        business_id=business_id,
        provider=place.provider,
        mode=place.mode,
        provider_id=told.id,
        state=told.state,
        amount=told.amount,
        currency=told.currency.upper(),
        interval=told.interval,
        interval_count=told.interval_count,
        started_at=told.started_at,
        ended_at=(told.ended_at or told.started_at) if is_over else None,
    )


async def _ended_at(session: WriteSession, row: Subscription) -> datetime | None:
    """When a subscription ended, as far as that was told."""
    return await session.scalar(
        select(func.min(SubscriptionChange.occurred_at)).where(
            SubscriptionChange.subscription_id == row.id,
            SubscriptionChange.state == SubscriptionState.ENDED,
        )
    )


async def _changes(session: WriteSession, row: Subscription) -> Sequence[SubscriptionChange]:
    found = await session.scalars(
        select(SubscriptionChange)
        .where(SubscriptionChange.subscription_id == row.id)
        .order_by(SubscriptionChange.occurred_at, SubscriptionChange.key)
    )
    return found.all()


async def refold(session: WriteSession, subscription_ids: Sequence[int]) -> None:
    """Have subscriptions be what their last changes made them."""
    rows = await session.scalars(select(Subscription).where(Subscription.id.in_(subscription_ids)))
    for row in rows.all():
        if changes := await _changes(session, row):
            _follow(row, changes)
    await session.flush()


def _follow(row: Subscription, changes: Sequence[SubscriptionChange]) -> None:
    """Have a subscription be what its last change made it."""
    last = changes[-1]
    is_over = last.state is SubscriptionState.ENDED
    plans = [each.plan_id for each in changes if each.plan_id is not None]
    values = {
        "state": last.state,
        "amount": last.amount,
        "currency": last.currency,
        "interval": last.interval,
        "interval_count": last.interval_count,
        "current_period_end": last.current_period_end,
        "cancel_at": last.cancel_at,
        "ended_at": last.occurred_at if is_over else None,
        "plan_id": plans[-1] if plans else None,
    }
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)


# -- what the timeline says ------------------------------------------------------------------------


def _line_key(row: Subscription) -> str:
    return f"{row.provider}:{row.mode.value}:subscription-{row.id}:"


def _lines(
    row: Subscription, changes: Sequence[SubscriptionChange], source: str
) -> Iterator[NewEvent]:
    for before, each in pairwise((None, *changes)):
        assert each is not None
        said = _first(each) if before is None else _next(before, each)
        if said is None:
            continue
        kind, words = said
        yield NewEvent(
            row.business_id,
            kind,
            each.occurred_at,
            words,
            source,
            key=_line_key(row) + each.key,
            data={
                "subscription": row.id,
                "provider": row.provider,
                "mode": row.mode.value,
                "state": each.state.value,
                "amount": each.amount,
                "currency": each.currency,
                "interval": each.interval.value,
                "interval_count": each.interval_count,
                **({"ends": utc_text(each.cancel_at)} if each.cancel_at else {}),
            },
        )


def _terms(each: SubscriptionChange) -> str:
    return terms(each.amount, each.currency, each.interval, each.interval_count)


def _first(each: SubscriptionChange) -> tuple[EventKind, str] | None:
    match each.state:
        case SubscriptionState.INCOMPLETE:
            return None
        case SubscriptionState.ENDED:
            return EventKind.SUBSCRIPTION_CANCELED, f"subscription ended: {_terms(each)}"
        case SubscriptionState.TRIALING:
            words = f"subscription started with a trial, then {_terms(each)}"
        case _:
            words = f"subscription started: {_terms(each)}"
    if each.cancel_at is not None:
        words += f", ends on {day(each.cancel_at, said_at=each.occurred_at)}"
    return EventKind.SUBSCRIPTION_STARTED, words


_INTO = {
    SubscriptionState.TRIALING: "subscription is on trial",
    SubscriptionState.PAST_DUE: "subscription is past due",
    SubscriptionState.UNPAID: "subscription is unpaid",
    SubscriptionState.INCOMPLETE: "subscription waits for its first payment",
}


def _next(before: SubscriptionChange, each: SubscriptionChange) -> tuple[EventKind, str] | None:
    """What changed; None where nothing did that is worth a line."""
    if before.state is SubscriptionState.INCOMPLETE:
        never = each.state is SubscriptionState.ENDED  # its first payment never came
        return None if never else _first(each)
    if each.state is SubscriptionState.ENDED:
        if before.state is SubscriptionState.ENDED:
            return None
        return EventKind.SUBSCRIPTION_CANCELED, f"subscription ended: {_terms(before)}"
    kind, said = EventKind.SUBSCRIPTION_UPDATED, list[str]()
    if each.state is not before.state:
        kind, words = _moved(before.state, each.state)
        said.append(words)
    now, then = _terms(each), _terms(before)
    if now != then:
        same = each.currency == before.currency
        old = plain_amount(before.amount, before.currency) if same else then
        if (each.interval, each.interval_count) != (before.interval, before.interval_count):
            old = then
        said.append(f"moved from {old} to {now}")
    if each.cancel_at != before.cancel_at:
        if each.cancel_at is None:
            said.append("subscription goes on after all")
        else:
            said.append(f"subscription ends on {day(each.cancel_at, said_at=each.occurred_at)}")
    return (kind, ", ".join(said)) if said else None


def _moved(before: SubscriptionState, state: SubscriptionState) -> tuple[EventKind, str]:
    if state is SubscriptionState.PAUSED:
        return EventKind.SUBSCRIPTION_PAUSED, "subscription paused"
    if before is SubscriptionState.PAUSED:
        return EventKind.SUBSCRIPTION_RESUMED, "subscription resumed"
    if state in _INTO:
        return EventKind.SUBSCRIPTION_UPDATED, _INTO[state]
    if before is SubscriptionState.TRIALING:
        return EventKind.SUBSCRIPTION_UPDATED, "trial is over"
    return EventKind.SUBSCRIPTION_UPDATED, "subscription is paid again"
