"""Leads pay through their links at a Stripe where everything goes wrong, and polling alone tells it.

What the store has in the end is held against what happened there: each payment once, each refund,
each dispute and each subscription as it stands.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    Customer,
    Dispute,
    Payment,
    PaymentLink,
    Refund,
    Subscription,
)
from crm_tui.providers.base import ProviderError
from crm_tui.providers.stripe import StripePayments, StripeStream
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.money import links
from crm_tui.services.money.polling import MoneyPoller
from crm_tui.services.sending.account import account
from crm_tui.vocabulary import ContactStatus, Interval, LinkState, Mode
from tests.conftest import AddLead
from tests.money.making import add_plan
from tests.providers.stripe_telling import api
from tests.world.stripe import FakeStripe
from tests.world.stripe_shapes import NEW, OLD, Thing
from tests.world.world import Faults, World

LEADS = 10


@dataclass
class Shop:
    """A store and a Stripe, between which only polling goes."""

    db: Database
    world: World
    stripe: FakeStripe
    problems: set[str] = field(default_factory=set)

    async def link(self, lead: int, plan: int) -> PaymentLink:
        """The link of a lead, however often it has to be asked for."""
        while True:
            try:
                async with StripePayments(
                    self.stripe.settings, self.stripe.key, api=api(self.world, self.stripe)
                ) as payments:
                    made = await links.make(
                        self.db,
                        lead,
                        plan,
                        payments=payments,
                        mode=Mode.TEST,
                        clock=self.world.clock,
                    )
            except ProviderError:
                self.world.pass_time(minutes=1)
                continue
            async with self.db.read() as session:
                return await session.get_one(PaymentLink, made.link.id)

    async def poll(self) -> None:
        """One poll of the worker's."""
        settings = Settings()
        mine = account(settings)
        stream = StripeStream(
            self.stripe.settings,
            self.stripe.key,
            api=api(self.world, self.stripe),
        )
        poller = MoneyPoller(self.db, stream, Reader.of(mine, settings), mine, now=self.world.clock)
        polled = await poller.poll(insist=True)
        if polled.problem:
            self.problems.add(polled.problem)

    async def all(self, model: Any) -> list[Any]:
        async with self.db.read() as session:
            return list(await session.scalars(select(model).order_by(model.id)))


def live(shop: Shop, session: Thing, dice: random.Random) -> None:
    """Something becomes of what was paid."""
    subscription = shop.stripe.things.get(str(session["subscription"]))
    if subscription is not None and dice.random() < 0.7:
        go_on(shop, subscription, dice)
        return
    stripe, charge = shop.stripe, shop.stripe.charge_of(session)
    if dice.random() < 0.5:
        if charge["amount_refunded"] == 0:
            stripe.refund(session, dice.choice([None, charge["amount"] // 4]))
    elif not charge["disputed"]:
        dispute = stripe.dispute(session)
        shop.world.pass_time(minutes=1)
        if dice.random() < 0.7:
            stripe.close_dispute(dispute, won=dice.random() < 0.5)


def go_on(shop: Shop, subscription: Thing, dice: random.Random) -> None:
    """Something becomes of a subscription, unless it has ended."""
    stripe = shop.stripe
    if subscription["status"] == "canceled":
        return
    match dice.choice(["renew", "fail", "pay late", "end", "cancel", "pause", "change"]):
        case "renew":
            stripe.renew(subscription)
        case "fail":
            stripe.renew(subscription, ok=False)
        case "pay late":
            invoice = stripe.renew(subscription, ok=False)
            shop.world.pass_time(minutes=1)
            stripe.pay_late(invoice, subscription)
        case "pause":
            stripe.pause(subscription)
        case "change":
            stripe.change_plan(subscription, stripe.price(7_900, interval="month"))
        case how:
            stripe.cancel(subscription, at_period_end=how == "cancel")


def paid_there(stripe: FakeStripe, session: Thing) -> Iterator[tuple[str, int]]:
    """The payments that came of a session, or should have: how each stands, and how much it is."""
    if not session["subscription"]:
        yield "succeeded", session["amount_total"]
        return
    for name, thing in stripe.things.items():
        if not name.startswith("in_"):
            continue
        if thing["parent"]["subscription_details"]["subscription"] == session["subscription"]:
            yield ("succeeded" if thing["status"] == "paid" else "failed"), thing["amount_due"]


def stands_there(subscription: Thing) -> tuple[str, int]:
    state = "ended" if subscription["status"] == "canceled" else subscription["status"]
    if subscription["pause_collection"] and state != "ended":
        state = "paused"
    return state, sum(e["price"]["unit_amount"] for e in subscription["items"]["data"])


@pytest.mark.parametrize(("seed", "version"), [(1, NEW), (2, OLD), (3, NEW)])
async def test_whatever_goes_wrong_on_the_way_each_payment_is_told_once(
    db: Database, add_lead: AddLead, now: datetime, seed: int, version: str
) -> None:
    dice = random.Random(seed)
    world = World(now=now, faults=Faults.all_at_once(), seed=seed)
    shop = Shop(db, world, FakeStripe(world, "stripe", version=version))
    plans = [
        await add_plan(db, now, "Care", setup_fee=9_900),
        await add_plan(db, now, "Once", 49_900, interval=Interval.ONCE),
    ]
    sessions: dict[int, Thing] = {}
    for number in range(LEADS):
        lead = await add_lead(f"Shop {number}")
        link = await shop.link(lead, plans[number % 2])
        # The address names the lead; some payers cut that off, and the metadata is left.
        reference = link.reference if dice.random() < 0.7 else None
        sessions[lead] = shop.stripe.pay(str(link.provider_id), reference=reference)
        world.pass_time(minutes=dice.randint(0, 3))
        if dice.random() < 0.5:
            await shop.poll()
    for _ in range(40):
        live(shop, dice.choice(list(sessions.values())), dice)
        world.pass_time(minutes=dice.randint(1, 5))
        if dice.random() < 0.3:
            await shop.poll()
    world.heal()
    world.pass_time(minutes=30)  # what is late is told by now
    await shop.poll()
    await shop.poll()

    stripe, ours = shop.stripe, Counter[tuple[int, str, int]]()
    payments = {each.id: each for each in await shop.all(Payment)}
    for each in payments.values():
        ours[each.business_id, each.state.value, each.amount] += 1
    assert ours == Counter(
        (lead, state, amount)
        for lead, session in sessions.items()
        for state, amount in paid_there(stripe, session)
    )
    refunds = Counter(
        (payments[each.payment_id].charge_id, each.amount) for each in await shop.all(Refund)
    )
    assert refunds == Counter(
        (thing["charge"], thing["amount"])
        for name, thing in stripe.things.items()
        if name.startswith("re_")
    )
    disputes = {
        (payments[each.payment_id].charge_id, each.state.value) for each in await shop.all(Dispute)
    }
    assert disputes == {
        (thing["charge"], {"needs_response": "open"}.get(thing["status"], thing["status"]))
        for name, thing in stripe.things.items()
        if name.startswith("dp_")
    }
    subscriptions = {
        each.business_id: (each.state.value, each.amount) for each in await shop.all(Subscription)
    }
    assert subscriptions == {
        lead: stands_there(stripe.things[session["subscription"]])
        for lead, session in sessions.items()
        if session["subscription"]
    }
    assert {each.business_id for each in await shop.all(Customer)} == set(sessions)
    assert {each.state for each in await shop.all(PaymentLink)} == {LinkState.PAID}
    assert {each.contact_status for each in await shop.all(Business)} == {ContactStatus.PURCHASED}
