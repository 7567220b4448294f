"""Polling all streams of a store: each at its own pace, none held up by another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Protocol, Self

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.providers.events import EventStream
from crm_tui.providers.money import MoneyStream
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.money.polling import MoneyPoller
from crm_tui.services.polling.collecting import Polled, Poller
from crm_tui.services.polling.streams import lately_used, money_streams_of, streams_of
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import account

AnyStream = EventStream | MoneyStream

_PATIENCE = 2.0
"""Seconds that one look waits for the streams it began to poll."""


_LOOK_EVERY = timedelta(minutes=10)
"""How often a keyring, which may have to be unlocked, is asked whether there is a key by now."""


class Counts(Protocol):
    """What a round is counted in."""

    polled: int
    payments: int
    applied: int
    unmatched: int
    problems: list[str]


@dataclass(slots=True)
class Rounds:
    """Polls every stream that is set up; what is under way as the block ends, ends with it.

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
    _streams: dict[str, AnyStream] = field(default_factory=dict)
    _of_money: Mapping[str, MoneyStream] = field(default_factory=dict)
    _looked_at: datetime | None = None
    _polled_at: dict[str, datetime] = field(default_factory=dict)
    _under_way: dict[str, asyncio.Task[Polled]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        under_way = list(self._under_way.values())
        self._under_way.clear()
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def once(
        self, report: Counts, *, insist: bool = True, patience: float | None = None
    ) -> None:
        """Poll every stream to its end, whether it is time for that or not.

        Args:
            report: what is counted.
            insist: whether those that are left alone are polled all the same.
            patience: seconds to wait for them; what takes longer goes on meanwhile.
        """
        await self._poll(await self._all(), report, insist=insist, patience=patience)

    async def due(self, report: Counts) -> None:
        """Poll those streams whose time has come; what takes long goes on meanwhile."""
        now = self.now()
        asked = {
            name: stream
            for name, stream in (await self._all()).items()
            # A clock that was set back does not keep a stream from being polled.
            if (at := self._polled_at.get(name)) is None or not at <= now < at + stream.every
        }
        await self._poll(asked, report, insist=False, patience=_PATIENCE)

    async def _all(self) -> Mapping[str, AnyStream]:
        async with self.db.read() as session:
            used = await lately_used(session, now=self.now())
        found: dict[str, AnyStream] = {
            **await streams_of(self.settings, self.environment, used, now=self.now),
            **await self._money(),
        }
        # Those that are known keep the key they found.
        self._streams = {name: self._streams.get(name, each) for name, each in found.items()}
        return self._streams

    async def _money(self) -> Mapping[str, MoneyStream]:
        """The streams of payments, where their key is there."""
        now = self.now()
        if self._looked_at is None or not self._looked_at <= now < self._looked_at + _LOOK_EVERY:
            found = await money_streams_of(self.settings, self.environment)
            self._looked_at, self._of_money = now, found
        return self._of_money

    async def _poll(
        self,
        streams: Mapping[str, AnyStream],
        report: Counts,
        *,
        insist: bool,
        patience: float | None,
    ) -> None:
        new = {name: each for name, each in streams.items() if name not in self._under_way}
        if new:
            home = standing.home_of(self.db.path)
            async with self.db.read() as session:
                known = await standing.read_standing(
                    session, self.settings.email.provider, home=home
                )
            mine = account(self.settings, plus=known.plus)
            reader = Reader.of(mine, self.settings)
            stopped = self.stopping.is_set
            for name, stream in new.items():
                given = (reader, mine, self.now, stopped)
                poller: Poller | MoneyPoller
                if isinstance(stream, MoneyStream):
                    poller = MoneyPoller(self.db, stream, *given)
                else:
                    poller = Poller(self.db, stream, *given)
                self._under_way[name] = asyncio.create_task(poller.poll(insist=insist))
        await self._wait(patience)
        done = {name: task for name, task in self._under_way.items() if task.done()}
        for name, task in done.items():
            del self._under_way[name]
            self._polled_at[name] = self.now()
            self._count(task.result(), report, of_money=name in self._of_money)

    async def _wait(self, patience: float | None) -> None:
        """Until all have come to their end, it takes too long, or the worker is stopped."""
        if not self._under_way:
            return
        ended: asyncio.Future[Any] = asyncio.ensure_future(asyncio.wait(self._under_way.values()))
        stopped = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait(
                {ended, stopped}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ended.cancel()
            stopped.cancel()

    def _count(self, polled: Polled, report: Counts, *, of_money: bool) -> None:
        applied = polled.applied
        report.polled += polled.polled + polled.mails
        if of_money:
            report.payments += polled.polled
        report.applied += applied.events
        report.unmatched += applied.unmatched
        if polled.problem:
            report.problems.append(polled.problem)
        if applied.events or applied.unmatched or applied.unread or polled.mails:
            self.changed()
