"""Zeros over what SQLite has deleted but left in the store's file: `python -m crm_tui.db.wiping FILE`.

`PRAGMA secure_delete` clears what is deleted, but not the copies that stay behind in the unused
middle of a page when its records move to another. Here every page is looked at, and what no record
uses is filled with zeros: the middle of the pages of tables and indexes, the blocks in them that
became free, and whole pages that are free. Follows "Database File Format" of the SQLite
documentation, sections 1.3 to 1.6.

SQLite never reads those bytes, so that no crash in between does harm. Three things keep what is
written here from meeting what SQLite writes:

- each step holds the write lock while the write-ahead log is empty: the file is the whole truth;
- each step ends with a change of its own, upon which every other connection forgets the pages it
  remembers, and with them the bytes that were wiped;
- it runs as a process of its own, because closing a file drops the locks that the same process
  holds on it by SQLite.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

STEP = 5_000
"""Pages that are looked at while others wait with writing: 20 megabytes."""

UNFIT = "the file has a form that cannot be wiped"
"""The answer for a store that has to be written anew instead."""

_WAIT = 5.0
_TRIES = 20
_LOG_FORMAT = 2
_MOST_PAGES = 1 << 24
"""From here on the number of a next page could look like the kind of a page."""

_HEADER = struct.Struct(">BHHHB")
_INTERIOR, _LEAF = frozenset({2, 5}), frozenset({10, 13})
_BLOCK = struct.Struct(">HH")


class Unfit(Exception):
    """The file is not of the form our stores have."""


class Shape(NamedTuple):
    """What the header of the file says.

    Attributes:
        size: of a page, in bytes.
        usable: bytes of a page that SQLite uses.
        pages: how many there are.
        trunk: the first page of the list of free ones; 0 when there is none.
    """

    size: int
    usable: int
    pages: int
    trunk: int


def wipe(store: Path, *, step: int = STEP) -> str:
    """Fill what no record uses with zeros; returns why that could not be done, or ""."""
    with store.open("r+b", buffering=0) as file:  # outlives the connections, and their locks
        try:
            first = 1
            while first:
                first = _one_step(store, file.fileno(), first, step)
                os.fsync(file.fileno())  # now, and not while others wait for the next step
            with closing(_connected(store)) as connection:
                return "" if _emptied_log(connection) else "another program is reading the store"
        except Unfit:
            return UNFIT
        except (sqlite3.Error, OSError) as error:
            return str(error)


def _connected(store: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(store, timeout=_WAIT, isolation_level=None)
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _emptied_log(connection: sqlite3.Connection) -> bool:
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _one_step(store: Path, file: int, first: int, step: int) -> int:
    """Wipe some pages; returns the first of the next, or 0.

    The connection is a new one each time: one that was used before would remember pages as they
    were before they were wiped.
    """
    log = store.with_name(f"{store.name}-wal")
    with closing(_connected(store)) as connection:
        for _ in range(_TRIES):
            if not _emptied_log(connection):
                raise sqlite3.OperationalError("another program is reading the store")
            connection.execute("BEGIN IMMEDIATE")
            if not log.exists() or not log.stat().st_size:
                break
            connection.execute("ROLLBACK")
        else:
            raise sqlite3.OperationalError("other programs are writing to the store all the time")
        shape = _shape(os.pread(file, 100, 0))
        free, trunks = _free_pages(file, shape)
        last = min(first + step - 1, shape.pages)
        content = os.pread(file, (last - first + 1) * shape.size, (first - 1) * shape.size)
        for start, end in _unused(content, first, shape, free, trunks):
            os.pwrite(file, bytes(end - start), (first - 1) * shape.size + start)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    return last + 1 if last < shape.pages else 0


def _shape(header: bytes) -> Shape:
    size, written, read, reserved = struct.unpack_from(">HBBB", header, 16)
    pages, trunk = struct.unpack_from(">II", header, 28)
    (largest_root,) = struct.unpack_from(">I", header, 52)
    if written != _LOG_FORMAT or read != _LOG_FORMAT or largest_root or pages >= _MOST_PAGES:
        raise Unfit
    size = 65_536 if size == 1 else size
    return Shape(size, size - reserved, pages, trunk)


def _free_pages(file: int, shape: Shape) -> tuple[set[int], dict[int, int]]:
    """The free pages, and those that list them, with where their lists end."""
    free: set[int] = set()
    trunks: dict[int, int] = {}
    trunk = shape.trunk
    while trunk:
        page = os.pread(file, shape.size, (trunk - 1) * shape.size)
        following, count = struct.unpack_from(">II", page)
        if trunk in trunks or trunk > shape.pages or 8 + 4 * count > shape.usable:
            raise Unfit
        free.update(struct.unpack_from(f">{count}I", page, 8))
        trunks[trunk] = 8 + 4 * count
        trunk = following
    return free, trunks


def _unused(
    content: bytes, first: int, shape: Shape, free: set[int], trunks: dict[int, int]
) -> Iterator[tuple[int, int]]:
    """Where in the content of these pages something stands that no record uses."""
    for number, start in enumerate(range(0, len(content), shape.size), first):
        end = start + shape.usable
        if number in trunks:
            spans = [(start + trunks[number], end)]
        elif number in free:
            spans = [(start, end)]
        elif number == 1:
            spans = []  # of the schema, in which nobody is named; what holds the lock remembers it
        else:
            spans = list(_gaps(content, start, shape))
        for low, high in spans:
            if content.count(0, low, high) != high - low:
                yield low, high


def _gaps(content: bytes, start: int, shape: Shape) -> Iterator[tuple[int, int]]:
    """The unused middle of a page of a table or index, and the blocks in it that became free."""
    kind, block, cells, first_cell, _ = _HEADER.unpack_from(content, start)
    if kind not in _LEAF and kind not in _INTERIOR:
        return  # the rest of a long record, which fills its pages
    pointers = 8 if kind in _LEAF else 12
    low, high = pointers + 2 * cells, first_cell or 65_536
    if not low <= high <= shape.usable:
        raise Unfit
    if content.count(0, start + low, start + high) != high - low:
        if cells and min(struct.unpack_from(f">{cells}H", content, start + pointers)) < high:
            raise Unfit
        yield start + low, start + high
    while block:
        if block + _BLOCK.size > shape.usable:
            raise Unfit
        following, length = _BLOCK.unpack_from(content, start + block)
        if block < high or block + length > shape.usable or 0 < following <= block:
            raise Unfit
        yield start + block + 4, start + block + length
        block = following


if __name__ == "__main__":
    sys.stdout.write(wipe(Path(sys.argv[1])))
