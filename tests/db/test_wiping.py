"""What is deleted can be found in a store's file until it is wiped; what is there stays as it is."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from crm_tui.db import wiping

ERASED, LONG, KEPT = "zephyrine", "umbrella", "ordinary"


def connected(path: Path) -> sqlite3.Connection:
    """A connection that leaves behind what it deletes, as other builds of SQLite do."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0.1)
    connection.execute("PRAGMA secure_delete = OFF")
    return connection


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store whose records moved between pages, grew and were deleted."""
    path = tmp_path / "crm.db"
    dice = random.Random(3)
    with closing(connected(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE lead (id INTEGER PRIMARY KEY, name TEXT, note TEXT)")
        connection.execute("CREATE INDEX lead_name ON lead (name, note)")
        connection.execute("BEGIN")
        for number in range(3_000):
            word = KEPT if number % 3 else ERASED
            # Some records are longer than a page.
            note = (LONG if word == ERASED else KEPT) * dice.choice((0, 1, 9, 40, 900))
            row = (dice.randrange(10**9), f"{dice.random()} {word}", note)
            connection.execute("INSERT INTO lead VALUES (?, ?, ?)", row)
        for ids in (r[0] for r in connection.execute("SELECT id FROM lead").fetchall()[::7]):
            connection.execute("UPDATE lead SET name = name || ' moved' WHERE id = ?", (ids,))
        connection.execute("DELETE FROM lead WHERE name LIKE ?", (f"%{ERASED}%",))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(connected(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        by_index = connection.execute("SELECT name FROM lead INDEXED BY lead_name ORDER BY name")
        assert len(by_index.fetchall()) > 1_000
        return connection.execute("SELECT * FROM lead ORDER BY id").fetchall()


def left(path: Path) -> set[str]:
    files = [each for each in path.parent.glob(f"{path.name}*") if each.is_file()]
    content = b"".join(each.read_bytes() for each in files)
    return {word for word in (ERASED, LONG, KEPT) if word.encode() in content}


@pytest.mark.parametrize("step", [40, wiping.STEP])
def test_what_was_deleted_is_gone_and_every_record_stays(store: Path, step: int) -> None:
    before = rows(store)
    assert left(store) == {ERASED, LONG, KEPT}
    assert wiping.wipe(store, step=step) == ""
    assert left(store) == {KEPT}
    assert rows(store) == before


def test_fragments_are_gone_too(store: Path) -> None:
    assert wiping.wipe(store) == ""
    content = store.read_bytes()
    for start in range(len(ERASED) - 4):
        assert ERASED[start : start + 5].encode() not in content


def test_the_store_can_be_written_to_afterwards(store: Path) -> None:
    before = rows(store)
    assert wiping.wipe(store) == ""
    with closing(connected(store)) as connection:
        connection.executemany(
            "INSERT INTO lead (name, note) VALUES (?, ?)",
            [(f"{number} new", KEPT * (number % 300)) for number in range(2_000)],
        )
        connection.execute("DELETE FROM lead WHERE name LIKE '% new'")
    assert rows(store) == before


def test_another_connection_does_not_bring_back_what_it_remembers(store: Path) -> None:
    with closing(connected(store)) as other:
        other.execute("PRAGMA cache_size = -200000")
        ids = [row[0] for row in other.execute("SELECT id, name, note FROM lead")]
        with subprocess.Popen([sys.executable, "-P", "-m", wiping.__name__, str(store)]) as process:
            assert process.wait() == 0
        assert left(store) == {KEPT}
        other.executemany("UPDATE lead SET id = id + 1 WHERE id = ?", [(i,) for i in ids[::5]])
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert left(store) == {KEPT}


def test_while_another_program_reads_nothing_is_wiped_and_it_is_said(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiping, "_WAIT", 0.05)
    with closing(connected(store)) as writer:
        writer.execute("INSERT INTO lead (name) VALUES ('in the log')")
        with closing(connected(store)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM lead").fetchone()
            writer.execute("INSERT INTO lead (name) VALUES ('after it began')")
            assert wiping.wipe(store) == "another program is reading the store"
        assert wiping.wipe(store) == ""


@pytest.fixture(params=["PRAGMA auto_vacuum = FULL", "PRAGMA journal_mode = DELETE"])
def unfit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "other.db"
    with closing(connected(path)) as connection:
        connection.execute(request.param)
        connection.execute("CREATE TABLE lead (name TEXT)")
        connection.execute("INSERT INTO lead VALUES (?)", (ERASED * 2_000,))
        connection.execute("DELETE FROM lead")
    return path


def test_a_file_of_another_form_is_left_as_it_is(unfit: Path) -> None:
    before = unfit.read_bytes()
    assert wiping.wipe(unfit) == wiping.UNFIT
    assert unfit.read_bytes() == before


def test_a_damaged_page_is_left_as_it_is(store: Path) -> None:
    content = bytearray(store.read_bytes())
    with closing(connected(store)) as connection:
        roots = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'lead'")
        page = (roots.fetchone()[0] - 1) * 4096
    content[page + 5 : page + 7] = b"\x00\x01"  # the first record would lie in the header
    store.write_bytes(content)
    assert wiping.wipe(store) == wiping.UNFIT
    assert store.read_bytes()[page : page + 4096] == bytes(content[page : page + 4096])
