"""Money in today's list: there until it is in order, or the operator said that it is dealt with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Dispute, Payment, Subscription
from crm_tui.errors import NotFound
from crm_tui.services import today, today_money, undo
from crm_tui.services.today import MONEY, Kind
from crm_tui.services.when import end_of_day
from crm_tui.vocabulary import DisputeState, Interval, Mode, PaymentState, SubscriptionState
from tests.money.making import add_plan, pay

if TYPE_CHECKING:
    from tests.conftest import AddLead

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FAILED = PaymentState.FAILED


async def told(
    db: Database, now: datetime, modes: tuple[Mode, ...] = tuple(Mode)
) -> list[tuple[Kind, str, str]]:
    """The lines about money, in order."""
    order = await today.order(db, due_by=end_of_day(now, zone=UTC), modes=modes)
    ids = [each for kind in order if kind in MONEY for each in order[kind]]
    async with db.read() as session:
        by_id = {line.id: line for line in await today.lines(session, ids)}
    assert set(by_id) == set(ids)
    return [(line.kind, line.name, line.what) for line in map(by_id.__getitem__, ids)]


async def subscribe(db: Database, lead: int, now: datetime, **more: Any) -> int:
    row = {
        "key": f"subscription of {lead}",
        "business_id": lead,
        "provider": "manual",
        "mode": Mode.MANUAL,
        "state": SubscriptionState.ACTIVE,
        "amount": 4900,
        "currency": "USD",
        "interval": Interval.MONTH,
        "started_at": now - 60 * DAY,
        **more,
    }
    async with db.write() as session:
        subscription = Subscription(**row)
        session.add(subscription)
        await session.flush()
        return subscription.id


async def deal_with(db: Database, kind: Kind, record: int, now: datetime) -> None:
    async with undo.action(db, "dealt with it", now=now) as session:
        await today_money.deal_with(session, MONEY[kind], record, now=now)


async def test_a_new_payment_is_told_until_it_was_seen(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    payment = await pay(db, lead, now - HOUR, plan_id=await add_plan(db, now))
    await pay(db, await add_lead("By hand"), now - HOUR, mode=Mode.MANUAL)
    await pay(db, await add_lead("Renewed"), now - HOUR, is_renewal=True)
    await pay(db, await add_lead("Long ago"), now - 70 * DAY)
    line = (Kind.PAID, "Woodhaven", "49.00 USD for Care")
    assert await told(db, now) == [line]
    assert await told(db, now, (Mode.MANUAL, Mode.LIVE)) == []  # it is play money
    await deal_with(db, Kind.PAID, payment, now)
    assert await told(db, now) == []
    with pytest.raises(NotFound):
        await deal_with(db, Kind.PAID, payment, now)
    await undo.undo(db, settings=settings, now=now)
    assert await told(db, now) == [line]
    await deal_with(db, Kind.PAID, payment, now)
    assert await told(db, now) == []


async def test_a_failed_payment_says_why_and_when_it_is_tried_again(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    payment = await pay(
        db,
        lead,
        now - HOUR,
        state=FAILED,
        failure="the card has expired",
        attempts=2,
        next_attempt_at=now + 3 * DAY,
    )
    said = "49.00 USD: the card has expired, tried 2 times; tried again 2026-11-25"
    assert await told(db, now) == [(Kind.NOT_PAID, "Woodhaven", said)]
    await deal_with(db, Kind.NOT_PAID, payment, now)
    assert await told(db, now) == []
    async with db.write() as session:  # it fails again
        await session.execute(update(Payment).values(attempts=3, next_attempt_at=None))
    said = "49.00 USD: the card has expired, tried 3 times"
    assert await told(db, now) == [(Kind.NOT_PAID, "Woodhaven", said)]


async def test_a_failed_payment_that_was_made_good_or_is_over_is_no_more_told(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    good, gone, ended = [await add_lead(each) for each in ("Good", "Gone", "Ended")]
    for lead in (good, gone):
        await pay(db, lead, now - 2 * HOUR, state=FAILED)
    over = await subscribe(db, ended, now, state=SubscriptionState.ENDED, ended_at=now)
    await pay(db, ended, now - 2 * HOUR, state=FAILED, subscription_id=over)
    assert [name for _, name, _ in await told(db, now)] == ["Gone", "Good"]
    await pay(db, good, now - HOUR, is_renewal=True)
    async with db.write() as session:
        await session.execute(update(Business).where(Business.id == gone).values(archived_at=now))
    assert await told(db, now) == []


async def test_subscriptions_that_end_soon_and_those_by_hand_that_are_not_paid(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    ends, later, over, paid = [await add_lead(each) for each in ("Ends", "Later", "Over", "Paid")]
    stripe = {"provider": "stripe", "mode": Mode.TEST}
    plan = await add_plan(db, now)
    ending = await subscribe(db, ends, now, cancel_at=now + 5 * DAY, plan_id=plan, **stripe)
    await subscribe(db, later, now, cancel_at=now + 50 * DAY, **stripe)
    due = await subscribe(
        db, over, now, current_period_end=now - 3 * DAY, interval=Interval.WEEK, interval_count=2
    )
    await subscribe(db, paid, now, current_period_end=now + 3 * DAY)
    assert await told(db, now) == [
        (Kind.OVERDUE, "Over", "paid until 2026-11-19: 49.00 USD each 2 weeks"),
        (Kind.ENDING, "Ends", "ends 2026-11-27: Care, 49.00 USD a month"),
    ]
    await deal_with(db, Kind.ENDING, ending, now)
    await deal_with(db, Kind.OVERDUE, due, now)
    assert await told(db, now) == []
    async with db.write() as session:  # what is dealt with is this end, and that period
        await session.execute(
            update(Subscription).where(Subscription.id == ending).values(cancel_at=now + 7 * DAY)
        )
        await session.execute(
            update(Subscription).where(Subscription.id == due).values(current_period_end=now - DAY)
        )
    assert [kind for kind, *_ in await told(db, now)] == [Kind.OVERDUE, Kind.ENDING]
    async with db.write() as session:
        await session.execute(
            update(Subscription).values(state=SubscriptionState.ENDED, ended_at=now, cancel_at=None)
        )
    assert await told(db, now) == []


async def test_a_dispute_names_its_deadline_the_first_one_on_top(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    for name, due in (("No answer", None), ("Late", now + 9 * DAY), ("Soon", now + 14 * HOUR)):
        payment = await pay(db, await add_lead(name), now - 70 * DAY)
        async with db.write() as session:
            session.add(
                Dispute(
                    key=name,
                    payment_id=payment,
                    amount=4900,
                    state=DisputeState.OPEN,
                    reason="fraudulent" if due else None,
                    opened_at=now - DAY,
                    due_by=due,
                )
            )
    assert await told(db, now) == [
        (Kind.DISPUTED, "Soon", "49.00 USD, fraudulent: answer it at the provider by 2026-11-22"),
        (Kind.DISPUTED, "Late", "49.00 USD, fraudulent: answer it at the provider by 2026-12-01"),
        (Kind.DISPUTED, "No answer", "49.00 USD: it cannot be answered"),
    ]
    order = await today.order(db, due_by=now)
    async with db.read() as session:
        lines = await today.lines(
            session, list(order[Kind.DISPUTED])[:1], zone=ZoneInfo("Asia/Tokyo")
        )
    assert lines[0].what.endswith("by 2026-11-23")
    await deal_with(db, Kind.DISPUTED, lines[0].record, now)
    async with db.write() as session:
        await session.execute(
            update(Dispute)
            .where(Dispute.key == "Late")
            .values(state=DisputeState.WON, closed_at=now)
        )
    assert [name for _, name, _ in await told(db, now)] == ["No answer"]


async def test_what_is_dealt_with_for_one_lead_is_not_for_another_or_for_another_thing(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    one, other = await add_lead("One"), await add_lead("Other")
    first = await pay(db, one, now - HOUR)
    await pay(db, other, now - 2 * HOUR)
    await pay(db, one, now, state=FAILED)
    await deal_with(db, Kind.PAID, first, now)
    assert [(kind, name) for kind, name, _ in await told(db, now)] == [
        (Kind.NOT_PAID, "One"),
        (Kind.PAID, "Other"),
    ]
