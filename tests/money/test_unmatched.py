"""A payment that names nobody is linked by the operator, made a lead of, or let go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Customer, MoneyRef, Payment
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import undo
from crm_tui.services.inbox import matching
from crm_tui.vocabulary import ContactStatus, Outcome
from tests.conftest import AddLead, Cli
from tests.money.scripted import of, poll, raws, waiting
from tests.money.telling import at, payment, refund, rows_of, subscription, told_of

JANE = {"name": "Jane Doe", "email": "Jane@Woodhaven.example"}
PAID = of(payment("evt_1", payment_intent="pi_1"), "cus_1", **JANE)
BACK = refund("evt_2", 2000, at(days=1), of=PAID)
RUN = of(subscription("evt_3", at()), "cus_1")


async def _link(db: Database, lead: int, *, now: datetime) -> int | None:
    (item,) = await waiting(db)
    entry = undo.Entry()
    async with undo.action(db, "linked", now=now, entry=entry) as session:
        await matching.link(session, item.id, lead, settings=Settings(), now=now)
    return entry.id


async def test_the_inbox_shows_a_payment_with_the_lead_whose_address_it_came_from(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven", email="jane@woodhaven.example")
    await poll(db, BACK, PAID, RUN, now=now)
    async with db.read() as session:
        (item,) = await matching.items(session)
    told = matching.document(item)
    assert (told["kind"], told["title"]) == ("payment", "49.00 USD from Jane Doe")
    assert (told["reason"], told["from"]) == ("it names no lead", "jane@woodhaven.example")
    assert told["suggestions"] == [
        {"id": lead, "name": "Woodhaven", "why": "has jane@woodhaven.example"}
    ]
    assert item.text.splitlines() == [
        "3 Nov: paid 49.00 USD",
        "3 Nov: subscription, active, 49.00 USD a month",
        "4 Nov: refunded 20.00 of 49.00 USD",
    ]


async def test_linking_tells_all_of_it_and_what_comes_later_finds_its_way(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    await poll(db, BACK, PAID, RUN, now=now)
    await _link(db, lead, now=now)
    assert await told_of(db, lead) == [
        "paid 49.00 USD",
        "subscription started: 49.00 USD a month",
        "refunded 20.00 of 49.00 USD",
    ]
    assert {each.business_id for each in await raws(db)} == {lead}
    later = of(payment("evt_4", at(days=30), renewal=True), "cus_1")
    polled = await poll(db, later, now=now)
    assert polled.applied.unmatched == 0
    assert (await told_of(db, lead))[-1] == "renewal: paid 49.00 USD"


async def test_linking_to_the_wrong_lead_is_undone_and_linked_to_the_right_one(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    wrong, right = await add_lead("Wrong"), await add_lead("Right")
    await poll(db, BACK, PAID, RUN, now=now)
    entry = await _link(db, wrong, now=now)
    assert entry is not None
    undone = await undo.undo(db, settings=Settings(), now=now)
    assert undone.left == []
    async with db.read() as session:
        lead = await session.get_one(Business, wrong)
        assert (lead.contact_status, lead.outcome) == (ContactStatus.PENDING, Outcome.OPEN)
        for model in (Payment, Customer, MoneyRef):
            assert (await session.scalars(select(model))).all() == []
    assert await told_of(db, wrong) == []
    await _link(db, right, now=now)
    assert len(await told_of(db, right)) == 3
    async with db.read() as session:
        lead = await session.get_one(Business, right)
    assert (lead.contact_status, lead.outcome) == (ContactStatus.PURCHASED, Outcome.WON)


async def test_linking_that_was_undone_is_done_again(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    await poll(db, BACK, PAID, RUN, now=now)
    await _link(db, lead, now=now)
    before = await rows_of(db), await told_of(db, lead)
    await undo.undo(db, settings=Settings(), now=now)
    await undo.redo(db, settings=Settings(), now=now)
    assert (await rows_of(db), await told_of(db, lead)) == before
    assert await waiting(db) == []


async def test_a_lead_is_made_of_who_paid(db: Database, now: datetime) -> None:
    await poll(db, PAID, now=now)
    (item,) = await waiting(db)
    async with undo.action(db, "made", now=now) as session:
        made = await matching.create(session, item.id, "Woodhaven", settings=Settings(), now=now)
    async with db.read() as session:
        lead = await session.get_one(Business, made)
    assert (lead.email, lead.contact_status) == (
        "jane@woodhaven.example",
        ContactStatus.PURCHASED,
    )
    assert await told_of(db, made) == ["paid 49.00 USD"]


async def test_what_is_let_go_waits_no_more_and_can_be_brought_back(
    db: Database, now: datetime
) -> None:
    await poll(db, PAID, now=now)
    (item,) = await waiting(db)
    async with undo.action(db, "let go", now=now) as session:
        assert await matching.dismiss(session, item.id, now=now) == "49.00 USD from Jane Doe"
    async with db.read() as session:
        assert await matching.items(session) == []
        with pytest.raises(NotFound):
            await matching.item(session, item.id)
    await undo.undo(db, settings=Settings(), now=now)
    assert len(await waiting(db)) == 1


async def test_the_command_line_lists_links_and_lets_go(
    db: Database, add_lead: AddLead, cli: Cli, now: datetime
) -> None:
    lead = await add_lead("Woodhaven", email="jane@woodhaven.example")
    other = of(payment("evt_9", amount=1250, currency="JPY"), "cus_9", name="Bo")
    await poll(db, PAID, other, now=now)
    listed = await asyncio.to_thread(cli, "inbox", "list", "--json")
    first, second = listed.json["items"]
    assert (first["kind"], first["title"]) == ("payment", "49.00 USD from Jane Doe")
    assert first["suggestions"][0]["id"] == lead
    assert (second["title"], second["suggestions"]) == ("1,250 JPY from Bo", [])
    linked = await asyncio.to_thread(cli, "inbox", "link", str(first["id"]), str(lead))
    assert linked.code == 0
    gone = await asyncio.to_thread(cli, "inbox", "dismiss", str(second["id"]))
    assert (gone.code, gone.err.strip()) == (0, "Let go: 1,250 JPY from Bo.")
    assert await waiting(db) == []
    assert await told_of(db, lead) == ["paid 49.00 USD"]


async def test_a_refund_that_cannot_say_what_was_paid_waits_for_its_payment_and_costs_no_other(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = of(payment("evt_2", at(), payment_intent="pi_2"), "cus_1", "pi_2")
    bare = replace(refund("evt_3", 2000, at(days=1), of=paid), payment=None)
    await poll(db, bare, now=now)
    (item,) = await waiting(db)
    with pytest.raises(BadInput, match="has not told of the payment"):
        await _link(db, lead, now=now)
    key = await _key_of(db, lead)
    named = of(payment("evt_1", at(days=-9), payment_intent="pi_1"), "cus_1", reference=key)
    assert (await poll(db, named, now=now)).applied.unread == 0
    assert await told_of(db, lead) == ["paid 49.00 USD"]
    assert [each.id for each in await waiting(db)] == [item.id]
    await poll(db, paid, now=now)
    assert "refunded 20.00 of 49.00 USD" in await told_of(db, lead)
    assert await waiting(db) == []


async def test_a_refund_told_before_the_payment_of_a_lead_that_is_known_is_not_lost(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    first = of(payment("evt_1", payment_intent="pi_1"), "cus_1", reference=await _key_of(db, lead))
    await poll(db, first, now=now)
    paid = of(payment("evt_2", at(days=30), payment_intent="pi_2"), "cus_1", "pi_2")
    bare = replace(refund("evt_3", 2000, at(days=31), of=paid), payment=None)
    assert (await poll(db, bare, now=now)).applied.unread == 0
    await poll(db, paid, now=now)
    assert (await told_of(db, lead))[-1] == "refunded 20.00 of 49.00 USD"
    assert await waiting(db) == []


async def _key_of(db: Database, lead: int) -> str:
    async with db.read() as session:
        return (await session.get_one(Business, lead)).key
