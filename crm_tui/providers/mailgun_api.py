"""Mailgun's API: how it is asked, what its pages hold, and what its refusals mean.

Follows Mailgun's documentation: API Overview, Logs, Events, Error Codes Library.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import httpx
import idna

from crm_tui.config.sections import MailgunSettings
from crm_tui.providers.base import (
    Misconfigured,
    ProviderError,
    Unavailable,
)
from crm_tui.providers.http import Answer, Api, Login, read_http_date
from crm_tui.providers.keys import USER, VARIABLES, service_of
from crm_tui.providers.secrets import Lookup

US, EU = "https://api.mailgun.net", "https://api.eu.mailgun.net"
BY_LOGS, BY_EVENTS = "logs", "events"
LOGS_LIMIT, EVENTS_LIMIT = 100, 300
"""Records in a page, as many as Mailgun gives."""

_TRIES = 3
_KEY_FIX = (
    "Give it an account key that may send and read logs"
    f" (`keyring set {service_of('mailgun')} {USER}` or {VARIABLES['mailgun']}), or set base_url to"
    f" that of the domain's region ({US}, in the EU {EU})."
)
_AFTER_SECONDS = re.compile(
    r"try again (?:after|in) (\d{1,9}) ?(second|minute|hour|day)?", re.IGNORECASE
)
_AFTER_DATE = re.compile(
    r"try again after (\w{3}, \d{1,2} \w{3} \d{4} [\d:]{8} \S{1,5})", re.IGNORECASE
)
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}

_FIXES: tuple[tuple[str, str], ...] = (
    (
        r"unverified|dns configuration",
        "Set the domain's DNS records, then verify them in Mailgun's control panel.",
    ),
    (
        r"sandbox|free account|authorized recipient",
        "Add a domain of your own and a paid plan, or authorise the recipient in Mailgun.",
    ),
    (r"activate", "Activate the account by the mail that Mailgun sent when it was made."),
    (
        r"disabled|suspended|terminated|probation|closed|blocked account",
        "Mailgun has stopped this account or domain: ask its support, then try again.",
    ),
    (
        r"payment|upgrade|billing|\bplan\b",
        "See to the plan and the payment in Mailgun's control panel.",
    ),
    (r"'?from'? parameter", "Correct the sender's address in [email]."),
    (
        r"not allowed to send|can.t be used to send|large batches",
        "See what Mailgun's control panel says of the domain.",
    ),
)
"""What to do about a refusal that meets every mail, by what it says."""


class MailgunApi(Api):
    """Mailgun's API, with its refusals in words that name what to do."""

    __slots__ = ()

    def check_login(self, answer: Answer) -> None:
        """See that the key was taken, and the account and domain are in order.

        Raises:
            Misconfigured: they are not.
        """
        if answer.status not in {401, 403}:
            return
        words = self.words(answer)
        if fix := fix_of(words):
            raise Misconfigured(f"Mailgun refuses: {words}", fix=fix)
        super().check_login(answer)


