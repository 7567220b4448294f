"""Backups: one checked file that holds the store and what the operator wrote beside it.

A backup is an SQLite file like the store, with one table more (services.archive). It counts only
once it was opened again and found complete; until then it has another name.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from crm_tui.config import BackupSettings, default_config_path
from crm_tui.db import locks, migrate, snapshot
from crm_tui.db.engine import beside
from crm_tui.errors import StoreError
from crm_tui.services import archive
from crm_tui.text import visible

_STAMP = "%Y-%m-%dT%H%MZ"
_PARTIAL = ".partial"
_ABANDONED = timedelta(days=1)


class Kind(StrEnum):
    """Why a backup was made."""

    DAILY = "daily"
    WEEKLY = "weekly"
    BEFORE_MIGRATION = "before-migration"
    BEFORE_RESTORE = "before-restore"
    BY_HAND = "by-hand"


AUTOMATIC = frozenset({Kind.DAILY, Kind.WEEKLY})
"""The kinds that rotation takes away again; it leaves every other one alone."""

_NAME = re.compile(
    rf"(?P<stem>.+)-(?P<at>\d{{4}}-\d\d-\d\dT\d{{4}}Z)-(?P<kind>{'|'.join(Kind)})(-\d+)?\.db\Z"
)


@dataclass(frozen=True, slots=True)
class Made:
    """A backup as its file's name tells of it: which store, when (aware UTC), and why."""

    name: str
    stem: str
    at: datetime
    kind: Kind


def folder_of(store: Path) -> Path:
    """The folder beside a store that its backups go to."""
    return beside(store, "backups")


def existing(store: Path) -> list[Made]:
    """The backups of a store in its own folder, oldest first."""
    folder = folder_of(store)
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return [made for made in read_names(names) if made.stem == store.stem]


