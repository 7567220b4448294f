"""Putting on the list and taking off as actions of the operator, each one entry of undo."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_tui.db.engine import Database
from crm_tui.services import undo
from crm_tui.services.suppression.barring import Entry, bar, skip, waiting_for
from crm_tui.services.suppression.freeing import Freed, free
from crm_tui.services.suppression.values import Value
from crm_tui.text import visible

_SKIPPED_AT_ONCE = 200


@dataclass(slots=True)
class Result:
    """What putting on the list came to.

    Attributes:
        added: how many values are on the list now and were not.
        known: how many were on it already; they keep their reason.
        skipped: how many messages that waited will not be sent.
        standing: of a single value that was on it already, the reason; else "".
    """

    added: int = 0
    known: int = 0
    skipped: int = 0
    standing: str = ""


async def add(db: Database, entry: Entry, *, now: datetime) -> Result:
    """Put one value on the list; what waits for it is skipped.

    Raises:
        NotFound: there is no lead of that number.
        BadInput: that is no reason.
    """
    said = visible(entry.value.value, 60)
    words = f"barred {'lead ' if entry.value.lead_id is not None else ''}{said}"

    async def one() -> AsyncIterable[Sequence[Entry]]:
        yield [entry]

    return await add_all(db, one(), lambda _result: words, now=now)


async def add_all(
    db: Database,
    chunks: AsyncIterable[Sequence[Entry]],
    words: Callable[[Result], str],
    *,
    now: datetime,
) -> Result:
    """Put chunks of values on the list, at most 500 each, one entry of undo; then skip what waits.

    Args:
        db: the store.
        chunks: what to put there.
        words: what was done so far, as undo says it.
        now: aware UTC.
    """
    result, entry, added = Result(), undo.Entry(), list[Entry]()
    async for chunk in chunks:
        async with undo.action(db, words(result), now=now, entry=entry) as session:
            barred = await bar(session, chunk, now=now)
            result.added += len(barred.added)
            result.known += len(barred.known)
            result.skipped += barred.canceled
            result.standing = barred.known[0].reason if barred.known else result.standing
            entry.words = words(result)
        added += barred.added
    async with db.read() as session:
        waiting = await waiting_for(session, added)
    for why, ids in waiting:
        for start in range(0, len(ids), _SKIPPED_AT_ONCE):
            some = ids[start : start + _SKIPPED_AT_ONCE]
            async with undo.action(db, words(result), now=now, entry=entry) as session:
                result.skipped += await skip(session, some, why, now=now)
    return result


async def remove(
    db: Database, value: Value, reason: str, *, force: bool = False, now: datetime
) -> Freed:
    """Take a value off the list.

    Raises:
        NotFound: it is not on the list.
        BadInput: they asked for it themselves, and `force` is not said; or the reason is none.
    """
    entry = undo.Entry()
    words = f"took {visible(value.value, 60)} off the list of those not to be contacted"
    async with undo.action(db, words, now=now, entry=entry) as session:
        freed = await free(session, value, reason, force=force, now=now)
        entry.words = f"allowed contact with {visible(freed.name, 60)} again"
    return freed
