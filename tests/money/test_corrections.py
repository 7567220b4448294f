"""What a payment seemed to be and was not: it is put right, and what followed from it with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Customer, Event, Payment, Site
from crm_tui.services import statuses, timeline, undo
from crm_tui.services.doctor import examine
from crm_tui.services.money import by_hand, customers, listing
from crm_tui.services.outcomes import set_outcome
from crm_tui.vocabulary import (
    ContactStatus,
    EventKind,
    Mode,
    Outcome,
    PaymentState,
    SiteStatus,
    WebsiteStatus,
)
from tests.conftest import AddLead
from tests.money.telling import at, failed, payment, tell_all, the_payment

OPEN = (ContactStatus.PENDING, Outcome.OPEN, WebsiteStatus.PUBLISHED)
BOUGHT = (ContactStatus.PURCHASED, Outcome.WON, WebsiteStatus.SOLD)
BY_INVOICE = payment("evt_1", at(0), invoice="in_1")
BY_INTENT = payment("evt_2", at(1), payment_intent="pi_1")
BOTH = payment("evt_3", at(2), invoice="in_1", payment_intent="pi_1")


async def _add(db: Database, add_lead: AddLead, name: str) -> int:
    """A lead with a site that the public reads."""
    lead = await add_lead(name)
    async with db.write() as session:
        site = Site(
            business_id=lead,
            slug=name.lower(),
            theme="plain",
            status=SiteStatus.PUBLISHED,
            published_url=f"https://sites.example/{name.lower()}",
            published_hash="0",
            content_hash="0",
            created_at=at(-1),
            built_at=at(-1),
            html="<p>",
        )
        session.add(site)
        await statuses.refold(session, [lead])
    return lead


async def _is(db: Database, lead: int) -> tuple[Any, ...]:
    """What a lead is, as its statuses say."""
    async with db.read() as session:
        row = await session.get_one(Business, lead)
        return row.contact_status, row.outcome, row.website_status


async def _told(db: Database, lead: int) -> list[str]:
    """What the timeline of a lead says, the oldest first."""
    async with db.read() as session:
        return [each.summary for each in reversed(await timeline.entries(session, lead))]


async def test_why_a_payment_failed_is_told_until_it_comes(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    refused = failed("evt_1", at(), invoice="in_1", failure="card declined", attempts=1)
    paid = payment("evt_2", at(1), invoice="in_1")
    for told, why in ((refused, "card declined"), (paid, None)):
        await tell_all(db, lead, [told], now=now)
        async with db.read() as session:
            (row,) = await listing.payments(session, modes=[Mode.TEST])
        assert row.failure == why


@pytest.mark.parametrize("says", ["first", "second"])
@pytest.mark.parametrize("order", [(BY_INVOICE, BY_INTENT), (BY_INTENT, BY_INVOICE)])
async def test_a_payment_that_two_leads_had_is_one_and_the_other_lead_has_bought_nothing(
    db: Database,
    add_lead: AddLead,
    settings: Settings,
    now: datetime,
    order: tuple[Any, Any],
    says: str,
) -> None:
    first, second = await _add(db, add_lead, "First"), await _add(db, add_lead, "Second")
    await tell_all(db, first, [order[0]], now=now)
    await tell_all(db, second, [order[1]], now=now)
    assert [await _is(db, each) for each in (first, second)] == [BOUGHT, BOUGHT]

    await tell_all(db, first if says == "first" else second, [BOTH, BOTH], now=now)
    assert (await the_payment(db)).business_id == first
    assert [await _is(db, each) for each in (first, second)] == [BOUGHT, OPEN]
    assert (await _told(db, second))[-1] == (
        "outcome set back to open: what was paid turned out to be another lead's"
    )
    assert not {"won: they bought", "site sold: second", "paid 49.00 USD"} & {
        *await _told(db, second)
    }
    assert {"won: they bought", "site sold: first"} <= {*await _told(db, first)}
    async with db.read() as session:
        assert (await session.scalars(select(Customer.business_id))).all() == [first]
    found = {each.check for each in (await examine(db.path, settings=settings, now=now)).findings}
    assert found <= {"missing_files", "publishing", "published_pages"}  # there are only rows


@pytest.mark.parametrize("paid_by", ["first", "second"])
async def test_whoever_has_the_payment_in_the_end_has_bought(
    db: Database, add_lead: AddLead, now: datetime, paid_by: str
) -> None:
    first, second = await _add(db, add_lead, "First"), await _add(db, add_lead, "Second")
    pending = payment("evt_1", at(0), state=PaymentState.PENDING, invoice="in_1")
    order = (pending, BY_INTENT) if paid_by == "second" else (BY_INTENT, pending)
    await tell_all(db, first, [order[0]], now=now)
    await tell_all(db, second, [order[1]], now=now)
    await tell_all(db, second, [BOTH], now=now)
    assert [await _is(db, each) for each in (first, second)] == [BOUGHT, OPEN]
    assert (await _told(db, first)).count("won: they bought") == 1


async def test_a_lead_that_paid_otherwise_too_has_bought_all_the_same(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    first, second = await _add(db, add_lead, "First"), await _add(db, add_lead, "Second")
    await tell_all(db, first, [BY_INVOICE], now=now)
    await tell_all(db, second, [BY_INTENT, payment("evt_0", at(days=1))], now=now)
    await tell_all(db, first, [BOTH], now=now)
    assert [await _is(db, each) for each in (first, second)] == [BOUGHT, BOUGHT]
    assert "won: they bought" in await _told(db, second)
    async with db.read() as session:
        assert len((await session.scalars(select(Payment))).all()) == 2
        assert len((await session.scalars(select(Customer))).all()) == 2


async def test_a_lead_whose_payments_were_all_anothers_has_bought_nothing_whichever_goes_last(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    first, second = await _add(db, add_lead, "First"), await _add(db, add_lead, "Second")
    theirs = payment("evt_0", at(0), invoice="in_2")
    await tell_all(db, first, [BY_INVOICE, theirs], now=now)
    await tell_all(db, second, [BY_INTENT, payment("evt_4", at(2), session="cs_2")], now=now)
    await tell_all(db, first, [BOTH], now=now)
    assert await _is(db, second) == BOUGHT
    await tell_all(db, first, [payment("evt_5", at(3), invoice="in_2", session="cs_2")], now=now)
    assert await _is(db, second) == OPEN
    assert "won: they bought" not in await _told(db, second)


async def test_what_the_operator_said_and_wrote_since_stays_though_the_payment_is_anothers(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    first, second = await _add(db, add_lead, "First"), await _add(db, add_lead, "Second")
    await tell_all(db, first, [BY_INVOICE], now=now)
    await tell_all(db, second, [BY_INTENT], now=now)
    async with db.write() as session:
        await set_outcome(session, [second], Outcome.LOST, reason="closed", now=now)
        await customers.edit(session, second, {"tax_id": "DE1"}, now=now)
    await tell_all(db, first, [BOTH], now=now)
    async with db.read() as session:
        row = await session.get_one(Business, second)
        assert (row.outcome, row.outcome_reason) == (Outcome.LOST, "closed")
        assert (await customers.details(session, second))["tax_id"] == "DE1"
        set_back = select(Event.id).where(Event.kind == EventKind.OUTCOME_SET)
        theirs = set_back.where(Event.business_id == second, ~Event.is_voided)
        assert len((await session.scalars(theirs)).all()) == 1
    told = await _told(db, second)
    assert "what was paid turned out to be another lead's" in told
    assert "won: they bought" not in told


@pytest.mark.parametrize("site", [True, False])
async def test_what_was_bought_is_told_once_however_often_a_payment_is_undone_and_done_again(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime, site: bool
) -> None:
    lead = await (_add(db, add_lead, "First") if site else add_lead("First"))
    async with undo.action(db, "recorded a payment", now=now) as session:
        await by_hand.pay(session, lead, 4900, "USD", now=now)
    await tell_all(db, lead, [payment("evt_1")], now=now)
    there = ["won: they bought", *(["site sold: first"] if site else [])]

    async def bought() -> list[str]:
        assert (await _is(db, lead))[:2] == BOUGHT[:2]
        return [each for each in await _told(db, lead) if "bought" in each or "sold" in each]

    assert sorted(await bought()) == sorted(there)
    for _ in range(2):
        await undo.undo(db, settings=settings, now=now)
        assert sorted(await bought()) == sorted(there)
        await undo.redo(db, settings=settings, now=now)
        assert sorted(await bought()) == sorted(there)
    found = {each.check for each in (await examine(db.path, settings=settings, now=now)).findings}
    assert found <= {"missing_files", "publishing", "published_pages"}


@pytest.mark.parametrize(
    "turns", ["1 2 1 2", "1 2 2 1", "2 1 1 2", "2 1 2 1", "1 1 2 2", "2 2 1 1", "1 2 1 1 2 1"]
)
async def test_a_lead_has_bought_as_long_as_one_of_its_payments_stands(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime, turns: str
) -> None:
    """Each turn undoes the first or the second payment, or does it again where it is undone."""
    lead = await _add(db, add_lead, "First")
    numbers: dict[str, int] = {}
    for name in "12":
        async with undo.action(db, "recorded a payment", now=now) as session:
            await by_hand.pay(session, lead, 4900, "USD", now=now)
        async with db.read() as session:
            numbers[name] = (await undo.entries(session))[0].id
    gone: set[str] = set()
    for name in turns.split():
        turn = undo.redo if name in gone else undo.undo
        await turn(db, entry_id=numbers[name], settings=settings, now=now)
        gone ^= {name}
        bought = len(gone) < 2
        assert await _is(db, lead) == (BOUGHT if bought else OPEN)
        told = [each for each in await _told(db, lead) if "bought" in each or "sold" in each]
        assert sorted(told) == (["site sold: first", "won: they bought"] if bought else [])
        async with db.read() as session:
            found = await session.scalar(select(Customer.id).where(Customer.business_id == lead))
        assert (found is not None) == bought
