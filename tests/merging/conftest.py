"""What tests of merging, splitting and erasing share: pictures of the store, and work on leads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import leads, timeline, undo
from crm_tui.services import merge as merging
from crm_tui.vocabulary import CallOutcome

Picture = dict[str, list[dict[str, Any]]]

_TIMES = {"updated_at", "ended_at"}
_BOOK = {"undo_entry", "undo_change", "merge", "sqlite_sequence", "alembic_version"}


def picture(path: Path) -> Picture:
    """Every row of every table, but the book of actions and when rows were written
    or campaigns ended.

    Of the timeline, what stands: merges and their undoing leave lines that take others out.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            " AND name NOT LIKE 'search_index%' ORDER BY name"
        )
        tables = {}
        for (name,) in names.fetchall():
            if name in _BOOK:
                continue
            rows = connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            tables[name] = [
                {key: row[key] for key in row.keys() if key not in _TIMES}  # noqa: SIM118 - a Row iterates over its values
                for row in rows
            ]
        tables["event"] = [
            row
            for row in tables["event"]
            if not row["is_voided"] and row["kind"] not in {"voided", "split"}
        ]
        return tables


class Work:
    """Works on a store with a clock that moves on."""

    def __init__(self, db: Database, settings: Settings, now: datetime) -> None:
        self.db, self.settings, self.now = db, settings, now

    def tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    async def add(self, name: str, **fields: str) -> int:
        async with self.db.write() as session:
            return await leads.add(
                session,
                {"name": name, **fields},
                settings=self.settings,
                now=self.tick(),
                duplicate=True,
            )

    async def note(self, lead: int, words: str) -> None:
        async with undo.action(self.db, f"note on {lead}", now=self.tick()) as session:
            await timeline.add_note(session, lead, words, now=self.now)

    async def call(self, lead: int, outcome: CallOutcome) -> None:
        async with undo.action(self.db, f"called {lead}", now=self.tick()) as session:
            await timeline.log_call(session, lead, outcome, now=self.now)

    async def edit(self, lead: int, **changes: str) -> None:
        async with undo.action(self.db, f"edited {lead}", now=self.tick()) as session:
            await leads.edit(session, lead, changes, settings=self.settings, now=self.now)

    async def merge(self, keep: int, *others: int, **choices: int) -> int:
        """Merge leads; returns the number of the undo entry."""
        entry = undo.Entry()
        words = f"merged {others} into {keep}"
        async with undo.action(self.db, words, now=self.tick(), entry=entry) as session:
            await self._merge(session, keep, others, choices)
        assert entry.id is not None
        return entry.id

    async def _merge(
        self, session: Any, keep: int, others: Sequence[int], choices: dict[str, int]
    ) -> None:
        await merging.merge(session, keep, others, choices, score=self.settings.score, now=self.now)

    async def split(self, lead: int) -> merging.Split:
        return await merging.split(self.db, lead, settings=self.settings, now=self.tick())

    async def take_back(self, entry: int | None = None) -> undo.Undone:
        return await undo.undo(self.db, settings=self.settings, now=self.tick(), entry_id=entry)

    async def do_again(self) -> undo.Undone:
        return await undo.redo(self.db, settings=self.settings, now=self.tick())


@pytest.fixture
def work(db: Database, settings: Settings, now: datetime) -> Work:
    return Work(db, settings, now)


@pytest.fixture
def look(store_path: Path) -> Callable[[], Picture]:
    """Takes a picture of the store."""
    return lambda: picture(store_path)
