"""A world of fake providers with a scripted clock, and everything that can go wrong in it.

One ASGI application serves every provider below a path of its own ("/mailgun"): in process through
`World.transport()`, or over a socket through `World.serve()`. A provider is a `FakeProvider` that
answers requests and tells what happened from its `Happened` log; the trouble in between (too many
requests, lost answers, bodies cut off) is made here, the same for all of them.

    world = World(now=NOW, faults=Faults.all_at_once(), seed=7)
    mailgun = FakeMailgun(world, "mailgun")
    async with MailgunSender(settings(mailgun.base_url), key, transport=world.transport()) as sender: …
    mailgun.happen(message_id, "delivered", at=world.now)
    world.pass_time(minutes=5)

Everything random comes from `World.random`, so that a seed tells the whole story.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

IN_PROCESS = "http://127.0.0.1"
"""The address of the world where no socket is used."""

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong, each as a share of requests or of happenings (0 is never, 1 is always).

    Attributes:
        too_many: requests that are answered 429, with Retry-After in seconds and as a date in turn
            (a provider that has headers of its own for that replaces them).
        broken: requests that are answered 500 without having been worked on.
        lost: requests that are worked on, and answered 500: a send that was accepted all the same.
        cut: answers whose body ends in the middle.
        late: happenings that are told only after a while (up to `lateness`).
        twice: happenings that are told a second time.
        shuffled: whether happenings of one moment come in any order.
        same_second: happenings that are set to the second of the one before.
        shifting: whether pages shift while they are fetched, as something new comes to their front.
        expired: requests for a further page that are refused, as its cursor is too old.
        poisoned: answers whose next page leads to somebody else's host.
        keeps: how long a happening is told at all; None is for ever.
        skew: how far the provider's clock is ahead.
    """

    too_many: float = 0
    broken: float = 0
    lost: float = 0
    cut: float = 0
    late: float = 0
    lateness: timedelta = timedelta(minutes=25)
    twice: float = 0
    shuffled: bool = False
    same_second: float = 0
    shifting: bool = False
    expired: float = 0
    poisoned: float = 0
    keeps: timedelta | None = None
    skew: timedelta = timedelta()

    @classmethod
    def all_at_once(cls) -> Faults:
        """All of them, often enough to be met in a short run; nothing is forgotten."""
        return cls(
            too_many=0.05,
            broken=0.05,
            lost=0.05,
            cut=0.05,
            late=0.2,
            twice=0.2,
            shuffled=True,
            same_second=0.2,
            shifting=True,
            expired=0.05,
            poisoned=0.02,
            skew=timedelta(seconds=40),
        )


