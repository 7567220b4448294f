"""Trying an account at Resend out, sending nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from crm_tui.config.sections import ResendSettings
from crm_tui.providers.base import Check, ProviderError, said
from crm_tui.providers.http import Answer, Api
from crm_tui.providers.resend_api import MOST, VERIFY, api_of, domain_of, listed, paging
from crm_tui.providers.secrets import Lookup


async def check(
    settings: ResendSettings,
    key: Lookup,
    *,
    sender: str,
    transport: httpx.AsyncBaseTransport | None = None,
    api: Api | None = None,
) -> list[Check]:
    """Try an account out, sending nothing: its key, the domain of the sender, what it measures."""
    async with api or api_of(settings, key, transport=transport) as asked:
        try:
            answer, items = await _domains(asked)
        except ProviderError as error:
            return [Check("key", ok=False, words=str(error))]
    checks = [Check("key", ok=True, words="The key is taken, and may read.")]
    domain = domain_of(sender)
    found = next((each for each in items if domain_of(str(each.get("name"))) == domain), None)
    checks.append(_domain(domain, found))
    if found is not None:
        checks.append(_tracking(domain, found))
    checks.append(_limits(answer))
    return checks


async def _domains(api: Api) -> tuple[Answer, list[dict[str, Any]]]:
    """The account's domains, and the last answer."""
    items: list[dict[str, Any]] = []
    while True:
        answer = await api.get("domains", paging(MOST, items[-1]["id"] if items else ""))
        page, more = listed(answer)
        items += page
        if not more or len({each["id"] for each in items}) < len(items):
            return answer, items


def _domain(domain: str, found: Mapping[str, Any] | None) -> Check:
    if found is None:
        return Check(
            "domain", ok=False, words=f"Resend does not know the domain {domain}. {VERIFY}"
        )
    status = said(str(found.get("status", "unknown")))
    if status != "verified":
        return Check(
            "domain", ok=False, words=f"The domain {domain} is {status} at Resend. {VERIFY}"
        )
    capabilities = found.get("capabilities")
    if isinstance(capabilities, dict) and capabilities.get("sending") == "disabled":
        return Check(
            "domain",
            ok=False,
            words=f"Sending is switched off for {domain}. Switch it on at resend.com/domains.",
        )
    return Check("domain", ok=True, words=f"The domain {domain} is verified.")


def _tracking(domain: str, found: Mapping[str, Any]) -> Check:
    off = [
        what
        for what, name in (("opens", "open_tracking"), ("clicks", "click_tracking"))
        if found.get(name) is False
    ]
    if off:
        words = f"{' and '.join(off)} of mails from {domain} are not measured."
        return Check(
            "tracking",
            ok=True,
            words=f"{words.capitalize()} Switch that on at resend.com/domains if wanted.",
        )
    return Check(
        "tracking", ok=True, words=f"Opens and clicks of mails from {domain} are measured."
    )


def _limits(answer: Answer) -> Check:
    told = {
        "ratelimit-limit": "{} requests a second",
        "x-resend-daily-quota": "{} mails used today",
        "x-resend-monthly-quota": "{} mails used this month",
    }
    found = [
        words.format(said(answer.headers[name]))
        for name, words in told.items()
        if name in answer.headers
    ]
    return Check("limits", ok=True, words=f"Limits: {', '.join(found) or 'not told'}.")
