"""From the raw records of a payment provider to what is told of leads, or waits for the operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import delete

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import RawRecord
from crm_tui.db.types import utc_text
from crm_tui.providers.base import said
from crm_tui.providers.events import Unreadable
from crm_tui.providers.money import MoneyEvent, MoneyKind, Payer
from crm_tui.services.erased import Erased, load_erased
from crm_tui.services.money.linking import may_be_erased, names_of, whose
from crm_tui.services.money.payments import Place
from crm_tui.services.money.telling import lacks_payment, tell
from crm_tui.services.money.waiting import NO_PAYMENT, Waiting
from crm_tui.services.polling.applying import STRANGE, Applied
from crm_tui.services.sending import worker_log
from crm_tui.vocabulary import Mode

AT_ONCE = 8
"""How many records one transaction applies at most, to be over in less than a quarter second."""

_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_DONE = "UPDATE raw_record SET applied_at = ?, business_id = ?, problem = ? WHERE id = ?"


class Reads(Protocol):
    """What reads the records of one account of a payment provider: its stream."""

    @property
    def provider(self) -> str:
        """The provider, as in the settings."""
        ...

    @property
    def account(self) -> str:
        """Which of its money: a word of `Mode`."""
        ...

    def parse_money(self, raw: Mapping[str, Any]) -> Sequence[MoneyEvent]:
        """What a record says."""
        ...


def place_of(stream: Reads) -> Place:
    """Where the money of a stream comes from."""
    return Place(stream.provider, Mode(stream.account))


class Parsed(NamedTuple):
    """What a record says; `problem`: why that is not clear."""

    events: Sequence[MoneyEvent]
    problem: str


class Raw(NamedTuple):
    """A record that waits: its number, and what it says."""

    id: int
    parsed: Parsed


def parse(stream: Reads, payload: Any) -> Parsed:
    """Read a record, whatever it holds."""
    try:
        found = list(stream.parse_money(payload))
        possible = all(_FIRST <= each < _LAST for event in found for each in _times(event))
    except Unreadable as error:
        return Parsed((), said(f"it cannot be read: {error}"))
    except STRANGE as error:
        return Parsed((), said(f"it cannot be read: {type(error).__name__} {error}"))
    if not possible:
        return Parsed((), "it cannot be read: it has a time that cannot be")
    if any(each.live is not (stream.account == Mode.LIVE) for each in found):
        other = "real" if stream.account == Mode.TEST else "play"
        return Parsed((), f"it is {other} money, and the settings say {stream.account}")
    known = [each for each in found if each.kind is not MoneyKind.UNKNOWN]
    unknown = next((each for each in found if each.kind is MoneyKind.UNKNOWN), None)
    words = f"an unknown kind of event: {unknown.reason or 'unnamed'}" if unknown else ""
    return Parsed(known, said(words))


def _times(event: MoneyEvent) -> Iterable[datetime]:
    """The times in what is told; one without a zone is strange."""
    for told in (event, event.payment, event.refund, event.dispute, event.subscription):
        if told is not None:
            values = (getattr(told, each.name) for each in fields(told))
            yield from (each for each in values if isinstance(each, datetime))


def read(stream: Reads, kept: Iterable[tuple[int, str]]) -> list[Raw]:
    """Read records."""
    return [Raw(number, parse(stream, msgspec.json.decode(each))) for number, each in kept]


async def apply(
    session: WriteSession, stream: Reads, records: Sequence[Raw], *, now: datetime
) -> Applied:
    """Tell of the leads what records say; what names none waits for the operator."""
    place = place_of(stream)
    applying = _Applying(place, await Waiting.of(session, place), now)
    for raw in records:
        await applying.apply(session, raw)
    return applying.applied


async def give_up(
    session: WriteSession, stream: Reads, raw_id: int, error: Exception, *, now: datetime
) -> Applied:
    """Keep a record that cannot be applied as it came, and say so."""
    words = said(f"it cannot be applied: {type(error).__name__} {error}")
    await _done(session, raw_id, None, words, now=now)
    await _say(session, stream.provider, raw_id, words, now=now)
    return Applied(unread=1)


async def _done(
    session: WriteSession, raw_id: int, business_id: int | None, problem: str, *, now: datetime
) -> None:
    await session.flush()
    connection = await session.connection()
    row = (utc_text(now), business_id, problem or None, raw_id)
    await connection.exec_driver_sql(_DONE, row)


async def _say(
    session: WriteSession, provider: str, raw_id: int, words: str, *, now: datetime
) -> None:
    line = f"Record {raw_id} of {provider} was kept as it came: {words}"
    await worker_log.add(session, line, is_problem=True, now=now)


@dataclass(slots=True)
class _Applying:
    """Some records, on their way into the store together."""

    place: Place
    waiting: Waiting
    now: datetime
    applied: Applied = field(default_factory=Applied)
    erased: Erased | None = None

    async def apply(self, session: WriteSession, raw: Raw) -> None:
        """Tell what a record says, or have it wait."""
        if raw.parsed.problem:
            self.applied.unread += 1
            await _say(session, self.place.provider, raw.id, raw.parsed.problem, now=self.now)
        lead: int | None = None
        forgotten = False
        for event in raw.parsed.events:
            found = await whose(session, event, self.place)
            if found.business_id is not None:
                lead = found.business_id
                if await lacks_payment(session, lead, event, self.place):
                    await self._wait(session, raw.id, event, NO_PAYMENT)
                    continue
                await self._tell(session, event, lead)
            elif may_be_erased(event.payer, await self._all_erased(session)):
                forgotten = True
                bare = replace(event, payer=Payer(ids=event.payer.ids))
                await self._wait(session, None, bare, "it may be of somebody who was erased")
                await self.waiting.forget_payers(session, names_of(bare))
            else:
                await self._wait(session, raw.id, event, found.why_unknown)
        await _done(session, raw.id, lead, raw.parsed.problem, now=self.now)
        if forgotten:
            await session.execute(delete(RawRecord).where(RawRecord.id == raw.id))

    async def _all_erased(self, session: WriteSession) -> Erased:
        if self.erased is None:
            self.erased = await load_erased(session)
        return self.erased

    async def _tell(self, session: WriteSession, event: MoneyEvent, business_id: int) -> None:
        """Tell it, and what waited for its lead."""
        self.applied.events += await tell(
            session,
            business_id,
            event,
            provider=self.place.provider,
            mode=self.place.mode,
            source=self.place.provider,
            now=self.now,
        )
        self.applied.events += await self.waiting.resolve(
            session, names_of(event), business_id, now=self.now
        )

    async def _wait(
        self, session: WriteSession, raw_id: int | None, event: MoneyEvent, why: str
    ) -> None:
        """Have it wait; what only says whose something is waits with what it is about alone."""
        if event.kind is not MoneyKind.NOTED or self.waiting.has(names_of(event)):
            added = await self.waiting.add(session, raw_id, event, why)
            self.applied.unmatched += added
