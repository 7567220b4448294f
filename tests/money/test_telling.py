"""What is told of a lead's money comes to rows, to lines of its timeline, and to what follows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Customer, Payment
from crm_tui.vocabulary import ContactStatus, Outcome, PaymentState
from tests.conftest import AddLead
from tests.money.telling import at, failed, payment, tell_all, the_payment, told_of


async def test_a_payment_makes_a_lead_a_customer_that_is_won(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    assert await tell_all(db, lead, [payment("evt_1")], now=now) == [True]
    async with db.read() as session:
        business = await session.get_one(Business, lead)
        customer = (await session.scalars(select(Customer))).one()
    assert business.contact_status is ContactStatus.PURCHASED
    assert business.outcome is Outcome.WON
    assert business.last_activity == "won: they bought"
    assert (customer.business_id, customer.name, customer.country) == (lead, "Jane Doe", "US")
    assert customer.created_at == at()
    assert await told_of(db, lead) == ["paid 49.00 USD"]


async def test_the_five_events_of_one_payment_are_one_payment_and_one_line(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    five = [
        payment("evt_1", at(0.1), session="cs_1", payment_intent="pi_1"),
        payment("evt_2", at(0), payment_intent="pi_1"),
        payment("evt_3", at(0.2), charge="ch_1", payment_intent="pi_1"),
        payment("evt_4", at(0.3), invoice="in_1"),
        payment("evt_5", at(0.4), invoice="in_1", payment_intent="pi_1", fee=172, tax=400),
    ]
    await tell_all(db, lead, five, now=now)
    paid = await the_payment(db)
    names = (paid.payment_intent, paid.invoice_id, paid.session_id, paid.charge_id)
    assert names == ("pi_1", "in_1", "cs_1", "ch_1")
    assert (paid.amount, paid.fee, paid.tax, paid.paid_at) == (4900, 172, 400, at(0))
    assert paid.key == "stripe:test:pi_1"
    assert await told_of(db, lead) == ["paid 49.00 USD"]


async def test_a_payment_told_again_is_nothing_new(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    once = payment("evt_1")
    assert await tell_all(db, lead, [once, once], now=now) == [True, False]
    assert await told_of(db, lead) == ["paid 49.00 USD"]


async def test_a_payment_that_fails_and_is_tried_again_says_when_and_is_not_bought(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    tries = [
        failed(
            f"evt_{number}",
            at(days=number),
            invoice="in_1",
            failure="card declined",
            attempts=number,
            next_attempt_at=at(days=number + 3) if number < 3 else None,
        )
        for number in (1, 2, 3)
    ]
    await tell_all(db, lead, tries, now=now)
    row = await the_payment(db)
    assert (row.state, row.attempts, row.next_attempt_at) == (PaymentState.FAILED, 3, None)
    assert await told_of(db, lead) == [
        "payment of 49.00 USD failed: card declined, tried again on 7 Nov",
        "payment of 49.00 USD failed: card declined, tried again on 8 Nov",
        "payment of 49.00 USD failed: card declined",
    ]
    async with db.read() as session:
        business = await session.get_one(Business, lead)
        assert (business.contact_status, business.outcome) == (ContactStatus.PENDING, Outcome.OPEN)
        assert (await session.scalars(select(Customer))).all() == []
    await tell_all(db, lead, [payment("evt_4", at(days=5), invoice="in_1")], now=now)
    row = await the_payment(db)
    assert (row.state, row.failure, row.paid_at) == (
        PaymentState.SUCCEEDED,
        "card declined",
        at(days=5),
    )
    assert (await told_of(db, lead))[-1] == "paid 49.00 USD"


async def test_a_renewal_is_a_payment_of_its_own(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    history = [
        payment("evt_1", invoice="in_1", subscription="sub_1"),
        payment("evt_2", at(days=30), invoice="in_2", subscription="sub_1", renewal=True),
    ]
    await tell_all(db, lead, history, now=now)
    assert await told_of(db, lead) == ["paid 49.00 USD", "renewal: paid 49.00 USD"]
    async with db.read() as session:
        assert len((await session.scalars(select(Payment))).all()) == 2
