"""Opening what the settings say mail and text messages go through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, Self

from crm_tui.config import Settings, SmtpSettings
from crm_tui.providers import keys
from crm_tui.providers.base import EmailSender, OutgoingMail, Sent, SmsSender
from crm_tui.providers.outbox import OutboxSender
from crm_tui.providers.secrets import Lookup
from crm_tui.providers.smtp import SmtpSender
from crm_tui.services.sending.account import outbox_folder


class OpenSender(EmailSender, Protocol):
    """A sender of the settings."""

    @property
    def unanswered(self) -> int:
        """How many mails the provider was handed and has not answered for."""
        ...


@asynccontextmanager
async def open_sender(
    settings: Settings, *, store: Path, environment: Mapping[str, str]
) -> AsyncIterator[OpenSender]:
    """The sender the settings name; what it needs is looked for with its first mail."""
    if settings.email.provider == "outbox":
        yield OutboxSender(outbox_folder(settings, store))
        return
    async with _mail_sender(settings, environment) as sender:
        yield sender


def _mail_sender(settings: Settings, environment: Mapping[str, str]) -> OpenSender:
    known, provider = settings.providers, settings.email.provider
    match provider:
        case "mailgun":
            from crm_tui.providers.mailgun import MailgunSender  # noqa: PLC0415 - loads httpx

            return MailgunSender(known.mailgun, keys.lookup(provider, environment))
        case "resend":
            from crm_tui.providers.resend import ResendSender  # noqa: PLC0415 - likewise

            return ResendSender(known.resend, keys.lookup(provider, environment))
        case "brevo":
            from crm_tui.providers.brevo import BrevoSender  # noqa: PLC0415 - likewise

            return BrevoSender(known.brevo, keys.lookup(provider, environment))
        case _:
            return _Late(known.smtp, environment)


class OpenSmsSender(SmsSender, Protocol):
    """A sender of text messages of the settings."""

    @property
    def unanswered(self) -> int:
        """How many messages the provider was handed and has not answered for."""
        ...


@asynccontextmanager
async def open_sms_sender(
    settings: Settings, *, environment: Mapping[str, str]
) -> AsyncIterator[OpenSmsSender]:
    """What text messages go through; its key is looked for with the first of them."""
    from crm_tui.providers.twilio import TwilioSender  # noqa: PLC0415 - loads httpx

    key = keys.lookup("twilio", environment)
    async with TwilioSender(settings.providers.twilio, key) as sender:
        yield sender


class _Late:
    """An SMTP account that is opened when there is something to send, and not before."""

    def __init__(self, settings: SmtpSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment
        self._sender: SmtpSender | None = None
        self._given_up = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._sender is not None:
            await self._sender.__aexit__(None, None, None)

    async def send(self, mail: OutgoingMail) -> Sent:
        """Send through the account, opening it first."""
        if self._sender is None:
            lookup = Lookup.by_settings(self._settings, self._environment)
            self._sender = SmtpSender(self._settings, password=lookup)
            if self._given_up:
                self._sender.give_up()
        return await self._sender.send(mail)

    @property
    def unanswered(self) -> int:
        """How many mails the server was handed and has not answered for."""
        return 0 if self._sender is None else self._sender.unanswered

    def give_up(self) -> None:
        """Hand nothing more over."""
        self._given_up = True
        if self._sender is not None:
            self._sender.give_up()
