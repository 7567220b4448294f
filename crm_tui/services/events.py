"""Writing the timeline: events are added, never changed and never deleted."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, case, func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, Event
from crm_tui.services import statuses
from crm_tui.vocabulary import ContactStatus, EventKind

OPERATOR = "you"
"""The source of what the operator did."""

QUIET = frozenset(
    {
        EventKind.EDITED,
        EventKind.TAGGED,
        EventKind.TASK_MOVED,
        EventKind.VOIDED,
        EventKind.PREVIEWED,
    }
)
"""Kinds that do not count as activity of a lead."""

_CHUNK = 500

_BUILDS = frozenset(
    {
        EventKind.SITE_BUILDING,
        EventKind.SITE_BUILT,
        EventKind.SITE_FAILED,
        EventKind.SITE_ABANDONED,
        EventKind.SITE_IMPORTED,
        EventKind.SITE_LINKED,
    }
)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be written; the same `key` twice is written once.

    Args:
        business_id: whose timeline it is on.
        kind: what happened.
        occurred_at: when, aware UTC.
        summary: one line, in the domain's words, for the timeline and the list.
        source: who or what caused it: "you", "import", a provider's name.
        key: the same for the same happening, whoever reports it; made up when None.
        moves_to: the contact status it speaks for.
    """

    business_id: int
    kind: EventKind
    occurred_at: datetime
    summary: str
    source: str
    key: str | None = None
    moves_to: ContactStatus | None = None
    by_machine: bool = False
    body: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    site_id: int | None = None
    batch_id: int | None = None


async def record(session: WriteSession, *events: NewEvent, now: datetime) -> list[str]:
    """Write events, move the statuses they speak for, and note the leads' last activity.

    Returns the keys of the events, those that were there already included.
    """
    rows = [row(event, now=now) for event in events]
    if rows:
        await insert_rows(session, rows)
        await mark_voided(session, {e.business_id for e in events if e.kind is EventKind.VOIDED})
        await note_activity(session, rows)
        moved = sorted({e.business_id for e in events if moves_status(e)})
        await statuses.refold(session, moved)
    return [str(row["key"]) for row in rows]


async def tell(
    session: WriteSession,
    business_ids: Collection[int],
    kind: EventKind,
    summary: str,
    *,
    now: datetime,
    moves_to: ContactStatus | None = None,
    data: ColumnElement[Any] | None = None,
) -> None:
    """Write that the operator did the same to many leads, and that they changed.

    Args:
        session: the transaction.
        business_ids: whose timelines; at most 500, each of them there.
        kind: what was done.
        summary: one line, for the timeline and the list.
        now: aware UTC.
        moves_to: the contact status it speaks for; the statuses are folded again then.
        data: an expression of the lead's columns as they are now; nothing when None.
    """
    at = literal(now, Event.occurred_at.type)
    values = {
        Event.key: _new_key(now),
        Event.business_id: Business.id,
        Event.origin_id: Business.id,
        Event.occurred_at: at,
        Event.recorded_at: at,
        Event.kind: literal(kind, Event.kind.type),
        Event.moves_to: literal(moves_to, Event.moves_to.type),
        Event.source: literal(OPERATOR),
        Event.summary: literal(summary),
        Event.data: literal({}, Event.data.type) if data is None else data,
    }
    rows = select(*values.values()).where(Business.id.in_(business_ids))
    await session.execute(insert(Event).from_select(list(values), rows))
    changed: dict[Any, Any] = {Business.updated_at: now}
    if kind not in QUIET:
        older = func.coalesce(Business.last_activity_at, literal("", Text)) <= at
        changed[Business.last_activity_at] = case((older, at), else_=Business.last_activity_at)
        changed[Business.last_activity] = case((older, summary), else_=Business.last_activity)
    await session.execute(
        update(Business)
        .where(Business.id.in_(business_ids))
        .values(changed)
        .execution_options(synchronize_session=None)
    )
    if moves_to is not None:
        await statuses.refold(session, list(business_ids))


def _new_key(now: datetime) -> ColumnElement[str]:
    """An expression for a new key; those of one time stand together in the index."""
    moment = f"{int(now.timestamp() * 1000):012x}"
    return literal(moment) + func.lower(func.hex(func.randomblob(10)))


def moves_status(event: NewEvent) -> bool:
    """Whether the statuses of the business have to be folded again after this event."""
    return event.moves_to is not None or event.kind is EventKind.VOIDED or event.kind in _BUILDS


