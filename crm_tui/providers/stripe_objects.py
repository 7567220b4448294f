"""Stripe's objects, read: names, times, amounts, payers and terms; in the shape before and after basil.

With version 2025-03-31.basil a subscription's period moved to its items, an invoice's subscription
to its parent, and its payment intent to its list of payments. Which shape an event has is decided by
the account's version at the time, so each is looked for in both places.

Whatever is read here was written by others: nothing raises but `Unreadable`, and what is not of its
type is as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from crm_tui.money import digits
from crm_tui.providers.events import Unreadable
from crm_tui.providers.money import Payer
from crm_tui.text import plain_line

Object = Mapping[str, Any]
NOTHING: Object = {}

LEAD = "lead_id"
"""What the business's key is called in metadata."""

_ZERO = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE = frozenset("BHD JOD KWD OMR TND".split())
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_ID = re.compile(r"[!-~]{1,255}")
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,12})?")
_MOST = 10**15
_LAST_SECOND = 253402300799  # the year 9999
_LONGEST = 300


def digits_of(currency: str) -> int:
    """How many digits Stripe counts after the point, which is not always ISO 4217's number."""
    if currency in _ZERO:
        return 0
    return 3 if currency in _THREE else 2


def to_minor(amount: int | Fraction, currency: str) -> int:
    """An amount as Stripe counts it, in minor units of ISO 4217, rounded half-even."""
    return round(Fraction(amount) * Fraction(10) ** (digits(currency) - digits_of(currency)))


def from_minor(amount: int, currency: str) -> int:
    """An amount in minor units of ISO 4217, as Stripe counts it, rounded half-even."""
    return round(Fraction(amount) * Fraction(10) ** (digits_of(currency) - digits(currency)))


# -- values ----------------------------------------------------------------------------------------


def thing(value: Any) -> Object:
    """An object; an empty one where it is none."""
    return value if isinstance(value, Mapping) else NOTHING


def things(value: Any) -> Sequence[Object]:
    """The objects of a list, also of one of Stripe's with `data` in it."""
    items = value.get("data") if isinstance(value, Mapping) else value
    return [each for each in items if isinstance(each, Mapping)] if isinstance(items, list) else ()


def within(value: Any, *names: str) -> Any:
    """What lies below these names; None where there is nothing."""
    for name in names:
        value = thing(value).get(name)
    return value


def word(value: Any) -> str:
    """One safe line of text; "" where it is none."""
    return plain_line(value)[:_LONGEST].strip() if isinstance(value, str) else ""