def api_of(
    settings: MailgunSettings,
    key: Lookup,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> MailgunApi:
    """The API of the account that the settings name."""
    return MailgunApi(
        title="Mailgun",
        base_url=settings.base_url,
        login=Login(key, user="api"),
        fix=_KEY_FIX,
        hosts=(".api.mailgun.net", ".api.eu.mailgun.net"),
        wait=wait_of,
        transport=transport,
        sleep=sleep,
        jitter=jitter,
    )


def domain_of(settings: MailgunSettings) -> str:
    """The sending domain, in ASCII.

    Raises:
        Misconfigured: there is none.
    """
    domain = settings.domain.strip().lower().rstrip(".")
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        domain = ""
    if not re.fullmatch(r"[a-z0-9._-]+", domain):
        raise Misconfigured(
            "No domain is set for Mailgun, or it is none.", fix="Set domain in [providers.mailgun]."
        )
    return domain


def fix_of(words: str) -> str | None:
    """What to do about a refusal that meets every mail; None where it meets this one."""
    return next((fix for what, fix in _FIXES if re.search(what, words, re.IGNORECASE)), None)


def wait_of(answer: Answer) -> float | None:
    """Seconds to wait after a 429: Mailgun says it in words, as a number or a date."""
    if (seconds := answer.retry_after()) is not None:
        return seconds
    text = answer.text[:2000]
    if found := _AFTER_SECONDS.search(text):
        return float(found[1]) * _UNITS[(found[2] or "second").lower()]
    found = _AFTER_DATE.search(text)
    at, since = read_http_date(found[1]) if found else None, answer.server_time
    return None if at is None or since is None else max((at - since).total_seconds(), 0.0)


def refused(api: Api, answer: Answer, settings: MailgunSettings) -> ProviderError:
    """What a refusal means that is about the account, or else that nothing is to be had now."""
    words = api.words(answer) or f"status {answer.status}, no reason given"
    if answer.status == 429:
        return api.trouble(answer)
    if answer.status == 404:
        return Misconfigured(
            f"Mailgun knows no domain {settings.domain} at {settings.base_url} ({words}).",
            fix=f"Correct domain, or set base_url to that of its region ({US}, in the EU {EU}).",
        )
    if 300 <= answer.status < 400:
        fix: str | None = f"Set base_url to {US}, in the EU {EU}."
    else:
        fix = fix_of("payment" if answer.status == 402 else words)
    if fix is not None:
        return Misconfigured(f"Mailgun refuses: {words}", fix=fix)
    return Unavailable(f"Mailgun refused it ({answer.status}: {words})")


async def whole(ask: Callable[[], Awaitable[Answer]]) -> tuple[Answer, dict[str, Any]]:
    """An answer and its JSON object; asked again where it was cut off. A refusal has none.

    Raises:
        ProviderError: it could not be fetched whole.
    """
    for tried in range(_TRIES):
        answer = await ask()
        if not answer.ok:
            return answer, {}
        try:
            return answer, answer.object()
        except Unavailable:
            if tried == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def logs_body(
    settings: MailgunSettings,
    start: datetime | None = None,
    *,
    end: datetime | None = None,
    events: tuple[str, ...] = (),
    recipient: str = "",
    token: str | None = None,
    limit: int = LOGS_LIMIT,
) -> dict[str, Any]:
    """A question to the Logs API; without times it is about the last day.

    Raises:
        Misconfigured: no domain is set.
    """
    about = [_is("domain", domain_of(settings))]
    if recipient:
        about.append(_is("recipient", recipient))
    paging: dict[str, Any] = {"sort": "timestamp:asc", "limit": limit}
    if token is not None:
        paging["token"] = token
    body: dict[str, Any] = {"filter": {"AND": about}, "pagination": paging}
    if start is not None:
        body["start"] = format_datetime(start)
    if end is not None:
        body["end"] = format_datetime(end)
    if events:
        body["events"] = list(events)
    return body


def next_token(page: Mapping[str, Any]) -> str | None:
    """The token of the next page of the Logs API."""
    paging = page.get("pagination")
    token = paging.get("next") if isinstance(paging, Mapping) else None
    return token if isinstance(token, str) and token else None


def next_url(page: Mapping[str, Any]) -> str | None:
    """The URL of the next page of the Events API, and of the lists."""
    paging = page.get("paging")
    url = paging.get("next") if isinstance(paging, Mapping) else None
    return url if isinstance(url, str) and url else None


def items_of(page: Mapping[str, Any]) -> list[Any]:
    """The records of a page.

    Raises:
        Unavailable: it has none, not even an empty list of them.
    """
    items = page.get("items")
    if items is None and "items" in page:
        return []
    if not isinstance(items, list):
        raise Unavailable("Mailgun's answer has no list of items")
    return items


def _is(attribute: str, value: str) -> dict[str, Any]:
    """A condition of a question to the Logs API."""
    labelled = {"label": value, "value": value}
    return {"attribute": attribute, "comparator": "=", "values": [labelled]}
