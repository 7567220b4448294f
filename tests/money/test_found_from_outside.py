"""What somebody found who tried the program from outside, without knowing how it is made."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import httpx
import pytest

from crm_tui.config.sections import StripeSettings
from crm_tui.db.engine import Database
from crm_tui.providers.events import Asked
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.stripe import StripeStream, parse_money
from crm_tui.services.money import listing
from crm_tui.services.money.rows import CustomerState
from crm_tui.vocabulary import DisputeState, Mode
from tests.conftest import NOW, AddLead
from tests.money.telling import at, dispute, payment, refund, subscription, tell_all

WHEN = int(NOW.timestamp()) - 3600


async def test_a_lost_dispute_is_money_that_went_back(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1")
    closed = dispute("evt_3", at(days=25), of=paid, state=DisputeState.LOST, closed_at=at(days=25))
    told = [paid, refund("evt_2", 900, at(days=5), of=paid), closed]
    await tell_all(db, lead, told, now=now)
    async with db.read() as session:
        (row,) = await listing.payments(session, modes=(Mode.TEST,))
        (customer,) = await listing.customers(session, modes=(Mode.TEST,))
    assert [each.state for each in row.disputes] == [DisputeState.LOST]
    assert (row.refunded, row.left) == (row.amount, 0)
    assert customer.paid == (("USD", 0),)
    assert customer.state is CustomerState.REFUNDED


async def test_a_dispute_that_is_open_or_won_took_nothing(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1")
    for state in (DisputeState.OPEN, DisputeState.WON):
        told = dispute(f"evt_{state.value}", at(days=25), of=paid, state=state)
        await tell_all(db, lead, [paid, told], now=now)
        async with db.read() as session:
            (row,) = await listing.payments(session, modes=(Mode.TEST,))
            (customer,) = await listing.customers(session, modes=(Mode.TEST,))
        assert [each.state for each in row.disputes] == [state]
        assert row.refunded == 0
        assert customer.paid == (("USD", row.amount),)


@pytest.mark.parametrize("first", [0, 1])
async def test_of_one_second_what_a_subscription_still_is_is_the_last(
    db: Database, add_lead: AddLead, now: datetime, first: int
) -> None:
    lead = await add_lead("Woodhaven")
    settled = [
        subscription("evt_b", at(days=1)),
        subscription("evt_a", at(days=1), cancel_at=at(days=30)),
    ]
    last = settled[1]
    assert last.subscription is not None
    settled[1] = replace(last, subscription=replace(last.subscription, still=True))
    await tell_all(db, lead, [settled[first], settled[1 - first]], now=now)
    async with db.read() as session:
        (row,) = await listing.subscriptions(session, modes=(Mode.TEST,))
    assert row.cancel_at == at(days=30)


def _stripe_without_payments_of_invoices(request: httpx.Request) -> httpx.Response:
    """One renewal in the new shape, of which nothing says which payment intent paid it."""
    shared = {"livemode": False, "customer": "cus_1", "created": WHEN, "currency": "usd"}
    intent = {"object": "payment_intent", "id": "pi_1", "amount": 4900, "status": "succeeded"}
    invoice = {
        "object": "invoice",
        "id": "in_1",
        "status": "paid",
        "amount_paid": 4900,
        "amount_due": 4900,
        "billing_reason": "subscription_cycle",
        "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {}}},
        "status_transitions": {"paid_at": WHEN, "finalized_at": WHEN},
    }
    other = invoice | {"id": "in_0", "amount_paid": 9900, "amount_due": 9900}
    objects = {
        "/v1/payment_intents/pi_1": intent | shared | {"amount_received": 4900},
        "/v1/invoices/in_1": invoice | shared,
    }
    events = [
        {
            "id": f"evt_{number}",
            "object": "event",
            "type": word,
            "created": WHEN,
            "livemode": False,
            "data": {"object": objects[path]},
        }
        for number, (word, path) in enumerate(
            [
                ("payment_intent.succeeded", "/v1/payment_intents/pi_1"),
                ("invoice.paid", "/v1/invoices/in_1"),
            ]
        )
    ]
    lists = {
        "/v1/events": events,
        "/v1/invoices": [other | shared, invoice | shared],
        "/v1/checkout/sessions": [],
    }
    path = request.url.path
    if path in lists:
        return httpx.Response(200, json={"data": lists[path], "has_more": False})
    if path in objects:
        return httpx.Response(200, json=objects[path])
    return httpx.Response(404, json={"error": {"message": "Unrecognized request URL"}})


async def test_an_intent_is_of_the_invoice_it_paid_though_nothing_says_so() -> None:
    stream = StripeStream(
        StripeSettings(mode="test"),
        Lookup.of(Secret("sk_test_1")),
        transport=httpx.MockTransport(_stripe_without_payments_of_invoices),
    )
    async with stream:
        page = await stream.fetch_events({}, Asked(now=NOW))
    told = [event.payment for each in page.events for event in parse_money(each.payload)]
    assert sorted((each.payment_intent or "", each.invoice) for each in told if each) == [
        ("", "in_1"),
        ("pi_1", "in_1"),
    ]
