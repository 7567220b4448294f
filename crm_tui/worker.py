"""The background worker: reads what came in, sends what is due, and says what it did.

It runs inside the app or alone (`crm-tui worker`), never twice for one store: who works holds a
lock that the kernel releases when they die. Before anything is sent, what came in meanwhile is read
to its end, so that nobody who answered gets the next mail.
"""

from __future__ import annotations

import asyncio
import os
import platform
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.locks import held
from crm_tui.db.models import Campaign, Message, Setting
from crm_tui.errors import BadInput, CrmError
from crm_tui.services.mailing import HELD_EVERY, QUEUED, Mailing, Report
from crm_tui.services.money.closing import close_stale
from crm_tui.services.money.provider import mode_of, open_payments
from crm_tui.services.polling.rounds import Rounds
from crm_tui.services.publishing.again import try_again
from crm_tui.services.publishing.publisher import Publisher, open_publisher
from crm_tui.services.sending import standing
from crm_tui.services.sending.pump import Pumped
from crm_tui.vocabulary import CampaignState, MessageState

LOCK = "worker"
HOLDER = "worker"
"""The setting that says who works, for people."""

_POLL_EVERY = 5.0
"""Seconds between two looks at which streams of providers are to be polled."""
_FIRST_ROUND = 30.0
"""Seconds that sending waits at first for what providers have to tell."""
_LOOK_EVERY = 2.0
"""Seconds between two looks at whether the store was changed."""
_PUBLISH_EVERY = 10.0
"""Seconds between two looks at whether it is time to try again what could not be published."""
_LINKS_EVERY = 30.0
_LINKS_AGAIN = 600.0
"""Seconds between two looks at which payment links are to be closed, and after one that failed."""
_AGAIN = timedelta(seconds=30)
"""When what failed for want of a network is tried again."""
_NONE = timedelta()


class AtWork(CrmError):
    """Another worker holds the store; it says which."""


