"""Opening a call sheet on a fifth of the leads: until it is known who can be called."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.measure import Measure, median
from benchmarks.scale import Scale, alone, big_store
from crm_tui.clock import utc_now
from crm_tui.db.engine import Database
from crm_tui.services import calling, lead_rows
from crm_tui.services.lead_query import LeadQuery


def run(scale: Scale) -> list[Measure]:
    took, left = asyncio.run(_rounds(big_store(scale), scale))
    at = f"{scale.leads // 5:,} of {scale.at}"
    return [Measure("call sheet: who is to be called", at, took, "ms", note=f"{left:,} can be")]


async def _rounds(store: Path, scale: Scale) -> tuple[float, int]:
    db, times, left = Database(store), [], 0
    try:
        ids = (await lead_rows.order(db, LeadQuery()))[: scale.leads // 5]
        for _ in range(scale.runs):
            began = time.perf_counter()
            left = (await calling.round_of(db, ids, now=utc_now())).left
            times.append(1000 * (time.perf_counter() - began))
    finally:
        await db.close()
    return median(times), left


if __name__ == "__main__":
    alone(run)
