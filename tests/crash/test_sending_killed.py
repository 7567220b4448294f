"""Senders that are killed, stopped and doubled: real processes, a real store and a real server."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.crash.crowd import ask, number

ROOT = Path(__file__).parents[2]
AT = "2026-11-22T09:30:00.000000Z"
SOURCE = "---\nsubject: Hello {{ business.name }}\n---\nA site for you. {{ unsubscribe }}\n"


def fill(store: Path, leads: int) -> None:
    """A running campaign to so many leads, due long ago."""
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.executemany(
            "INSERT INTO business (id, key, name, sort_name, source, created_at, captured_at,"
            " updated_at) VALUES (?1, ?1, 'Shop ' || ?1, 'shop', 'test', ?2, ?2, ?2)",
            [(each, AT) for each in range(1, leads + 1)],
        )
        connection.executemany(
            "INSERT INTO contact_point (business_id, kind, value, is_primary, created_at)"
            " VALUES (?1, 'email', 'lead' || ?1 || '@shop.example', 1, ?2)",
            [(each, AT) for each in range(1, leads + 1)],
        )
        connection.execute(
            "INSERT INTO campaign (id, key, name, name_folded, state, audience, created_at,"
            " updated_at) VALUES (1, 'c', 'Spring', 'spring', 'running', '{}', ?1, ?1)",
            (AT,),
        )
        connection.execute(
            "INSERT INTO campaign_step (id, campaign_id, position, template, source)"
            " VALUES (1, 1, 1, 'first', ?)",
            (SOURCE,),
        )
        connection.executemany(
            "INSERT INTO message (key, business_id, origin_id, campaign_id, step_id, address,"
            " message_id, token, due_at, created_at) VALUES ('m' || ?1, ?1, ?1, 1, 1,"
            " 'lead' || ?1 || '@shop.example', '<' || ?1 || '@sender.example>', 't' || ?1, ?2, ?2)",
            [(each, AT) for each in range(1, leads + 1)],
        )


def states(store: Path) -> Counter[str]:
    """How many messages are in each state."""
    return Counter(dict(ask(store, "SELECT state, count(*) FROM message GROUP BY state")))


@dataclass
class Post:
    """The server, and the file in which it notes what it took."""

    port: int
    path: Path

    def taken(self) -> list[str]:
        """The Message-IDs of all mails that were taken, in order."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [line.split()[0] for line in lines]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    """A server in a process of its own."""
    path = tmp_path / "taken"
    command = [sys.executable, "-m", "tests.crash.sending_server", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        yield Post(int(process.stdout.readline()), path)
        process.kill()


@dataclass
class Senders:
    """Starts workers, and kills those that are left."""

    post: Post
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, store: Path, connections: int = 1) -> subprocess.Popen[str]:
        """A worker that begins with its pass."""
        command = [sys.executable, "-m", "tests.crash.sending_worker", str(store)]
        process = subprocess.Popen(
            [*command, str(self.post.port), str(connections)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        return process

    def run(self, store: Path, connections: int = 1) -> str:
        """What a worker says at its end."""
        return self.start(store, connections).communicate(timeout=120)[0].strip()


@pytest.fixture
def senders(post: Post) -> Iterator[Senders]:
    started = Senders(post)
    yield started
    for process in started.running:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something while a process lives."""
    while not condition() and process.poll() is None:
        time.sleep(0.001)


def _stands_still(pid: int) -> bool:
    """Whether every thread has stopped; one may still come to the end of a system call before."""
    states = (each.read_text() for each in Path(f"/proc/{pid}/task").glob("[0-9]*/stat"))
    return all(state.rpartition(")")[2].split()[0] in {"T", "t"} for state in states)


def stand_still(process: subprocess.Popen[str], store: Path) -> None:
    """Stop a process between two of its transactions."""
    with closing(sqlite3.connect(store, isolation_level=None, timeout=0)) as connection:
        while True:
            process.send_signal(signal.SIGSTOP)
            until(lambda: _stands_still(process.pid), process)
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                time.sleep(0.001)
            else:
                connection.execute("ROLLBACK")
                return


