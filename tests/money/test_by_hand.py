"""Payments recorded by hand, what they start and renew, and taking all of it back."""

from __future__ import annotations

import json
from array import array
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from sqlalchemy import select, text

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Customer, Event, Payment, Subscription
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import today, undo
from crm_tui.services.export import export_leads
from crm_tui.services.money import by_hand, customers, listing, plans, subscriptions
from crm_tui.services.money.by_hand import Recorded
from crm_tui.services.money.plans import PlanRow
from crm_tui.services.money.rows import CustomerState
from crm_tui.services.money.saying import read_day
from crm_tui.services.today import MONEY, Kind
from crm_tui.vocabulary import ContactStatus, Interval, Mode, Outcome, SubscriptionState
from tests.money import telling

if TYPE_CHECKING:
    from tests.conftest import AddLead

REAL = (Mode.MANUAL, Mode.LIVE)
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Pay(Protocol):
    """Records a payment of 49.00 USD as one action."""

    def __call__(
        self, lead: int, plan: PlanRow | None = None, at: datetime | None = None, **more: Any
    ) -> Awaitable[Recorded]: ...


@pytest.fixture
def pay(db: Database, now: datetime) -> Pay:
    """Records payments as actions."""

    async def do(
        lead: int, plan: PlanRow | None = None, at: datetime | None = None, **more: Any
    ) -> Recorded:
        amount = more.pop("amount", 4900)
        currency = more.pop("currency", "USD")
        async with undo.action(db, "recorded a payment", now=now) as session:
            return await by_hand.pay(
                session, lead, amount, currency, plan=plan, paid_at=at, now=now, **more
            )

    return do


@pytest.fixture
async def basic(db: Database, now: datetime) -> PlanRow:
    """A plan for 49.00 USD a month."""
    return await _plan(db, "Basic", 4900, Interval.MONTH, now)


async def _plan(
    db: Database, name: str, amount: int, interval: Interval, now: datetime, fee: int = 0
) -> PlanRow:
    async with db.write() as session:
        plan_id = await plans.add(session, name, amount, "USD", interval, setup_fee=fee, now=now)
        return await plans.required(session, plan_id)


async def _subscribed(db: Database, lead: int) -> list[Subscription]:
    async with db.read() as session:
        rows = await session.scalars(
            select(Subscription).where(Subscription.business_id == lead).order_by(Subscription.id)
        )
        return list(rows)


async def _everything(db: Database) -> dict[str, list[Any]]:
    """All rows of money, and what follows from them for leads."""
    asked = {
        table: f"SELECT * FROM {table} ORDER BY 1, 2"
        for table in (
            "payment",
            "refund",
            "subscription",
            "subscription_change",
            "customer",
            "money_ref",
        )
    }
    asked["business"] = "SELECT id, contact_status, website_status, outcome FROM business"
    asked["event"] = "SELECT key FROM event WHERE NOT is_voided AND kind <> 'voided' ORDER BY key"
    async with db.read() as session:
        return {
            name: [tuple(row) for row in await session.execute(text(statement))]
            for name, statement in asked.items()
        }


