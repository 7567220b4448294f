"""The shapes of Stripe's objects, as a fake tells them: since 2025-03-31.basil, and before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

Thing = dict[str, Any]

BASIL = "2025-03-31.basil"
NEW, OLD = "2025-08-27.basil", "2024-06-20"

_EXPANDED_ONLY = {"checkout.session": ("line_items",), "charge": ("refunds",)}
"""Lists that an object has in it only where they are asked for."""


class CannotExpand(Exception):
    """What was to be put in place of a name is none."""


def list_of(items: list[Thing], url: str, *, more: bool = False) -> Thing:
    """A list of Stripe's."""
    return {"object": "list", "data": items, "has_more": more, "url": f"/v1/{url}"}


def is_new(version: str) -> bool:
    """Whether a version has the shapes of basil."""
    return version >= BASIL


def shaped(thing: Mapping[str, Any], version: str, expand: tuple[str, ...] = ()) -> Thing:
    """An object as a version tells it, without the lists nobody asked for."""
    found = deepcopy(dict(thing))
    kind = found.get("object")
    for name in _EXPANDED_ONLY.get(str(kind), ()):
        if name not in expand:
            found.pop(name, None)
    if is_new(version):
        if kind == "invoice" and "payments" not in expand:
            found.pop("payments", None)
        return found
    if kind == "subscription":
        _old_subscription(found)
    elif kind == "invoice":
        _old_invoice(found)
    return found


def _old_subscription(found: Thing) -> None:
    items = found["items"]["data"]
    for name in ("current_period_start", "current_period_end"):
        found[name] = min(each[name] for each in items)
        for each in items:
            del each[name]
    for each in items:
        price = each["price"]
        each["plan"] = {
            "id": price["id"],
            "object": "plan",
            "active": True,
            "amount": price["unit_amount"],
            "amount_decimal": str(price["unit_amount"]),
            "currency": price["currency"],
            "interval": price["recurring"]["interval"],
            "interval_count": price["recurring"]["interval_count"],
            "product": price["product"],
        }
    found["plan"] = items[0]["plan"] if len(items) == 1 else None
    found["quantity"] = items[0]["quantity"] if len(items) == 1 else None


def _old_invoice(found: Thing) -> None:
    details = (found.pop("parent") or {}).get("subscription_details") or {}
    found["subscription"] = details.get("subscription")
    found["subscription_details"] = {"metadata": details.get("metadata")}
    payments = found.pop("payments")["data"]
    intent = payments[0]["payment"]["payment_intent"] if payments else None
    found["payment_intent"] = intent
    found["charge"] = found.pop("_charge", None)
    found["tax"] = sum(each["amount"] for each in found.pop("total_taxes")) or None
    for line in found["lines"]["data"]:
        parent = (line.pop("parent") or {}).get("subscription_item_details")
        line["type"] = "subscription" if parent else "invoiceitem"
        line["subscription"] = parent["subscription"] if parent else None
        line["proration"] = False
        line["price"] = {"id": line.pop("pricing")["price_details"]["price"], "object": "price"}


def without_private(value: Any) -> Any:
    """An object without what only the fake knows."""
    if isinstance(value, list):
        return [without_private(each) for each in value]
    if isinstance(value, dict):
        return {n: without_private(each) for n, each in value.items() if not n.startswith("_")}
    return value


def expanded(thing: Thing, paths: list[str], find: Callable[[str], Thing | None]) -> Thing:
    """An object with others in place of their names.

    Raises:
        CannotExpand: there is nothing to put there, or it lies too deep.
    """
    for path in paths:
        names = path.split(".")
        if len(names) > 4:
            raise CannotExpand("You cannot expand more than 4 levels of a property.")
        _expand(thing, names, find)
    return thing


def _expand(value: Any, names: list[str], find: Callable[[str], Thing | None]) -> None:
    if isinstance(value, list):
        for each in value:
            _expand(each, names, find)
        return
    if not names or value is None:
        return
    first, rest = names[0], names[1:]
    if not isinstance(value, dict) or first not in value:
        raise CannotExpand(f"This property cannot be expanded ({first}).")
    inner = value[first]
    if isinstance(inner, str):
        found = find(inner)
        if found is None:
            raise CannotExpand(f"This property cannot be expanded ({first}).")
        value[first] = inner = found
    _expand(inner, rest, find)