def nobody_is_lost_or_written_to_twice(store: Path, post: Post) -> None:
    """Who was sent to got it once; who is queued got nothing; who is uncertain may have got it."""
    taken = Counter(post.taken())
    assert max(taken.values(), default=0) <= 1
    by_state: dict[str, set[str]] = {}
    for message_id, state in ask(store, "SELECT message_id, state FROM message"):
        by_state.setdefault(state, set()).add(message_id)
    assert by_state.get("sent", set()) <= set(taken)
    assert not by_state.get("queued", set()) & set(taken)
    told = number(store, "SELECT count(*) FROM event WHERE kind = 'email_sent'")
    assert told == len(by_state.get("sent", ()))


@pytest.mark.parametrize("connections", [1, 5])
def test_a_campaign_whose_sender_is_killed_again_and_again_loses_nobody_and_writes_to_nobody_twice(
    store_path: Path, post: Post, senders: Senders, kills: int, connections: int
) -> None:
    leads = 1000 if kills > 10 else 300
    fill(store_path, leads)
    dice = random.Random(f"{kills} {connections}")
    points = sorted(dice.sample(range(1, leads), min(kills, leads // 3)))
    for killed, point in enumerate(points, start=1):
        process = senders.start(store_path, connections)
        while len(post.taken()) < point and process.poll() is None:
            assert sum(states(store_path).values()) == leads
        time.sleep(dice.random() / 500)
        process.kill()
        process.communicate()
        counts = states(store_path)
        assert sum(counts.values()) == leads
        assert counts["sending"] <= connections
        assert counts["sending"] + counts["uncertain"] <= connections * killed
        assert ask(store_path, "PRAGMA integrity_check") == [("ok",)]
    assert senders.run(store_path, connections).split()[2] == "-"
    counts = states(store_path)
    assert counts["sent"] + counts["uncertain"] == leads
    assert counts["uncertain"] <= connections * len(points)
    nobody_is_lost_or_written_to_twice(store_path, post)
    running = ask(store_path, "SELECT state FROM campaign")
    assert running == [("running" if counts["uncertain"] else "finished",)]


def test_a_second_worker_says_who_has_the_store_even_of_one_that_stands_still(
    store_path: Path, post: Post, senders: Senders
) -> None:
    fill(store_path, 300)
    first = senders.start(store_path)
    until(lambda: len(post.taken()) >= 20, first)
    stand_still(first, store_path)
    said = senders.run(store_path)
    assert said.startswith(f"Another worker is at work for this store: process {first.pid} on ")
    assert states(store_path)["uncertain"] == 0
    first.send_signal(signal.SIGCONT)
    out, _ = first.communicate(timeout=60)
    assert out.split() == ["300", "0", "-"]
    assert len(post.taken()) == 300
    nobody_is_lost_or_written_to_twice(store_path, post)


def test_a_worker_that_wakes_after_its_lock_was_taken_away_sends_nothing_twice(
    store_path: Path, post: Post, senders: Senders
) -> None:
    fill(store_path, 200)
    first = senders.start(store_path)
    until(lambda: len(post.taken()) >= 20, first)
    stand_still(first, store_path)
    shutil.rmtree(f"{store_path}.locks")  # as nobody should
    second = senders.run(store_path)
    assert second.split()[2] == "-"
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=60)
    assert states(store_path)["sending"] == 0
    taken = Counter(post.taken())
    assert max(taken.values()) == 1
    assert len(taken) == 200


def test_a_worker_that_is_asked_to_end_records_what_is_on_its_way(
    store_path: Path, post: Post, senders: Senders
) -> None:
    fill(store_path, 300)
    process = senders.start(store_path, connections=5)
    until(lambda: len(post.taken()) >= 30, process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    counts = states(store_path)
    assert (counts["sending"], counts["uncertain"]) == (0, 0)
    assert 30 <= counts["sent"] < 300
    assert out.split() == [str(counts["sent"]), "0", "-"]
    nobody_is_lost_or_written_to_twice(store_path, post)


def test_a_copy_of_a_store_sends_nothing_until_it_is_let_go(
    store_path: Path, tmp_path: Path, post: Post, senders: Senders
) -> None:
    fill(store_path, 120)
    first = senders.start(store_path)
    until(lambda: len(post.taken()) >= 20, first)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    copy = tmp_path / "copied" / "crm.db"
    copy.parent.mkdir()
    shutil.copy(store_path, copy)
    before = len(post.taken())
    assert "copied or moved" in senders.run(copy)
    assert len(post.taken()) == before
    sent, *_ = senders.run(store_path).split()
    assert int(sent) == 120 - before
    nobody_is_lost_or_written_to_twice(store_path, post)
