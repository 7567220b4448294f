"""Sending through a mailbox of one's own: SMTP submission (RFC 6409) with aiosmtplib.

A connection is opened at the first mail and kept for the next ones. Where a conversation breaks
decides what is known: until the mail itself has been handed to the connection it is certainly not
sent (Unavailable), from then until the server's answer nobody knows (Unclear). The library's own
`data` does not tell the two apart, so the mail is handed over here, through its protocol's public
methods. Up to that point sending can be given up at once, with nothing left in doubt.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import aiosmtplib
from aiosmtplib import SMTP, SMTPResponse, SMTPStatus

from crm_tui.config import SmtpSettings
from crm_tui.providers.base import (
    GivenUp,
    LoginRefused,
    OutgoingMail,
    Sent,
    TryLater,
    Unavailable,
    Unclear,
    Unsendable,
    said,
)
from crm_tui.providers.message import address, build, needs_utf8
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.smtp_login import checked, open_client
from crm_tui.providers.smtp_replies import Stage, refusal

# Seconds that a server is given to answer QUIT, and after sending was given up.
_GOODBYE = 5.0
_SHORT_GOODBYE = 0.5


class SmtpSender:
    """An `EmailSender` through one account, over up to `settings.connections` connections.

    Times are in seconds. `timeout`: for each step but the last. `reply_timeout`: for the answer to
    the mail itself, as RFC 5321 4.5.3.2.6 advises, because giving up earlier leaves it unclear
    whether it was sent. `idle_limit`: a connection unused for longer is not trusted, but replaced.

    Raises:
        Misconfigured: the settings cannot work, whatever the server does.
    """

    def __init__(
        self,
        settings: SmtpSettings,
        *,
        password: Secret | Lookup | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 30,
        reply_timeout: float = 600,
        idle_limit: float = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        checked(settings)
        self._settings = settings
        self._password = Lookup.of(password)
        self._tls = tls
        self._timeout = timeout
        self._reply_timeout = reply_timeout
        self._idle_limit = idle_limit
        self._clock = clock
        self._slots = asyncio.Semaphore(settings.connections)
        self._resting: list[_Connection] = []
        self._given_up = False
        self._before: set[asyncio.Timeout] = set()
        self._handed_over = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye on every connection; those that do not answer are simply closed."""
        resting, self._resting = self._resting, []
        seconds = _SHORT_GOODBYE if self._given_up else _GOODBYE
        await asyncio.gather(*(connection.quit(seconds) for connection in resting))

    @property
    def unanswered(self) -> int:
        """How many mails the server was handed and has not answered for."""
        return self._handed_over

    def give_up(self) -> None:
        """Hand nothing more over: what is not yet handed over ends at once as GivenUp."""
        self._given_up = True
        now = asyncio.get_running_loop().time()
        for each in self._before:
            if not each.expired():
                each.reschedule(now)

    async def send(self, mail: OutgoingMail) -> Sent:
        """Hand one mail to the server.

        Raises:
            ProviderError: by what to do about it; only Unclear leaves open whether it was sent.
        """
        utf8 = needs_utf8(mail)
        content = build(mail, utf8=utf8)
        envelope = _Envelope(
            sender=address(mail.sender, utf8=utf8),
            recipient=address(mail.to, utf8=utf8),
            content=content.replace(b"\r\n.", b"\r\n..") + b".\r\n",
            size=len(content),
            utf8=utf8,
        )
        async with self._slots:
            async with self._unless_given_up():
                connection = await self._offer(envelope)
            self._handed_over += 1  # with nothing awaited between the server's "go on" and the mail
            try:
                words = await connection.hand_over(envelope, reply_timeout=self._reply_timeout)
            finally:
                self._handed_over -= 1
                self._give_back(connection)
        return Sent(mail.message_id, None, words)

    @asynccontextmanager
    async def _unless_given_up(self) -> AsyncIterator[None]:
        """Leave the block where it stands as soon as sending is given up.

        Raises:
            GivenUp: that was so.
        """
        words = "nothing more was to be sent"
        if self._given_up:
            raise GivenUp(words)
        leave = asyncio.timeout(None)
        try:
            async with leave:
                self._before.add(leave)
                try:
                    yield
                finally:
                    self._before.discard(leave)
        except TimeoutError:
            if leave.expired():
                raise GivenUp(words) from None
            raise

    async def _offer(self, envelope: _Envelope) -> _Connection:
        """A connection on which the server waits for the mail itself."""
        connection = await self._begin(envelope)
        try:
            await connection.offer(envelope)
        except BaseException:
            self._give_back(connection)
            raise
        return connection

    async def _begin(self, envelope: _Envelope) -> _Connection:
        """A connection on which the server has taken the sender.

        A kept one may have gone stale, or the server may take only so many mails on each: whatever
        goes wrong there for the time being is tried once more on a new one.
        """
        kept = self._take()
        if kept:
            try:
                await kept.begin(envelope)
            except (Unavailable, TryLater):
                kept.close()
            except BaseException:
                self._give_back(kept)
                raise
            else:
                return kept
        connection = _Connection(await self._connect())
        try:
            await connection.begin(envelope)
        except BaseException:
            self._give_back(connection)
            raise
        return connection

    async def _connect(self) -> SMTP:
        """A client that is logged in; a token that was refused is looked up once more."""
        password = await self._password.get()
        how = partial(open_client, self._settings, tls=self._tls, timeout=self._timeout)
        try:
            return await how(password)
        except LoginRefused:
            newer = None
            if self._settings.auth == "xoauth2":
                newer = await self._password.after(password)
            if newer is None:
                raise
        return await how(newer)

    def _take(self) -> _Connection | None:
        """The connection used last, if it can be trusted to be there still."""
        while self._resting:
            connection = self._resting.pop()
            if connection.is_open and self._clock() - connection.last_used <= self._idle_limit:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: _Connection) -> None:
        if connection.is_open:
            connection.last_used = self._clock()
            self._resting.append(connection)


