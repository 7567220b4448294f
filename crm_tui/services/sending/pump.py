"""Sending what is due: claim, send, record, with at most so many on their way at once.

A turn is one transaction that records what has come back and claims what goes next. Between turns
mails are on their way and no transaction is open. However the pump ends, what was on its way is
recorded: as what became of it, or as uncertain.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from crm_tui.db.engine import Database
from crm_tui.errors import StoreError
from crm_tui.providers.base import GivenUp, ProviderError, Sent, Unclear
from crm_tui.services.sending.ahead import Ahead
from crm_tui.services.sending.claim import Claimed, Claimer
from crm_tui.services.sending.last_sent import Sender
from crm_tui.services.sending.record import Result
from crm_tui.services.sending.turn import Turn, take_turn

T = TypeVar("T")

_GOODBYE = 5.0
"""Seconds that mails which were handed over are given to be answered when the pump is stopped."""

_AHEAD = 100
"""How many due messages are looked up at once at most; each look goes twice as far."""

_AT_ONCE = 50
"""How many of them one transaction decides on at most, to be over in a few milliseconds."""

_TOGETHER = 0.05
"""Seconds that one waits at most for mails to come back together."""

_RECORDED_AGAIN = 3
"""How often recording what came back is tried in a store that cannot be written."""


@dataclass(slots=True)
class Pumped:
    """What one run of the pump came to.

    Attributes:
        wait_until: when the pace or the provider lets the next one go; None if nothing waits for
            either.
        problem: what is wrong with the provider; "" where nothing is.
        stopped: why nothing is sent from this store; "" while it may be.
        interrupted: whether it ended because its time was over, and more may be due.
    """

    sent: int = 0
    failed: int = 0
    uncertain: int = 0
    skipped: int = 0
    wait_until: datetime | None = None
    problem: str = ""
    stopped: str = ""
    interrupted: bool = False

    def also(self, other: Pumped) -> None:
        """Count what another run came to, of another account."""
        self.sent += other.sent
        self.failed += other.failed
        self.uncertain += other.uncertain
        self.skipped += other.skipped
        times = [at for at in (self.wait_until, other.wait_until) if at is not None]
        self.wait_until = min(times, default=None)
        self.problem = self.problem or other.problem
        self.stopped = self.stopped or other.stopped
        self.interrupted = self.interrupted or other.interrupted

    def add(self, turn: Turn) -> None:
        """Count what a turn came to."""
        tally, claims = turn.tally, turn.claims
        self.sent += tally.sent
        self.failed += tally.failed
        self.uncertain += tally.uncertain
        self.skipped += claims.skipped
        self.problem = tally.problem or claims.problem or self.problem


@dataclass(slots=True)
class Pump:
    """Sends through one account until nothing is due, its time is over, or it is stopped.

    Attributes:
        stopping: set to end after what is on its way.
        until: when to end, so that what came in meanwhile is read before more goes; None is never.
        insist: whether a provider that is left alone is tried once all the same.
        spent: called after each turn with what was sent so far, for whoever watches.
    """

    db: Database
    claimer: Claimer
    sender: Sender
    now: Callable[[], datetime]
    stopping: asyncio.Event
    until: datetime | None = None
    insist: bool = False
    spent: Callable[[Pumped], None] = lambda _pumped: None
    _due: deque[int] = field(default_factory=deque)
    _on_way: dict[asyncio.Task[Result], Claimed] = field(default_factory=dict)
    _back: list[Result] = field(default_factory=list)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _all_back: asyncio.Event = field(default_factory=asyncio.Event)
    _took: float = 0.0
    """Seconds that the last turn took."""
    _cut_off: bool = False
    _ahead: Ahead = field(default_factory=Ahead)
    _reach: int = 0
    _pumped: Pumped = field(default_factory=Pumped)
    _in_vain: bool = False
    """Whether the last turn claimed nothing of what it looked at."""

    async def run(self) -> Pumped:
        """Send everything that is due and may go.

        Raises:
            StoreError: the store cannot be read or written.
        """
        watching = asyncio.create_task(self._watch())
        try:
            try:
                await _to_the_end(self._pump(), when_canceled=self._cut)
            finally:
                await _to_the_end(self._come_home(), when_canceled=self._cut)
        finally:
            watching.cancel()
        return self._pumped

    async def _watch(self) -> None:
        await self.stopping.wait()
        self._wake()

    def _cut(self) -> None:
        self._cut_off = True
        self._wake()

    def _wake(self) -> None:
        self._woken.set()
        self._all_back.set()

    async def _next_back(self) -> None:
        """Wait until something came back, and a little for what comes with it.

        A turn costs the disk the same for one mail as for ten: waiting for others as long as one
        takes can at most double the time, and mostly saves more turns than that.
        """
        await self._woken.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._took, _TOGETHER)):
                await self._all_back.wait()

    async def _pump(self) -> None:
        while not self._is_over():
            self._woken.clear()
            if len(self._due) < self._free():
                await self._look_ahead()
            if self._due or self._back:
                await self._turn()
            elif not self._on_way:
                return
            if self._on_way:
                await self._next_back()
            elif self._pumped.wait_until or self._pumped.stopped:
                return

    def _is_over(self) -> bool:
        if self.until is not None and self.now() >= self.until:
            self._pumped.interrupted = True
        return self._is_stopped() or self._pumped.interrupted

    def _is_stopped(self) -> bool:
        return self.stopping.is_set() or self._cut_off

    def _free(self) -> int:
        return self.claimer.account.connections - len(self._on_way)

    async def _look_ahead(self) -> None:
        """Look up what is due, outside of any transaction that writes."""
        self._reach = min(max(2 * self._reach, self._free()), _AHEAD)
        account, most, now = self.claimer.account, self._reach, self.now()
        found = await self.db.read_at_once(
            lambda session: self._ahead.look(session, account, most=most, now=now)
        )
        self._due = deque(found)

    async def _turn(self) -> None:
        """Record what came back and claim what goes; both in one transaction that is kept."""
        free = self._free()
        number = _AT_ONCE if self._in_vain else free
        ids = [self._due.popleft() for _ in range(min(number, len(self._due)))]
        claims = (await self._write(ids, most=free)).claims
        self.insist = self.insist and not claims.messages
        self._pumped.wait_until, self._pumped.stopped = claims.wait_until, claims.stopped
        self._due.extendleft(reversed(claims.untouched))
        self._in_vain = not claims.messages
        for message in claims.messages:
            task = asyncio.create_task(self._send(message))
            self._on_way[task] = message
            self._all_back.clear()
            task.add_done_callback(self._came_back)

    async def _write(self, ids: list[int], *, most: int) -> Turn:
        back, self._back = self._back, []
        began = time.monotonic()
        try:
            turn = await self.db.write_at_once(
                lambda session: take_turn(
                    session,
                    self.claimer,
                    back,
                    ids,
                    most=most,
                    ahead=self._ahead,
                    now=self.now(),
                    insist=self.insist,
                )
            )
        except BaseException:
            self._ahead = Ahead()  # what was noted there was not kept
            self._back = back + self._back
            raise
        self._took = time.monotonic() - began
        self._pumped.add(turn)
        self.spent(self._pumped)
        return turn

    async def _send(self, message: Claimed) -> Result:
        try:
            answer: Sent | ProviderError | None = await self.sender.send(message.mail)
        except GivenUp:
            answer = None
        except ProviderError as error:
            answer = error
        except asyncio.CancelledError:
            answer = Unclear("sending was interrupted", ours=True)
        except Exception as error:  # noqa: BLE001 - whatever it was, the mail may have gone
            answer = Unclear(f"sending went wrong: {error}", ours=True)
        return Result(message, answer, self.now())

    def _came_back(self, task: asyncio.Task[Result]) -> None:
        """Take the result of a mail; one whose task never began was never sent."""
        message = self._on_way.pop(task)
        result = Result(message, None, self.now()) if task.cancelled() else task.result()
        self._back.append(result)
        self._woken.set()
        if not self._on_way:
            self._all_back.set()

    async def _come_home(self) -> None:
        """Record what is on its way still, at the end or after it was cancelled.

        Who is stopped hands nothing more over, and does not wait long for an answer.
        """
        while self._on_way and not self._is_stopped():
            self._woken.clear()
            await self._woken.wait()
        if self._on_way:
            self.sender.give_up()
            tasks = list(self._on_way)
            await asyncio.wait(tasks, timeout=_GOODBYE)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)  # each is taken back by a callback before this one's
        for attempt in range(_RECORDED_AGAIN):
            if not self._back:
                return
            try:
                await self._write([], most=0)
            except StoreError:
                if attempt == _RECORDED_AGAIN - 1:
                    raise  # they are uncertain when sending begins again


async def _to_the_end(work: Awaitable[T], *, when_canceled: Callable[[], None] = lambda: None) -> T:
    """Await something that must not be cut off: a cancellation comes through when it is done."""
    task = asyncio.ensure_future(work)
    canceled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            canceled = error
            when_canceled()
    if canceled is not None:
        task.exception()  # the cancellation goes before it
        raise canceled
    return task.result()
