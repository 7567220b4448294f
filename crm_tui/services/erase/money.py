"""Erasing what tells who paid: amounts, currencies, dates and invoice numbers stay for figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, bindparam, cast, delete, func, insert, literal, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import (
    Customer,
    Dispute,
    MoneyRef,
    Payment,
    PaymentLink,
    Refund,
    Subscription,
    SubscriptionChange,
    UndoChange,
)
from crm_tui.services.erase.extent import Extent
from crm_tui.services.money.offered import STANDING
from crm_tui.vocabulary import LinkState, Mode, SubscriptionState


async def left_elsewhere(session: ReadSession, found: Extent) -> list[str]:
    """What goes on at a payment provider, in sentences: that is to be ended there, by hand."""
    running = await session.scalars(
        select(Subscription.provider)
        .where(
            Subscription.business_id.in_(found.ids),
            Subscription.state != SubscriptionState.ENDED,
            Subscription.mode != Mode.MANUAL,
        )
        .distinct()
    )
    open_links = await session.scalars(
        select(PaymentLink.provider)
        .where(
            PaymentLink.business_id.in_(found.ids),
            PaymentLink.state.in_(STANDING),
            PaymentLink.mode != Mode.MANUAL,
        )
        .distinct()
    )
    return [
        *(f"Its subscription runs on at {name}: end it there." for name in running),
        *(f"Its payment link is still open at {name}: close it there." for name in open_links),
    ]


async def changes(session: ReadSession, found: Extent) -> list[int]:
    """What actions wrote of its refunds, disputes and subscriptions, which are nobody's in the book."""
    paid = select(Payment.id).where(Payment.business_id.in_(found.ids))
    subscribed = select(Subscription.id).where(Subscription.business_id.in_(found.ids))
    gone: list[int] = []
    for table, numbers in (
        ("refund", select(Refund.id).where(Refund.payment_id.in_(paid))),
        ("dispute", select(Dispute.id).where(Dispute.payment_id.in_(paid))),
        (
            "subscription_change",
            select(SubscriptionChange.id).where(SubscriptionChange.subscription_id.in_(subscribed)),
        ),
    ):
        number = numbers.subquery().c.id
        record = select(literal("[") + cast(number, Text) + literal("]"))
        gone += await session.scalars(
            select(UndoChange.id).where(
                UndoChange.table_name == table, UndoChange.record.in_(record)
            )
        )
    return gone


async def remove(session: WriteSession, found: Extent, *, now: datetime) -> None:
    """Leave of its money how much it was and when; what runs has ended."""
    await session.execute(delete(MoneyRef).where(MoneyRef.business_id.in_(found.ids)))
    await session.execute(
        update(Customer)
        .where(Customer.business_id.in_(found.ids))
        .values(name=None, email=None, address=None, tax_id=None)
        .execution_options(synchronize_session=None)
    )
    await _payments(session, found.ids)
    await _links(session, found.ids, now=now)
    await _subscriptions(session, found.ids, now=now)


async def _payments(session: WriteSession, ids: Sequence[int]) -> None:
    blank: dict[str, Any] = dict.fromkeys(
        (
            "payment_intent", "invoice_id", "session_id", "charge_id", "name", "email", "address",
            "note", "failure",
        )
    )  # fmt: skip
    await session.execute(
        update(Payment)
        .where(Payment.business_id.in_(ids))
        .values(**blank, told={}, key=_bare("payment", Payment.id))
        .execution_options(synchronize_session=None)
    )
    paid = select(Payment.id).where(Payment.business_id.in_(ids))
    for model in (Refund, Dispute):
        await session.execute(
            update(model)
            .where(model.payment_id.in_(paid))
            .values(reason=None, key=_bare(model.__tablename__, model.id))
            .execution_options(synchronize_session=None)
        )


async def _links(session: WriteSession, ids: Sequence[int], *, now: datetime) -> None:
    of_it = PaymentLink.business_id.in_(ids)
    await session.execute(
        update(PaymentLink)
        .where(of_it, PaymentLink.state.in_(STANDING))
        .values(state=LinkState.CLOSED, closed_at=now)
        .execution_options(synchronize_session=None)
    )
    await session.execute(
        update(PaymentLink)
        .where(of_it)
        .values(
            provider_id=None,
            url=None,
            reference="erased",
            key=_bare("link", PaymentLink.id),
        )
        .execution_options(synchronize_session=None)
    )


async def _subscriptions(session: WriteSession, ids: Sequence[int], *, now: datetime) -> None:
    """End what runs, and give its changes names that keep their order and say nothing."""
    of_it = Subscription.business_id.in_(ids)
    running = Subscription.state != SubscriptionState.ENDED
    terms = ("amount", "currency", "interval", "interval_count", "plan_id")
    await session.execute(
        insert(SubscriptionChange).from_select(
            ["key", "subscription_id", "occurred_at", "state", *terms],
            select(
                _bare("end", Subscription.id),
                Subscription.id,
                literal(now, SubscriptionChange.occurred_at.type),
                literal(SubscriptionState.ENDED, SubscriptionChange.state.type),
                *(getattr(Subscription, name) for name in terms),
            ).where(of_it, running),
        )
    )
    await session.execute(
        update(Subscription)
        .where(of_it, running)
        .values(
            state=SubscriptionState.ENDED, ended_at=now, cancel_at=None, current_period_end=None
        )
        .execution_options(synchronize_session=None)
    )
    await session.execute(
        update(Subscription)
        .where(of_it)
        .values(provider_id=None, key=_bare("subscription", Subscription.id))
        .execution_options(synchronize_session=None)
    )
    place = func.row_number().over(
        order_by=(
            SubscriptionChange.subscription_id,
            SubscriptionChange.occurred_at,
            SubscriptionChange.key,
        )
    )
    rows = await session.execute(
        select(SubscriptionChange.id, SubscriptionChange.subscription_id, place).where(
            SubscriptionChange.subscription_id.in_(
                select(Subscription.id).where(Subscription.business_id.in_(ids))
            )
        )
    )
    renamed = [
        {"change": change, "named": f"erased change {subscription} {number:09d}"}
        for change, subscription, number in rows
    ]
    if renamed:
        connection = await session.connection()
        await connection.execute(
            update(SubscriptionChange)
            .where(SubscriptionChange.id == bindparam("change"))
            .values(key=bindparam("named")),
            renamed,
        )


def _bare(what: str, number: Any) -> Any:
    """A key that says nothing: "erased payment 12"."""
    return literal(f"erased {what} ") + cast(number, Text)
