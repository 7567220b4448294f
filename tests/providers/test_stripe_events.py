"""What Stripe tells, understood: the same in both shapes, in any order, and whatever is in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.providers.answers import Answer
from crm_tui.providers.events import Unreadable
from crm_tui.providers.money import MoneyEvent, MoneyKind
from crm_tui.providers.stripe import TYPES, parse_money
from crm_tui.providers.stripe_objects import from_minor, to_minor
from crm_tui.vocabulary import (
    DisputeState,
    Interval,
    PaymentState,
    RefundState,
    SubscriptionState,
)
from tests.providers.stripe_telling import NOW, a_stripe, of_kind, pages, payments, told
from tests.world.stripe import FakeStripe
from tests.world.stripe_shapes import NEW, OLD
from tests.world.world import Faults

LEAD = "7f9c2b"
AT = int(NOW.timestamp())


def a_link(stripe: FakeStripe, amount: int = 4_900, *, interval: str = "", **more: Any) -> str:
    return str(stripe.link(stripe.price(amount, interval=interval, **more), lead=LEAD)["id"])


def event(word: str, item: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A record of an event whose object was not read again."""
    return {
        "event": {
            "id": "evt_1",
            "object": "event",
            "created": AT,
            "livemode": False,
            "type": word,
            "data": {"object": item},
        },
        "object": None,
        "related": {},
        **more,
    }


# -- one payment -----------------------------------------------------------------------------------


async def test_what_is_paid_once_is_one_payment_with_all_its_names_and_its_fee() -> None:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe), reference=LEAD)
    events = await told(world, stripe)
    [payment] = payments(events)
    assert {each.state for each in payment} == {PaymentState.SUCCEEDED}
    assert (payment[0].amount, payment[0].currency, payment[0].fee) == (4_900, "USD", 172)
    assert payment[0].session == session["id"]
    assert payment[0].payment_intent == session["payment_intent"]
    assert payment[0].charge
    assert any(each.price for each in payment)
    paid, of_intent = of_kind(events, MoneyKind.PAYMENT)
    assert of_intent.payer.lead_key == LEAD
    assert paid.pays_link == session["payment_link"]
    assert paid.payer.reference == paid.payer.lead_key == LEAD
    assert (paid.payer.name, paid.payer.email) == ("Ann Lee", "ann@example.com")
    assert paid.payer.address == {
        "street": "1 High Street",
        "city": "Leeds",
        "postal_code": "LS1 1AA",
        "country": "GB",
    }


async def test_a_first_payment_of_a_subscription_is_told_by_its_invoice_and_the_rest_names_it() -> (
    None
):
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe, interval="month"), reference=LEAD)
    events = await told(world, stripe)
    [payment] = payments(events)
    only, of_intent = sorted(payment, key=lambda each: each.invoice_number is None)
    assert of_intent.payment_intent == only.payment_intent
    assert (only.invoice, only.subscription) == (session["invoice"], session["subscription"])
    assert only.renewal is False
    assert only.fee == 172
    [began] = of_kind(events, MoneyKind.SUBSCRIPTION)
    assert began.subscription is not None
    assert began.subscription.state is SubscriptionState.ACTIVE
    assert (began.subscription.amount, began.subscription.interval) == (4_900, Interval.MONTH)
    noted = of_kind(events, MoneyKind.NOTED)
    assert [each.pays_link for each in noted if each.pays_link] == [session["payment_link"]]
    # Each of the four leads to the business by itself.
    assert all(LEAD in {each.payer.reference, each.payer.lead_key} for each in events[:1])
    assert all(only.payment_intent in e.payer.ids or e.payer.lead_key == LEAD for e in events)


async def test_five_events_of_a_payment_cost_few_requests() -> None:
    world, stripe = a_stripe()
    stripe.pay(a_link(stripe), reference=LEAD)
    stripe.pay(a_link(stripe, interval="month"), reference=LEAD)
    world.requests.clear()
    await told(world, stripe)
    # The events, the session with its payment intent; the invoice and its payment intent; the
    # subscription.
    assert len(world.requests) == 5, world.requests


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
async def test_any_order_and_any_repetition_tells_the_same(seed: int) -> None:
    faults = Faults(twice=0.5, shuffled=True, same_second=0.5, late=0.5)
    heard: list[tuple[set[str], int]] = []
    for trouble in (Faults(), faults):
        world, stripe = a_stripe(faults=trouble, seed=seed)
        for interval in ("", "month"):
            stripe.pay(a_link(stripe, interval=interval), reference=LEAD)
            world.pass_time(minutes=1)
        found, cursor = await pages(world, stripe)
        world.pass_time(minutes=30)
        later, _ = await pages(world, stripe, cursor)
        raw = [each for page in (*found, *later) for each in page.events]
        assert len({each.external_id for each in raw}) == len(raw)
        events = [e for each in raw for e in parse_money(each.payload)]
        heard.append(({each.name for each in events}, len(payments(events))))
    assert heard[0] == heard[1]


