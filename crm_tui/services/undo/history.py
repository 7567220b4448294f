"""What was done, newest first, and for how long it is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Merge, UndoChange, UndoEntry
from crm_tui.vocabulary import UndoState

KEPT = 200
"""How many actions can be undone at least; a merge can be split for as long as it stands."""

_CHUNK = 5_000

# What was cut off midway can be gone on with, or turned round.
UNDOABLE = (UndoState.DONE, UndoState.UNDOING, UndoState.REDOING)
REDOABLE = (UndoState.UNDONE, UndoState.REDOING, UndoState.UNDOING)


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One action in words, when it was done (aware UTC), and whether it stands."""

    id: int
    words: str
    state: UndoState
    created_at: datetime


_LINE = (UndoEntry.id, UndoEntry.words, UndoEntry.state, UndoEntry.created_at)


async def entries(session: ReadSession, *, limit: int = 100) -> list[EntryLine]:
    """The actions that can be undone or done again, newest first."""
    rows = await session.execute(
        select(*_LINE)
        .where(UndoEntry.state != UndoState.DROPPED)
        .order_by(UndoEntry.id.desc())
        .limit(limit)
    )
    return [EntryLine(*row) for row in rows]


async def next_undo(session: ReadSession) -> EntryLine | None:
    """The action that undo takes back next: the last that stands, wholly or in part."""
    row = await session.execute(
        select(*_LINE).where(UndoEntry.state.in_(UNDOABLE)).order_by(UndoEntry.id.desc()).limit(1)
    )
    found = row.first()
    return None if found is None else EntryLine(*found)


async def next_redo(session: ReadSession) -> EntryLine | None:
    """The action that redo does again next: the one undone last, if nothing was done since."""
    last_done = select(func.max(UndoEntry.id)).where(UndoEntry.state == UndoState.DONE)
    row = await session.execute(
        select(*_LINE)
        .where(
            UndoEntry.state.in_(REDOABLE),
            UndoEntry.id > func.coalesce(last_done.scalar_subquery(), 0),
        )
        .order_by(UndoEntry.id)
        .limit(1)
    )
    found = row.first()
    return None if found is None else EntryLine(*found)


async def prune(db: Database, *, keep: int = KEPT) -> int:
    """Forget actions older than the last `keep`, in chunks; returns how many were forgotten."""
    merged = exists().where(Merge.entry_id == UndoEntry.id)
    async with db.read() as session:
        ids = await session.scalars(
            select(UndoEntry.id).where(~merged).order_by(UndoEntry.id.desc()).offset(keep)
        )
        old = list(ids)
    for entry_id in reversed(old):
        while await _forget_some(db, entry_id):
            pass
    return len(old)


async def _forget_some(db: Database, entry_id: int) -> bool:
    """Delete some of an entry's changes, then the entry itself; False when it is gone."""
    async with db.write() as session:
        some = (
            select(UndoChange.id).where(UndoChange.entry_id == entry_id).limit(_CHUNK)
        ).scalar_subquery()
        await session.execute(delete(UndoChange).where(UndoChange.id.in_(some)))
        rest = await session.scalar(
            select(func.count()).select_from(
                select(UndoChange.id).where(UndoChange.entry_id == entry_id).limit(1).subquery()
            )
        )
        if not rest:
            await session.execute(delete(UndoEntry).where(UndoEntry.id == entry_id))
    return bool(rest)