@dataclass(frozen=True, slots=True)
class _Envelope:
    sender: str
    recipient: str
    content: bytes
    """As it travels: dots at the start of lines doubled, and ended by the line with only a dot."""
    size: int
    utf8: bool


class _Connection:
    """One conversation with the server. Whatever leaves it in doubt where it stands closes it."""

    def __init__(self, client: SMTP) -> None:
        self._client = client
        self._begun = False
        """Whether the server still has the envelope of a mail that came to nothing."""
        self.last_used = 0.0

    @property
    def is_open(self) -> bool:
        return self._client.is_connected

    async def begin(self, envelope: _Envelope) -> None:
        """Name the sender, and what the mail needs of the server.

        Raises:
            ProviderError: certainly not sent.
        """
        client = self._client
        self._see_that_it_fits(envelope)
        options = [b"SIZE=%d" % envelope.size] if client.supports_extension("size") else []
        if envelope.utf8:
            options += [b"BODY=8BITMIME", b"SMTPUTF8"]
        if self._begun:
            await self._forget()
        with self._before_the_mail(Stage.MAIL):
            self._begun = True
            # Not the library's own mail() and rcpt(): they take each address apart once more.
            self._accepted(
                await client.execute_command(b"MAIL", _path(b"FROM", envelope.sender), *options)
            )

    async def _forget(self) -> None:
        """Have the server drop the envelope of the mail before."""
        try:
            await self._client.rset()
        except BaseException as error:
            self.close()
            if isinstance(error, (OSError, aiosmtplib.SMTPException)):
                raise Unavailable("The mail server lost its place between two mails.") from error
            raise

    def _see_that_it_fits(self, envelope: _Envelope) -> None:
        client = self._client
        if envelope.utf8 and not client.supports_extension("smtputf8"):
            raise Unsendable(
                "The mail server does not take addresses with letters beyond ASCII before the @"
                " (it offers no SMTPUTF8); use another address."
            )
        limit = client.esmtp_extensions.get("size", "")
        if limit.isdecimal() and 0 < int(limit) < envelope.size:
            raise Unsendable(
                f"The mail has {envelope.size:,} bytes, and the mail server takes no more than"
                f" {int(limit):,}; make it smaller."
            )

    async def offer(self, envelope: _Envelope) -> None:
        """Name the recipient, and ask to be told to go on with the mail itself.

        Raises:
            ProviderError: certainly not sent.
        """
        client = self._client
        with self._before_the_mail(Stage.RCPT):
            self._accepted(await client.execute_command(b"RCPT", _path(b"TO", envelope.recipient)))
        with self._before_the_mail(Stage.DATA):
            ready = await client.execute_command(b"DATA")
            if ready.code != SMTPStatus.start_input:
                raise aiosmtplib.SMTPDataError(ready.code, ready.message)

    @staticmethod
    def _accepted(reply: SMTPResponse) -> None:
        """See that the server takes a sender or a recipient; 251 says that it forwards."""
        if reply.code not in (SMTPStatus.completed, SMTPStatus.will_forward):
            raise aiosmtplib.SMTPResponseException(reply.code, reply.message)

    async def hand_over(self, envelope: _Envelope, *, reply_timeout: float) -> str:
        """Hand the mail over; returns the server's words.

        Raises:
            ProviderError: only Unclear leaves open whether it was sent.
        """
        with self._before_the_mail(Stage.DATA):
            protocol = self._client.protocol
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("Connection lost")
            protocol.write(envelope.content)  # raises only before anything is handed over
        return await self._answer(protocol.read_response(timeout=reply_timeout))

    async def _answer(self, reading: Coroutine[Any, Any, SMTPResponse]) -> str:
        """The server's word on the mail it has been handed."""
        try:
            code, words = await reading
        except TimeoutError as error:
            self.close()
            raise Unclear("The mail server took the mail and did not answer.") from error
        except (OSError, aiosmtplib.SMTPException) as error:
            self.close()
            raise Unclear("The connection was lost after the mail was handed over.") from error
        except BaseException:
            self.close()
            raise
        if 200 <= code < 300:
            self._begun = False
            return said(f"{code} {words}")
        if not 400 <= code < 600:
            self.close()
            raise Unclear(f"The mail server's answer to the mail makes no sense: {code} {words}")
        self._hang_up_after(code)
        raise refusal(Stage.DATA, code, words)

    @contextmanager
    def _before_the_mail(self, stage: Stage) -> Iterator[None]:
        """What goes wrong in here goes wrong before anything was handed over."""
        try:
            yield
        except aiosmtplib.SMTPResponseException as error:
            self._hang_up_after(error.code)
            raise refusal(stage, error.code, error.message) from error
        except TimeoutError as error:
            self.close()
            raise Unavailable(
                "The mail server stopped answering before the mail was sent."
            ) from error
        except OSError as error:
            self.close()
            raise Unavailable("The mail server hung up before the mail was sent.") from error
        except BaseException:
            self.close()
            raise

    def _hang_up_after(self, code: int) -> None:
        """Close after 421, which says that the server does, and after what is no refusal."""
        if code == SMTPStatus.domain_unavailable or not 400 <= code < 600:
            self.close()

    async def quit(self, seconds: float) -> None:
        """Say goodbye, if the server is there to hear it within that time."""
        with suppress(OSError, aiosmtplib.SMTPException):
            await self._client.quit(timeout=seconds)
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def _path(name: bytes, mailbox: str) -> bytes:
    """An address that was found in order, as a command names it (RFC 5321, 4.1.2)."""
    return b"%s:<%s>" % (name, mailbox.encode())
