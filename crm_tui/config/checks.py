"""What a setting must be beyond its type, each with the sentence that says so."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from crm_tui.config.sections import ImapSettings, Settings, SmtpSettings
from crm_tui.money import is_currency

QUIET_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_DOMAIN = re.compile(r"(?!-)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_ACCOUNT_SID = re.compile(r"AC[0-9A-Za-z]+")
_SMS_SENDER = re.compile(r"\+[1-9]\d{6,14}|MG[0-9A-Za-z]+")
_ADDRESS = re.compile(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+\.[^@\s<>,;:\"]+")


def problems(settings: Settings) -> Iterator[str]:
    """What is wrong with settings that have the right types, a sentence each."""
    yield from (sentence for sentence, wrong in _of_the_program(settings).items() if wrong)
    yield from (sentence for sentence, wrong in _of_mail(settings).items() if wrong)
    for name, provider in (("smtp", settings.providers.smtp), ("imap", settings.providers.imap)):
        yield from (f"providers.{name}.{words}" for words in _of_mailbox(provider))
    yield from (sentence for sentence, wrong in _of_providers(settings).items() if wrong)
    yield from (sentence for sentence, wrong in _of_money(settings).items() if wrong)


def _of_the_program(settings: Settings) -> dict[str, bool]:
    region = settings.imports.default_region
    weights = msgspec.structs.asdict(settings.score.weights)
    return {
        "import.default_region must be two letters such as US": not re.fullmatch(
            r"[A-Za-z]{2}", region
        ),
        "preview.port must be between 1024 and 65535": not 1024 <= settings.preview.port <= 65535,
        "score.threshold must be between 0 and 100": not 0 <= settings.score.threshold <= 100,
        "score.weights cannot be negative": min(weights.values()) < 0,
        "score.weights cannot all be 0": sum(weights.values()) == 0,
        "operator.timezone must be a zone such as America/New_York": not _known_zone(
            settings.operator.timezone
        ),
        "tasks.hour must be between 0 and 23": not 0 <= settings.tasks.hour <= 23,
        "backup.daily must be at least 1": settings.backup.daily < 1,
        "backup.weekly cannot be negative": settings.backup.weekly < 0,
        "clipboard.command must begin with a program": settings.clipboard.command[:1] == ("",),
    }


def _of_mail(settings: Settings) -> dict[str, bool]:
    sender, sending, publishing = settings.sender, settings.sending, settings.publishing
    return {
        "sender.email must be an address such as me@example.com": bool(
            sender.email and not _ADDRESS.fullmatch(sender.email)
        ),
        "sender.name must be one line": "\n" in sender.name or "\r" in sender.name,
        "sending.per_hour cannot be negative": sending.per_hour < 0,
        "sending.per_day cannot be negative": sending.per_day < 0,
        "sending.contacted_days cannot be negative": sending.contacted_days < 0,
        'sending.quiet_hours must be like "20:00-08:00", or "" for none': bool(
            sending.quiet_hours and not QUIET_HOURS.fullmatch(sending.quiet_hours)
        ),
        "publishing.base_url must be an https address such as https://previews.example.com": bool(
            publishing.base_url and not _is_public(publishing.base_url)
        ),
        "publishing.command must begin with a program": publishing.command[:1] == ("",),
        "publishing.timeout_seconds must be at least 1": publishing.timeout_seconds < 1,
    }


def _of_mailbox(provider: SmtpSettings | ImapSettings) -> Iterator[str]:
    if not 1 <= provider.port <= 65535:
        yield "port must be between 1 and 65535"
    if provider.security == "none" and provider.host and not is_loopback(provider.host):
        yield 'security can be "none" only for a server on this machine'
    if provider.password_command[:1] == ("",):
        yield "password_command must begin with a program"
    if provider.auth == "xoauth2" and provider.host and not provider.username:
        yield 'username must be set with auth = "xoauth2"'
    if isinstance(provider, SmtpSettings) and not 1 <= provider.connections <= 50:
        yield "connections must be between 1 and 50"
    if isinstance(provider, ImapSettings) and provider.poll_seconds < 5:
        yield "poll_seconds must be at least 5"


def _of_providers(settings: Settings) -> dict[str, bool]:
    sms, known = settings.sms, settings.providers
    bases = {
        name: getattr(known, name).base_url
        for name in ("mailgun", "resend", "brevo", "twilio", "stripe")
    }
    return {
        f"providers.{name}.base_url must be an https address, or http on this machine": not _is_api(
            url
        )
        for name, url in bases.items()
    } | {
        "providers.mailgun.domain must be a domain such as mg.example.com": bool(
            known.mailgun.domain and not _DOMAIN.fullmatch(known.mailgun.domain)
        ),
        "providers.mailgun.domain must be set to send through Mailgun": (
            settings.email.provider == "mailgun" and not known.mailgun.domain
        ),
        "providers.twilio.account_sid must begin with AC": bool(
            known.twilio.account_sid and not _ACCOUNT_SID.fullmatch(known.twilio.account_sid)
        ),
        "providers.twilio.from_number must be a number such as +15550100200, or MG…": bool(
            known.twilio.from_number and not _SMS_SENDER.fullmatch(known.twilio.from_number)
        ),
        "providers.twilio.account_sid and from_number must be set to send text messages": (
            sms.provider == "twilio" and not (known.twilio.account_sid and known.twilio.from_number)
        ),
        "sms.per_hour cannot be negative": sms.per_hour < 0,
        "sms.per_day cannot be negative": sms.per_day < 0,
    }


def _of_money(settings: Settings) -> dict[str, bool]:
    money, known = settings.money, settings.providers
    return {
        "money.currency must be a code of ISO 4217 in capitals, such as USD": not is_currency(
            money.currency
        ),
        "money.gross_margin must be more than 0 and at most 1, such as 0.8": (
            not 0 < money.gross_margin <= 1
        ),
        "money.payment_days must be between 0 and 365": not 0 <= money.payment_days <= 365,
        "providers.stripe.api_version must be like 2025-08-27.basil": not re.fullmatch(
            r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?", known.stripe.api_version
        ),
    } | {
        f"providers.{name}.price_per_message must be at least 0 and less than 1000, such as 0.0008": (
            not 0 <= getattr(known, name).price_per_message < 1000
        )
        for name in ("smtp", "mailgun", "resend", "brevo", "twilio")
    }


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_public(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and not parts.query + parts.fragment


def _is_api(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.query or parts.fragment or parts.username:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def _known_zone(name: str) -> bool:
    try:
        return not name or bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
