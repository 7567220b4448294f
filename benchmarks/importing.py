"""Importing an unknown CSV with the real command line: rows a second, and peak memory.

Every twentieth row repeats an earlier business, so that merging is paid for too. Rates are over the
whole run of the program, its start included.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import invented
from benchmarks.measure import Measure
from benchmarks.scale import PROGRAM, Scale, alone, own_places

ROWS_PER_SECOND = 2_500
FLAT = 1.2
"""How much more memory four times the rows may take."""
REPEAT_EVERY = 20
_HEADER = (
    "Business name", "Category", "Street", "City", "State", "ZIP", "Country", "Phone", "E-mail",
    "Website", "Rating", "Reviews", "Place ID", "Notes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of the program: its one JSON document, seconds, those of the CPU, peak megabytes."""

    document: dict[str, Any]
    seconds: float
    cpu: float
    peak: float


def run(scale: Scale) -> list[Measure]:
    quarter, rows = scale.import_rows // 4, scale.import_rows
    with own_places() as (folder, env):
        small = import_list(write_list(folder / "quarter.csv", quarter), folder / "a.db", env)
        path = write_list(folder / "whole.csv", rows)
        whole = import_list(path, folder / "b.db", env)
        again = import_list(path, folder / "b.db", env)
    if whole.document["rejected"]:
        raise RuntimeError(f"The import refused rows: {whole.document['problems'][:3]}")
    at = f"{rows:,} rows"
    created = f"{whole.document['created']:,} created; {whole.cpu:.0f} s of CPU"
    peaks = f"{small.peak:.0f} MB at {quarter:,} rows, {whole.peak:.0f} MB at {rows:,}"
    return [
        Measure(
            "import",
            at,
            rows / whole.seconds,
            "rows/s",
            ROWS_PER_SECOND,
            at_least=True,
            note=created,
        ),
        Measure("import of the same list again", at, rows / again.seconds, "rows/s"),
        Measure(
            "import of the same list again: created", at, again.document["created"], "leads", 0
        ),
        Measure("import: peak memory", at, whole.peak, "MB"),
        Measure(
            "import: peak memory, beside a quarter of it",
            at,
            whole.peak / small.peak,
            "times",
            FLAT,
            note=peaks,
        ),
    ]


def write_list(path: Path, rows: int) -> Path:
    """Write a CSV of so many rows; the same for the same number."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        writer.writerows(_rows(rows))
    return path


def _rows(count: int) -> Iterator[tuple[object, ...]]:
    random = Random(7)
    line: tuple[object, ...] = ()
    for number in range(1, count + 1):
        if number % REPEAT_EVERY:
            line = _line(number, invented.invent(number, random))
        yield line


def _line(number: int, lead: invented.Lead) -> tuple[object, ...]:
    return (
        lead.name, lead.category, lead.street, lead.city, lead.region, lead.postal_code, "US",
        ", ".join(lead.phones), lead.email, lead.website, lead.rating, lead.review_count,
        lead.place_id, "Met at the fair" if number % 50 == 1 else None,
    )  # fmt: skip


def import_list(path: Path, store: Path, env: Mapping[str, str]) -> Ran:
    """Run `crm-tui import` and watch it."""
    return watch([PROGRAM, "--db", str(store), "import", str(path), "--json"], env)


def watch(command: list[str], env: Mapping[str, str]) -> Ran:
    """Run a program that answers with one JSON document; what it said and took."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode not in {0, 3}:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    cpu = usage.ru_utime + usage.ru_stime
    return Ran(json.loads(said), seconds, cpu, usage.ru_maxrss * unit / 1e6)


if __name__ == "__main__":
    alone(run)
