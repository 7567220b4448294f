"""Prices and payment links at Stripe: made once; and trying a key out."""

from __future__ import annotations

from typing import Any

import pytest

from crm_tui.providers.base import Check, Misconfigured, Unavailable, Unclear, Unsendable
from crm_tui.providers.money import MadeLink, Prices
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.stripe import StripePayments, check, link_address
from crm_tui.providers.stripe_api import StripeApi
from crm_tui.vocabulary import Interval
from tests.providers.stripe_telling import a_stripe, api
from tests.world.stripe import FakeStripe
from tests.world.world import Faults, World


def making(world: World, stripe: FakeStripe) -> StripePayments:
    return StripePayments(stripe.settings, stripe.key, api=api(world, stripe))


async def a_link(
    payments: StripePayments, *, interval: Interval = Interval.MONTH, setup: int = 0
) -> tuple[Prices, MadeLink]:
    prices = await payments.make_prices("Gold", 4_900, "USD", interval, setup, key="plan-1")
    link = await payments.make_link(
        prices, key="link-1", reference="7f9c", email="ann@example.com", plan="Gold"
    )
    return prices, link


@pytest.mark.parametrize(
    ("interval", "data"),
    [(Interval.ONCE, "payment_intent"), (Interval.MONTH, "subscription")],
)
async def test_a_link_takes_one_payment_and_says_everywhere_whose_it_is(
    interval: Interval, data: str
) -> None:
    world, stripe = a_stripe()
    async with making(world, stripe) as payments:
        prices, link = await a_link(payments, interval=interval, setup=9_900)
    made = stripe.things[link.id]
    assert link.url == made["url"]
    assert made["metadata"] == {"lead_id": "7f9c", "plan": "Gold"}
    assert made["_metadata"][data] == {"lead_id": "7f9c", "plan": "Gold"}
    assert made["_prices"] == [prices.price, prices.setup_price]
    assert made["restrictions"] == {"completed_sessions": {"count": 0, "limit": 1}}
    price, setup = stripe.things[prices.price], stripe.things[str(prices.setup_price)]
    assert (price["unit_amount"], price["currency"], setup["unit_amount"]) == (4_900, "usd", 9_900)
    recurring = None if interval is Interval.ONCE else {"interval": "month", "interval_count": 1}
    assert price["recurring"] == recurring
    assert setup["recurring"] is None
    assert price["product"] == prices.product


async def test_for_many_links_of_a_plan_its_price_is_looked_at_once() -> None:
    world, stripe = a_stripe()
    async with making(world, stripe) as payments:
        prices, _ = await a_link(payments)
        for lead in ("8a", "8b"):
            made = await payments.make_link(
                prices, key=lead, reference=lead, email=None, plan="Gold"
            )
            assert stripe.things[made.id]["_metadata"]["subscription"]["lead_id"] == lead
    asked = [path for method, path, _ in world.requests if method == "GET"]
    assert asked == [f"/v1/prices/{prices.price}"]


@pytest.mark.parametrize(
    ("currency", "ours", "stripes"), [("JPY", 4_900, 4_900), ("ISK", 4_900, 490_000)]
)
async def test_a_price_is_told_as_stripe_counts(currency: str, ours: int, stripes: int) -> None:
    world, stripe = a_stripe()
    async with making(world, stripe) as payments:
        prices = await payments.make_prices("A", ours, currency, Interval.YEAR, 0, key="k")
    assert prices.setup_price is None
    assert stripe.things[prices.price]["unit_amount"] == stripes


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_cut_off_each_thing_is_made_once(seed: int) -> None:
    faults = Faults(too_many=0.2, broken=0.15, lost=0.2, cut=0.2)
    world, stripe = a_stripe(faults=faults, seed=seed)
    made = None
    while made is None:
        async with making(world, stripe) as payments:
            try:
                made = await a_link(payments, setup=100)
            except (Unclear, Unavailable):
                world.pass_time(minutes=1)  # and asked again under the same keys
    kinds = [each["object"] for each in stripe.things.values()]
    assert sorted(kinds) == ["payment_link", "price", "price", "product", "product"]
    assert made[1].id in stripe.things


async def test_a_link_that_is_closed_takes_nothing_and_may_be_closed_again() -> None:
    world, stripe = a_stripe()
    async with making(world, stripe) as payments:
        _, link = await a_link(payments)
        await payments.close_link(link.id)
        await payments.close_link(link.id)
    assert stripe.things[link.id]["active"] is False


