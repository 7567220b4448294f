"""Resend's API: its key, what its refusals mean, its lists and what all its records share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any

import httpx
import idna

from crm_tui.config.sections import ResendSettings
from crm_tui.providers.base import LoginRefused, Misconfigured, ProviderError, Unavailable
from crm_tui.providers.http import Answer, Api, Login
from crm_tui.providers.secrets import Lookup

_LIMIT_SECONDS = 60.0
"""A pause no longer than this is about requests a second, not about a quota."""

_ROLLING = timedelta(hours=1)
"""The daily quota is one of any 24 hours: some of it comes back every hour."""

MOST = 100
"""Items of a page at most."""
MOST_PAGES = 20
"""Pages of mails that are looked through at most for one that may have gone."""
SLACK = timedelta(hours=1)
"""How far two clocks, and the order of a list, are believed to differ."""

NEW_KEY = (
    "Make a key with full access at resend.com/api-keys and keep it in the keyring or in"
    " CRM_TUI_RESEND_KEY."
)
VERIFY = "Add and verify the domain of the sender at resend.com/domains."


def api_of(
    settings: ResendSettings, key: Lookup, *, transport: httpx.AsyncBaseTransport | None = None
) -> Api:
    """The API of an account."""
    return Api(
        "Resend",
        settings.base_url,
        Login(key, header="Authorization", prefix="Bearer "),
        NEW_KEY,
        wait=_wait,
        explain=_explain,
        transport=transport,
    )


def _wait(answer: Answer) -> float | None:
    """Seconds until Resend may be asked again: by Retry-After, or when its window is over."""
    after = answer.retry_after()
    reset = answer.headers.get("ratelimit-reset", "")
    return min(float(reset), _LIMIT_SECONDS) if after is None and reset.isdecimal() else after


def _explain(answer: Answer, words: str) -> ProviderError | None:
    """What a refusal means by its name."""
    name = name_of(answer)
    if name == "daily_quota_exceeded":
        return _quota("of 24 hours", _wait(answer), _ROLLING)
    if name == "monthly_quota_exceeded":
        now = answer.server_time or datetime.now(UTC)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
        return _quota("of this month", _wait(answer), next_month - now)
    if name == "restricted_api_key":
        return LoginRefused("This key of Resend may only send.", fix=NEW_KEY)
    if name == "suspended_api_key":
        return Misconfigured(
            f"Resend has suspended this key: {words}", fix="See resend.com/overview for what to do."
        )
    if name == "invalid_from_address" or (answer.status == 403 and name == "validation_error"):
        return Misconfigured(f"Resend does not send from this address: {words}", fix=VERIFY)
    return None


def name_of(answer: Answer) -> str:
    """The name Resend gives a refusal; "" where it gives none."""
    try:
        name = answer.object().get("name")
    except Unavailable:
        return ""
    return name if isinstance(name, str) else ""


def _quota(which: str, asked: float | None, until: timedelta) -> Unavailable:
    after = asked if asked is not None and asked > _LIMIT_SECONDS else until.total_seconds()
    return Unavailable(
        f"Resend sends no more mails for now: the account's quota {which} is used up. Wait, or take"
        " a larger plan at resend.com/settings/billing.",
        after=after,
    )


def recipient_of(item: Mapping[str, Any]) -> str:
    """The address a mail went to, in lower case; "" where it is not told."""
    to = item.get("to")
    first = to[0] if isinstance(to, list) and to else to
    return parseaddr(first)[1].lower() if isinstance(first, str) else ""


def domain_of(written: str) -> str:
    """The domain of an address, or a domain as it is, in lower case and ASCII (IDNA 2008)."""
    domain = written.rpartition("@")[2].strip().lower()
    try:
        return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain


def tag_of(item: Mapping[str, Any]) -> str | None:
    """The key of a message that its tag brings back."""
    tags = item.get("tags")
    if isinstance(tags, dict):
        tags = [{"name": name, "value": value} for name, value in tags.items()]
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, dict) and tag.get("name") == "key" and isinstance(tag.get("value"), str):
            return str(tag["value"])
    return None


def moment(value: object) -> datetime | None:
    """A time as Resend writes it ("2026-11-22 09:30:00.123456+00"), aware UTC; None if it is none."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if at is None else at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


def paging(limit: int, after: str) -> dict[str, str | int]:
    """The query of a page: from the newest on, or behind an item."""
    return {"limit": limit, "after": after} if after else {"limit": limit}


def listed(answer: Answer) -> tuple[list[dict[str, Any]], bool]:
    """The items of a page, those without a name left out, and whether there are more.

    Raises:
        Unavailable: it is no page.
    """
    found = answer.object()
    data = found.get("data")
    if not answer.ok or not isinstance(data, list):
        raise Unavailable(f"Resend answered {answer.status} without a list")
    items = [each for each in data if isinstance(each, dict) and isinstance(each.get("id"), str)]
    # A page that does not say whether it is the last one is not: the one after that is empty.
    return items, found.get("has_more", True) is True and bool(items)