def read_names(names: Iterable[str]) -> list[Made]:
    """Those of the names that this program gave, oldest first."""
    found = []
    for name in names:
        match = _NAME.match(name)
        if match is None:
            continue
        try:
            at = datetime.strptime(match["at"], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        found.append(Made(name, match["stem"], at, Kind(match["kind"])))
    return sorted(found, key=lambda made: (made.at, made.name))


def make_backup(
    store: Path,
    target: Path | None,
    *,
    config_path: Path | None,
    now: datetime,
    kind: Kind = Kind.BY_HAND,
) -> Path:
    """Copy a store, the configuration and the operator's templates and themes into one file.

    Blocks, but no one else: others may read and write the store meanwhile.

    Args:
        store: the store's path.
        target: the file to make, or a folder to make it in; the store's own folder when None.
        config_path: config.toml; the default place when None.
        now: aware UTC; names the file.
        kind: why it is made.

    Raises:
        StoreError: there is no store, the target is there already or cannot be written, or the
            store is damaged. Nothing is left behind.
        BadInput: a file that belongs to the configuration cannot be read.
    """
    if migrate.revision(store) is None:
        raise StoreError(f"There is no store {store} to make a backup of.")
    final = _target(store, target, now=now, kind=kind)
    _refuse_existing(final)
    _need_room(store, final)
    with _partial(final) as partial:
        expected = snapshot.take(store, partial)
        with snapshot.opened(partial) as copy:
            copy.execute("BEGIN")
            archive.pack(copy, config_path or default_config_path())
            copy.execute("END")
        _check(partial, store, expected)
        snapshot.sync(partial)
        _refuse_existing(final)
        partial.rename(final)
        snapshot.sync(final.parent)
    return final


def due(store: Path, now: datetime) -> Kind | None:
    """The automatic backup that is due: the first one of a week or of a day (UTC), or none."""
    days = [made.at.date() for made in existing(store) if made.kind in AUTOMATIC]
    weeks = [made.at.date() for made in existing(store) if made.kind is Kind.WEEKLY]
    today = now.astimezone(UTC).date()
    if _week(today) not in map(_week, weeks):
        return Kind.WEEKLY
    return None if today in days else Kind.DAILY


def backup_if_due(
    store: Path, *, config_path: Path | None, keep: BackupSettings, now: datetime
) -> Path | None:
    """Make the automatic backup if one is due, and take away those that are older than is kept.

    A store without leads has nothing to lose, and one that another process is just copying needs
    no second copy. Blocks: run it in a thread.

    Raises:
        StoreError: as `make_backup`.
    """
    kind = due(store, now)
    if kind is None or _is_bare(store):
        return None
    with locks.held(store, "backup") as alone:
        if not alone:
            return None
        made = make_backup(store, None, config_path=config_path, now=now, kind=kind)
        rotate(store, keep, now=now)
    return made


def before_migration(store: Path, *, now: datetime, config_path: Path | None = None) -> Path:
    """Make the backup that every migration is preceded by.

    Raises:
        StoreError: as `make_backup`; the migration must not begin.
    """
    return make_backup(store, None, config_path=config_path, now=now, kind=Kind.BEFORE_MIGRATION)


def expired(names: Iterable[str], keep: BackupSettings) -> set[str]:
    """Those of the files that rotation takes away: automatic ones beyond the newest that are kept.

    What was made by hand, before a migration or before a restore is never among them.
    """
    made = read_names(names)
    daily = [backup.name for backup in made if backup.kind is Kind.DAILY]
    weekly = [backup.name for backup in made if backup.kind is Kind.WEEKLY]
    return {*daily[: max(len(daily) - keep.daily, 0)], *weekly[: max(len(weekly) - keep.weekly, 0)]}


def rotate(store: Path, keep: BackupSettings, *, now: datetime) -> list[Path]:
    """Delete the automatic backups beyond those that are kept; returns what was deleted.

    Copies that were cut off by a crash more than a day ago go as well.
    """
    folder = folder_of(store)
    gone = [folder / name for name in sorted(expired((m.name for m in existing(store)), keep))]
    gone += [
        path
        for path in folder.glob(f"*{_PARTIAL}*")
        if now - datetime.fromtimestamp(path.stat().st_mtime, UTC) > _ABANDONED
    ]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def free_name(store: Path, *, now: datetime, kind: Kind, folder: Path | None = None) -> Path:
    """A file name in the folder that tells what it is and that nothing has yet."""
    place = folder or folder_of(store)
    stamp = now.astimezone(UTC).strftime(_STAMP)
    path = place / f"{store.stem}-{stamp}-{kind}.db"
    count = 1
    while path.exists():
        count += 1
        path = place / f"{store.stem}-{stamp}-{kind}-{count}.db"
    return path


def make_folder(folder: Path) -> None:
    """Make the folder that backups go to.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {folder} for backups cannot be made: {error.strerror}."
        ) from None


def _target(store: Path, target: Path | None, *, now: datetime, kind: Kind) -> Path:
    if target is None:
        make_folder(folder_of(store))
        return free_name(store, now=now, kind=kind)
    if target.is_dir():
        return free_name(store, now=now, kind=kind, folder=target)
    if target.resolve() == store.resolve():
        raise StoreError(f"{target} is the store itself; name another file for its backup.")
    return target.absolute()


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise StoreError(f"{path} is there already and was not touched; name another file.")


def _need_room(store: Path, final: Path) -> None:
    """Refuse a copy that does not fit, rather than fill the disk the store may be on as well."""
    log = store.with_name(f"{store.name}-wal")
    needed = store.stat().st_size + (log.stat().st_size if log.exists() else 0)
    if final.parent.is_dir() and shutil.disk_usage(final.parent).free < needed:
        raise StoreError(
            f"The disk that holds {final.parent} has no room for a backup of "
            f"{needed / 1e6:,.0f} MB. Make room, or name another place."
        )


@contextmanager
def _partial(final: Path) -> Iterator[Path]:
    """A file beside the final one to work in; gone afterwards, whatever happens."""
    partial: Path | None = None
    try:
        handle, name = tempfile.mkstemp(f"{_PARTIAL}", f"{final.name}-", final.parent)
        os.close(handle)
        partial = Path(name)
        yield partial
    except OSError as error:
        raise StoreError(f"The backup {final} cannot be written: {error.strerror}.") from error
    finally:
        if partial is not None:
            for path in (partial, *partial.parent.glob(f"{partial.name}-*")):
                path.unlink(missing_ok=True)


def _check(copy: Path, store: Path, expected: dict[str, int]) -> None:
    """Open the copy again and see that it is whole, of the same version, and has every row."""
    problems = snapshot.problems(copy)
    if problems:
        raise StoreError(
            f"The store {store} is damaged ({visible(problems[0], 200)}), so no backup was made of "
            "it. `crm-tui doctor` tells more; `crm-tui restore FILE` brings an older backup back."
        )
    found = snapshot.counts(copy)
    found.pop("sqlar")
    if found != expected or migrate.revision(copy) != migrate.revision(store):
        raise StoreError(f"The copy of {store} was not complete and was taken away; try again.")


def _is_bare(store: Path) -> bool:
    anything = "SELECT 1 FROM business UNION ALL SELECT 1 FROM unmatched"
    with snapshot.opened(store, read_only=True) as connection:
        return connection.execute(anything).fetchone() is None


def _week(day: date) -> tuple[int, int]:
    return day.isocalendar()[:2]
