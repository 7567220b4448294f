"""One connection to an IMAP server: the standard library's client, in a thread, with an end to waiting.

imaplib blocks. It is called in a thread, one command at a time, and the thread can always be got
back: a second handle on the socket shuts the line down when time is up or the task is cancelled, and
whatever imaplib waits for ends at once. Such a connection is not used again.
"""

from __future__ import annotations

import asyncio
import imaplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from crm_tui.config import ImapSettings
from crm_tui.config.checks import is_loopback
from crm_tui.providers.base import LoginRefused, Misconfigured, ProviderError, Unavailable
from crm_tui.providers.certificates import untrusted
from crm_tui.providers.imap_login import log_in, words_of
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.threads import addresses_of, in_thread

T = TypeVar("T")

_LITERAL_BYTES = 8 * 1024 * 1024
_GOODBYE_SECONDS = 3
_WAKING_SECONDS = 1
_TLS_PORT = 993
# Python's own words for a server that speaks plainly on a port for TLS.
_NO_TLS_AT_ALL = frozenset({"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "HTTP_REQUEST"})
# What imaplib raises on answers it was not made for, or on a line shut down under its feet.
_NONSENSE = (ValueError, TypeError, LookupError, AttributeError)


class Client(imaplib.IMAP4):
    """imaplib's client on a socket that can be shut down from outside, and with bounded literals."""

    def __init__(self, settings: ImapSettings, line: Line, tls: ssl.SSLContext | None) -> None:
        self._line = line
        self._context = tls if settings.security == "tls" else None
        super().__init__(settings.host, settings.port, line.timeout)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = _connected(self.host, self.port, timeout, self._line)
        if self._context is None:
            return sock
        try:
            return self._context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise

    def read(self, size: int) -> bytes:
        """The bytes of a literal, refused where no answer of use is that long."""
        if size > _LITERAL_BYTES:
            raise self.abort(f"it sent {size} bytes where at most {_LITERAL_BYTES} were asked for")
        return super().read(size)


def _connected(host: str, port: int, timeout: float | None, line: Line) -> socket.socket:
    """Like socket.create_connection, but the line is in hand before anything is waited for."""
    failed: OSError | None = None
    for family, kind, protocol, _, address in addresses_of(host, port):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout)
            line.hold(sock)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failed = error
        else:
            return sock
    raise failed or OSError(f"{host} has no address")


class Line:
    """A second handle on a connection's socket, to shut it down while a thread waits on it."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._handle: socket.socket | None = None
        self._cut = False

    def hold(self, sock: socket.socket) -> None:
        """Take a handle on this socket instead of the one before."""
        self._close()
        self._handle = sock.dup()
        if self._cut:
            raise TimeoutError

    def cut(self) -> None:
        """End the connection now; who waits on it wakes up with an error."""
        self._cut = True
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)
        self._close()

    def _close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


class Connection:
    """A connection that was opened, until something goes wrong with it.

    `timeout`: seconds for each answer of the server. `call` bounds a whole exchange by `limit`.
    """

    def __init__(
        self,
        settings: ImapSettings,
        password: Secret | Lookup | None,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = 30,
        limit: float = 300,
    ) -> None:
        checked(settings)
        self.settings = settings
        self.capabilities: frozenset[str] = frozenset()
        self._password = Lookup.of(password)
        self._tls = tls
        self._limit = limit
        self._line = Line(timeout)
        self._client: Client | None = None
        self._turn = asyncio.Lock()

    async def connect(self) -> None:
        """Reach the server; with security "tls" the line is then encrypted.

        Raises:
            Unavailable: the server is not there, or takes nobody just now.
            Misconfigured: it is there, but not as the settings say.
        """
        line = self._line = Line(self._line.timeout)

        def reach() -> Client:
            tls = self._tls or ssl.create_default_context()
            return Client(self.settings, line, tls)

        self._client = await self._in_thread(reach)

    async def secure(self) -> None:
        """With security "starttls", encrypt the line.

        Raises:
            Unavailable, Misconfigured: as in `connect`.
        """
        if self.settings.security != "starttls":
            return

        def encrypt(client: Client) -> None:
            if "STARTTLS" not in client.capabilities:
                raise Misconfigured(
                    f"{self.name} does not offer encryption by STARTTLS.",
                    fix='Try port 993 with security = "tls"; a password is never sent unencrypted.',
                )
            client.starttls(self._tls or ssl.create_default_context())

        await self.call(encrypt)

    async def log_in(self) -> None:
        """Log in, and see what the server can do.

        Raises:
            LoginRefused: the server takes neither username nor password, or not the token.
            Unavailable, Misconfigured: as in `connect`.
        """
        await self._log_in_with(await self._password.get())

    async def _log_in_with(self, password: Secret | None) -> None:
        if password is None:
            raise Misconfigured(
                f"There is no password for {self.settings.username or 'the mailbox'}.",
                fix="Set password_command or password_file in [providers.imap].",
            )
        self.capabilities = await self.call(
            lambda client: log_in(client, self.settings, password, self.name)
        )

    async def open(self) -> None:
        """Connect, encrypt and log in, unless it is done; a refused token is looked up once more.

        Raises:
            Unavailable, Misconfigured: as in `connect`.
        """
        if self._client is not None:
            return
        password = await self._password.get()
        try:
            await self._open_with(password)
        except LoginRefused:
            newer = None
            if self.settings.auth == "xoauth2":
                newer = await self._password.after(password)
            if newer is None:
                raise
            await self._open_with(newer)

    async def _open_with(self, password: Secret | None) -> None:
        try:
            await self.connect()
            await self.secure()
            await self._log_in_with(password)
        except BaseException:
            self.drop()
            raise

    async def close(self) -> None:
        """Say goodbye; a server that does not answer is simply left."""
        client = self._client
        if client is not None:
            with suppress(ProviderError):
                await self._in_thread(client.logout, limit=_GOODBYE_SECONDS)
        self.drop()

    async def call(self, work: Callable[[Client], T]) -> T:
        """Run one exchange with the server in a thread.

        Raises:
            Unavailable: the server hung up, fell silent or talks nonsense. The connection is gone.
            ProviderError: what `work` raises itself.
        """
        async with self._turn:
            client = self._client
            if client is None:
                raise Unavailable(f"The connection to {self.name} is closed.")
            return await self._in_thread(lambda: work(client))

    async def _in_thread(self, work: Callable[[], T], limit: float | None = None) -> T:
        task = asyncio.ensure_future(in_thread(work))
        try:
            async with asyncio.timeout(limit or self._limit):
                return await asyncio.shield(task)
        except ProviderError:
            raise
        except (imaplib.IMAP4.error, OSError, *_NONSENSE) as error:
            raise self._sorted(error) from error
        finally:
            if not task.done():
                self._line.cut()
                await asyncio.wait({task}, timeout=_WAKING_SECONDS)
            if not task.done():  # it waits for something else, such as the name being looked up
                client, self._client = self._client, None
                task.add_done_callback(partial(_leave, client))
            elif task.cancelled() or task.exception() is not None:
                self.drop()

    def drop(self) -> None:
        """Let go of the connection without a word."""
        client, self._client = self._client, None
        self._line.cut()
        if client is not None:
            _shut(client)

    @property
    def name(self) -> str:
        """The server, in words."""
        return f"The mail server {self.settings.host} (port {self.settings.port})"

    def _sorted(self, error: BaseException) -> ProviderError:
        """What went wrong, by what is to be done about it."""
        settings = self.settings
        if isinstance(error, ssl.SSLError):
            return _tls_failed(settings, error, self.name)
        return Unavailable(self._why(error))

    def _why(self, error: BaseException) -> str:
        settings = self.settings
        words = words_of(error)
        if isinstance(error, TimeoutError):
            plain = settings.port == _TLS_PORT and settings.security != "tls"
            hint = ' On port 993 that mostly means security = "tls".' if plain else ""
            return f"{self.name} does not answer.{hint}"
        reasons: tuple[tuple[type[BaseException], str], ...] = (
            (
                socket.gaierror,
                (
                    f"The mail server {settings.host} cannot be found: either this computer is offline,"
                    " or host in [providers.imap] is wrong."
                ),
            ),
            (
                ConnectionRefusedError,
                f"{self.name} refuses connections: it is down, or the port is wrong.",
            ),
            (OSError, f"{self.name} hung up: {getattr(error, 'strerror', None) or words}."),
            (imaplib.IMAP4.abort, f"{self.name} ended the conversation: {words}"),
            (imaplib.IMAP4.error, f"{self.name} did not do as asked: {words}"),
        )
        nonsense = f"{self.name} answers in a way that cannot be understood."
        return next((why for kind, why in reasons if isinstance(error, kind)), nonsense)


def checked(settings: ImapSettings) -> None:
    """See that the settings can work at all.

    Raises:
        Misconfigured: there is no host, or a password would travel readable by others.
    """
    if not settings.host:
        raise Misconfigured("No mailbox is set.", fix="Set host and username in [providers.imap].")
    if settings.security == "none" and not is_loopback(settings.host):
        raise Misconfigured(
            f"The password for {settings.host} would travel unencrypted.",
            fix='Set security to "tls" or "starttls"; "none" is for this machine (127.0.0.1) only.',
        )


def _tls_failed(settings: ImapSettings, error: ssl.SSLError, name: str) -> ProviderError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return untrusted(settings.host, error)
    if settings.security == "tls" and error.reason in _NO_TLS_AT_ALL:
        return Misconfigured(
            f"{name} does not begin with TLS.",
            fix='Set security = "starttls", or port = 993 if the provider offers it.',
        )
    return Unavailable(f"The encryption with {settings.host} broke: {error.reason or error}.")


def _leave(client: Client | None, task: asyncio.Task[T]) -> None:
    """Close what a late thread still held; its error, which nobody waits for, is not one to report."""
    if not task.cancelled():
        task.exception()
    if client is not None:
        _shut(client)


def _shut(client: Client) -> None:
    with suppress(OSError, *_NONSENSE):
        client.shutdown()
