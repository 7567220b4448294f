"""Trying the accounts of the settings out, step by step and in words."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from crm_tui.config import ImapSettings, Settings, SmtpSettings
from crm_tui.errors import BadInput
from crm_tui.providers import imap_check, smtp_check
from crm_tui.providers.base import Check, OutgoingMail, ProviderError
from crm_tui.providers.catalog import PAYMENTS, POLLED
from crm_tui.providers.imap import Mailbox
from crm_tui.providers.keys import lookup
from crm_tui.providers.secrets import Lookup, password_of
from crm_tui.services.accounts import known
from crm_tui.services.sending.account import account
from crm_tui.services.sending.senders import open_sender

_LOOK_EVERY = 2.0
_JUNK = "\\junk"


async def try_account(
    name: str,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    key: Lookup | None = None,
) -> list[Check]:
    """What works of an account, up to the first step that does not; nothing is sent or marked.

    Args:
        name: which account.
        settings: what is set of it.
        environment: the environment's variables.
        key: the key to try it with; the one that is found where none is given.

    Raises:
        WrongUsage: there is no such account.
        BadInput: the settings do not say what it needs to be told.
    """
    asked = known.settings_of(known.require(name), settings)
    if not known.is_told(name, settings, key="any"):
        missing = " and ".join(known.lacking(name, settings))
        raise BadInput(f"No {missing} is set under [providers.{name}] in config.toml.")
    if name in POLLED:
        return await _try_api(name, asked, key or lookup(name, environment), settings)
    return await _try_mailbox(asked, settings, environment, key)


async def _try_api(name: str, asked: Any, key: Lookup, settings: Settings) -> list[Check]:
    adapter = import_module(f"crm_tui.providers.{name}")
    has_own = name in {*known.TEXTS, *PAYMENTS}  # a number of the account's, or nothing is sent
    sender = "" if has_own else settings.sender.email
    try:
        await key.get()
        done: list[Check] = await adapter.check(asked, key, sender=sender)
    except ProviderError as error:
        return [Check("key", ok=False, words=str(error))]
    return done


async def _try_mailbox(
    asked: SmtpSettings | ImapSettings,
    settings: Settings,
    environment: Mapping[str, str],
    key: Lookup | None,
) -> list[Check]:
    done: list[Check] = []
    try:
        password = await (key.get() if key else password_of(asked, environment))
    except ProviderError as error:
        return [Check("password", ok=False, words=str(error))]
    if password is not None:
        what = "an access token" if asked.auth == "xoauth2" else "a password"
        done.append(Check("password", ok=True, words=f"There is {what} for {asked.username}."))
    if isinstance(asked, ImapSettings):
        return done + await imap_check.check(asked, password=password)
    return done + await smtp_check.check(asked, password=password, sender=settings.sender.email)


async def try_plus(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    store: Path,
    now: datetime,
    seconds: float = 90,
) -> Check:
    """Send a mail to the operator's own address with a plus, and see whether it arrives.

    With such addresses every recipient has one of their own to opt out at.

    Raises:
        ProviderError: it could not be tried.
    """
    mine = account(settings)
    local, _, domain = mine.address.rpartition("@")
    key = uuid.uuid4().hex
    mail = OutgoingMail(
        key=key,
        message_id=f"<plus-{key}@{mine.domain}>",
        date=now.astimezone(mine.zone),
        sender_name=mine.name,
        sender=mine.address,
        to=f"{local}+u.{key[:12]}@{domain}",
        subject="A trial of crm-tui",
        text="This mail shows that addresses with a plus reach you. It can be deleted.\n",
    )
    imap_settings = settings.providers.imap
    lookup = Lookup.by_settings(imap_settings, environment)
    await lookup.get()  # before anything is sent
    async with open_sender(settings, store=store, environment=environment) as sender:
        await sender.send(mail)
    async with Mailbox(imap_settings, password=lookup) as mailbox:
        arrived = await _arrives(mailbox, mail.message_id, until=time.monotonic() + seconds)
    if arrived:
        return Check("plus", ok=True, words=f"A mail to {mail.to} arrived.")
    words = (
        f"A mail to {mail.to} did not arrive within {seconds:g} seconds; opt-outs go by subject."
    )
    return Check("plus", ok=False, words=words)


async def _arrives(mailbox: Mailbox, message_id: str, *, until: float) -> bool:
    """Whether a mail comes in: a copy among the sent ones says nothing."""
    folders = [
        each for each in await mailbox.all_folders() if each.name == "INBOX" or _JUNK in each.uses
    ]
    while True:
        for folder in folders:
            if await mailbox.contains(folder, message_id):
                return True
        if time.monotonic() > until:
            return False
        await asyncio.sleep(_LOOK_EVERY)
