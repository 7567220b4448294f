"""An import that fills the disk: a small disk of its own, filled by the real program."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

FULL = "is full. What was imported so far is taken back at the next start, once there is room."


def mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=3m", "none", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def store(small_disk: Path, empty_store: Path) -> Path:
    return Path(shutil.copy(empty_store, small_disk / "crm.db"))


@pytest.fixture
def big_csv(tmp_path: Path) -> Path:
    path = tmp_path / "big.csv"
    rows = (f"Business {i},518-871-{i % 10_000:04},Town {i % 97}" for i in range(20_000))
    path.write_text("\n".join(("Company,Phone,City", *rows)) + "\n")
    return path


def run(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crm_tui", "--db", str(store), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def leads(store: Path) -> int:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM business").fetchone()[0])


def test_an_import_that_fills_the_disk_is_taken_back_once_there_is_room(
    small_disk: Path, store: Path, big_csv: Path
) -> None:
    full = run(store, "import", str(big_csv))
    assert full.returncode == 1
    assert full.stderr.rstrip().endswith(FULL)
    assert "Nothing was changed" not in full.stderr.splitlines()[-1]
    left = leads(store)
    assert left > 0

    reading = run(store, "leads", "list")
    assert reading.returncode == 0
    assert reading.stderr.splitlines()[0] == (
        "What an import left that was cut off could not be taken back yet: the disk is full."
    )

    mount("-o", "remount,size=100m", str(small_disk))
    after = run(store, "leads", "list")
    assert after.returncode == 0
    assert after.stderr.startswith("The import of big.csv was cut off; its ")
    assert leads(store) == 0
    assert run(store, "doctor").returncode == 0
