"""The doctor finds money that cannot be as it stands, and mends it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Customer, Subscription
from crm_tui.services.doctor import examine
from crm_tui.services.money import by_hand, listing, plans
from crm_tui.vocabulary import Interval, Mode, SubscriptionState

if TYPE_CHECKING:
    from tests.conftest import AddLead

MODES = (Mode.MANUAL,)


async def test_subscriptions_follow_their_changes_again_and_who_paid_is_a_customer(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    async with db.write() as session:
        plan_id = await plans.add(session, "Basic", 4900, "USD", Interval.MONTH, now=now)
        plan = await plans.required(session, plan_id)
        await by_hand.pay(session, lead, 4900, "USD", plan=plan, now=now)
    sound = await examine(db.path, settings=settings, now=now)
    assert not {each.check for each in sound.findings} & {"subscriptions", "customers"}
    async with db.read() as session:
        before = await listing.of_lead(session, lead, modes=MODES)

    async with db.write() as session:
        await session.execute(
            update(Subscription).values(state=SubscriptionState.PAUSED, current_period_end=None)
        )
        await session.execute(delete(Customer))
    found = {
        each.check: each for each in (await examine(db.path, settings=settings, now=now)).findings
    }
    assert found["subscriptions"].detail == "not what their last change made them: 1"
    assert found["customers"].detail == f"leads that paid and are no customers: {lead}"

    mended = await examine(db.path, settings=settings, now=now, fix=True)
    assert mended.ok
    async with db.read() as session:
        after = await listing.of_lead(session, lead, modes=MODES)
    assert after.subscriptions == before.subscriptions
    assert after.customer is not None
    assert before.customer is not None
    assert after.customer.created_at == before.customer.created_at


async def test_a_subscription_of_which_nothing_is_told_is_named_and_left(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    async with db.write() as session:
        session.add(
            Subscription(
                key="x",
                business_id=lead,
                provider="stripe",
                mode=Mode.LIVE,
                state=SubscriptionState.ACTIVE,
                amount=1,
                currency="USD",
                interval=Interval.MONTH,
                started_at=now,
            )
        )
        await session.flush()
    report = await examine(db.path, settings=settings, now=now, fix=True)
    assert report.ok
    (found,) = [each for each in report.findings if each.check == "subscriptions"]
    assert "nothing is known of when they began: 1" in found.detail
