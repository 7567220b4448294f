"""Opening a store: checked, created or brought to this version, and never harmed by it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from crm_tui.db import migrate
from crm_tui.db.engine import Database, store_errors
from crm_tui.errors import StoreError


async def open_store(path: Path, *, now: datetime) -> Database:
    """The store at `path`, ready for use; created when there is none.

    An older store is copied into its backups first, then migrated.

    Raises:
        StoreError: it is not ours, newer than this program, or cannot be read or written; it was
            not touched.
    """
    await asyncio.to_thread(prepare, path, now=now)
    return Database(path)


def prepare(path: Path, *, now: datetime) -> None:
    """Create or migrate the store at `path` where needed. Blocks: run it in a thread.

    Raises:
        StoreError: as `open_store`.
    """
    found = migrate.revision(path)
    if found == migrate.HEAD:
        return
    if found is not None and migrate.is_newer(found):
        raise StoreError(
            f"The store {path} was written by a newer version of crm-tui. It was not touched; "
            "update crm-tui to open it."
        )
    if found is None:
        _make_room(path)
    else:
        from crm_tui.services import backup  # noqa: PLC0415 - only before a migration

        backup.before_migration(path, now=now)
    with store_errors(path):
        migrate.upgrade(path)
    if found is None:
        from crm_tui.services.sending import last_sent  # noqa: PLC0415 - only for a new store

        last_sent.forget(path)  # what another store sent that was here before


def _make_room(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {path.parent} cannot be made: {error.strerror}. Name another place with "
            "--db or CRM_TUI_DB."
        ) from None
