"""The keys of accounts: where they are found, and keeping them in the keyring and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from crm_tui.config import ImapSettings, Settings, SmtpSettings
from crm_tui.errors import BadInput
from crm_tui.providers import keys
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.threads import in_thread
from crm_tui.services.accounts.known import key_title, settings_of, username_of

LISTING_WAITS = 5.0
"""Seconds a list waits for a keyring that may be asking to be unlocked."""


async def places(
    names: Sequence[str], settings: Settings, environment: Mapping[str, str]
) -> dict[str, str]:
    """Where the key of each account is found: keyring, environment, command or file; "" nowhere.

    The operator's own program is not run for it.
    """
    found = await asyncio.gather(*(place(each, settings, environment) for each in names))
    return dict(zip(names, found, strict=True))


async def place(name: str, settings: Settings, environment: Mapping[str, str]) -> str:
    """Where the key of an account is found; "" nowhere, or where none is asked for."""
    its, username = settings_of(name, settings), username_of(name, settings)
    if isinstance(its, SmtpSettings | ImapSettings) and its.password_command:
        return "command"
    if not username:
        return ""
    found = await in_thread(
        lambda: keys.place_of(name, environment, username=username, timeout=LISTING_WAITS)
    )
    if not found and isinstance(its, SmtpSettings | ImapSettings) and its.password_file:
        return "file"
    return found


def variable(name: str) -> str:
    """The environment variable the key of an account is looked for in."""
    return keys.variable_of(name)


def needs_key(name: str, settings: Settings) -> bool:
    """Whether the account cannot be used without a key."""
    return bool(username_of(name, settings))


async def keep(name: str, settings: Settings, key: str) -> None:
    """Put the key of an account into the keyring.

    Raises:
        BadInput: no keyring keeps it here; nothing was written anywhere.
    """
    username = username_of(name, settings)
    secret = Secret(key)
    if not await in_thread(lambda: keys.keep(name, secret, username=username)):
        raise BadInput(
            f"No keyring here keeps the {key_title(name)}: set {keys.variable_of(name)} in the"
            " environment of crm-tui."
        )


async def forget(name: str, settings: Settings) -> bool:
    """Take the key of an account out of the keyring; whether there was one."""
    username = username_of(name, settings)
    return await in_thread(lambda: keys.forget(name, username=username))


def given(key: str) -> Lookup:
    """A key that was just typed, for trying an account out with it."""
    return Lookup.of(Secret(key))
