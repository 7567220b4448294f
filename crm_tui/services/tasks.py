"""Follow-ups: what is to be done about a lead, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import Select, func, insert, literal, literal_column, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, Task
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.when import say_date
from crm_tui.vocabulary import EventKind, TaskState

LONGEST = 500
"""Characters of what is to be done; more belongs into a note."""

OPEN = Task.state == literal_column(f"'{TaskState.OPEN}'")
"""A follow-up that is not done, in the words of the index."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A follow-up and the lead it is with; times are aware UTC."""

    id: int
    business_id: int
    business: str
    what: str
    due_at: datetime
    state: TaskState
    created_at: datetime
    done_at: datetime | None


async def add(
    session: WriteSession,
    business_id: int,
    what: str,
    due_at: datetime,
    *,
    now: datetime,
    zone: tzinfo | None = None,
) -> int:
    """Note what is to be done about a lead; returns the id of the follow-up.

    Args:
        session: the transaction.
        business_id: the lead.
        what: what is to be done, in a line.
        due_at: when, aware UTC.
        now: the current time.
        zone: the operator's, for the words on the timeline; the machine's own when None.

    Raises:
        NotFound: there is no such lead, or it was erased.
        BadInput: it does not say what is to be done, or says too much.
    """
    (task_id,) = await add_many(session, [business_id], what, due_at, now=now, zone=zone)
    return task_id


async def add_many(
    session: WriteSession,
    business_ids: Sequence[int],
    what: str,
    due_at: datetime,
    *,
    now: datetime,
    zone: tzinfo | None = None,
) -> list[int]:
    """Note the same for many leads, at most 500 at once; otherwise as `add`."""
    said = line(what)
    known = await session.scalars(
        select(Business.id).where(Business.id.in_(business_ids), Business.erased_at.is_(None))
    )
    leads = sorted(known)
    if missing := sorted(set(business_ids) - set(leads)):
        raise NotFound(f"There is no lead {missing[0]}.")
    if not leads:
        return []
    rows = select(
        Business.id,
        literal(said),
        literal(due_at, Task.due_at.type),
        literal(now, Task.created_at.type),
    ).where(Business.id.in_(leads))
    columns = ["business_id", "what", "due_at", "created_at"]
    made = await session.execute(
        insert(Task).from_select(columns, rows).returning(Task.business_id, Task.id)
    )
    task_ids = {row.business_id: row.id for row in made}
    summary = f"follow-up {say_date(due_at, now=now, zone=zone)}: {said}"
    newest = select(func.max(Task.id)).where(Task.business_id == Business.id).scalar_subquery()
    data = func.json_object("task", newest)
    await events.tell(session, leads, EventKind.TASK_ADDED, summary, now=now, data=data)
    return [task_ids[each] for each in business_ids]


async def done(session: WriteSession, task_ids: Collection[int], *, now: datetime) -> list[int]:
    """Mark follow-ups as done; returns those that were open.

    Raises:
        NotFound: there is no such follow-up; none was marked.
    """
    tasks = [task for task in await _required(session, task_ids) if task.state is TaskState.OPEN]
    await session.execute(
        update(Task)
        .where(Task.id.in_([task.id for task in tasks]))
        .values(state=TaskState.DONE, done_at=now)
    )
    await _tell(session, EventKind.TASK_DONE, "done", tasks, now=now)
    return [task.id for task in tasks]


async def snooze(
    session: WriteSession,
    task_ids: Collection[int],
    due_at: datetime,
    *,
    now: datetime,
    zone: tzinfo | None = None,
) -> list[int]:
    """Put follow-ups off until `due_at` (aware UTC); returns those whose time that changed.

    Raises:
        NotFound: there is no such follow-up; none was moved.
        BadInput: one of them is done already; none was moved.
    """
    tasks = await _required(session, task_ids)
    if closed := next((task for task in tasks if task.state is TaskState.DONE), None):
        raise BadInput(f"Follow-up {closed.id} ({closed.what}) is done; add a new one.")
    moved = [task for task in tasks if task.due_at != due_at]
    await session.execute(
        update(Task).where(Task.id.in_([task.id for task in moved])).values(due_at=due_at)
    )
    words = say_date(due_at, now=now, zone=zone)
    await _tell(session, EventKind.TASK_MOVED, f"follow-up moved to {words}", moved, now=now)
    return [task.id for task in moved]


