from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from sqlalchemy import insert, update
from sqlalchemy.dialects import sqlite

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Site, Unmatched
from crm_tui.errors import NotFound
from crm_tui.services import (
    events,
    leads,
    outcomes,
    setting_aside,
    tasks,
    timeline,
    today,
    undo,
)
from crm_tui.services.events import NewEvent
from crm_tui.services.publishing import leftovers
from crm_tui.services.today import Kind
from crm_tui.services.today_answers import in_a_line
from crm_tui.services.when import end_of_day
from crm_tui.vocabulary import (
    CallOutcome,
    ContactState,
    ContactStatus,
    EventKind,
    Outcome,
    UnmatchedKind,
    WebsiteStatus,
)

if TYPE_CHECKING:
    from tests.conftest import AddLead

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Told(NamedTuple):
    kind: Kind
    name: str
    what: str
    at: datetime | None


async def told(db: Database, now: datetime) -> list[Told]:
    """The lines of today, in order."""
    order = await today.order(db, due_by=end_of_day(now, zone=UTC))
    ids = [each for group in order.values() for each in group]
    async with db.read() as session:
        by_id = {line.id: line for line in await today.lines(session, ids)}
    assert set(by_id) == set(ids)
    return [Told(line.kind, line.name, line.what, line.at) for line in map(by_id.__getitem__, ids)]


async def call(
    db: Database, lead: int, outcome: CallOutcome, now: datetime, note: str = ""
) -> None:
    async with db.write() as session:
        await timeline.log_call(session, lead, outcome, note=note, now=now)


async def test_an_empty_store_asks_for_nothing(db: Database, now: datetime) -> None:
    assert await told(db, now) == []


