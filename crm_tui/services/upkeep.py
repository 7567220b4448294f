"""What every start of the app owes its store: today's backup, and what dead processes left."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.errors import UserError
from crm_tui.services import rescoring, undo
from crm_tui.services.backup import backup_if_due
from crm_tui.services.imports.batches import take_back_interrupted
from crm_tui.services.sites.claims import repair_stuck
from crm_tui.text import plural


async def tend(
    db: Database, *, settings: Settings, config_path: Path | None, now: datetime
) -> list[str]:
    """Back the store up if due, take back what was cut off, score again what has aged, forget.

    What is forgotten are actions that are too old to be undone.

    Runs beside the app, after the first paint. Returns sentences for the operator; what went
    wrong is one of them, and keeps nothing else from being done.

    Args:
        db: the open store.
        settings: how many backups are kept, and what scores follow from.
        config_path: config.toml, which goes into the backup; the default place when None.
        now: aware UTC.
    """
    said: list[str] = []
    try:
        await asyncio.to_thread(
            backup_if_due, db.path, config_path=config_path, keep=settings.backup, now=now
        )
    except UserError as error:
        said.append(f"Today's backup could not be made. {error}")
    try:
        batches = await take_back_interrupted(db, settings=settings, now=now)
        if batches:
            said.append(f"{plural(len(batches), 'import')} had been cut off and was taken back.")
        builds = await repair_stuck(db, now=now)
        if builds:
            said.append(f"The builds of {plural(builds, 'site')} had been cut off.")
        await rescoring.refresh(db, settings.score, now=now)
        await undo.prune(db)
    except UserError as error:
        said.append(str(error))
    return said
