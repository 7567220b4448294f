"""Stripe's API: its key and mode, its version, what its refusals mean, its forms and its lists."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from crm_tui.config.sections import StripeSettings
from crm_tui.providers.base import (
    LoginRefused,
    Misconfigured,
    ProviderError,
    Unavailable,
    Unclear,
    Unsendable,
    said,
)
from crm_tui.providers.http import Answer, Api, Login
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.stripe_objects import id_of

MOST = 100
"""Items of a page at most."""

_TRIES = 4
_PAUSE = 1.0
_LONGEST_WAIT = 30.0
_PREFIX = re.compile(r"(sk|rk|pk)_(test|live)_")
_LACKS = re.compile(r"rak_([a-z_]+)_(read|write)")
_PERMISSIONS = {
    "events": "Events",
    "checkout": "Checkout Sessions",
    "invoices": "Invoices",
    "invoice_payments": "Invoices",
    "payment_intents": "PaymentIntents",
    "charges": "Charges and Refunds",
    "refunds": "Charges and Refunds",
    "subscriptions": "Subscriptions",
    "disputes": "Disputes",
    "products": "Products",
    "prices": "Prices",
    "payment_links": "Payment Links",
}
"""The permission of a restricted key, as Stripe's form for it has it, by the first part of a path."""
_IN_A_REFUSAL = {
    "event": "Events",
    "checkout_session": "Checkout Sessions",
    "invoice": "Invoices",
    "payment_intent": "PaymentIntents",
    "charge": "Charges and Refunds",
    "subscription": "Subscriptions",
    "customer": "Customers",
    "dispute": "Disputes",
    "product": "Products",
    "plan": "Prices",
    "price": "Prices",
    "payment_link": "Payment Links",
}
"""The same by the word that a refusal has for it."""
_NEW_KEY = (
    "Make a restricted key at dashboard.stripe.com/apikeys and keep it in the keyring or in"
    " CRM_TUI_STRIPE_KEY."
)


class Forbidden(Misconfigured):
    """A restricted key lacks a permission."""


