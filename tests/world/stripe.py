"""A fake of Stripe: payment links that are paid, and all that becomes of what was paid.

What happens is told by events, each with its object as it was, in the shape of the account's own
version; objects that are read have the shape of the version that is asked for.

    stripe = FakeStripe(world, "stripe")
    async with StripePayments(stripe.settings, stripe.key, transport=world.transport()) as payments:
        link = await payments.make_link(prices, key="k", reference="lead", email=None, plan="Basic")
    session = stripe.pay(link.id, reference="lead")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crm_tui.config.sections import StripeSettings
from crm_tui.providers.secrets import Lookup, Secret
from tests.world.stripe_happenings import Happenings
from tests.world.stripe_shapes import (
    NEW,
    CannotExpand,
    Thing,
    expanded,
    is_new,
    list_of,
    shaped,
    without_private,
)
from tests.world.world import FakeProvider, Handler

KEEPS = timedelta(days=30)
_MOST_TYPES = 20
_LISTS = {
    "checkout/sessions": ("cs_", "checkout_session"),
    "invoices": ("in_", "invoice"),
    "payment_intents": ("pi_", "payment_intent"),
    "charges": ("ch_", "charge"),
    "refunds": ("re_", "charge"),
    "disputes": ("dp_", "dispute"),
    "subscriptions": ("sub_", "subscription"),
    "prices": ("price_", "plan"),
}
_MADE = {
    "products": ("prod_", "product", ("name",)),
    "prices": ("price_", "plan", ("currency",)),
    "payment_links": ("plink_", "payment_links", ("line_items",)),
}


@dataclass
class FakeStripe(Happenings, FakeProvider):
    """Stripe, as far as adapters ask it.

    Attributes:
        mode: which of its worlds the key opens.
        version: the account's own, in which events are written.
        lacks: what a restricted key may not do, as "event_read" or "payment_links_write".
        gone: names of objects that are not found any more.
        breaks: requests whose path begins so are answered 500.
        knows_types: whether a list of types is taken; localstripe takes none.
    """

    mode: str = "test"
    version: str = NEW
    lacks: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    breaks: str = ""
    knows_types: bool = True
    things: dict[str, Thing] = field(default_factory=dict)
    _keys: dict[str, tuple[bytes, Thing, datetime]] = field(default_factory=dict)

    @property
    def secret(self) -> str:
        """The key that is taken."""
        kind = "rk" if self.lacks else "sk"
        return f"{kind}_{self.mode}_of_the_tests"

    @property
    def key(self) -> Lookup:
        """The key that is taken."""
        return Lookup.of(Secret(self.secret))

    @property
    def settings(self) -> StripeSettings:
        """The settings of whoever uses it."""
        return StripeSettings(
            base_url=self.base_url,
            api_version=NEW,
            mode="test" if self.mode == "test" else "live",
        )

    # -- what it answers ---------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        """What it answers."""
        routes = [
            Route("/v1/events", self._guarded("event", self._events)),
            Route("/v1/invoice_payments", self._guarded("invoice", self._payments)),
            Route(
                "/v1/payment_links/{id}",
                self._guarded("payment_links", self._change_link),
                methods=["POST"],
            ),
        ]
        for path, (prefix, word) in _LISTS.items():
            routes.append(Route(f"/v1/{path}", self._guarded(word, self._lister(path, prefix))))
            routes.append(Route(f"/v1/{path}/{{id}}", self._guarded(word, self._retrieve)))
        for path, (prefix, word, needed) in _MADE.items():
            make = self._maker(prefix, needed)
            routes.append(Route(f"/v1/{path}", self._guarded(word, make), methods=["POST"]))
        return routes

    def too_many(self, response: Response) -> Response:
        """A 429 as Stripe sends it."""
        refusal = _refused(429, "Too many requests hit the API too quickly.", code="rate_limit")
        if "retry-after" in response.headers:
            refusal.headers["retry-after"] = response.headers["retry-after"]
        return refusal

    def _guarded(self, word: str, answer: Callable[[Request], Response]) -> Handler:
        async def guarded(request: Request) -> Response:
            path = request.url.path.removeprefix(f"/{self.name}/v1/")
            if self.breaks and path.startswith(self.breaks):
                return _refused(500, "An unknown error occurred.", kind="api_error")
            request.state.form = await request.body()
            shown = request.headers.get("authorization", "")
            if shown != f"Bearer {self.secret}":
                return _refused(401, f"Invalid API Key provided: {shown[-4:]}")
            doing = f"{word}_{'write' if request.method == 'POST' else 'read'}"
            if doing in self.lacks:
                return self._forbidden(doing)
            return answer(request)

        return guarded

    def _forbidden(self, doing: str) -> Response:
        return _refused(
            403,
            f"The provided key 'rk_{self.mode}_****' does not have the required permissions for"
            f" this endpoint on account 'acct_1'. Having the 'rak_{doing}' permission would allow"
            " this request to continue.",
        )

    # -- reading -----------------------------------------------------------------------------------

    def _events(self, request: Request) -> Response:
        asked = request.query_params
        types = asked.getlist("types[]")
        if types and not self.knows_types:
            return _refused(400, "Unexpected types")
        if len(types) > _MOST_TYPES:
            return _refused(400, "You can filter by at most 20 types.", param="types")
        faults = self.world.faults
        if faults.shifting and asked.get("starting_after") and self.world.chance(0.5):
            self.stranger()
        since = max(self.world.now - KEEPS, _gte(asked.get("created[gte]")))
        items = [
            self.event_of(each)
            for each in reversed(self.told())
            if each.at.replace(microsecond=0) >= since and (not types or each.word in types)
        ]
        return self._page(items, request, "events")

    def _lister(self, path: str, prefix: str) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            asked = request.query_params
            since = _gte(asked.get("created[gte]")).timestamp()
            version = _version(request)
            items = [
                without_private(shaped(each, version))
                for name, each in reversed(self.things.items())
                if name.startswith(prefix)
                and each["created"] >= since
                and self._is_wanted(each, asked)
            ]
            return self._page(items, request, path)

        return answer

    def _is_wanted(self, thing: Thing, asked: Any) -> bool:
        intent = asked.get("payment_intent")
        if intent is not None and thing.get("payment_intent") != intent:
            return False
        is_subscription = thing["object"] == "subscription"
        return not (
            is_subscription and asked.get("status") != "all" and thing["status"] == "canceled"
        )

    def _page(self, items: list[Thing], request: Request, path: str) -> Response:
        limit = int(request.query_params.get("limit", "10"))
        after = request.query_params.get("starting_after")
        begin = 0
        if after is not None:
            places = [place for place, each in enumerate(items) if each["id"] == after]
            if not places or self.world.chance(self.world.faults.expired):
                words = f"No such {path.rpartition('/')[2].rstrip('s')}: '{after}'"
                return _refused(400, words, code="resource_missing", param="starting_after")
            begin = places[-1] + 1
        page = items[begin : begin + limit]
        return JSONResponse(list_of(page, path, more=begin + limit < len(items)))

    def _payments(self, request: Request) -> Response:
        if not is_new(_version(request)):
            return _refused(404, "Unrecognized request URL (GET: /v1/invoice_payments).")
        intent = request.query_params.get("payment[payment_intent]")
        found = [
            payment
            for name, invoice in self.things.items()
            if name.startswith("in_")
            for payment in invoice["payments"]["data"]
            if intent is None or payment["payment"]["payment_intent"] == intent
        ]
        return self._page(found, request, "invoice_payments")

    def _retrieve(self, request: Request) -> Response:
        name = request.path_params["id"]
        thing = self.things.get(name)
        if thing is None or name in self.gone:
            kind = name.partition("_")[0]
            return _refused(404, f"No such {kind}: '{name}'", code="resource_missing", param="id")
        version = _version(request)
        paths = request.query_params.getlist("expand[]")
        if any("balance_transaction" in each for each in paths) and "balance" in self.lacks:
            return self._forbidden("balance_transaction_source_read")
        first = tuple(each.partition(".")[0] for each in paths)

        def find(inner: str) -> Thing | None:
            other = self.things.get(inner)
            return None if other is None else shaped(other, version)

        try:
            found = expanded(shaped(thing, version, first), paths, find)
        except CannotExpand as error:
            return _refused(400, str(error))
        return JSONResponse(without_private(found))

    # -- making ------------------------------------------------------------------------------------

    def _maker(self, prefix: str, needed: tuple[str, ...]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            form = _form(request.state.form)
            missing = [each for each in needed if each not in form]
            if missing:
                words = f"Missing required param: {missing[0]}."
                return _refused(400, words, code="parameter_missing", param=missing[0])
            return self._once(request, lambda: self.make(prefix, form))

        return answer

    def _change_link(self, request: Request) -> Response:
        link = self.things.get(request.path_params["id"])
        if link is None:
            return _refused(404, "No such payment link", code="resource_missing")

        def change() -> Thing:
            link["active"] = _form(request.state.form).get("active") == "true"
            return link

        return self._once(request, change)

    def _once(self, request: Request, make: Callable[[], Thing]) -> Response:
        key, body = request.headers.get("idempotency-key", ""), request.state.form
        kept = self._keys.get(key)
        if kept is not None and kept[2] > self.world.now - timedelta(hours=24):
            if kept[0] != body:
                words = "Keys for idempotent requests can only be used with the same parameters."
                return _refused(400, words, kind="idempotency_error")
            return JSONResponse(without_private(kept[1]))
        made = make()
        if key:
            self._keys[key] = (body, made, self.world.now)
        return JSONResponse(without_private(made))


def _refused(
    status: int, words: str, *, kind: str = "invalid_request_error", **more: str
) -> Response:
    return JSONResponse({"error": {"type": kind, "message": words, **more}}, status)


def _version(request: Request) -> str:
    return str(request.headers.get("stripe-version", NEW))


def _gte(value: str | None) -> datetime:
    return datetime.fromtimestamp(int(value or 0), UTC)


def _form(body: bytes) -> Thing:
    """A form with brackets, as what it stands for."""
    found: Thing = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        names = list(_names(name))
        inner = found
        for each in names[:-1]:
            inner = inner.setdefault(each, {})
        inner[names[-1]] = value
    return found


def _names(name: str) -> Iterator[str]:
    yield from re.findall(r"[^\[\]]+", name)
