"""A store with many leads, and what it holds: for changes that are cut off."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

_NEW = """
    INSERT INTO business (key, name, sort_name, name_folded, source, source_folded, created_at, captured_at,
                          updated_at, custom)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :leads)
    SELECT 'key-' || i, 'Lead ' || i, 'lead ' || i, 'lead ' || i, 'test', 'test', :now, :now, :now, '{}'
    FROM n
"""
_SEARCHED = "INSERT INTO search_doc SELECT id, name, '', '', '', '', '', '' FROM business"
_TABLES = ("business_tag", "tag", "task", "contact_point", "suppression")


def fill(store: Path, leads: int, now: datetime) -> None:
    """Add so many leads, captured now."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(_NEW, {"leads": leads, "now": stamp})
        connection.execute(_SEARCHED)


def ask(store: Path, question: str) -> list[tuple[Any, ...]]:
    """What the store answers, asked from outside of the program."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return connection.execute(question).fetchall()


def number(store: Path, question: str) -> int:
    """The one number the store answers."""
    return int(ask(store, question)[0][0])


def picture(store: Path) -> list[list[tuple[Any, ...]]]:
    """The leads and all that is theirs, but for when they last changed; the standing events."""
    columns = ", ".join(
        name for _, name, *_ in ask(store, "PRAGMA table_info(business)") if name != "updated_at"
    )
    of_leads = ask(store, f"SELECT {columns} FROM business ORDER BY id")
    others = [ask(store, f"SELECT * FROM {table} ORDER BY 1, 2") for table in _TABLES]
    standing = "SELECT key FROM event WHERE is_voided = 0 AND kind <> 'voided' ORDER BY key"
    return [of_leads, *others, ask(store, standing)]
