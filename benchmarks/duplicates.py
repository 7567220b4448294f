"""Looking for pairs of leads that may be one business: until the first is told, and until all are."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.measure import Measure
from benchmarks.scale import Scale, alone, big_store
from crm_tui.db.engine import Database
from crm_tui.services import duplicates
from crm_tui.services.duplicates import Suggestion

FIRST_S, ALL_S = 1.0, 5.0


def run(scale: Scale) -> list[Measure]:
    first, whole, count = asyncio.run(_search(big_store(scale)))
    return [
        Measure("duplicates: the first suggestion", scale.at, first, "s", FIRST_S),
        Measure("duplicates: all", scale.at, whole, "s", ALL_S, note=f"{count} suggestions"),
    ]


async def _search(store: Path) -> tuple[float, float, int]:
    told: list[float] = []

    def so_far(_found: list[Suggestion]) -> None:
        told.append(time.perf_counter() - began)

    db = Database(store)
    try:
        began = time.perf_counter()
        found = await duplicates.suggestions(db, so_far=so_far)
        whole = time.perf_counter() - began
    finally:
        await db.close()
    return told[0] if told else whole, whole, len(found)


if __name__ == "__main__":
    alone(run)
