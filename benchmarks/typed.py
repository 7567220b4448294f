"""Twenty keystrokes in 0.6 seconds into the filter: from the last one to its result on the screen."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.measure import Measure, median
from benchmarks.scale import PROGRAM, Scale, alone, big_store, own_places
from benchmarks.start import first_lead
from benchmarks.terminal import Terminal
from crm_tui.db.engine import Database
from crm_tui.services import lead_rows
from crm_tui.services.lead_query import LeadQuery

EVERY, RESULT_MS = 0.03, 150
TYPED = ("springfield plumbing", "score>60 springfield")
_NOTHING = "No lead matches"
_NAME = 20
"""Letters of the first name that are looked for; a list may cut the rest."""


def run(scale: Scale) -> list[Measure]:
    store = big_store(scale)
    expected = asyncio.run(_first_of_each(store))
    times: dict[str, list[float]] = {words: [] for words in TYPED}
    with own_places() as (_, env), Terminal([PROGRAM, "--db", str(store)], env=env) as terminal:
        terminal.shown(first_lead(store))
        terminal.settle()
        for _ in range(scale.runs):
            for words in TYPED:
                times[words].append(_milliseconds(terminal, words, expected[words]))
    return [
        Measure(
            f"{len(words)} keys typed, 30 ms each: the last to its result",
            scale.at,
            median(took),
            "ms",
            RESULT_MS,
            note=f"{words!r}: {min(took):.0f} to {max(took):.0f} ms",
        )
        for words, took in times.items()
    ]


async def _first_of_each(store: Path) -> dict[str, str]:
    """The name that each filter shows first."""
    db = Database(store)
    try:
        async with db.read() as session:
            found = {
                words: await lead_rows.first_rows(session, LeadQuery(words), limit=1)
                for words in TYPED
            }
    finally:
        await db.close()
    return {words: rows[0].name[:_NAME] if rows else _NOTHING for words, rows in found.items()}


def _milliseconds(terminal: Terminal, words: str, expected: str) -> float:
    """Type the words, and wait for what they find; then go back to all leads."""
    terminal.press("/")
    sent = 0.0
    for key in words:
        sent = time.perf_counter()
        terminal.send(key)
        while (left := sent + EVERY - time.perf_counter()) > 0:
            terminal.read(left)
    moment = time.perf_counter()
    while expected not in terminal.text:
        output, moment = terminal.read(5)
        if not output:
            raise RuntimeError(f"{words!r} never showed {expected!r}")
    terminal.settle()
    terminal.press("\x1b")
    terminal.settle()
    terminal.press("\x1b")
    terminal.settle()
    return 1000 * (moment - sent)


if __name__ == "__main__":
    alone(run)
