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
    commands = {"crm-tui": ([PROGRAM, "--db", str(store)], (first_lead(store),))}
    if (harlequin := _peer("harlequin")) is not None:
        commands["harlequin"] = ([harlequin, "-a", "sqlite", str(store)], ("Query Editor",))
    if (posting := _peer("posting")) is not None:
        commands["posting"] = ([posting], ("Collection",))
    times: dict[str, list[float]] = {name: [] for name in commands}
    with own_places() as (_, env):
        for turn in range(scale.runs + 1):
            for name, (command, words) in commands.items():
                seconds = _started(command, words, env)
                if turn:  # the first only warms the caches
                    times[name].append(seconds)
    ours = median(times["crm-tui"])
    spread = f"{min(times['crm-tui']):.2f} to {max(times['crm-tui']):.2f} s in {scale.runs} runs"
    measures = [Measure("start to the first leads", scale.at, ours, "s", LIMIT, note=spread)]
    for name in ("harlequin", "posting"):
        what = f"start to the first leads, beside {name}"
        if name in times:
            theirs = median(times[name])
            measures.append(
                Measure(what, "the same run", ours, "s", theirs, note=f"{name}: {theirs:.2f} s")
            )
        else:
            note = f"{name} is not installed: make bench-peers"
            measures.append(Measure(what, "the same run", None, "s", note=note))
    return measures


def first_lead(store: Path) -> str:
    """How the name at the top of the list begins; the table may cut the rest."""
    with closing(sqlite3.connect(store)) as connection:
        (name,) = connection.execute(_FIRST_LEAD).fetchone()
    return str(name)[:20]


def _peer(name: str) -> str | None:
    path = PEERS / name / "bin" / name
    return str(path) if path.exists() else None


def _started(command: Sequence[str], words: tuple[str, ...], env: dict[str, str]) -> float:
    with Terminal(command, env=env) as terminal:
        seconds = terminal.shown(*words)
        if seconds is None:
            raise RuntimeError(f"{command[0]} never showed {words}; it shows:\n{terminal.text}")
    return seconds


if __name__ == "__main__":
    alone(run)
