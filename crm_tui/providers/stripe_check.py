"""Trying an account at Stripe out: nothing is made, changed or charged.

What a key may read is seen by reading one of each. Whether it may make something is seen by asking
for what cannot be made, as a product without a name: the permission is looked at first.
"""

from __future__ import annotations

import httpx

from crm_tui.config.sections import StripeSettings
from crm_tui.providers.base import Check, Misconfigured, ProviderError, Unsendable
from crm_tui.providers.http import Api
from crm_tui.providers.secrets import Lookup
from crm_tui.providers.stripe_api import Forbidden, StripeApi, permission_for

_EVENTS = "events"
_READ = (
    "checkout/sessions",
    "invoices",
    "payment_intents",
    "charges",
    "subscriptions",
    "disputes",
)
_MADE = ("products", "prices", "payment_links")
_SAFE = "crm-tui-check"
"""The idempotency key of what is asked for and cannot be made."""


async def check(
    settings: StripeSettings,
    key: Lookup,
    *,
    sender: str = "",  # noqa: ARG001 - every adapter is tried out alike, and nothing is sent here
    transport: httpx.AsyncBaseTransport | None = None,
    api: Api | None = None,
) -> list[Check]:
    """Try an account out: its key and mode, its events, and what the key may read and make."""
    stripe = StripeApi(settings, key, transport=transport, api=api)
    async with stripe.api:
        try:
            answer = await stripe.get(_EVENTS, [("limit", 1)])
        except Forbidden as error:
            return [_key(settings), Check("events", ok=False, words=str(error))]
        except ProviderError as error:
            return [Check("key", ok=False, words=str(error))]
        if not answer.ok:
            return [Check("key", ok=False, words=_no_api(settings, answer.status))]
        done = [_key(settings), Check("events", ok=True, words="The events can be read.")]
        try:
            done += [await _may_read(stripe), await _may_make(stripe)]
        except ProviderError as error:
            done.append(Check("permissions", ok=False, words=str(error)))
        return done


def _key(settings: StripeSettings) -> Check:
    money = "play money" if settings.mode == "test" else "real money"
    return Check("key", ok=True, words=f"The key is taken, in {settings.mode} mode: {money}.")


def _no_api(settings: StripeSettings, status: int) -> str:
    return (
        f"There is no API of Stripe at base_url, or it does not know the version"
        f" {settings.api_version} ({status}). Correct base_url or api_version in"
        " [providers.stripe]; the address is https://api.stripe.com."
    )


async def _may_read(stripe: StripeApi) -> Check:
    lacking = []
    for path in _READ:
        try:
            await stripe.get(path, [("limit", 1)])
        except Forbidden:
            lacking.append(f"{permission_for(path)}: read")
    return _permissions("reading", lacking, "The key may read all that is polled.")


async def _may_make(stripe: StripeApi) -> Check:
    lacking = []
    for path in _MADE:
        try:
            await stripe.post(path, {}, key=f"{_SAFE}-{path}")
        except Forbidden:
            lacking.append(f"{permission_for(path)}: write")
        except Unsendable:
            continue  # it was looked at, and lacks everything
    return _permissions("links", lacking, "The key may make payment links.")


def _permissions(step: str, lacking: list[str], fine: str) -> Check:
    if not lacking:
        return Check(step, ok=True, words=fine)
    error = Misconfigured(
        f"The key of Stripe lacks {', '.join(lacking)}.",
        fix="Edit it at dashboard.stripe.com/apikeys and allow that.",
    )
    return Check(step, ok=False, words=str(error))
