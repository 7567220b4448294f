from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import pytest

from crm_tui.config import Settings
from crm_tui.db import migrate, snapshot
from crm_tui.db.engine import Database
from crm_tui.errors import BadInput, StoreError
from crm_tui.services import backup, bulk, undo
from crm_tui.services.backup import make_backup
from crm_tui.services.restore import restore
from crm_tui.services.store import open_store


def execute(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [row for statement in statements for row in connection.execute(statement)]


def cities(path: Path) -> list[object]:
    return [row[0] for row in execute(path, "SELECT DISTINCT city FROM business")]


@pytest.fixture
def made(store: Path, config: Path, now: datetime) -> Path:
    """A backup, after which the store changed."""
    made = make_backup(store, None, config_path=config, now=now)
    execute(store, "UPDATE business SET city = 'Bronx'")
    return made


def test_a_restored_store_is_as_it_was_and_sends_nothing(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    result = restore(made, store, now=now, config_path=config)

    assert cities(store) == ["Queens"]
    assert (result.leads, result.sites, result.migrated_from) == (3, 0, None)
    ((value,),) = execute(store, "SELECT value FROM setting WHERE name = 'sending_stopped'")
    assert isinstance(value, str)
    assert json.loads(value) == {
        "reason": "restored from a backup",
        "file": str(made),
        "at": "2026-11-22T09:30:00.000000Z",
    }
    assert execute(store, "SELECT name FROM sqlite_master WHERE name = 'sqlar'") == []
    assert snapshot.problems(store) == []


async def test_what_can_be_undone_views_and_what_is_not_the_same_come_back_too(
    leads: Database, config: Path, settings: Settings, now: datetime
) -> None:
    await bulk.run(leads, [1, 2, 3], bulk.add_tag("vip"), now=now)
    await bulk.run(leads, [1, 2, 3], bulk.archive(), now=now)
    await undo.undo(leads, settings=settings, now=now)
    await leads.close()
    execute(leads.path, "INSERT INTO distinct_pair VALUES (1, 2, '2026-11-22T09:30:00.000000Z')")
    tables = ("undo_entry", "undo_change", "saved_view", "distinct_pair", "business_tag", "event")
    before = {table: execute(leads.path, f"SELECT * FROM {table}") for table in tables}
    assert all(before.values())
    made = make_backup(leads.path, None, config_path=config, now=now)
    execute(leads.path, *(f"DELETE FROM {table}" for table in tables if table != "event"))
    restore(made, leads.path, now=now, config_path=config)
    assert {table: execute(leads.path, f"SELECT * FROM {table}") for table in tables} == before
    db = Database(leads.path)
    redone = await undo.redo(db, settings=settings, now=now)
    assert (redone.words, redone.restored, redone.left) == ("archived 3 leads", 3, [])
    for restored in (3, 3):
        undone = await undo.undo(db, settings=settings, now=now)
        assert (undone.restored, undone.left) == (restored, [])
    await db.close()
    assert execute(leads.path, "SELECT * FROM business_tag") == []


def test_what_was_there_is_backed_up_first(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    result = restore(made, store, now=now, config_path=config)
    assert result.saved is not None
    assert result.saved.name == "crm-2026-11-22T0930Z-before-restore.db"
    assert cities(result.saved) == ["Bronx"]
    assert sorted(path.name for path in backup.folder_of(store).iterdir()) == sorted(
        [made.name, result.saved.name]
    )


def test_restoring_can_itself_be_taken_back(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    saved = restore(made, store, now=now, config_path=config).saved
    assert saved is not None
    restore(saved, store, now=now, config_path=config)
    assert cities(store) == ["Bronx"]


def test_a_store_that_is_gone_is_made_again(
    made: Path, config: Path, now: datetime, tmp_path: Path
) -> None:
    fresh = tmp_path / "elsewhere" / "new.db"
    result = restore(made, fresh, now=now, config_path=config)
    assert result.saved is None
    assert migrate.revision(fresh) == migrate.HEAD
    assert cities(fresh) == ["Queens"]


def test_missing_files_of_the_operator_come_back_and_others_are_kept(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    style = config.parent / "themes" / "mine" / "style.css"
    before = style.read_bytes()
    style.unlink()
    config.write_text("changed")
    result = restore(made, store, now=now, config_path=config)
    assert result.files.restored == ("themes/mine/style.css",)
    assert result.files.kept == ("config.toml",)
    assert style.read_bytes() == before
    assert config.read_text() == "changed"


def test_a_backup_cannot_write_outside_the_configuration_folder(
    store: Path, made: Path, config: Path, now: datetime, tmp_path: Path
) -> None:
    for name in ("../evil", "themes/../../evil", "/evil", "evil", "themes", "themes/.ssh/x", ""):
        execute(made, f"INSERT INTO sqlar VALUES ('{name}', 0, 0, 1, x'41')")
    files = sorted(path for path in tmp_path.rglob("*") if "backups" not in str(path))
    result = restore(made, store, now=now, config_path=config)
    assert result.files.restored == ()
    assert files == sorted(path for path in tmp_path.rglob("*") if "backups" not in str(path))


def test_a_damaged_file_inside_a_backup_stops_the_restore_before_it_begins(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    execute(made, "UPDATE sqlar SET data = x'00' WHERE name LIKE 'themes/%'")
    with pytest.raises(BadInput, match=r"themes/mine/style\.css in the backup is damaged"):
        restore(made, store, now=now, config_path=config)
    assert cities(store) == ["Bronx"]


def test_what_is_no_backup_of_ours_is_refused(
    store: Path, config: Path, now: datetime, tmp_path: Path
) -> None:
    execute(tmp_path / "other.db", "CREATE TABLE t (x)")
    (tmp_path / "text.db").write_text("hello, this is no database at all")
    (tmp_path / "empty.db").touch()
    for name, words in (
        ("other.db", "SQLite file of another program"),
        ("text.db", "not an SQLite file"),
        ("empty.db", "is empty"),
        ("none.db", "There is no backup"),
        (store, "the store itself"),
    ):
        with pytest.raises(StoreError, match=words):
            restore(tmp_path / name, store, now=now, config_path=config)
    assert not (tmp_path / "none.db").exists()


def test_a_backup_of_a_newer_version_is_refused(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    execute(made, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="made by a newer version"):
        restore(made, store, now=now, config_path=config)
    assert cities(store) == ["Bronx"]


def test_a_store_of_a_newer_version_is_not_overwritten(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    execute(store, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="written by a newer version"):
        restore(made, store, now=now, config_path=config)
    assert cities(store) == ["Bronx"]


def test_a_damaged_backup_is_refused(
    store: Path, made: Path, config: Path, now: datetime, damage: Callable[[Path], None]
) -> None:
    damage(made)
    with pytest.raises(StoreError, match="is damaged"):
        restore(made, store, now=now, config_path=config)
    assert cities(store) == ["Bronx"]


def test_a_damaged_store_is_kept_byte_for_byte_and_replaced(
    store: Path, made: Path, config: Path, now: datetime, damage: Callable[[Path], None]
) -> None:
    damage(store)
    before = store.read_bytes()
    saved = restore(made, store, now=now, config_path=config).saved
    assert saved is not None
    assert saved.name == "crm-2026-11-22T0930Z-before-restore-damaged.db"
    assert saved.read_bytes() == before
    assert cities(store) == ["Queens"]
    assert snapshot.problems(store) == []


def test_a_store_that_was_cut_short_is_kept_and_replaced(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    os.truncate(store, 8192)
    saved = restore(made, store, now=now, config_path=config).saved
    assert saved is not None
    assert saved.stat().st_size == 8192
    assert cities(store) == ["Queens"]


def test_a_file_of_another_program_is_not_replaced(
    made: Path, config: Path, now: datetime, tmp_path: Path
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader, this is no store.")
    with pytest.raises(StoreError, match="not a store of crm-tui"):
        restore(made, letter, now=now, config_path=config)
    assert letter.read_text() == "Dear reader, this is no store."


async def test_a_store_that_is_open_is_not_replaced(
    leads: Database, config: Path, now: datetime
) -> None:
    async with leads.read() as session:
        await session.connection()
        made = make_backup(leads.path, None, config_path=config, now=now)
    script = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC;"
        "from crm_tui.services.restore import restore;"
        "file, store, config = map(Path, sys.argv[1:]);"
        "restore(file, store, now=datetime.now(UTC), config_path=config)"
    )

    async def restored_elsewhere() -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, made, leads.path, config, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        return said.decode()

    assert "is open in another program" in await restored_elsewhere()
    await leads.close()
    assert await restored_elsewhere() == ""


async def test_a_restored_store_opens(store: Path, made: Path, config: Path, now: datetime) -> None:
    restore(made, store, now=now, config_path=config)
    db = await open_store(store, now=now)
    async with db.read() as session:
        connection = await session.connection()
        mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
    await db.close()
    assert mode == "wal"


def test_a_restore_that_is_killed_leaves_the_old_store_or_the_new_one(
    store: Path, made: Path, config: Path, now: datetime
) -> None:
    execute(
        store,
        "INSERT INTO raw_record (source, external_id, received_at, payload)"
        " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        " SELECT 'test', i, '2026-11-22', json_quote(hex(randomblob(2000))) FROM n",
    )
    large = make_backup(store, None, config_path=config, now=now)
    script = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC;"
        "from crm_tui.services.restore import restore;"
        "file, store, config = map(Path, sys.argv[1:]);"
        "print('ready', flush=True);"
        "restore(file, store, now=datetime.now(UTC), config_path=config)"
    )
    seen = set()
    for seconds in (0.2, 0.5, 0.8, 1.1):
        execute(store, "UPDATE business SET city = 'Bronx'", "DELETE FROM setting")
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(large), str(store), str(config)],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert migrate.revision(store) == migrate.HEAD
        assert snapshot.problems(store) == []
        restored = bool(execute(store, "SELECT 1 FROM setting WHERE name = 'sending_stopped'"))
        seen.add(restored)
    assert False in seen