NO_FAULTS = Faults()


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened to a message, in the provider's own words.

    Attributes:
        number: its place in the provider's log.
        message: the provider's name of the message.
        word: what happened, as this provider says it.
        at: when.
        seen_from: when the provider begins to tell it.
        facts: whatever else the provider tells of it.
    """

    number: int
    message: str
    word: str
    at: datetime
    seen_from: datetime
    facts: dict[str, Any] = field(default_factory=dict)


class Served(Protocol):
    """A fake provider, as far as the world needs it."""

    name: str

    def routes(self) -> list[Route]:
        """What it answers, below its own path."""
        ...

    def too_many(self, response: Response) -> Response:
        """A 429 as this provider sends it."""
        ...


@dataclass
class World:
    """The clock, the faults and the providers.

    Attributes:
        now: the world's time, aware UTC; it stands still until it is moved.
        faults: what goes wrong.
        requests: every request that arrived (method, path below the provider, status), in order.
        tick: how far each request that something comes of moves the clock on.
    """

    now: datetime
    faults: Faults = NO_FAULTS
    seed: int = 0
    random: random.Random = field(init=False)
    providers: list[Served] = field(default_factory=list)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    base: str = IN_PROCESS
    tick: timedelta = timedelta()
    happened: int = 0
    _refused: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def chance(self, share: float) -> bool:
        """Whether something happens that happens this often."""
        return share > 0 and self.random.random() < share

    def clock(self) -> datetime:
        """The world's time, for whoever wants a function."""
        return self.now

    def pass_time(self, **time: float) -> None:
        """Move the clock on, by the arguments of a timedelta."""
        self.now += timedelta(**time)

    async def sleep(self, seconds: float) -> None:
        """Wait in the world's time: in no time at all."""
        self.now += timedelta(seconds=seconds)

    def heal(self) -> None:
        """Nothing goes wrong from now on; what is late comes still."""
        self.faults = replace(NO_FAULTS, keeps=self.faults.keeps, skew=self.faults.skew)

    def app(self) -> Starlette:
        """The application that serves every provider."""
        routes = [
            Route(
                f"/{provider.name}{route.path}",
                self._troubled(provider, route.endpoint),
                methods=sorted(route.methods or {"GET"}),
            )
            for provider in self.providers
            for route in provider.routes()
        ]
        return Starlette(routes=routes)

    def transport(self) -> httpx.AsyncBaseTransport:
        """What carries requests to the world within this process."""
        return httpx.ASGITransport(self.app())

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve over a socket of this machine; gives the world's address."""
        # Of a socket that does not say TCP, answers wait 40 ms for the acknowledgment of their heads.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(self.app(), log_level="error", lifespan="off", date_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        self.base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            yield self.base
        finally:
            server.should_exit = True
            thread.join()
            self.base = IN_PROCESS

    def _troubled(self, provider: Served, handler: Handler) -> Handler:
        """A handler, with all the trouble there is on the way to it and back."""

        async def answer(request: Request) -> Response:
            before = self.happened
            response = await self._answer(provider, handler, request)
            if self.happened != before:
                self.now += self.tick
            response.headers["date"] = format_datetime(self.now + self.faults.skew, usegmt=True)
            path = request.url.path.removeprefix(f"/{provider.name}")
            self.requests.append((request.method, path, response.status_code))
            return response

        return answer

    async def _answer(self, provider: Served, handler: Handler, request: Request) -> Response:
        if self.chance(self.faults.too_many):
            return provider.too_many(self._too_many())
        if self.chance(self.faults.broken):
            return Response('{"message": "Internal Server Error"}', 500)
        try:
            await request.body()
        except ClientDisconnect:
            return Response(status_code=400)  # who asked was killed meanwhile
        response = await handler(request)
        if self.chance(self.faults.lost):
            return Response('{"message": "Internal Server Error"}', 500)
        if response.status_code < 300 and len(response.body) > 2 and self.chance(self.faults.cut):
            half = bytes(response.body)[: len(response.body) // 2]
            return Response(half, response.status_code, media_type="application/json")
        return response

    def _too_many(self) -> Response:
        self._refused += 1
        at = format_datetime(self.now + self.faults.skew + timedelta(seconds=2), usegmt=True)
        retry_after = "1" if self._refused % 2 else at
        return Response(
            '{"message": "Too many requests"}', 429, headers={"retry-after": retry_after}
        )


@dataclass
class FakeProvider:
    """What every fake provider shares: its place in the world, and its log of what happened."""

    world: World
    name: str
    log: list[Happened] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.providers.append(self)

    @property
    def base_url(self) -> str:
        """Where its API is."""
        return f"{self.world.base}/{self.name}"

    def routes(self) -> list[Route]:
        """What it answers; each provider says."""
        raise NotImplementedError

    def too_many(self, response: Response) -> Response:
        """A 429 as this provider sends it; with Retry-After unless it says otherwise."""
        return response

    def happen(
        self, message: str, word: str, *, at: datetime | None = None, **facts: Any
    ) -> Happened:
        """Something happens to a message, and the provider comes to know it, sooner or later."""
        world, faults = self.world, self.world.faults
        at = world.now if at is None else at
        if self.log and world.chance(faults.same_second):
            at = self.log[-1].at
        seen_from = at
        if world.chance(faults.late):
            seen_from = at + faults.lateness * world.random.random()
        happened = Happened(len(self.log), message, word, at, seen_from, facts)
        self.log.append(happened)
        world.happened += 1
        return happened

    def told(self) -> list[Happened]:
        """What the provider tells at this moment, the oldest first: some of it twice."""
        world, faults = self.world, self.world.faults
        kept = [
            each
            for each in self.log
            if each.seen_from <= world.now
            and (faults.keeps is None or each.at > world.now - faults.keeps)
        ]
        if faults.shuffled:
            world.random.shuffle(kept)
        kept.sort(key=lambda each: each.at)
        return [each for one in kept for each in [one] * (2 if self._twice(one) else 1)]

    def _twice(self, happened: Happened) -> bool:
        """Whether it is told twice: the same ones whenever they are asked for."""
        share = self.world.faults.twice
        return share > 0 and random.Random(happened.number).random() < share
