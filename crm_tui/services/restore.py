"""Bringing a backup back: what was there is kept, and the change is all or nothing.

The backup is first copied beside the store and made ready there: the archive taken out, migrated,
sending stopped. Then SQLite's backup API writes it over the store in one transaction. Renaming a
file into place would be shorter, but a program that has the old file open would go on writing to
it, and a write-ahead log left beside it would be replayed into the new one. As a transaction, a
crash in the middle is rolled back by whoever opens the store next.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from crm_tui.config import default_config_path
from crm_tui.db import migrate, snapshot
from crm_tui.db.types import utc_text
from crm_tui.errors import StoreError
from crm_tui.services import archive, backup
from crm_tui.services.sending import last_sent
from crm_tui.text import visible

SENDING_STOPPED = "sending_stopped"
"""The setting that says why nothing may be sent: {"reason", "file", "at"}."""

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What came back, and where what was there is now.

    Args:
        file: the backup that was restored.
        saved: the backup of what was there; None where there was nothing.
        leads: how many businesses the store holds now.
        sites: how many sites it holds.
        migrated_from: the older revision it was brought up from, or None.
        files: the operator's own files, restored where missing, kept where there.
    """

    file: Path
    saved: Path | None
    leads: int
    sites: int
    migrated_from: str | None
    files: archive.Unpacked


def restore(
    file: Path, store: Path, *, now: datetime, config_path: Path | None = None
) -> RestoreResult:
    """Replace a store by a backup of it, with sending stopped. Blocks.

    Files of sites are copies of their rows; opening the store or `doctor --fix` restores them.

    Args:
        file: the backup.
        store: where it goes; what is there is backed up first.
        now: aware UTC.
        config_path: config.toml; the default place when None.

    Raises:
        StoreError: the backup is not one of ours, damaged or newer; the store is open elsewhere;
            or what is there could not be backed up. The store is as it was.
    """
    found = _checked(file, store)
    with snapshot.opened(file, read_only=True) as connection:
        files = archive.read(connection)
    with _prepared(file, store, now=now) as ready:
        saved = _save(store, now=now, config_path=config_path)
        _replace(store, ready)
        last_sent.forget(store)  # sending is stopped, and it is said why
        rows = snapshot.counts(ready)
    return RestoreResult(
        file=file,
        saved=saved,
        leads=rows["business"],
        sites=rows["site"],
        migrated_from=found if found != migrate.HEAD else None,
        files=archive.unpack(files, config_path or default_config_path()),
    )


def _checked(file: Path, store: Path) -> str:
    """The revision of a backup that can be restored."""
    if not file.exists():
        raise StoreError(f"There is no backup {file}. Automatic ones are in the store's .backups.")
    if store.exists() and file.samefile(store):
        raise StoreError(f"{file} is the store itself; name a backup of it.")
    found = migrate.revision(file)
    if found is None:
        raise StoreError(f"{file} is empty, not a backup. The store was not touched.")
    if migrate.is_newer(found):
        raise StoreError(
            f"The backup {file} was made by a newer version of crm-tui. Update crm-tui to restore "
            "it; the store was not touched."
        )
    problems = snapshot.problems(file)
    if problems:
        raise StoreError(
            f"The backup {file} is damaged ({visible(problems[0], 200)}). The store was not "
            "touched; restore another one."
        )
    return found


@contextmanager
def _prepared(file: Path, store: Path, *, now: datetime) -> Iterator[Path]:
    """A copy of the backup beside the store, as the store is to be; gone afterwards."""
    backup.make_folder(backup.folder_of(store))
    try:
        handle, name = tempfile.mkstemp(".partial", "restoring-", backup.folder_of(store))
    except OSError as error:
        raise StoreError(f"{file} cannot be restored: {error.strerror}.") from None
    os.close(handle)
    ready = Path(name)
    try:
        snapshot.take(file, ready)
        with snapshot.opened(ready) as copy:
            archive.drop(copy)
        migrate.upgrade(ready)
        with snapshot.opened(ready) as copy:
            copy.execute("PRAGMA journal_mode = DELETE")
            _stop_sending(copy, file, now)
        yield ready
    finally:
        for path in (ready, *ready.parent.glob(f"{ready.name}-*")):
            path.unlink(missing_ok=True)


def _stop_sending(connection: sqlite3.Connection, file: Path, now: datetime) -> None:
    connection.execute(
        "INSERT INTO setting (name, value) VALUES (?, json_object('reason', ?, 'file', ?, 'at', ?))"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (SENDING_STOPPED, "restored from a backup", str(file.absolute()), utc_text(now)),
    )


def _save(store: Path, *, now: datetime, config_path: Path | None) -> Path | None:
    """Back up what is there; move it away where it is too damaged for that. None if nothing is."""
    try:
        found = migrate.revision(store)
        damaged = found is not None and bool(snapshot.problems(store))
    except StoreError as error:
        if not snapshot.is_damage(error):
            raise
        return _move_away(store, now=now)
    if found is None:
        return None
    if migrate.is_newer(found):
        raise StoreError(
            f"The store {store} was written by a newer version of crm-tui and was not touched. "
            "Update crm-tui, or move the store away first."
        )
    if damaged:
        return _move_away(store, now=now)
    with _opened_alone(store):
        pass
    return backup.make_backup(
        store, None, config_path=config_path, now=now, kind=backup.Kind.BEFORE_RESTORE
    )


def _move_away(store: Path, *, now: datetime) -> Path:
    """Keep a damaged store, byte for byte, in its backups folder."""
    plain = backup.free_name(store, now=now, kind=backup.Kind.BEFORE_RESTORE)
    kept = plain.with_name(f"{plain.stem}-damaged.db")
    try:
        for suffix in ("-shm", "-wal", ""):
            part = store.with_name(store.name + suffix)
            if part.exists():
                part.rename(kept.with_name(kept.name + suffix))
    except OSError as error:
        raise StoreError(
            f"The damaged store {store} could not be moved to {kept}: {error.strerror}. Nothing "
            "was restored."
        ) from error
    return kept


def _replace(store: Path, ready: Path) -> None:
    """Write the prepared copy over the store in one transaction."""

    def give_up(status: int, _remaining: int, _total: int) -> None:
        if status in _BUSY:
            raise _in_use(store)

    store.touch()
    with snapshot.opened(ready, read_only=True) as source, _opened_alone(store) as target:
        source.backup(target, progress=give_up)


@contextmanager
def _opened_alone(store: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a store that no other process has open.

    Whoever has a store open with a write-ahead log bars others from leaving that mode.
    """
    with snapshot.opened(store) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _BUSY:
                raise _in_use(store) from error
            raise
        connection.execute("PRAGMA journal_mode = WAL")
        yield connection


def _in_use(store: Path) -> StoreError:
    return StoreError(
        f"The store {store} is open in another program. Close it, then restore again; nothing was "
        "changed."
    )
