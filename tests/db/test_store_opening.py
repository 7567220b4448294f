from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crm_tui.db import migrate
from crm_tui.db.models import Business
from crm_tui.errors import StoreError
from crm_tui.services.store import open_store, prepare

OPEN = (
    "import asyncio, sys; from pathlib import Path; from datetime import datetime, UTC;"
    "from crm_tui.services.store import open_store;"
    "db = asyncio.run(open_store(Path(sys.argv[1]), now=datetime.now(UTC)));"
    "asyncio.run(db.close())"
)


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_store_that_is_not_there_is_made_with_its_folder(
    tmp_path: Path, now: datetime
) -> None:
    path = tmp_path / "new" / "folder" / "leads?#%41.db"
    db = await open_store(path, now=now)
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Business)) == 0
    await db.close()
    assert names_in(path.parent) == [path.name]
    assert migrate.revision(path) == migrate.HEAD


async def test_an_empty_file_becomes_a_store(tmp_path: Path, now: datetime) -> None:
    path = tmp_path / "crm.db"
    path.touch()
    await (await open_store(path, now=now)).close()
    assert migrate.revision(path) == migrate.HEAD


def test_what_a_first_start_left_behind_when_it_was_cut_off_becomes_a_store(
    tmp_path: Path, now: datetime
) -> None:
    path = tmp_path / "crm.db"
    execute(path, "PRAGMA journal_mode = WAL")
    assert path.stat().st_size
    prepare(path, now=now)
    assert migrate.revision(path) == migrate.HEAD


def test_a_first_start_that_is_killed_can_be_repeated(tmp_path: Path, now: datetime) -> None:
    for number, seconds in enumerate((0.3, 0.5, 0.7, 0.9)):
        path = tmp_path / f"crm{number}.db"
        process = subprocess.Popen([sys.executable, "-c", OPEN, str(path)])
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        prepare(path, now=now)
        assert migrate.revision(path) == migrate.HEAD


async def test_two_processes_may_make_the_same_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "crm.db"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPEN, path, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    said = [await process.communicate() for process in processes]
    assert [error.decode() for _, error in said] == [""] * 4
    assert migrate.revision(path) == migrate.HEAD


def test_a_newer_store_is_refused_and_not_a_byte_is_changed(
    store_path: Path, now: datetime
) -> None:
    execute(store_path, "UPDATE alembic_version SET version_num = '9999'")
    before = store_path.read_bytes()
    with pytest.raises(StoreError, match="written by a newer version of crm-tui"):
        prepare(store_path, now=now)
    assert store_path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Dear reader, this is a letter.\n" * 100, "it is not an SQLite file"),
        (b"name,phone\n", "it is not an SQLite file"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "it is not an SQLite file"),
        (b"\x00" * 8192, "it is not an SQLite file"),
    ],
    ids=["letter", "list", "header", "zeros"],
)
def test_a_file_that_is_no_database_is_refused_untouched(
    tmp_path: Path, now: datetime, content: bytes, words: str
) -> None:
    path = tmp_path / "crm.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=words):
        prepare(path, now=now)
    assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["crm.db"]


def test_a_database_of_another_program_is_refused_and_its_import_named(
    tmp_path: Path, now: datetime
) -> None:
    path = tmp_path / "old.db"
    execute(path, "CREATE TABLE businesses (id, name)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"of another program.* crm-tui import .*old\.db"):
        prepare(path, now=now)
    assert path.read_bytes() == before


def test_a_folder_is_no_store(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(StoreError, match="is a folder, not a store"):
        prepare(tmp_path, now=now)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be read: Not a directory|cannot be made"):
        prepare(tmp_path / "file" / "crm.db", now=now)


def test_a_truncated_store_is_said_to_be_damaged(store_path: Path, now: datetime) -> None:
    os.truncate(store_path, 8192)
    with pytest.raises(StoreError, match="restore a backup"):
        prepare(store_path, now=now)


def test_a_store_that_does_not_say_its_version_is_refused(store_path: Path, now: datetime) -> None:
    execute(store_path, "DELETE FROM alembic_version")
    with pytest.raises(StoreError, match="does not say which version"):
        prepare(store_path, now=now)


async def test_a_store_on_a_full_disk_is_refused_in_a_sentence(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from datetime import datetime, UTC;"
        "from crm_tui.errors import StoreError; from crm_tui.services.store import prepare;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try: prepare(Path(sys.argv[1]), now=datetime.now(UTC))\n"
        "except StoreError as error: print(error)"
    )
    path = tmp_path / "crm.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, path, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said.decode().startswith(f"The disk that holds {path}")


async def test_a_copy_opens_while_the_original_is_open(store_path: Path, now: datetime) -> None:
    first = await open_store(store_path, now=now)
    copied = store_path.with_name("copy.db")
    shutil.copy(store_path, copied)
    second = await open_store(copied, now=now)
    async with second.write() as session:
        await session.connection()
    await second.close()
    await first.close()


async def test_looking_at_an_open_store_does_not_release_its_locks(
    store_path: Path, now: datetime
) -> None:
    db = await open_store(store_path, now=now)
    async with db.read() as session:
        await session.scalar(select(func.count()).select_from(Business))
    assert migrate.revision(store_path) == migrate.HEAD
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0.1);"
        "c.execute('PRAGMA journal_mode = DELETE')"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, store_path, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    await db.close()
    assert b"database is locked" in said
