"""What is asked of Stripe, and how its fake answers, held against Stripe's own descriptions.

The description that can be had is of 2023-08-16, before basil; the example objects are of today. So
the fake's objects are held against the one in their old shape, and against the others in the new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import yaml

from crm_tui.providers.events import Asked, Unreadable
from crm_tui.providers.stripe import StripePayments, StripeStream, check, parse_money
from crm_tui.vocabulary import Interval
from tests.providers.stripe_telling import NOW, a_stripe
from tests.world.official import _Loader, find_specs
from tests.world.stripe import _form
from tests.world.stripe_shapes import NEW, OLD, Thing, shaped, without_private

_SPEC, _EXAMPLES = "stripe.spec3.2023-08-16.yaml", "stripe.fixtures3.json"
_KINDS = (
    "charge",
    "checkout.session",
    "dispute",
    "event",
    "invoice",
    "payment_intent",
    "payment_link",
    "price",
    "refund",
    "subscription",
)


def _file(name: str) -> Any:
    folder = find_specs()
    if folder is None or not (folder / name).is_file():
        pytest.skip(f"Stripe's {name} is not here (CRM_TUI_SPECS)")
    return (folder / name).read_text(encoding="utf-8")


@cache
def _spec() -> Thing:
    found: Thing = yaml.load(_file(_SPEC), _Loader)
    return found


def _resolved(schema: Thing) -> Thing:
    while "$ref" in schema:
        schema = _spec()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _strange(schema: Thing, value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """What of a value is not as a schema has it; what it lacks is no matter."""
    schema = _resolved(schema)
    if alternatives := schema.get("anyOf"):
        found = [list(_strange(each, value, path)) for each in alternatives]
        yield from () if value is None else min(found, key=len)
        return
    kind = schema.get("type")
    kinds = {dict: "object", list: "array", bool: "boolean", int: "integer", str: "string"}
    if value is None:
        if not schema.get("nullable"):
            yield f"{'.'.join(path)} is null"
    elif kind != kinds[type(value)]:
        yield f"{'.'.join(path)} is {value!r}, not {kind}"
    elif isinstance(value, list):
        for each in value:
            yield from _strange(schema.get("items", {}), each, (*path, "[]"))
    elif isinstance(value, dict) and not isinstance(schema.get("additionalProperties"), dict):
        yield from _strangers(schema.get("properties", {}), value, path)


def _strangers(properties: Thing, value: Thing, path: tuple[str, ...]) -> Iterator[str]:
    for name, inner in value.items():
        if name in properties:
            yield from _strange(properties[name], inner, (*path, name))
        elif properties:
            yield f"{'.'.join((*path, name))} is not described"


def _asked(schema: Thing, value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Names of a form that a schema does not have."""
    schema = _resolved(schema)
    for each in schema.get("anyOf", ()):
        if each.get("type") in {"object", "array"}:
            schema = each
            break
    if isinstance(value, dict) and schema.get("type") == "array":
        for inner in value.values():
            yield from _asked(schema["items"], inner, path)
    elif isinstance(value, dict) and schema.get("properties"):
        for name, inner in value.items():
            if name not in schema["properties"]:
                yield ".".join((*path, name))
            else:
                yield from _asked(schema["properties"][name], inner, (*path, name))


