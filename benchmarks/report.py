"""docs/performance.md: the last table, and the machine it comes from."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import Measure, Verdict, table

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

_TEXT = """\
# Performance

`make bench` measures the real program and writes this page; `python -m benchmarks.NAME` measures
one thing, `--quick` at small sizes. `make bench-peers` first, to have harlequin and posting started
in the same run. Times differ from machine to machine and from run to run: compare within one table.

Measured on {day} on {machine}. {load}

{summary}

{table}

How it is measured:

- The store holds invented leads, about two events each, written by `benchmarks/make_store.py`; the
  tests compare it with what the services would have written. Its backup of the day has been made.
- The program runs in a pseudo-terminal of 80x24. A key is timed from its being sent to the last
  byte that comes of it, until nothing has come for {quiet:.0f} ms; keys are sent one at a time.
- The start is timed from exec to the moment the first lead's name has been received; other programs
  to the moment their first pane's title has been. The medians of {runs} runs, after one that only
  warms the caches, the programs taking turns.
- Memory is what is resident; of an import, at its peak.
- Imports and builds are timed over the whole run of the command, its start included.
- Bulk changes are timed in one process, as long as one waits for them in the app; the medians of 3
  runs, each on a fresh copy of the store.
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine was with other things, as its load average tells."""

    before: float
    after: float

    def __str__(self) -> str:
        busy = " Other programs were running beside it." if self.before > 1 else ""
        return (
            f"The load average was {self.before:.1f} when the run began, {self.after:.1f} when it "
            f"ended.{busy}"
        )


def load_average() -> float:
    """The load of the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def summary(measures: Sequence[Measure]) -> str:
    """How many limits are reached, and which are missed."""
    verdicts = [measure.verdict for measure in measures]
    reached, missed = verdicts.count(Verdict.PASS), verdicts.count(Verdict.MISS)
    said = f"{reached} of {reached + missed} limits are reached."
    if missed:
        names = "; ".join(m.what for m in measures if m.verdict is Verdict.MISS)
        said += f" Missed: {names}."
    return said


def write(measures: Sequence[Measure], *, load: Load, runs: int, quiet: float) -> None:
    """Write the page anew. `quiet` is in seconds."""
    PAGE.write_text(
        _TEXT.format(
            day=date.today().isoformat(),  # noqa: DTZ011 - the day where the reader of the page is
            machine=_machine(),
            load=load,
            summary=summary(measures),
            table=table(measures),
            quiet=1000 * quiet,
            runs=runs,
        ),
        encoding="utf-8",
    )


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"Textual {version('textual')}"
    )
