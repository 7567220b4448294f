"""From the raw records of a payment provider to what is told of leads, or waits for the operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import delete

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import RawRecord
from crm_tui.providers.base import said
from crm_tui.providers.money import MoneyEvent, MoneyKind, Payer
from crm_tui.services.erased import Erased, load_erased
from crm_tui.services.money.linking import may_be_erased, names_of, whose
from crm_tui.services.money.payments import Place
from crm_tui.services.money.telling import lacks_payment, tell
from crm_tui.services.money.waiting import NO_PAYMENT, Waiting
from crm_tui.services.polling.records import (
    STRANGE,
    Applied,
    Done,
    Named,
    Parsed,
    Raw,
    is_possible,
    put_away,
    say,
    unreadable,
)
from crm_tui.vocabulary import Mode

AT_ONCE = 8
"""How many records one transaction applies at most, to be over in less than a quarter second."""


class Reads(Named, Protocol):
    """What reads the records of a payment provider: its stream, whose account is a word of `Mode`."""

    def parse_money(self, raw: Mapping[str, Any]) -> Sequence[MoneyEvent]:
        """What a record says."""
        ...


def place_of(stream: Reads) -> Place:
    """Where the money of a stream comes from."""
    return Place(stream.provider, Mode(stream.account))


def parse(stream: Reads, payload: Any) -> Parsed[MoneyEvent]:
    """Read a record, whatever it holds."""
    try:
        found = list(stream.parse_money(payload))
        possible = all(is_possible(each) for event in found for each in _times(event))
    except STRANGE as error:
        return Parsed((), unreadable(error))
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
    """The times in what is told."""
    for told in (event, event.payment, event.refund, event.dispute, event.subscription):
        if told is not None:
            values = (getattr(told, each.name) for each in fields(told))
            yield from (each for each in values if isinstance(each, datetime))


async def apply(
    session: WriteSession, stream: Reads, records: Sequence[Raw[MoneyEvent]], *, now: datetime
) -> Applied:
    """Tell of the leads what records say; what names none waits for the operator."""
    place = place_of(stream)
    applying = _Applying(place, await Waiting.of(session, place), now)
    for raw in records:
        await applying.apply(session, raw)
    return applying.applied


@dataclass(slots=True)
class _Applying:
    """Some records, on their way into the store together."""

    place: Place
    waiting: Waiting
    now: datetime
    applied: Applied = field(default_factory=Applied)
    erased: Erased | None = None

    async def apply(self, session: WriteSession, raw: Raw[MoneyEvent]) -> None:
        """Tell what a record says, or have it wait."""
        if raw.parsed.problem:
            self.applied.unread += 1
            await say(session, self.place.provider, raw.id, raw.parsed.problem, now=self.now)
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
        await session.flush()
        await put_away(session, [Done(raw.id, lead, raw.parsed.problem or None)], now=self.now)
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
