"""Polling all streams of a store: each at its own pace, none held up by another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.providers.events import EventStream
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.polling.collecting import Polled, Poller
from crm_tui.services.polling.streams import lately_used, streams_of
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import account


class Counts(Protocol):
    """What a round is counted in."""

    polled: int
    applied: int
    unmatched: int
    problems: list[str]


@dataclass(slots=True)
class Rounds:
    """Polls every stream that is set up.

    Attributes:
        environment: where keys may be.
        now: the clock.
        changed: called after whatever changed the store.
        stopping: set to end at once, whatever a provider is being asked.
    """

    db: Database
    settings: Settings
    environment: Mapping[str, str]
    now: Callable[[], datetime]
    changed: Callable[[], None]
    stopping: asyncio.Event
    _streams: dict[str, EventStream] = field(default_factory=dict)
    _polled_at: dict[str, datetime] = field(default_factory=dict)

    async def once(self, report: Counts, *, insist: bool = True) -> None:
        """Poll every stream to its end, whether it is time for that or not."""
        await self._poll(await self._all(), report, insist=insist)

    async def due(self, report: Counts) -> None:
        """Poll those streams whose time has come."""
        now = self.now()
        asked = {
            name: stream
            for name, stream in (await self._all()).items()
            # A clock that was set back does not keep a stream from being polled.
            if (at := self._polled_at.get(name)) is None or not at <= now < at + stream.every
        }
        await self._poll(asked, report, insist=False)

    async def _all(self) -> Mapping[str, EventStream]:
        async with self.db.read() as session:
            used = await lately_used(session, now=self.now())
        found = await streams_of(self.settings, self.environment, used, now=self.now)
        # Those that are known keep the key they found.
        self._streams = {name: self._streams.get(name, each) for name, each in found.items()}
        return self._streams

    async def _poll(
        self, streams: Mapping[str, EventStream], report: Counts, *, insist: bool
    ) -> None:
        if not streams:
            return
        home = standing.home_of(self.db.path)
        async with self.db.read() as session:
            known = await standing.read_standing(session, self.settings.email.provider, home=home)
        mine = account(self.settings, plus=known.plus)
        reader = Reader.of(mine, self.settings)
        pollers = {
            name: Poller(self.db, stream, reader, mine, self.now, self.stopping.is_set)
            for name, stream in streams.items()
        }
        tasks = {
            name: asyncio.create_task(each.poll(insist=insist)) for name, each in pollers.items()
        }
        stopped = asyncio.create_task(self.stopping.wait())
        try:
            await self._until_stopped(tasks, stopped)
        finally:
            for each in (*tasks.values(), stopped):
                each.cancel()
            await asyncio.gather(*tasks.values(), stopped, return_exceptions=True)
        for name, task in tasks.items():
            self._polled_at[name] = self.now()
            if not task.cancelled():
                self._count(task.result(), report)

    async def _until_stopped(
        self, tasks: Mapping[str, asyncio.Task[Polled]], stopped: asyncio.Task[bool]
    ) -> None:
        polled: asyncio.Future[Any] = asyncio.ensure_future(asyncio.wait(tasks.values()))
        await asyncio.wait({polled, stopped}, return_when=asyncio.FIRST_COMPLETED)

    def _count(self, polled: Polled, report: Counts) -> None:
        applied = polled.applied
        report.polled += polled.polled + polled.mails
        report.applied += applied.events
        report.unmatched += applied.unmatched
        if polled.problem:
            report.problems.append(polled.problem)
        if applied.events or applied.unmatched or applied.unread or polled.mails:
            self.changed()