class StripeApi:
    """The API of one account, in the version and the mode of the settings.

    Attributes:
        api: what carries the requests.
        mode: "test" or "live".
        knows_fees: whether the key may read what Stripe kept of a payment, as far as is known.
    """

    def __init__(
        self,
        settings: StripeSettings,
        key: Lookup,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        self.api = api or api_of(settings, key, transport=transport)
        self.mode = settings.mode
        self.knows_fees = True
        self._headers = {"Stripe-Version": settings.api_version}

    async def get(self, path: str, query: Sequence[tuple[str, str | int]] = ()) -> Answer:
        """Read something; names in the query have brackets as Stripe's do, and may be repeated.

        Returns the answer where it is a success, or a refusal such as 404.

        Raises:
            Misconfigured: the key is not taken, or lacks a permission, which it names.
            ProviderError: as in `Api.get`.
        """
        url = f"{path}?{urlencode(query)}" if query else path
        try:
            return await self.api.get(url, headers=self._headers)
        except Forbidden as error:
            raise _forbidden(error, path, "read") from None

    async def post(self, path: str, form: Mapping[str, str | int], *, key: str) -> dict[str, Any]:
        """Make or change something, again under the same key where the answer was lost.

        Args:
            path: below the base.
            form: its fields, by names with brackets.
            key: the Idempotency-Key; what is sent twice under it is done once.

        Raises:
            Unsendable: Stripe does not take it as it is.
            Unclear: it may have been done; it is safe to ask again under the same key.
            ProviderError: as in `Api.send`.
        """
        trouble: ProviderError = Unavailable("Stripe cannot be reached")
        for tried in range(_TRIES):
            pause = _PAUSE * 2**tried * (1 + self.api.jitter())
            try:
                found = self._read(await self._send(path, form, key))
            except Unclear as error:
                trouble = error
            except Unavailable as error:
                # What may have been done in an earlier try is not certainly undone after this one.
                trouble = trouble if isinstance(trouble, Unclear) else error
                pause = pause if error.after is None else error.after
            else:
                if found is not None:
                    return found
                trouble = Unclear("Stripe's answer was not whole, or it is still at work on it")
            if tried == _TRIES - 1 or pause > _LONGEST_WAIT:
                break
            await self.api.sleep(pause)
        raise trouble

    async def _send(self, path: str, form: Mapping[str, str | int], key: str) -> Answer:
        headers = {**self._headers, "Idempotency-Key": key}
        try:
            return await self.api.send(path, data=dict(form), headers=headers)
        except Forbidden as error:
            raise _forbidden(error, path, "write") from None

    def _read(self, answer: Answer) -> dict[str, Any] | None:
        """What was made; None where it is to be asked for again."""
        if answer.ok:
            try:
                return answer.object()
            except Unavailable:
                return None
        if answer.status in {409, 425}:
            return None
        what = error_of(answer)
        about = f" ({said(str(what['param']))})" if isinstance(what.get("param"), str) else ""
        words = self.api.words(answer)
        raise Unsendable(f"Stripe does not take it ({answer.status}){about}: {words}")


def api_of(
    settings: StripeSettings, key: Lookup, *, transport: httpx.AsyncBaseTransport | None = None
) -> Api:
    """The API of an account; a key of the other mode goes nowhere."""
    return Api(
        "Stripe",
        base_of(settings),
        Login(_of_mode(key, settings.mode), header="Authorization", prefix="Bearer "),
        _NEW_KEY,
        explain=_explain,
        transport=transport,
    )


def base_of(settings: StripeSettings) -> str:
    """Where the API is: below /v1, which base_url may leave out."""
    base = settings.base_url.rstrip("/")
    return base if urlsplit(base).path.endswith("/v1") else f"{base}/v1"


def mode_of(secret: Secret) -> tuple[str, str]:
    """The kind (sk, rk, pk) and the mode (test, live) of a key; "" where it does not say."""
    found = _PREFIX.match(secret.reveal().strip())
    return (found[1], found[2]) if found else ("", "")


def _of_mode(key: Lookup, mode: str) -> Lookup:
    """The key, once it is known to be of this mode."""
    seen: Secret | None = None

    async def find() -> Secret | None:
        nonlocal seen
        seen = await key.get() if seen is None else await key.after(seen) or seen
        if seen is not None:
            _check_mode(seen, mode)
        return seen

    return Lookup(find)


def _check_mode(secret: Secret, mode: str) -> None:
    """See that a key is secret or restricted, and of this mode.

    Raises:
        Misconfigured: it is not.
    """
    kind, its = mode_of(secret)
    if kind == "pk":
        raise Misconfigured("This key of Stripe is the publishable one.", fix=_NEW_KEY)
    if not kind:
        raise Misconfigured(
            "This is no key of Stripe: one begins with rk_live_, sk_live_, rk_test_ or sk_test_.",
            fix=_NEW_KEY,
        )
    if its != mode:
        raise Misconfigured(
            f"The key of Stripe is for {its} mode, and [providers.stripe] is set to {mode}.",
            fix=f'Give a key that begins with {kind}_{mode}_, or set mode = "{its}".',
        )


def _explain(answer: Answer, words: str) -> ProviderError | None:
    """What a refusal means, by Stripe's word for it."""
    error = error_of(answer)
    if answer.status == 403 and "permission" in words:
        return Forbidden(words, fix="")
    if answer.status == 401:
        words = words or "no reason given"
        return LoginRefused(f"Stripe does not take the key ({words}).", fix=_NEW_KEY)
    if error.get("type") == "idempotency_error" and answer.status == 400:
        return Unclear("Stripe was asked for this before, in other words")
    return None


def _forbidden(error: Forbidden, path: str, doing: str) -> Forbidden:
    """A refusal in words that name the permission: as Stripe does, else by what was asked for."""
    permission = permission_for(path)
    if named := _LACKS.search(error.words):
        permission = _IN_A_REFUSAL.get(named[1].rstrip("s"), permission)
        doing = named[2]
    return Forbidden(
        f"The key of Stripe lacks a permission: {permission}: {doing}.",
        fix=f"Edit the key at dashboard.stripe.com/apikeys and give it {permission}: {doing}.",
    )


def permission_for(path: str) -> str:
    """What a restricted key has to be given for a path, as Stripe's form for it has it."""
    first = path.partition("/")[0]
    return _PERMISSIONS.get(first, first)


def error_of(answer: Answer) -> Mapping[str, Any]:
    """What Stripe says of a refusal: type, code, param, message; empty where it says nothing."""
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def listed(answer: Answer) -> tuple[list[dict[str, Any]], bool]:
    """The items of a page that have a name, and whether there are more.

    Raises:
        Unavailable: it is no page.
    """
    found = answer.object() if answer.ok else {}
    data = found.get("data")
    if not isinstance(data, list):
        raise Unavailable(f"Stripe answered {answer.status} without a list")
    items = [each for each in data if isinstance(each, dict) and id_of(each)]
    return items, found.get("has_more") is True and bool(items)
