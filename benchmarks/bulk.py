"""Changing many leads at once, taking it back and doing it again, with the program's own services.

Without the start of the program: a change is as long as the operator waits for it in the app.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.make_store import make_store
from benchmarks.measure import Measure, median
from benchmarks.scale import Scale, alone, own_places
from crm_tui.clock import utc_now
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import bulk, undo
from crm_tui.services.bulk import Change
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import order
from crm_tui.vocabulary import ContactStatus

SECONDS = 1.0
RUNS = 3
SETTINGS = Settings()
CHANGES: dict[str, Callable[[], Change]] = {
    "tag": lambda: bulk.add_tag("measured"),
    "status": lambda: bulk.set_status(ContactStatus.REPLIED),
    "archive": bulk.archive,
    "city": lambda: bulk.set_field("city", "Yonkers", SETTINGS),
    "category": lambda: bulk.set_field("category", "Chimney sweep", SETTINGS),
}


def run(scale: Scale) -> list[Measure]:
    seconds: dict[str, dict[str, list[float]]] = {}
    with own_places() as (folder, _):
        store = folder / "crm.db"
        # Some of the leads are archived, which no list has.
        make_store(store, leads=scale.bulk + scale.bulk // 50 + 10)
        for name, change in CHANGES.items():
            for number in range(min(RUNS, scale.runs)):
                copy = Path(shutil.copy(store, folder / f"{name}-{number}.db"))
                for step, took in asyncio.run(_run(copy, scale.bulk, change())).items():
                    seconds.setdefault(step, {}).setdefault(name, []).append(took)
    return [
        _measure(f"{step}: slowest", f"{scale.bulk:,} leads", by_name)
        for step, by_name in seconds.items()
    ]


async def _run(store: Path, leads: int, change: Change) -> dict[str, float]:
    db = Database(store)
    try:
        ids = (await order(db, LeadQuery()))[:leads]
        took = {"a bulk change": await _timed(_change(db, ids, change))}
        for step, turn in (("its undo", undo.undo), ("its redo", undo.redo)):
            took[step] = await _timed(turn(db, settings=SETTINGS, now=utc_now()))
    finally:
        await db.close()
    return took


async def _change(db: Database, ids: array[int], change: Change) -> None:
    result = await bulk.run(db, ids, change, now=utc_now())
    if result.changed < len(ids) * 0.8:
        raise RuntimeError(f"Only {result.changed:,} leads were changed.")


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def _measure(what: str, at: str, by_name: dict[str, list[float]]) -> Measure:
    medians = {name: median(values) for name, values in by_name.items()}
    slowest = max(medians, key=medians.__getitem__)
    note = ", ".join(f"{name} {took:.2f}" for name, took in medians.items())
    return Measure(what, at, medians[slowest], "s", SECONDS, note=note)


if __name__ == "__main__":
    alone(run)