async def edit(
    session: WriteSession,
    task_id: int,
    what: str,
    due_at: datetime,
    *,
    now: datetime,
    zone: tzinfo | None = None,
) -> bool:
    """Say what is to be done in other words, or at another time; False when nothing changed.

    Raises:
        NotFound: there is no such follow-up.
        BadInput: it is done already, or does not say what is to be done.
    """
    said = line(what)
    (task,) = await _required(session, [task_id])
    if task.what != said:
        await session.execute(update(Task).where(Task.id == task_id).values(what=said))
    moved = await snooze(session, [task_id], due_at, now=now, zone=zone)
    return bool(moved) or task.what != said


async def listed(
    session: ReadSession,
    *,
    business_id: int | None = None,
    due_by: datetime | None = None,
    with_done: bool = False,
    limit: int | None = None,
) -> list[FollowUp]:
    """Follow-ups, the ones due longest first; done ones last, the latest first.

    Args:
        session: the snapshot.
        business_id: those of this lead only; without it, leads in the archive are left out.
        due_by: those due at this time or before.
        with_done: those that are done as well.
        limit: at most so many.
    """
    query = _follow_ups().limit(limit)
    if with_done:
        query = query.order_by(Task.done_at.is_not(None), Task.done_at.desc())
    else:
        query = query.where(OPEN)
    query = query.order_by(Task.due_at, Task.id)
    if due_by is not None:
        query = query.where(Task.due_at <= due_by)
    if business_id is not None:
        query = query.where(Task.business_id == business_id)
    else:
        query = query.where(Business.archived_at.is_(None))
    return [FollowUp(*row) for row in await session.execute(query)]


async def named(session: ReadSession, task_ids: Collection[int]) -> list[FollowUp]:
    """These follow-ups, in no particular order; those that are gone are left out."""
    rows = await session.execute(_follow_ups().where(Task.id.in_(task_ids)))
    return [FollowUp(*row) for row in rows]


async def required(session: ReadSession, task_id: int) -> FollowUp:
    """A follow-up by its id.

    Raises:
        NotFound: there is no such follow-up.
    """
    (task,) = await _required(session, [task_id])
    return task


async def count_due(session: ReadSession, *, due_by: datetime) -> int:
    """How many open follow-ups are due at this time or before."""
    counted = select(func.count()).select_from(Task).where(OPEN, Task.due_at <= due_by)
    return (await session.execute(counted)).scalar_one()


def _follow_ups() -> Select[*tuple[Any, ...]]:
    return select(
        Task.id,
        Task.business_id,
        Business.name,
        Task.what,
        Task.due_at,
        Task.state,
        Task.created_at,
        Task.done_at,
    ).join(Business, Business.id == Task.business_id)


def line(what: str) -> str:
    """What is to be done as it is kept: one line, not too long.

    Raises:
        BadInput: it does not say what is to be done, or says too much.
    """
    said = " ".join(what.split())
    if not said:
        raise BadInput("Say what is to be done, such as: call back.")
    if len(said) > LONGEST:
        raise BadInput(f"A follow-up has {LONGEST} characters at most; write the rest into a note.")
    return said


async def _required(session: ReadSession, task_ids: Collection[int]) -> list[FollowUp]:
    """These follow-ups in the order named, each once."""
    by_id = {task.id: task for task in await named(session, task_ids)}
    for task_id in task_ids:
        if task_id not in by_id:
            raise NotFound(f"There is no follow-up {task_id}.")
    return [by_id[task_id] for task_id in dict.fromkeys(task_ids)]


async def _tell(
    session: WriteSession, kind: EventKind, words: str, tasks: Iterable[FollowUp], *, now: datetime
) -> None:
    """Say on the timelines what was done with follow-ups."""
    told = [
        NewEvent(
            task.business_id, kind, now, f"{words}: {task.what}", OPERATOR, data={"task": task.id}
        )
        for task in tasks
    ]
    await events.record(session, *told, now=now)
