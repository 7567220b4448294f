"""One way to talk to every provider's API: who may be asked, how often, and what may be said of it.

Reading is tried again by itself, with pauses of random length up to a bound that doubles ("full
jitter"), or as long as the provider asks for. What changes something is sent once: whoever sends
it decides, knowing whether the provider can tell a repetition.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from crm_tui.providers.answers import CUT_OFF, Answer, read_http_date
from crm_tui.providers.api_login import Login, check_base, may_go, usable
from crm_tui.providers.base import (
    LoginRefused,
    Misconfigured,
    ProviderError,
    Unavailable,
    Unclear,
    said,
)
from crm_tui.providers.secrets import Secret

__all__ = [
    "Answer",
    "Api",
    "Explain",
    "Login",
    "OverApi",
    "Wait",
    "by_retry_after",
    "read_http_date",
]

# These would write every URL with its query, and so addresses and places in lists, to whoever logs.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0

_AGENT = "crm-tui"
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_TRIES = 5
"""How often a page is asked for before the next poll has to."""
_PATIENCE = 60.0
"""Seconds that one question waits for a provider that asks to be left alone, or does not answer."""
_LARGEST = 32 * 1024 * 1024
"""Bytes of an answer that are read at most."""
_STOPPED = re.compile(r"\baccount\b.*\b(suspended|disabled|closed|deactivated)\b", re.IGNORECASE)
_AGAIN = frozenset({429, 500, 502, 503, 504})


Wait = Callable[[Answer], float | None]
"""Seconds until a provider that is asked too often may be asked again, by its own headers."""


def by_retry_after(answer: Answer) -> float | None:
    """By Retry-After alone."""
    return answer.retry_after()


Explain = Callable[[Answer, str], ProviderError | None]
"""What an answer that is no success means, where a provider says more than its status does; with
its words as one safe line without the key."""


def by_status(_answer: Answer, _words: str) -> ProviderError | None:
    """Nothing more than its status says."""
    return None


@dataclass(slots=True)
class Api:
    """The API of one account.

    Attributes:
        title: the provider as people call it.
        base_url: where it is; https, or a server on this machine.
        login: the key, and how it is shown.
        fix: what to do about a key that is not taken, as a sentence.
        hosts: hosts besides that of `base_url` that the provider's own URLs may lead to; one that
            begins with a dot stands for all below it.
        wait: how long to wait after a 429.
        explain: what a refusal means, asked before its status is; None leaves it to the status.
        transport: what carries the requests; the network unless a test says otherwise.
        sleep: how to wait.
        jitter: a random number from 0 to 1.
        clock: seconds, to see how long an answer takes.
    """

    title: str
    base_url: str
    login: Login
    fix: str
    hosts: Sequence[str] = ()
    wait: Wait = by_retry_after
    explain: Explain = by_status
    transport: httpx.AsyncBaseTransport | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    _client: httpx.AsyncClient | None = field(default=None, init=False)
    _found: Secret | None = field(default=None, init=False)
    _secret: Secret | None = field(default=None, init=False)
    _is_refused: bool = field(default=False, init=False)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def get(
        self,
        url: str,
        params: Mapping[str, str | int] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Read something; asked again where the provider has trouble.

        Args:
            url: a path below `base_url`, or a URL that the provider gave: one that leads to
                somebody else is not followed, as the key would go there.
            params: the query.
            headers: besides the key.

        Returns the answer where it is a success or a refusal, 401 and 403 excepted.

        Raises:
            Misconfigured: no key was found, or it is not taken.
            Unavailable: the provider cannot be reached, has trouble, or asks to be left alone.
            ProviderError: what `explain` makes of a refusal.
        """
        return await self.read("GET", url, params=params, headers=headers)

    async def read(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Answer:
        """As `get`, for what is read with a POST: a search that changes nothing."""
        whole = self._whole(url)
        trouble: ProviderError = Unavailable(f"{self.title} cannot be reached")
        waited = 0.0
        for tried in range(_TRIES):
            pause, began = None, self.clock()
            try:
                answer = await self._ask(
                    method, whole, params=params, headers=headers, json=json, sends=False
                )
            except Unavailable as error:
                trouble = error
            else:
                if answer.status not in _AGAIN and not answer.is_cut_off:
                    self.check_login(answer)
                    return answer
                if answer.ok:
                    trouble = Unavailable(f"{self.title}: {CUT_OFF}")
                elif (explained := self.explain(answer, self.words(answer))) is not None:
                    raise explained
                else:
                    trouble = self.trouble(answer)
                    pause = self.wait(answer) if answer.status == 429 else answer.retry_after()
            bound = min(_FIRST_PAUSE * 2**tried, _LONGEST_PAUSE)
            pause = bound * self.jitter() if pause is None else pause
            waited += pause + self.clock() - began
            if tried == _TRIES - 1 or waited > _PATIENCE:
                break
            await self.sleep(pause)
        raise trouble

    async def send(
        self,
        url: str,
        *,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        files: Sequence[tuple[str, tuple[None, str]]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Have the provider do something, once.

        Returns the answer where there is one, a 5xx excepted; 401 and 403 are the key's.

        Raises:
            Misconfigured: no key was found, or it is not taken; nothing was done.
            Unavailable: the provider could not be reached, or refused for now (429); nothing was
                done.
            Unclear: it may have been done: the answer was lost, or says that something broke.
            ProviderError: what `explain` makes of a refusal.
        """
        answer = await self._ask(
            "POST",
            self._whole(url),
            json=json,
            data=data,
            files=files,
            headers=headers,
            sends=True,
        )
        if answer.status >= 500:
            raise Unclear(f"{self.title} answered {answer.status} {self.words(answer)}".rstrip())
        self.check_login(answer)
        if answer.status == 429:
            raise self.trouble(answer)
        return answer

    def check_login(self, answer: Answer) -> None:
        """See that the key was taken, and that there is nothing to explain about a refusal.

        Raises:
            LoginRefused: it was not.
            ProviderError: what `explain` makes of a refusal.
        """
        if not answer.ok and (explained := self.explain(answer, self.words(answer))) is not None:
            raise explained
        if answer.status in {401, 403}:
            words = self.words(answer) or "no reason given"
            if answer.status == 403 and _STOPPED.search(words):
                raise Misconfigured(
                    f"{self.title} has stopped this account ({answer.status}: {words}).",
                    fix=f"Log in at {self.title} to see why, and ask its support.",
                )
            raise LoginRefused(
                f"{self.title} does not take the key ({answer.status}: {words}).", fix=self.fix
            )

    def trouble(self, answer: Answer) -> Unavailable:
        """What an answer of 429 or 5xx means: leave it alone for so long."""
        after = self.wait(answer) if answer.status == 429 else answer.retry_after()
        what = "asks to be asked less often" if answer.status == 429 else "has trouble"
        words = self.words(answer)
        about = f"{answer.status}: {words}" if words else str(answer.status)
        return Unavailable(f"{self.title} {what} ({about})", after=after)

    def words(self, answer: Answer) -> str:
        """What a refusal says, as one safe line without the key."""
        text = answer.text
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict):
            body = body["error"] if isinstance(body.get("error"), dict) else body
            for name in ("message", "error_message", "error", "Message"):
                if isinstance(body.get(name), str):
                    text = body[name]
                    break
        elif "<html" in text.lower():
            text = ""
        # Hidden before what cannot be seen is taken out and the rest cut short, and after it.
        return self._hidden(said(self._hidden(text)))

    def allows(self, url: str) -> bool:
        """Whether a URL leads to the provider itself, as it is read by what follows it."""
        return may_go(url, self.base_url, self.hosts)

    def _whole(self, url: str) -> str:
        """Where a URL leads, or a path below the base.

        Raises:
            Misconfigured: the base is none that the key may go to.
            Unavailable: to somebody else.
        """
        check_base(self.title, self.base_url)
        whole = url if "://" in url else f"{self.base_url.rstrip('/')}/{url.lstrip('/')}"
        if not self.allows(whole):
            host = whole.partition("://")[2].partition("/")[0].rpartition("@")[2]
            raise Unavailable(
                f"{self.title} named a page at {said(host)[:80]}, which is not its own"
            )
        return whole

    async def _ask(
        self,
        method: str,
        whole: str,
        *,
        sends: bool,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Answer:
        client, secret = await self._open()
        shown, auth = self.login.of(secret)
        try:
            async with client.stream(
                method,
                whole,
                params=params,
                headers={**shown, **(headers or {})},
                auth=auth,
                **{name: value for name, value in body.items() if value is not None},
            ) as response:
                content = await self._read(response)
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.ProxyError,
        ) as error:
            words = self._hidden(_reason(error))
            raise Unavailable(f"{self.title} cannot be reached: {words}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            words = self._hidden(_reason(error))
            if sends:
                raise Unclear(f"the answer of {self.title} was lost: {words}") from None
            raise Unavailable(f"{self.title} broke off: {words}") from None
        if response.status_code in {401, 403}:
            self._is_refused = True
        return Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            content,
        )

    async def _read(self, response: httpx.Response) -> bytes:
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > _LARGEST:
                raise httpx.ReadError("the answer is too large")
            parts.append(part)
        return b"".join(parts)

    async def _open(self) -> tuple[httpx.AsyncClient, Secret]:
        async with self._opening:
            if self._secret is None:
                self._found = await self.login.secret.get()
                self._secret = usable(self._found, self.title, self.fix)
            elif self._is_refused:
                # The operator may have exchanged it meanwhile.
                newer = await self.login.secret.after(self._found)
                if newer is not None:
                    self._found, self._secret = newer, usable(newer, self.title, self.fix)
            self._is_refused = False
            if self._client is None:
                timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
                self._client = httpx.AsyncClient(
                    transport=self.transport,
                    timeout=timeout,
                    headers={"User-Agent": _AGENT},
                    follow_redirects=False,
                    trust_env=self.transport is None,
                )
            return self._client, self._secret

    def _hidden(self, words: str) -> str:
        return words if self._secret is None else self.login.hidden_in(words, self._secret)


class OverApi:
    """What works through an API, and closes it: every sender and stream of an adapter."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def __aenter__(self) -> Self:
        await self._api.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._api.__aexit__(kind, error, trace)


def _reason(error: Exception) -> str:
    return said(str(error)) or type(error).__name__
