"""The worker against localstripe: what a lead pays there is told of it by polling alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crm_tui.config import ProviderSettings, Settings
from crm_tui.config.sections import StripeSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Customer, Event, Payment, Subscription, Unmatched
from crm_tui.services import leads
from crm_tui.vocabulary import (
    ContactStatus,
    EventKind,
    Outcome,
    PaymentState,
    SubscriptionState,
    UnmatchedKind,
)
from crm_tui.worker import Worker
from tests.money.local_stripe import KEY, LocalStripe, local_stripe


@pytest.fixture(scope="module")
def server() -> Iterator[LocalStripe]:
    with local_stripe() as running:
        running.plan("care-month", 49_00)
        running.plan("care-yen", 4_900, currency="jpy")
        yield running


@dataclass(frozen=True, slots=True)
class Desk:
    """A store with one lead, and a worker that polls."""

    db: Database
    settings: Settings
    lead: int
    key: str

    async def poll(self) -> list[str]:
        """Poll once, to the end; returns what went wrong."""
        worker = Worker(
            self.db,
            self.settings,
            environment={"CRM_TUI_STRIPE_KEY": KEY},
            now=lambda: datetime.now(UTC),
        )
        return (await worker.once()).problems

    async def all(self, model: Any) -> list[Any]:
        async with self.db.read() as session:
            return list(await session.scalars(select(model).order_by(model.id)))

    async def business(self) -> Business:
        async with self.db.read() as session:
            return await session.get_one(Business, self.lead)


@pytest.fixture
async def desk(store_path: Path, server: LocalStripe) -> AsyncIterator[Desk]:
    stripe = StripeSettings(base_url=server.base_url, mode="test")
    settings = Settings(providers=ProviderSettings(stripe=stripe))
    db = Database(store_path)
    async with db.write() as session:
        lead = await leads.add(
            session, {"name": "Tavella Plumbing"}, settings=settings, now=datetime.now(UTC)
        )
    async with db.read() as session:
        key = (await session.get_one(Business, lead)).key
    yield Desk(db, settings, lead, key)
    await db.close()


async def test_who_subscribes_is_a_customer_after_the_next_poll(
    desk: Desk, server: LocalStripe
) -> None:
    buyer = server.customer(email="ada@tavella.example", name="Ada Tavella")
    server.subscribe(buyer, "care-month", lead_key=desk.key)
    assert await desk.poll() == []
    lead = await desk.business()
    assert (lead.contact_status, lead.outcome) == (ContactStatus.PURCHASED, Outcome.WON)
    (payment,) = await desk.all(Payment)
    assert (payment.amount, payment.currency, payment.state) == (
        4900,
        "USD",
        PaymentState.SUCCEEDED,
    )
    (subscription,) = await desk.all(Subscription)
    assert (subscription.state, subscription.amount) == (SubscriptionState.ACTIVE, 4900)
    assert payment.subscription_id == subscription.id
    assert len(await desk.all(Customer)) == 1


async def test_polling_again_changes_nothing(desk: Desk, server: LocalStripe) -> None:
    buyer = server.customer(email="bea@tavella.example", name="Bea")
    server.subscribe(buyer, "care-yen", lead_key=desk.key)
    await desk.poll()
    before = [each.key for each in await desk.all(Event)]
    assert await desk.poll() == []
    assert [each.key for each in await desk.all(Event)] == before
    (payment,) = await desk.all(Payment)
    assert (payment.amount, payment.currency) == (4900, "JPY")


async def test_a_subscription_that_is_ended_there_ends_here(
    desk: Desk, server: LocalStripe
) -> None:
    buyer = server.customer(email="cy@tavella.example", name="Cy")
    made = server.subscribe(buyer, "care-month", lead_key=desk.key)
    await desk.poll()
    server.delete(f"subscriptions/{made['id']}")
    assert await desk.poll() == []
    (subscription,) = await desk.all(Subscription)
    assert subscription.state is SubscriptionState.ENDED
    kinds = [each.kind for each in await desk.all(Event)]
    assert kinds.count(EventKind.SUBSCRIPTION_STARTED) == 1
    assert kinds.count(EventKind.SUBSCRIPTION_CANCELED) == 1
    assert (await desk.business()).contact_status is ContactStatus.PURCHASED


async def test_what_went_back_before_it_was_polled_is_known(
    desk: Desk, server: LocalStripe
) -> None:
    buyer = server.customer(email="di@tavella.example", name="Di")
    server.subscribe(buyer, "care-month", lead_key=desk.key)
    (invoice,) = server.get(f"invoices?customer={buyer}")["data"]
    server.post("refunds", payment_intent=invoice["payment_intent"], amount=1000)
    assert await desk.poll() == []
    assert EventKind.REFUNDED in [each.kind for each in await desk.all(Event)]


async def test_who_pays_without_a_lead_waits_in_the_inbox_once(
    desk: Desk, server: LocalStripe
) -> None:
    buyer = server.customer(email="stranger@elsewhere.example", name="A Stranger")
    server.subscribe(buyer, "care-month")
    await desk.poll()
    waiting = [each for each in await desk.all(Unmatched) if "stranger@" in each.title]
    assert [each.kind for each in waiting] == [UnmatchedKind.PAYMENT]
    assert await desk.all(Payment) == []
