"""Doing an action: one transaction in which everything that is written is recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, text, update

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import UndoChange, UndoEntry
from crm_tui.errors import BadInput
from crm_tui.services.undo import recorded
from crm_tui.vocabulary import UndoState


@dataclass(slots=True)
class Entry:
    """The entry of an action that works in several transactions; `id` is None until it wrote.

    `words`, set within a block, are said instead of those the block was begun with: how much was
    done is often known only then.
    """

    id: int | None = None
    part: int = 0
    words: str | None = None


@asynccontextmanager
async def action(
    db: Database, words: str, *, now: datetime, entry: Entry | None = None
) -> AsyncIterator[WriteSession]:
    """A write transaction that leaves an undo entry, unless nothing was written in it.

    Args:
        db: the store.
        words: what is done, in the past tense, as the operator reads it: "tagged 148 leads vip".
        now: aware UTC.
        entry: given to every transaction of one long action; they become one entry, which says
            the words of the last of them.

    Raises:
        BadInput: the action was undone while it was still going on.
        StoreError: the store cannot be written; nothing was changed.
    """
    own = entry or Entry()
    async with db.write() as session, recording(session, words, now=now, entry=own) as made:
        yield session
    if made.wrote:
        own.id, own.part = made.id, own.part + 1


@dataclass(slots=True)
class Recording:
    """What is being recorded: under which entry, and, at the end, whether anything was written."""

    id: int
    wrote: bool = False


@asynccontextmanager
async def recording(
    session: WriteSession, words: str, *, now: datetime, entry: Entry | None = None
) -> AsyncIterator[Recording]:
    """Record what is written within the block, for a transaction of several actions.

    Most have one, and use `action`. One recording ends before the next begins.

    Raises:
        BadInput: the action was undone while it was still going on.
    """
    own = entry or Entry()
    goes_on = own.id is not None
    made = Recording(await _open(session, own, words, now=now))
    await _record_into(session, made.id, own.part)
    yield made
    await session.flush()
    await session.execute(text("DELETE FROM undo_recording"))
    made.wrote = goes_on or await _is_written(session, made.id)
    if not made.wrote:
        await session.execute(delete(UndoEntry).where(UndoEntry.id == made.id))
        return
    said = own.words or words
    if goes_on or said != words:
        await session.execute(
            update(UndoEntry).where(UndoEntry.id == made.id).values(words=said, changed_at=now)
        )
    if not goes_on:
        # What was undone before cannot be done again after something else was done.
        await session.execute(
            update(UndoEntry)
            .where(UndoEntry.state == UndoState.UNDONE)
            .values(state=UndoState.DROPPED)
        )


async def _is_written(session: WriteSession, entry_id: int) -> bool:
    changes = select(UndoChange.id).where(UndoChange.entry_id == entry_id).limit(1)
    return await session.scalar(changes) is not None


async def recorded_as(session: WriteSession) -> int:
    """The number of the entry that is being recorded; there is one within an action only."""
    entry = await session.scalar(text("SELECT entry FROM undo_recording"))
    return int(entry)


async def _open(session: WriteSession, entry: Entry, words: str, *, now: datetime) -> int:
    if entry.id is None:
        made = await session.execute(
            insert(UndoEntry)
            .values(words=words, created_at=now, changed_at=now)
            .returning(UndoEntry.id)
        )
        return int(made.scalar_one())
    state = await session.scalar(select(UndoEntry.state).where(UndoEntry.id == entry.id))
    if state is not UndoState.DONE:
        raise BadInput("This was undone while it was still going on, so it was stopped.")
    return entry.id


async def _record_into(session: WriteSession, entry_id: int, part: int) -> None:
    """Have the triggers of this connection record into an entry until the transaction ends."""
    known = await session.scalar(
        text("SELECT 1 FROM temp.sqlite_master WHERE name = 'undo_recording'")
    )
    if known is None:
        for statement in (recorded.RECORDING, *recorded.triggers()):
            # The driver takes a colon for a parameter in text(); there are none in these.
            await (await session.connection()).exec_driver_sql(statement)
    await session.execute(
        text("INSERT INTO undo_recording (entry, part) VALUES (:entry, :part)"),
        {"entry": entry_id, "part": part},
    )
