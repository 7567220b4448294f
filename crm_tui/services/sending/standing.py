"""Whether this store sends at all, and what it remembers of its sending: pace and failures.

A store that was restored or copied would send again what the other one has sent: it starts with
sending stopped, and the operator lets it go in one step. A copy is known by its place: the machine
and the file that last sent from it.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Setting
from crm_tui.services.sending.backoff import Breaker
from crm_tui.services.sending.pace import Bucket, read_bucket

STOPPED = "sending_stopped"
"""{"reason": …}: nothing is sent until the operator lets it go; restoring writes it too."""
HOME = "sending_home"
PACE = "sending_pace"
BREAKER = "sending_breaker"
PLUS = "mailbox_plus"
"""Whether a trial showed that the mailbox takes addresses with a plus."""

_MACHINE = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store remembers of its sending.

    Attributes:
        stopped: why nothing is sent; "" while it may.
        bucket: what was sent lately.
        breaker: the provider's failures in a row.
        problem: the provider's last failure in words; "" where it works.
    """

    bucket: Bucket
    breaker: Breaker
    stopped: str
    problem: str
    plus: bool


def home_of(store: Path) -> str:
    """What tells this store's place from a copy's: a hash of the machine and the file."""
    try:
        machine = _MACHINE.read_text().strip()
    except OSError:
        machine = platform.node()
    status = store.stat()
    place = f"{machine} {status.st_dev} {status.st_ino}"
    return hashlib.sha256(place.encode()).hexdigest()[:32]


async def read_standing(session: ReadSession, provider: str, *, home: str) -> Standing:
    """What the store remembers, as it is at this place (`home_of`)."""
    names = (STOPPED, HOME, PACE, f"{BREAKER}:{provider}", PLUS)
    rows = await session.execute(select(Setting.name, Setting.value).where(Setting.name.in_(names)))
    found: dict[str, Any] = dict(rows.tuples().all())
    breaker = found.get(f"{BREAKER}:{provider}") or {}
    until = breaker.get("until")
    return Standing(
        stopped=_why_stopped(found, home),
        bucket=read_bucket(found.get(PACE) or {}),
        breaker=Breaker(
            breaker.get("failures", 0), datetime.fromisoformat(until) if until else None
        ),
        problem=breaker.get("problem", ""),
        plus=bool(found.get(PLUS)),
    )


def _why_stopped(found: dict[str, Any], home: str) -> str:
    if stopped := found.get(STOPPED):
        return str(stopped.get("reason", "sending was stopped"))
    if found.get(HOME) not in (None, home):
        return "this store was copied: the other one may have sent what is queued here"
    return ""


async def keep_home(session: WriteSession, home: str) -> None:
    """Remember that this place sends from the store, where none did before."""
    row = {"name": HOME, "value": home}
    await session.execute(insert(Setting).values(row).on_conflict_do_nothing())


async def let_go(session: WriteSession, home: str) -> None:
    """Let a store that was stopped send, from this place."""
    await session.execute(delete(Setting).where(Setting.name == STOPPED))
    await put(session, HOME, home)


async def stop(session: WriteSession, why: str) -> None:
    """Send nothing from this store until it is let go."""
    await put(session, STOPPED, {"reason": why})


async def keep_bucket(session: WriteSession, bucket: Bucket) -> None:
    """Remember what was sent lately."""
    await put(session, PACE, bucket.plain())


async def keep_breaker(
    session: WriteSession, provider: str, breaker: Breaker, problem: str = ""
) -> None:
    """Remember a provider's failures, and the last in words."""
    until = breaker.until.isoformat() if breaker.until else None
    value = {"failures": breaker.failures, "until": until, "problem": problem}
    await put(session, f"{BREAKER}:{provider}", value)


async def put(session: WriteSession, name: str, value: Any) -> None:
    """Write one thing the store remembers."""
    row = insert(Setting).values(name=name, value=value)
    await session.execute(
        row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value})
    )
