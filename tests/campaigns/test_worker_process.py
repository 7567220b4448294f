"""The worker as a process of its own: it works until it is asked to end, alone at its store."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

CONFIG = """\
[sender]
name = "Ann Berg"
email = "ann@berg-sites.com"
postal_address = "1 Main"
[email]
provider = "outbox"
[sending]
per_hour = 0
per_day = 0
quiet_hours = ""
weekdays_only = false
"""
HELLO = "---\nsubject: Hi\n---\nHello {{ sender.postal_address }} {{ unsubscribe }}\n"


class Program:
    """The program on a store, in processes of their own."""

    def __init__(self, store: Path, folder: Path) -> None:
        self.store = store
        (folder / "config.toml").write_text(CONFIG)
        (folder / "templates" / "email").mkdir(parents=True)
        (folder / "templates" / "email" / "hi.txt").write_text(HELLO)
        self.start = [
            sys.executable,
            "-m",
            "crm_tui",
            "--db",
            str(store),
            "--config",
            str(folder / "config.toml"),
        ]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.start, *arguments], capture_output=True, text=True, timeout=60, check=False
        )

    def worker(self) -> Popen[str]:
        return Popen([*self.start, "worker"], stderr=PIPE, text=True)


@pytest.fixture
def program(store_path: Path, tmp_path: Path) -> Program:
    folder = tmp_path / "operator"
    folder.mkdir()
    return Program(store_path, folder)


@pytest.fixture
def working(program: Program) -> Iterator[Popen[str]]:
    """A worker that has begun."""
    with program.worker() as process:
        try:
            says(process, "At work")
            yield process
        finally:
            process.kill()


def says(process: Popen[str], words: str) -> None:
    """Wait until a process says this."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"it ended without saying {words!r}")


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_sends_until_it_is_asked_to_end(
    program: Program, working: Popen[str], asked: signal.Signals
) -> None:
    program.run("leads", "add", "Acme", "--email", "joe@acme-plumbing.com")
    made = ["--name", "Spring", "--audience", "", "--template", "hi"]
    assert program.run("campaigns", "create", *made).returncode == 0
    assert program.run("campaigns", "start", "1", "--yes").returncode == 0
    says(working, "1 mail")
    working.send_signal(asked)
    says(working, "Stopped.")
    assert working.wait(timeout=30) == 0
    (mail,) = program.store.with_name(f"{program.store.name}.outbox").glob("*.eml")
    assert "joe@acme-plumbing.com" in mail.read_text()


def test_a_second_worker_names_the_first_and_one_that_was_killed_is_taken_over(
    program: Program, working: Popen[str]
) -> None:
    second = program.run("worker", "--once")
    assert second.returncode == 1
    assert "Another worker is at work" in second.stderr
    assert f"process {working.pid}" in second.stderr
    working.kill()
    working.wait()
    assert program.run("worker", "--once").returncode == 0
