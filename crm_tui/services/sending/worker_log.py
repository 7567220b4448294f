"""What the worker did, in lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, select

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import WorkerLog
from crm_tui.text import plain_line

KEPT = 1000
_SAID_AGAIN = timedelta(minutes=10)


class LogLine(NamedTuple):
    """One line; the same words in a row are one line, with the time they were said last."""

    id: int
    at: datetime
    is_problem: bool
    words: str


async def add(session: WriteSession, words: str, *, is_problem: bool, now: datetime) -> None:
    """Add a line; the oldest go. A problem that lasts is said again every few minutes."""
    said = plain_line(words)
    last = (
        await session.execute(select(WorkerLog).order_by(WorkerLog.id.desc()).limit(1))
    ).scalar()
    if last is not None and last.words == said:
        if not is_problem or abs(now - last.at) >= _SAID_AGAIN:
            last.at = now
        return
    session.add(WorkerLog(at=now, is_problem=is_problem, words=said))
    newest = select(func.max(WorkerLog.id)).scalar_subquery()
    await session.execute(
        delete(WorkerLog)
        .where(WorkerLog.id <= newest - KEPT)
        .execution_options(synchronize_session=None)
    )


async def lines(session: ReadSession, *, most: int = KEPT) -> Sequence[LogLine]:
    """The newest lines, newest first."""
    rows = await session.execute(
        select(WorkerLog.id, WorkerLog.at, WorkerLog.is_problem, WorkerLog.words)
        .order_by(WorkerLog.id.desc())
        .limit(most)
    )
    return [LogLine._make(row) for row in rows]
