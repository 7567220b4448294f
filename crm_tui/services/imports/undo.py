"""Taking an import back: what it created goes, what it filled in others goes where it still stands.

Leads worked on since are left as they are, and named. The work is done in chunks, each of them one
transaction, and can be begun again where it was cut off: what is taken back is not found again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ImportBatch
from crm_tui.errors import BadInput, NotFound
from crm_tui.services.imports import give_back, remove
from crm_tui.services.imports.owner import owner, works
from crm_tui.services.sites import files
from crm_tui.vocabulary import BatchState

DELETED, RESTORED = 200, 50
"""How many leads are deleted, or restored, in one transaction."""


@dataclass(frozen=True, slots=True)
class Left:
    """A lead that was not, or not wholly, taken back, and why."""

    business_id: int
    name: str
    reason: str


@dataclass(slots=True)
class UndoResult:
    """What taking a batch back came to: how many leads were deleted and restored, which were left."""

    batch: int
    deleted: int = 0
    restored: int = 0
    left: list[Left] = field(default_factory=list)


async def undo(
    db: Database,
    batch_id: int,
    *,
    settings: Settings,
    now: datetime,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> UndoResult:
    """Take an import back.

    Args:
        db: The store.
        batch_id: The import.
        settings: For the scores that follow.
        now: Aware UTC.
        progress: Called after every chunk with how many leads were looked at, of how many.

    Raises:
        NotFound: There is no such import.
        BadInput: It was taken back before, or somebody else works on it.
        StoreError: The store cannot be written; begun again, it goes on where it stopped.
    """
    with owner(db.path) as name:
        await _begin(db, batch_id, name)
        return await take_back(db, batch_id, settings=settings, now=now, progress=progress)


async def _begin(db: Database, batch_id: int, name: str) -> None:
    async with db.write() as session:
        batch = await session.get(ImportBatch, batch_id)
        if batch is None:
            raise NotFound(f"There is no import {batch_id}. See `crm-tui imports list`.")
        if batch.state is BatchState.UNDONE:
            raise BadInput(f"Import {batch_id} ({batch.file_name}) was taken back before.")
        if works(db.path, batch.state, batch.owner):
            raise BadInput(
                f"Import {batch_id} ({batch.file_name}) is still being worked on by another "
                "crm-tui. Cancel it there, or wait until it has finished."
            )
        batch.state = BatchState.UNDOING
        batch.owner = name


async def take_back(
    db: Database,
    batch_id: int,
    *,
    settings: Settings,
    now: datetime,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> UndoResult:
    """Take back a batch that is the caller's own; see `undo`."""
    result = UndoResult(batch_id)
    created = await db.integers(remove.created(batch_id))
    others = await db.integers(give_back.others(batch_id))
    total = len(created) + len(others)
    async with db.read() as session:
        tags = await remove.tags_of(session, batch_id)
    for ids in _chunks(created, DELETED):
        await _delete(db, batch_id, ids, result)
        progress(result.deleted + len(result.left), total)
    for ids in _chunks(others, RESTORED):
        async with db.write() as session:
            left, slugs = await give_back.give_back(
                session, batch_id, ids, score=settings.score, now=now
            )
        await _finish_chunk(db, left, slugs, result)
        result.restored += len(ids)
        progress(len(created) + result.restored, total)
    while await _delete_leftovers(db, batch_id):
        pass
    async with db.write() as session:
        await remove.remove_unused_tags(session, tags)
        await session.execute(
            update(ImportBatch)
            .where(ImportBatch.id == batch_id)
            .values(state=BatchState.UNDONE, owner=None, finished_at=now)
        )
    return result


def _chunks(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])


async def _delete(db: Database, batch_id: int, ids: Sequence[int], result: UndoResult) -> None:
    async with db.write() as session:
        touched = await remove.touched(session, batch_id, ids)
        untouched = [each for each in ids if each not in touched]
        slugs = await remove.remove(session, untouched)
    result.deleted += len(untouched)
    await _finish_chunk(db, touched, slugs, result)


async def _finish_chunk(
    db: Database, left: dict[int, str], slugs: Sequence[str], result: UndoResult
) -> None:
    """Name the leads that were left, and delete the files of the sites that went."""
    if left:
        async with db.read() as session:
            rows = await session.execute(
                select(Business.id, Business.name).where(Business.id.in_(left))
            )
            result.left += [Left(id_, name, left[id_]) for id_, name in rows]
    if slugs:
        await asyncio.to_thread(_remove_files, db.site_folder, slugs)


async def _delete_leftovers(db: Database, batch_id: int) -> int:
    async with db.write() as session:
        return await remove.remove_leftovers(session, batch_id)


def _remove_files(folder: Path, slugs: Sequence[str]) -> None:
    for slug in slugs:
        page = files.page_path(folder, slug)
        # A file that cannot be deleted is named by the doctor; the store is the truth.
        with suppress(OSError):
            page.unlink(missing_ok=True)
            page.parent.rmdir()
