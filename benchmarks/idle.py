"""What the program writes while nothing happens: nothing."""

from __future__ import annotations

from benchmarks.measure import Measure
from benchmarks.scale import PROGRAM, Scale, alone, big_store, own_places
from benchmarks.start import first_lead
from benchmarks.terminal import Terminal

SECONDS = 5


def run(scale: Scale) -> list[Measure]:
    store = big_store(scale)
    with own_places() as (_, env), Terminal([PROGRAM, "--db", str(store)], env=env) as terminal:
        terminal.shown(first_lead(store))
        terminal.settle()
        size = terminal.listen(SECONDS)
    return [Measure(f"idle for {SECONDS} s", f"{scale.at}, 80x24", size, "bytes", 0)]


if __name__ == "__main__":
    alone(run)
