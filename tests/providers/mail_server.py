"""A real SMTP server on loopback that does what a test tells it to."""

from __future__ import annotations

import asyncio
import base64
import ssl
import warnings
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import trustme
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword, Session

from crm_tui.config import SmtpSettings
from crm_tui.providers.base import OutgoingMail

HANG_UP = "hang up"
SAY_NOTHING = "say nothing"
WAIT = "wait"
ACCEPT = "accept"
USER, PASSWORD = "anna@example.com", "correct horse"


@dataclass(frozen=True, slots=True)
class Got:
    """A mail the server has taken."""

    sender: str
    to: list[str]
    content: bytes
    options: list[str]


@dataclass
class Post:
    """What the server is to answer, stage by stage, and what came to it.

    Stages: GREETING, AUTH, MAIL, RCPT, DATA (the command), DOT (the mail itself), RSET. Each takes
    the next word of its list and accepts when there is none left.
    """

    answers: dict[str, list[str]] = field(default_factory=dict)
    mails: list[Got] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    connections: list[SMTP] = field(default_factory=list)
    together: int = 0
    """The most connections that were open at once."""
    logins: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    """The access tokens that are good, where XOAUTH2 is offered."""
    shown: list[str] = field(default_factory=list)
    """The access tokens that came."""
    port: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server begins to say nothing, or to wait."""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """What the server waits for before it accepts."""

    async def answer(self, stage: str, server: SMTP, accept: str) -> str:
        self.asked.append(stage)
        left = self.answers.get(stage) or [ACCEPT]
        word = left.pop(0)
        if word == SAY_NOTHING:
            self.reached.set()
            await asyncio.Event().wait()
        if word == WAIT:
            self.reached.set()
            await self.go.wait()
        if word == HANG_UP:
            hang_up(server)
        return accept if word in {ACCEPT, WAIT} else word

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        word = await self.answer("MAIL", server, "250 2.1.0 Ok")
        if word.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return word

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        word = await self.answer("RCPT", server, "250 2.1.5 Ok")
        if word.startswith("2"):
            envelope.rcpt_tos.append(address)
        return word

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        word = (self.answers.get("DOT") or [""])[0]
        taken = word in {"", ACCEPT, HANG_UP, SAY_NOTHING, WAIT} or word.startswith("2")
        if taken and self.answers.get("KEEPS", ["yes"]) == ["yes"]:
            assert envelope.mail_from is not None
            assert isinstance(envelope.content, bytes)
            self.mails.append(
                Got(
                    envelope.mail_from,
                    list(envelope.rcpt_tos),
                    envelope.content,
                    list(envelope.mail_options),
                )
            )
        return await self.answer("DOT", server, "250 2.0.0 Ok: queued as 4F1C2")

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        return await self.answer("RSET", server, "250 2.0.0 Ok")

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(mechanism)
        if data == LoginPassword(USER.encode(), PASSWORD.encode()):
            return AuthResult(success=True, handled=False)
        message = (self.answers["AUTH"] or ["535 5.7.8 Authentication credentials invalid"]).pop(0)
        return AuthResult(success=False, handled=False, message=message)


class PostWithTokens(Post):
    """A server that offers XOAUTH2 beside, as Gmail and Microsoft 365 do it."""

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - likewise
        user, token, *_ = base64.b64decode(args[1]).decode().split("\1")
        self.logins.append("XOAUTH2")
        self.shown.append(token.removeprefix("auth=Bearer "))
        if user == f"user={USER}" and self.shown[-1] in self.tokens:
            return AuthResult(success=True, handled=False)
        why = '{"status":"401","schemes":"bearer"}'
        assert await server.challenge_auth(why) in {b"", MISSING}
        message = "535 5.7.3 Authentication unsuccessful [VI1PR0.example]"
        return AuthResult(success=False, handled=False, message=message)


def hang_up(server: SMTP) -> None:
    """Drop the connection without another word."""
    _abort(server)
    raise asyncio.CancelledError


class _Server(SMTP):
    post: Post

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - likewise
        word = await self.post.answer("DATA", self, ACCEPT)
        if word == "hang up inside":
            await self.push("354 Go on")
            await self._reader.readexactly(100)
            hang_up(self)
        if word == ACCEPT:
            await super().smtp_DATA(arg)
        else:
            await self.push(word)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.post.connections.append(self)
        super().connection_made(transport)
        open_now = [one for one in self.post.connections if not _closed(one)]
        self.post.together = max(self.post.together, len(open_now))


def _abort(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


def _closed(server: SMTP) -> bool:
    return server.transport is None or server.transport.is_closing()


@asynccontextmanager
async def mail_server(
    answers: dict[str, list[str]] | None = None,
    *,
    implicit: ssl.SSLContext | None = None,
    login: bool = False,
    tokens: list[str] | None = None,
    **how: Any,
) -> AsyncIterator[Post]:
    """Serve on a free port of 127.0.0.1; `how` goes to aiosmtpd's SMTP.

    `implicit` speaks TLS from the first byte; `login` wants USER with PASSWORD, `tokens` takes
    these instead of it.
    """
    scripted = defaultdict(list, answers or {})
    if tokens is None:
        post = Post(scripted)
    else:
        post = PostWithTokens(scripted, tokens=tokens)
        how |= {"auth_required": True, "auth_exclude_mechanism": ["LOGIN", "PLAIN"]}
    if login:
        how |= {"auth_required": True, "authenticator": post.authenticate}
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            # aiosmtpd warns of logins without TLS, which is what some tests are about.
            warnings.simplefilter("ignore")
            made = _Server(post, loop=loop, hostname="mail.test", ident="Test", **how)
        made.post = post
        return made

    listening = await loop.create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    post.port = listening.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        listening.close()
        tasks = [one._handler_coroutine for one in post.connections if one._handler_coroutine]
        for one in post.connections:
            _abort(one)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


@asynccontextmanager
async def talking_server(*lines: bytes, then_close: bool = True) -> AsyncIterator[int]:
    """A server that says these lines, one before and one after each command, whatever it hears."""
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for line in lines:
                writer.write(line)
                await writer.drain()
                if line.startswith(b"354"):
                    await reader.readuntil(b"\r\n.\r\n")
                elif not await reader.readline():
                    break
            if not then_close:
                await done.wait()
        except ConnectionError:
            return  # the client has heard enough
        finally:
            writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        done.set()
        listening.close()
        await listening.wait_closed()


_AUTHORITY = trustme.CA()


def trusting() -> ssl.SSLContext:
    """A client's context that trusts the tests' own authority only."""
    context = ssl.create_default_context()
    _AUTHORITY.configure_trust(context)
    return context


def certified(name: str) -> ssl.SSLContext:
    """A server's context with a certificate for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _AUTHORITY.issue_cert(name).configure_cert(context)
    return context


def settings_for(port: int, **fields: Any) -> SmtpSettings:
    """Settings for a server of these tests, unencrypted unless said otherwise."""
    return SmtpSettings(**{"host": "127.0.0.1", "port": port, "security": "none", **fields})


def a_mail(number: int = 1, /, **fields: Any) -> OutgoingMail:
    """A complete mail."""
    given: dict[str, Any] = {
        "key": f"key-{number}",
        "message_id": f"<6f1f0c9e.{number}@example.com>",
        "date": datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
        "sender_name": "Anna Löwe",
        "sender": "anna@example.com",
        "to": f"lead{number}@plumber.example",
        "subject": "A website for Müller & Söhne",
        "text": "Hello,\n\nI built you a site.\n.\n..dots\nAnna\n",
    }
    return OutgoingMail(**given | fields)
