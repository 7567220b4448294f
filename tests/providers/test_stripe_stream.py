"""Polling Stripe: nothing is missed, nothing comes twice, whatever happens on the way."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import JSONResponse

from crm_tui.providers.base import Misconfigured, ProviderError, Unavailable
from crm_tui.providers.events import Asked, Page, RawEvent, Unreadable
from crm_tui.providers.money import MoneyKind
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.stripe import TYPES, StripeStream
from crm_tui.vocabulary import DisputeState, PaymentState, RefundState, SubscriptionState
from tests.providers.stripe_telling import (
    NOW,
    a_stream,
    a_stripe,
    of_kind,
    pages,
    payments,
    told,
    understood,
)
from tests.world.stripe import FakeStripe
from tests.world.stripe_shapes import NEW, OLD
from tests.world.world import Faults


def many(stripe: FakeStripe, count: int, *, apart: float = 0) -> list[str]:
    """So many events, of sessions that need not be read again."""
    for _ in range(count):
        stripe.world.pass_time(seconds=apart)
        session = stripe.new("cs_test_", "checkout.session", mode="setup", payment_status="unpaid")
        stripe.tell(session, "checkout.session.completed")
    return [f"evt_{each.number:06d}" for each in stripe.log]


def names(found: list[Page]) -> list[str]:
    return [each.external_id for page in found for each in page.events]


# -- paging and the cursor -------------------------------------------------------------------------


async def test_a_poll_reads_all_pages_and_the_next_one_nothing() -> None:
    world, stripe = a_stripe()
    everything = many(stripe, 230, apart=1)
    found, cursor = await pages(world, stripe)
    assert len(found) == 3
    assert sorted(names(found)) == everything
    again, same = await pages(world, stripe, cursor)
    assert names(again) == []
    assert same == cursor


async def test_a_poll_asks_for_an_hour_before_the_newest_event_and_for_thirty_days_at_first() -> (
    None
):
    world, stripe = a_stripe()
    many(stripe, 1)
    asked: list[str] = []
    answer = stripe._events

    def note(request: Any) -> Any:
        asked.append(request.query_params["created[gte]"])
        assert request.query_params.getlist("types[]") == list(TYPES)
        assert request.headers["stripe-version"] == stripe.settings.api_version
        return answer(request)

    stripe._events = note  # type: ignore[method-assign]
    _, cursor = await pages(world, stripe)
    world.pass_time(hours=5)
    await pages(world, stripe, cursor)
    month, hour = timedelta(days=30), timedelta(hours=1)
    assert asked == [str(int((NOW - each).timestamp())) for each in (month, hour)]


async def test_a_late_event_is_found_behind_the_newest_one() -> None:
    world, stripe = a_stripe()
    many(stripe, 2, apart=60)
    _, cursor = await pages(world, stripe)
    late = stripe.stranger()
    stripe.log[-1] = type(late)(
        late.number, late.message, late.word, NOW, late.seen_from, late.facts
    )
    found, _ = await pages(world, stripe, cursor)
    assert names(found) == ["evt_000002"]


async def test_an_event_of_the_future_does_not_move_the_cursor_there() -> None:
    world, stripe = a_stripe()
    stripe.tell(stripe.new("cs_", "checkout.session", mode="setup"), "checkout.session.completed")
    early = stripe.log[-1]
    stripe.log[-1] = type(early)(
        0, early.message, early.word, NOW + timedelta(days=900), NOW, early.facts
    )
    _, cursor = await pages(world, stripe)
    assert cursor["created"] <= int(NOW.timestamp())


@settings(max_examples=15, deadline=None)
@given(stops=st.lists(st.booleans(), min_size=12, max_size=12), seed=st.integers(0, 999))
async def test_whatever_cuts_a_poll_off_the_next_one_goes_on_and_all_is_kept_once(
    stops: list[bool], seed: int
) -> None:
    world, stripe = a_stripe(seed=seed, faults=Faults(shuffled=True, same_second=0.3))
    everything = many(stripe, 250, apart=0.5)
    kept: list[str] = []
    cursor: Mapping[str, Any] = {}
    for stop in [*stops, *[False] * 12]:
        stream = a_stream(world, stripe)
        async with stream:
            page = await stream.fetch_events(cursor, Asked(now=world.now))
        if stop:
            continue  # killed before the page and its cursor were kept
        kept += [each.external_id for each in page.events]
        cursor = json.loads(json.dumps(page.cursor))
        if len(kept) in {100, 200}:
            everything += many(stripe, 1, apart=1)[-1:]
    assert sorted(kept) == sorted(set(everything))


async def test_an_event_that_is_no_more_does_not_keep_a_poll_from_going_on() -> None:
    world, stripe = a_stripe()
    everything = many(stripe, 150, apart=1)
    async with a_stream(world, stripe) as stream:
        first = await stream.fetch_events({}, Asked(now=world.now))
        lost = dict(first.cursor) | {"pass": {**first.cursor["pass"], "after": "evt_gone"}}
        rest, _ = await pages(world, stripe, lost)
    assert sorted(names([first, *rest])) == everything


async def test_a_list_that_goes_on_nowhere_is_left_for_the_next_poll() -> None:
    world, stripe = a_stripe(faults=Faults(expired=1))
    many(stripe, 150, apart=1)
    async with a_stream(world, stripe) as stream:
        page = await stream.fetch_events({}, Asked(now=world.now))
        while not page.cut_short:
            assert page.more
            page = await stream.fetch_events(page.cursor, Asked(now=world.now))
    assert "could not be read to the last" in page.cut_short
    assert "pass" not in page.cursor
    world.heal()
    found, _ = await pages(world, stripe, dict(page.cursor))
    assert found[-1].more is False


@pytest.mark.parametrize(
    "cursor",
    [
        {"created": "yesterday", "seen": 5, "pass": []},
        {"created": True, "seen": [[1, 2], "x", ["evt_1"]], "pass": {"opened": 1}},
        {"created": -4, "pass": {"from": None, "opened": 10**20}},
        {"created": 10**18, "seen": {}},
    ],
)
async def test_what_of_a_cursor_is_wrong_is_as_if_it_had_never_been(cursor: dict[str, Any]) -> None:
    world, stripe = a_stripe()
    everything = many(stripe, 3)
    found, _ = await pages(world, stripe, cursor)
    assert sorted(names(found)) == everything


@pytest.mark.parametrize("seed", range(4))
async def test_everything_that_can_go_wrong_at_once_loses_nothing(seed: int) -> None:
    world, stripe = a_stripe(seed=seed, faults=Faults.all_at_once())
    for number in range(8):
        interval = "month" if number % 2 else ""
        link = stripe.link(stripe.price(4_900, interval=interval), lead=f"lead{number}")
        session = stripe.pay(link["id"], reference=f"lead{number}")
        if number % 3 == 0:
            stripe.refund(session, 100)
        world.pass_time(minutes=2)
    cursor: dict[str, Any] = {}
    kept: dict[str, RawEvent] = {}
    for _ in range(60):
        world.pass_time(minutes=1)
        try:
            async with a_stream(world, stripe) as stream:
                page = await stream.fetch_events(cursor, Asked(now=world.now))
        except ProviderError:
            continue
        kept |= {each.external_id: each for each in page.events}
        cursor = dict(page.cursor)
    world.heal()
    world.pass_time(minutes=30)
    found, _ = await pages(world, stripe, cursor)
    kept |= {each.external_id: each for page in found for each in page.events}
    assert len(kept) == len([each for each in stripe.log if each.word in TYPES])
    ours = [e for e in understood(kept.values()) if e.payer.ids]
    paid = [each for each in payments(ours) if any(told.amount == 4_900 for told in each)]
    assert len(paid) == 8


# -- what is read again ----------------------------------------------------------------------------


async def test_an_object_that_is_no_more_is_understood_by_its_event() -> None:
    world, stripe = a_stripe(version=OLD)
    session = stripe.pay(stripe.link(stripe.price(4_900, interval="month"))["id"])
    stripe.gone |= {session["invoice"], session["id"]}
    [payment] = payments(await told(world, stripe))
    assert {each.invoice for each in payment} >= {session["invoice"]}
    assert all(each.payment_intent for each in payment)


async def test_a_version_that_cannot_put_something_in_place_is_read_without() -> None:
    world, stripe = a_stripe()
    session = stripe.pay(stripe.link(stripe.price(4_900))["id"])
    stripe.things[session["id"]].pop("line_items")
    [payment] = payments(await told(world, stripe))
    assert {each.payment_intent for each in payment} == {session["payment_intent"]}


async def test_a_name_with_a_slash_in_it_is_not_asked_for() -> None:
    world, stripe = a_stripe()
    intent = stripe._intent(4_900, "usd", customer=None, paid=True)
    poisoned = {**intent, "id": "pi_1/../../v1/customers"}
    stripe.happen("x", "payment_intent.succeeded", object=poisoned, live=False)
    [event] = await told(world, stripe)
    assert event.payment is not None
    assert all("customers" not in path for _, path, _ in world.requests)


_ANYTHING: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**30, 1.5, "", "x/../y", "a" * 400, "\u202e"),
    *([], [1], [{}], {}, {"id": 5}, {"id": "q"}, {"data": 3}),
)


def _spoil(thing: Any, dice: random.Random) -> None:
    """Put anything in the place of something within an object."""
    places = list(thing.items()) if isinstance(thing, dict) else list(enumerate(thing))
    name, inner = dice.choice(places)
    if isinstance(inner, dict | list) and inner and dice.random() < 0.6:
        _spoil(inner, dice)
    else:
        thing[name] = deepcopy(dice.choice(_ANYTHING))


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_an_object_holds_when_it_is_read_again_it_is_kept(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    world, stripe = a_stripe(version=dice.choice([NEW, OLD]))
    first = stripe.pay(stripe.link(stripe.price(4_900, interval="month"), lead="a")["id"])
    once = stripe.pay(stripe.link(stripe.price(4_900), lead="a")["id"])
    stripe.refund(once, 5)
    stripe.close_dispute(stripe.dispute(first), won=True)
    answer = stripe._retrieve

    def spoiled(request: Any) -> JSONResponse:
        found = json.loads(bytes(answer(request).body))
        for _ in range(3):
            _spoil(found, dice)
        return JSONResponse(found)

    monkeypatch.setattr(stripe, "_retrieve", spoiled)
    async with a_stream(world, stripe) as stream:
        page = await stream.fetch_events({}, Asked(now=world.now))
        listed = await stream.reconcile(Asked(now=world.now), NOW)
    assert len(page.events) == len([each for each in stripe.log if each.word in TYPES])
    for each in (*page.events, *listed):
        assert json.dumps(dict(each.payload), allow_nan=False)
        with suppress(Unreadable):
            stream.parse_money(each.payload)


async def test_nothing_secret_of_the_payers_page_is_kept() -> None:
    world, stripe = a_stripe()
    stripe.pay(stripe.link(stripe.price(4_900))["id"])
    found, _ = await pages(world, stripe)
    kept = json.dumps([dict(each.payload) for page in found for each in page.events])
    assert "pi_secret_of_the_payer" not in kept
    assert "4242" not in kept


async def test_a_server_that_takes_no_types_is_asked_for_all_and_the_rest_is_left_out() -> None:
    world, stripe = a_stripe(knows_types=False)
    many(stripe, 120, apart=1)
    stripe.tell(stripe.new("cus_", "customer"), "customer.created")
    found, _ = await pages(world, stripe)
    assert len(names(found)) == 120


# -- whose money -----------------------------------------------------------------------------------


async def test_what_is_of_the_other_mode_is_left_out_and_said_once() -> None:
    world, stripe = a_stripe()
    intent = stripe._intent(4_900, "usd", customer=None, paid=True)
    stripe.tell(intent, "payment_intent.succeeded", live=True)
    found, cursor = await pages(world, stripe)
    assert names(found) == []
    assert found[0].notes == [
        (
            "Stripe told 1 event of the other mode, which is left out: [providers.stripe] is set to"
            " test."
        )
    ]
    again, _ = await pages(world, stripe, cursor)
    assert again[0].notes == []


@pytest.mark.parametrize(
    ("key", "mode", "words"),
    [
        ("sk_live_x", "test", ('is for live mode, and [providers.stripe] is set to test. Give a key'
         ' that begins with sk_test_, or set mode = "live".')),
        ("rk_test_x", "live", "Give a key that begins with rk_live_, or set mode"),
        ("pk_test_x", "test", "is the publishable one. Make a restricted key"),
        ("re_123", "test", "This is no key of Stripe: one begins with rk_live_"),
    ],
)  # fmt: skip
async def test_a_key_of_the_other_mode_goes_nowhere_and_says_what_to_do(
    key: str, mode: str, words: str
) -> None:
    world, stripe = a_stripe(mode=mode)
    stream = StripeStream(stripe.settings, Lookup.of(Secret(key)), transport=world.transport())
    async with stream:
        with pytest.raises(Misconfigured) as refused:
            await stream.fetch_events({}, Asked(now=world.now))
    assert words in str(refused.value)
    assert key not in str(refused.value)
    assert world.requests == []


async def test_a_key_that_is_not_taken_is_said_to_be_so() -> None:
    world, stripe = a_stripe()
    other = Lookup.of(Secret("sk_test_another"))
    stream = StripeStream(stripe.settings, other, transport=world.transport())
    async with stream:
        with pytest.raises(Misconfigured, match="Stripe does not take the key"):
            await stream.fetch_events({}, Asked(now=world.now))


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        ("event_read", "lacks a permission: Events: read."),
        ("invoice_read", "lacks a permission: Invoices: read."),
        ("payment_intent_read", "lacks a permission: PaymentIntents: read."),
        ("checkout_session_read", "give it Checkout Sessions: read."),
    ],
)
async def test_a_permission_that_is_lacking_is_named(lacks: str, words: str) -> None:
    world, stripe = a_stripe()
    stripe.lacks.add(lacks)
    stripe.pay(stripe.link(stripe.price(4_900, interval="month"))["id"])
    stripe.stranger()
    with pytest.raises(Misconfigured) as refused:
        await pages(world, stripe)
    assert words in str(refused.value)


async def test_without_the_permission_for_fees_all_else_is_told_and_that_is_said_once() -> None:
    world, stripe = a_stripe()
    stripe.lacks.add("balance")
    stripe.pay(stripe.link(stripe.price(4_900))["id"])
    stripe.pay(stripe.link(stripe.price(4_900))["id"])
    found, _ = await pages(world, stripe)
    assert [note for page in found for note in page.notes] == [
        (
            "Stripe does not tell its fees to this key: give it Balance transaction sources: read at"
            " dashboard.stripe.com/apikeys."
        )
    ]
    told_then = understood(each for page in found for each in page.events)
    assert len(payments(told_then)) == 2
    assert {e.payment.fee for e in told_then if e.payment} == {None}


async def test_a_server_in_trouble_is_asked_again_later() -> None:
    world, stripe = a_stripe()
    stripe.breaks = "events"
    with pytest.raises(Unavailable, match="Stripe has trouble"):
        await pages(world, stripe)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_address_may_have_v1_in_it_or_not(suffix: str) -> None:
    world, stripe = a_stripe()
    many(stripe, 1)
    settings = type(stripe.settings)(
        base_url=stripe.base_url + suffix, api_version=NEW, mode="test"
    )
    stream = StripeStream(settings, stripe.key, transport=world.transport())
    async with stream:
        page = await stream.fetch_events({}, Asked(now=world.now))
    assert len(page.events) == 1


async def test_an_address_that_is_none_of_stripe_is_said_to_be_so() -> None:
    world, stripe = a_stripe()
    settings = type(stripe.settings)(base_url=f"{stripe.base_url}/elsewhere", mode="test")
    stream = StripeStream(settings, stripe.key, transport=world.transport())
    async with stream:
        with pytest.raises(Misconfigured, match="Correct base_url or api_version"):
            await stream.fetch_events({}, Asked(now=world.now))


# -- after a long time -----------------------------------------------------------------------------


async def test_what_is_no_more_told_is_a_gap_and_is_found_out_by_listing() -> None:
    world, stripe = a_stripe()
    _, cursor = await pages(world, stripe)
    stripe.stranger()
    _, cursor = await pages(world, stripe, cursor)
    world.pass_time(days=2)
    first = stripe.pay(stripe.link(stripe.price(4_900, interval="month"), lead="a")["id"])
    once = stripe.pay(stripe.link(stripe.price(9_900), lead="b")["id"], reference="b")
    world.pass_time(days=1)
    refund = stripe.refund(once, 900)
    dispute = stripe.dispute(first)
    paused = stripe.things[first["subscription"]]
    stripe.pause(paused)
    world.pass_time(days=40)
    found, _ = await pages(world, stripe, cursor)
    assert found[0].gap == (NOW, world.now - timedelta(days=30))
    assert names(found) == []
    async with a_stream(world, stripe) as stream:
        raw = await stream.reconcile(Asked(now=world.now), NOW)
        again = await stream.reconcile(Asked(now=world.now + timedelta(days=1)), NOW)
    assert {each.external_id for each in raw} == {each.external_id for each in again}
    events = understood(raw)
    assert {each.live for each in events} == {False}
    amounts = [
        {t.amount for t in each if t.state is PaymentState.SUCCEEDED} for each in payments(events)
    ]
    assert sorted(amounts, key=min) == [{4_900}, {9_900}]
    [back] = [e.refund for e in events if e.refund]
    assert (back.id, back.state, back.amount) == (refund["id"], RefundState.SUCCEEDED, 900)
    [open_] = [e.dispute for e in events if e.dispute]
    assert (open_.id, open_.state) == (dispute["id"], DisputeState.OPEN)
    began, now = [e for e in events if e.subscription]
    assert began.subscription is not None
    assert now.subscription is not None
    assert began.occurred_at == NOW + timedelta(days=2)
    assert began.subscription.state is SubscriptionState.ACTIVE
    assert now.subscription.state is SubscriptionState.PAUSED
    paid = {e.payment.session: e.occurred_at for e in of_kind(events, MoneyKind.PAYMENT)
            if e.payment and e.payment.session}  # fmt: skip
    assert paid == {once["id"]: NOW + timedelta(days=2)}


async def test_an_account_where_nothing_happens_for_months_has_no_gap() -> None:
    world, stripe = a_stripe()
    many(stripe, 1)
    cursor: dict[str, Any] = {}
    for _ in range(5):
        found, cursor = await pages(world, stripe, cursor)
        assert found[0].gap is None
        world.pass_time(days=20)
    world.pass_time(days=20)
    found, _ = await pages(world, stripe, cursor)
    assert found[0].gap == (NOW + timedelta(days=80), NOW + timedelta(days=90))


async def test_what_is_learned_of_both_ways_is_one_payment() -> None:
    world, stripe = a_stripe()
    stripe.pay(stripe.link(stripe.price(4_900, interval="month"))["id"])
    stripe.pay(stripe.link(stripe.price(9_900))["id"])
    events = await told(world, stripe)
    async with a_stream(world, stripe) as stream:
        listed = understood(await stream.reconcile(Asked(now=world.now), NOW))
    assert len(payments([*events, *listed])) == 2
    assert not {each.name for each in events} & {each.name for each in listed}


async def test_an_ended_subscription_that_was_never_told_of_has_a_begin_and_an_end() -> None:
    world, stripe = a_stripe()
    session = stripe.pay(stripe.link(stripe.price(4_900, interval="month"))["id"])
    world.pass_time(days=5)
    stripe.cancel(stripe.things[session["subscription"]])
    world.pass_time(days=50)
    async with a_stream(world, stripe) as stream:
        events = understood(await stream.reconcile(Asked(now=world.now), NOW))
    history = [(e.occurred_at, e.subscription.state) for e in events if e.subscription]
    assert history == [
        (NOW, SubscriptionState.ACTIVE),
        (NOW + timedelta(days=5), SubscriptionState.ENDED),
    ]
