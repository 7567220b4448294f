"""Any order and any repetition of what is told of a lead's money comes to the same."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    Customer,
    Dispute,
    Event,
    Payment,
    Refund,
    Subscription,
    SubscriptionChange,
)
from crm_tui.providers.money import MoneyEvent, Payer
from crm_tui.services import leads
from crm_tui.services.money.telling import tell
from crm_tui.vocabulary import (
    DisputeState,
    Interval,
    Mode,
    PaymentState,
    RefundState,
    SubscriptionState,
)
from tests.conftest import NOW
from tests.money.scripted import poll, waiting
from tests.money.telling import JANE, MONEY, T0, dispute, payment, refund, subscription

_TIMES = st.integers(0, 40).map(lambda hours: T0 + timedelta(hours=hours))
_IDS = ("payment_intent", "invoice", "session", "charge")


@st.composite
def payments(draw: st.DrawFn, number: int) -> list[MoneyEvent]:
    """Several things told of one payment; one names all of its names, others only some."""
    names: dict[str, Any] = {each: f"{each}_{number}" for each in _IDS}
    renewal = number > 0
    told: list[MoneyEvent] = []
    states = draw(
        st.lists(
            st.sampled_from((PaymentState.SUCCEEDED, PaymentState.FAILED, PaymentState.PENDING)),
            min_size=1,
            max_size=5,
        )
    )
    for part, state in enumerate(states):
        known = draw(st.sets(st.sampled_from(_IDS), min_size=1)) if part else set(_IDS)
        told.append(
            payment(
                f"evt_{number}_{part}",
                draw(_TIMES),
                state=state,
                payer=Payer(
                    ids=("cus_1",),
                    name=draw(st.sampled_from(("", "Jane Doe", "J. Doe"))),
                    country=draw(st.sampled_from(("", "US", "CA"))),
                ),
                renewal=renewal,
                subscription=draw(st.sampled_from((None, "sub_1"))),
                attempts=draw(st.integers(0, 2)),
                fee=draw(st.sampled_from((None, 172))),
                failure=draw(st.sampled_from(("", "card declined"))),
                refunded=draw(st.sampled_from((None, 1000, 4900))),
                **{each: names[each] for each in known},
            )
        )
    paid = payment(f"evt_{number}_r", draw(_TIMES), **names, renewal=renewal)
    for part in range(draw(st.integers(0, 2))):
        steps = draw(st.lists(st.sampled_from(RefundState), min_size=1, max_size=3))
        told += [
            refund(
                f"evt_{number}_r{part}_{step}",
                1500,
                draw(_TIMES),
                of=paid,
                state=state,
                refund_id=f"re_{number}_{part}",
            )
            for step, state in enumerate(steps)
        ]
    if draw(st.booleans()):
        told.append(dispute(f"evt_{number}_d", draw(_TIMES), of=paid))
        if draw(st.booleans()):
            when = draw(_TIMES)
            lost = draw(st.sampled_from((DisputeState.WON, DisputeState.LOST)))
            told.append(dispute(f"evt_{number}_e", when, of=paid, state=lost, closed_at=when))
    return told


@st.composite
def changes(draw: st.DrawFn) -> list[MoneyEvent]:
    """What is told of a subscription."""
    return [
        subscription(
            f"evt_s{number}",
            when := draw(_TIMES),
            state,
            amount=draw(st.sampled_from((4900, 9900))),
            interval=draw(st.sampled_from((Interval.MONTH, Interval.YEAR))),
            cancel_at=draw(st.sampled_from((None, T0 + timedelta(days=30)))),
            ended_at=when if state is SubscriptionState.ENDED else None,
        )
        for number, state in enumerate(
            draw(st.lists(st.sampled_from(SubscriptionState), max_size=5))
        )
    ]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[MoneyEvent], list[MoneyEvent]]:
    """A history, and the same in another order with some of it told again."""
    told = draw(changes())
    for number in range(draw(st.integers(1, 2))):
        told += draw(payments(number))
    again = draw(st.lists(st.sampled_from(told), max_size=5))
    return draw(st.permutations(told)), draw(st.permutations([*told, *again]))


@st.composite
def ending(draw: st.DrawFn) -> list[MoneyEvent]:
    """What is told of a subscription that ended, which may be told late, and what of times after."""
    told = [
        subscription(
            f"evt_s{number}",
            draw(_TIMES),
            draw(st.sampled_from(SubscriptionState)),
            amount=draw(st.sampled_from((4900, 9900))),
            ended_at=draw(st.none() | _TIMES),
        )
        for number in range(draw(st.integers(1, 5)))
    ]
    over = SubscriptionState.ENDED
    told.append(subscription("evt_end", draw(_TIMES), over, ended_at=draw(st.none() | _TIMES)))
    return draw(st.permutations([*told, *draw(st.lists(st.sampled_from(told), max_size=3))]))


_counted = count()


@settings(max_examples=16)
@given(histories())
def test_any_order_and_any_repetition_comes_to_the_same(
    empty_store: Path,
    tmp_path_factory: Any,
    orders: tuple[list[MoneyEvent], list[MoneyEvent]],
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-order.db"
    if not path.exists():
        shutil.copy(empty_store, path)

    async def compare() -> None:
        db = Database(path)
        try:
            one, other = [await _told(db, order) for order in orders]
        finally:
            await db.close()
        assert one == other

    asyncio.run(compare())


@settings(max_examples=40)
@given(ending())
def test_what_has_ended_never_runs_again_in_whatever_order_it_is_told(
    empty_store: Path, tmp_path_factory: Any, order: list[MoneyEvent]
) -> None:
    path = tmp_path_factory.getbasetemp() / "ending.db"
    if not path.exists():
        shutil.copy(empty_store, path)
    ended_at = min(_ended_at(each) or datetime.max.replace(tzinfo=UTC) for each in order)

    async def end() -> None:
        db = Database(path)
        try:
            held = await _told(db, order)
            assert held == await _told(db, sorted(order, key=lambda each: each.name))
        finally:
            await db.close()
        (row,) = held["subscription"]
        assert (row["state"], row["ended_at"]) == (SubscriptionState.ENDED, ended_at)
        changes = held["subscription_change"]
        last = max(changes, key=lambda each: (each["occurred_at"], each["key"]))
        assert (last["state"], last["occurred_at"]) == (SubscriptionState.ENDED, ended_at)
        until = {each.name for each in order if (_ended_at(each) or each.occurred_at) <= ended_at}
        assert len(changes) == len(until)

    asyncio.run(end())


def _ended_at(told: MoneyEvent) -> datetime | None:
    """When what is told says that a subscription ended."""
    run = told.subscription
    if run is None or run.state is not SubscriptionState.ENDED:
        return None
    return run.ended_at or told.occurred_at


@settings(max_examples=8)
@given(histories(), st.data())
def test_whoever_is_named_by_one_record_alone_gets_all_of_it_in_any_order(
    empty_store: Path,
    tmp_path_factory: Any,
    orders: tuple[list[MoneyEvent], list[MoneyEvent]],
    data: st.DataObject,
) -> None:
    told = [each if each.payer.ids else replace(each, payer=JANE) for each in orders[0]]
    naming = data.draw(st.integers(0, len(told) - 1))
    path = shutil.copy(empty_store, tmp_path_factory.mktemp("linking") / "crm.db")

    async def compare() -> None:
        db = Database(Path(path))
        try:
            async with db.write() as session:
                lead = await leads.add(session, {"name": "L"}, settings=Settings(), now=NOW)
                key = (await session.get_one(Business, lead)).key
            records = [
                replace(each, payer=replace(each.payer, reference=key if n == naming else ""))
                for n, each in enumerate(told)
            ]
            polled = await poll(db, *records, now=NOW)
            assert (polled.problem, polled.applied.unread) == ("", 0)
            assert await waiting(db) == []
            one = await _held(db, lead, "stripe")
            other = await _told(db, told)
        finally:
            await db.close()
        assert one == other

    asyncio.run(compare())


async def _told(db: Database, order: Sequence[MoneyEvent]) -> dict[str, Any]:
    """Tell it of a lead of its own, as a provider of its own; what the store holds of that then."""
    provider = f"provider{next(_counted)}"
    async with db.write() as session:
        lead = await leads.add(session, {"name": provider}, settings=Settings(), now=NOW)
        for each in order:
            await tell(
                session, lead, each, provider=provider, mode=Mode.TEST, source="them", now=NOW
            )
    return await _held(db, lead, provider)


async def _held(db: Database, lead: int, provider: str) -> dict[str, Any]:
    """What the store holds of a lead's money."""
    async with db.read() as session:
        lead_row = await session.get_one(Business, lead)
        statuses = (lead_row.contact_status, lead_row.outcome, lead_row.website_status)
        own = (Payment.business_id == lead, Subscription.business_id == lead)
        found: dict[str, Any] = {"statuses": statuses}
        for model, where in (
            (Payment, own[0]),
            (Refund, Refund.payment_id.in_(select(Payment.id).where(own[0]))),
            (Dispute, Dispute.payment_id.in_(select(Payment.id).where(own[0]))),
            (Subscription, own[1]),
            (
                SubscriptionChange,
                SubscriptionChange.subscription_id.in_(select(Subscription.id).where(own[1])),
            ),
            (Customer, Customer.business_id == lead),
        ):
            rows = await session.execute(select(model.__table__).where(where))
            found[model.__tablename__] = sorted(
                (_plain(dict(row), provider) for row in rows.mappings()), key=str
            )
        lines = await session.execute(
            select(Event.occurred_at, Event.kind, Event.summary, Event.moves_to, Event.data)
            .where(
                Event.business_id == lead,
                Event.kind.in_(MONEY),
                Event.is_voided.is_(False),
            )
            .order_by(Event.occurred_at, Event.kind, Event.summary)
        )
        found["lines"] = sorted(
            ((*row[:-1], _plain(row.data, provider)) for row in lines),
            key=str,
        )
    return found


def _plain(row: dict[str, Any], provider: str) -> dict[str, Any]:
    """A row without the numbers that differ from store to store."""
    left_out = {"id", "payment", "subscription", "business_id", "payment_id"}
    found = {}
    for name, value in row.items():
        if name in left_out or (name == "key" and ":rest-" in str(value)):
            continue
        plain = value.replace(provider, "P") if isinstance(value, str) else value
        found[name] = plain if name != "subscription_id" else plain is not None
    return found
