"""When to try again what could not be published or taken down: ever more rarely, kept in the store.

It is one host that fails, or one folder, so there is one pause for all. It is written before a try
is made, so that a program that dies over it does not try again as often as it is started; and with
every problem in one transaction, so that where no pause is, nothing has failed. Never is it given up:
a laptop may be without a network for a week.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Setting
from crm_tui.services.sending import standing

NAME = "publishing_retry"
"""The setting that says how often it was tried, and until when it is not."""

_FIRST = timedelta(minutes=5)
_FACTOR = 3
LONGEST = timedelta(hours=6)
"""Of the pauses, which last 5, 15 and 45 minutes, two hours and a quarter, and so long from then on."""


@dataclass(frozen=True, slots=True)
class Pause:
    """How many tries failed since the operator's own, that one included, and when the next is due."""

    tries: int
    until: datetime

    def is_over(self, now: datetime) -> bool:
        """Whether it is time; an end beyond any pause was written by a wrong clock."""
        return not now < self.until <= now + LONGEST


async def read(session: ReadSession) -> Pause | None:
    """The pause that is kept; None where nothing was tried in vain."""
    setting = await session.get(Setting, NAME, populate_existing=True)
    if setting is None:
        return None
    return Pause(setting.value["tries"], datetime.fromisoformat(setting.value["until"]))


async def begin(session: WriteSession, *, now: datetime) -> None:
    """Have what the operator tried in vain, or begins, be tried again in a few minutes."""
    await lengthen(session, None, now=now)


async def lengthen(session: WriteSession, before: Pause | None, *, now: datetime) -> Pause:
    """Have the next try come later than the last did, counted from now."""
    tries = before.tries + 1 if before else 1
    wait = min(_FIRST * _FACTOR ** min(tries - 1, 9), LONGEST)
    pause = Pause(tries, now + wait)
    await standing.put(session, NAME, {"tries": tries, "until": pause.until.isoformat()})
    return pause


async def end(session: WriteSession, pause: Pause) -> None:
    """Have nothing be tried again, unless something else has failed since this pause was written."""
    if await read(session) == pause:
        await session.execute(delete(Setting).where(Setting.name == NAME))
