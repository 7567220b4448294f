"""Creating and changing the schema, apart from everything else: alembic is slow to import.

Revisions are numbered "0001", "0002", …; a store's own number tells at once whether it is older,
current or newer than this program.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from crm_tui.errors import StoreError

_FIRST = "0001"
HEAD = "0004"
"""The newest revision in migrations/versions; a test keeps the two equal."""

APPLICATION_ID = 0x63726D74
"""PRAGMA application_id of every store of ours: "crmt"."""

_PRIMARY = 0xFF
"""The part of SQLite's error codes that says what kind of error it is."""

_SCRIPTS = Path(__file__).parent / "migrations"


def revision(path: Path) -> str | None:
    """The revision of the store at `path`; None where there is no store yet.

    Only SQLite itself opens the file: closing a file of our own would release the locks that
    other connections of this process hold on it ("How To Corrupt An SQLite Database File", 2.2).

    Raises:
        StoreError: the file is there, but is not a store of ours, or cannot be read.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder, not a store; name a file.")
    try:
        if not path.exists() or not path.stat().st_size:
            return None
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            return _stored_revision(connection, path)
        finally:
            connection.close()
    except OSError as error:
        raise StoreError(f"The store {path} cannot be read: {error.strerror}.") from None
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise StoreError(
                f"{path} is not a store of crm-tui: it is not an SQLite file. It was not touched."
            ) from None
        if error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
            raise StoreError(
                f"The store {path} cannot be opened. Check that you may read and write the file and "
                "its folder."
            ) from None
        if error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_READONLY:
            raise StoreError(
                f"The store {path} cannot be opened: you may not write in its folder, and that is "
                "needed even to read it. To look at it, copy it to a folder of your own and name "
                "the copy with --db."
            ) from None
        raise StoreError(
            f"The store {path} cannot be read ({error}). If it is damaged, restore a backup with "
            "`crm-tui restore FILE`."
        ) from error


def _stored_revision(connection: sqlite3.Connection, path: Path) -> str | None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            return None  # what is left when a first start was cut off
        raise StoreError(
            f"{path} is an SQLite file of another program, not a store of crm-tui. It was not "
            f"touched; to take leads from it, use: crm-tui import {path}"
        )
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise StoreError(
            f"The store {path} does not say which version wrote it. It was not touched; restore a "
            "backup with `crm-tui restore FILE`."
        )
    found = str(row[0])
    if found < _FIRST:
        raise StoreError(
            f"The store {path} says that version {found!r} wrote it, which never was. It was not "
            "touched; restore a backup with `crm-tui restore FILE`."
        )
    return found


def is_newer(found: str) -> bool:
    """Whether a store at revision `found` was written by a newer version of this program."""
    return found > HEAD


def upgrade(path: Path, *, to: str = "head", scripts: Path = _SCRIPTS) -> None:
    """Bring the store at `path` (created if missing) to revision `to`, all or nothing.

    Runs on a connection of its own with foreign keys off, as a table rebuild with enforcement on
    would delete every child row; ends with a foreign key check and a count of every table's rows.

    Raises:
        StoreError: rows were lost or orphaned; the store is as it was.
    """
    from alembic import command  # noqa: PLC0415 - half a second, only for a migration
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import URL, create_engine, event  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = OFF")

    @event.listens_for(engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        before = row_counts(driver)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        after = row_counts(driver)
        lost = [table for table, count in before.items() if after.get(table, count) < count]
        broken = driver.execute("PRAGMA foreign_key_check").fetchall()
        if lost or broken:
            raise StoreError(
                f"The store {path} could not be brought to this version without losing rows of "
                f"{', '.join(lost or sorted({row[0] for row in broken}))}. It was left as it was."
            )
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    plain.close()
    engine.dispose()


def row_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table of a store has, the search index left out."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' "
        "AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'search_index%' "
        "AND name <> 'alembic_version'"
    ).fetchall()
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - names from the schema itself
        for (name,) in tables
    }