class Worker:
    """Works for one store until it is stopped.

    Args:
        db: the store.
        settings: which account, and the limits.
        environment: where passwords may be.
        now: the clock.
        changed: called after whatever changed the store, for whoever shows it.
    """

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        now: Callable[[], datetime],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.db = db
        self.settings = settings
        self._now = now
        self._changed = changed
        self._stopping = asyncio.Event()
        self._woken = asyncio.Event()
        self._environment = environment
        self._offers_of: int | None = None  # the store's version of which the offers are right
        self._publisher = _publisher_of(settings)
        self._rounds = Rounds(db, settings, environment, now, changed, self._stopping)
        self._mailing = Mailing(
            db,
            settings,
            environment=environment,
            now=now,
            changed=changed,
            stopping=self._stopping,
        )

    def stop(self) -> None:
        """End after what is on its way; the mailbox is left at once."""
        self._stopping.set()
        self._woken.set()
        self._mailing.leave()

    @property
    def unanswered(self) -> int:
        """How many mails were handed to the provider and wait for its answer."""
        return self._mailing.unanswered

    def wake(self) -> None:
        """Look at once for what is due."""
        self._woken.set()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[str]:
        """The name of this worker, alive until the block ends.

        Raises:
            AtWork: another worker is.
        """
        with ExitStack() as stack:
            if not stack.enter_context(held(self.db.path, LOCK)):
                raise AtWork(f"Another worker is at work for this store: {await self._holder()}.")
            name = uuid.uuid4().hex
            stack.enter_context(held(self.db.path, name))
            async with self.db.write() as session:
                who = {"host": platform.node(), "pid": os.getpid(), "since": str(self._now())}
                await standing.put(session, HOLDER, who)
            yield name

    async def _holder(self) -> str:
        async with self.db.read() as session:
            who = await session.scalar(select(Setting.value).where(Setting.name == HOLDER))
        return f"process {who['pid']} on {who['host']}" if who else "a process that just began"

    async def once(self) -> Report:
        """One pass: read what came in, send all that is due within the limits, and end.

        A provider that is left alone since it failed is tried once all the same: whoever asks for
        a pass may have mended it.

        Raises:
            AtWork: another worker is at work.
        """
        async with self.at_work() as owner, self._rounds:
            report = Report()
            if problem := await self._publish_again():
                report.problems.append(problem)
            await self._rounds.once(report)
            first, more = True, True
            while more and not self._stopping.is_set():
                more = (
                    await self._mailing.run(owner, report, spread=False, insist=first)
                ).interrupted
                first = False
            if not self._stopping.is_set() and (problem := await self._close_links()):
                report.problems.append(problem)
            async with self.db.read() as session:
                report.due_later = await _waiting(session)
            return report

    async def run(self, *, began: Callable[[], None] = lambda: None) -> None:
        """Work until stopped; `began` is called once no other worker can be.

        Raises:
            AtWork: another worker is at work.
        """
        async with self.at_work() as owner, self._rounds:
            began()
            # Who opted out meanwhile gets nothing more; a provider that hangs holds up nobody.
            await self._rounds.once(Report(), insist=False, patience=_FIRST_ROUND)
            await _together(
                self._keep_mailing(owner),
                self._keep_publishing(),
                self._keep_closing(),
                self._keep_polling(),
            )

    async def _keep_mailing(self, owner: str) -> None:
        """Read and send, whenever there is something to do, until stopped."""
        polled_at: datetime | None = None
        while not self._stopping.is_set():
            self._woken.clear()
            version: int | None = await self.db.data_version()
            now, report = self._now(), Report()
            # A clock that was set back does not keep the mailbox from being read.
            poll = polled_at is None or not _NONE <= now - polled_at < self._mailing.poll_every
            pumped = await self._mailing.run(owner, report, spread=True, poll=poll)
            if poll:
                polled_at = now
            if pumped.interrupted:
                continue
            until = await self._next_look(polled_at or now, pumped)
            if report.problems:
                # What was written of it is nothing new.
                polled_at, version, until = None, None, self._now() + _AGAIN
            await self._rest(version, until)

    async def _keep_publishing(self) -> None:
        """Try again what could not be published, until stopped.

        Beside the mail, as the operator's command may take minutes.
        """
        while self._publisher is not None and not self._stopping.is_set():
            await self._publish_again()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _PUBLISH_EVERY)

    async def _keep_closing(self) -> None:
        """Close payment links that need nothing more, until stopped."""
        while not self._stopping.is_set():
            pause = _LINKS_AGAIN if await self._close_links() else _LINKS_EVERY
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _close_links(self) -> str:
        """Close payment links that need nothing more; returns why that fails.

        A store that may be the copy of another one closes nothing.
        """
        if await self._may_be_a_copy():
            return ""
        closed = await close_stale(
            self.db,
            payments=lambda: open_payments(self.settings, self._environment),
            mode=mode_of(self.settings),
            clock=self._now,
        )
        await self._say(closed.words, closed.problem)
        return closed.problem

    async def _keep_polling(self) -> None:
        """Poll the providers, each whenever its time has come, until stopped."""
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _POLL_EVERY)
                return
            report = Report()
            await self._rounds.due(report)
            if report.polled:
                self.wake()

    async def _next_look(self, polled_at: datetime, pumped: Pumped) -> datetime:
        """When there is something to do next, as far as it is known now."""
        now = self._now()
        times = [now + HELD_EVERY]
        if self._mailing.reads:
            times.append(polled_at + self._mailing.poll_every)
        if pumped.wait_until:
            times.append(pumped.wait_until)
        async with self.db.read() as session:
            times += [at for at in [await _next_due(session, now)] if at]
        return min(times)

    async def _rest(self, version: int | None, until: datetime) -> None:
        """Until somebody wakes the worker, the store was changed, or the time has come.

        By both clocks: one may be set, and the other stands still while the machine sleeps.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + (until - self._now()).total_seconds()
        while self._now() < until and (left := end - loop.time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), min(left, _LOOK_EVERY))
            if self._woken.is_set():
                return
            if version is not None and await self.db.data_version() != version:
                return

    async def _publish_again(self) -> str:
        """Publish and take down what could not be, if it is time for that; returns what still fails.

        A store that may be the copy of another one tries nothing by itself.
        """
        if self._publisher is None:
            return ""
        if await self._may_be_a_copy():
            return ""
        version = await self.db.data_version()
        tried = await try_again(
            self.db,
            self._publisher,
            clock=self._now,
            cancelled=self._stopping.is_set,
            offers_too=version != self._offers_of,
        )
        self._offers_of = version
        await self._say(tried.words, tried.problem)
        return tried.problem

    async def _may_be_a_copy(self) -> bool:
        """Whether nothing is done by itself: sending is stopped, or the store is another one's copy."""
        home = standing.home_of(self.db.path)
        async with self.db.read() as session:
            known = await standing.read_standing(session, self.settings.email.provider, home=home)
        return bool(known.stopped)

    async def _say(self, words: str, problem: str) -> None:
        """Log what was done and what fails, and have it be shown."""
        for said, is_problem in ((words, False), (problem, True)):
            if said:
                await self._mailing.log(said, is_problem=is_problem)
        if words or problem:
            self._changed()


def _publisher_of(settings: Settings) -> Publisher | None:
    """The host of public pages; None where it is not set up so that it could work."""
    try:
        return open_publisher(settings.publishing)
    except BadInput:
        return None


async def _together(*works: Coroutine[Any, Any, None]) -> None:
    """Work at all of these; when one fails, the others end."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _next_due(session: ReadSession, now: datetime) -> datetime | None:
    """When the next message is due that is not yet."""
    return await session.scalar(
        select(Message.due_at)
        .where(QUEUED, Message.due_at > now)
        .order_by(Message.due_at, Message.id)
        .limit(1)
    )


async def _waiting(session: ReadSession) -> int:
    """How many messages wait to be sent later."""
    counted = (
        select(func.count())
        .select_from(Message)
        .outerjoin(Campaign, Campaign.id == Message.campaign_id)
        .where(
            Message.state == MessageState.QUEUED,
            or_(Message.campaign_id.is_(None), Campaign.state == CampaignState.RUNNING),
        )
    )
    return int((await session.execute(counted)).scalar_one())
