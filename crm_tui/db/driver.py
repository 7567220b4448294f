"""Connections of the driver, none of which outlives the event loop it was made in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from threading import Thread

import aiosqlite


class Connections:
    """Makes connections, and knows each whose thread still runs.

    A task that is cancelled while its connection is opened or closed leaves the rest to the
    connection's thread and awaits nothing of it. Where the loop was closed before the thread had
    told it the outcome, the thread would end with a traceback.

    Args:
        path: the SQLite file; it must exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: list[aiosqlite.Connection] = []

    async def make(self) -> aiosqlite.Connection:
        """A new connection, for SQLAlchemy's pools."""
        connection = aiosqlite.connect(uri_of(self.path), uri=True)
        thread = _thread_of(connection)
        thread.daemon = True  # as SQLAlchemy says where it makes the connection itself
        self._known = [each for each in self._known if _thread_of(each).is_alive()]
        self._known.append(connection)
        return await connection

    async def close(self) -> None:
        """Close what no pool has closed, and wait until every thread has ended."""
        for connection in self._known:
            if _thread_of(connection).is_alive():
                with suppress(ValueError):  # the driver's word for one that is not open
                    await connection.interrupt()
                connection.stop()
                await asyncio.to_thread(_thread_of(connection).join)
        self._known.clear()


def uri_of(path: Path) -> str:
    """How SQLite is told to open a store that is there.

    A store that is gone is gone: SQLite would otherwise make an empty one in its place.
    """
    return f"{path.absolute().as_uri()}?mode=rw"


def _thread_of(connection: aiosqlite.Connection) -> Thread:
    return connection._thread  # noqa: SLF001 - the driver has no public name for it
