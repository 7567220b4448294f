"""The operator says that a person opened what was taken for a machine's doing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import events, timeline, undo
from crm_tui.services.events import NewEvent
from crm_tui.services.machine_marks import mark_human
from crm_tui.services.timeline import TimelineEntry
from crm_tui.vocabulary import ContactStatus, EventKind, MessageState
from tests.sending.queue import add_leads, add_single

SETTINGS = Settings()
APPLE = "Apple's mail privacy proxy"


async def opened(db: Database, now: datetime, *, kind: EventKind = EventKind.OPENED) -> int:
    """A mail to lead 1 that a machine opened an hour ago; the entry's number."""
    (lead,) = await add_leads(db, 1, now)
    at = now - timedelta(hours=1)
    mail = await add_single(
        db, lead, now, state=MessageState.SENT, sent_at=at, due_at=None, provider="mailgun"
    )
    moves_to = ContactStatus.OPENED if kind is EventKind.OPENED else ContactStatus.CLICKED
    data = {
        "machine": APPLE,
        "flag": APPLE,
        "url": "https://berg-sites.com/1",
        "agent": "Mozilla/5.0",
    }
    async with db.write() as session:
        await events.record(
            session,
            NewEvent(
                lead,
                kind,
                at,
                "opened: Your call",
                "mailgun",
                key="mailgun:berg:1",
                moves_to=moves_to,
                by_machine=True,
                data=data,
                message_id=mail,
            ),
            now=now,
        )
    return (await entries(db))[0].id


async def entries(db: Database) -> list[TimelineEntry]:
    async with db.read() as session:
        return await timeline.entries(session, 1)


async def standing(db: Database) -> tuple[ContactStatus, datetime | None, datetime | None]:
    """The lead's status, and when the mail was opened and clicked by a person."""
    async with db.read() as session:
        status = await session.scalar(select(Business.contact_status))
        row = (await session.execute(select(Message.opened_at, Message.clicked_at))).one()
        assert status is not None
        return status, row.opened_at, row.clicked_at


async def say(db: Database, entry: int, now: datetime) -> None:
    async with undo.action(db, "said that a person read it", now=now) as session:
        await mark_human(session, 1, entry, now=now)


async def test_the_timeline_says_why_it_is_thought_a_machines(db: Database, now: datetime) -> None:
    await opened(db, now)
    (entry,) = await entries(db)
    assert entry.machine
    assert entry.summary == f"by a machine ({APPLE}): opened: Your call"


@pytest.mark.parametrize("kind", [EventKind.OPENED, EventKind.CLICKED])
async def test_what_a_person_did_moves_the_status_from_when_it_happened(
    db: Database, now: datetime, kind: EventKind
) -> None:
    entry, at = await opened(db, now, kind=kind), now - timedelta(hours=1)
    assert await standing(db) == (ContactStatus.PENDING, None, None)
    await say(db, entry, now)
    if kind is EventKind.OPENED:
        assert await standing(db) == (ContactStatus.OPENED, at, None)
    else:
        assert await standing(db) == (ContactStatus.CLICKED, None, at)
    said, machine = await entries(db)
    assert (said.at, said.kind, said.machine, said.source) == (at, kind, False, "you")
    assert (said.summary, said.key) == ("opened: Your call", "human:mailgun:berg:1")
    assert said.body == f"You said that it was a person. It was taken for a machine: {APPLE}."
    assert machine.machine


async def test_undo_takes_it_back_redo_says_it_again_and_so_does_the_operator(
    db: Database, now: datetime
) -> None:
    entry, at = await opened(db, now), now - timedelta(hours=1)
    await say(db, entry, now)
    for _ in range(2):
        await undo.undo(db, settings=SETTINGS, now=now)
        assert await standing(db) == (ContactStatus.PENDING, None, None)
        assert [each.machine for each in await entries(db)] == [True]
        await undo.redo(db, settings=SETTINGS, now=now)
        assert await standing(db) == (ContactStatus.OPENED, at, None)
    await undo.undo(db, settings=SETTINGS, now=now)
    await say(db, entry, now)
    assert await standing(db) == (ContactStatus.OPENED, at, None)
    assert (await entries(db))[0].key == "human:2:mailgun:berg:1"


@pytest.mark.parametrize(("hours", "stands"), [(-2, True), (2, False)])
async def test_the_earlier_of_two_times_stands(
    db: Database, now: datetime, hours: int, *, stands: bool
) -> None:
    entry, at = await opened(db, now), now - timedelta(hours=1)
    known = at + timedelta(hours=hours)
    await open_too(db, known)
    await change(db, opened_at=known)
    await say(db, entry, now)
    assert (await standing(db))[1] == (known if stands else at)
    await undo.undo(db, settings=SETTINGS, now=now)
    assert (await standing(db))[1] == known


@pytest.mark.parametrize("kind", [EventKind.OPENED, EventKind.CLICKED])
async def test_what_was_told_after_it_was_said_counts_when_it_is_taken_back(
    db: Database, now: datetime, kind: EventKind
) -> None:
    entry, at = await opened(db, now, kind=kind), now - timedelta(hours=1)
    which = 1 if kind is EventKind.OPENED else 2
    await say(db, entry, now)
    later = at + timedelta(minutes=30)
    await open_too(db, later, kind=kind)
    assert (await standing(db))[which] == at
    await undo.undo(db, settings=SETTINGS, now=now)
    assert (await standing(db))[which] == later
    await undo.redo(db, settings=SETTINGS, now=now)
    assert (await standing(db))[which] == at


async def open_too(db: Database, at: datetime, *, kind: EventKind = EventKind.OPENED) -> None:
    """A person opened it, as the provider tells."""
    async with db.write() as session:
        (message,) = await session.scalars(select(Message))
        event = NewEvent(
            1,
            kind,
            at,
            "opened: Your call",
            "mailgun",
            key="mailgun:berg:2",
            moves_to=ContactStatus.OPENED,
            data={"agent": "Mozilla/5.0 (X11)"},
            message_id=message.id,
        )
        await events.record(session, event, now=at)


async def change(db: Database, **values: Any) -> None:
    async with db.write() as session:
        message = await session.scalar(select(Message))
        assert message is not None
        for name, value in values.items():
            setattr(message, name, value)


async def test_it_is_said_once_and_only_of_what_a_machine_did(db: Database, now: datetime) -> None:
    entry = await opened(db, now)
    await say(db, entry, now)
    said = (await entries(db))[0].id
    for asked, words in ((entry, "already: you said so"), (said, "no open or click by a machine")):
        with pytest.raises(BadInput, match=words):
            await say(db, asked, now)
    with pytest.raises(NotFound, match="no entry 99 on the timeline of lead 1"):
        await say(db, 99, now)
    async with db.write() as session:
        with pytest.raises(NotFound, match="lead 2"):
            await mark_human(session, 2, entry, now=now)