def whole(value: Any) -> int | None:
    """A whole number that can be kept."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and abs(value) < _MOST else None


def id_of(value: Any) -> str | None:
    """The name of an object: as it is written, or of the object that was put in its place."""
    name = value.get("id") if isinstance(value, Mapping) else value
    return name if isinstance(name, str) and _ID.fullmatch(name) else None


def moment(value: Any) -> datetime | None:
    """A time in seconds since 1970, aware UTC."""
    seconds = whole(value)
    if seconds is None or not 0 < seconds <= _LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def currency_of(value: Any) -> str | None:
    """A currency in capital letters."""
    return value.upper() if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


def need_id(item: Object) -> str:
    """The name of an object that has to have one.

    Raises:
        Unreadable: it has none.
    """
    name = id_of(item)
    if name is None:
        raise Unreadable(f"a {word(item.get('object')) or 'record'} of Stripe without an id")
    return name


def need_currency(item: Object) -> str:
    """The currency of an object that has to have one.

    Raises:
        Unreadable: it has none.
    """
    currency = currency_of(item.get("currency"))
    if currency is None:
        raise Unreadable(f"{word(item.get('id'))} of Stripe has no currency")
    return currency


def need_amount(item: Object, *names: str, currency: str) -> int:
    """The first of these amounts that there is, in minor units of ISO 4217.

    Raises:
        Unreadable: there is none, or it is below 0.
    """
    found = next((n for name in names if (n := whole(item.get(name))) is not None), None)
    if found is None or found < 0:
        raise Unreadable(f"{word(item.get('id'))} of Stripe has no {names[0]}")
    return to_minor(found, currency)


# -- who paid --------------------------------------------------------------------------------------


def payer_of(
    *items: Object,
    reference: str = "",
    ids: Sequence[str | None] = (),
    metadata: Sequence[Any] = (),
) -> Payer:
    """Who paid, by all objects that tell of it; the first that says something wins.

    Args:
        items: sessions, invoices, charges, payment intents, subscriptions.
        reference: what our link sent along.
        ids: the names of all that this belongs to.
        metadata: further metadata, besides that of the items.
    """
    keys = [within(each, "metadata", LEAD) for each in items]
    keys += [thing(each).get(LEAD) for each in metadata]
    details = [each for item in items for each in _details(item)]
    address = next((a for each in details if (a := _address(each.get("address")))), {})
    names: list[str | None] = [*ids]
    for each in items:
        names += [id_of(each), id_of(each.get("customer"))]
    return Payer(
        reference=word(reference),
        lead_key=next((key for each in keys if (key := word(each))), ""),
        ids=tuple(dict.fromkeys(each for each in names if each)),
        name=_first(details, "name"),
        email=_first(details, "email"),
        address=address,
        country=address.get("country", ""),
        tax_id=next((tax for each in details if (tax := _tax_id(each.get("tax_ids")))), ""),
    )


def _details(item: Object) -> Iterator[Object]:
    """What an object knows of the payer: name, email, address, tax_ids."""
    yield thing(item.get("customer_details"))  # of a session
    yield {
        "name": item.get("customer_name"),  # of an invoice
        "email": item.get("customer_email"),
        "address": item.get("customer_address"),
        "tax_ids": item.get("customer_tax_ids"),
    }
    yield thing(item.get("billing_details"))  # of a charge
    yield {"email": item.get("receipt_email")}
    customer = thing(item.get("customer"))
    yield {each: customer.get(each) for each in ("name", "email", "address")}


def _first(details: Sequence[Object], name: str) -> str:
    return next((text for each in details if (text := word(each.get(name)))), "")


def _address(value: Any) -> dict[str, str]:
    given = thing(value)
    lines = [word(given.get("line1")), word(given.get("line2"))]
    country = word(given.get("country")).upper()
    found = {
        "street": ", ".join(each for each in lines if each),
        "city": word(given.get("city")),
        "region": word(given.get("state")),
        "postal_code": word(given.get("postal_code")),
        "country": country if re.fullmatch("[A-Z]{2}", country) else "",
    }
    return {name: text for name, text in found.items() if text}


def _tax_id(value: Any) -> str:
    return next((text for each in things(value) if (text := word(each.get("value")))), "")


# -- invoices and charges --------------------------------------------------------------------------


def subscription_of(invoice: Object) -> str | None:
    """The subscription an invoice is for."""
    parent = within(invoice, "parent", "subscription_details", "subscription")
    of_lines = (
        within(line, "parent", "subscription_item_details", "subscription")
        or line.get("subscription")
        for line in things(invoice.get("lines"))
    )
    return (
        id_of(invoice.get("subscription"))
        or id_of(parent)
        or next((name for each in of_lines if (name := id_of(each))), None)
    )


def invoice_metadata(invoice: Object) -> list[Any]:
    """The metadata of the subscription, as the invoice has it."""
    return [
        within(invoice, "parent", "subscription_details", "metadata"),
        within(invoice, "subscription_details", "metadata"),
        *(line.get("metadata") for line in things(invoice.get("lines"))),
    ]


def intent_of(invoice: Object) -> str | None:
    """The payment intent an invoice was paid by, or is to be."""
    payments = sorted(
        things(invoice.get("payments")), key=lambda each: each.get("status") != "paid"
    )
    of_payments = (within(each, "payment", "payment_intent") for each in payments)
    return id_of(invoice.get("payment_intent")) or next(
        (name for each in of_payments if (name := id_of(each))), None
    )


def charge_of(invoice: Object) -> str | None:
    """The charge an invoice names itself."""
    of_payments = (within(e, "payment", "charge") for e in things(invoice.get("payments")))
    return id_of(invoice.get("charge")) or next(
        (name for each in of_payments if (name := id_of(each))), None
    )


def price_of(invoice: Object) -> str | None:
    """The price of what an invoice is for: of its first line for a subscription, else of its first."""
    lines = sorted(things(invoice.get("lines")), key=lambda each: not _is_subscription(each))
    for line in lines:
        name = (
            id_of(within(line, "pricing", "price_details", "price"))
            or id_of(line.get("price"))
            or id_of(line.get("plan"))
        )
        if name:
            return name
    return None


def _is_subscription(line: Object) -> bool:
    details = thing(within(line, "parent", "subscription_item_details"))
    if details:
        return details.get("proration") is not True
    return line.get("type") == "subscription" and line.get("proration") is not True


def tax_of(item: Object, currency: str) -> int | None:
    """The tax that is part of an invoice or a session; None where it is not told."""
    amount = whole(item.get("tax"))
    if amount is None:
        amount = whole(within(item, "total_details", "amount_tax"))
    if amount is None:
        for name in ("total_taxes", "total_tax_amounts"):
            if isinstance(item.get(name), list):
                amount = sum(whole(each.get("amount")) or 0 for each in things(item[name]))
                break
    return None if amount is None or amount < 0 else to_minor(amount, currency)


def fee_of(charge: Object, currency: str) -> int | None:
    """What Stripe kept of a charge; None where that is in another currency, or not told."""
    balance = thing(charge.get("balance_transaction"))
    fee = whole(balance.get("fee"))
    if fee is None or fee < 0 or currency_of(balance.get("currency")) != currency:
        return None
    return to_minor(fee, currency)


def refunded_of(charge: Object, currency: str) -> int | None:
    """How much of a charge went back by now; None where that is not told."""
    back = whole(charge.get("amount_refunded"))
    return None if back is None or back < 0 else to_minor(back, currency)


def method_of(charge: Object) -> str:
    """What a charge was paid with, in Stripe's word; "card" where that is not told."""
    return word(within(charge, "payment_method_details", "type"))[:40] or "card"


def number_of(value: Any) -> Fraction | None:
    """A number written as a decimal."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return None
    try:
        return Fraction(Decimal(value))
    except InvalidOperation:
        return None
