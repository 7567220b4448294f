"""Makes a store with any number of invented leads: `python -m benchmarks.make_store PATH`.

The schema is the program's own; the rows are written with plain SQL, because a million leads
through the services take minutes. tests/benchmarks compares the result with what the services
would have written. Two processes invent, one inserts; plain indexes and the search index are
made at the end, which is several times faster than growing them row by row.
"""

from __future__ import annotations

import argparse
import asyncio
import marshal
import multiprocessing
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path

from benchmarks import invented
from benchmarks.invented_rows import (
    COLUMNS,
    PER_CHUNK,
    Recipe,
    Row,
    Rows,
    batches,
    rows_of_chunk,
    tags,
)
from crm_tui.config import ScoreSettings
from crm_tui.db.engine import beside
from crm_tui.errors import UserError
from crm_tui.services import rescoring, store
from crm_tui.services.sites.files import page_path

CACHE_KIB = 200_000
AHEAD = 3
"""Chunks invented before they are needed; bounds the memory."""
ROWS_A_STATEMENT = 20
"""SQLite builds the list of a CHECK (x IN …) anew for every statement, not for every row."""

_WHILE_LOADING = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA cache_size = -{CACHE_KIB}",
)


def make_store(path: Path, *, leads: int, events: float = 2, seed: int = 1) -> None:
    """Make a store at `path` with so many leads and, on average, so many events of each (1-5).

    Raises:
        UserError: the file exists already, or cannot be made.
        RuntimeError: what was written does not hold together.
    """
    if path.exists():
        raise UserError(f"{path} exists already; name a file that does not.")
    asyncio.run(_make_empty(path))
    recipe = Recipe(seed=seed, leads=leads, going_on=invented.going_on(events))
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            _load(connection, recipe)
            _check(connection)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            _write_site_files(connection, beside(path, "sites"))
    except BaseException:
        path.unlink()
        raise


async def _make_empty(path: Path) -> None:
    """A new store that knows with which settings, and when, its leads are scored."""
    db = await store.open_store(path, now=invented.NOW)
    try:
        await rescoring.refresh(db, ScoreSettings(), now=invented.NOW)
    finally:
        await db.close()


def _load(connection: sqlite3.Connection, recipe: Recipe) -> None:
    for pragma in _WHILE_LOADING:
        connection.execute(pragma)
    later = _set_aside(connection)
    connection.execute("BEGIN")
    _insert(connection, "import_batch", batches(recipe))
    _insert(connection, "tag", tags())
    for chunk in _invented_chunks(recipe):
        for table, rows in chunk.items():
            _insert(connection, table, rows)
    connection.execute("COMMIT")
    _say("rows")
    for statement in later:
        connection.execute(statement)
    _say("indexes")
    _fill_search_index(connection)
    _say("search index")


def _set_aside(connection: sqlite3.Connection) -> list[str]:
    """Drop plain indexes and triggers; returns the statements that bring them back."""
    kept = connection.execute(
        "SELECT type, name, sql FROM sqlite_master "
        "WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    ).fetchall()
    for kind, name, _ in kept:
        connection.execute(f"DROP {kind} {name}")
    return [sql for _, _, sql in kept]


def _invented_chunks(recipe: Recipe) -> Iterator[Rows]:
    """The rows of all leads in order, invented a little ahead in processes of their own."""
    if recipe.leads <= PER_CHUNK:  # not worth starting processes for
        yield marshal.loads(rows_of_chunk(recipe, 1))
        return
    waiting: deque[Future[bytes]] = deque()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as inventors:
        for start in range(1, recipe.leads + 1, PER_CHUNK):
            waiting.append(inventors.submit(rows_of_chunk, recipe, start))
            if len(waiting) > AHEAD:
                yield marshal.loads(waiting.popleft().result())
        while waiting:
            yield marshal.loads(waiting.popleft().result())


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    waiting = list(rows)
    columns = COLUMNS[table]
    one = f"({', '.join('?' * len(columns))})"
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
    whole = len(waiting) // ROWS_A_STATEMENT * ROWS_A_STATEMENT
    connection.executemany(
        head + ", ".join([one] * ROWS_A_STATEMENT),
        (
            tuple(chain.from_iterable(waiting[start : start + ROWS_A_STATEMENT]))
            for start in range(0, whole, ROWS_A_STATEMENT)
        ),
    )
    connection.executemany(head + one, waiting[whole:])


def _fill_search_index(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    connection.execute("INSERT INTO search_index (search_index) VALUES ('rebuild')")
    connection.execute("COMMIT")


def _write_site_files(connection: sqlite3.Connection, folder: Path) -> None:
    for slug, html in connection.execute("SELECT slug, html FROM site"):
        page = page_path(folder, slug)
        page.parent.mkdir(parents=True)
        page.write_text(html, encoding="utf-8")
    _say("files of the sites")


def _check(connection: sqlite3.Connection) -> None:
    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    _say("foreign keys checked")
    (sound,) = connection.execute("PRAGMA quick_check").fetchone()
    _say("integrity checked")
    if broken or sound != "ok":
        raise RuntimeError(f"The store does not hold together: {broken[:3] or sound}")


_started = time.perf_counter()


def _say(done: str) -> None:
    print(f"{time.perf_counter() - _started:6.1f} s  {done}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.make_store", description=__doc__)
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--events", type=float, default=2, help="events of a lead, on average, 1-5")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        make_store(
            options.path.absolute(), leads=options.leads, events=options.events, seed=options.seed
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
