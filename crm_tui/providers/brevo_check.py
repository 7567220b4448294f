"""Trying an account at Brevo out, without sending anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from crm_tui.config.sections import BrevoSettings
from crm_tui.providers.base import Check, ProviderError, said
from crm_tui.providers.brevo_api import (
    FIX_CREDITS,
    SENDERS,
    number_in,
    object_of,
    open_api,
    records_of,
)
from crm_tui.providers.brevo_events import text_of
from crm_tui.providers.http import Answer, Api
from crm_tui.providers.message import address
from crm_tui.providers.secrets import Lookup


async def check(
    settings: BrevoSettings,
    key: Lookup,
    *,
    sender: str,
    transport: httpx.AsyncBaseTransport | None = None,
    api: Api | None = None,
) -> list[Check]:
    """Try the key, and see whether the account may send from `sender`; nothing is sent."""
    done: list[Check] = []
    step = "key"
    async with api or open_api(settings, key, transport=transport) as asked:
        try:
            answer = await asked.get("account")
            account = object_of(asked, answer)
            owner = said(text_of(account, "email")) or "an account without a name"
            done.append(Check("key", ok=True, words=f"Brevo takes the key: {owner}."))
            step = "limits"
            done.append(_check_limits(account, answer))
            step = "sender"
            senders = records_of(asked, await asked.get("senders"), "senders")
            domains = records_of(asked, await asked.get("senders/domains"), "domains")
            done += _check_sender(sender, senders, domains)
        except ProviderError as error:
            done.append(Check(step, ok=False, words=str(error)))
    return done


def _check_limits(account: Mapping[str, Any], answer: Answer) -> Check:
    relay = account.get("relay")
    if isinstance(relay, Mapping) and relay.get("enabled") is False:
        words = "Transactional mail is not activated; ask Brevo's support to activate it."
        return Check("limits", ok=False, words=words)
    plans = [each for each in account.get("plan") or () if isinstance(each, Mapping)]
    mail = [each for each in plans if each.get("type") != "sms"]
    counts = [each["credits"] for each in mail if isinstance(each.get("credits"), int | float)]
    left, most = (number_in(answer, f"x-sib-ratelimit-{word}") for word in ("remaining", "limit"))
    asks = f" {left:.0f} of {most:.0f} requests are left for now." if left and most else ""
    if not counts:
        return Check("limits", ok=True, words=f"Brevo names no limit of mails.{asks}")
    kinds = ", ".join(said(text_of(each, "type")) for each in mail)
    count = f"{sum(counts):,.0f} mails can be sent ({kinds})."
    if sum(counts) > 0:
        return Check("limits", ok=True, words=count + asks)
    return Check("limits", ok=False, words=f"No mails are left ({kinds}). {FIX_CREDITS}")


def _check_sender(sender: str, senders: Sequence[Any], domains: Sequence[Any]) -> list[Check]:
    """Whether mail from an address is taken, and keeps it: Brevo replaces what it cannot sign."""
    if not sender:
        words = "No address is set to send from. Set email in [sender]."
        return [Check("sender", ok=False, words=words)]
    bare = address(sender).lower()
    domain = bare.rpartition("@")[2]
    own = [each for each in senders if isinstance(each, Mapping)]
    active = any(text_of(each, "email").lower() == bare and each.get("active") for each in own)
    known = [each for each in domains if isinstance(each, Mapping)]
    names = {
        text_of(each, "domain_name").lower(): bool(each.get("authenticated")) for each in known
    }
    signed = names.get(domain, False)
    if not active and not signed:
        words = f"{bare} is not verified. Verify it, or authenticate {domain}, at {SENDERS}."
        return [Check("sender", ok=False, words=words)]
    found = [Check("sender", ok=True, words=f"Mail from {bare} is taken.")]
    words = f"{domain} is authenticated."
    if not signed:
        words = (
            f"{domain} is not authenticated, so Brevo may replace the address mail comes from."
            f" Authenticate it at {SENDERS}."
        )
    return [*found, Check("domain", ok=signed, words=words)]