@pytest.mark.parametrize("interval", ["", "month", "year"])
async def test_both_shapes_tell_the_same(interval: str) -> None:
    heard = []
    for version in (NEW, OLD):
        world, stripe = a_stripe(version=version)
        session = stripe.pay(a_link(stripe, interval=interval), reference=LEAD)
        if interval:
            subscription = stripe.things[session["subscription"]]
            world.pass_time(days=20)
            stripe.renew(subscription, ok=False)
            stripe.cancel(subscription, at_period_end=True)
        stripe.refund(session, 900)
        found, _ = await pages(world, stripe)
        raw = [each for page in found for each in page.events]
        told_then = [e for each in raw for e in parse_money(each.payload)]
        alone = [parse_money({**each.payload, "object": None, "related": {}}) for each in raw]
        heard.append((told_then, [e for es in alone for e in es if e.subscription]))
    assert heard[0] == heard[1]


def test_twenty_types_are_asked_for() -> None:
    assert len(TYPES) == len(set(TYPES)) == 20


# -- what becomes of it ----------------------------------------------------------------------------


async def test_a_renewal_is_one_and_a_failed_one_says_when_it_is_tried_again() -> None:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe, interval="month"))
    subscription = stripe.things[session["subscription"]]
    world.pass_time(days=29)
    renewed = stripe.renew(subscription)
    world.pass_time(hours=1)
    failed = stripe.renew(subscription, ok=False)
    events = await told(world, stripe)
    by_invoice = {e.payment.invoice: e.payment for e in events if e.payment and e.payment.attempts}
    assert by_invoice[renewed["id"]].renewal is True
    assert by_invoice[renewed["id"]].state is PaymentState.SUCCEEDED
    late = by_invoice[failed["id"]]
    assert late.state is PaymentState.FAILED
    assert late.failure == "Your card was declined."
    assert late.next_attempt_at == world.now + timedelta(days=3)
    assert late.attempts == 1
    assert late.invoice_number == failed["number"]
    assert late.payment_intent
    states = [e.subscription.state for e in events if e.subscription is not None]
    assert SubscriptionState.PAST_DUE in states


async def test_a_failed_payment_that_was_paid_since_is_still_told_as_it_was_then() -> None:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe, interval="month"))
    subscription = stripe.things[session["subscription"]]
    world.pass_time(days=1)
    invoice = stripe.renew(subscription, ok=False)
    stripe.pay_late(invoice, subscription)
    events = await told(world, stripe)
    its = [e.payment for e in events if e.payment and e.payment.invoice == invoice["id"]]
    its = [each for each in its if each.invoice_number]
    assert [each.state for each in its] == [PaymentState.SUCCEEDED, PaymentState.FAILED]
    assert [each.amount for each in its] == [4_900, 4_900]


async def test_an_invoice_that_is_given_up_is_a_payment_only_where_that_was_tried() -> None:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe, interval="month"))
    tried = stripe.renew(stripe.things[session["subscription"]], ok=False)
    world.pass_time(days=9)
    stripe.void(tried)
    heard = [e.payment for e in await told(world, stripe) if e.payment]
    [canceled] = [each for each in heard if each.state is PaymentState.CANCELED]
    assert (canceled.invoice, canceled.amount) == (tried["id"], 4_900)
    [only] = parse_money(event("invoice.voided", {"id": "in_1", "attempt_count": 0}))
    assert (only.kind, only.payment) == (MoneyKind.NOTED, None)


async def test_a_slow_payment_is_pending_until_it_comes() -> None:
    world, stripe = a_stripe()
    good = stripe.pay(a_link(stripe), reference=LEAD, slow=True)
    bad = stripe.pay(a_link(stripe), reference=LEAD, slow=True)
    world.pass_time(days=2)
    stripe.settle(good)
    stripe.settle(bad, ok=False)
    events = of_kind(await told(world, stripe), MoneyKind.PAYMENT)
    heard = {
        (e.payment.session, e.payment.state): e.occurred_at for e in events if e.payment is not None
    }
    later = NOW + timedelta(days=2)
    assert heard == {
        (good["id"], PaymentState.PENDING): NOW,
        (bad["id"], PaymentState.PENDING): NOW,
        (good["id"], PaymentState.SUCCEEDED): later,
        (bad["id"], PaymentState.FAILED): later,
    }


