"""A dry run: the real import, into a store of its own that is thrown away.

Every business that the file may touch is copied there first, under its own id, so that what
happens there is what would happen. The store itself is only read, and memory does not grow.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db import migrate, snapshot
from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import (
    Business,
    BusinessAlias,
    BusinessTag,
    ContactPoint,
    ErasedKey,
    Event,
    ImportBatch,
    RawRecord,
    Setting,
    Tag,
    Task,
)
from crm_tui.services import store
from crm_tui.services.imports.known import candidates
from crm_tui.services.imports.match import Identity
from crm_tui.services.imports.rows import LEGACY

_LEFT_OUT: dict[str, dict[str, Any]] = {"event": {"site_id": None}, "raw_record": {"payload": {}}}
_CHILDREN = (ContactPoint, BusinessAlias, BusinessTag, Task, Event)


class Rehearsal:
    """The stage an import is rehearsed on, and the store its businesses come from."""

    def __init__(self, origin: Database, stage: Database) -> None:
        self.stage = stage
        self._origin = origin
        self._brought: set[int] = set()

    async def set_up(self) -> None:
        """Bring what is small, and have new rows numbered as the store would number them."""
        async with self._origin.read() as source, self.stage.write() as target:
            for model in (ImportBatch, Tag, ErasedKey, Setting):
                await _copy(source, target, model.__table__)
            numbers = (await source.execute(text("SELECT name, seq FROM sqlite_sequence"))).all()
            await target.execute(text("DELETE FROM sqlite_sequence"))
            for name, last in numbers:
                await target.execute(
                    text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"),
                    {"name": name, "last": last},
                )

    async def bring(self, identities: Iterable[Identity], raw: Sequence[str]) -> None:
        """Bring the businesses that some records may be, and the old records known already."""
        async with self._origin.read() as source, self.stage.write() as target:
            found = await candidates(source, identities)
            new = [each for each in found if each not in self._brought]
            self._brought.update(new)
            ids = func.json_each(json.dumps(new)).table_valued("value")
            for model, column in (
                (Business, Business.id),
                *((child, child.business_id) for child in _CHILDREN),
            ):
                if new:
                    await _copy(source, target, model.__table__, column.in_(select(ids.c.value)))
            if raw:
                keys = func.json_each(json.dumps(list(raw))).table_valued("value")
                await _copy(
                    source,
                    target,
                    RawRecord.__table__,
                    RawRecord.source == LEGACY,
                    RawRecord.external_id.in_(select(keys.c.value)),
                )


async def _copy(source: ReadSession, target: WriteSession, of: Any, *where: Any) -> None:
    """Copy rows; what is heavy and decides nothing stays behind."""
    rows = (await source.execute(select(*of.columns).where(*where))).mappings().all()
    left_out: dict[str, Any] = _LEFT_OUT.get(of.name, {})
    if rows:
        await target.execute(
            insert(of).on_conflict_do_nothing(), [dict(row) | left_out for row in rows]
        )


@asynccontextmanager
async def rehearsal(origin: Database, *, now: datetime) -> AsyncIterator[Rehearsal]:
    """A stage for one dry run, gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="crm-tui-") as folder:
        path = Path(folder) / "rehearsal.db"
        await asyncio.to_thread(store.prepare, path, now=now)
        stage = Database(path)
        try:
            ready = Rehearsal(origin, stage)
            await ready.set_up()
            yield ready
        finally:
            await stage.close()


@asynccontextmanager
async def untouched(path: Path, *, now: datetime) -> AsyncIterator[Database]:
    """The store at `path` for a dry run: neither made where there is none, nor brought up to date.

    Raises:
        StoreError: It is not ours, is newer than this program, or cannot be read.
    """
    found = await asyncio.to_thread(migrate.revision, path)
    with tempfile.TemporaryDirectory(prefix="crm-tui-") as folder:
        if found != migrate.HEAD:
            copy = Path(folder) / "store.db"
            if found is not None and not migrate.is_newer(found):
                copy.touch()
                await asyncio.to_thread(snapshot.take, path, copy)
            path = path if found is not None and migrate.is_newer(found) else copy
            await asyncio.to_thread(store.prepare, path, now=now)
        db = Database(path)
        try:
            yield db
        finally:
            await db.close()
