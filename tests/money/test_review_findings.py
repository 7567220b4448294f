"""What money comes to when actions, payments and refusals cross each other."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Customer, Payment, Site, Subscription
from crm_tui.providers.base import Unsendable
from crm_tui.services import undo
from crm_tui.services.merge import merge, split
from crm_tui.services.money import by_hand
from crm_tui.services.money.closing import close_stale
from crm_tui.services.money.many_links import make_many
from crm_tui.services.money.offered import offered
from crm_tui.services.money.telling import tell
from crm_tui.vocabulary import ContactStatus, Mode, Outcome, SiteStatus, WebsiteStatus
from tests.conftest import AddLead
from tests.money import making, telling
from tests.money.making import Till

DAY = timedelta(days=1)


async def _by_hand(db: Database, lead: int, now: datetime) -> None:
    async with undo.action(db, "recorded a payment", now=now) as session:
        await by_hand.pay(session, lead, 4900, "USD", now=now)


@pytest.mark.parametrize(
    "payer", [telling.JANE, replace(telling.JANE, name="", email="", address={}, country="")]
)
async def test_who_paid_by_a_link_too_stays_bought_when_the_payment_by_hand_is_undone(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime, payer: Any
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    await _by_hand(db, lead, now)
    await telling.tell_all(db, lead, [telling.payment("evt_1", payer=payer)], now=now)
    await undo.undo(db, settings=settings, now=now)
    async with db.read() as session:
        row = await session.get_one(Business, lead)
        assert len((await session.scalars(select(Payment))).all()) == 1
        assert row.contact_status is ContactStatus.PURCHASED
        assert row.outcome is Outcome.WON
        assert len((await session.scalars(select(Customer))).all()) == 1
    await undo.redo(db, settings=settings, now=now)
    async with db.read() as session:
        assert len((await session.scalars(select(Payment))).all()) == 2
        assert len((await session.scalars(select(Customer))).all()) == 1
    await undo.undo(db, settings=settings, now=now)
    async with db.read() as session:
        row = await session.get_one(Business, lead)
        assert (row.contact_status, row.outcome) == (ContactStatus.PURCHASED, Outcome.WON)


async def test_what_the_operator_said_since_stays_when_a_payment_by_hand_is_undone(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    await _by_hand(db, lead, now)
    await telling.tell_all(db, lead, [telling.payment("evt_1")], now=now)
    async with db.write() as session:
        row = await session.get_one(Business, lead)
        row.outcome, row.outcome_reason = Outcome.LOST, "closed for good"
    undone = await undo.undo(db, settings=settings, now=now)
    async with db.read() as session:
        row = await session.get_one(Business, lead)
    assert (row.contact_status, row.outcome) == (ContactStatus.PURCHASED, Outcome.LOST)
    assert [each.business_id for each in undone.left] == [lead]


async def test_a_site_that_another_payment_bought_too_stays_sold(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    async with db.write() as session:
        session.add(
            Site(
                business_id=lead,
                slug="woodhaven",
                theme="plain",
                status=SiteStatus.PUBLISHED,
                content_hash="0",
                created_at=telling.T0,
                built_at=telling.T0,
                html="<p>",
            )
        )
    await _by_hand(db, lead, now)
    await telling.tell_all(db, lead, [telling.payment("evt_1")], now=now)
    await undo.undo(db, settings=settings, now=now)
    async with db.read() as session:
        assert (await session.scalars(select(Site.status))).all() == [SiteStatus.SOLD]
        row = await session.get_one(Business, lead)
    assert row.website_status is WebsiteStatus.SOLD


async def test_what_cannot_be_taken_back_keeps_its_lines(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    first = telling.payment("evt_1", subscription="sub_1")
    async with undo.action(db, "linked", now=now) as session:
        for each in (telling.subscription("evt_0", telling.at()), first):
            await tell(
                session, lead, each, provider="stripe", mode=Mode.TEST, source="stripe", now=now
            )
    later = telling.payment("evt_2", telling.at(days=30), subscription="sub_1", renewal=True)
    await telling.tell_all(db, lead, [later], now=now)
    undone = await undo.undo(db, settings=settings, now=now)
    async with db.read() as session:
        rows = (await session.scalars(select(Payment))).all()
        runs = (await session.scalars(select(Subscription))).all()
    told = await telling.told_of(db, lead)
    assert (len(rows), len(runs), told) == (
        2,
        1,
        ["paid 49.00 USD", "subscription started: 49.00 USD a month", "renewal: paid 49.00 USD"],
    ), undone


async def test_a_link_the_provider_does_not_know_holds_up_no_other(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till = Till()
    plan = await making.add_plan(db, now)
    for name in ("Ace", "Best"):
        lead = await add_lead(name)
        await making.make(db, lead, plan, now, till)
        await making.pay(db, lead, now + DAY)
    till.breaks["close"] = Unsendable("No such payment link")

    @asynccontextmanager
    async def opened() -> Any:
        yield till

    closed = await close_stale(db, payments=opened, mode=Mode.TEST, clock=lambda: now)
    assert till.closed == ["plink_2"]
    assert closed.count == 2
    assert "No such payment link" in closed.problem
    again = await close_stale(db, payments=opened, mode=Mode.TEST, clock=lambda: now)
    assert (again.count, again.problem) == (0, "")


async def test_play_money_pays_for_no_real_link(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    till = Till()
    plan = await making.add_plan(db, now)
    lead = await add_lead("Ace")
    await making.pay(db, lead, now, mode=Mode.TEST)
    report = await make_many(
        db, [lead], plan, payments=till, mode=Mode.LIVE, clock=lambda: now, apart=0
    )
    assert (report.made, report.bought) == (1, 0)
    async with db.read() as session:
        assert list(await offered(session, [lead])) == [lead]


@pytest.mark.parametrize("back", ["split", "undo"])
async def test_who_paid_after_a_merge_is_a_customer_without_the_lead_that_went_into_it(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime, back: str
) -> None:
    kept, other = await add_lead("Woodhaven Plumbing"), await add_lead("Woodhaven Heating")
    await telling.tell_all(db, other, [telling.payment("evt_1")], now=now)
    async with undo.action(db, "merged", now=now) as session:
        await merge(session, kept, [other], score=settings.score, now=now)
    await telling.tell_all(db, kept, [telling.payment("evt_2", telling.at(days=1))], now=now)
    if back == "split":
        await split(db, other, settings=settings, now=now)
    else:
        await undo.undo(db, settings=settings, now=now)
    async with db.read() as session:
        owners = (await session.scalars(select(Payment.business_id).order_by(Payment.id))).all()
        customers = await session.scalars(
            select(Customer.business_id).order_by(Customer.business_id)
        )
        leads = await session.execute(
            select(Business.contact_status, Business.outcome).order_by(Business.id)
        )
        assert owners == [other, kept]
        assert customers.all() == [kept, other]
        assert [tuple(each) for each in leads] == [(ContactStatus.PURCHASED, Outcome.WON)] * 2
