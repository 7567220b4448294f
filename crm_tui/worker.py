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
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal_column, or_, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.locks import held
from crm_tui.db.models import Campaign, Message, Setting
from crm_tui.errors import BadInput, CrmError
from crm_tui.services.inbox.collecting import Collected, collect
from crm_tui.services.inbox.saving import Saver
from crm_tui.services.publishing.again import try_again
from crm_tui.services.publishing.publisher import Publisher, open_publisher
from crm_tui.services.sending import last_sent, put_off, standing, worker_log
from crm_tui.services.sending.account import Account, account, outbox_folder
from crm_tui.services.sending.claim import HELD_CHUNK, Claimer, release_held, to_release
from crm_tui.services.sending.pump import Pump, Pumped
from crm_tui.services.sending.recover import Recovered, recover
from crm_tui.services.sending.senders import OpenSender, open_sender
from crm_tui.services.sending.standing import Standing
from crm_tui.text import plural
from crm_tui.vocabulary import CampaignState, MessageState

LOCK = "worker"
HOLDER = "worker"
"""The setting that says who works, for people."""

_LOOK_EVERY = 2.0
"""Seconds between two looks at whether the store was changed."""
_PUBLISH_EVERY = 10.0
"""Seconds between two looks at whether it is time to try again what could not be published."""
_LONGEST_REST = timedelta(minutes=10)
"""When to look again at the latest, and how often at what is held for something missing."""
_AGAIN = timedelta(seconds=30)
"""When what failed for want of a network is tried again."""
_NONE = timedelta()
_QUEUED = Message.state == literal_column(f"'{MessageState.QUEUED}'")
"""In the words of the index."""


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
        self._publisher = _publisher_of(settings)
        self._saver = Saver(db, settings, environment=environment, now=now)
        self._sender: OpenSender | None = None
        self._leave: asyncio.Timeout | None = None

    def stop(self) -> None:
        """End after what is on its way; the mailbox is left at once."""
        self._stopping.set()
        self._woken.set()
        if self._leave is not None and not self._leave.expired():
            self._leave.reschedule(asyncio.get_running_loop().time())

    @property
    def unanswered(self) -> int:
        """How many mails were handed to the provider and wait for its answer."""
        return 0 if self._sender is None else self._sender.unanswered

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
        async with self.at_work() as owner:
            report = Report()
            if problem := await self._publish_again():
                report.problems.append(problem)
            first, more = True, True
            while more and not self._stopping.is_set():
                more = (await self._pass(owner, report, spread=False, insist=first)).interrupted
                first = False
            async with self.db.read() as session:
                report.due_later = await _waiting(session)
            return report

    async def run(self, *, began: Callable[[], None] = lambda: None) -> None:
        """Work until stopped; `began` is called once no other worker can be.

        Raises:
            AtWork: another worker is at work.
        """
        async with self.at_work() as owner:
            began()
            await _together(self._keep_mailing(owner), self._keep_publishing())

    async def _keep_mailing(self, owner: str) -> None:
        """Read and send, whenever there is something to do, until stopped."""
        polled_at: datetime | None = None
        while not self._stopping.is_set():
            self._woken.clear()
            version: int | None = await self.db.data_version()
            now, report = self._now(), Report()
            # A clock that was set back does not keep the mailbox from being read.
            poll = polled_at is None or not _NONE <= now - polled_at < self._poll_every
            pumped = await self._pass(owner, report, spread=True, poll=poll)
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

    @property
    def _reads(self) -> bool:
        return bool(self.settings.providers.imap.host)

    @property
    def _poll_every(self) -> timedelta:
        return timedelta(seconds=self.settings.providers.imap.poll_seconds)

    async def _next_look(self, polled_at: datetime, pumped: Pumped) -> datetime:
        """When there is something to do next, as far as it is known now."""
        now = self._now()
        times = [now + _LONGEST_REST]
        if self._reads:
            times.append(polled_at + self._poll_every)
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

    async def _pass(
        self, owner: str, report: Report, *, spread: bool, poll: bool = True, insist: bool = False
    ) -> Pumped:
        home = standing.home_of(self.db.path)
        async with self.db.read() as session:
            known = await standing.read_standing(session, self.settings.email.provider, home=home)
            is_older = not known.stopped and await last_sent.is_older_copy(session, self.db.path)
        if is_older:
            known = await self._stop_older_copy(known)
        mine = account(self.settings, plus=known.plus)
        await self._recover(mine, owner, report)
        began = self._now()
        came_in = await self._collect(mine, report) if poll else Collected()
        report.stopped = known.stopped
        pumped = Pumped()
        if not (came_in.problem or known.stopped) and mine.address:
            await self._saver.prepare()
            await self._settle(known, home)
            await self._release()
            await put_off.keep_hours(self.db, mine, now=self._now())
            claimer = Claimer(account=mine, owner=owner, home=home, spread=spread)
            until = began + self._poll_every if self._reads else None
            pumped = await self._send(claimer, report, until=until, insist=insist)
            await self._save_sent(mine, report, insist=insist)
        sent = pumped.sent or pumped.failed or pumped.uncertain or pumped.skipped
        if sent or came_in.applied or came_in.unmatched:
            self._changed()
        return pumped

    async def _stop_older_copy(self, known: Standing) -> Standing:
        """Stop a store that does not know of what was sent from here, until it is let go."""
        async with self.db.write(durable=True) as session:
            await standing.stop(session, last_sent.OLDER_COPY)
        await self._log(f"Sending is stopped: {last_sent.OLDER_COPY}.", is_problem=True)
        return replace(known, stopped=last_sent.OLDER_COPY)

    async def _settle(self, known: Standing, home: str) -> None:
        """Have a store with something to send know its place: a copy of it then knows that it is."""
        if known.has_home:
            return
        async with self.db.read() as session:
            waits = await _any_queued(session)
        if waits:
            async with self.db.write() as session:
                await standing.keep_home(session, home)

    async def _recover(self, mine: Account, owner: str, report: Report) -> None:
        found: Recovered = await recover(
            self.db,
            mine,
            owner=owner,
            outbox=outbox_folder(self.settings, self.db.path),
            now=self._now(),
        )
        report.uncertain += found.uncertain
        if found.uncertain or found.told:
            await self._log(
                f"Sending was cut off in {found.uncertain + found.told} mails; of {found.uncertain} of"
                " them nobody can tell yet whether they were sent."
            )
            self._changed()

    async def _publish_again(self) -> str:
        """Publish and take down what could not be, if it is time for that; returns what still fails.

        A store that may be the copy of another one tries nothing by itself.
        """
        if self._publisher is None:
            return ""
        home = standing.home_of(self.db.path)
        async with self.db.read() as session:
            known = await standing.read_standing(session, self.settings.email.provider, home=home)
        if known.stopped:
            return ""
        tried = await try_again(
            self.db, self._publisher, clock=self._now, cancelled=self._stopping.is_set
        )
        for words, is_problem in ((tried.words, False), (tried.problem, True)):
            if words:
                await self._log(words, is_problem=is_problem)
        if tried.words or tried.problem:
            self._changed()
        return tried.problem

    async def _collect(self, mine: Account, report: Report) -> Collected:
        came_in = Collected()
        async with self._until_stopped():
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

    async def _save_sent(self, mine: Account, report: Report, *, insist: bool) -> None:
        """Save in the mailbox what was sent, where the operator wants that."""
        async with self._until_stopped():
            if problem := await self._saver.save(mine, insist=insist):
                report.problems.append(problem)
                await self._log(problem, is_problem=True)

    @asynccontextmanager
    async def _until_stopped(self) -> AsyncIterator[None]:
        """Leave the block where it stands as soon as the worker is stopped."""
        leave = asyncio.timeout(0 if self._stopping.is_set() else None)
        try:
            async with leave:
                self._leave = leave
                try:
                    yield
                finally:
                    self._leave = None
        except TimeoutError:
            if not leave.expired():
                raise

    async def _release(self) -> None:
        """Have a look at what was held, where what it lacks may be there now."""
        now = self._now()
        since = self._held_since
        if since is not None and _NONE <= now - since < _LONGEST_REST:
            return
        async with self.db.read() as session:
            ids = await to_release(session, everything=since is None)
        for start in range(0, len(ids), HELD_CHUNK):
            async with self.db.write() as session:
                await release_held(session, now=now, ids=ids[start : start + HELD_CHUNK])
        self._held_since = now

    async def _send(
        self, claimer: Claimer, report: Report, *, until: datetime | None, insist: bool
    ) -> Pumped:
        async with open_sender(
            self.settings, store=self.db.path, environment=self._environment
        ) as sender:
            self._sender = sender
            try:
                async with last_sent.Noting(sender, self.db.path) as noting:
                    pumped = await Pump(
                        self.db,
                        claimer,
                        noting,
                        self._now,
                        self._stopping,
                        until=until,
                        insist=insist,
                    ).run()
            finally:
                self._sender = None
        report.sent += pumped.sent
        report.failed += pumped.failed
        report.uncertain += pumped.uncertain
        if pumped.problem:
            report.problems.append(pumped.problem)
            await self._log(pumped.problem, is_problem=True)
        elif pumped.sent or pumped.failed:
            refused = f", {pumped.failed:,} refused" if pumped.failed else ""
            await self._log(f"{plural(pumped.sent, 'mail')} sent{refused}.")
        return pumped

    async def _log(self, words: str, *, is_problem: bool = False) -> None:
        async with self.db.write() as session:
            await worker_log.add(session, words, is_problem=is_problem, now=self._now())


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


async def _any_queued(session: ReadSession) -> bool:
    """Whether anything waits to be sent."""
    return await session.scalar(select(Message.id).where(_QUEUED).limit(1)) is not None


async def _next_due(session: ReadSession, now: datetime) -> datetime | None:
    """When the next message is due that is not yet."""
    return await session.scalar(
        select(Message.due_at)
        .where(_QUEUED, Message.due_at > now)
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
