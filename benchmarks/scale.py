"""How much is measured, the stores it is measured on, and how one benchmark is run alone."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Measure, table
from crm_tui.clock import utc_now
from crm_tui.services import backup

HERE = Path(__file__).parent
CACHE = HERE / ".cache"
PROGRAM = str(Path(sys.executable).with_name("crm-tui"))


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of everything that is measured."""

    leads: int
    import_rows: int
    sites: int
    bulk: int
    runs: int
    keys: int

    @property
    def at(self) -> str:
        """The size of the big store, in words."""
        return f"{self.leads:,} leads"


FULL = Scale(leads=1_000_000, import_rows=100_000, sites=1_000, bulk=10_000, runs=9, keys=40)
QUICK = Scale(leads=20_000, import_rows=4_000, sites=100, bulk=1_000, runs=3, keys=10)


def big_store(scale: Scale, *, events: int = 2) -> Path:
    """The store of `scale.leads` leads, made when it is missing or of another version.

    `events` is how many there are of a lead, on average.
    """
    sources = [*HERE.glob("invented*.py"), HERE / "make_store.py"]
    sources += (HERE.parent / "crm_tui" / "db" / "migrations" / "versions").glob("*.py")
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()
    name = f"leads-{scale.leads}-{events}"
    path = CACHE / f"{name}-{version[:8]}" / "crm.db"
    if not path.exists():
        for old in CACHE.glob(f"{name}-*"):
            shutil.rmtree(old)
        path.parent.mkdir(parents=True)
        # In a process of its own: what it takes would be counted as memory of those begun after it.
        program = [sys.executable, "-m", "benchmarks.make_store", str(path)]
        size = ["--leads", str(scale.leads), "--events", str(events)]
        subprocess.run([*program, *size], cwd=HERE.parent, check=True)
    _count_as_backed_up(path)
    return path


def _count_as_backed_up(store: Path) -> None:
    """Spare the app the backup of the day: gigabytes that are copied and checked as one measures."""
    while (kind := backup.due(store, utc_now())) is not None:
        path = backup.free_name(store, now=utc_now(), kind=kind)
        path.parent.mkdir(exist_ok=True)
        path.touch()


@contextmanager
def own_places() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder to throw away, and variables that keep programs out of the operator's own."""
    with tempfile.TemporaryDirectory(prefix="crm-bench-") as folder:
        names = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
        yield Path(folder), {name: str(Path(folder) / name.lower()) for name in names}


def alone(run: Callable[[Scale], Sequence[Measure]]) -> None:
    """Run one benchmark from the command line, and print its part of the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions")
    options = parser.parse_args()
    print(table(run(QUICK if options.quick else FULL)))