async def test_a_payment_in_cash_makes_a_lead_a_customer_and_undo_takes_all_of_it_back(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing", email="owner@woodhaven.example")
    before = await _everything(db)
    made = await pay(lead, basic)
    after = await _everything(db)
    async with db.read() as session:
        status, outcome = (
            await session.execute(
                select(Business.contact_status, Business.outcome).where(Business.id == lead)
            )
        ).one()
    assert (status, outcome) == (ContactStatus.PURCHASED, Outcome.WON)
    assert [each.id for each in await _subscribed(db, lead)] == [made.subscription_id]
    assert not made.is_renewal

    undone = await undo.undo(db, settings=settings, now=now)
    assert undone is not None
    assert not undone.left
    assert await _everything(db) == before
    await undo.redo(db, settings=settings, now=now)
    assert await _everything(db) == after


async def test_each_payment_pays_one_more_month_and_the_end_of_a_month_stays_its_end(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    ends = []
    for month in (1, 2, 3):
        made = await pay(lead, basic, START.replace(month=month, day=28))
        (running,) = await _subscribed(db, lead)
        ends.append(running.current_period_end)
        assert made.is_renewal is (month > 1)
    assert ends == [START.replace(month=month, day=28) for month in (2, 3, 4)]

    other = await add_lead("Tavella Plumbing")
    for day in (START, START + timedelta(days=28), START + timedelta(days=59)):
        await pay(other, basic, day)
    (running,) = await _subscribed(db, other)
    assert running.current_period_end == datetime(2026, 4, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (1, 3, 2), (3, 1, 2)])
async def test_payments_recorded_in_any_order_come_to_one_subscription_paid_for_as_long(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, order: tuple[int, ...]
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    for month in order:
        await pay(lead, basic, datetime(2026, month, 5, 12, tzinfo=UTC))
    (running,) = await _subscribed(db, lead)
    assert running.started_at == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert running.current_period_end == datetime(2026, 4, 5, 12, tzinfo=UTC)


async def test_a_payment_for_another_plan_changes_the_subscription_and_starts_no_second_one(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, now: datetime
) -> None:
    yearly = await _plan(db, "Whole year", 48000, Interval.YEAR, now)
    lead = await add_lead("Woodhaven Plumbing")
    await pay(lead, basic, datetime(2026, 3, 5, 12, tzinfo=UTC))
    made = await pay(lead, yearly, datetime(2026, 4, 5, 12, tzinfo=UTC), amount=48000)
    (running,) = await _subscribed(db, lead)
    assert made.words == "Its subscription changed to Whole year (it was Basic)."
    assert (running.plan_id, running.amount, running.interval) == (yearly.id, 48000, Interval.YEAR)
    assert running.current_period_end == datetime(2027, 4, 5, 12, tzinfo=UTC)


async def test_who_stopped_and_pays_again_has_a_second_subscription(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    first = await pay(lead, basic, START)
    ended = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert first.subscription_id is not None
    async with db.write() as session:
        await subscriptions.end(session, first.subscription_id, at=ended, now=now)
    late = await pay(lead, basic, ended - timedelta(days=40))
    assert late.subscription_id == first.subscription_id
    again = await pay(lead, basic, ended + timedelta(days=40))
    assert again.subscription_id not in (None, first.subscription_id)
    old, new = await _subscribed(db, lead)
    assert (old.state, old.ended_at) == (SubscriptionState.ENDED, ended)
    assert new.state is SubscriptionState.ACTIVE


async def test_a_pause_is_made_up_for_and_paying_ends_it(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    made = await pay(lead, basic, datetime(2026, 3, 1, 12, tzinfo=UTC))
    number = made.subscription_id
    assert number is not None

    async def running() -> Subscription:
        (found,) = await _subscribed(db, lead)
        return found

    async with db.write() as session:
        await subscriptions.pause(
            session, number, at=datetime(2026, 3, 11, 12, tzinfo=UTC), now=now
        )
    assert (await running()).state is SubscriptionState.PAUSED
    async with db.write() as session:
        with pytest.raises(BadInput, match=f"Subscription {number} pauses already"):
            await subscriptions.pause(session, number, now=now)
        again = datetime(2026, 5, 11, 12, tzinfo=UTC)
        await subscriptions.resume(session, number, at=again, now=now)
    assert (await running()).current_period_end == again + timedelta(days=21)
    async with db.write() as session:
        with pytest.raises(BadInput, match="does not pause"):
            await subscriptions.resume(session, number, now=now)
        await subscriptions.pause(session, number, at=datetime(2026, 5, 20, tzinfo=UTC), now=now)
    paid = await pay(lead, basic, datetime(2026, 6, 2, tzinfo=UTC))
    assert paid.words == "Its subscription goes on; it was paused."
    assert (await running()).state is SubscriptionState.ACTIVE


async def test_a_subscription_that_runs_at_a_provider_is_not_doubled(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    async with db.write() as session:
        session.add(
            Subscription(
                key="stripe:live:sub_1",
                business_id=lead,
                plan_id=basic.id,
                provider="stripe",
                mode=Mode.LIVE,
                provider_id="sub_1",
                state=SubscriptionState.PAST_DUE,
                amount=4900,
                currency="USD",
                interval=Interval.MONTH,
                started_at=START,
            )
        )
        await session.flush()
    made = await pay(lead, basic)
    assert made.subscription_id is None
    assert made.words == "Its subscription at stripe runs on as it is; no second one began."
    (theirs,) = await _subscribed(db, lead)
    async with db.write() as session:
        with pytest.raises(BadInput, match="runs at stripe: change it there"):
            await subscriptions.end(session, theirs.id, now=now)


async def test_money_goes_back_in_parts_and_never_more_than_came(
    db: Database, add_lead: AddLead, pay: Pay, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    made = await pay(lead, note="for the website")
    async with db.write() as session:
        assert await by_hand.refund(session, made.payment_id, 900, now=now) == 900
    async with db.write() as session:
        with pytest.raises(BadInput, match=r"40\.00 USD can go back; 40\.01 USD cannot"):
            await by_hand.refund(session, made.payment_id, 4001, now=now)
        with pytest.raises(BadInput, match=r"0\.00 USD cannot"):
            await by_hand.refund(session, made.payment_id, 0, now=now)
        with pytest.raises(BadInput, match="after that day"):
            await by_hand.refund(
                session, made.payment_id, 100, refunded_at=now - timedelta(days=2), now=now
            )
        assert await by_hand.refund(session, made.payment_id, now=now) == 4000
    async with db.write() as session:
        with pytest.raises(BadInput, match="All of payment 1 was given back"):
            await by_hand.refund(session, made.payment_id, now=now)
        with pytest.raises(NotFound, match="There is no payment 99"):
            await by_hand.refund(session, 99, now=now)
    async with db.read() as session:
        (row,) = await listing.payments(session, modes=REAL)
        (customer,) = await listing.customers(session, modes=REAL)
    assert [each.amount for each in row.refunds] == [900, 4000]
    assert (row.refunded, row.left, row.note) == (4900, 0, "for the website")
    assert customer.state is CustomerState.REFUNDED
    assert customer.paid == (("USD", 0),)


async def test_what_cannot_be_is_said_in_a_sentence_and_nothing_is_written(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    for said, more in (
        ("lies in the future", {"at": now + timedelta(minutes=1)}),
        ("too long ago", {"at": now.replace(year=203)}),
        ("more than nothing", {"amount": 0}),
        ("is paid in USD, not in EUR", {"plan": basic, "currency": "EUR"}),
        ("is a word, such as cash", {"method": "x" * 31}),
        ("Say how it was paid", {"method": " "}),
        ("500 characters at most", {"note": "x" * 501}),
    ):
        with pytest.raises(BadInput, match=said):
            await pay(lead, **more)
    with pytest.raises(NotFound):
        await pay(lead + 1)
    async with db.read() as session:
        assert (await session.scalars(select(Payment.id))).all() == []
        assert (await session.scalars(select(Customer.id))).all() == []


def test_a_day_is_its_noon_in_the_operators_zone_and_today_is_now(now: datetime) -> None:
    assert read_day("2026-11-20", now=now, zone=UTC) == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert read_day("2026-11-22", now=now, zone=UTC) == now
    assert read_day("2026-11-22T08:00:00Z", now=now) == now.replace(hour=8, minute=0)
    for said in ("2026-11-23", "2999-01-01", "soon", ""):
        with pytest.raises(BadInput):
            read_day(said, now=now, zone=UTC)


async def test_today_is_told_what_of_subscriptions_wants_attention(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, now: datetime
) -> None:
    late = await add_lead("Woodhaven Plumbing")
    good = await add_lead("Tavella Plumbing")
    await pay(late, basic, now - timedelta(days=40))
    await pay(good, basic, now - timedelta(days=3))
    assert await _wanting(db, now) == {Kind.OVERDUE: ["Woodhaven Plumbing"]}
    await pay(late, basic)
    assert await _wanting(db, now) == {}


async def _wanting(db: Database, now: datetime) -> dict[Kind, list[str]]:
    """Whom today's list names because of money."""
    order = await today.order(db, due_by=now)
    async with db.read() as session:
        return {
            kind: [each.name for each in await today.lines(session, list(order[kind]))]
            for kind in MONEY
            if kind in order and len(order[kind])
        }


async def test_where_a_customer_stands_follows_from_what_it_pays(
    db: Database, add_lead: AddLead, pay: Pay, basic: PlanRow, now: datetime
) -> None:
    yearly = await _plan(db, "Year", 10000, Interval.YEAR, now, fee=500)
    once = await _plan(db, "Website", 90000, Interval.ONCE, now)
    lead = await add_lead("Woodhaven Plumbing")
    bought = await add_lead("Tavella Plumbing")
    assert yearly.price == "100.00 USD a year, 5.00 USD at the beginning"
    made = await pay(lead, yearly, amount=yearly.first)
    await pay(bought, once, amount=90000)
    async with db.read() as session:
        found = {each.business_id: each for each in await listing.customers(session, modes=REAL)}
        (subscribed,) = await listing.subscriptions(session, modes=REAL)
    assert found[lead].state is CustomerState.ACTIVE
    assert [(code, round(amount)) for code, amount in found[lead].mrr] == [("USD", 833)]
    assert subscribed.mrr * 12 == 10000
    assert found[bought].state is CustomerState.ONE_OFF
    assert (found[bought].mrr, found[bought].paid) == ((), (("USD", 90000),))
    assert made.subscription_id is not None
    async with db.write() as session:
        await subscriptions.end(session, made.subscription_id, now=now)
        (row,) = await listing.customers(session, modes=REAL, business_id=lead)
    assert row.state is CustomerState.CHURNED


async def test_what_invoices_say_of_a_customer_is_changed_and_undone(
    db: Database, add_lead: AddLead, pay: Pay, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    async with db.write() as session:
        with pytest.raises(NotFound, match="is no customer: it has bought nothing"):
            await customers.edit(session, lead, {"tax_id": "DE1"}, now=now)
    await pay(lead)
    async with db.read() as session:
        before = await customers.details(session, lead)
    changes = {
        "tax_id": "DE123456789",
        "country": "de",
        "city": " Berlin ",
        "name": "Woodhaven GmbH",
    }
    async with undo.action(db, "changed", now=now) as session:
        changed = await customers.edit(session, lead, changes, now=now)
    assert changed == ("name", "city", "country", "tax_id")
    async with db.read() as session:
        known = await customers.details(session, lead)
    assert (known["city"], known["country"], known["tax_id"]) == ("Berlin", "DE", "DE123456789")
    async with db.write() as session:
        assert await customers.edit(session, lead, {"city": "Berlin"}, now=now) == ()
        for field, value in (("country", "Germany"), ("email", "nobody"), ("shoe", "42")):
            with pytest.raises(BadInput):
                await customers.edit(session, lead, {field: value}, now=now)
    await undo.undo(db, settings=settings, now=now)
    async with db.read() as session:
        assert await customers.details(session, lead) == before
        told = await session.scalars(
            select(Event.summary).where(Event.kind == "edited", ~Event.is_voided)
        )
        assert told.all() == []


async def test_an_export_of_a_lead_holds_its_payments(
    db: Database, add_lead: AddLead, pay: Pay, now: datetime, tmp_path: Path
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    made = await pay(lead, note="for the website", method="cheque")
    async with db.write() as session:
        await by_hand.refund(session, made.payment_id, 900, now=now)
    target = tmp_path / "lead.json"
    await export_leads(db, array("q", (lead,)), form="json", target=target, now=now)
    (document,) = json.loads(target.read_text())["leads"]
    (payment,) = document["payments"]
    assert (payment["amount"], payment["currency"], payment["state"]) == (
        "49.00",
        "USD",
        "succeeded",
    )
    assert (payment["method"], payment["note"]) == ("cheque", "for the website")
    assert [each["amount"] for each in payment["refunds"]] == ["9.00"]
    await export_leads(db, array("q", (lead,)), form="csv", target=target, now=now)
    assert "49.00" not in target.read_text()


async def test_what_the_operator_wrote_of_a_customer_no_later_payment_changes(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing")
    await telling.tell_all(db, lead, [telling.payment("first")], now=now)
    async with undo.action(db, "changed", now=now) as session:
        await customers.edit(session, lead, {"name": "Woodhaven LLC", "city": "Queens"}, now=now)
    other = replace(
        telling.JANE, name="J. Doe", address={"city": "Bronx"}, country="ca", tax_id="T1"
    )
    renewal = telling.payment("second", telling.at(days=30), payer=other)
    await telling.tell_all(db, lead, [renewal], now=now)
    async with db.read() as session:
        known = await customers.details(session, lead)
    assert (known["name"], known["city"]) == ("Woodhaven LLC", "Queens")
    assert (known["country"], known["tax_id"]) == ("CA", "T1")
