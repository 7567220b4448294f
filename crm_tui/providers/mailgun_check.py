"""Trying a Mailgun account out by asking it about itself: nothing is sent, nothing is changed.

Follows Mailgun's documentation: Domains, Logs, Custom Message Limit.
"""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from crm_tui.config.sections import MailgunSettings
from crm_tui.providers.base import Check, LoginRefused, Misconfigured, ProviderError
from crm_tui.providers.http import Api
from crm_tui.providers.mailgun_api import (
    BY_EVENTS,
    EU,
    US,
    api_of,
    domain_of,
    logs_body,
    refused,
    whole,
)
from crm_tui.providers.secrets import Lookup

_OTHER_REGION = {US: EU, EU: US}


async def check(
    settings: MailgunSettings,
    key: Lookup,
    *,
    sender: str,
    transport: httpx.AsyncBaseTransport | None = None,
    api: Api | None = None,
    other_region: str | None = None,
) -> list[Check]:
    """Try an account out: its key and region, its domain, its events, its limit and the sender.

    Args:
        settings: of the account.
        key: its key.
        sender: the address mails are to come from.
        transport: what carries the requests; the network unless a test says otherwise.
        api: how it is asked; for tests.
        other_region: where the account is looked for if it is not at base_url; Mailgun's other
            region unless told.
    """
    async with api or api_of(settings, key, transport=transport) as asked:
        try:
            await key.get()
        except ProviderError as error:
            return [_bad("key", str(error))]
        try:
            found = await _domain(asked, settings)
        except Misconfigured as error:
            other = other_region or _OTHER_REGION.get(settings.base_url.rstrip("/"), "")
            elsewhere = await _elsewhere(settings, key, transport, other) if other else None
            step = "key" if isinstance(error, LoginRefused) else "domain"
            return [_bad(step, str(elsewhere or error))]
        except ProviderError as error:
            return [_bad("connect", str(error))]
        return [
            _good("key", "The key is taken."),
            _standing(settings, found),
            await _events(asked, settings),
            await _limit(asked),
            _sender(settings, sender),
        ]


async def _domain(api: Api, settings: MailgunSettings) -> dict[str, Any]:
    """What Mailgun says of the domain.

    Raises:
        ProviderError: it does not know the domain, or the key.
    """
    url = f"/v4/domains/{domain_of(settings)}"
    answer, page = await whole(lambda: api.get(url))
    if not answer.ok:
        raise refused(api, answer, settings)
    found = page.get("domain")
    return found if isinstance(found, dict) else {}


async def _elsewhere(
    settings: MailgunSettings,
    key: Lookup,
    transport: httpx.AsyncBaseTransport | None,
    other: str,
) -> Misconfigured | None:
    """Whether the account is in the other region; None where it is not there either."""
    there = msgspec.structs.replace(settings, base_url=other)
    async with api_of(there, key, transport=transport) as api:
        try:
            await _domain(api, there)
        except ProviderError:
            return None
    return Misconfigured(
        f"The domain {settings.domain} is not at {settings.base_url}, but at {other}.",
        fix=f'Set base_url = "{other}" in [providers.mailgun].',
    )


def _standing(settings: MailgunSettings, found: dict[str, Any]) -> Check:
    """What state the domain is in."""
    domain, state = settings.domain, found.get("state")
    if found.get("is_disabled") is True or state == "disabled":
        disabled = found.get("disabled")
        reason = disabled.get("reason") if isinstance(disabled, dict) else None
        why = f" ({reason})" if isinstance(reason, str) and reason else ""
        words = f"Mailgun has disabled {domain}{why}. Ask its support, then try again."
        return _bad("domain", words)
    if state == "unverified":
        return _bad(
            "domain",
            f"{domain} is not verified. Set its DNS records, then verify them in Mailgun's"
            " control panel.",
        )
    if found.get("type") == "sandbox":
        return _bad(
            "domain",
            f"{domain} is a sandbox: Mailgun sends from it only to recipients that are authorised"
            " there. Add a domain of your own.",
        )
    return _good("domain", f"{domain} is ready to send.")


async def _events(api: Api, settings: MailgunSettings) -> Check:
    """Whether the key may read what became of mails: a sending key may not."""
    try:
        if settings.events == BY_EVENTS:
            answer = await api.get(f"/v3/{domain_of(settings)}/events", {"limit": 1})
        else:
            body = logs_body(settings, limit=1)
            answer = await api.read("POST", "/v1/analytics/logs", json=body)
        if not answer.ok:
            raise refused(api, answer, settings)
    except ProviderError as error:
        return _bad("events", f"What became of mails cannot be read: {error}")
    return _good("events", "What became of mails can be read.")


async def _limit(api: Api) -> Check:
    """How many mails a month the account has set itself."""
    try:
        answer = await api.get("/v5/accounts/limit/custom/monthly")
        found = answer.object() if answer.ok else {}
    except ProviderError as error:
        return _good("limits", f"Mailgun did not tell its limits: {error}")
    limit, current = found.get("limit"), found.get("current")
    if not isinstance(limit, int) or not isinstance(current, int):
        return _good("limits", "No monthly limit is set but that of the plan.")
    words = f"{current:,} of {limit:,} mails of this month are sent."
    if current < limit:
        return _good("limits", words)
    return _bad("limits", f"{words} Raise the limit in Mailgun's control panel, or wait.")


def _sender(settings: MailgunSettings, sender: str) -> Check:
    """Whether mails are signed for the domain they come from."""
    own, theirs = sender.rpartition("@")[2].lower(), settings.domain.strip().lower()
    if own == theirs or own.endswith(f".{theirs}") or theirs.endswith(f".{own}"):
        return _good("sender", f"Mails from {own} are signed for {theirs}.")
    return _bad(
        "sender",
        f"Mails come from {own or 'no address'}, but Mailgun signs for {theirs}: they would count"
        f" as forged (DMARC). Set a sender of {theirs} in [email].",
    )


def _good(step: str, words: str) -> Check:
    return Check(step, ok=True, words=words)


def _bad(step: str, words: str) -> Check:
    return Check(step, ok=False, words=words)
