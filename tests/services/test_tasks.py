from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import leads, tasks, timeline
from crm_tui.vocabulary import EventKind, TaskState

if TYPE_CHECKING:
    from tests.conftest import AddLead

DAY = timedelta(days=1)


async def add(db: Database, lead: int, what: str, due: datetime, now: datetime) -> int:
    async with db.write() as session:
        return await tasks.add(session, lead, what, due, now=now, zone=UTC)


async def summaries(db: Database, lead: int) -> list[str]:
    async with db.read() as session:
        return [entry.summary for entry in await timeline.entries(session, lead)]


async def whats(db: Database, **asked: Any) -> list[str]:
    async with db.read() as session:
        return [task.what for task in await tasks.listed(session, **asked)]


async def test_a_follow_up_stands_in_the_list_and_on_the_timeline(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    task_id = await add(db, lead, "  call   back ", now + 8 * DAY, now)
    async with db.read() as session:
        (task,) = await tasks.listed(session)
        (entry, _) = await timeline.entries(session, lead)
    assert task == tasks.FollowUp(
        id=task_id,
        business_id=lead,
        business="Woodhaven Plumbing",
        what="call back",
        due_at=now + 8 * DAY,
        state=TaskState.OPEN,
        created_at=now,
        done_at=None,
    )
    assert entry.kind is EventKind.TASK_ADDED
    assert entry.summary == "follow-up Mon 30 Nov 9:30: call back"
    assert entry.data == {"task": task_id}


async def test_the_one_due_longest_comes_first(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    for what, days in (("later", 3), ("overdue", -2), ("now", 0)):
        await add(db, lead, what, now + days * DAY, now)
    assert await whats(db) == ["overdue", "now", "later"]
    assert await whats(db, due_by=now) == ["overdue", "now"]
    assert await whats(db, limit=1) == ["overdue"]
    async with db.read() as session:
        assert await tasks.count_due(session, due_by=now) == 2


async def test_what_is_done_leaves_the_list_and_stays_in_the_store(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    first, second, third = [await add(db, lead, what, now, now) for what in ("a", "b", "c")]
    async with db.write() as session:
        assert await tasks.done(session, [second, first], now=now) == [second, first]
    async with db.write() as session:
        assert await tasks.done(session, [third, first], now=now + DAY) == [third]
    assert await whats(db) == []
    assert await whats(db, with_done=True) == ["c", "a", "b"]
    assert await summaries(db, lead) == [
        "done: c",
        "done: a",
        "done: b",
        *(f"follow-up Sun 22 Nov 9:30: {what}" for what in "cba"),
        "captured by hand",
    ]


async def test_a_follow_up_that_is_put_off_moves(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    task_id = await add(db, lead, "call back", now, now)
    async with db.write() as session:
        assert await tasks.snooze(session, [task_id], now + DAY, now=now, zone=UTC) == [task_id]
        assert await tasks.snooze(session, [task_id], now + DAY, now=now, zone=UTC) == []
    assert await whats(db, due_by=now) == []
    assert (await summaries(db, lead))[0] == "follow-up moved to Mon 23 Nov 9:30: call back"
    async with db.read() as session:
        page = await leads.page(session, lead, settings=Settings(), now=now)
    assert page.business["last_activity"] == "follow-up Sun 22 Nov 9:30: call back"


async def test_a_follow_up_can_be_put_in_other_words(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    task_id = await add(db, lead, "call", now, now)
    async with db.write() as session:
        assert await tasks.edit(session, task_id, "call Ann", now, now=now)
        assert not await tasks.edit(session, task_id, "call Ann", now, now=now)
        assert await tasks.edit(session, task_id, "call Ann", now + DAY, now=now, zone=UTC)
    assert await whats(db) == ["call Ann"]
    assert (await summaries(db, lead))[0] == "follow-up moved to Mon 23 Nov 9:30: call Ann"


async def test_many_leads_get_the_same_follow_up(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    ids = [await add_lead(name) for name in ("One", "Two", "Three")]
    async with db.write() as session:
        task_ids = await tasks.add_many(session, ids[::-1], "call", now, now=now)
        assert await tasks.add_many(session, [], "call", now, now=now) == []
    async with db.read() as session:
        by_id = {task.id: task.business for task in await tasks.listed(session)}
    assert [by_id[task_id] for task_id in task_ids] == ["Three", "Two", "One"]


async def test_the_archive_has_no_follow_ups_but_its_leads_do(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    await add(db, lead, "call", now, now)
    async with db.write() as session:
        await session.execute(update(Business).where(Business.id == lead).values(archived_at=now))
    assert await whats(db) == []
    assert await whats(db, business_id=lead) == ["call"]


@pytest.mark.parametrize("what", ["", " \n ", "x" * 501])
async def test_a_follow_up_says_what_in_a_line(
    what: str, db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    with pytest.raises(BadInput):
        await add(db, lead, what, now, now)
    assert await whats(db) == []


async def test_what_does_not_exist_is_named(db: Database, add_lead: AddLead, now: datetime) -> None:
    with pytest.raises(NotFound, match="no lead 7"):
        await add(db, 7, "call", now, now)
    lead = await add_lead("Woodhaven Plumbing")
    task_id = await add(db, lead, "call", now, now)
    verbs: list[Callable[[WriteSession], Awaitable[object]]] = [
        lambda session: tasks.done(session, [task_id, 99], now=now),
        lambda session: tasks.snooze(session, [task_id, 99], now + DAY, now=now),
        lambda session: tasks.edit(session, 99, "call", now, now=now),
    ]
    for verb in verbs:
        with pytest.raises(NotFound, match="no follow-up 99"):
            async with db.write() as session:
                await verb(session)
    assert await whats(db, due_by=now) == ["call"]


async def test_what_is_done_cannot_be_put_off(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    task_id = await add(db, lead, "call", now, now)
    async with db.write() as session:
        await tasks.done(session, [task_id], now=now)
    with pytest.raises(BadInput, match="is done"):
        async with db.write() as session:
            await tasks.snooze(session, [task_id], now + DAY, now=now)
