"""What a payment provider tells is polled, told of whom it names, and waits where it names nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, StreamGap, SyncCursor, WorkerLog
from crm_tui.db.types import Base
from crm_tui.providers.base import ProviderError, Unavailable
from crm_tui.providers.events import RawEvent
from crm_tui.providers.money import MoneyEvent, MoneyKind
from crm_tui.services import erase, merge, undo
from crm_tui.vocabulary import ContactStatus, SubscriptionState, UnmatchedState
from tests.conftest import AddLead
from tests.money.scripted import Till, of, poll, poller, raws, record, waiting
from tests.money.telling import (
    at,
    payment,
    refund,
    rows_of,
    subscription,
    the_payment,
    told_of,
)


async def key_of(db: Database, lead: int) -> str:
    async with db.read() as session:
        return (await session.get_one(Business, lead)).key


async def test_a_payment_that_names_its_lead_is_told_of_it(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = of(payment("evt_1"), "cus_1", reference=await key_of(db, lead))
    polled = await poll(db, paid, now=now)
    assert (polled.polled, polled.applied.events, polled.problem) == (1, 1, "")
    assert await told_of(db, lead) == ["paid 49.00 USD"]
    (kept,) = await raws(db)
    assert (kept.source, kept.business_id, kept.problem) == ("stripe:test", lead, None)


async def test_a_renewal_finds_its_lead_by_the_customer_it_names(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    first = of(payment("evt_1"), "cus_1", reference=await key_of(db, lead))
    renewal = of(payment("evt_2", at(days=30), renewal=True), "cus_1")
    await poll(db, first, now=now)
    await poll(db, first, renewal, now=now)
    assert await told_of(db, lead) == ["paid 49.00 USD", "renewal: paid 49.00 USD"]
    assert await waiting(db) == []


async def test_what_was_told_before_the_lead_was_named_finds_it_later(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    by_intent = of(payment("evt_1", payment_intent="pi_1"))
    by_charge = of(payment("evt_2", payment_intent="pi_1", charge="ch_1"), "cus_1")
    other = of(subscription("evt_3", at()), "cus_1")
    await poll(db, by_intent, by_charge, other, now=now)
    (item,) = await waiting(db)
    assert (item.title, item.reason) == ("49.00 USD from somebody", "it names no lead")
    session_done = MoneyEvent(name="evt_4", kind=MoneyKind.NOTED, occurred_at=at(), live=False)
    named = of(session_done, "cs_1", "cus_1", reference=await key_of(db, lead))
    polled = await poll(db, named, now=now)
    assert polled.applied.unmatched == 0
    assert await told_of(db, lead) == [
        "paid 49.00 USD",
        "subscription started: 49.00 USD a month",
    ]
    assert await waiting(db) == []
    (done,) = await waiting(db, "linked")
    assert done.business_id == lead
    assert {each.business_id for each in await raws(db)} == {lead}
    assert (await the_payment(db)).charge_id == "ch_1"


async def test_the_key_of_a_lead_that_was_merged_leads_to_the_one_it_went_into(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    kept, gone = await add_lead("Woodhaven"), await add_lead("Woodhaven Plumbing")
    key = await key_of(db, gone)
    async with undo.action(db, "merged", now=now) as session:
        await merge.merge(session, kept, [gone], score=Settings().score, now=now)
    await poll(db, of(payment("evt_1"), reference=key), now=now)
    assert await told_of(db, kept) == ["paid 49.00 USD"]


async def test_a_reference_nobody_has_waits_with_the_lead_its_address_suggests(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven", email="jane@woodhaven.example")
    paid = replace(
        payment("evt_1"), payer=replace(payment("evt_1").payer, reference="no-such-lead")
    )
    polled = await poll(db, paid, now=now)
    assert polled.applied.unmatched == 1
    (item,) = await waiting(db)
    assert (item.title, item.reason) == (
        "49.00 USD from Jane Doe",
        "what it names is no lead of this store",
    )
    assert await told_of(db, lead) == []
    async with db.read() as session:
        status = (await session.get_one(Business, lead)).contact_status
    assert status is ContactStatus.PENDING


async def test_five_records_of_one_payer_are_one_item_whichever_comes_first(
    db: Database, now: datetime
) -> None:
    paid = of(payment("evt_1", payment_intent="pi_1"), "cus_1", name="Jane Doe")
    five = [
        of(payment("evt_2", invoice="in_1"), "cus_1"),
        of(payment("evt_3", session="cs_1", payment_intent="pi_2")),
        refund("evt_4", 2000, at(days=1), of=paid),
        of(payment("evt_5", session="cs_1", invoice="in_1")),
        paid,
    ]
    await poll(db, *five, now=now)
    (item,) = await waiting(db)
    assert item.title == "98.00 USD in 2 payments from Jane Doe"
    assert [each.applied_at for each in await raws(db)] == [now] * 5


async def test_what_comes_of_a_payer_who_was_let_go_is_let_go(db: Database, now: datetime) -> None:
    await poll(db, of(payment("evt_1"), "cus_9"), now=now)
    (item,) = await waiting(db)
    async with db.write() as session:
        row = await session.get_one(type(item), item.id)
        row.state, row.resolved_at = UnmatchedState.DISMISSED, now
    polled = await poll(db, of(payment("evt_2", at(days=30)), "cus_9"), now=now)
    assert polled.applied.unmatched == 0
    assert await waiting(db) == []
    (gone,) = await waiting(db, "dismissed")
    assert len(gone.payload["events"]) == 2


async def test_money_of_the_other_mode_is_kept_and_said_and_moves_nothing(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    real = replace(of(payment("evt_1"), reference=await key_of(db, lead)), live=True)
    polled = await poll(db, real, now=now)
    assert polled.applied.unread == 1
    assert await told_of(db, lead) == []
    (kept,) = await raws(db)
    assert kept.problem == "it is real money, and the settings say test"
    play = replace(real, live=False)
    till = Till(account="live", records=[record(play)])
    await poll(db, now=now, till=till)
    assert (await raws(db))[1].problem == "it is play money, and the settings say live"
    assert await told_of(db, lead) == []


async def test_strange_records_are_kept_and_said_and_stop_nothing(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    fine = of(payment("evt_9"), reference=await key_of(db, lead))
    unknown = MoneyEvent(
        name="evt_3",
        kind=MoneyKind.UNKNOWN,
        occurred_at=at(),
        live=False,
        reason="treasury.moon_landing",
    )
    alone = replace(refund("evt_4", 100, at(), of=fine), payment=None, name="evt_4")
    till = Till(
        records=[
            RawEvent("evt_1", {"nothing": True}),
            RawEvent("evt_2", {"event": {"name": 7}}),
            record(unknown),
            record(replace(alone, payer=replace(alone.payer, ids=("re_none",)))),
            record(
                replace(fine, name="evt_5", occurred_at=datetime(9999, 1, 1, tzinfo=at().tzinfo))
            ),
            record(fine),
        ]
    )
    polled = await poll(db, now=now, till=till)
    assert (polled.problem, polled.applied.unread, polled.applied.unmatched) == ("", 4, 1)
    assert await told_of(db, lead) == ["paid 49.00 USD"]
    async with db.read() as session:
        said = list(await session.scalars(select(WorkerLog.words).order_by(WorkerLog.id)))
    assert len(said) == 4
    assert any("an unknown kind of event: treasury.moon_landing" in each for each in said)
    (item,) = await waiting(db)
    assert item.reason == "the payment it is of was not told yet"
    assert all(each.applied_at == now for each in await raws(db))


async def test_a_cut_between_a_page_and_what_it_says_loses_and_doubles_nothing(
    db: Database, add_lead: AddLead, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = await add_lead("Woodhaven")
    key = await key_of(db, lead)
    events = [of(payment(f"evt_{n}", at(n)), reference=key) for n in range(4)]
    till = Till(records=[record(each) for each in events], size=2)

    class Cut(BaseException):
        """As if the machine had gone off."""

    async def cut(*_given: object, **_named: object) -> None:
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr("crm_tui.services.money.applying.tell", cut)
        with pytest.raises(Cut):
            await poll(db, now=now, till=till)
    assert [each.applied_at for each in await raws(db)] == [None, None]
    polled = await poll(db, now=now, till=till)
    assert (polled.polled, polled.applied.events) == (2, 4)
    assert await told_of(db, lead) == ["paid 49.00 USD"] * 4
    again = await poll(db, now=now, till=replace(till, records=till.records))
    assert (again.polled, again.applied.events) == (0, 0)


async def test_a_poll_that_finds_nothing_writes_only_that_it_was_made(
    db: Database, now: datetime
) -> None:
    till = Till()
    await poll(db, now=now, till=till)
    async with db.read() as session:
        cursor = (await session.scalars(select(SyncCursor))).one()
    assert (cursor.provider, cursor.account, cursor.last_ok_at) == ("stripe", "test", now)
    before, later = await _all_but_cursors(db), now + timedelta(minutes=1)
    await poll(db, now=later, till=till)
    assert await _all_but_cursors(db) == before
    async with db.read() as session:
        assert await session.scalar(select(SyncCursor.last_ok_at)) == later


async def _all_but_cursors(db: Database) -> dict[str, list[Any]]:
    """All that the store holds but where polling stands."""
    async with db.read() as session:
        return {
            table.name: sorted(map(tuple, (await session.execute(select(table))).all()), key=str)
            for table in Base.metadata.sorted_tables
            if table.name != SyncCursor.__tablename__
        }


async def test_what_a_provider_no_longer_tells_is_found_out_by_listing(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    listed = of(
        subscription("sub_1:active", at(), SubscriptionState.ACTIVE),
        reference=await key_of(db, lead),
    )
    till = Till(
        gap=(now - timedelta(days=90), now - timedelta(days=60)), reconciled=[record(listed)]
    )
    await poll(db, now=now, till=till)
    assert await told_of(db, lead) == ["subscription started: 49.00 USD a month"]
    async with db.read() as session:
        gap = (await session.scalars(select(StreamGap))).one()
    assert (gap.filled, gap.filled_at) == (1, now)


async def test_a_provider_that_is_down_is_left_alone_for_a_while(
    db: Database, now: datetime
) -> None:
    def down(_at: int) -> ProviderError | None:
        return Unavailable("Stripe is down.")

    polled = await poll(db, now=now, till=Till(trouble=down))
    assert polled.problem == "Stripe is down."
    till = Till()
    await poller(db, till, now).poll()
    assert till.asked == []


async def test_what_comes_of_somebody_erased_brings_nothing_back(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven", email="jane@woodhaven.example")
    key = await key_of(db, lead)
    jane = replace(payment("evt_1").payer, reference=key)
    await poll(db, replace(payment("evt_1"), payer=jane), now=now)
    await erase.erase(db, lead, settings=Settings(), now=now)
    renewal = payment("evt_2", at(days=30), renewal=True)
    await poll(db, renewal, replace(renewal, name="evt_3"), now=now)
    (item,) = await waiting(db)
    assert (item.title, item.reason) == (
        "49.00 USD from somebody",
        "it may be of somebody who was erased",
    )
    assert "Jane" not in str(item.payload)
    assert await raws(db) == []
    assert len((await rows_of(db))["payment"]) == 1


async def test_what_waited_before_it_was_known_to_be_of_somebody_erased_forgets_who_paid(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven", email="jane@woodhaven.example")
    key = await key_of(db, lead)
    await poll(db, of(payment("evt_1"), "cus_1", reference=key), now=now)
    await erase.erase(db, lead, settings=Settings(), now=now)
    await poll(db, of(payment("evt_2", at(days=30)), "cus_1", name="Jane Doe"), now=now)
    await poll(db, of(payment("evt_3", at(days=60)), "cus_1", reference=key), now=now)
    (item,) = await waiting(db)
    assert item.title == "98.00 USD in 2 payments from somebody"
    assert "Jane" not in str(item.payload)
    assert await raws(db) == []
