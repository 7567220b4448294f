"""What SQLite alone takes for what the list asks of it: the floor under every other figure."""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Callable
from contextlib import closing

from benchmarks.measure import Measure, median
from benchmarks.scale import Scale, alone, big_store

_ORDER = "ORDER BY qualification_score DESC, sort_name, id"
_LISTED = "FROM business WHERE archived_at IS NULL"
_FIRST = f"SELECT * {_LISTED} {_ORDER} LIMIT 60"
_AFTER = f"""
    SELECT * {_LISTED} AND qualification_score <= ?1
    AND (qualification_score, sort_name, id) NOT IN (VALUES (?1, ?2, ?3))
    AND (qualification_score < ?1 OR (sort_name, id) > (?2, ?3)) {_ORDER} LIMIT 60
"""
_IDS = f"SELECT id {_LISTED} {_ORDER}"
_BY_STATUS = "SELECT contact_status, count(*) FROM business GROUP BY contact_status"
_PREFIX = "SELECT rowid FROM search_index WHERE search_index MATCH '\"spr\"*' LIMIT 60"


def run(scale: Scale) -> list[Measure]:
    with closing(sqlite3.connect(big_store(scale))) as connection:
        ids = array("q", (row[0] for row in connection.execute(_IDS)))
        half = connection.execute(
            "SELECT qualification_score, sort_name, id FROM business WHERE id = ?",
            (ids[len(ids) // 2],),
        ).fetchone()
        step = max(len(ids) // 60, 1)
        some = tuple(ids[::step][:60])
        by_id = f"SELECT * FROM business WHERE id IN ({', '.join('?' * len(some))})"
        statements: dict[str, Callable[[], object]] = {
            "SQLite: first page of 60": lambda: connection.execute(_FIRST).fetchall(),
            "SQLite: page in the middle": lambda: connection.execute(_AFTER, half).fetchall(),
            "SQLite: 60 rows by id": lambda: connection.execute(by_id, some).fetchall(),
            "SQLite: words beginning with 3 letters": lambda: connection.execute(
                _PREFIX
            ).fetchall(),
            "SQLite: counts by status": lambda: connection.execute(_BY_STATUS).fetchall(),
            "SQLite: all ids in order": lambda: array(
                "q", (row[0] for row in connection.execute(_IDS))
            ),
        }
        return [
            Measure(what, scale.at, _milliseconds(do, scale.runs), "ms")
            for what, do in statements.items()
        ]


def _milliseconds(do: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        do()
        times.append(1000 * (time.perf_counter() - began))
    return median(times)


if __name__ == "__main__":
    alone(run)
