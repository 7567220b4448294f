"""Trying an SMTP account out, step by step and in words, without sending anything."""

from __future__ import annotations

import ssl
from typing import Any

import aiosmtplib
from aiosmtplib import SMTP

from crm_tui.config import SmtpSettings
from crm_tui.providers.base import Check, Misconfigured, ProviderError, TryLater, Unavailable
from crm_tui.providers.message import address
from crm_tui.providers.secrets import Secret
from crm_tui.providers.smtp_login import checked, connect, log_in, secure
from crm_tui.providers.smtp_replies import Stage, refusal


async def check(
    settings: SmtpSettings,
    *,
    password: Secret | None,
    sender: str,
    tls: ssl.SSLContext | None = None,
    timeout: float = 30,  # noqa: ASYNC109 - for each step on its own
) -> list[Check]:
    """Connect, encrypt, log in, and ask whether `sender` may send; up to the first step that fails.

    With security "tls" the certificate is seen while connecting.
    """
    done: list[Check] = []
    client: SMTP | None = None
    step = "connect"
    try:
        checked(settings)
        client = await connect(settings, tls=tls, timeout=timeout)
        done.append(
            Check("connect", ok=True, words=f"Connected to {settings.host}, port {settings.port}.")
        )
        step = "tls"
        await secure(client, settings)
        done.append(Check("tls", ok=True, words=_encryption(client)))
        step = "login"
        answer = await log_in(client, settings, password)
        done.append(Check("login", ok=True, words=_login(settings, answer)))
        done.append(Check("size", ok=True, words=_size(client)))
        step = "sender"
        done.append(Check("sender", ok=True, words=await _sender(client, sender)))
    except ProviderError as error:
        done.append(Check(step, ok=False, words=str(error)))
    finally:
        if client:
            client.close()
    return done


def _encryption(client: SMTP) -> str:
    encrypted = client.get_transport_info("ssl_object")
    if encrypted is None:
        return "Not encrypted; the server is on this machine."
    found: dict[str, Any] = encrypted.getpeercert() or {}
    until = found.get("notAfter", "")
    return f"Encrypted with {encrypted.version()}; the certificate is trusted until {until}."


def _login(settings: SmtpSettings, answer: str) -> str:
    if not settings.username:
        return "No username is set: mail is sent without a login."
    return f"Logged in as {settings.username}: {answer}"


def _size(client: SMTP) -> str:
    limit = client.esmtp_extensions.get("size", "")
    if limit.isdecimal() and int(limit):
        return f"Mails up to {int(limit) / 1_000_000:.1f} MB are taken."
    return "The server names no limit for the size of mails."


async def _sender(client: SMTP, sender: str) -> str:
    """Begin a mail from the sender to itself, and drop it before there is anything to send.

    Many servers say only at the recipient what they hold against the sender.
    """
    if not sender:
        raise Misconfigured("No address is set to send from.", fix="Set email in [sender].")
    bare = address(sender)
    stage = Stage.MAIL
    try:
        await client.mail(bare)
        stage = Stage.RCPT
        await client.rcpt(bare)
        await client.rset()
    except aiosmtplib.SMTPResponseException as error:
        refused = refusal(stage, error.code, error.message)
        if not isinstance(refused, TryLater):
            if isinstance(refused, Misconfigured | Unavailable):
                raise refused from None
            raise Misconfigured(
                f"The server takes no mail for {bare}, so answers would not arrive: {refused}.",
                fix="Correct email in [sender].",
            ) from None
    except OSError as error:
        raise Unavailable(f"The server hung up when {bare} was named.") from error
    return f"Mail from {bare} is taken."
