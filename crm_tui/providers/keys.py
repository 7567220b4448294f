"""The keys of providers' APIs: looked for in the keyring and the environment, kept in the keyring."""

from __future__ import annotations

import os
from collections.abc import Mapping

from crm_tui.providers.base import Misconfigured
from crm_tui.providers.catalog import TITLES
from crm_tui.providers.secrets import (
    Lookup,
    Secret,
    first_line,
    from_keyring,
    out_of_keyring,
    to_keyring,
)
from crm_tui.providers.threads import in_thread

VARIABLES = {
    "mailgun": "CRM_TUI_MAILGUN_KEY",
    "resend": "CRM_TUI_RESEND_KEY",
    "brevo": "CRM_TUI_BREVO_KEY",
    "twilio": "CRM_TUI_TWILIO_TOKEN",
    "stripe": "CRM_TUI_STRIPE_KEY",
}
"""The environment variable of each provider's key."""

USER = "key"
"""The user's name that keys have in the keyring."""


def service_of(provider: str) -> str:
    """What a provider's key is kept under in the keyring."""
    return f"crm-tui-{provider}"


def how_to_give(provider: str) -> str:
    """What to do where there is no key, as a sentence."""
    return (
        f"Run `crm-tui providers add {provider}`, or set {VARIABLES[provider]} in the environment."
    )


def lookup(provider: str, environment: Mapping[str, str]) -> Lookup:
    """The key of a provider, looked for when it is first needed."""

    async def find() -> Secret | None:
        return await in_thread(lambda: find_key(provider, environment))

    return Lookup(find)


def find_key(provider: str, environment: Mapping[str, str], *, timeout: float = 30) -> Secret:
    """The key of a provider. Blocks: call it in a thread.

    Raises:
        Misconfigured: there is none.
    """
    if kept := from_keyring(service_of(provider), USER, timeout=timeout):
        return Secret(kept)
    variable = VARIABLES[provider]
    if environment.get(variable):
        return first_line(os.fsencode(environment[variable]), variable)
    raise Misconfigured(f"There is no key for {TITLES[provider]}.", fix=how_to_give(provider))


def variable_of(provider: str) -> str:
    """The environment variable of a provider's key, or of a mailbox's password."""
    return VARIABLES.get(provider, f"CRM_TUI_{provider.upper()}_PASSWORD")


def place_of(
    provider: str, environment: Mapping[str, str], *, username: str = USER, timeout: float = 30
) -> str:
    """Where a key is found: "keyring" or "environment"; "" where nowhere. Blocks.

    Args:
        provider: whose key; "smtp" and "imap" have passwords.
        environment: the environment's variables.
        username: of a mailbox.
        timeout: seconds a keyring is waited for, which may be asking to be unlocked.
    """
    if from_keyring(service_of(provider), username, timeout=timeout):
        return "keyring"
    return "environment" if environment.get(variable_of(provider)) else ""


def keep(provider: str, key: Secret, *, username: str = USER, timeout: float = 30) -> bool:
    """Put a key into the keyring; whether it is there now. Blocks."""
    return to_keyring(service_of(provider), username, key, timeout=timeout)


def forget(provider: str, *, username: str = USER, timeout: float = 30) -> bool:
    """Take a key out of the keyring; whether there was one that is gone now. Blocks."""
    return out_of_keyring(service_of(provider), username, timeout=timeout)
