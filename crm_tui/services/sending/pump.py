"""Sending what is due: claim, send, record, with at most so many on their way at once.

A turn is one transaction that records what has come back and claims what goes next. Between turns
mails are on their way and no transaction is open. However the pump ends, what was on its way is
recorded: as what became of it, or as uncertain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from crm_tui.db.engine import Database
from crm_tui.providers.base import EmailSender, ProviderError, Sent, Unclear
from crm_tui.services.sending.claim import Claimed, Claimer, Claims, claim
from crm_tui.services.sending.record import Result, Tally, record

_GOODBYE = 30.0
"""Seconds that mails on their way are given to be answered when the pump is stopped."""


@dataclass(slots=True)
class Pumped:
    """What one run of the pump came to.

    Attributes:
        wait_until: when the pace or the provider lets the next one go; None if nothing waits for
            either.
        problem: what is wrong with the provider; "" where nothing is.
    """

    sent: int = 0
    failed: int = 0
    uncertain: int = 0
    skipped: int = 0
    wait_until: datetime | None = None
    problem: str = ""

    def add(self, tally: Tally) -> None:
        """Count what a turn recorded."""
        self.sent += tally.sent
        self.failed += tally.failed
        self.uncertain += tally.uncertain
        self.problem = tally.problem or self.problem


@dataclass(slots=True)
class Pump:
    """Sends through one account until nothing is due, or it is stopped.

    Attributes:
        stopping: set to end after what is on its way.
        spent: called after each turn with what was sent so far, for whoever watches.
    """

    db: Database
    claimer: Claimer
    sender: EmailSender
    now: Callable[[], datetime]
    stopping: asyncio.Event
    spent: Callable[[Pumped], None] = lambda _pumped: None
    _on_way: dict[asyncio.Task[Result], Claimed] = field(default_factory=dict)
    _pumped: Pumped = field(default_factory=Pumped)

    async def run(self) -> Pumped:
        """Send everything that is due and may go."""
        try:
            await self._pump()
        finally:
            await asyncio.shield(self._come_home())
        return self._pumped

    async def _pump(self) -> None:
        back: list[Result] = []
        while True:
            claims = await self._turn(back)
            for message in claims.messages:
                self._on_way[asyncio.create_task(self._send(message))] = message
            if not self._on_way:
                if self.stopping.is_set() or not claims.more or claims.wait_until:
                    return
                continue
            back = await self._next_back()

    async def _turn(self, back: list[Result]) -> Claims:
        """Record what came back and claim what goes; both in one transaction that is kept."""
        turn = asyncio.ensure_future(self._write(back))
        try:
            return await asyncio.shield(turn)
        except asyncio.CancelledError:
            # What the transaction claimed is on its way for nobody: it never left this machine.
            for message in (await turn).messages:
                self._on_way[asyncio.create_task(_not_begun(message, self.now()))] = message
            raise

    async def _write(self, back: list[Result]) -> Claims:
        account = self.claimer.account
        free = 0 if self.stopping.is_set() else account.connections - len(self._on_way)
        now = self.now()
        async with self.db.write(durable=True) as session:
            tally = await record(session, back, account, home=self.claimer.home, now=now)
            claims = await claim(session, self.claimer, most=free, now=now) if free else Claims()
        self._pumped.add(tally)
        self._pumped.skipped += claims.skipped
        self._pumped.wait_until = claims.wait_until
        self.spent(self._pumped)
        return claims

    async def _send(self, message: Claimed) -> Result:
        try:
            answer: Sent | ProviderError = await self.sender.send(message.mail)
        except ProviderError as error:
            answer = error
        except asyncio.CancelledError:
            answer = Unclear("sending was interrupted")
        except Exception as error:  # noqa: BLE001 - whatever it was, the mail may have gone
            answer = Unclear(f"sending went wrong: {error}")
        return Result(message, answer, self.now())

    async def _next_back(self) -> list[Result]:
        """The results there are, once there is one."""
        done, _ = await asyncio.wait(self._on_way, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            del self._on_way[task]
        return [task.result() for task in done]

    async def _come_home(self) -> None:
        """Record what is on its way still, at the end or after it was cancelled."""
        if not self._on_way:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.wait(self._on_way), _GOODBYE)
        for task in self._on_way:
            task.cancel()
        back = list(await asyncio.gather(*self._on_way))
        self._on_way.clear()
        async with self.db.write(durable=True) as session:
            tally = await record(
                session, back, self.claimer.account, home=self.claimer.home, now=self.now()
            )
        self._pumped.add(tally)


async def _not_begun(message: Claimed, at: datetime) -> Result:
    from crm_tui.providers.base import Unavailable  # noqa: PLC0415

    return Result(message, Unavailable("sending was interrupted"), at)
