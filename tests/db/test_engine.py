from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

import crm_tui
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, Setting, Tag
from crm_tui.errors import StoreError

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("INSERT INTO tag (name, folded) VALUES ('theirs', 'theirs')")
connection.execute("COMMIT")
print("done", flush=True)
"""
SLOW = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def other(store_path: Path) -> subprocess.Popen[str]:
    """Another process that is in the middle of writing to the store."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


async def names(db: Database) -> list[str]:
    async with db.read() as session:
        return list(await session.scalars(select(Tag.name).order_by(Tag.id)))


async def add_tag(db: Database, name: str) -> None:
    async with db.write() as session:
        session.add(Tag(name=name, folded=name))


async def test_a_write_is_committed_when_the_block_ends(db: Database) -> None:
    await add_tag(db, "hot")
    assert await names(db) == ["hot"]


async def test_a_write_that_raises_leaves_nothing(db: Database) -> None:
    async def write() -> None:
        async with db.write() as session:
            session.add(Tag(name="hot", folded="hot"))
            await session.flush()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        await write()
    assert await names(db) == []


async def test_a_write_whose_task_is_cancelled_leaves_nothing(db: Database) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with db.write() as session:
            session.add(Tag(name="hot", folded="hot"))
            await session.flush()
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names(db) == []
    await add_tag(db, "after")
    assert await names(db) == ["after"]


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO tag (name, folded) VALUES ('a', 'a')", "DELETE FROM tag", "DROP TABLE tag"],
)
async def test_a_reader_cannot_write(db: Database, statement: str) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        async with db.read() as session:
            await session.execute(text(statement))


async def test_a_reader_sees_one_snapshot(db: Database) -> None:
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Tag)) == 0
        await add_tag(db, "hot")
        assert await session.scalar(select(func.count()).select_from(Tag)) == 0
    assert await names(db) == ["hot"]


async def test_writers_of_one_process_take_turns(db: Database) -> None:
    async with db.write() as session:
        session.add(Setting(name="count", value=0))

    async def count_up() -> None:
        async with db.write() as session:
            (value,) = await session.scalars(select(Setting.value))
            await asyncio.sleep(0)
            await session.execute(update(Setting).values(value=value + 1))

    await asyncio.gather(*(count_up() for _ in range(20)))
    async with db.read() as reader:
        assert await reader.scalar(select(Setting.value)) == 20


async def test_a_writer_waits_for_another_process(
    db: Database, other: subprocess.Popen[str]
) -> None:
    writing = asyncio.create_task(add_tag(db, "ours"))
    assert await names(db) == []
    assert other.stdin is not None
    other.stdin.write("\n")
    other.stdin.flush()
    await writing
    other.communicate()
    assert await names(db) == ["theirs", "ours"]


async def test_a_store_that_stays_locked_is_said_in_a_sentence(
    db: Database, other: subprocess.Popen[str]
) -> None:
    began = time.monotonic()
    with pytest.raises(StoreError, match="is locked by another program"):
        await add_tag(db, "ours")
    assert time.monotonic() - began >= 4
    other.communicate("\n")


async def test_a_read_whose_task_is_cancelled_stops_its_statement(db: Database) -> None:
    async def read() -> None:
        async with db.read() as session:
            await session.execute(text(SLOW))

    task = asyncio.create_task(read())
    await until_busy()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_idle()


async def test_reading_integers_stops_when_its_task_is_cancelled(db: Database) -> None:
    endless = select(text("count(*)")).select_from(
        text("(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)")
    )
    task = asyncio.create_task(db.integers(endless))
    await until_busy()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_idle()


async def until_busy() -> None:
    """Wait until some thread of ours has used a tenth of a second of the processor."""
    start = time.process_time()
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if time.process_time() - start > 0.1:
            return
    pytest.fail("no statement is running")


async def until_idle() -> None:
    """Wait until nothing of ours uses the processor; a statement left running never lets it."""
    for _ in range(100):
        used = time.process_time()
        await asyncio.sleep(0.05)
        if time.process_time() - used < 0.025:
            return
    pytest.fail("a statement is still running")


async def test_integers_come_in_the_order_of_the_statement(db: Database) -> None:
    async with db.write() as session:
        await session.execute(
            insert(Tag), [{"name": f"t{i}", "folded": f"t{i}"} for i in range(100)]
        )
    found = await db.integers(select(Tag.id).where(Tag.id > 97).order_by(Tag.id.desc()))
    assert list(found) == [100, 99, 98]


async def test_the_version_of_the_data_tells_of_other_connections(db: Database) -> None:
    before = await db.data_version()
    assert await db.data_version() == before
    await add_tag(db, "hot")
    assert await db.data_version() != before


async def test_ids_of_deleted_rows_never_return(db: Database) -> None:
    await add_tag(db, "one")
    async with db.write() as session:
        await session.execute(text("DELETE FROM tag"))
    await add_tag(db, "two")
    async with db.read() as session:
        assert await session.scalar(select(Tag.id)) == 2