class _Recorded(httpx.AsyncBaseTransport):
    """Keeps what goes through it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.transport = transport
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return await self.transport.handle_async_request(request)


def _violations(request: httpx.Request) -> Iterator[str]:
    path = request.url.path.removeprefix("/stripe")
    described = _spec()["paths"]
    pattern = next((p for p in (path, _pattern(path)) if p in described), None)
    if pattern is None:
        yield f"{request.method} {path}"
        return
    operation = described[pattern].get(request.method.lower())
    if operation is None:
        yield f"{request.method} {path}"
        return
    names = {each["name"] for each in operation.get("parameters", ())}
    for name, _ in parse_qsl(request.url.query.decode()):
        if name.partition("[")[0] not in names:
            yield f"{request.method} {path}: {name}"
    content = operation.get("requestBody", {}).get("content", {})
    if request.method == "POST":
        schema = content["application/x-www-form-urlencoded"]["schema"]
        yield from (f"POST {path}: {name}" for name in _asked(schema, _form(request.content)))


def _pattern(path: str) -> str:
    first, _, name = path.rpartition("/")
    known = {
        "/v1/checkout/sessions": "session",
        "/v1/charges": "charge",
        "/v1/disputes": "dispute",
        "/v1/invoices": "invoice",
        "/v1/payment_intents": "intent",
        "/v1/payment_links": "payment_link",
        "/v1/prices": "price",
        "/v1/refunds": "refund",
        "/v1/subscriptions": "subscription_exposed_id",
    }
    return f"{first}/{{{known.get(first, name)}}}"


async def test_what_is_asked_is_described() -> None:
    world, stripe = a_stripe()
    carried = _Recorded(world.transport())
    async with StripePayments(stripe.settings, stripe.key, transport=carried) as payments:
        links = []
        for interval in (Interval.MONTH, Interval.ONCE):
            prices = await payments.make_prices(
                "Gold", 4_900, "USD", interval, 100, key=interval.value
            )
            links.append(
                await payments.make_link(
                    prices, key=f"l-{interval}", reference="a", email=None, plan="Gold"
                )
            )
        sessions = [stripe.pay(each.id) for each in links]
        await payments.close_link(links[0].id)
    stripe.refund(sessions[1], 100)
    stripe.dispute(sessions[0])
    stripe.stranger()
    async with StripeStream(stripe.settings, stripe.key, transport=carried) as stream:
        await stream.fetch_events({}, Asked(now=world.now))
        await stream.reconcile(Asked(now=world.now), NOW)
    await check(stripe.settings, stripe.key, transport=carried)
    found = {words for request in carried.requests for words in _violations(request)}
    assert found == {
        # Since then. The examples of today have the first three, the client of today the fourth.
        "POST /v1/payment_links: payment_intent_data.metadata",
        "POST /v1/payment_links: subscription_data.metadata",
        "POST /v1/payment_links: restrictions",
        "GET /v1/checkout/sessions: created[gte]",
        "GET /v1/invoice_payments",
    }


def _made() -> dict[str, list[tuple[Thing, Thing]]]:
    """Everything the fake can tell, in the old shape and in the new."""
    _, stripe = a_stripe()
    month = stripe.price(4_900, interval="month")
    session = stripe.pay(stripe.link(month, stripe.price(900), lead="a")["id"], reference="a")
    subscription = stripe.things[session["subscription"]]
    stripe.renew(subscription, ok=False)
    stripe.pause(subscription)
    stripe.cancel(subscription, at_period_end=True)
    stripe.pay(stripe.link(month)["id"])
    once = stripe.pay(stripe.link(stripe.price(900))["id"])
    stripe.refund(once, 100)
    stripe.dispute(once)
    found: dict[str, list[tuple[Thing, Thing]]] = {each: [] for each in _KINDS}
    for thing in stripe.things.values():
        lists = ("payments", "line_items", "refunds")
        old, new = (without_private(shaped(thing, each, lists)) for each in (OLD, NEW))
        found.setdefault(thing["object"], []).append((old, new))
    events = [stripe.event_of(each) for each in stripe.log]
    found["event"] = [({**each, "data": {"object": {}}}, each) for each in events]
    return found


@pytest.mark.parametrize("kind", _KINDS)
def test_what_the_fake_tells_in_the_old_shape_is_described(kind: str) -> None:
    schema = _spec()["components"]["schemas"][kind]
    made = _made()[kind]
    assert made
    found = {words for old, _ in made for words in _strange(schema, old)}
    known = {
        "payment_link": {"restrictions is not described"},
        # There for who began before 2018, and never described.
        "subscription": {
            f"{each} is not described" for each in ("plan", "quantity", "items.data.[].plan")
        },
    }
    assert found == known.get(kind, set())


def _unlike(example: Any, value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Names of a value that an example does not have, or has as something else."""
    if isinstance(value, dict) and isinstance(example, dict) and example:
        if path[-1:] == ("metadata",):
            return
        for name, inner in value.items():
            if name not in example:
                yield ".".join((*path, name))
            else:
                yield from _unlike(example[name], inner, (*path, name))
    elif isinstance(value, list) and isinstance(example, list) and example:
        for each in value:
            yield from _unlike(example[0], each, (*path, "[]"))
    elif not (value is None or example is None or isinstance(example, type(value))):
        is_expandable = isinstance(example, str) and isinstance(value, dict)
        if not is_expandable:
            yield f"{'.'.join(path)} is {type(value).__name__}"


@pytest.mark.parametrize("kind", _KINDS)
def test_what_the_fake_tells_in_the_new_shape_is_like_the_examples(kind: str) -> None:
    example = json.loads(_file(_EXAMPLES))["resources"][kind]
    made = _made()[kind]
    found = {words for _, new in made for words in _unlike(example, new)}
    # Only put in where it is asked for, or only there in some of their states.
    known = {
        "checkout.session": {"line_items"},
        "charge": set[str](),
        "event": {each for each in found if each.startswith("data.object")},
        "payment_intent": {"last_payment_error.code", "last_payment_error.message"},
        "invoice": {"payments", *(each for each in found if each.startswith("lines.data.[]"))},
        "refund": {"failure_reason"},
    }
    assert found <= known.get(kind, set())


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("checkout.session.completed", "checkout.session"),
        ("invoice.paid", "invoice"),
        ("invoice.payment_failed", "invoice"),
        ("payment_intent.succeeded", "payment_intent"),
        ("refund.created", "refund"),
        ("charge.refunded", "charge"),
        ("charge.dispute.created", "dispute"),
        ("customer.subscription.updated", "subscription"),
    ],
)
def test_the_example_objects_are_understood(word: str, kind: str) -> None:
    item = json.loads(_file(_EXAMPLES))["resources"][kind]
    event = {
        "id": "evt_1",
        "created": 1_766_000_000,
        "livemode": False,
        "type": word,
        "data": {"object": item},
    }
    raw = {"event": event, "object": None, "related": {}}
    if kind == "checkout.session":  # the example of a session has no amount
        with pytest.raises(Unreadable, match="has no currency"):
            parse_money(raw)
        raw["object"] = {**item, "currency": "usd", "amount_total": 1_099}
    [only] = parse_money(raw)
    assert only.kind.value in {"payment", "noted", "refund", "dispute", "subscription"}
    assert only.payer.ids
    assert only.name == "evt_1"