async def test_refunds_in_part_and_whole_say_what_they_are_of() -> None:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe), reference=LEAD)
    part = stripe.refund(session, 1_000)
    rest = stripe.refund(session, status="pending")
    stripe.fail_refund(rest)
    events = await told(world, stripe)
    assert len(payments(events)) == 1
    refunds = {e.refund.id: e for e in reversed(of_kind(events, MoneyKind.REFUND)) if e.refund}
    assert set(refunds) == {part["id"], rest["id"]}
    [one, other] = [refunds[each["id"]].refund for each in (part, rest)]
    assert one is not None
    assert other is not None
    assert (one.amount, one.state) == (1_000, RefundState.SUCCEEDED)
    assert (other.amount, other.state) == (3_900, RefundState.FAILED)
    of = refunds[part["id"]].payment
    assert of is not None
    assert (of.amount, of.refunded, of.state) == (4_900, 1_000, PaymentState.SUCCEEDED)
    assert of.payment_intent == session["payment_intent"]
    assert refunds[part["id"]].payer.lead_key == LEAD


def test_a_charge_of_an_old_version_tells_its_refunds_or_how_much_went_back() -> None:
    charge = {
        "id": "ch_1",
        "object": "charge",
        "amount": 4_900,
        "amount_refunded": 900,
        "currency": "usd",
        "created": AT,
        "payment_intent": "pi_1",
        "invoice": "in_1",
        "customer": "cus_1",
    }
    [only] = parse_money(event("charge.refunded", charge))
    assert only.kind is MoneyKind.PAYMENT
    assert only.payment is not None
    assert (only.payment.refunded, only.payment.invoice) == (900, "in_1")
    assert set(only.payer.ids) >= {"ch_1", "pi_1", "in_1", "cus_1"}
    refunds = [
        {"id": f"re_{n}", "object": "refund", "amount": n, "currency": "usd", "created": AT}
        for n in (400, 500)
    ]
    both = parse_money(event("charge.refunded", {**charge, "refunds": {"data": refunds}}))
    assert [e.name for e in both] == ["evt_1:re_400", "evt_1:re_500"]
    assert [e.refund.state for e in both if e.refund] == [RefundState.SUCCEEDED] * 2


@pytest.mark.parametrize(("won", "state"), [(True, DisputeState.WON), (False, DisputeState.LOST)])
async def test_a_dispute_is_open_with_its_deadline_until_it_is_decided(
    won: bool, state: DisputeState
) -> None:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe, interval="month"), reference=LEAD)
    dispute = stripe.dispute(session)
    world.pass_time(days=3)
    stripe.close_dispute(dispute, won=won)
    events = await told(world, stripe)
    assert len(payments(events)) == 1
    closed, opened = [e.dispute for e in of_kind(events, MoneyKind.DISPUTE)]
    assert opened is not None
    assert closed is not None
    assert (opened.state, opened.due_by) == (DisputeState.OPEN, NOW + timedelta(days=9))
    assert (opened.amount, opened.closed_at, opened.reason) == (4_900, None, "fraudulent")
    assert (closed.state, closed.closed_at) == (state, NOW + timedelta(days=3))


async def test_a_subscription_tells_each_thing_that_becomes_of_it() -> None:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe, interval="month"), reference=LEAD)
    subscription = stripe.things[session["subscription"]]
    steps: list[Callable[[], None]] = [
        lambda: stripe.change_plan(subscription, stripe.price(90_000, interval="year")),
        lambda: stripe.change_plan(subscription, stripe.price(2_000, interval="month"), quantity=3),
        lambda: stripe.pause(subscription),
        lambda: stripe.resume(subscription),
        lambda: stripe.cancel(subscription, at_period_end=True),
        lambda: stripe.cancel(subscription),
    ]
    for step in steps:
        world.pass_time(hours=2)
        step()
    events = of_kind(await told(world, stripe), MoneyKind.SUBSCRIPTION)
    heard = [e.subscription for e in reversed(events) if e.subscription is not None]
    assert [(e.amount, e.interval.value, e.state.value) for e in heard] == [
        (4_900, "month", "active"),
        (90_000, "year", "active"),
        (6_000, "month", "active"),
        (6_000, "month", "paused"),
        (6_000, "month", "active"),
        (6_000, "month", "active"),
        (6_000, "month", "ended"),
    ]
    assert heard[5].cancel_at == NOW + timedelta(days=30)
    assert heard[4].cancel_at is None
    assert heard[6].ended_at == NOW + timedelta(hours=12)
    assert {e.started_at for e in heard} == {NOW}
    assert [e.occurred_at for e in reversed(events)] == [
        NOW + timedelta(hours=2 * n) for n in range(7)
    ]


