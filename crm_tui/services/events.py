"""Writing the timeline: events are added, never changed and never deleted."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
    text,
    true,
    type_coerce,
    update,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, Event
from crm_tui.db.types import listed, utc_text
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


# Statements of which hundreds a second are asked for are plain SQL.
_COLUMNS = (
    "key",
    "business_id",
    "origin_id",
    "occurred_at",
    "recorded_at",
    "kind",
    "moves_to",
    "by_machine",
    "source",
    "summary",
    "body",
    "data",
    "site_id",
    "batch_id",
    "message_id",
)
_ADD = (
    f"INSERT INTO event ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own words
    " ON CONFLICT (key) DO NOTHING"
)
_NOTE_ACTIVITY = (
    "UPDATE business SET last_activity_at = ?1, last_activity = ?2"
    " WHERE id = ?3 AND (last_activity_at IS NULL OR last_activity_at <= ?1)"
)
_RENEW_ACTIVITY = text(
    "UPDATE business SET (last_activity_at, last_activity) = ("
    " SELECT occurred_at, summary FROM event WHERE event.business_id = business.id"
    " AND event.kind NOT IN :quiet AND event.by_machine = 0 AND event.is_voided = 0"
    " ORDER BY event.occurred_at DESC, event.id DESC LIMIT 1)"
    " WHERE id IN (SELECT value FROM json_each(:ids))"
).bindparams(bindparam("quiet", sorted(QUIET), expanding=True))


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
    message_id: int | None = None


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
        sites = any(e.kind in _BUILDS or e.kind is EventKind.VOIDED for e in events)
        await statuses.refold(session, moved, sites=sites)
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
    rows = select(*values.values()).where(Business.id.in_(listed(business_ids)))
    await session.flush()
    connection = await session.connection()  # past the session, which would track what is written
    await connection.execute(insert(Event).from_select(list(values), rows))
    changed: dict[Any, Any] = {Business.updated_at: now}
    if kind not in QUIET:
        older = func.coalesce(Business.last_activity_at, literal("", Text)) <= at
        changed[Business.last_activity_at] = case((older, at), else_=Business.last_activity_at)
        changed[Business.last_activity] = case((older, summary), else_=Business.last_activity)
    await connection.execute(
        update(Business).where(Business.id.in_(listed(business_ids))).values(changed)
    )
    if moves_to is not None:
        await statuses.refold(session, list(business_ids), sites=False)


def _new_key(now: datetime) -> ColumnElement[str]:
    """An expression for a new key; those of one time stand together in the index."""
    return literal(_moment(now)) + func.lower(func.hex(func.randomblob(10)))


def _moment(now: datetime) -> str:
    return f"{int(now.timestamp() * 1000):012x}"


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
        "message_id": event.message_id,
    }


async def insert_rows(session: WriteSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows made by `row`; those whose key is there already are left out."""
    await session.flush()
    connection = await session.connection()
    await connection.exec_driver_sql(_ADD, [_stored(line) for line in rows])


def _stored(line: dict[str, Any]) -> tuple[Any, ...]:
    """A row as the table keeps it."""
    moves_to, data = line["moves_to"], line["data"]
    return (
        line["key"],
        line["business_id"],
        line["origin_id"],
        utc_text(line["occurred_at"]),
        utc_text(line["recorded_at"]),
        line["kind"].value,
        None if moves_to is None else moves_to.value,
        int(line["by_machine"]),
        line["source"],
        line["summary"],
        line["body"],
        json.dumps(data, ensure_ascii=False) if data else "{}",
        line["site_id"],
        line["batch_id"],
        line["message_id"],
    )


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
        connection = await session.connection()
        await connection.exec_driver_sql(
            _NOTE_ACTIVITY,
            [
                (utc_text(line["occurred_at"]), line["summary"], business_id)
                for business_id, line in newest.items()
            ],
        )


async def void(
    session: WriteSession, business_id: int, keys: Sequence[str], *, why: str, now: datetime
) -> str:
    """Take events out of the timeline, the fold and the figures, and say why.

    Returns the key of the voided event; voiding that one brings the others back.
    """
    given = func.json_each(json.dumps(keys)).table_valued("value")
    named = select(literal(business_id).label("business_id"), given.c.value.label("key"))
    voiding = await void_named(session, named, why=why, now=now)
    return f"{voiding}{business_id}"