async def test_connections_are_set_up_as_the_architecture_says(db: Database) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")

    async def state(session: ReadSession) -> list[object]:
        return [await session.scalar(text(f"PRAGMA {name}")) for name in pragmas]

    async with db.read() as reader:
        assert await state(reader) == ["wal", 1, 1, 5000, 1]
    async with db.write() as writer:
        assert await state(writer) == ["wal", 1, 1, 5000, 0]


async def test_a_full_disk_is_said_and_nothing_is_changed(db: Database) -> None:
    async with db.write() as session:
        await session.execute(text("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreError, match=r"is full\. Nothing was changed"):
        async with db.write() as session:
            session.add(Setting(name="big", value="x" * 1_000_000))
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Setting)) == 0


WRITE = """
import asyncio, os, sys
from pathlib import Path
from sqlalchemy import insert
from crm_tui.db.engine import Database
from crm_tui.db.models import Tag
from crm_tui.errors import StoreError

async def work():
    db = Database(Path(sys.argv[1]))
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        async with db.write() as session:
            await session.execute(insert(Tag).values(name="hot", folded="hot"))
    except StoreError as error:
        print(error)
    finally:
        await db.close()

asyncio.run(work())
"""


@pytest.mark.parametrize("folder_mode", [0o777, 0o555])
def test_a_store_that_may_not_be_written_says_so(store_path: Path, folder_mode: int) -> None:
    # Not under tmp_path: root's is closed to the user that the process becomes.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crm.db"
        shutil.copy(store_path, path)
        path.chmod(0o444)
        path.parent.chmod(folder_mode)
        said = subprocess.run(
            [sys.executable, "-c", WRITE, str(path)], capture_output=True, text=True, check=True
        ).stdout
        path.parent.chmod(0o755)
    assert "cannot be written: the file or its folder is read-only" in said


async def test_a_defect_is_not_taken_for_a_problem_of_the_store(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.write() as session:
            session.add_all([Tag(name="a", folded="a"), Tag(name="A", folded="a")])
    with pytest.raises(DatabaseError, match="no such table"):
        async with db.read() as session:
            await session.execute(text("SELECT * FROM nowhere"))


async def test_naive_times_are_refused_and_others_come_back_in_utc(db: Database) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))
    fields = {"key": "k", "name": "n", "sort_name": "n", "source": "s", "custom": {}}
    async with db.write() as session:
        session.add(Business(**fields, created_at=noon, captured_at=noon, updated_at=noon))
    async with db.read() as session:
        stored = await session.scalar(select(Business.created_at))
    assert stored == noon
    assert stored is not None
    assert stored.tzinfo is UTC
    naive = noon.replace(tzinfo=None)
    with pytest.raises(Exception, match="naive"):
        async with db.write() as session:
            session.add(Business(**fields, created_at=naive, captured_at=noon, updated_at=noon))


async def test_closing_releases_every_lock_on_the_store(db: Database) -> None:
    await names(db)
    await db.data_version()
    await db.close()
    with closing(sqlite3.connect(db.path)) as connection:
        # Only who is alone with a store can take it out of its write-ahead log.
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)


def test_nothing_but_the_engine_and_its_transactions_in_one_go_commits() -> None:
    package = Path(crm_tui.__file__).parent
    commits = {
        path.relative_to(package).as_posix(): len(re.findall(r"\bcommit\(", path.read_text()))
        for path in package.rglob("*.py")
    }
    committing = {name: count for name, count in commits.items() if count}
    assert committing == {"db/engine.py": 1, "db/at_once.py": 1}


@pytest.mark.parametrize("yields", range(0, 60, 3))
async def test_a_read_cancelled_at_any_moment_leaves_no_thread_and_says_nothing(
    store_path: Path, yields: int, capfd: pytest.CaptureFixture[str]
) -> None:
    database = Database(store_path)

    async def read() -> None:
        async with database.read() as session:
            await session.execute(text("SELECT count(*) FROM business"))

    before = threads_of_the_driver()
    task = asyncio.create_task(read())
    for _ in range(yields):
        await asyncio.sleep(0.0002)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await database.close()
    assert threads_of_the_driver() <= before
    assert capfd.readouterr().err == ""


async def test_closing_waits_for_a_connection_whose_task_was_cancelled_while_it_was_opened(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, opening, go_on = threads_of_the_driver(), threading.Event(), threading.Event()
    connect = sqlite3.connect

    def slowly(*args: Any, **kwargs: Any) -> Any:
        opening.set()
        assert go_on.wait(30)
        return connect(*args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", slowly)
    task = asyncio.create_task(names(db))
    assert await asyncio.to_thread(opening.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    closing = asyncio.create_task(db.close())
    assert threads_of_the_driver() > before
    go_on.set()
    await closing
    assert threads_of_the_driver() == before


def threads_of_the_driver() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if "_connection_worker_thread" in each.name}


async def test_a_look_for_changes_that_was_cancelled_does_not_spoil_the_next(db: Database) -> None:
    before = await db.data_version()
    look = asyncio.ensure_future(db.data_version())
    await asyncio.sleep(0)
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
    assert await db.data_version() >= before
    assert await db.data_version() == await db.data_version()
