"""What a command says: words for people on stderr, one JSON document or a plain table on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from crm_tui.clock import utc_now
from crm_tui.errors import UserError
from crm_tui.text import plural, to_json, visible

if TYPE_CHECKING:
    import typer

    from crm_tui.config import Settings
    from crm_tui.db.engine import Database

T = TypeVar("T")

MOST_ID = 2**63 - 1
"""The highest number a record can have."""


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    IN_PART = 3
    PROVIDER_FAILED = 4


class Invocation:
    """What the options before the command said: which store, which configuration.

    Both are looked at only when a command needs them, so that --help never fails on them.
    """

    def __init__(self, db: str | None, config: Path | None, *, ascii_only: bool = False) -> None:
        self._db = db
        self.config = config
        self._ascii_only = ascii_only

    @property
    def store(self) -> Path:
        """The store's path."""
        from crm_tui.config import store_path

        return store_path(self._db, os.environ)

    @property
    def settings(self) -> Settings:
        """The settings, read from the configuration file; --ascii has the last word on itself."""
        from msgspec.structs import replace

        from crm_tui.config import load_settings

        settings = load_settings(self.config)
        if not self._ascii_only:
            return settings
        return replace(settings, appearance=replace(settings.appearance, ascii=True))


def invocation(context: typer.Context) -> Invocation:
    """The invocation a command belongs to."""
    found = context.find_object(Invocation)
    assert found is not None
    return found


def with_store(
    context: typer.Context, work: Callable[[Database], Awaitable[T]], *, back_up: bool = False
) -> T:
    """Open the store, do the work, close the store; ends the program where that is refused.

    Imports that were cut off are taken back before the work, so that it never meets half of one.
    With `back_up`, today's backup is made first if it is due: for work that changes much.
    """
    asked = invocation(context)

    async def run() -> T:
        from crm_tui.services.store import open_store

        db = await open_store(asked.store, now=utc_now())
        try:
            await _take_back_interrupted(asked, db)
            if back_up:
                await _back_up(asked)
            return await work(db)
        finally:
            await db.close()

    import asyncio

    return asyncio.run(run())


async def _take_back_interrupted(asked: Invocation, db: Database) -> None:
    from crm_tui.services.imports.unfinished import any_unfinished

    if not await any_unfinished(db):
        return
    from crm_tui.services.imports.batches import take_back_interrupted

    try:
        for batch in await take_back_interrupted(db, settings=asked.settings, now=utc_now()):
            leads = plural(batch.leads, "lead was", "leads were")
            say(f"The import of {batch.file_name} was cut off; its {leads} taken back.")
    except (UserError, OSError) as error:
        from crm_tui.db.engine import is_full

        reason = "the disk is full" if is_full(error) else str(error).rstrip(".")
        say(f"What an import left that was cut off could not be taken back yet: {reason}.")


async def _back_up(asked: Invocation) -> None:
    import asyncio

    from crm_tui.services.backup import backup_if_due

    keep = asked.settings.backup
    try:
        await asyncio.to_thread(
            backup_if_due, asked.store, config_path=asked.config, keep=keep, now=utc_now()
        )
    except UserError as error:
        say(f"Today's backup could not be made; going on without it. {error}")


def say(words: str) -> None:
    """Tell the reader something on stderr."""
    sys.stderr.write(visible(words) + "\n")
    sys.stderr.flush()


def show_json(document: Any) -> None:
    """Write the one JSON document of a command to stdout."""
    text = to_json(document)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    sys.stdout.write(text + "\n")


def show_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a plain table to stdout: text left, numbers right, nothing cut."""
    cells = [[visible(str("" if cell is None else cell)) for cell in row] for row in rows]
    widths = [max([len(head), *(len(row[i]) for row in cells)]) for i, head in enumerate(headings)]
    numeric = [
        bool(rows) and all(row[i] is None or isinstance(row[i], int | float) for row in rows)
        for i in range(len(headings))
    ]
    for line in [list(headings), *cells]:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        sys.stdout.write("  ".join(padded).rstrip() + "\n")
