from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import leads
from crm_tui.services.store import open_store

NOW = datetime(2026, 11, 22, 9, 5, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file with a theme of the operator's own beside it."""
    folder = tmp_path / "config"
    (folder / "themes" / "mine").mkdir(parents=True)
    (folder / "config.toml").write_text("[score]\nthreshold = 55\n")
    (folder / "themes" / "mine" / "style.css").write_text("body { color: red }\n" * 50)
    return folder / "config.toml"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """An open store with three leads."""
    db = await open_store(tmp_path / "data" / "crm.db", now=NOW)
    async with db.write() as session:
        for name, phone in (("Ada's Plumbing", "01"), ("Bo Roofing", "02"), ("Café Cy", "03")):
            await leads.add(
                session,
                {"name": name, "phone": f"(212) 555-01{phone}", "city": "Queens"},
                settings=Settings(),
                now=NOW,
            )
    yield db
    await db.close()


@pytest.fixture
async def store(db: Database) -> Path:
    """The path of a store with three leads that nobody has open."""
    await db.close()
    return db.path


@pytest.fixture
def damage() -> Callable[[Path], None]:
    """Damages a store as a bad disk does: the rows of an index are gone."""
    return _damage


def _damage(store: Path) -> None:
    root = "SELECT rootpage FROM sqlite_master WHERE name = ?"
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        filled = connection.execute(root, ("ix_business_city_folded",)).fetchone()[0]
        empty = connection.execute(root, ("ix_unmatched_state",)).fetchone()[0]
    with store.open("r+b") as file:
        file.seek((empty - 1) * size)
        page = file.read(size)
        file.seek((filled - 1) * size)
        file.write(page)
