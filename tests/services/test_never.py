from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Event, Suppression, Task
from crm_tui.errors import BadInput
from crm_tui.services import leads, never, tasks, undo
from crm_tui.vocabulary import ContactState, EventKind, TaskState
from tests.conftest import AddLead

STOP = never.REASONS[0]


async def _never(db: Database, ids: Sequence[int], now: datetime, reason: str = STOP) -> list[int]:
    async with undo.action(db, "never contact again", now=now) as session:
        return await never.never(session, ids, reason, now=now)


async def _allow(db: Database, ids: Sequence[int], now: datetime) -> never.Allowed:
    async with undo.action(db, "allowed contact", now=now) as session:
        return await never.allow(session, ids, now=now)


async def _barred(db: Database) -> list[tuple[str, str]]:
    async with db.read() as session:
        rows = await session.execute(
            select(Suppression.kind, Suppression.value).order_by(Suppression.id)
        )
        return [(kind, "its key" if kind == "business" else value) for kind, value in rows]


async def _reason(db: Database, lead: int) -> str | None:
    async with db.read() as session:
        return await session.scalar(
            select(Business.do_not_contact_reason).where(Business.id == lead)
        )


async def test_never_bars_the_lead_and_what_reaches_it_and_says_so(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647", email="joe@plumbing.example")
    assert await _never(db, [lead], now, " asked us to  stop. ") == [lead]
    assert await _reason(db, lead) == "asked us to stop"
    assert await _barred(db) == [
        ("business", "its key"),
        ("email", "joe@plumbing.example"),
        ("phone", "+15188711647"),
    ]
    async with db.read() as session:
        said = await session.scalar(
            select(Event.summary).where(Event.kind == EventKind.DO_NOT_CONTACT)
        )
    assert said == "never contact again: asked us to stop"


async def test_never_closes_the_follow_ups(db: Database, add_lead: AddLead, now: datetime) -> None:
    lead, other = await add_lead("Joe"), await add_lead("Ada")
    async with db.write() as session:
        await tasks.add_many(session, [lead, other], "call", now + timedelta(days=1), now=now)
    await _never(db, [lead], now)
    async with db.read() as session:
        states = dict(iter(await session.execute(select(Task.business_id, Task.state))))
    assert states == {lead: TaskState.DONE, other: TaskState.OPEN}


async def test_a_lead_that_must_not_be_contacted_keeps_its_reason(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Joe")
    await _never(db, [lead], now, "closed down")
    assert await _never(db, [lead], now, "competitor") == []
    assert await _reason(db, lead) == "closed down"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 301])
async def test_what_is_no_reason_is_refused(
    db: Database, add_lead: AddLead, now: datetime, reason: str
) -> None:
    lead = await add_lead("Joe")
    with pytest.raises(BadInput):
        await _never(db, [lead], now, reason)


async def test_allowing_frees_what_was_barred_with_the_lead(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    await _never(db, [lead], now)
    assert await _allow(db, [lead], now) == never.Allowed([lead], [])
    assert await _reason(db, lead) is None
    assert await _barred(db) == []
    assert await _allow(db, [lead], now) == never.Allowed([], [])


async def test_what_another_barred_lead_has_and_what_was_barred_before_stays_barred(
    db: Database, settings: Settings, add_lead: AddLead, now: datetime
) -> None:
    joe = await add_lead("Joe", phone="518-871-1647", email="joe@plumbing.example")
    fields = {"name": "Ada", "email": "joe@plumbing.example"}
    async with db.write() as session:
        ada = await leads.add(session, fields, settings=settings, now=now, duplicate=True)
        session.add(
            Suppression(
                kind="phone", value="+15188711647", reason="on the state's list", created_at=now
            )
        )
    await _never(db, [joe, ada], now)
    await _allow(db, [joe], now)
    assert await _barred(db) == [
        ("phone", "+15188711647"),
        ("business", "its key"),
        ("email", "joe@plumbing.example"),
    ]


@pytest.mark.parametrize(
    "state", [ContactState.UNSUBSCRIBED, ContactState.COMPLAINED, ContactState.STOPPED]
)
async def test_what_they_said_themselves_is_not_ours_to_take_back(
    db: Database, add_lead: AddLead, now: datetime, state: ContactState
) -> None:
    lead = await add_lead("Joe", email="joe@plumbing.example")
    await _never(db, [lead], now)
    async with db.write() as session:
        await session.execute(update(ContactPoint).values(state=state))
    allowed = await _allow(db, [lead], now)
    assert allowed.changed == []
    assert str(allowed.kept[0]) == (
        f"Joe said so themselves (joe@plumbing.example: {state}); only they can take that back."
    )
    assert await _reason(db, lead) == STOP


async def test_undo_brings_contact_the_follow_ups_and_the_bars_back(
    db: Database, settings: Settings, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    async with db.write() as session:
        await tasks.add(session, lead, "call", now + timedelta(days=1), now=now)
    await _never(db, [lead], now)
    await undo.undo(db, settings=settings, now=now)
    assert await _reason(db, lead) is None
    assert await _barred(db) == []
    async with db.read() as session:
        assert await session.scalar(select(Task.state)) is TaskState.OPEN
    await undo.redo(db, settings=settings, now=now)
    assert await _reason(db, lead) == STOP
    assert len(await _barred(db)) == 2
