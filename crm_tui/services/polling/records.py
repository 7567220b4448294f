"""The raw records of an account that is polled, whatever they tell of: kept, read, and done with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy.exc import IntegrityError

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.types import utc_text
from crm_tui.providers.base import said
from crm_tui.providers.events import Unreadable
from crm_tui.services.sending import worker_log

STRANGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    IntegrityError,
)
"""What reading or applying a record raises that is not as anybody thought."""

_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Times beyond these nothing happened at; some of them no clock on a wall can show."""

_WAITING = (  # by the index of what waits: the planner would go through all that was applied
    "SELECT id, payload FROM raw_record INDEXED BY ix_raw_record_waiting"
    " WHERE applied_at IS NULL AND batch_id IS NULL AND source = ? AND id > ? ORDER BY id LIMIT ?"
)
_DONE = "UPDATE raw_record SET applied_at = ?, business_id = ?, problem = ? WHERE id = ?"

Told = TypeVar("Told")
"""What a stream's records say: an event of its kind."""


class Named(Protocol):
    """An account at a provider, as its stream names it."""

    @property
    def provider(self) -> str:
        """The provider, as in the settings."""
        ...

    @property
    def account(self) -> str:
        """What tells two accounts of one provider apart."""
        ...


def source_of(stream: Named) -> str:
    """The source of an account's raw records."""
    return f"{stream.provider}:{stream.account}"


@dataclass(slots=True)
class Applied:
    """What applying came to.

    Attributes:
        events: how many events were new.
        unmatched: what waits for the operator.
        unread: records that could not be read, or say something unknown.
    """

    events: int = 0
    unmatched: int = 0
    unread: int = 0

    def add(self, other: Applied) -> None:
        """Count another one, too."""
        self.events += other.events
        self.unmatched += other.unmatched
        self.unread += other.unread


class Parsed(NamedTuple, Generic[Told]):
    """What a record says; `problem`: why that is not clear."""

    events: Sequence[Told]
    problem: str


class Raw(NamedTuple, Generic[Told]):
    """A record that waits: its number, and what it says."""

    id: int
    parsed: Parsed[Told]


class Done(NamedTuple):
    """A record that was applied: whose it is, and why it is not clear, if so."""

    id: int
    business_id: int | None
    problem: str | None


def is_possible(at: datetime) -> bool:
    """Whether something may have happened then; a time without a zone is strange."""
    return _FIRST <= at < _LAST


def unreadable(error: Exception) -> str:
    """Why a record cannot be read."""
    why = error if isinstance(error, Unreadable) else f"{type(error).__name__} {error}"
    return said(f"it cannot be read: {why}")


async def waiting(
    session: ReadSession, stream: Named, *, after: int, most: int
) -> Sequence[tuple[int, str]]:
    """The records of an account that wait to be applied, in the order they came, as they are kept.

    Args:
        session: the session.
        stream: whose.
        after: only those with a higher number.
        most: how many.
    """
    connection = await session.connection()
    rows = await connection.exec_driver_sql(_WAITING, (source_of(stream), after, most))
    found: Sequence[Any] = rows.all()
    return [(number, payload) for number, payload in found]


async def put_away(session: WriteSession, records: Sequence[Done], *, now: datetime) -> None:
    """Note that records were applied."""
    at = utc_text(now)
    if records:
        connection = await session.connection()
        rows = [(at, each.business_id, each.problem, each.id) for each in records]
        await connection.exec_driver_sql(_DONE, rows)


async def give_up(
    session: WriteSession, stream: Named, raw_id: int, why: str, *, now: datetime
) -> Applied:
    """Keep a record that cannot be applied as it came, and say so."""
    words = said(f"it cannot be applied: {why}")
    await put_away(session, [Done(raw_id, None, words)], now=now)
    await say(session, stream.provider, raw_id, words, now=now)
    return Applied(unread=1)


async def say(
    session: WriteSession, provider: str, raw_id: int, words: str, *, now: datetime
) -> None:
    """Say in the worker's log why a record was kept as it came."""
    line = f"Record {raw_id} of {provider} was kept as it came: {words}"
    await worker_log.add(session, line, is_problem=True, now=now)
