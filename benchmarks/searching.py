"""Filtering as one types, through the services the screen uses: every prefix of a few words.

The first rows are what the eye waits for; the whole order follows in the background. Cancelling is
measured from the cancellation to the moment nothing runs any more.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.invented import NOW
from benchmarks.measure import Measure, median, percentile
from benchmarks.scale import Scale, alone, big_store
from crm_tui.db.engine import Database
from crm_tui.services import lead_rows
from crm_tui.services.filters import Standpoint
from crm_tui.services.lead_query import SORT_COLUMNS, LeadQuery, Sort

FIRST_ROWS = 100
TYPED = ("miller plumbing", "springfield", "the absolute king", "212 555", "office@garcia", "café")
INDEXED = (
    "city:springfield", "city:Spring*", "category:plumb*", "region:ny -has:website", "status:replied",
    "site:published", "score>=90", "score<10", "tag:vip", "called<7d", "activity<7d", "task:due",
    "is:qualified outcome:open -status:replied,purchased -is:never", "-city:springfield",
    "plumb city:springfield", "is:archived", "id:5,100..200",
)  # fmt: skip
OTHERS = (
    "has:email", "-has:email", "rating>4.9 reviews>500", "email:~garcia", "name:~zz", "phone:212*",
    "custom.floors>3", "-called<900d", "has:note", "has:url", "is:customer", "created>2026-01-01",
)  # fmt: skip
STANDPOINT = Standpoint(NOW, None, 60)
EARLY_MS, ANY_MS, STOP_MS = 150, 2_000, 100


def run(scale: Scale) -> list[Measure]:
    store = big_store(scale)
    return asyncio.run(_run(store, scale))


async def _run(store: Path, scale: Scale) -> list[Measure]:
    db = Database(store)
    try:
        return [
            *await _typing(db, scale),
            *await _filtering(db, scale),
            *await _sorting(db, scale),
            await _stopping(db, scale),
        ]
    finally:
        await db.close()


async def _typing(db: Database, scale: Scale) -> list[Measure]:
    first: dict[str, float] = {}
    whole: dict[str, float] = {}
    await _milliseconds_to_first_rows(db, LeadQuery("warm"))
    for words in TYPED:
        for end in range(1, len(words) + 1):
            query = LeadQuery(words[:end])
            first[words[:end]] = await _milliseconds_to_first_rows(db, query)
            began = time.perf_counter()
            await lead_rows.order(db, query)
            whole[words[:end]] = 1000 * (time.perf_counter() - began)
    one = [took for words, took in first.items() if len(words) == 1]
    more = {words: took for words, took in first.items() if len(words) > 1}
    slowest = max(more, key=lambda words: more[words])
    longest = max(whole, key=lambda words: whole[words])
    return [
        Measure(
            "filter: first rows from the second letter, p95", scale.at,
            percentile(list(more.values()), 95), "ms", EARLY_MS,
            note=f"median {median(list(more.values())):.1f} ms; slowest {slowest!r}: "
            f"{more[slowest]:.0f} ms",
        ),
        Measure(
            "filter: first rows of one letter, slowest", scale.at, max(one), "ms", ANY_MS,
            note=f"median {median(one):.0f} ms",
        ),
        Measure(
            "filter: the whole order, slowest", scale.at, whole[longest], "ms", ANY_MS,
            note=f"{longest!r}; median {median(list(whole.values())):.0f} ms",
        ),
    ]  # fmt: skip


async def _filtering(db: Database, scale: Scale) -> list[Measure]:
    measures = []
    for what, filters, most in (
        ("indexed fields, p95", INDEXED, EARLY_MS),
        ("other fields, slowest", OTHERS, ANY_MS),
    ):
        first = {}
        for text in filters:
            query = LeadQuery(text, standpoint=STANDPOINT)
            first[text] = await _milliseconds_to_first_rows(db, query)
        slowest = max(first, key=lambda text: first[text])
        took = percentile(list(first.values()), 95) if most == EARLY_MS else first[slowest]
        note = f"median {median(list(first.values())):.1f} ms; slowest {slowest!r}: "
        measures.append(
            Measure(
                f"filter: first rows by {what}",
                scale.at,
                took,
                "ms",
                most,
                note=f"{note}{first[slowest]:.0f} ms",
            )
        )
    return measures


async def _sorting(db: Database, scale: Scale) -> list[Measure]:
    first: dict[str, float] = {}
    whole: dict[str, float] = {}
    for column in SORT_COLUMNS:
        query = LeadQuery(sort=Sort(column))
        first[column] = await _milliseconds_to_first_rows(db, query)
        began = time.perf_counter()
        await lead_rows.order(db, query)
        whole[column] = 1000 * (time.perf_counter() - began)
    slow_first = max(first, key=lambda column: first[column])
    slow_whole = max(whole, key=lambda column: whole[column])
    return [
        Measure(
            "sort by a column: first rows, slowest", scale.at, first[slow_first], "ms", ANY_MS,
            note=f"{slow_first}; median {median(list(first.values())):.0f} ms",
        ),
        Measure(
            "sort by a column: the whole order, slowest", scale.at, whole[slow_whole], "ms", ANY_MS,
            note=f"{slow_whole}; median {median(list(whole.values())):.0f} ms",
        ),
    ]  # fmt: skip


async def _stopping(db: Database, scale: Scale) -> Measure:
    times = []
    for _ in range(scale.runs):
        work = asyncio.ensure_future(lead_rows.order(db, LeadQuery(sort=Sort("email"))))
        await asyncio.sleep(0.03)
        work.cancel()
        began = time.perf_counter()
        with suppress(asyncio.CancelledError):
            await work
        times.append(1000 * (time.perf_counter() - began))
    return Measure("a query given up: until it has stopped", scale.at, max(times), "ms", STOP_MS)


async def _milliseconds_to_first_rows(db: Database, query: LeadQuery) -> float:
    began = time.perf_counter()
    async with db.read() as session:
        await lead_rows.first_rows(session, query, limit=FIRST_ROWS)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    alone(run)
