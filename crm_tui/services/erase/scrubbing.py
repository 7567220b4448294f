"""Getting erased bytes out of the files: SQLite leaves what it deletes until it is written over.

The search index drops deleted words when its segments are merged into one; what no record uses is
filled with zeros (db/wiping.py); and the write-ahead log is emptied. Follows "FTS5: The 'merge'
Command", "VACUUM" and "PRAGMA wal_checkpoint" of the SQLite documentation.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sqlalchemy import delete, text
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db import wiping
from crm_tui.db.engine import BUSY_TIMEOUT_MS, Database, ReadSession, WriteSession
from crm_tui.db.models import Setting
from crm_tui.errors import StoreError
from crm_tui.session import session_path

_PAGES = 200
"""Pages of the search index merged in one transaction."""

TRACES = "erasure_traces"
"""The setting that is there while erased bytes may still be in the file."""

_MERGE = text("INSERT INTO search_index (search_index, rank) VALUES ('merge', :pages)")
_CHANGES = text("SELECT total_changes()")


async def _forget_words(db: Database) -> None:
    """Merge the search index into one segment, step by step; deleted words are left behind."""
    pages = -_PAGES  # a negative number has all segments take part
    while True:
        async with db.write() as session:
            before = (await session.execute(_CHANGES)).scalar_one()
            await session.execute(_MERGE, {"pages": pages})
            after = (await session.execute(_CHANGES)).scalar_one()
        if after - before < 2:
            return
        pages = _PAGES


async def note_traces(session: WriteSession) -> None:
    """Remember that erased bytes are in the file until they are wiped."""
    await session.execute(insert(Setting).values(name=TRACES, value=True).on_conflict_do_nothing())


async def any_traces(session: ReadSession) -> bool:
    """Whether erased bytes may still be in the file."""
    return await session.get(Setting, TRACES) is not None


async def scrub(db: Database) -> str:
    """Get erased bytes out of the file; returns why that could not be done, or "".

    Goes through the whole file, in steps between which others can write.
    """
    try:
        await _forget_words(db)
    except StoreError as error:
        return str(error).rstrip(".")
    problem = await asyncio.to_thread(_wipe, db.path)
    if problem == wiping.UNFIT:
        problem = await asyncio.to_thread(_rewrite, db.path)
    if not problem:
        async with db.write() as session:
            await session.execute(delete(Setting).where(Setting.name == TRACES))
    return problem


def _wipe(store: Path) -> str:
    """Fill what is free in the file with zeros."""
    # -P: a module of the folder one is in must not come before ours.
    command = [sys.executable, "-P", "-m", wiping.__name__, str(store)]
    ran = subprocess.run(  # noqa: S603 - ourselves
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        return f"the file could not be wiped ({ran.stderr.strip().rpartition(chr(10))[2]})"
    return ran.stdout.strip()


def _rewrite(store: Path) -> str:
    """Write the store anew without what was deleted, and empty its log."""
    try:
        with closing(sqlite3.connect(store, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("VACUUM")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        return f"the store could not be written anew ({error})"
    return "another program is reading the store" if busy else ""


def remove_pages(folder: Path, slugs: Iterable[str]) -> list[str]:
    """Delete the folders of sites; returns a sentence for each that could not be deleted."""
    problems = []
    for slug in slugs:
        place = folder / slug
        if not place.exists():
            continue
        try:
            shutil.rmtree(place)
        except OSError as error:
            problems.append(f"{place} could not be deleted ({error.strerror})")
    return problems


def forget_aside(store: Path) -> None:
    """Delete a session file that could not be read and was kept aside: nobody knows what it says."""
    path = session_path(store)
    path.with_name(f"{path.name}.bad").unlink(missing_ok=True)