async def void_named(
    session: WriteSession, named: Select[int, str], *, why: str, now: datetime
) -> str:
    """Take out the events that a statement names, with one voided event for each business.

    Args:
        session: the transaction.
        named: each event's `business_id` and `key`.
        why: what they were taken out for.
        now: aware UTC.

    Returns how the keys of the voided events begin; the number of the business follows.
    """
    beginning = f"{_moment(now)}{secrets.token_hex(8)}-"
    each = named.distinct().subquery().c
    connection = await session.connection()
    await session.flush()
    found = await connection.execute(
        select(func.json_group_array(func.json_array(each.business_id, each.key)))
    )
    pairs = found.scalar_one()
    await connection.execute(
        _ADD_VOIDED, {"beginning": beginning, "named": pairs, "now": now, "why": why}
    )
    await _take_out(session, [key for _, key in json.loads(pairs)])
    return beginning


async def _take_out(session: WriteSession, keys: Sequence[str]) -> None:
    """Mark events that a new voided event names, and bring up to date what follows from them.

    Where a voided event goes, what it named may come back, and so on: a void can only name what
    was written before it, so this comes to an end.
    """
    connection = await session.connection()
    loud: set[int] = set()
    moved: set[int] = set()
    built: set[int] = set()
    mark, named = _MARK_OUT, keys
    while named:
        turned = await connection.execute(mark, {"named": json.dumps(named)})
        further: list[str] = []
        for business_id, is_loud, moves, builds, voids in turned.all():
            if is_loud:
                loud.add(business_id)
            if moves is not None:
                moved.add(business_id)
            if builds:
                built.add(business_id)
            if voids is not None:
                further += json.loads(voids)
        mark, named = _MARK_AS_NAMED, further
    await renew_activity(session, loud)
    await statuses.refold(session, sorted(moved - built), sites=False)
    await statuses.refold(session, sorted(built))


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
        await session.execute(_RENEW_ACTIVITY, {"ids": json.dumps(ids)})


def _is_named() -> ColumnElement[bool]:
    """Whether a voided event that stands names the event at hand."""
    void = aliased(Event)
    names = func.json_each(void.data, "$.voids").table_valued("value")
    return (
        select(literal(1))
        .select_from(void)
        .join(names, names.c.value == Event.key)
        .where(
            void.business_id == Event.business_id,
            void.kind == EventKind.VOIDED,
            void.is_voided.is_(False),
        )
        .correlate(Event)
        .exists()
    )


_FOLLOWED = (
    Event.business_id,
    type_coerce(Event.kind.not_in(QUIET) & Event.by_machine.is_(False), Integer),
    type_coerce(Event.moves_to, Text),  # SQLite 3.40 returns IS NOT NULL of it as always true
    type_coerce(Event.kind.in_(_BUILDS), Integer),
    case((Event.kind == EventKind.VOIDED, func.json_extract(Event.data, "$.voids"))),
)


def _add_voided() -> Insert:
    """Write a voided event for each business of `named`, a JSON array of [business_id, key]."""
    given = func.json_each(bindparam("named", type_=Text)).table_valued("value").c.value
    each = (
        select(
            func.json_extract(given, "$[0]", type_=Integer).label("business_id"),
            func.json_extract(given, "$[1]", type_=Text).label("key"),
        )
        .order_by("key")
        .subquery()
        .c
    )
    now = bindparam("now", type_=Event.occurred_at.type)
    values = {
        Event.key: bindparam("beginning", type_=Text) + cast(each.business_id, Text),
        Event.business_id: each.business_id,
        Event.origin_id: each.business_id,
        Event.occurred_at: now,
        Event.recorded_at: now,
        Event.kind: literal(EventKind.VOIDED, Event.kind.type),
        Event.source: literal(OPERATOR),
        Event.summary: bindparam("why", type_=Text),
        Event.data: func.json_object("voids", func.json_group_array(each.key)),
    }
    return insert(Event).from_select(
        list(values), select(*values.values()).group_by(each.business_id)
    )


def _mark(out: ColumnElement[bool]) -> ReturningUpdate[Any]:
    """Say of the events whose keys `named` has whether they are out; returns what changed."""
    keys = func.json_each(bindparam("named", type_=Text)).table_valued("value").c.value
    return (
        update(Event)
        .where(Event.key.in_(select(keys)), Event.is_voided.is_distinct_from(out))
        .values(is_voided=out)
        .returning(*_FOLLOWED)
    )


_ADD_VOIDED = _add_voided()
_MARK_OUT = _mark(true())
_MARK_AS_NAMED = _mark(_is_named())


def _chunks(business_ids: Collection[int]) -> Iterator[list[int]]:
    ids = list(business_ids)
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
