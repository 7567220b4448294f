"""Reading again what Stripe's events are about, at the version this program speaks.

An event has its object as it was, in the shape that the account's version gave it. What it leads to
is only in the object itself: the fee of a charge, the payment intent of an invoice, what a payment
intent is of. What the events of a page share is read once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from crm_tui.providers.stripe_api import Forbidden, StripeApi, listed
from crm_tui.providers.stripe_objects import (
    NOTHING,
    Object,
    id_of,
    intent_of,
    thing,
    whole,
    within,
    word,
)

_IN_A_PATH = re.compile(r"[A-Za-z0-9_-]{1,255}")
_FEE = "balance_transaction"
_INTENT = ("latest_charge.balance_transaction",)
_READ: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "checkout.session": (
        "checkout/sessions",
        ("line_items", "payment_intent.latest_charge.balance_transaction"),
    ),
    "invoice": ("invoices", ("payments",)),
    "payment_intent": ("payment_intents", _INTENT),
    "refund": ("refunds", ("charge.balance_transaction", "payment_intent")),
    "charge": ("charges", ("refunds", _FEE, "payment_intent")),
    "dispute": ("disputes", ("charge.balance_transaction", "payment_intent")),
    "subscription": ("subscriptions", ()),
}
"""Where an object is, and what is put in place of the names in it; by its own word for itself."""

_LEFT_OUT = frozenset(
    {
        "client_secret",
        "evidence",
        "fraud_details",
        "invoice_settings",
        "next_action",
        "outcome",
        "payment_method_options",
        "payment_settings",
        "source",
    }
)
"""What nobody needs to keep: secrets of the payer's page, and much that is long."""
_AT_ONCE = 300
"""How far apart an invoice is made final, and the intent that pays it is made, in seconds."""
_OF_A_CARD = frozenset({"payment_method_details", "payment_method"})


class Reader:
    """Reads objects for one page of events.

    Attributes:
        notes: what the operator should know, as sentences.
    """

    def __init__(self, stripe: StripeApi) -> None:
        self._stripe = stripe
        self._cache: dict[str, Object] = {}
        self._owners: dict[str, tuple[str, Object]] = {}
        self.notes: list[str] = []

    async def read(self, items: Iterable[tuple[str, Object]]) -> dict[str, dict[str, Any]]:
        """What belongs to events, or to objects that were listed.

        Args:
            items: each with the name it is kept under.

        Returns, by those names, `object` (None where it need not be read again, or is no more) and
        `related`.

        Raises:
            ProviderError: it could not be read.
        """
        # What payment intents belong to comes first, so that few have to be asked about.
        given = sorted(
            items, key=lambda each: _kind(each[1]) not in {"checkout.session", "invoice"}
        )
        return {name: await self._belonging(item) for name, item in given}

    async def _belonging(self, item: Object) -> dict[str, Any]:
        kind = _kind(item)
        now = await self._again(kind, item) if _is_worth_it(kind, item) else NOTHING
        related: dict[str, Any] = {}
        if kind == "invoice":
            intent = intent_of(now) or intent_of(item)
            found = await self._object("payment_intent", intent) if now else NOTHING
            related = {"payment_intent": lean(found)} if found else {}
        elif kind == "payment_intent":
            related = await self._owner(now or item)
        return {"object": lean(now) if now else None, "related": related}

    async def _again(self, kind: str, item: Object) -> Object:
        """An object read again; what it has in it is read then, too."""
        now = await self._object(kind, id_of(item))
        if kind == "checkout.session":
            intent = now.get("payment_intent")
            if name := id_of(intent):
                self._owners[name] = ("session", _name_card(now))
                if isinstance(intent, Mapping):
                    self._cache[f"payment_intents/{name}"] = intent
        elif kind == "invoice" and (name := intent_of(now) or intent_of(item)):
            self._owners[name] = ("invoice", _name_card(now or item))
        return now

    async def _owner(self, intent: Object) -> dict[str, Any]:
        """The session or the invoice a payment intent is of."""
        name = id_of(intent)
        if name is None:
            return {}
        if name not in self._owners:
            found = await self._find_owner(name, intent)
            if found is None:
                return {}
            self._owners[name] = found
        kind, owner = self._owners[name]
        return {kind: owner}

    async def _find_owner(self, name: str, intent: Object) -> tuple[str, Object] | None:
        """The same, asked for: "session" or "invoice", and whose that is."""
        if invoice := id_of(intent.get("invoice")):
            return await self._invoice(invoice)
        if sessions := await self._list("checkout/sessions", [("payment_intent", name)]):
            return "session", _name_card(sessions[0])
        asked = [("payment[type]", "payment_intent"), ("payment[payment_intent]", name)]
        payments = await self._list("invoice_payments", asked)
        if payments is None:
            alike = await self._invoice_like(intent)
            return ("invoice", _name_card(alike)) if alike else None
        if payments and (invoice := id_of(payments[0].get("invoice"))):
            return await self._invoice(invoice)
        return None

    async def _invoice(self, name: str) -> tuple[str, Object]:
        """An invoice that is named; its name alone where it is no more."""
        found = await self._object("invoice", name)
        return "invoice", _name_card(found) or {"object": "invoice", "id": name}

    async def _list(
        self, path: str, query: Iterable[tuple[str, str]], most: int = 1
    ) -> list[dict[str, Any]] | None:
        """The first of a list; None where there is no such list."""
        answer = await self._stripe.get(path, [*query, ("limit", most)])
        return listed(answer)[0] if answer.ok else None

    async def _invoice_like(self, intent: Object) -> Object:
        """The payer's invoice of this amount and time, where none names the intent that paid it.

        So it is between the versions that have intents on invoices and those that list payments.
        """
        customer = id_of(intent.get("customer"))
        if customer is None:
            return NOTHING
        found = await self._list("invoices", [("customer", customer)], most=100) or []
        alike = [
            (apart, each)
            for each in found
            if intent_of(each) is None
            and each.get("currency") == intent.get("currency")
            and intent.get("amount") in (each.get("amount_paid"), each.get("amount_due"))
            and (apart := _apart(each, intent)) <= _AT_ONCE
        ]
        return min(alike, key=lambda each: each[0])[1] if alike else NOTHING

    async def _object(self, kind: str, name: str | None) -> Object:
        """An object; an empty one where it is no more, or cannot be asked for."""
        path, expand = _READ[kind]
        if name is None or not _IN_A_PATH.fullmatch(name):
            return NOTHING
        place = f"{path}/{name}"
        if place not in self._cache:
            self._cache[place] = await self._fetch(place, expand)
        return self._cache[place]

    async def _fetch(self, place: str, expand: tuple[str, ...]) -> Object:
        if not self._stripe.knows_fees:
            expand = _without_fees(expand)
        try:
            answer = await self._stripe.get(place, [("expand[]", each) for each in expand])
        except Forbidden:
            bare = _without_fees(expand)
            if bare == expand:
                raise
            found = await self._fetch(place, bare)  # or it is the object that may not be read
            self._stripe.knows_fees = False
            self.notes.append(
                "Stripe does not tell its fees to this key: give it Balance transaction sources:"
                " read at dashboard.stripe.com/apikeys."
            )
            return found
        if answer.status == 400 and expand:  # a version that does not know one of them
            return await self._fetch(place, ())
        return answer.object() if answer.ok else NOTHING


