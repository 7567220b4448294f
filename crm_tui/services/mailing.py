"""One pass over the mail: what came in is read to its end, then what is due is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import literal_column, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Message, SyncCursor
from crm_tui.services.inbox.collecting import Collected, apply_kept, collect
from crm_tui.services.inbox.saving import Saver
from crm_tui.services.sending import last_sent, put_off, standing, worker_log
from crm_tui.services.sending.account import Account, account, outbox_folder, text_account
from crm_tui.services.sending.certainty import find_out
from crm_tui.services.sending.claim import HELD_CHUNK, Claimer, release_held, to_release
from crm_tui.services.sending.pump import Pump, Pumped
from crm_tui.services.sending.recover import Recovered, recover
from crm_tui.services.sending.senders import (
    OpenSender,
    OpenSmsSender,
    open_sender,
    open_sms_sender,
)
from crm_tui.services.sending.standing import Standing
from crm_tui.text import plural
from crm_tui.vocabulary import Channel, MessageState

HELD_EVERY = timedelta(minutes=10)
"""How often is looked at what is held for something missing."""
_ASK_EVERY = timedelta(minutes=1)
"""How often a provider is asked about mails of which nobody knows whether they were sent."""
_NONE = timedelta()
QUEUED = Message.state == literal_column(f"'{MessageState.QUEUED}'")
"""In the words of the index."""


@dataclass(slots=True)
class Report:
    """What one pass came to; the figures of `crm-tui worker --once --json`.

    Attributes:
        polled: all that was read; `payments`: what of it a payment provider told.
    """

    sent: int = 0
    failed: int = 0
    uncertain: int = 0
    polled: int = 0
    payments: int = 0
    applied: int = 0
    unmatched: int = 0
    due_later: int = 0
    problems: list[str] = field(default_factory=list)
    stopped: str = ""


class Mailing:
    """Reads and sends the mail of one store, a pass at a time.

    Args:
        db: the store.
        settings: which account, and the limits.
        environment: where passwords may be.
        now: the clock.
        changed: called after whatever changed the store, for whoever shows it.
        stopping: set to end after what is on its way; `leave` the mailbox then.
    """

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        now: Callable[[], datetime],
        changed: Callable[[], None],
        stopping: asyncio.Event,
    ) -> None:
        self.db = db
        self.settings = settings
        self._environment = environment
        self._now = now
        self._changed = changed
        self._stopping = stopping
        self._held_since: datetime | None = None
        self._asked_at: dict[str, datetime] = {}
        self._saver = Saver(db, settings, environment=environment, now=now)
        self._sender: OpenSender | OpenSmsSender | None = None
        self._leave: asyncio.Timeout | None = None

    def leave(self) -> None:
        """Leave the mailbox at once, whatever is being read or saved there."""
        if self._leave is not None and not self._leave.expired():
            self._leave.reschedule(asyncio.get_running_loop().time())

    @property
    def unanswered(self) -> int:
        """How many mails were handed to the provider and wait for its answer."""
        return 0 if self._sender is None else self._sender.unanswered

    @property
    def reads(self) -> bool:
        """Whether there is a mailbox to read."""
        return bool(self.settings.providers.imap.host)

    @property
    def poll_every(self) -> timedelta:
        """How often the mailbox is read."""
        return timedelta(seconds=self.settings.providers.imap.poll_seconds)

    async def run(
        self, owner: str, report: Report, *, spread: bool, poll: bool = True, insist: bool = False
    ) -> Pumped:
        """Read what came in, and send what is due; what it came to is added to the report.

        Args:
            owner: the name of the lock of who does it.
            report: the figures so far.
            spread: whether mails keep their distance over the day.
            poll: whether the mailbox is read.
            insist: whether a provider that is left alone is tried once all the same.
        """
        home = standing.home_of(self.db.path)
        async with self.db.read() as session:
            known = await standing.read_standing(session, self.settings.email.provider, home=home)
            is_older = not known.stopped and await last_sent.is_older_copy(session, self.db.path)
        if is_older:
            known = await self._stop_older_copy(known)
        mine = account(self.settings, plus=known.plus)
        await self._recover(mine, owner, report)
        began = self._now()
        came_in = await self._collect(mine, report, poll=poll)
        report.stopped = known.stopped
        pumped, texts = Pumped(), text_account(self.settings)
        if not (came_in.problem or known.stopped) and (mine.address or texts):
            await self._settle(known, home)
            await self._release()
            await put_off.keep_hours(self.db, mine, now=self._now())
            until = began + self.poll_every if self.reads else None
            if texts is not None and await self._is_read(texts):  # first: they are few
                claimer = Claimer(account=texts, owner=owner, home=home, spread=spread)
                pumped.also(await self._text(claimer, report, until=until, insist=insist))
            if mine.address:
                await self._saver.prepare()
                claimer = Claimer(account=mine, owner=owner, home=home, spread=spread)
                pumped.also(await self._send(claimer, report, until=until, insist=insist))
                await self._save_sent(mine, report, insist=insist)
        sent = pumped.sent or pumped.failed or pumped.uncertain or pumped.skipped
        if sent or came_in.applied or came_in.unmatched:
            self._changed()
        return pumped

    async def _is_read(self, texts: Account) -> bool:
        """Whether answers to text messages are read: nobody who said STOP gets another one."""
        failed = select(SyncCursor.provider).where(
            SyncCursor.provider == texts.provider,
            SyncCursor.account == self.settings.providers.twilio.account_sid,
            SyncCursor.problem.is_not(None),
        )
        async with self.db.read() as session:
            return await session.scalar(failed.limit(1)) is None

    async def _stop_older_copy(self, known: Standing) -> Standing:
        """Stop a store that does not know of what was sent from here, until it is let go."""
        async with self.db.write(durable=True) as session:
            await standing.stop(session, last_sent.OLDER_COPY)
        await self.log(f"Sending is stopped: {last_sent.OLDER_COPY}.", is_problem=True)
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
            await self.log(
                f"Sending was cut off in {found.uncertain + found.told} mails; of {found.uncertain} of"
                " them nobody can tell yet whether they were sent."
            )
            self._changed()

    async def _collect(self, mine: Account, report: Report, *, poll: bool) -> Collected:
        came_in = Collected()
        async with self._until_stopped():
            if poll:
                came_in = await collect(
                    self.db, self.settings, mine, environment=self._environment, now=self._now
                )
            else:
                came_in = await apply_kept(self.db, self.settings, mine, now=self._now)
        report.polled += came_in.polled
        report.applied += came_in.applied
        report.unmatched += came_in.unmatched
        if came_in.problem:
            report.problems.append(came_in.problem)
            await self.log(came_in.problem, is_problem=True)
        return came_in

    async def _save_sent(self, mine: Account, report: Report, *, insist: bool) -> None:
        """Save in the mailbox what was sent, where the operator wants that."""
        async with self._until_stopped():
            if problem := await self._saver.save(mine, insist=insist):
                report.problems.append(problem)
                await self.log(problem, is_problem=True)

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
        if since is not None and _NONE <= now - since < HELD_EVERY:
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
            return await self._pump(sender, claimer, report, until=until, insist=insist)

    async def _text(
        self, claimer: Claimer, report: Report, *, until: datetime | None, insist: bool
    ) -> Pumped:
        """Send the text messages that are due."""
        async with open_sms_sender(self.settings, environment=self._environment) as sender:
            return await self._pump(sender, claimer, report, until=until, insist=insist)

    async def _pump(
        self,
        sender: OpenSender | OpenSmsSender,
        claimer: Claimer,
        report: Report,
        *,
        until: datetime | None,
        insist: bool,
    ) -> Pumped:
        self._sender = sender
        await self._find_out(sender, claimer.account, insist=insist)
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
            await self.log(pumped.problem, is_problem=True)
        elif pumped.sent or pumped.failed:
            refused = f", {pumped.failed:,} refused" if pumped.failed else ""
            word = "text message" if claimer.account.channel is Channel.SMS else "mail"
            await self.log(f"{plural(pumped.sent, word)} sent{refused}.")
        return pumped

    async def _find_out(self, sender: object, mine: Account, *, insist: bool) -> None:
        """Ask the provider about mails of which nobody knows whether they were sent."""
        now, since = self._now(), self._asked_at.get(mine.provider)
        if since is not None and _NONE <= now - since < _ASK_EVERY and not insist:
            return
        self._asked_at[mine.provider] = now
        async with self._until_stopped():
            if settled := await find_out(
                self.db, sender, mine, channel=mine.channel, now=self._now
            ):
                words = plural(settled, "uncertain message")
                await self.log(f"{words}: the provider says what became of it.")
                self._changed()

    async def log(self, words: str, *, is_problem: bool = False) -> None:
        """Write a line into the worker's log."""
        async with self.db.write() as session:
            await worker_log.add(session, words, is_problem=is_problem, now=self._now())


async def _any_queued(session: ReadSession) -> bool:
    """Whether anything waits to be sent."""
    return await session.scalar(select(Message.id).where(QUEUED).limit(1)) is not None
