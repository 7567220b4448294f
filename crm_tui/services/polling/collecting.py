"""Polling a stream to its end: each page is kept with its cursor, then applied.

Record first, interpret later: a page's records and the moved cursor are one transaction, applying
them is another. Whatever cuts this off, the next run goes on from there; nothing is lost and
nothing comes twice.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic

import msgspec

from crm_tui.clock import local_stamp
from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.types import utc_text
from crm_tui.providers.base import Misconfigured, ProviderError, Unavailable
from crm_tui.providers.events import Asked, EventStream, Page, ProviderEvent, RawEvent, Stream
from crm_tui.services.inbox.collecting import keep_mails
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.polling import applying, cursors, records
from crm_tui.services.polling.concerning import look_up, may_concern
from crm_tui.services.polling.records import STRANGE, Applied, Parsed, Raw, Told, source_of
from crm_tui.services.sending import worker_log
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.backoff import REQUEST
from crm_tui.text import plural

SKEWED = timedelta(minutes=1)
"""How far a provider's clock may be off before that is said."""

_MISCONFIGURED_FOR = timedelta(minutes=15)
"""How long a stream that waits for the operator is left alone."""

_ADD = (
    "INSERT INTO raw_record (source, external_id, received_at, payload) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (source, external_id) DO NOTHING"
)
_THERE = (
    "SELECT external_id FROM raw_record WHERE source = ?"
    " AND external_id IN (SELECT value FROM json_each(?))"
)


@dataclass(slots=True)
class Polled:
    """What polling a stream came to.

    Attributes:
        polled: how many records the provider told that were not known yet.
        applied: what applying them came to.
        problem: why it could not be read to its end, as a sentence; "" where it could.
        mails: how many mails came in that concern us.
    """

    polled: int = 0
    applied: Applied = field(default_factory=Applied)
    problem: str = ""
    mails: int = 0


