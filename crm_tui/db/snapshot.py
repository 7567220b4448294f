"""Whole copies of a store: taken while it is in use, and checked before they count."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from crm_tui.db import migrate
from crm_tui.db.engine import BUSY_TIMEOUT_MS, store_errors
from crm_tui.errors import StoreError

LARGE = 256 * 1024 * 1024
"""Bytes above which a file gets SQLite's quick check: the full one reads every index row by row."""

_SHOWN = 5


def take(source: Path, target: Path) -> dict[str, int]:
    """Copy the store as it is at this moment into the empty file `target`.

    The copy is made by SQLite's online backup in one step, so that it is one snapshot and writers
    go on meanwhile. Returns how many rows each table had in that snapshot.

    Raises:
        StoreError: the store cannot be read, or the disk of the copy is full.
    """
    with opened(source, read_only=True) as store:
        store.execute("BEGIN")
        counts = migrate.row_counts(store)
        with opened(target) as copy:
            store.backup(copy)
            # The copy is one file: it has no write-ahead log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
    return counts


def counts(path: Path) -> dict[str, int]:
    """How many rows each table of a store has."""
    with opened(path, read_only=True) as connection:
        return migrate.row_counts(connection)


def problems(path: Path) -> list[str]:
    """What SQLite finds wrong with a file, and rows that refer to rows that are not there.

    Raises:
        StoreError: the file is so damaged that it cannot be checked, or cannot be read.
    """
    thoroughly = path.stat().st_size <= LARGE
    with opened(path, read_only=True) as connection:
        check = "integrity_check" if thoroughly else "quick_check"
        found = [str(line[0]) for line in connection.execute(f"PRAGMA {check}({_SHOWN})")]
        orphans = [str(line[0]) for line in connection.execute("PRAGMA foreign_key_check")]
    said = [] if found == ["ok"] else found
    return said + [
        f"{orphans.count(table)} rows of {table} refer to rows that are not there"
        for table in sorted(set(orphans))
    ]


def is_damage(error: StoreError) -> bool:
    """Whether the file itself is damaged, rather than locked, missing or not allowed."""
    driver = getattr(error.__cause__, "orig", error.__cause__)
    code = getattr(driver, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@contextmanager
def opened(path: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    """A plain connection in which nothing is committed but what is said to be."""
    with store_errors(path):
        mode = "ro" if read_only else "rw"
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
        )
        with closing(connection):
            yield connection


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder, through a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
