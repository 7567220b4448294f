"""What is told of a lead's money comes to rows, to lines of its timeline, and to what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    Customer,
    Dispute,
    Event,
    Payment,
    Refund,
    Site,
    Subscription,
)
from crm_tui.providers.money import Payer
from crm_tui.services.outcomes import set_outcome
from crm_tui.vocabulary import (
    ContactStatus,
    DisputeState,
    EventKind,
    Interval,
    Mode,
    Outcome,
    PaymentState,
    RefundState,
    SiteStatus,
    SubscriptionState,
    WebsiteStatus,
)
from tests.conftest import AddLead
from tests.money.telling import (
    at,
    dispute,
    failed,
    payment,
    refund,
    rows_of,
    subscription,
    tell_all,
    the_payment,
    told_of,
)


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


async def test_a_refund_in_part_and_then_of_the_rest(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1")
    await tell_all(
        db,
        lead,
        [
            paid,
            refund("evt_2", 2000, at(days=1), of=paid),
            refund("evt_3", 2900, at(days=2), of=paid, state=RefundState.PENDING),
        ],
        now=now,
    )
    assert await told_of(db, lead) == ["paid 49.00 USD", "refunded 20.00 of 49.00 USD"]
    rest = refund("evt_4", 2900, at(days=3), of=paid, refund_id="re_evt_3")
    await tell_all(db, lead, [rest], now=now)
    assert (await told_of(db, lead))[-1] == "refunded 29.00 of 49.00 USD"
    found = await rows_of(db, Refund)
    assert [(each["amount"], each["state"]) for each in found["refund"]] == [
        (2000, RefundState.SUCCEEDED),
        (2900, RefundState.SUCCEEDED),
    ]
    async with db.read() as session:
        business = await session.get_one(Business, lead)
    assert business.contact_status is ContactStatus.PURCHASED


async def test_a_refund_told_before_its_payment_brings_the_payment_along(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1", amount=1250, currency="JPY")
    whole = refund("evt_2", 1250, at(days=1), of=paid)
    await tell_all(db, lead, [whole, paid], now=now)
    assert await told_of(db, lead) == ["paid 1,250 JPY", "refunded 1,250 JPY"]


async def test_a_refund_that_comes_back_does_not_count_any_more(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1")
    back = refund("evt_2", 4900, at(days=1), of=paid)
    failing = refund(
        "evt_3", 4900, at(days=4), of=paid, state=RefundState.FAILED, refund_id="re_evt_2"
    )
    await tell_all(db, lead, [back, failing], now=now)
    assert await told_of(db, lead) == ["paid 49.00 USD"]


async def test_what_went_back_without_a_name_is_kept_until_its_refund_is_told(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1")
    old = payment("evt_2", at(days=1), payment_intent="pi_evt_1", refunded=2000)
    await tell_all(db, lead, [paid, old], now=now)
    assert await told_of(db, lead) == ["paid 49.00 USD", "refunded 20.00 of 49.00 USD"]
    await tell_all(db, lead, [refund("evt_3", 2000, at(days=1), of=paid)], now=now)
    assert await told_of(db, lead) == ["paid 49.00 USD", "refunded 20.00 of 49.00 USD"]
    assert len((await rows_of(db, Refund))["refund"]) == 1


async def test_a_refund_of_a_payment_nobody_told_of_is_refused(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    alone = replace(refund("evt_2", 2000, at(days=1), of=payment("evt_1")), payment=None)
    with pytest.raises(ValueError, match="nobody told of"):
        await tell_all(db, lead, [alone], now=now)


async def test_a_dispute_has_a_deadline_and_an_end(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    paid = payment("evt_1")
    opened = dispute("evt_2", at(days=20), of=paid)
    lost = dispute("evt_3", at(days=40), of=paid, state=DisputeState.LOST, closed_at=at(days=40))
    await tell_all(db, lead, [opened, lost, opened], now=now)
    assert await told_of(db, lead) == [
        "paid 49.00 USD",
        "payment of 49.00 USD disputed: fraudulent, to be answered by 3 Dec",
        "dispute lost: 49.00 USD went back",
    ]
    (row,) = (await rows_of(db, Dispute))["dispute"]
    assert (row["state"], row["due_by"], row["closed_at"]) == (
        DisputeState.LOST,
        at(days=30),
        at(days=40),
    )


async def test_a_subscription_tells_of_each_change_of_its_life(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    life = [
        subscription("evt_1", at(), SubscriptionState.INCOMPLETE),
        subscription("evt_2", at()),
        subscription("evt_3", at(days=1), amount=9900),
        subscription("evt_4", at(days=2), SubscriptionState.PAUSED, amount=9900),
        subscription("evt_5", at(days=3), amount=9900),
        subscription("evt_6", at(days=4), SubscriptionState.PAST_DUE, amount=9900),
        subscription("evt_7", at(days=5), amount=9900, cancel_at=at(days=30)),
        subscription("evt_8", at(days=6), amount=9900),
        subscription("evt_9", at(days=7), amount=99000, interval=Interval.YEAR),
        subscription("evt_10", at(days=8), SubscriptionState.ENDED, amount=99000,
                     interval=Interval.YEAR, ended_at=at(days=8)),
    ]  # fmt: skip
    await tell_all(db, lead, life, now=now)
    assert await told_of(db, lead) == [
        "subscription started: 49.00 USD a month",
        "moved from 49.00 to 99.00 USD a month",
        "subscription paused",
        "subscription resumed",
        "subscription is past due",
        "subscription is paid again, subscription ends on 3 Dec",
        "subscription goes on after all",
        "moved from 99.00 USD a month to 990.00 USD a year",
        "subscription ended: 990.00 USD a year",
    ]
    (row,) = (await rows_of(db, Subscription))["subscription"]
    assert (row["state"], row["ended_at"]) == (SubscriptionState.ENDED, at(days=8))
    async with db.read() as session:
        business = await session.get_one(Business, lead)
    assert business.contact_status is ContactStatus.PENDING  # it never paid


async def test_a_trial_is_not_bought_yet_but_something_free_that_was_ordered_is(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    trying, ordering = await add_lead("Trying"), await add_lead("Ordering")
    nothing = payment("evt_1", amount=0, invoice="in_1", subscription="sub_1")
    trial = subscription("evt_2", at(), SubscriptionState.TRIALING)
    await tell_all(db, trying, [nothing, trial], now=now)
    other = Payer(ids=("cus_2",))
    await tell_all(db, ordering, [payment("evt_3", amount=0, session="cs_2", payer=other)], now=now)
    assert await told_of(db, trying) == [
        "subscription started with a trial, then 49.00 USD a month"
    ]
    assert await told_of(db, ordering) == ["paid 0.00 USD"]
    async with db.read() as session:
        statuses = await session.execute(
            select(Business.name, Business.contact_status).order_by(Business.id)
        )
        assert [tuple(each) for each in statuses] == [
            ("Trying", ContactStatus.PENDING),
            ("Ordering", ContactStatus.PURCHASED),
        ]


async def test_a_payment_finds_its_subscription_whichever_is_told_first(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    first = payment("evt_1", invoice="in_1", subscription="sub_1")
    second = payment("evt_3", at(days=30), invoice="in_2", subscription="sub_1", renewal=True)
    await tell_all(db, lead, [first, subscription("evt_2", at()), second], now=now)
    async with db.read() as session:
        run = await session.scalar(select(Subscription.id))
        assert set(await session.scalars(select(Payment.subscription_id))) == {run}


async def test_two_payments_that_turn_out_to_be_one_become_one(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    by_invoice = payment("evt_1", at(0), invoice="in_1")
    by_intent = payment("evt_2", at(1), payment_intent="pi_1")
    back = refund("evt_3", 2000, at(2), of=by_intent)
    await tell_all(db, lead, [by_invoice, by_intent, back], now=now)
    assert len(await told_of(db, lead)) == 3
    both = payment("evt_4", at(0), invoice="in_1", payment_intent="pi_1")
    await tell_all(db, lead, [both], now=now)
    paid = await the_payment(db)
    assert (paid.payment_intent, paid.invoice_id) == ("pi_1", "in_1")
    assert await told_of(db, lead) == ["paid 49.00 USD", "refunded 20.00 of 49.00 USD"]


async def test_a_charge_of_an_earlier_attempt_is_the_same_payment(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    history = [
        failed("evt_1", at(0), payment_intent="pi_1", charge="ch_1"),
        payment("evt_2", at(1), payment_intent="pi_1", charge="ch_2"),
        failed("evt_3", at(0), charge="ch_1"),
    ]
    await tell_all(db, lead, history, now=now)
    assert (await the_payment(db)).charge_id == "ch_2"


async def test_test_money_and_real_money_of_the_same_names_are_two(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    await tell_all(db, lead, [payment("evt_1")], now=now, mode=Mode.TEST)
    await tell_all(db, lead, [payment("evt_1")], now=now, mode=Mode.LIVE)
    found = await rows_of(db, Payment)
    assert [each["mode"] for each in found["payment"]] == [Mode.LIVE, Mode.TEST]
    assert await told_of(db, lead) == ["paid 49.00 USD", "paid 49.00 USD"]


async def test_the_site_that_was_bought_is_sold_and_a_renewal_sells_no_other(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    async with db.write() as session:
        for number, status in enumerate((SiteStatus.PUBLISHED, SiteStatus.PREVIEW)):
            session.add(_site(lead, f"woodhaven-{number}", status, at(number)))
    await tell_all(db, lead, [payment("evt_1", at(5))], now=now)
    await tell_all(
        db, lead, [payment("evt_2", at(days=30), renewal=True, subscription="sub_1")], now=now
    )
    async with db.read() as session:
        sites = await session.execute(select(Site.slug, Site.status).order_by(Site.slug))
        assert [tuple(each) for each in sites] == [
            ("woodhaven-0", SiteStatus.SOLD),
            ("woodhaven-1", SiteStatus.PREVIEW),
        ]
        business = await session.get_one(Business, lead)
        sold = select(Event.site_id).where(Event.kind == EventKind.SITE_SOLD)
        assert len((await session.scalars(sold)).all()) == 1
    assert business.website_status is WebsiteStatus.SOLD


async def test_who_was_archived_and_pays_is_brought_back(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    async with db.write() as session:
        (await session.get_one(Business, lead)).archived_at = now
    await tell_all(db, lead, [payment("evt_1")], now=now)
    async with db.read() as session:
        business = await session.get_one(Business, lead)
        told = select(Event.summary).where(Event.kind == EventKind.UNARCHIVED)
        assert await session.scalar(told) == "brought back from the archive: they bought"
    assert business.archived_at is None


async def test_a_renewal_leaves_what_the_operator_said_of_a_customer(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Woodhaven")
    await tell_all(db, lead, [payment("evt_1", subscription="sub_1")], now=now)
    async with db.write() as session:
        await set_outcome(session, [lead], Outcome.LOST, reason="went elsewhere", now=now)
    again = payment("evt_2", at(days=30), subscription="sub_1", renewal=True)
    await tell_all(db, lead, [again], now=now)
    async with db.read() as session:
        assert (await session.get_one(Business, lead)).outcome is Outcome.LOST


def _site(lead: int, slug: str, status: SiteStatus, built_at: datetime) -> Site:
    return Site(
        business_id=lead,
        slug=slug,
        theme="plain",
        status=status,
        content_hash=slug,
        created_at=built_at,
        built_at=built_at,
        html="<p>",
    )
