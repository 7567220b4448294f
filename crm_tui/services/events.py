"""Writing the timeline: events are added, never changed and never deleted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    case,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, Event
from crm_tui.db.types import listed, utc_text
from crm_tui.services import activity, statuses
from crm_tui.vocabulary import ContactStatus, EventKind

OPERATOR = "you"
"""The source of what the operator did."""

BUILDS = frozenset(
    {
        EventKind.SITE_BUILDING,
        EventKind.SITE_BUILT,
        EventKind.SITE_FAILED,
        EventKind.SITE_ABANDONED,
        EventKind.SITE_IMPORTED,
        EventKind.SITE_LINKED,
    }
)
"""Kinds that the website status is folded from."""


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
        await activity.mark_voided(
            session, {e.business_id for e in events if e.kind is EventKind.VOIDED}
        )
        await activity.note_activity(session, rows)
        moved = sorted({e.business_id for e in events if moves_status(e)})
        sites = any(e.kind in BUILDS or e.kind is EventKind.VOIDED for e in events)
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
    if kind not in activity.QUIET:
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
    return literal(moment(now)) + func.lower(func.hex(func.randomblob(10)))


def moment(now: datetime) -> str:
    """How keys of a time begin, so that they stand together in the index."""
    return f"{int(now.timestamp() * 1000):012x}"


def moves_status(event: NewEvent) -> bool:
    """Whether the statuses of the business have to be folded again after this event."""
    return event.moves_to is not None or event.kind is EventKind.VOIDED or event.kind in BUILDS


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
