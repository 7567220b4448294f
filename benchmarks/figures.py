"""The funnel and every figure of a large store: when they are asked for first, and again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.invented import NOW
from benchmarks.measure import Measure, median
from benchmarks.scale import Scale, alone, big_store
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services.figures.asking import scope_of
from crm_tui.services.figures.told import told

EVENTS = 5
"""Of each lead."""
ASKED = (
    ("all leads", None, None),
    ("a period of 90 days", "90d", None),
    ("one city", None, "city:springfield"),
)
FIRST_MS, AGAIN_MS = 1_000, 100


def run(scale: Scale) -> list[Measure]:
    store = big_store(scale, events=EVENTS)
    return asyncio.run(_run(store, scale))


async def _run(store: Path, scale: Scale) -> list[Measure]:
    at = f"{scale.at}, {scale.leads * EVENTS:,} events"
    measures = []
    for what, since, query in ASKED:
        scope = scope_of(Settings(), since=since, until=None, query=query, now=NOW)
        first: list[float] = []
        again: list[float] = []
        for _ in range(scale.runs):
            # A store that was just opened: nothing is kept of it.
            db = Database(store)
            try:
                for times in (first, again):
                    began = time.perf_counter()
                    await told(db, scope)
                    times.append(1000 * (time.perf_counter() - began))
            finally:
                await db.close()
        worst = f"slowest {max(first):.0f} ms"
        name = f"funnel and every figure, {what}"
        measures += [
            Measure(f"{name}: first", at, median(first), "ms", FIRST_MS, note=worst),
            Measure(f"{name}: again", at, median(again), "ms", AGAIN_MS),
        ]
    return measures


if __name__ == "__main__":
    alone(run)
