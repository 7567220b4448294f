from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.config import BackupSettings
from crm_tui.db import snapshot
from crm_tui.db.engine import Database
from crm_tui.errors import StoreError
from crm_tui.services import backup
from crm_tui.services.backup import Kind, backup_if_due, due, expired, make_backup
from crm_tui.services.store import prepare

KEEP = BackupSettings()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_a_backup_holds_the_store_and_the_operators_own_files(
    store: Path, config: Path, now: datetime, tmp_path: Path
) -> None:
    made = make_backup(store, tmp_path / "copy.db", config_path=config, now=now)

    assert made == tmp_path / "copy.db"
    assert rows(made, "SELECT name FROM business ORDER BY id") == rows(
        store, "SELECT name FROM business ORDER BY id"
    )
    archived = rows(made, "SELECT name, sz, data FROM sqlar ORDER BY name")
    assert [line[0] for line in archived] == ["config.toml", "themes/mine/style.css"]
    _, size, data = archived[1]
    assert isinstance(data, bytes)
    style = zlib.decompress(data)
    assert style == (config.parent / "themes/mine/style.css").read_bytes()
    assert size == len(style)


def test_a_backup_is_one_file_that_only_its_owner_can_read(
    store: Path, config: Path, now: datetime, tmp_path: Path
) -> None:
    target = tmp_path / "away"
    target.mkdir()
    made = make_backup(store, target, config_path=config, now=now)
    assert list(target.iterdir()) == [made]
    assert made.name == "crm-2026-11-22T0930Z-by-hand.db"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert snapshot.problems(made) == []