@dataclass(slots=True)
class Polling(ABC, Generic[Told]):
    """Polls one stream of one account, whatever it tells of.

    Attributes:
        at_once: how many records one transaction applies at most.
        stopped: whether to end after the page at hand.
    """

    at_once: ClassVar[int]

    db: Database
    stream: Stream
    reader: Reader
    account: Account
    now: Callable[[], datetime]
    stopped: Callable[[], bool] = lambda: False
    _skew: timedelta | None = None
    _newest: datetime | None = None

    async def poll(self, *, insist: bool = False) -> Polled:
        """Read the stream to its end, if it is not left alone; with `insist` in any case."""
        polled = Polled()
        async with self.db.read() as session:
            place = await cursors.place_of(session, self.stream)
        try:
            polled.applied.add(await self.apply_waiting())  # kept before a run was cut off
            if place.next_at is not None and place.next_at > self.now() and not insist:
                polled.problem = place.problem
                return polled
            asked = await self._asked()
            async with self.stream as stream:
                await self._pages(stream, place, asked, polled)
                await self._fill_gaps(stream, asked, polled)
        except ProviderError as error:
            polled.problem = str(error)
            await self._failed(place, error)
        except STRANGE as error:
            # Whatever a provider comes to answer one day, the others are polled on.
            what = f"{type(error).__name__} {error}"
            words = f"{self.stream.provider} answered what nobody can read: {what}"
            polled.problem = words
            await self._failed(place, Unavailable(words))
        return polled

    async def _pages(
        self, stream: Stream, place: cursors.Place, asked: Asked, polled: Polled
    ) -> None:
        cursor, gaps = place.cursor, 0
        more = True
        while more and not self.stopped():
            page = await stream.fetch_events(cursor, asked)
            gaps += await self._keep(page, moved=page.cursor != cursor, polled=polled)
            polled.applied.add(await self.apply_waiting())
            await self._say(page.notes)
            self._look_at_clock(page)
            if page.cut_short:
                raise Unavailable(page.cut_short)
            cursor, more = page.cursor, page.more
        if more:
            return
        now, keeps = self.now(), stream.keeps
        async with self.db.write() as session:
            if keeps is not None and place.read_at is not None and not gaps:
                await cursors.note_gap(session, stream, place.read_at, now - keeps, now=now)
            values = {
                "last_ok_at": now,
                "failed_at": None,
                "problem": None,
                "next_at": None,
                "failures": 0,
            }
            if self._newest is not None:
                values["last_event_at"] = self._newest
            if self._skew is not None:
                values["skew_seconds"] = round(self._skew.total_seconds())
            await cursors.put(session, stream, values, cursor=None)
            if place.problem:
                await self._log(session, f"{stream.provider} is polled again.")
            if self._skew is not None and abs(self._skew) > SKEWED and place.read_at is None:
                seconds = round(self._skew.total_seconds())
                words = f"The clock of {stream.provider} is {abs(seconds)} seconds"
                words += " ahead of" if seconds > 0 else " behind"
                await self._log(session, f"{words} this machine's.", is_problem=True)

    async def _keep(self, page: Page, *, moved: bool, polled: Polled) -> int:
        """Keep what concerns us of a page, together with the cursor; how many gaps it told of."""
        async with self.db.read() as session:
            new = await self._new(session, page.events)
        if page.mails:  # before the cursor, which says that they were fetched
            polled.mails += await keep_mails(self.db, page.mails, self.reader)
        gaps = 0 if page.gap is None else 1
        if new or moved or gaps:
            async with self.db.write() as session:
                await self._add(session, new)
                if page.gap is not None:
                    await self._note_gap(session, *page.gap)
                await cursors.put(session, self.stream, {}, cursor=page.cursor)
        polled.polled += len(new)
        return gaps

    async def _add(self, session: WriteSession, new: Sequence[RawEvent]) -> None:
        received, source = utc_text(self.now()), source_of(self.stream)
        rows = [(source, each.external_id, received, _as_json(each.payload)) for each in new]
        if rows:
            connection = await session.connection()
            await connection.exec_driver_sql(_ADD, rows)

    async def _new(self, session: ReadSession, told: Sequence[RawEvent]) -> list[RawEvent]:
        """Those records that are not kept yet and that concern us, or may."""
        if not told:
            return []
        connection = await session.connection()
        ids = json.dumps(sorted({each.external_id for each in told}))
        rows = await connection.exec_driver_sql(_THERE, (source_of(self.stream), ids))
        there = {each for (each,) in rows.all()}
        fresh = {each.external_id: each for each in told if each.external_id not in there}
        return await self._concerning(session, fresh)

    def _saw(self, at: datetime) -> None:
        """Note when something happened, if it is the newest."""
        if self._newest is None or at > self._newest:
            self._newest = at

    async def apply_waiting(self) -> Applied:
        """Apply what waits, as many records in each transaction as it takes.

        While some are written the next are read.
        """
        whole = Applied()
        raws = await self._waiting()
        while raws:
            ahead = asyncio.create_task(self._waiting(after=raws[-1].id))
            try:
                whole.add(await self._apply_all(raws))
            except BaseException:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
                raise
            raws = await ahead or await self._waiting()
        return whole

    async def _waiting(self, *, after: int = 0) -> list[Raw[Told]]:
        """Records that wait to be applied, as many as one transaction takes."""
        async with self.db.read() as session:
            kept = await records.waiting(session, self.stream, after=after, most=self.at_once)
        return await asyncio.to_thread(self._read, kept) if kept else []

    def _read(self, kept: Sequence[tuple[int, str]]) -> list[Raw[Told]]:
        """Read records, which takes a while where there are hundreds."""
        return [Raw(number, self._parse(msgspec.json.decode(each))) for number, each in kept]

    async def _apply_all(self, raws: Sequence[Raw[Told]]) -> Applied:
        try:
            return await self._apply(raws)
        except STRANGE:
            whole = Applied()
            for each in raws:  # one of them: the others are not to wait for ever
                whole.add(await self._apply_alone(each))
            return whole

    async def _apply_alone(self, raw: Raw[Told]) -> Applied:
        """Apply a record; one that cannot be is kept as it came, and said."""
        try:
            return await self._apply([raw])
        except STRANGE as error:
            async with self.db.write() as session:
                # The kind alone: the words of a database quote what was to be stored.
                why = type(error).__name__
                return await records.give_up(session, self.stream, raw.id, why, now=self.now())

    async def _note_gap(self, session: WriteSession, since: datetime, until: datetime) -> None:
        await cursors.note_gap(session, self.stream, since, until, now=self.now())
        zone = self.account.zone
        words = (
            f"{self.stream.provider} no longer tells what happened between"
            f" {local_stamp(since, zone=zone)} and {local_stamp(until, zone=zone)}."
        )
        await self._log(session, words, is_problem=True)

    async def _fill_gaps(self, stream: Stream, asked: Asked, polled: Polled) -> None:
        """Find out what can still be known of times of which the provider tells nothing more."""
        async with self.db.read() as session:
            gaps = await cursors.open_gaps(session, stream)
        if not gaps or self.stopped():
            return
        found = await stream.reconcile(asked, min(since for _, since in gaps))
        before = polled.applied.events
        async with self.db.read() as session:
            new = await self._new(session, found)
        if new:
            async with self.db.write() as session:
                await self._add(session, new)
        polled.polled += len(new)
        polled.applied.add(await self.apply_waiting())
        filled = polled.applied.events - before
        async with self.db.write() as session:
            for gap_id, _ in gaps:
                await cursors.fill(session, gap_id, filled, now=self.now())
            words = f"Of what {stream.provider} no longer tells, {plural(filled, 'event')} could"
            await self._log(session, f"{words} be found out otherwise.")

    async def _failed(self, place: cursors.Place, error: ProviderError) -> None:
        """Leave the stream alone for a while, and say why unless that was said."""
        now, failures = self.now(), place.failures + 1
        asked = None
        if isinstance(error, Misconfigured):
            asked = _MISCONFIGURED_FOR
        elif isinstance(error, Unavailable) and error.after:
            asked = timedelta(seconds=error.after)
        wait = REQUEST.delay(failures, source_of(self.stream), asked=asked)
        async with self.db.write() as session:
            values = {
                "problem": str(error),
                "failures": failures,
                "next_at": now + wait,
            }
            if not place.problem:
                values["failed_at"] = now
            await cursors.put(session, self.stream, values, cursor=None)
            if str(error) != place.problem:
                await self._log(session, str(error), is_problem=True)

    async def _say(self, notes: Sequence[str]) -> None:
        if notes:
            async with self.db.write() as session:
                for each in notes:
                    await self._log(session, each, is_problem=True)

    def _look_at_clock(self, page: Page) -> None:
        if page.server_time is not None:
            self._skew = page.server_time - self.now()

    async def _log(self, session: WriteSession, words: str, *, is_problem: bool = False) -> None:
        await worker_log.add(session, words, is_problem=is_problem, now=self.now())

    # -- what differs by what is told of ----------------------------------------------------------

    @abstractmethod
    async def _asked(self) -> Asked:
        """What the stream needs to know of the store."""

    @abstractmethod
    async def _concerning(
        self, session: ReadSession, fresh: Mapping[str, RawEvent]
    ) -> list[RawEvent]:
        """Those of the records that concern us, or may."""

    @abstractmethod
    def _parse(self, payload: Any) -> Parsed[Told]:
        """What a record says, whatever it holds."""

    @abstractmethod
    async def _apply(self, raws: Sequence[Raw[Told]]) -> Applied:
        """Apply records in one transaction."""