def test_what_is_due_for_several_items_is_added_up_exactly() -> None:
    def price(amount: str | int, interval: str, count: int = 1) -> dict[str, Any]:
        recurring = {"interval": interval, "interval_count": count}
        name = "unit_amount_decimal" if isinstance(amount, str) else "unit_amount"
        return {"id": "price_1", "recurring": recurring, name: amount, "currency": "usd"}

    items = [
        {"price": price(1_000, "month"), "quantity": 2},
        {"price": price("0.5", "month"), "quantity": 31},
        {"price": price(12_000, "year"), "quantity": 1},
        {"price": {**price(0, "month"), "unit_amount": None}, "quantity": None},
    ]
    subscription = {"id": "sub_1", "object": "subscription", "status": "active", "created": AT}
    [only] = parse_money(
        event("customer.subscription.updated", {**subscription, "items": {"data": items}})
    )
    assert only.subscription is not None
    assert only.subscription.amount == 2_000 + 16 + 1_000  # 15.5 is rounded to the even 16
    assert (only.subscription.interval, only.subscription.interval_count) == (Interval.MONTH, 1)


def test_a_subscription_whose_event_lacks_its_terms_has_those_of_the_one_read_again() -> None:
    then = {"id": "sub_1", "object": "subscription", "status": "past_due", "created": AT}
    plan = {"id": "gold", "amount": 4_900, "interval": "week", "currency": "eur"}
    now = {**then, "status": "active", "plan": plan, "quantity": 2}
    [only] = parse_money(event("customer.subscription.updated", then, object=now))
    assert only.subscription is not None
    assert only.subscription.state is SubscriptionState.PAST_DUE
    assert (only.subscription.amount, only.subscription.currency) == (9_800, "EUR")
    with pytest.raises(Unreadable, match="does not say what it costs"):
        parse_money(event("customer.subscription.updated", then))


# -- currencies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "stripes", "ours"),
    [
        ("USD", 4_900, 4_900),
        ("JPY", 4_900, 4_900),  # no minor unit, here nor there
        ("KWD", 4_900, 4_900),  # a thousand fils
        ("ISK", 490_000, 4_900),  # Stripe counts hundredths that are none
        ("UGX", 490_000, 4_900),
        ("MGA", 4_900, 490_000),  # ISO 4217 has hundredths, Stripe has none
        ("ISK", 150, 2),
        ("ISK", 250, 2),
    ],
)
async def test_amounts_are_counted_as_iso_4217_has_them(
    currency: str, stripes: int, ours: int
) -> None:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe, stripes, currency=currency.lower()))
    [payment] = payments(await told(world, stripe))
    assert (payment[0].amount, payment[0].currency) == (ours, currency)
    assert session["amount_total"] == stripes


@given(st.integers(0, 10**12), st.sampled_from(["USD", "JPY", "KWD", "ISK", "UGX", "MGA", "KRW"]))
def test_what_is_asked_for_is_what_comes_back(amount: int, currency: str) -> None:
    if currency == "MGA":
        amount -= amount % 100  # Stripe cannot take less than a whole one
    assert to_minor(from_minor(amount, currency), currency) == amount


def test_a_fee_in_another_currency_is_not_taken_for_one_in_this() -> None:
    charge = {
        "id": "ch_1",
        "currency": "eur",
        "created": AT,
        "balance_transaction": {"fee": 172, "currency": "usd"},
    }
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 4_900,
        "currency": "eur",
        "latest_charge": charge,
    }
    [only] = parse_money(event("payment_intent.succeeded", intent))
    assert only.payment is not None
    assert only.payment.fee is None