def test_hidden_files_and_links_do_not_get_into_a_backup(
    store: Path, config: Path, now: datetime, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    (config.parent / "themes" / "mine" / ".env").write_text("KEY=1")
    (config.parent / "themes" / "mine" / "linked.css").symlink_to(secret)
    made = make_backup(store, None, config_path=config, now=now)
    assert [line[0] for line in rows(made, "SELECT name FROM sqlar ORDER BY name")] == [
        "config.toml",
        "themes/mine/style.css",
    ]


def test_a_backup_never_overwrites_a_file(store: Path, config: Path, now: datetime) -> None:
    taken = store.parent / "taken.db"
    taken.write_text("mine")
    with pytest.raises(StoreError, match=r"taken\.db is there already"):
        make_backup(store, taken, config_path=config, now=now)
    assert taken.read_text() == "mine"


def test_two_backups_in_one_minute_get_two_names(store: Path, config: Path, now: datetime) -> None:
    names = [make_backup(store, None, config_path=config, now=now).name for _ in range(2)]
    assert names == ["crm-2026-11-22T0930Z-by-hand.db", "crm-2026-11-22T0930Z-by-hand-2.db"]
    assert [made.name for made in backup.existing(store)] == sorted(names)


def test_the_store_is_no_place_for_its_own_backup(
    store: Path, config: Path, now: datetime, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(store)
    for target in (store, link):
        with pytest.raises(StoreError, match="the store itself"):
            make_backup(store, target, config_path=config, now=now)


def test_there_is_no_backup_of_a_store_that_is_not_there(
    tmp_path: Path, config: Path, now: datetime
) -> None:
    with pytest.raises(StoreError, match=r"There is no store .*none\.db"):
        make_backup(tmp_path / "none.db", None, config_path=config, now=now)
    assert not (tmp_path / "none.db").exists()


async def test_a_backup_is_made_while_the_store_is_written(
    leads: Database, config: Path, now: datetime
) -> None:
    async with leads.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE business SET city = 'Bronx'")
        made = make_backup(leads.path, None, config_path=config, now=now)
    assert rows(made, "SELECT DISTINCT city FROM business") == [("Queens",)]
    assert rows(leads.path, "SELECT DISTINCT city FROM business") == [("Bronx",)]


def test_a_folder_that_is_not_there_is_said(store: Path, config: Path, now: datetime) -> None:
    with pytest.raises(StoreError, match=r"cannot be written: No such file or directory\."):
        make_backup(store, store.parent / "no" / "copy.db", config_path=config, now=now)


def test_a_damaged_store_gets_no_backup_that_looks_whole(
    store: Path, config: Path, now: datetime, damage: Callable[[Path], None]
) -> None:
    damage(store)
    with pytest.raises(StoreError, match="is damaged"):
        make_backup(store, None, config_path=config, now=now)
    assert list(backup.folder_of(store).iterdir()) == []


def test_a_store_without_a_configuration_gets_a_backup_as_well(
    store: Path, now: datetime, tmp_path: Path
) -> None:
    made = make_backup(store, None, config_path=tmp_path / "none" / "config.toml", now=now)
    assert rows(made, "SELECT count(*) FROM sqlar") == [(0,)]


def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing(
    store: Path, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    limited = """
import resource, sys
from datetime import datetime, UTC
from pathlib import Path
from crm_tui.errors import StoreError
from crm_tui.services.backup import make_backup
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
store, target, config = map(Path, sys.argv[1:])
try:
    make_backup(store, target, config_path=config, now=datetime(2026, 11, 22, tzinfo=UTC))
except StoreError as error:
    print(error)
"""
    target = tmp_path / "full" / "copy.db"
    said = subprocess.run(
        [sys.executable, "-c", limited, str(store), str(target), str(config)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "The disk that holds" in said
    assert list(target.parent.iterdir()) == []


def test_a_backup_that_would_not_fit_is_not_begun(store: Path, config: Path, now: datetime) -> None:
    with store.open("r+b") as file:
        file.truncate(shutil.disk_usage(store).free + (1 << 40))  # a hole takes no room itself
    with pytest.raises(StoreError, match="no room for a backup"):
        make_backup(store, None, config_path=config, now=now)


def test_the_first_backup_of_a_week_is_weekly_and_of_a_day_daily(
    store: Path, config: Path, now: datetime
) -> None:
    made = [
        backup_if_due(store, config_path=config, keep=KEEP, now=now + timedelta(hours=hours))
        for hours in (0, 3, 24, 25, 24 * 7)
    ]
    assert [path and path.name for path in made] == [
        "crm-2026-11-22T0930Z-weekly.db",
        None,
        "crm-2026-11-23T0930Z-weekly.db",
        None,
        "crm-2026-11-29T0930Z-daily.db",
    ]


def test_an_empty_store_needs_no_backup(tmp_path: Path, config: Path, now: datetime) -> None:
    prepare(tmp_path / "crm.db", now=now)
    assert due(tmp_path / "crm.db", now) is Kind.WEEKLY
    assert backup_if_due(tmp_path / "crm.db", config_path=config, keep=KEEP, now=now) is None


def test_old_pages_without_a_lead_are_worth_a_backup(
    store_path: Path, config: Path, now: datetime
) -> None:
    with closing(sqlite3.connect(store_path, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO unmatched (key, kind, title, reason, created_at, payload)"
            " VALUES ('k', 'site', 'Old page', 'no business', 't', '{}')"
        )
    assert backup_if_due(store_path, config_path=config, keep=KEEP, now=now) is not None


def test_rotation_deletes_old_automatic_backups_and_abandoned_copies(
    store: Path, now: datetime
) -> None:
    folder = backup.folder_of(store)
    folder.mkdir()
    for day in range(10):
        (folder / f"crm-2026-11-{day + 10}T0930Z-daily.db").touch()
    (folder / "crm-2026-11-01T0930Z-by-hand.db").touch()
    (folder / "notes.txt").touch()
    (folder / "other-2026-10-01T0930Z-daily.db").touch()
    (folder / "crm-2026-11-22T0930Z-daily.db-x.partial").touch()
    later = datetime.now(UTC) + timedelta(days=2)
    gone = backup.rotate(store, BackupSettings(daily=8), now=later)
    assert [path.name for path in gone] == [
        "crm-2026-11-10T0930Z-daily.db",
        "crm-2026-11-11T0930Z-daily.db",
        "crm-2026-11-22T0930Z-daily.db-x.partial",
    ]
    assert len(list(folder.iterdir())) == 8 + 3


made_at = st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year >= 1000)
names = st.builds(
    lambda at, kind: f"crm-{at:%Y-%m-%dT%H%MZ}-{kind}.db", made_at, st.sampled_from(list(Kind))
)
keeps = st.builds(BackupSettings, daily=st.integers(1, 9), weekly=st.integers(0, 5))


@given(st.sets(names | st.text()), keeps)
def test_rotation_keeps_the_newest_of_each_kind_and_all_that_was_not_automatic(
    found: set[str], keep: BackupSettings
) -> None:
    gone = expired(found, keep)
    left = found - gone
    assert gone <= found
    for kind, most in ((Kind.DAILY, keep.daily), (Kind.WEEKLY, keep.weekly)):
        of_kind = {name for name in found if name.endswith(f"-{kind}.db")}
        kept = of_kind & left
        assert len(kept) == min(most, len(of_kind))
        assert all(name[4:20] >= other[4:20] for name in kept for other in of_kind & gone)
    assert not any(name.endswith(f"-{kind}.db") for name in gone for kind in Kind if "-" in kind)
    assert expired(left, keep) == set()


def test_an_unreadable_file_of_the_configuration_is_named(store: Path) -> None:
    script = """
import os, sys
from datetime import datetime, UTC
from pathlib import Path
from crm_tui.errors import BadInput
from crm_tui.services.backup import make_backup
if os.getuid() == 0:
    os.setuid(65534)
folder = Path(sys.argv[1])
try:
    make_backup(
        folder / "crm.db", folder / "copy.db", config_path=folder / "config.toml",
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )
except BadInput as error:
    print(error)
"""
    # Not under tmp_path: root's is closed to the user that the process becomes.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "crm.db").write_bytes(store.read_bytes())
        (folder / "config.toml").touch(0o000)
        said = subprocess.run(
            [sys.executable, "-c", script, name], capture_output=True, text=True, check=True
        ).stdout
        left = {path.name for path in folder.iterdir()}
    assert "config.toml cannot be read for the backup: Permission denied" in said
    assert "copy.db" not in left
