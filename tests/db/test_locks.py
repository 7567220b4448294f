from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from crm_tui.db.engine import beside
from crm_tui.db.locks import held, is_held

HOLD = """
import sys
from pathlib import Path
from crm_tui.db.locks import held
with held(Path(sys.argv[1]), "worker") as ours:
    print(ours, flush=True)
    sys.stdin.readline()
"""


def holder(store: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_a_lock_is_held_once_and_for_one_store(tmp_path: Path) -> None:
    store = tmp_path / "crm.db"
    with held(store, "worker") as ours:
        assert ours
        assert is_held(store, "worker")
        assert not is_held(store, "other")
        assert not is_held(tmp_path / "other.db", "worker")
    assert not is_held(store, "worker")
    with held(store, "worker") as again:
        assert again


def test_another_process_is_refused_until_the_holder_ends(tmp_path: Path) -> None:
    store = tmp_path / "crm.db"
    process = holder(store)
    assert is_held(store, "worker")
    with held(store, "worker") as ours:
        assert not ours
    process.communicate("\n")
    assert not is_held(store, "worker")
    assert list(beside(store, "locks").iterdir()) == []


def test_a_lock_ends_with_a_holder_that_is_killed(tmp_path: Path) -> None:
    store = tmp_path / "crm.db"
    process = holder(store)
    process.kill()
    process.communicate()
    assert not is_held(store, "worker")
    with held(store, "worker") as ours:
        assert ours
