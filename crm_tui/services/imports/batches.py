"""Imports as records: listing them, showing one, and taking back those that were cut off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import ImportBatch, ImportRow
from crm_tui.errors import BadInput, NotFound
from crm_tui.services.imports.owner import works
from crm_tui.services.imports.undo import undo
from crm_tui.services.imports.unfinished import WORKING
from crm_tui.vocabulary import BatchState, RowAction


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One import and what it came to; times are aware UTC."""

    id: int
    file_name: str
    format: str
    state: BatchState
    seen: int
    created: int
    merged: int
    skipped: int
    rejected: int
    unmatched: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """An interrupted import that was taken back: how many leads it was taken out of."""

    id: int
    file_name: str
    leads: int


@dataclass(frozen=True, slots=True)
class RowLine:
    """What became of one row of an import."""

    row: int
    action: RowAction
    name: str
    reason: str
    business_id: int | None


_LINE = tuple(getattr(ImportBatch, name) for name in BatchLine.__slots__)


async def all_batches(session: ReadSession) -> list[BatchLine]:
    """Every import, the newest first."""
    rows = await session.execute(select(*_LINE).order_by(ImportBatch.id.desc()))
    return [BatchLine(*row) for row in rows]


async def batch(session: ReadSession, batch_id: int) -> BatchLine:
    """One import.

    Raises:
        NotFound: There is no such import.
    """
    row = (await session.execute(select(*_LINE).where(ImportBatch.id == batch_id))).first()
    if row is None:
        raise NotFound(f"There is no import {batch_id}. See `crm-tui imports list`.")
    return BatchLine(*row)


async def rows_of(
    session: ReadSession, batch_id: int, *, only: RowAction | None = None
) -> list[RowLine]:
    """What became of the rows of an import, in their order; `only` those that ended like this."""
    rows = (
        select(
            ImportRow.row,
            ImportRow.action,
            func.coalesce(ImportRow.name, ""),
            func.coalesce(ImportRow.reason, ""),
            ImportRow.business_id,
        )
        .where(ImportRow.batch_id == batch_id)
        .order_by(ImportRow.row)
    )
    if only is not None:
        rows = rows.where(ImportRow.action == only)
    return [RowLine(*row) for row in await session.execute(rows)]


async def take_back_interrupted(
    db: Database, *, settings: Settings, now: datetime
) -> list[TakenBack]:
    """Take back imports whose process died, and finish taking back those that were cut off.

    Called at the start of the app and of every command, and by the doctor's repair.

    Raises:
        StoreError: The store cannot be written; the next call goes on where this one stopped.
    """
    async with db.read() as session:
        working = await session.execute(
            select(ImportBatch.id, ImportBatch.file_name, ImportBatch.state, ImportBatch.owner)
            .where(ImportBatch.state.in_(WORKING))
            .order_by(ImportBatch.id.desc())
        )
        dead = [(row.id, row.file_name) for row in working if not works(db.path, *row[2:])]
    taken_back = []
    for batch_id, file_name in dead:
        try:
            undone = await undo(db, batch_id, settings=settings, now=now)
        except BadInput:
            continue  # another process was faster
        taken_back.append(TakenBack(batch_id, file_name, undone.deleted + undone.restored))
    return taken_back
