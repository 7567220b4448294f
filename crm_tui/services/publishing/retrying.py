"""When to try again what could not be published or taken down: ever more rarely, kept in the store.

It is one host that fails, or one folder, so there is one pause for all. It is written before a try
is made, so that a program that dies over it does not try again as often as it is started. Never is
it given up: a laptop may be without a network for a week.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Setting
from crm_tui.services.sending import standing
from crm_tui.services.sending.backoff import Backoff

NAME = "publishing_retry"
"""The setting that says how often it was tried, and until when it is not."""

PAUSE = Backoff(
    first=timedelta(minutes=5),
    cap=timedelta(hours=6),
    attempts=0,
    factor=3,
    least=timedelta(minutes=1),
)


@dataclass(frozen=True, slots=True)
class Pause:
    """How many tries failed since the operator's own, that one included, and when the next is due."""

    tries: int
    until: datetime

    def is_over(self, now: datetime) -> bool:
        """Whether it is time; an end beyond any pause was written by a wrong clock."""
        return not now < self.until <= now + PAUSE.cap


async def read(session: ReadSession) -> Pause | None:
    """The pause that is kept; None where nothing was tried in vain."""
    setting = await session.get(Setting, NAME, populate_existing=True)
    if setting is None:
        return None
    return Pause(setting.value["tries"], datetime.fromisoformat(setting.value["until"]))


async def begin(db: Database, *, now: datetime) -> None:
    """Have what the operator tried in vain be tried again in a few minutes."""
    await lengthen(db, None, now=now)


async def lengthen(db: Database, before: Pause | None, *, now: datetime) -> None:
    """Have the next try come later than the last did, counted from now."""
    tries = before.tries + 1 if before else 1
    until = now + PAUSE.delay(tries, NAME)
    async with db.write() as session:
        await standing.put(session, NAME, {"tries": tries, "until": until.isoformat()})


async def end(db: Database) -> None:
    """Nothing has to be tried again any more."""
    async with db.write() as session:
        await session.execute(delete(Setting).where(Setting.name == NAME))
