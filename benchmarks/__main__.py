"""Runs every benchmark and writes docs/performance.md: `python -m benchmarks [--quick]`."""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks import (
    bulk,
    calling,
    duplicates,
    erasing,
    figures,
    idle,
    importing,
    keys,
    memory,
    polling,
    report,
    searching,
    sending,
    sending_keys,
    sites,
    sqlite_basics,
    start,
    typed,
    words,
)
from benchmarks.measure import Measure, table
from benchmarks.scale import FULL, QUICK, big_store
from benchmarks.terminal import QUIET

ALL = {
    "words": words.run,
    "start": start.run,
    "keys": keys.run,
    "idle": idle.run,
    "memory": memory.run,
    "typed": typed.run,
    "searching": searching.run,
    "sqlite_basics": sqlite_basics.run,
    "importing": importing.run,
    "sites": sites.run,
    "bulk": bulk.run,
    "calling": calling.run,
    "duplicates": duplicates.run,
    "erasing": erasing.run,
    "sending": sending.run,
    "sending_keys": sending_keys.run,
    "polling": polling.run,
    "figures": figures.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, few repetitions; writes no page"
    )
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    big_store(scale)
    before, failed = report.load_average(), False
    measures: list[Measure] = []
    for name, run in ALL.items():
        began = time.perf_counter()
        try:
            measures += run(scale)
        except Exception as error:  # noqa: BLE001 - one that fails leaves the others worth knowing
            print(f"{name} failed: {error}", file=sys.stderr)
            measures.append(Measure(name, "", None, "", note="failed"))
            failed = True
        print(f"{time.perf_counter() - began:6.1f} s  {name}", file=sys.stderr)
    print(table(measures))
    print(report.summary(measures))
    if not options.quick and not failed:
        load = report.Load(before, report.load_average())
        report.write(measures, load=load, runs=scale.runs, quiet=QUIET)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
