"""Where polling stands with each stream, and what is missing of what it told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Message, StreamGap, SyncCursor
from crm_tui.db.types import utc_text
from crm_tui.providers.events import Asked, Cursor, Stream, Waiting

_LAST_DAYS = timedelta(days=7)
"""How long ago a message went of which a provider that tells states is asked."""
_MOST = 10_000
_WAITING = (  # plain SQL: thousands of rows at every poll
    "SELECT provider_id, sent_at, coalesce(delivered_at, bounced_at, soft_bounced_at) IS NOT NULL"
    " FROM message WHERE provider = ? AND provider_id IS NOT NULL AND sent_at > ?"
    " ORDER BY sent_at DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream stands.

    Attributes:
        cursor: where polling goes on; empty at the beginning.
        read_at: when it was last read to its end.
        next_at: not polled before.
        failures: how often in a row it could not be polled.
        problem: why; "" where it could.
    """

    cursor: Cursor
    read_at: datetime | None = None
    next_at: datetime | None = None
    failures: int = 0
    problem: str = ""


async def place_of(session: ReadSession, stream: Stream) -> Place:
    """Where a stream stands."""
    known = await session.get(SyncCursor, (stream.provider, stream.account, stream.name))
    if known is None:
        return Place({})
    return Place(known.cursor, known.last_ok_at, known.next_at, known.failures, known.problem or "")


async def asked_of(session: ReadSession, provider: str, *, now: datetime) -> Asked:
    """What polling needs to know of the messages that went through a provider."""
    gone = (Message.provider == provider, Message.provider_id.is_not(None))
    since = await session.scalar(select(func.min(Message.sent_at)).where(*gone))
    connection = await session.connection()
    since_when = utc_text(now - _LAST_DAYS)
    rows = await connection.exec_driver_sql(_WAITING, (provider, since_when, _MOST))
    found: Sequence[Any] = rows.all()
    waiting = tuple(
        Waiting(provider_id, datetime.fromisoformat(sent_at), bool(settled))
        for provider_id, sent_at, settled in found
    )
    return Asked(now=now, since=since, waiting=waiting)


async def put(
    session: WriteSession, stream: Stream, values: dict[str, Any], *, cursor: Cursor | None
) -> None:
    """Write where a stream stands."""
    written = values | ({} if cursor is None else {"cursor": dict(cursor)})
    new: dict[str, Any] = {"cursor": {}, **written}
    await session.execute(
        insert(SyncCursor)
        .values(provider=stream.provider, account=stream.account, stream=stream.name, **new)
        .on_conflict_do_update(index_elements=["provider", "account", "stream"], set_=written)
    )


async def note_gap(
    session: WriteSession, stream: Stream, since: datetime, until: datetime, *, now: datetime
) -> None:
    """Note a time of which a provider tells nothing any more; one that is known is only longer."""
    if since >= until:
        return
    values = {
        "provider": stream.provider,
        "account": stream.account,
        "stream": stream.name,
        "since": since,
        "until": until,
        "found_at": now,
    }
    longer = func.max(StreamGap.until, literal(until, StreamGap.until.type))
    await session.execute(
        insert(StreamGap)
        .values(values)
        .on_conflict_do_update(
            index_elements=["provider", "account", "stream", "since"], set_={"until": longer}
        )
    )


async def open_gaps(session: ReadSession, stream: Stream) -> Sequence[tuple[int, datetime]]:
    """The gaps of a stream that were not yet filled: their numbers, and since when."""
    rows = await session.execute(
        select(StreamGap.id, StreamGap.since)
        .where(
            StreamGap.provider == stream.provider,
            StreamGap.account == stream.account,
            StreamGap.stream == stream.name,
            StreamGap.filled_at.is_(None),
        )
        .order_by(StreamGap.since)
    )
    return [(number, since) for number, since in rows]


async def fill(session: WriteSession, gap_id: int, found: int, *, now: datetime) -> None:
    """Note what was found of a gap."""
    await session.execute(
        update(StreamGap)
        .where(StreamGap.id == gap_id)
        .values(filled_at=now, filled=found)
        .execution_options(synchronize_session=None)
    )
