"""Working through many leads: a chunk is a transaction, and all of them are one entry of undo."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from crm_tui.db.engine import Database, WriteSession, reason_of
from crm_tui.db.models import Business
from crm_tui.errors import StoreError
from crm_tui.services import undo
from crm_tui.services.bulk.changes import Change
from crm_tui.text import plural

CHUNK = 500
"""How many leads one transaction changes at most."""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of a change to many leads.

    Attributes:
        words: what was done, as undo says it: "tagged 148 leads vip"; one lead by its name.
        matched: how many leads were meant.
        reached: how many of them it came to; fewer than were meant where it was cancelled.
        changed: to how many of those it made a difference.
        entry_id: by which undo knows it; None where nothing was changed, or nothing is to undo.
        cancelled: whether it was stopped before the end.
    """

    words: str
    matched: int
    reached: int
    changed: int
    entry_id: int | None
    cancelled: bool

    @property
    def unchanged(self) -> int:
        """How many of those it came to were so already, or are gone."""
        return self.reached - self.changed


def _nothing(_done: int, _total: int) -> None:
    """Report to nobody."""


async def run(
    db: Database,
    ids: Sequence[int],
    change: Change,
    *,
    now: datetime,
    progress: Callable[[int, int], None] = _nothing,
    cancelled: Callable[[], bool] = lambda: False,
) -> BulkResult:
    """Change leads, 500 in a transaction.

    However it ends (cancelled, killed between two chunks, or in the middle of one, which is then
    as if it had not begun), the entry of undo says and holds what was done.

    Args:
        db: the store.
        ids: which leads, each once.
        change: what is done to them.
        now: aware UTC, for all of them.
        progress: called after every chunk with how many leads it has come to, of how many.
        cancelled: asked before every chunk whether to stop.

    Raises:
        BadInput: it cannot be done to so many leads, or was undone while it was going on.
        StoreError: the store cannot be written; what was done until then stands, and is said.
    """
    change.admit(len(ids))
    name = await _name_of_the_only(db, ids)
    entry = undo.Entry()
    reached = changed = 0
    stopped = False
    for chunk in _chunks(ids):
        if cancelled():
            stopped = True
            break
        try:
            async with _transaction(db, change, entry, now) as session:
                different = len(await change.apply(session, chunk, now=now))
                entry.words = change.done(name or plural(changed + different, "lead"))
        except StoreError as error:
            if not changed:
                raise
            done = change.done(plural(changed, "lead"))
            raise StoreError(f"{reason_of(error)} Done until then: {done}.") from error
        changed += different
        reached += len(chunk)
        progress(reached, len(ids))
    return BulkResult(
        words=change.done(name or plural(changed, "lead")),
        matched=len(ids),
        reached=reached,
        changed=changed,
        entry_id=entry.id,
        cancelled=stopped,
    )


async def foresee(
    db: Database,
    ids: Sequence[int],
    change: Change,
    *,
    now: datetime,
    progress: Callable[[int, int], None] = _nothing,
    cancelled: Callable[[], bool] = lambda: False,
) -> int:
    """To how many of the leads a change would make a difference; nothing is written.

    Raises:
        BadInput: it cannot be done to so many leads.
    """
    change.admit(len(ids))
    reached = found = 0
    for chunk in _chunks(ids):
        if cancelled():
            break
        async with db.read() as session:
            found += len(await change.pending(session, chunk, now=now))
        reached += len(chunk)
        progress(reached, len(ids))
    return found


async def _name_of_the_only(db: Database, ids: Sequence[int]) -> str | None:
    """The name of the lead, where there is one alone."""
    if len(ids) != 1:
        return None
    async with db.read() as session:
        return await session.scalar(select(Business.name).where(Business.id == ids[0]))


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    # In the order in which they are stored: neighbours share pages, which are then written once.
    in_order = array("q", sorted(ids))
    return (in_order[start : start + CHUNK] for start in range(0, len(in_order), CHUNK))


@asynccontextmanager
async def _transaction(
    db: Database, change: Change, entry: undo.Entry, now: datetime
) -> AsyncIterator[WriteSession]:
    if change.undoable:
        async with undo.action(db, change.done("leads"), now=now, entry=entry) as session:
            yield session
    else:
        async with db.write() as session:
            yield session