@dataclass(slots=True)
class Poller(Polling[ProviderEvent]):
    """Polls a stream that tells what became of messages."""

    at_once = applying.AT_ONCE
    stream: EventStream

    async def _asked(self) -> Asked:
        async with self.db.read() as session:
            return await cursors.asked_of(session, self.stream.provider, now=self.now())

    async def _concerning(
        self, session: ReadSession, fresh: Mapping[str, RawEvent]
    ) -> list[RawEvent]:
        parsed = {each: self._parse(raw.payload) for each, raw in fresh.items()}
        events = [event for found in parsed.values() for event in found.events]
        known = await look_up(session, self.stream.provider, events)
        for event in events:
            self._saw(event.occurred_at)
        return [
            raw
            for each, raw in fresh.items()
            if (not parsed[each].events and parsed[each].problem)
            or any(may_concern(one, known) for one in parsed[each].events)
        ]

    def _parse(self, payload: Any) -> Parsed[ProviderEvent]:
        return applying.parse(self.stream, payload)

    async def _apply(self, raws: Sequence[Raw[ProviderEvent]]) -> Applied:
        async with self.db.write() as session:
            return await applying.apply(session, self.stream, raws, self.account, now=self.now())


def _as_json(payload: object) -> str:
    return json.dumps(payload, ensure_ascii=False, allow_nan=False)
