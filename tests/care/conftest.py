from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crm_tui.db.engine import Database

if TYPE_CHECKING:
    from tests.conftest import AddLead


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file with a theme of the operator's own beside it."""
    folder = tmp_path / "config"
    (folder / "themes" / "mine").mkdir(parents=True)
    (folder / "config.toml").write_text("[score]\nthreshold = 55\n")
    (folder / "themes" / "mine" / "style.css").write_text("body { color: red }\n" * 50)
    return folder / "config.toml"


@pytest.fixture
async def leads(db: Database, add_lead: AddLead) -> Database:
    """An open store with three leads."""
    for number, name in enumerate(("Ada's Plumbing", "Bo Roofing", "Café Cy")):
        await add_lead(name, phone=f"(212) 555-010{number}", city="Queens", category="Plumber")
    return db


@pytest.fixture
async def store(leads: Database) -> Path:
    """The path of a store with three leads that nobody has open."""
    await leads.close()
    return leads.path


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
