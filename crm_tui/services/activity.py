"""What follows from the events of leads: their last activity, and which events voids have taken out."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import bindparam, select, text, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Event
from crm_tui.db.types import utc_text
from crm_tui.services import statuses
from crm_tui.vocabulary import EventKind

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

# Statements of which hundreds a second are asked for are plain SQL.
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


def _chunks(business_ids: Collection[int]) -> Iterator[list[int]]:
    ids = list(business_ids)
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
