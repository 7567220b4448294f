"""Erasing one lead, and how long somebody else who writes has to wait meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text

from benchmarks.measure import Measure
from benchmarks.scale import Scale, alone, big_store, own_places
from crm_tui.clock import utc_now
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import erase, lead_rows
from crm_tui.services.erase import Erasure
from crm_tui.services.lead_query import LeadQuery

WAIT_MS = 5_000
"""As long as a writer waits before it gives up (db/engine.py)."""
EVERY = 0.02


def run(scale: Scale) -> list[Measure]:
    with own_places() as (folder, _):
        store = Path(shutil.copy(big_store(scale), folder / "crm.db"))
        took, waited = asyncio.run(_erase(store))
    return [
        Measure("erasing a lead", scale.at, took, "s"),
        Measure("erasing a lead: the longest wait of a writer", scale.at, waited, "ms", WAIT_MS),
    ]


async def _erase(store: Path) -> tuple[float, float]:
    db, other = Database(store), Database(store)
    try:
        async with db.read() as session:
            (lead,) = await lead_rows.first_rows(session, LeadQuery(), limit=1)
        began = time.perf_counter()
        erasing = erase.erase(db, lead.id, settings=Settings(), now=utc_now())
        result, waited = await _beside(erasing, other)
        took = time.perf_counter() - began
    finally:
        await db.close()
        await other.close()
    if result.problems:
        raise RuntimeError(result.problems[0])
    return took, waited


async def _beside(erasing: Awaitable[Erasure], other: Database) -> tuple[Erasure, float]:
    """Erase, while somebody else writes a little all the time; the longest that took, in ms."""
    longest = 0.0

    async def write() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            async with other.write() as session:
                await session.execute(text("UPDATE setting SET value = value"))
            longest = max(longest, 1000 * (time.perf_counter() - began))
            await asyncio.sleep(EVERY)

    writing = asyncio.ensure_future(write())
    try:
        result = await erasing
    finally:
        if writing.done():
            writing.result()
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
    return result, longest


if __name__ == "__main__":
    alone(run)