def _without_fees(expand: tuple[str, ...]) -> tuple[str, ...]:
    bare = (each.removesuffix(_FEE).removesuffix(".") for each in expand)
    return tuple(each for each in bare if each)


def _kind(item: Object) -> str:
    return word(item.get("object"))


def _is_worth_it(kind: str, item: Object) -> bool:
    """Whether an object says less by itself than when it is read again."""
    if kind == "checkout.session":
        is_payment = word(item.get("mode")) == "payment"
        return is_payment and word(item.get("status")) in {"complete", ""}
    if kind == "invoice":
        return word(item.get("status")) not in {"draft", "void", "uncollectible"}
    return kind in _READ


def _apart(invoice: Object, intent: Object) -> float:
    """The seconds between an invoice being final and a payment intent being made."""
    made = whole(within(invoice, "status_transitions", "finalized_at"))
    final, begun = made or whole(invoice.get("created")), whole(intent.get("created"))
    return inf if final is None or begun is None else abs(final - begun)


def _name_card(item: Object) -> dict[str, Any]:
    """Of a session or an invoice, only whose it is."""
    names = (
        "id",
        "object",
        "client_reference_id",
        "metadata",
        "customer",
        "customer_details",
        "customer_email",
        "customer_name",
        "payment_link",
        "subscription",
        "parent",
    )
    return {name: item[name] for name in names if item.get(name) is not None}


def lean(value: Any) -> Any:
    """An object without what nobody needs to keep; of a card, only that it is one."""
    if isinstance(value, list):
        return [lean(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    found = {}
    for name, inner in value.items():
        if name in _LEFT_OUT:
            continue
        if name in _OF_A_CARD and isinstance(inner, Mapping):
            found[name] = {each: inner[each] for each in ("id", "type") if each in inner}
        else:
            found[name] = lean(inner)
    return found


def is_of(item: Any, *, live: bool) -> bool:
    """Whether an object is of this mode, or does not say."""
    its = thing(item).get("livemode")
    return its is live or not isinstance(its, bool)
