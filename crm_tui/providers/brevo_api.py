"""Brevo's API: how it is asked, and what its refusals mean.

Sources: Brevo's API reference (errors), its pages on rate limits and on idempotency.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Any

import httpx

from crm_tui.config.sections import BrevoSettings
from crm_tui.providers.base import (
    LoginRefused,
    Misconfigured,
    ProviderError,
    Unavailable,
    Unclear,
)
from crm_tui.providers.brevo_events import text_of
from crm_tui.providers.http import Answer, Api, Login
from crm_tui.providers.keys import how_to_give
from crm_tui.providers.secrets import Lookup

SENDERS = "app.brevo.com under Senders, Domains & Dedicated IPs"
FIX_CREDITS = "Buy credits under My plan at app.brevo.com, or wait until tomorrow on the free plan."

_OUT_OF_CREDITS = 3600.0
"""Seconds until an account without credits is tried again: a free one has new ones every day."""
_FIX_KEY = (
    "Create an API key (it begins with xkeysib-; an SMTP key does not do) under SMTP & API at"
    " app.brevo.com and give it anew."
)
_FIX_ADDRESS = "Allow it at app.brevo.com under Security, Authorised IPs."
_FIX_SENDER = f"Verify the address, or authenticate its domain, at {SENDERS}."
_FIX_PROFILE = "Complete its profile at app.brevo.com and wait until Brevo has validated it."
_FIX_BASE = "Correct base_url in [providers.brevo], or take it out."
_FIX_ACCOUNT = (
    "Log in at app.brevo.com to see why; an account that is suspended, or not yet activated for"
    " transactional mail, is opened by Brevo's support."
)


def open_api(
    settings: BrevoSettings,
    key: Lookup,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Api:
    """The API of an account."""
    return Api(
        "Brevo",
        settings.base_url,
        Login(key, header="api-key"),
        how_to_give("brevo"),
        wait=wait,
        explain=explain,
        transport=transport,
        sleep=sleep,
    )


def wait(answer: Answer) -> float | None:
    """Seconds until Brevo, asked too often, may be asked again."""
    reset = number_in(answer, "x-sib-ratelimit-reset")
    return answer.retry_after() if reset is None else reset


def number_in(answer: Answer, name: str) -> float | None:
    """The number that a header holds; None where it holds none."""
    found = answer.headers.get(name, "").strip()
    return float(found) if re.fullmatch(r"\d{1,9}(\.\d+)?", found) else None


def explain(answer: Answer, words: str) -> ProviderError | None:
    """What a refusal means and what to do about it; None where its words say all there is."""
    if answer.status >= 500 or answer.status == 429:
        return None
    code, about = _code(answer), f"{answer.status}: {words or 'no reason given'}"
    # The first that holds decides.
    rules = (
        (
            answer.status == 402 or code == "not_enough_credits",
            Unavailable(
                f"The account at Brevo is out of credits ({about}). {FIX_CREDITS}",
                after=_OUT_OF_CREDITS,
            ),
        ),
        (
            "ip address" in words.lower(),
            Misconfigured(
                f"Brevo does not know this machine's IP address ({about}).", fix=_FIX_ADDRESS
            ),
        ),
        (
            answer.status == 401 or code == "unauthorized",
            LoginRefused(f"Brevo does not take the key ({about}).", fix=_FIX_KEY),
        ),
        (
            code == "account_under_validation",
            Misconfigured(f"Brevo is still looking at the account ({about}).", fix=_FIX_PROFILE),
        ),
        (
            code in {"duplicate_parameter", "duplicate_request"},
            Unclear(f"Brevo says that it had this mail before ({about})"),
        ),
        (
            "sender" in words.lower(),
            Misconfigured(f"Brevo takes no mail from this sender ({about}).", fix=_FIX_SENDER),
        ),
        (
            answer.status == 403,
            Misconfigured(f"Brevo lets this account do nothing ({about}).", fix=_FIX_ACCOUNT),
        ),
        (
            answer.status in {404, 405} or answer.status < 400,
            Misconfigured(f"There is no API of Brevo's at base_url ({about}).", fix=_FIX_BASE),
        ),
    )
    return next((error for holds, error in rules if holds), None)


def _code(answer: Answer) -> str:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return ""
    return text_of(body, "code") if isinstance(body, dict) else ""


def object_of(api: Api, answer: Answer) -> dict[str, Any]:
    """What was asked for.

    Raises:
        Unavailable: it is a refusal, or cut off.
    """
    if not answer.ok:
        raise Unavailable(f"{api.title} refused ({answer.status}: {api.words(answer)})")
    return answer.object()


def records_of(api: Api, answer: Answer, name: str) -> list[Any]:
    """The records of a list; Brevo leaves an empty one out.

    Raises:
        Unavailable: it is a refusal, cut off, or no list.
    """
    found = object_of(api, answer).get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Unavailable(f"{api.title} told no list of {name}")
    return found


async def listed(
    api: Api, path: str, name: str, days: tuple[date, date], params: Mapping[str, str | int]
) -> tuple[list[Any], Answer]:
    """The records of some days; a last day that Brevo finds too late is taken back to its own."""
    first, last = days
    span = {"startDate": first.isoformat(), "endDate": last.isoformat()}
    answer = await api.get(path, {**span, **params})
    if answer.status == 400 and last > first and _is_about_days(api.words(answer)):
        span["endDate"] = (last - timedelta(days=1)).isoformat()
        answer = await api.get(path, {**span, **params})
    return records_of(api, answer, name), answer


def _is_about_days(words: str) -> bool:
    return bool(re.search(r"end ?date|future|greater than", words, re.IGNORECASE))