async def test_what_stripe_does_not_take_is_said_with_its_words() -> None:
    world, stripe = a_stripe()
    async with making(world, stripe) as payments:
        with pytest.raises(Unsendable, match="does not know the price price_gone any more"):
            await payments.make_link(
                Prices(product="prod_1", price="price_gone"),
                key="k",
                reference="a",
                email=None,
                plan="Gold",
            )
        with pytest.raises(Unsendable, match="No such payment link"):
            await payments.close_link("plink_gone")


async def test_the_same_key_for_something_else_is_not_known_to_be_done() -> None:
    world, stripe = a_stripe()
    async with making(world, stripe) as payments:
        await payments.make_prices("Gold", 4_900, "USD", Interval.MONTH, 0, key="k")
        with pytest.raises(Unclear, match="asked for this before, in other words"):
            await payments.make_prices("Silver", 1_900, "USD", Interval.MONTH, 0, key="k")


async def test_a_permission_to_make_something_that_is_lacking_is_named() -> None:
    world, stripe = a_stripe(lacks={"payment_links_write"})
    async with making(world, stripe) as payments:
        with pytest.raises(Misconfigured, match="lacks a permission: Payment Links: write"):
            await a_link(payments)


def test_the_address_of_a_link_names_the_lead() -> None:
    url = "https://buy.stripe.com/abc"
    both = link_address(url, "7f9c_A-1", "ann+b@example.com")
    assert both == f"{url}?client_reference_id=7f9c_A-1&prefilled_email=ann%2Bb%40example.com"
    assert link_address(url, "no such reference", None) == url
    assert link_address(url, "a" * 201, "a@b.example") == f"{url}?prefilled_email=a%40b.example"
    assert link_address(f"{url}?x=1", "a", None) == f"{url}?x=1&client_reference_id=a"


# -- trying out ------------------------------------------------------------------------------------


async def checked(world: World, stripe: FakeStripe, key: Lookup | None = None) -> list[Check]:
    transport = world.transport()
    return await check(stripe.settings, key or stripe.key, sender="", transport=transport)


async def test_a_key_that_may_do_everything_is_fine_and_nothing_is_made() -> None:
    world, stripe = a_stripe()
    checks = await checked(world, stripe)
    assert [each.step for each in checks] == ["key", "events", "reading", "links"]
    assert all(each.ok for each in checks)
    assert checks[0].words == "The key is taken, in test mode: play money."
    assert stripe.things == {}


async def test_a_restricted_key_is_told_each_permission_it_lacks() -> None:
    world, stripe = a_stripe(lacks={"dispute_read", "charge_read", "plan_write"})
    reading, links = (await checked(world, stripe))[2:]
    assert not reading.ok
    assert not links.ok
    assert reading.words == (
        "The key of Stripe lacks Charges and Refunds: read, Disputes: read. Edit it at"
        " dashboard.stripe.com/apikeys and allow that."
    )
    assert "Prices: write" in links.words


async def test_a_key_that_may_not_read_events_is_told_so() -> None:
    world, stripe = a_stripe(lacks={"event_read"})
    _, events = await checked(world, stripe)
    assert not events.ok
    assert "give it Events: read" in events.words


@pytest.mark.parametrize(
    ("key", "words"),
    [("sk_test_wrong", "does not take the key"), ("sk_live_x", "set to test. Give a key that")],
)
async def test_a_wrong_key_is_told_what_to_do(key: str, words: str) -> None:
    world, stripe = a_stripe()
    [only] = await checked(world, stripe, Lookup.of(Secret(key)))
    assert not only.ok
    assert words in only.words


async def test_another_address_is_said_to_be_none_of_stripe() -> None:
    world, stripe = a_stripe()
    settings = type(stripe.settings)(base_url=f"{stripe.base_url}/elsewhere", mode="test")
    [only] = await check(settings, stripe.key, sender="", transport=world.transport())
    assert not only.ok
    assert "Correct base_url or api_version" in only.words


@pytest.mark.parametrize(
    "url",
    [
        "http://buy.stripe.com/1",
        "javascript:alert(1)",
        "https://",
        "https://buy.stripe.com@evil.example/1",
        "https://buy.stripe.com/1 2",
        "https://buy.stripe.com/\n1",
        'https://buy.stripe.com/"onclick="x',
        "https://buy.stripe.com/<b>",
        "https://[::1/",
        "",
    ],
)
async def test_an_address_that_is_none_to_pay_at_is_put_nowhere(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, stripe = a_stripe()
    posted = StripeApi.post

    async def poisoned(self: StripeApi, path: str, *args: Any, **more: Any) -> dict[str, Any]:
        made = await posted(self, path, *args, **more)
        return made | {"url": url} if path == "payment_links" else made

    monkeypatch.setattr(StripeApi, "post", poisoned)
    async with making(world, stripe) as payments:
        with pytest.raises(Unclear, match="did not say where it is"):
            await a_link(payments)
