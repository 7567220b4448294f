"""The time of `--version` and `--help`, and that they import neither Textual nor SQLAlchemy."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from benchmarks.measure import Measure, median
from benchmarks.scale import PROGRAM, Scale, alone

LIMIT_MS = 150
_HEAVY = ("textual", "sqlalchemy")


def run(scale: Scale) -> list[Measure]:
    measures = []
    for option in ("--version", "--help"):
        times = [_milliseconds(option) for _ in range(scale.runs + 1)][1:]
        note = f"{min(times):.0f} to {max(times):.0f} ms"
        measures.append(Measure(option, "", median(times), "ms", LIMIT_MS, note=note))
        heavy = heavy_imports(option)
        measures.append(
            Measure(
                f"{option}: imports of {' or '.join(_HEAVY)}", "", len(heavy), "modules", 0,
                note=", ".join(heavy[:3]),
            )
        )  # fmt: skip
    return measures


def heavy_imports(option: str) -> list[str]:
    """The modules of Textual and SQLAlchemy that an option brings in."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "crm_tui", option],
        check=True,
        capture_output=True,
        text=True,
    )
    imported = re.findall(r"\|\s+([\w.]+)$", ran.stderr, re.MULTILINE)
    return [name for name in imported if name.partition(".")[0] in _HEAVY]


def _milliseconds(option: str) -> float:
    began = time.perf_counter()
    subprocess.run([PROGRAM, option], check=True, capture_output=True)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    alone(run)