def row(event: NewEvent, *, now: datetime) -> dict[str, Any]:
    """The event as a row of the table, for writing many at once."""
    return {
        "key": event.key or uuid.uuid4().hex,
        "business_id": event.business_id,
        "origin_id": event.business_id,
        "occurred_at": event.occurred_at,
        "recorded_at": now,
        "kind": event.kind,
        "moves_to": event.moves_to,
        "by_machine": event.by_machine,
        "source": event.source,
        "summary": event.summary,
        "body": event.body,
        "data": event.data,
        "site_id": event.site_id,
        "batch_id": event.batch_id,
    }


async def insert_rows(session: WriteSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows made by `row`; those whose key is there already are left out."""
    statement = insert(Event).on_conflict_do_nothing(index_elements=[Event.key])
    await session.execute(statement, rows)


async def note_activity(session: WriteSession, rows: Iterable[dict[str, Any]]) -> None:
    """Make the newest of these events its lead's last activity, where it is newer than that."""
    newest: dict[int, dict[str, Any]] = {}
    for line in rows:
        if line["kind"] in QUIET or line["by_machine"]:
            continue
        known = newest.get(line["business_id"])
        if known is None or line["occurred_at"] >= known["occurred_at"]:
            newest[line["business_id"]] = line
    if newest:
        # On the connection, not the session: an ORM update of many rows knows no conditions.
        connection = await session.connection()
        await connection.execute(
            update(Business)
            .where(
                Business.id == bindparam("business"),
                (Business.last_activity_at.is_(None))
                | (Business.last_activity_at <= bindparam("at")),
            )
            .values(last_activity_at=bindparam("at"), last_activity=bindparam("what")),
            [
                {"business": i, "at": line["occurred_at"], "what": line["summary"]}
                for i, line in newest.items()
            ],
        )


async def void(
    session: WriteSession, business_id: int, keys: Sequence[str], *, why: str, now: datetime
) -> str:
    """Take events out of the timeline, the fold and the figures, and say why.

    Returns the key of the voided event; voiding that one brings the others back.
    """
    (key,) = await void_many(session, {business_id: keys}, why=why, now=now)
    return key


async def void_many(
    session: WriteSession, keys: Mapping[int, Sequence[str]], *, why: str, now: datetime
) -> list[str]:
    """Take events of businesses out, one voided event each; returns the keys of those."""
    voids = [
        NewEvent(
            business_id=business_id,
            kind=EventKind.VOIDED,
            occurred_at=now,
            summary=why,
            source=OPERATOR,
            data={"voids": sorted(named)},
        )
        for business_id, named in keys.items()
    ]
    written = await record(session, *voids, now=now)
    await renew_activity(session, list(keys))
    return written


async def mark_voided(session: WriteSession, business_ids: Collection[int]) -> None:
    """Bring `is_voided` of these businesses' events up to date with their voided events."""
    for ids in _chunks(business_ids):
        rows = await session.execute(
            select(Event.key, Event.data).where(
                Event.business_id.in_(ids), Event.kind == EventKind.VOIDED
            )
        )
        out = statuses.taken_out({key: data["voids"] for key, data in rows})
        marked = await session.scalars(
            select(Event.key).where(Event.business_id.in_(ids), Event.is_voided.is_(True))
        )
        before = set(marked)
        connection = await session.connection()
        for keys, value in ((out - before, True), (before - out, False)):
            if keys:
                await connection.execute(
                    update(Event).where(Event.key == bindparam("voided")).values(is_voided=value),
                    [{"voided": key} for key in keys],
                )


async def renew_activity(session: WriteSession, business_ids: Collection[int]) -> None:
    """Compute the last activity of businesses again from the events that stand."""
    for ids in _chunks(business_ids):
        latest: dict[int, tuple[datetime, str]] = {}
        rows = await session.execute(
            select(Event.business_id, Event.occurred_at, Event.summary)
            .where(
                Event.business_id.in_(ids),
                Event.kind.not_in(QUIET),
                Event.by_machine.is_(False),
                Event.is_voided.is_(False),
            )
            .order_by(Event.business_id, Event.occurred_at, Event.id)
        )
        for business_id, at, summary in rows:
            latest[business_id] = (at, summary)
        at_and_what = {i: latest.get(i, (None, None)) for i in ids}
        connection = await session.connection()
        await connection.execute(
            update(Business)
            .where(Business.id == bindparam("business"))
            .values(last_activity_at=bindparam("at"), last_activity=bindparam("what")),
            [{"business": i, "at": at, "what": what} for i, (at, what) in at_and_what.items()],
        )


def _chunks(business_ids: Collection[int]) -> Iterator[list[int]]:
    ids = list(business_ids)
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
