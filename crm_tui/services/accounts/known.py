"""The accounts there can be, and what each of them needs to be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from crm_tui.config import ImapSettings, Settings, SmtpSettings
from crm_tui.config.sections import MailgunSettings
from crm_tui.errors import BadInput, WrongUsage
from crm_tui.providers.catalog import APIS, IMAP, PAYMENTS, SMTP
from crm_tui.providers.keys import USER
from crm_tui.services.contacts.contact import ascii_host
from crm_tui.services.inbox.collecting import account_name

NAMES = (SMTP, IMAP, *APIS, *PAYMENTS)
"""The accounts, as they are listed."""

MAIL = (SMTP, "mailgun", "resend", "brevo")
"""Those mail can go through."""

TEXTS = ("twilio",)
"""Those text messages can go through."""

_MAILBOXES = (SMTP, IMAP)
_REGIONS = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
OWN_REGION = "own"
"""The region of an account whose base_url is neither."""


@dataclass(frozen=True, slots=True)
class Needed:
    """Something an account needs to be told.

    Attributes:
        name: as under [providers.…], or "region", which stands for base_url.
        label: in a form.
        asks: as a question on the command line.
        options: what it can be, where that is one of a few.
        optional: whether it may be left empty.
    """

    name: str
    label: str
    asks: str
    hint: str = ""
    options: tuple[str, ...] = ()
    optional: bool = False


def _mailbox(port: int) -> tuple[Needed, ...]:
    return (
        Needed("host", "Server", "Server", "mail.example.com"),
        Needed("port", "Port", "Port", str(port)),
        Needed("security", "Security", "Security", "", ("starttls", "tls", "none")),
        Needed("username", "User", "User name", "me@example.com", optional=True),
    )


NEEDED: Mapping[str, tuple[Needed, ...]] = {
    SMTP: _mailbox(587),
    IMAP: _mailbox(993),
    "mailgun": (
        Needed("domain", "Domain", "Sending domain", "mg.example.com"),
        Needed("region", "Region", "Region", "", ("us", "eu")),
    ),
    "resend": (),
    "brevo": (),
    "twilio": (
        Needed("account_sid", "Account SID", "Account SID", "AC…"),
        Needed("from_number", "From", "Number or messaging service", "+15550100200 or MG…"),
    ),
    "stripe": (Needed("mode", "Mode", "Mode", "", ("live", "test")),),
}
"""What each account needs to be told, in the order it is asked for."""

KEY_TITLES = {SMTP: "password", IMAP: "password", "twilio": "auth token"}
"""What is secret of an account is called; elsewhere it is an API key."""


def key_title(name: str) -> str:
    """What is secret of an account, in two words."""
    return KEY_TITLES.get(name, "API key")


def require(name: str) -> str:
    """See that there is such an account.

    Raises:
        WrongUsage: there is none.
    """
    if name not in NAMES:
        raise WrongUsage(
            f"There is no provider {name}; there are {', '.join(NAMES[:-1])} and {NAMES[-1]}."
        )
    return name


def settings_of(name: str, settings: Settings) -> Any:
    """What is set under [providers.…]."""
    return getattr(settings.providers, name)


def username_of(name: str, settings: Settings) -> str:
    """Whose key it is in the keyring; "" of a mailbox without a login."""
    its = settings_of(name, settings)
    return its.username if isinstance(its, SmtpSettings | ImapSettings) else USER


def values_of(name: str, settings: Settings) -> dict[str, str]:
    """What an account has been told, by the names of NEEDED."""
    its = settings_of(name, settings)
    return {
        each.name: _region(its) if each.name == "region" else str(getattr(its, each.name))
        for each in NEEDED[name]
    }


def _region(its: MailgunSettings) -> str:
    base = its.base_url.rstrip("/")
    return next((name for name, url in _REGIONS.items() if url == base), OWN_REGION)


def to_set(name: str, values: Mapping[str, str]) -> dict[str, str | int]:
    """What is to be written under [providers.…] for these values.

    Raises:
        BadInput: one is missing, or is none of the options.
        WrongUsage: the account has no such thing.
    """
    needed = {each.name: each for each in NEEDED[name]}
    written: dict[str, str | int] = {}
    for field, value in values.items():
        text = value.strip()
        if field == "base_url":
            written[field] = text
            continue
        if field not in needed:
            raise WrongUsage(f"{name} has no {field}.")
        if not text and not needed[field].optional:
            raise BadInput(f"{needed[field].asks}: nothing is given.")
        if field == "region":
            if text in _REGIONS:
                written["base_url"] = _REGIONS[text]
            elif text != OWN_REGION:
                raise BadInput(f"The region is us or eu, not {text}.")
        elif field == "port":
            if not (text.isascii() and text.isdigit()):
                raise BadInput(f"A port is a number, not {text}.")
            written[field] = int(text)
        else:
            written[field] = text
    return written


def is_told(name: str, settings: Settings, *, key: str) -> bool:
    """Whether the account has been told all it needs.

    Args:
        name: which account.
        settings: what is set.
        key: where its key is found; one that needs nothing else is set up with its key.
    """
    if NEEDED[name] and name not in PAYMENTS:
        return not lacking(name, settings)
    return bool(key) or sends(name, settings)


def lacking(name: str, settings: Settings) -> list[str]:
    """What the account was not told and cannot do without, by its names under [providers.…]."""
    its = settings_of(name, settings)
    needed = [each.name for each in NEEDED[name] if each.name != "region" and not each.optional]
    return [each for each in needed if not getattr(its, each)]


def where(name: str, settings: Settings) -> str:
    """The server, domain or number of an account, as it is shown."""
    its = settings_of(name, settings)
    if isinstance(its, SmtpSettings | ImapSettings):
        return f"{its.host}:{its.port}" if its.host else ""
    if name == "mailgun":
        return str(its.domain)
    if name == "twilio":
        return str(its.from_number)
    if name in PAYMENTS:
        return f"{its.mode} mode"
    return account_of(name, settings)


def account_of(name: str, settings: Settings) -> str:
    """What tells the account from others of the provider in the store; "" where it is not told."""
    its = settings_of(name, settings)
    if isinstance(its, ImapSettings):
        return account_name(its) if its.host else ""
    if name == "mailgun":
        return str(its.domain)
    if name == "twilio":
        return str(its.account_sid)
    if name in PAYMENTS:
        return str(its.mode)
    return "" if name == SMTP else ascii_host(settings.sender.email.rpartition("@")[2]) or ""


def server_of(name: str, settings: Settings) -> dict[str, str | int]:
    """Host, port, security and user of an account, whatever kind it is."""
    its = settings_of(name, settings)
    if isinstance(its, SmtpSettings | ImapSettings):
        known = msgspec.structs.asdict(its)
        return {each: known[each] for each in ("host", "port", "security", "username")}
    parts = urlsplit(its.base_url)
    secure = parts.scheme == "https"
    return {
        "host": parts.hostname or "",
        "port": parts.port or (443 if secure else 80),
        "security": "tls" if secure else "none",
        "username": "",
    }


def sends(name: str, settings: Settings) -> bool:
    """Whether mail, or text messages, go through the account at present."""
    return name in {settings.email.provider, settings.sms.provider}


def does(name: str, settings: Settings) -> str:
    """What the account does at present, in two words; "" where nothing."""
    if lacking(name, settings):
        return ""
    if name == IMAP:
        return "reads mail"
    if name in PAYMENTS:
        return "takes money"
    if not sends(name, settings):
        return ""
    return "sends texts" if name in TEXTS else "sends mail"
