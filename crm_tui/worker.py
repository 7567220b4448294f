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
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.locks import held
from crm_tui.db.models import Campaign, Message, Setting
from crm_tui.errors import CrmError
from crm_tui.services.inbox.collecting import Collected, collect
from crm_tui.services.sending import standing, worker_log
from crm_tui.services.sending.account import Account, account, outbox_folder
from crm_tui.services.sending.claim import Claimer, release_held
from crm_tui.services.sending.pump import Pump, Pumped
from crm_tui.services.sending.recover import Recovered, recover
from crm_tui.services.sending.senders import open_sender
from crm_tui.vocabulary import CampaignState, MessageState

LOCK = "worker"
HOLDER = "worker"
"""The setting that says who works, for people."""

_LOOK_EVERY = timedelta(seconds=2)
_HELD_EVERY = timedelta(minutes=10)
_AGAIN = timedelta(seconds=30)
"""When what failed for want of a network is tried again."""


class AtWork(CrmError):
    """Another worker holds the store; it says which."""


@dataclass(slots=True)
class Report:
    """What one pass came to; the figures of `crm-tui worker --once --json`."""

    sent: int = 0
    failed: int = 0
    uncertain: int = 0
    polled: int = 0
    applied: int = 0
    unmatched: int = 0
    due_later: int = 0
    problems: list[str] = field(default_factory=list)
    stopped: str = ""


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
        self._environment = environment
        self._now = now
        self._changed = changed
        self._stopping = asyncio.Event()
        self._woken = asyncio.Event()
        self._held_since: datetime | None = None

    def stop(self) -> None:
        """End after what is on its way."""
        self._stopping.set()
        self._woken.set()

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

        Raises:
            AtWork: another worker is at work.
        """
        async with self.at_work() as owner:
            report = await self._pass(owner, spread=False)
            async with self.db.read() as session:
                report.due_later = await _waiting(session)
            return report

    async def run(self) -> None:
        """Work until stopped.

        Raises:
            AtWork: another worker is at work.
        """
        async with self.at_work() as owner:
            polled_at: datetime | None = None
            while not self._stopping.is_set():
                now = self._now()
                due = polled_at is None or now - polled_at >= self._poll_every
                report = await self._pass(owner, spread=True, poll=due)
                if due:
                    polled_at = now
                if report.problems:
                    polled_at = None
                await self._rest(_AGAIN if report.problems else _LOOK_EVERY)

    @property
    def _poll_every(self) -> timedelta:
        return timedelta(seconds=self.settings.providers.imap.poll_seconds)

    async def _rest(self, most: timedelta) -> None:
        """Until somebody wakes the worker, the store was changed, or the time is over."""
        self._woken.clear()
        try:
            await asyncio.wait_for(self._woken.wait(), most.total_seconds())
        except TimeoutError:
            return

    async def _pass(self, owner: str, *, spread: bool, poll: bool = True) -> Report:
        report = Report()
        async with self.db.read() as session:
            home = standing.home_of(self.db.path)
            known = await standing.read_standing(session, self.settings.email.provider, home=home)
        mine = account(self.settings, plus=known.plus)
        await self._recover(mine, report)
        came_in = await self._collect(mine, report) if poll else Collected()
        report.stopped = known.stopped
        if came_in.problem or known.stopped or not mine.address:
            return report
        await self._release()
        pumped = await self._send(
            Claimer(account=mine, owner=owner, home=home, spread=spread), report
        )
        if pumped.sent or pumped.failed or pumped.uncertain or pumped.skipped or came_in.applied:
            self._changed()
        return report

    async def _recover(self, mine: Account, report: Report) -> None:
        found: Recovered = await recover(
            self.db, mine, outbox=outbox_folder(self.settings, self.db.path), now=self._now()
        )
        report.uncertain += found.uncertain
        if found.uncertain or found.told:
            await self._log(
                f"Sending was cut off in {found.uncertain + found.told} mails; of {found.uncertain} of"
                " them nobody can tell yet whether they were sent."
            )
            self._changed()

    async def _collect(self, mine: Account, report: Report) -> Collected:
        came_in = await collect(
            self.db, self.settings, mine, environment=self._environment, now=self._now
        )
        report.polled += came_in.polled
        report.applied += came_in.applied
        report.unmatched += came_in.unmatched
        if came_in.problem:
            report.problems.append(came_in.problem)
            await self._log(came_in.problem, is_problem=True)
        return came_in

    async def _release(self) -> None:
        now = self._now()
        if self._held_since is None or now - self._held_since >= _HELD_EVERY:
            self._held_since = now
            async with self.db.write() as session:
                await release_held(session, now=now)

    async def _send(self, claimer: Claimer, report: Report) -> Pumped:
        async with open_sender(
            self.settings, store=self.db.path, environment=self._environment
        ) as sender:
            pump = Pump(self.db, claimer, sender, self._now, self._stopping)
            pumped = await pump.run()
        report.sent += pumped.sent
        report.failed += pumped.failed
        report.uncertain += pumped.uncertain
        if pumped.problem:
            report.problems.append(pumped.problem)
            await self._log(pumped.problem, is_problem=True)
        elif pumped.sent or pumped.failed:
            await self._log(f"{pumped.sent} mails sent, {pumped.failed} refused.")
        return pumped

    async def _log(self, words: str, *, is_problem: bool = False) -> None:
        async with self.db.write() as session:
            await worker_log.add(session, words, is_problem=is_problem, now=self._now())


async def _waiting(session: Any) -> int:
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
