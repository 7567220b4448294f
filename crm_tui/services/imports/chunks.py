"""Records of a file in chunks, read in a thread, as many at a time as can be written quickly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_AIM = 0.15
"""Seconds a chunk's transaction should take: well below what is allowed, for slower moments."""

_FIRST, _FEWEST, _MOST = 200, 100, 1000


@dataclass(slots=True)
class Pace:
    """How many records a chunk holds, by how long the last one took to write."""

    size: int = _FIRST

    def took(self, records: int, seconds: float) -> None:
        """Learn from a chunk: more at a time while it is quick, at once fewer when it was slow."""
        wanted = int(records * _AIM / max(seconds, 0.001))
        self.size = max(_FEWEST, min(wanted, 2 * self.size, _MOST))


async def chunks(
    records: Iterator[T], pace: Pace, *, weight: Callable[[T], int], heaviest: int
) -> AsyncGenerator[list[T]]:
    """Chunks of an iterator that blocks.

    The next chunk is read when the last one was written, not while: the reading thread would only
    keep the interpreter from the threads that write, and their transactions would last longer.

    Args:
        records: Taken in threads, one at a time; closed at the end if it is a generator.
        pace: How many make a chunk.
        weight: What one weighs.
        heaviest: At this weight a chunk is full.
    """

    def take() -> list[T]:
        chunk: list[T] = []
        carried = 0
        for record in records:
            chunk.append(record)
            carried += weight(record)
            if len(chunk) >= pace.size or carried >= heaviest:
                break
        return chunk

    reading = asyncio.ensure_future(asyncio.to_thread(take))
    try:
        while chunk := await asyncio.shield(reading):
            yield chunk
            reading = asyncio.ensure_future(asyncio.to_thread(take))
    finally:
        # A thread cannot be stopped, only waited for; it reads one chunk at most.
        await asyncio.wait([reading])
        if not reading.cancelled():
            reading.exception()
        close = getattr(records, "close", None)
        if close is not None:
            await asyncio.to_thread(close)
