"""Opening what the settings say mail goes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from crm_tui.config import Settings, SmtpSettings
from crm_tui.providers.base import EmailSender, Misconfigured, OutgoingMail, Sent
from crm_tui.providers.outbox import OutboxSender
from crm_tui.providers.secrets import Secret, find_password
from crm_tui.providers.smtp import SmtpSender
from crm_tui.services.sending.account import outbox_folder


@asynccontextmanager
async def open_sender(
    settings: Settings, *, store: Path, environment: Mapping[str, str]
) -> AsyncIterator[EmailSender]:
    """The sender the settings name; what it needs is looked for with its first mail."""
    if settings.email.provider == "outbox":
        yield OutboxSender(outbox_folder(settings, store))
        return
    async with _Late(settings.providers.smtp, environment) as sender:
        yield sender


class _Late:
    """An SMTP account that is opened when there is something to send, and not before.

    Asking for a password may run the operator's program or unlock their keyring.
    """

    def __init__(self, settings: SmtpSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment
        self._opening = asyncio.Lock()
        self._sender: SmtpSender | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._sender is not None:
            await self._sender.__aexit__(None, None, None)

    async def send(self, mail: OutgoingMail) -> Sent:
        """Send through the account, opening it first."""
        async with self._opening:
            if self._sender is None:
                self._sender = SmtpSender(self._settings, password=await self._password())
        return await self._sender.send(mail)

    async def _password(self) -> Secret | None:
        settings = self._settings
        if not settings.host:
            raise Misconfigured(
                "No mail server is set.", fix="Set host under [providers.smtp] in the settings."
            )
        if not settings.username:
            return None
        return await asyncio.to_thread(
            find_password,
            "smtp",
            username=settings.username,
            command=settings.password_command,
            file=settings.password_file,
            environment=self._environment,
        )
