"""The memory of the app: resident, after going through the list to its end and back."""

from __future__ import annotations

from benchmarks.measure import Measure
from benchmarks.scale import PROGRAM, Scale, alone, big_store, own_places
from benchmarks.start import first_lead
from benchmarks.terminal import Terminal

LIMIT_MB = 150
_PAGE_DOWN, _PAGE_UP = "\x1b[6~", "\x1b[5~"


def run(scale: Scale) -> list[Measure]:
    store = big_store(scale)
    with own_places() as (_, env), Terminal([PROGRAM, "--db", str(store)], env=env) as terminal:
        terminal.shown(first_lead(store))
        terminal.settle()
        fresh = terminal.resident()
        for keys in ("G", _PAGE_UP, "gg", _PAGE_DOWN):
            for _ in range(scale.keys if keys in {_PAGE_UP, _PAGE_DOWN} else 1):
                terminal.press(keys)
        travelled = terminal.resident()
    note = f"{fresh:.0f} MB before"
    return [
        Measure("memory, to the end and back", scale.at, travelled, "MB", LIMIT_MB, note=note),
    ]


if __name__ == "__main__":
    alone(run)
