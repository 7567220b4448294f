"""From exec to the first leads on the screen, beside two Textual programs people know.

Harlequin opens the same store and counts as started when it shows its query editor, posting when
it shows its collections. `make bench-peers` installs both, each in an environment of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import platformdirs

from benchmarks.measure import Measure, median
from benchmarks.scale import PROGRAM, Scale, alone, big_store, own_places
from benchmarks.terminal import Terminal

PEERS = platformdirs.user_cache_path("crm-tui-bench") / "peers"
LIMIT = 0.9
_FIRST_LEAD = """
    SELECT name FROM business WHERE archived_at IS NULL
    ORDER BY qualification_score DESC, sort_name, id LIMIT 1
"""


def run(scale: Scale) -> list[Measure]:
    store = big_store(scale)
    commands = {"crm-tui": ([PROGRAM, "--db", str(store)], first_lead(store))}
    if (harlequin := _peer("harlequin")) is not None:
        commands["harlequin"] = ([harlequin, "-a", "sqlite", str(store)], "Query Editor")
    if (posting := _peer("posting")) is not None:
        commands["posting"] = ([posting], "Collection")
    times: dict[str, list[float]] = {name: [] for name in commands}
    with own_places() as (_, env):
        for turn in range(scale.runs + 1):
            for name, (command, words) in commands.items():
                seconds = _started(command, words, env)
                if turn and seconds is not None:  # the first only warms the caches
                    times[name].append(seconds)
    if len(times["crm-tui"]) < scale.runs:
        raise RuntimeError("crm-tui did not always show its first lead")
    ours = median(times["crm-tui"])
    spread = f"{min(times['crm-tui']):.2f} to {max(times['crm-tui']):.2f} s in {scale.runs} runs"
    return [
        Measure("start to the first leads", scale.at, ours, "s", LIMIT, note=spread),
        *(_beside(name, ours, times.get(name)) for name in ("harlequin", "posting")),
    ]


def _beside(name: str, ours: float, times: Sequence[float] | None) -> Measure:
    what, at = f"start to the first leads, beside {name}", "the same run"
    if times:
        theirs = median(times)
        return Measure(what, at, ours, "s", theirs, note=f"{name}: {theirs:.2f} s")
    missing = times is None
    note = f"{name} is not installed: make bench-peers" if missing else f"{name} did not start"
    return Measure(what, at, None, "s", note=note)


def first_lead(store: Path) -> str:
    """How the name at the top of the list begins; the table may cut the rest."""
    with closing(sqlite3.connect(store)) as connection:
        (name,) = connection.execute(_FIRST_LEAD).fetchone()
    return str(name)[:20]


def _peer(name: str) -> str | None:
    path = PEERS / name / "bin" / name
    return str(path) if path.exists() else None


def _started(command: Sequence[str], words: str, env: dict[str, str]) -> float | None:
    with Terminal(command, env=env) as terminal:
        return terminal.shown(words, timeout=20)


if __name__ == "__main__":
    alone(run)