# -- what nobody expects ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"event": None},
        {"event": {"id": "evt_1"}},
        {"event": {"id": "evt 1\n", "type": "invoice.paid", "created": AT, "livemode": True}},
        event("invoice.paid", {"id": "in_1", "amount_paid": 100}),
        event("invoice.paid", {"id": 7, "amount_paid": 100, "currency": "usd"}),
        event(
            "checkout.session.completed", {"id": "cs", "mode": "payment", "payment_status": "paid"}
        ),
        event("payment_intent.succeeded", {"id": "pi", "amount": True, "currency": "usd"}),
        event("payment_intent.succeeded", {"id": "pi", "amount": 10**40, "currency": "usd"}),
        event("payment_intent.succeeded", {"id": "pi", "amount": -5, "currency": "usd"}),
        event("payment_intent.succeeded", {"id": "pi", "amount": 5.5, "currency": "usd"}),
        event("refund.created", {"id": "re", "amount": 0, "currency": "usd", "charge": "ch"}),
        event("refund.created", {"id": "re", "amount": 5, "currency": "usd"}),
        event("customer.subscription.updated", {"status": "active"}),
        {"listed": "invoice", "object": {"id": "in_1"}},
    ],
)
def test_what_lacks_something_is_said_to_be_unreadable(raw: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parse_money(raw)


@pytest.mark.parametrize(
    ("word", "item"),
    [
        ("invoice.frobnicated", {"id": "in_1"}),
        ("customer.subscription.updated", {"id": "sub_1", "status": "hibernating"}),
        ("charge.dispute.closed", {"id": "dp_1", "status": "evaporated", "currency": "usd"}),
        (
            "checkout.session.completed",
            {"id": "cs_1", "mode": "payment", "payment_status": "maybe"},
        ),
    ],
)
def test_a_word_that_is_new_is_unknown_and_nothing_more(word: str, item: dict[str, Any]) -> None:
    [only] = parse_money(event(word, item))
    assert only.kind is MoneyKind.UNKNOWN
    assert only.reason


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


def _paths(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [so_far, *(path for name, each in inner for path in _paths(each, (*so_far, name)))]


async def _everything() -> list[dict[str, Any]]:
    world, stripe = a_stripe()
    session = stripe.pay(a_link(stripe, interval="month"), reference=LEAD)
    once = stripe.pay(a_link(stripe), reference=LEAD)
    stripe.renew(stripe.things[session["subscription"]], ok=False)
    stripe.refund(once, 500)
    stripe.close_dispute(stripe.dispute(session), won=False)
    found, _ = await pages(world, stripe)
    return [dict(each.payload) for page in found for each in page.events]


@pytest.fixture(scope="module")
def everything() -> list[str]:
    return [json.dumps(each) for each in asyncio.run(_everything())]


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_place_it_is_understood_or_unreadable(
    everything: list[str], data: st.DataObject
) -> None:
    raw = json.loads(data.draw(st.sampled_from(everything)))
    path = data.draw(st.sampled_from([each for each in _paths(raw) if each]))
    value = data.draw(_JSON)
    inner: Any = raw
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    try:
        found = parse_money(raw)
    except Unreadable:
        return
    assert all(isinstance(each, MoneyEvent) for each in found)
    for each in found:
        for amount in (each.payment, each.refund, each.dispute, each.subscription):
            assert amount is None or 0 <= amount.amount < 10**18


def test_a_number_that_is_none_is_nothing_by_the_time_it_is_read() -> None:
    body = b'{"id": "pi_1", "amount": NaN, "currency": "usd"}'
    item = Answer(200, {}, body).object()
    with pytest.raises(Unreadable, match="has no amount"):
        parse_money(event("payment_intent.succeeded", item))


def test_text_of_a_payer_is_one_safe_line() -> None:
    session = {
        "id": "cs_1",
        "mode": "payment",
        "payment_status": "paid",
        "amount_total": 100,
        "currency": "usd",
        "client_reference_id": "x" * 500,
        "customer_details": {"name": "A\x1b[31mnn\nLee\u202e", "email": "a@b.example"},
    }
    [only] = parse_money(event("checkout.session.completed", session))
    assert "\x1b" not in only.payer.name
    assert "\n" not in only.payer.name
    assert "\u202e" not in only.payer.name
    assert len(only.payer.reference) < 500


def test_times_that_cannot_be_are_not_there() -> None:
    intent = {"id": "pi_1", "amount": 5, "currency": "usd"}
    with pytest.raises(Unreadable):
        parse_money(event("payment_intent.succeeded", intent) | {"event": {"created": 10**30}})
    assert datetime.fromtimestamp(AT, UTC) == NOW
