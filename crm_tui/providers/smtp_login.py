"""Getting to where an SMTP server takes mail: connecting, TLS, logging in; each step on its own.

So that what fails can be said in words, and so that an account can be tried out step by step
(smtp_check). The steps are aiosmtplib's; what they raise is sorted here.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable
from functools import partial

import aiosmtplib
from aiosmtplib import SMTP, SMTPResponse

from crm_tui.config import SmtpSettings
from crm_tui.config.checks import is_loopback
from crm_tui.providers.base import (
    LoginRefused,
    Misconfigured,
    ProviderError,
    Unavailable,
    said,
)
from crm_tui.providers.certificates import untrusted
from crm_tui.providers.secrets import HOW_TO_GRANT, TOKENS_TOO, Secret
from crm_tui.providers.smtp_replies import wait_seconds
from crm_tui.providers.threads import addresses_of, in_thread

# What Thunderbird and others say, too: asking for the machine's own name can take seconds, and it
# would stand in every mail's Received line.
_OWN_NAME = "[127.0.0.1]"
_TLS_PORT = 465
# "Command or parameter not implemented": other methods may do (RFC 4954 section 4).
_METHOD_NOT_TAKEN = {500, 502, 504}
# What OpenSSL calls the first bytes of a server that does not speak TLS there.
_NO_TLS_AT_ALL = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}


def checked(settings: SmtpSettings) -> None:
    """See that the settings can work at all.

    Raises:
        Misconfigured: there is no host, or a password or mail would travel readable by others.
    """
    if not re.fullmatch(r"[^\s\x00-\x1f\x7f]+", settings.host):
        raise Misconfigured(
            "No mail server is set, or its name cannot be one.",
            fix="Set host, and mostly username, in [providers.smtp].",
        )
    if settings.security == "none" and not is_loopback(settings.host):
        raise Misconfigured(
            f"Mail to {settings.host} would travel unencrypted.",
            fix='Set security to "starttls" or "tls"; "none" is for this machine (127.0.0.1) only.',
        )


async def open_client(
    settings: SmtpSettings,
    password: Secret | None,
    *,
    tls: ssl.SSLContext | None,
    timeout: float,  # noqa: ASYNC109 - the library applies it to every step on its own
) -> SMTP:
    """A client that is connected, encrypted as asked for, and logged in.

    Raises:
        Unavailable: the server is not there, or takes nobody just now.
        Misconfigured: it is there, but not as the settings say.
    """
    client = await connect(settings, tls=tls, timeout=timeout)
    try:
        await secure(client, settings)
        await log_in(client, settings, password)
    except BaseException:
        client.close()
        raise
    return client


async def connect(
    settings: SmtpSettings,
    *,
    tls: ssl.SSLContext | None,
    timeout: float,  # noqa: ASYNC109 - as above
) -> SMTP:
    """A client that has been greeted; with security "tls" already encrypted.

    Raises:
        Unavailable, Misconfigured: as in `open_client`.
    """
    if tls is None and settings.security == "tls":
        # The library would make one later, and forget the connection if it is cancelled meanwhile.
        tls = await in_thread(ssl.create_default_context)
    try:
        async with asyncio.timeout(timeout):
            reached = await _reached(settings)
    except OSError as error:
        raise Unavailable(_why_not_reached(settings, error)) from error
    client = SMTP(
        hostname=settings.host,
        sock=reached,
        use_tls=settings.security == "tls",
        start_tls=False,
        tls_context=tls,
        timeout=timeout,
        local_hostname=_OWN_NAME,
    )
    try:
        await client.connect()
    except aiosmtplib.SMTPConnectResponseError as error:
        raise Unavailable(
            f"{_name(settings)} takes no mail just now: {error.code} {error.message}",
            after=wait_seconds(error.message),
        ) from error
    except aiosmtplib.SMTPResponseException as error:
        raise Unavailable(f"{_name(settings)} does not speak SMTP.") from error
    except (OSError, ValueError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, ssl.SSLError):
            raise _tls_failed(settings, cause) from error
        raise Unavailable(_why_not_reached(settings, cause)) from error
    return client


async def _reached(settings: SmtpSettings) -> socket.socket:
    """A connection to the first of the server's addresses that answers.

    The library can do that, too, but would have the end of the program wait for a name that is
    still being looked up.
    """
    loop = asyncio.get_running_loop()
    failed = OSError(f"{settings.host} has no address")
    addresses = await in_thread(partial(addresses_of, settings.host, settings.port))
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(0)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failed = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed


async def secure(client: SMTP, settings: SmtpSettings) -> None:
    """With security "starttls", encrypt the connection; in any case, say hello.

    Raises:
        Unavailable, Misconfigured: as in `open_client`.
    """
    await _step(client.ehlo(), settings)
    if settings.security != "starttls":
        return
    if not client.supports_extension("starttls"):
        raise Misconfigured(
            f"{_name(settings)} does not offer encryption by STARTTLS.",
            fix='Try port 465 with security = "tls"; a password is never sent unencrypted.',
        )
    try:
        await _step(client.starttls(), settings)
    except ssl.SSLError as error:
        raise _tls_failed(settings, error) from error
    await _step(client.ehlo(), settings)


async def log_in(client: SMTP, settings: SmtpSettings, password: Secret | None) -> str:
    """Log in if a username is set; returns the server's words, "" without a login.

    With a password the best method both sides know is tried, and another one only if the server does not take that
    method after all: every wrong password counts where accounts are locked after a few.

    Raises:
        LoginRefused: the server does not take them.
        Unavailable, Misconfigured: as in `open_client`.
    """
    if not settings.username:
        return ""
    if password is None:
        raise Misconfigured(
            f"There is no password for {settings.username}.",
            fix="Set password_command or password_file in [providers.smtp].",
        )
    methods = {
        "plain": client.auth_plain,
        "login": client.auth_login,
        "cram-md5": client.auth_crammd5,
    }
    if settings.auth == "xoauth2":
        methods = {"xoauth2": client.auth_xoauth2}
    offered = [name for name in methods if name in client.server_auth_methods]
    if not offered:
        raise _no_such_login(client, settings)
    secret = password.reveal()
    while True:
        method = methods[offered.pop(0)]
        try:
            answer = await _step(method(settings.username, secret), settings)
        except aiosmtplib.SMTPAuthenticationError as error:
            code, words = error.code, password.hidden_in(error.message)
        else:
            return said(f"{answer.code} {password.hidden_in(answer.message)}")
        if not offered or code not in _METHOD_NOT_TAKEN:
            raise _login_failed(client, settings, code, words)


def _no_such_login(client: SMTP, settings: SmtpSettings) -> Misconfigured:
    there = ", ".join(client.server_auth_methods).upper() or "none"
    if settings.auth == "xoauth2":
        return Misconfigured(
            f"{_name(settings)} takes no access tokens (it offers: {there}).",
            fix='Set auth = "password" in [providers.smtp].',
        )
    other = f" {TOKENS_TOO}" if "xoauth2" in client.server_auth_methods else ""
    return Misconfigured(
        f"{_name(settings)} offers no login with a password (it offers: {there}).",
        fix="Ask the provider for SMTP access with an app password,"
        f" or take username out if none is needed.{other}",
    )


def _login_failed(
    client: SMTP, settings: SmtpSettings, code: int, words: str
) -> Unavailable | LoginRefused:
    if 400 <= code < 500:
        return Unavailable(
            f"{_name(settings)} lets nobody log in just now: {code} {words}",
            after=wait_seconds(words),
        )
    if settings.auth == "xoauth2":
        return LoginRefused(
            f"{_name(settings)} refused the access token of {settings.username}: {code} {words}",
            fix=HOW_TO_GRANT,
        )
    other = f" {TOKENS_TOO}" if "xoauth2" in client.server_auth_methods else ""
    return LoginRefused(
        f"{_name(settings)} refused the login of {settings.username}: {code} {words}",
        fix="Correct username or password. Where signing in takes a second factor, the provider"
        f" gives out app passwords for mail programs.{other}",
    )


async def _step(answer: Awaitable[SMTPResponse], settings: SmtpSettings) -> SMTPResponse:
    """One exchange before any mail; a refused login is left to the one who asked for it."""
    try:
        return await answer
    except (ssl.SSLError, aiosmtplib.SMTPAuthenticationError):
        raise
    except aiosmtplib.SMTPResponseException as error:
        raise Unavailable(
            f"{_name(settings)} takes no mail just now: {error.code} {error.message}",
            after=wait_seconds(error.message),
        ) from error
    except TimeoutError as error:
        raise Unavailable(f"{_name(settings)} does not answer.") from error
    except OSError as error:
        raise Unavailable(f"{_name(settings)} hung up before any mail was sent.") from error


def _name(settings: SmtpSettings) -> str:
    return f"The mail server {settings.host} (port {settings.port})"


def _tls_failed(settings: SmtpSettings, error: ssl.SSLError) -> ProviderError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return untrusted(settings.host, error)
    if settings.security == "tls" and error.reason in _NO_TLS_AT_ALL:
        return Misconfigured(
            f"{_name(settings)} does not begin with TLS.",
            fix='Set security = "starttls", or port = 465 if the provider offers it.',
        )
    return Misconfigured(
        f"No encryption could be agreed on with {settings.host}: {error.reason or error}.",
        fix="Ask the provider which port and security to use; very old TLS is not accepted.",
    )


def _why_not_reached(settings: SmtpSettings, error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return (
            f"The mail server {settings.host} cannot be found: either this computer is offline,"
            " or host in [providers.smtp] is wrong."
        )
    if isinstance(error, ConnectionRefusedError):
        return f"{_name(settings)} refuses connections: it is down, or the port is wrong."
    if isinstance(error, TimeoutError):
        hint = ""
        if settings.port == _TLS_PORT and settings.security == "starttls":
            hint = ' On port 465 that mostly means security = "tls".'
        return f"{_name(settings)} does not answer.{hint}"
    return f"{_name(settings)} cannot be reached: {getattr(error, 'strerror', None) or error}."
