"""Payments of leads that are erased, merged and split: nothing personal stays, no money is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Customer,
    MoneyRef,
    Payment,
    PaymentLink,
    Refund,
    Subscription,
    SubscriptionChange,
)
from crm_tui.services import erase, undo
from crm_tui.services.merge import merge, split
from crm_tui.services.money import by_hand, customers, listing, plans
from crm_tui.vocabulary import Interval, LinkState, Mode, SubscriptionState
from tests.money import telling

if TYPE_CHECKING:
    from tests.conftest import AddLead

MODES = (Mode.MANUAL, Mode.TEST)
TABLES = (Payment, Refund, Subscription, SubscriptionChange, Customer, MoneyRef, PaymentLink)
NEEDLES = (
    b"jane", b"ozone park", b"woodhaven", b"cus_1", b"sub_1", b"pi_first", b"re_back", b"plink_9",
    b"secret", b"de123456",
)  # fmt: skip


async def _bought(db: Database, lead: int, now: datetime) -> None:
    """Somebody who pays by card, paid in cash once, and got some of it back."""
    first = telling.payment("first", subscription="sub_1")
    await telling.tell_all(
        db,
        lead,
        [telling.subscription("begun", telling.T0), first],
        now=now,
    )
    async with undo.action(db, "recorded a payment", now=now) as session:
        paid = await by_hand.pay(session, lead, 9000, "USD", note="secret", now=now)
    async with undo.action(db, "gave money back", now=now) as session:
        await by_hand.refund(session, paid.payment_id, 1000, reason="a secret", now=now)
    async with undo.action(db, "changed", now=now) as session:
        await customers.edit(session, lead, {"tax_id": "DE123456"}, now=now)
    async with db.write() as session:
        plan_id = await plans.add(session, "Basic", 4900, "USD", Interval.MONTH, now=now)
        session.add(
            PaymentLink(
                key="link-1", business_id=lead, origin_id=lead, plan_id=plan_id, provider="stripe",
                mode=Mode.TEST, state=LinkState.OPEN, reference="woodhaven", provider_id="plink_9",
                url="https://pay.example/woodhaven", created_at=now,
            )
        )  # fmt: skip


def _files(store: Path) -> bytes:
    return b"".join(
        p.read_bytes().lower() for p in store.parent.rglob(f"{store.name}*") if p.is_file()
    )


async def test_erasing_takes_who_paid_out_of_the_files_and_leaves_what_was_paid(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Woodhaven Plumbing", email="jane@woodhaven.example")
    await _bought(db, lead, now)
    async with db.read() as session:
        before = await listing.customers(session, modes=MODES)
        mrr = before[0].mrr
    assert mrr
    found = await erase.extent(db, lead)
    assert "2 names on payments" in found.words()
    assert "crm-tui payments export" in found.invoices

    later = now + timedelta(hours=1)
    done = await erase.erase(db, lead, settings=settings, now=later)
    assert "Its subscription runs on at stripe: end it there." in done.problems
    assert "Its payment link is still open at stripe: close it there." in done.problems
    left = _files(db.path)
    assert [needle for needle in NEEDLES if needle in left] == []
    async with db.read() as session:
        (customer,) = await listing.customers(session, modes=MODES)
        rows = await listing.payments(session, modes=MODES)
        (subscribed,) = await listing.subscriptions(session, modes=MODES)
        changes = await session.scalars(
            select(SubscriptionChange.state).order_by(
                SubscriptionChange.occurred_at, SubscriptionChange.key
            )
        )
        assert changes.all() == [SubscriptionState.ACTIVE, SubscriptionState.ENDED]
    assert customer.paid == before[0].paid == (("USD", 12900),)
    assert (customer.mrr, customer.first_payment_at) == ((), before[0].first_payment_at)
    assert [(each.amount, each.refunded) for each in rows] == [(9000, 1000), (4900, 0)]
    assert (subscribed.state, subscribed.ended_at) == (SubscriptionState.ENDED, later)


async def test_who_never_paid_is_not_told_of_invoices(db: Database, add_lead: AddLead) -> None:
    found = await erase.extent(db, await add_lead("Tavella Plumbing"))
    assert found.invoices == ""


async def _rows(db: Database) -> dict[str, list[Any]]:
    async with db.read() as session:
        return {
            model.__tablename__: sorted(
                map(tuple, await session.execute(select(model.__table__))), key=str
            )
            for model in TABLES
        }


@pytest.mark.parametrize("back", ["split", "undo"])
async def test_leads_that_both_paid_are_one_customer_when_merged_and_two_again_after(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime, back: str
) -> None:
    kept, other = await add_lead("Woodhaven Plumbing"), await add_lead("Woodhaven Heating")
    await _bought(db, kept, now)
    async with db.write() as session:
        plan = await plans.named(session, "Basic")
        await by_hand.pay(session, other, 4900, "USD", plan=plan, now=now)
    before = await _rows(db)
    async with undo.action(db, "merged", now=now) as session:
        await merge(session, kept, [other], score=settings.score, now=now)
    async with db.read() as session:
        (customer,) = await listing.customers(session, modes=MODES)
        theirs = await listing.subscriptions(session, modes=MODES, business_id=kept)
    assert (customer.business_id, customer.paid) == (kept, (("USD", 17800),))
    assert len(theirs) == 2
    if back == "split":
        await split(db, other, settings=settings, now=now)
    else:
        await undo.undo(db, settings=settings, now=now)
    assert await _rows(db) == before
