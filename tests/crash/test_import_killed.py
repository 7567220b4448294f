"""Imports that are killed: the next command, whichever it is, never meets half of a list."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli

LEADS = 20_000


@pytest.fixture
def big_csv(tmp_path: Path) -> Path:
    """A list that takes seconds to import."""
    path = tmp_path / "big.csv"
    rows = (f"Business {i},518-871-{i % 10_000:04},Town {i % 97}" for i in range(LEADS))
    path.write_text("\n".join(("Company,Phone,City", *rows)) + "\n")
    return path


def ask(store: Path, question: str) -> int:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return int(connection.execute(question).fetchone()[0])


def imported(store: Path) -> int:
    return ask(store, "SELECT coalesce(max(created + merged), 0) FROM import_batch")


@pytest.fixture
def importing(store_path: Path, big_csv: Path) -> Iterator[subprocess.Popen[str]]:
    """An import that has begun to write leads."""
    command = [sys.executable, "-m", "crm_tui", "--db", str(store_path), "import", str(big_csv)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not imported(store_path):
            assert process.poll() is None
        yield process


@pytest.fixture
def killed(store_path: Path, importing: subprocess.Popen[str]) -> Path:
    """A store with the half of a list that a killed import left."""
    importing.kill()
    importing.communicate()
    assert 0 < ask(store_path, "SELECT count(*) FROM business") < LEADS
    return store_path


def test_the_next_command_takes_back_what_a_killed_import_left(cli: Cli, killed: Path) -> None:
    ran = cli("leads", "list", "--json")
    assert (ran.code, ran.json["leads"]) == (0, [])
    assert ran.err.startswith("The import of big.csv was cut off; its ")
    assert ran.err.splitlines()[0].endswith(" leads were taken back.")
    assert "cut off" not in cli("leads", "list").err
    assert cli("doctor").code == 0
    assert ask(killed, "SELECT count(*) FROM import_batch WHERE state = 'undone'") == 1


def test_what_only_looks_changes_nothing_of_what_a_killed_import_left(
    cli: Cli, killed: Path, big_csv: Path
) -> None:
    left = ask(killed, "SELECT count(*) FROM business")
    doctor = cli("doctor", "--json")
    assert doctor.code == 1
    assert "interrupted_imports" in [each["check"] for each in doctor.json["findings"]]
    assert cli("import", str(big_csv), "--dry-run").code == 0
    assert cli("backup").code == 0
    assert ask(killed, "SELECT count(*) FROM business") == left
    assert ask(killed, "SELECT count(*) FROM import_batch WHERE state = 'running'") == 1


def test_an_import_that_runs_is_not_taken_back_by_another_command(
    cli: Cli, store_path: Path, importing: subprocess.Popen[str]
) -> None:
    importing.send_signal(signal.SIGSTOP)  # a process that stands still is alive
    ran = cli("imports", "list", "--json")
    importing.kill()
    importing.communicate()
    assert [batch["state"] for batch in ran.json["imports"]] == ["running"]
    assert "cut off" not in ran.err
    assert ask(store_path, "SELECT count(*) FROM business") > 0


@pytest.mark.parametrize("asking", [signal.SIGINT, signal.SIGTERM])
def test_an_import_that_is_asked_to_stop_ends_in_order_and_keeps_what_it_has(
    cli: Cli, store_path: Path, importing: subprocess.Popen[str], asking: signal.Signals
) -> None:
    importing.send_signal(asking)
    _, err = importing.communicate(timeout=60)
    assert importing.returncode == 3
    assert "Stopped before the end of the list." in err
    assert [batch["state"] for batch in cli("imports", "list", "--json").json["imports"]] == [
        "cancelled"
    ]
    assert ask(store_path, "SELECT count(*) FROM business") == imported(store_path)
