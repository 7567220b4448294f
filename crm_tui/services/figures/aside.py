"""Counting beside the program: on a thread, an event loop and connections of its own.

Figures pass many rows through Python. Where that happened on the loop of the screens, keys would
wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Thread
from typing import TypeVar

from crm_tui.db.engine import Database

T = TypeVar("T")


class Aside:
    """Counts on a store, several things at a time if need be; `close` ends it.

    Args:
        path: the store, which is open already.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = Database(path)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="figures", daemon=True)
        self._thread.start()

    async def run(self, count: Callable[[Database], Awaitable[T]]) -> T:
        """What a function of the store comes to; cancelling the task stops it and its statement."""

        async def work() -> T:
            return await count(self._db)

        counted = asyncio.run_coroutine_threadsafe(work(), self._loop)
        return await asyncio.wrap_future(counted)

    async def close(self) -> None:
        """Stop what is being counted, and close the connections."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._stop(), self._loop))
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def _stop(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._db.close()