async def test_follow_ups_are_there_until_they_are_done_or_put_off(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    async with db.write() as session:
        tonight = await tasks.add(session, lead, "tonight", now + 10 * HOUR, now=now)
        overdue = await tasks.add(session, lead, "overdue", now - 2 * DAY, now=now)
        await tasks.add(session, lead, "tomorrow", now + DAY, now=now)
    assert await told(db, now) == [
        (Kind.FOLLOW_UP, "Woodhaven", "overdue", now - 2 * DAY),
        (Kind.FOLLOW_UP, "Woodhaven", "tonight", now + 10 * HOUR),
    ]
    async with db.write() as session:
        await tasks.done(session, [overdue], now=now)
        await tasks.snooze(session, [tonight], now + DAY + HOUR, now=now)
    assert await told(db, now) == []
    async with db.read() as session:
        assert await today.next_due(session, after=now) == now + DAY


async def test_an_answer_waits_until_it_is_sorted(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    await call(db, await add_lead("Nobody there"), CallOutcome.NO_ANSWER, now)
    await call(db, await add_lead("Said no"), CallOutcome.NO, now)
    await call(db, lead, CallOutcome.TALKED, now, "wants to see it")
    await call(db, lead, CallOutcome.NO_ANSWER, now + HOUR)
    assert await told(db, now) == [(Kind.ANSWER, "Woodhaven", "wants to see it", now)]
    async with undo.action(db, "sorted", now=now) as session:
        await outcomes.set_outcome(
            session, [lead], Outcome.INTERESTED, reason="is interested", now=now + 2 * HOUR
        )
    assert await told(db, now) == []
    async with db.read() as session:
        (entry, *_) = await timeline.entries(session, lead)
        page = await leads.page(session, lead, settings=Settings(), now=now)
    assert (entry.kind, entry.summary) == (
        EventKind.OUTCOME_SET,
        "outcome set to interested: is interested",
    )
    assert page.business["outcome"] is Outcome.INTERESTED
    assert page.business["outcome_reason"] == "is interested"
    await undo.undo(db, settings=Settings(), now=now)
    assert [line.kind for line in await told(db, now)] == [Kind.ANSWER]


@pytest.mark.parametrize("outcome", outcomes.ANSWERS)
async def test_an_answer_is_sorted_in_each_way(
    outcome: Outcome, db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    await call(db, lead, CallOutcome.TALKED, now)
    async with db.write() as session:
        assert await outcomes.set_outcome(session, [lead], outcome, now=now) == [lead]
        assert await outcomes.set_outcome(session, [lead], outcome, now=now) == []
    assert await told(db, now) == []


async def wrote(
    db: Database, lead: int, text: str, at: datetime, kind: EventKind = EventKind.REPLIED
) -> None:
    event = NewEvent(lead, kind, at, "answer", "mailbox", moves_to=ContactStatus.REPLIED, body=text)
    async with db.write() as session:
        await events.record(session, event, now=at)


@pytest.mark.parametrize(
    ("subject", "text", "words"),
    [
        ("Re: A site", "yes", "yes"),
        ("AW: A site", "ja", "ja"),
        ("RE[2]: A site", "yes", "yes"),
        ("Re: A site", "", "Re: A site"),
        ("Return my call: today", "Bo", "Return my call: today – Bo"),
        ("Are you there?", "Bo", "Are you there? – Bo"),
        (None, "yes", "yes"),
        (None, None, ""),
    ],
)
def test_a_subject_that_repeats_ours_does_not_stand_before_what_was_written(
    subject: str | None, text: str | None, words: str
) -> None:
    assert in_a_line(subject, text) == words


async def buys(db: Database, lead: int, status: ContactStatus = ContactStatus.PURCHASED) -> None:
    async with db.write() as session:
        await session.execute(
            update(Business)
            .where(Business.id == lead)
            .values(contact_status=status, outcome=Outcome.WON)
        )


async def test_what_a_customer_writes_waits_until_it_is_dealt_with(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    event = NewEvent(
        lead, EventKind.PURCHASED, now, "bought", "you", moves_to=ContactStatus.PURCHASED
    )
    async with db.write() as session:
        await events.record(session, event, now=now)
        await outcomes.set_outcome(session, [lead], Outcome.WON, now=now)
    assert await told(db, now) == []
    await wrote(db, lead, "can you add our hours?", now + HOUR)
    asked = (Kind.CUSTOMER, "Woodhaven", "can you add our hours?", now + HOUR)
    assert await told(db, now) == [asked]
    async with undo.action(db, "dealt with", now=now) as session:
        await setting_aside.answer(session, lead, now=now + 2 * HOUR)
    assert await told(db, now) == []
    await undo.undo(db, settings=settings, now=now)
    assert await told(db, now) == [asked]
    await undo.redo(db, settings=settings, now=now)
    assert await told(db, now) == []
    # It was written before, and comes only now.
    await wrote(db, lead, "hello?", now + HOUR / 2)
    assert [line.what for line in await told(db, now)] == ["can you add our hours?"]
    other = await add_lead("Other")
    async with db.write() as session:
        await outcomes.set_outcome(session, [other], Outcome.LOST, now=now)
    assert len(await told(db, now)) == 1
    with pytest.raises(NotFound):
        async with db.write() as session:
            await setting_aside.answer(session, 99, now=now)


async def test_an_answer_that_came_before_they_were_won_is_sorted_by_that(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    await wrote(db, lead, "I take it", now)
    assert [line.kind for line in await told(db, now)] == [Kind.ANSWER]
    async with db.write() as session:
        await outcomes.set_outcome(session, [lead], Outcome.WON, now=now)
    assert await told(db, now) == []
    await wrote(db, lead, "and a contact form", now + HOUR)
    assert [line.kind for line in await told(db, now)] == [Kind.CUSTOMER]


@pytest.mark.parametrize("status", [ContactStatus.PURCHASED, ContactStatus.REPLIED])
async def test_of_customers_only_what_they_wrote_waits(
    status: ContactStatus, db: Database, add_lead: AddLead, now: datetime
) -> None:
    called, left, stopped, gone = [await add_lead(name) for name in ("Ace", "Best", "Cut", "Dot")]
    await call(db, called, CallOutcome.TALKED, now)
    await wrote(db, left, "no more mails", now, EventKind.UNSUBSCRIBED)
    await wrote(db, stopped, "thanks", now)
    await wrote(db, gone, "thanks", now)
    for lead in (called, left, stopped, gone):
        await buys(db, lead, status)
    async with db.write() as session:
        stop = {"do_not_contact": True, "do_not_contact_reason": "asked"}
        await session.execute(update(Business).where(Business.id == stopped).values(stop))
        await session.execute(update(Business).where(Business.id == gone).values(archived_at=now))
    assert [(line.kind, line.name) for line in await told(db, now)] == [(Kind.CUSTOMER, "Best")]


async def site(db: Database, lead: int, slug: str, **state: str | None) -> None:
    row = {
        "business_id": lead,
        "slug": slug,
        "theme": "t",
        "content_hash": "new",
        "html": "<p>",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "built_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    async with db.write() as session:
        await session.execute(insert(Site).values(row | state))


async def test_pages_that_could_not_be_put_or_taken_down_are_there_until_they_are(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    one, two, three, four = [await add_lead(name) for name in ("Ace", "Best", "Cut", "Dot")]
    await site(db, one, "ace")
    await site(db, two, "best", publish_problem="no route to host")
    await site(
        db,
        three,
        "cut",
        publish_problem="disk full",
        published_url="https://x/",
        published_hash="o",
    )
    await site(db, four, "dot", publish_problem="cut off", published_hash="old")
    async with db.write() as session:
        await leftovers.note(session, {"gone-1", "gone-2"})
    assert await told(db, now) == [
        (Kind.NOT_PUBLISHED, "Best", "no route to host", None),
        (Kind.NOT_PUBLISHED, "Cut", "disk full", None),
        (Kind.STILL_PUBLIC, "Dot", "cut off", None),
        (
            Kind.STILL_PUBLIC,
            "Erased leads",
            "2 pages may still be public",
            None,
        ),
    ]
    async with db.write() as session:
        await session.execute(update(Site).values(publish_problem=None, published_hash=None))
    await leftovers.forget(db, {"gone-1", "gone-2"})
    assert await told(db, now) == []


async def set_state(
    db: Database, lead: int, value: str, state: ContactState, reason: str | None = None
) -> int:
    async with db.write() as session:
        point: int | None = await session.scalar(
            update(ContactPoint)
            .where(ContactPoint.business_id == lead, ContactPoint.value == value)
            .values(state=state, state_reason=reason)
            .returning(ContactPoint.id)
        )
    assert point is not None
    return point


async def test_an_address_that_fails_is_there_until_another_takes_its_place(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven", email="ann@woodhaven.example", phone="+1 718 555 0142")
    point = await set_state(db, lead, "ann@woodhaven.example", ContactState.BOUNCED, "no such box")
    await set_state(db, lead, "+17185550142", ContactState.SOFT_BOUNCED)
    assert await told(db, now) == [
        (Kind.BOUNCE, "Woodhaven", "ann@woodhaven.example: no such box", None)
    ]
    async with undo.action(db, "set aside", now=now) as session:
        value = await setting_aside.address(session, point, score=settings.score, now=now)
    assert value == "ann@woodhaven.example"
    assert await told(db, now) == []
    async with db.read() as session:
        page = await leads.page(session, lead, settings=settings, now=now)
    assert page.business["email"] is None
    (email, _) = page.points
    assert (email.value, email.state, email.state_reason) == (
        "ann@woodhaven.example",
        ContactState.INVALID,
        "no such box",
    )
    await undo.undo(db, settings=settings, now=now)
    assert len(await told(db, now)) == 1
    async with db.write() as session:
        await leads.edit(session, lead, {"email": "bo@b.example"}, settings=settings, now=now)
    assert await told(db, now) == []


async def test_an_address_of_a_lead_that_is_lost_is_nobodys_worry(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven", email="ann@woodhaven.example")
    await set_state(db, lead, "ann@woodhaven.example", ContactState.BOUNCED)
    await call(db, lead, CallOutcome.NO, now)
    assert await told(db, now) == []


async def fail(db: Database, lead: int, at: datetime) -> None:
    event = NewEvent(lead, EventKind.SITE_FAILED, at, "the site could not be built", "you")
    async with db.write() as session:
        await events.record(session, event, now=at)


async def test_a_failed_site_is_there_until_it_is_let_be(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    await fail(db, lead, now + HOUR)  # the clock was set back since
    assert await told(db, now) == [
        (Kind.FAILED, "Woodhaven", "the site could not be built", now + HOUR)
    ]
    async with undo.action(db, "let be", now=now) as session:
        await setting_aside.failed_site(session, lead, now=now)
    assert await told(db, now) == []
    async with db.read() as session:
        page = await leads.page(session, lead, settings=settings, now=now)
    assert page.business["website_status"] is WebsiteStatus.NONE
    with pytest.raises(NotFound):
        async with db.write() as session:
            await setting_aside.failed_site(session, lead, now=now)
    await undo.undo(db, settings=settings, now=now)
    assert len(await told(db, now)) == 1


async def test_a_record_without_a_lead_is_there_until_it_is_let_go(
    db: Database, settings: Settings, now: datetime
) -> None:
    async with db.write() as session:
        unmatched_id = (
            await session.execute(
                insert(Unmatched)
                .values(
                    key="old-1",
                    kind=UnmatchedKind.SITE,
                    title="Joe's Pizza",
                    reason="its lead is gone",
                    created_at=now,
                    payload={},
                )
                .returning(Unmatched.id)
            )
        ).scalar_one()
    assert await told(db, now) == [(Kind.UNMATCHED, "Joe's Pizza", "its lead is gone", now)]
    async with undo.action(db, "let go", now=now) as session:
        await setting_aside.unmatched(session, unmatched_id, now=now)
    assert await told(db, now) == []
    with pytest.raises(NotFound):
        async with db.write() as session:
            await setting_aside.unmatched(session, unmatched_id, now=now)
    await undo.undo(db, settings=settings, now=now)
    assert len(await told(db, now)) == 1


async def test_the_archive_asks_for_nothing(db: Database, add_lead: AddLead, now: datetime) -> None:
    lead = await add_lead("Woodhaven", email="ann@woodhaven.example")
    async with db.write() as session:
        await tasks.add(session, lead, "call", now, now=now)
    await call(db, lead, CallOutcome.TALKED, now)
    await fail(db, lead, now)
    await set_state(db, lead, "ann@woodhaven.example", ContactState.BOUNCED)
    assert [line.kind for line in await told(db, now)] == [0, 1, 2, 3]
    async with db.write() as session:
        await session.execute(update(Business).values(archived_at=now))
    assert await told(db, now) == []


@pytest.mark.parametrize(
    ("kind", "index"),
    [
        (Kind.FOLLOW_UP, "ix_task_due_at"),
        (Kind.ANSWER, "ix_business_unsorted"),
        (Kind.BOUNCE, "ix_contact_point_state"),
        (Kind.FAILED, "ix_business_website_status"),
        (Kind.UNMATCHED, "ix_unmatched_state"),
        (Kind.UNCERTAIN, "ix_message_open"),
        (Kind.CUSTOMER, "(contact_status=?"),
        (Kind.PAID, "ix_payment_paid_at"),
        (Kind.NOT_PAID, "ix_payment_failed"),
        (Kind.DISPUTED, "ix_dispute_open"),
    ],
)
def test_each_kind_is_found_by_an_index(
    kind: Kind, index: str, store_path: Path, now: datetime
) -> None:
    compiled = today._orders(now)[kind].compile(
        dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True}
    )
    in_order = tuple(str(compiled.params[name]) for name in compiled.positiontup or ())
    with closing(sqlite3.connect(store_path)) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {compiled}", in_order).fetchall()
    assert any(index in step[3] for step in steps), steps
