"""Whether this store sends at all, and what it remembers of its sending: pace and failures.

A store that was restored or copied would send again what the other one has sent: it starts with
sending stopped, and the operator lets it go in one step. A copy is known by its place: the machine
and the file that last sent from it.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Setting
from crm_tui.services.sending.backoff import Breaker
from crm_tui.services.sending.pace import Bucket, read_bucket

STOPPED = "sending_stopped"
"""{"reason": …}: nothing is sent until the operator lets it go; restoring writes it too."""
HOME = "sending_home"
PACE = "sending_pace"
TEXT_PROVIDERS = frozenset({"twilio"})
BREAKER = "sending_breaker"
PLUS = "mailbox_plus"
"""Whether a trial showed that the mailbox takes addresses with a plus."""

_MACHINE = Path("/etc/machine-id")
_ASKED = func.json_each(bindparam("names")).table_valued("value")
_REMEMBERED = (
    select(Setting.name, Setting.value)
    .select_from(_ASKED)
    .join(Setting, Setting.name == _ASKED.c.value)
)
_PUT = (  # plain SQL: with every mail that goes
    "INSERT INTO setting (name, value) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store remembers of its sending.

    Attributes:
        bucket: what was sent lately.
        breaker: the provider's failures in a row.
        stopped: why nothing is sent; "" while it may.
        problem: the provider's last failure in words; "" where it works.
        plus: whether the mailbox takes addresses with a plus.
        has_home: whether the place is known that sends from this store.
    """

    bucket: Bucket
    breaker: Breaker
    stopped: str
    problem: str
    plus: bool
    has_home: bool

    @property
    def works(self) -> bool:
        """Whether the provider's last answer was none to worry about."""
        return not (self.problem or self.breaker.failures)


def home_of(store: Path) -> str:
    """What tells this store's place from a copy's: a hash of the machine and the file.

    The file is known by its name and its number; that of its file system differs after some
    restarts.
    """
    try:
        machine = _MACHINE.read_text().strip()
    except OSError:
        machine = platform.node()
    file = store.resolve()
    place = f"{machine} {file} {file.stat().st_ino}"
    return hashlib.sha256(place.encode()).hexdigest()[:32]


async def read_standing(session: ReadSession, provider: str, *, home: str) -> Standing:
    """What the store remembers, as it is at this place (`home_of`)."""
    connection = await session.connection()
    pace = _pace(provider)
    names = json.dumps([STOPPED, HOME, pace, PLUS, _breaker(provider)])
    rows = await connection.execute(_REMEMBERED, {"names": names})
    found: dict[str, Any] = dict(rows.all())
    breaker = found.get(_breaker(provider)) or {}
    until = breaker.get("until")
    return Standing(
        bucket=read_bucket(found.get(pace) or {}),
        breaker=Breaker(
            breaker.get("failures", 0), datetime.fromisoformat(until) if until else None
        ),
        stopped=_why_stopped(found, home),
        problem=breaker.get("problem", ""),
        plus=bool(found.get(PLUS)),
        has_home=HOME in found,
    )


def _pace(provider: str) -> str:
    """All mail keeps one pace, whatever it goes through; text messages have their own."""
    return f"{PACE}:{provider}" if provider in TEXT_PROVIDERS else PACE


def _breaker(provider: str) -> str:
    return f"{BREAKER}:{provider}"


def _why_stopped(found: Mapping[str, Any], home: str) -> str:
    if stopped := found.get(STOPPED):
        return str(stopped.get("reason", "sending was stopped"))
    if found.get(HOME) not in (None, home):
        return "this store was copied or moved: another one may have sent what is queued here"
    return ""


async def keep(
    session: WriteSession, provider: str, known: Standing, before: Standing, *, home: str
) -> None:
    """Write what the store remembers now, where that is something else than before.

    A store that sends knows its place from then on.
    """
    changed: dict[str, Any] = {}
    if known.bucket != before.bucket:
        changed[_pace(provider)] = known.bucket.plain()
    if (known.breaker, known.problem) != (before.breaker, before.problem):
        until = known.breaker.until
        changed[_breaker(provider)] = {
            "failures": known.breaker.failures,
            "until": until.isoformat() if until else None,
            "problem": known.problem,
        }
    if known.has_home and not before.has_home:
        changed[HOME] = home
    if changed:
        connection = await session.connection()
        rows = [(name, json.dumps(value)) for name, value in changed.items()]
        await connection.exec_driver_sql(_PUT, rows)


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


async def put(session: WriteSession, name: str, value: Any) -> None:
    """Write one thing the store remembers."""
    connection = await session.connection()
    await connection.exec_driver_sql(_PUT, (name, json.dumps(value)))
