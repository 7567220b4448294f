"""Payments, customers and subscriptions as lists show them.

Amounts are in minor units of the currency beside them, times aware UTC. A provider's play money is
never among real money: `modes` says which of both is asked for, beside what was recorded by hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, case, func, select

from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import (
    Business,
    Customer,
    Dispute,
    Payment,
    Plan,
    Refund,
    Subscription,
)
from crm_tui.db.types import listed as one_parameter
from crm_tui.services.money.rows import (
    NO_MONEY,
    CustomerRow,
    CustomerState,
    DisputeRow,
    LeadMoney,
    PaymentRow,
    RefundRow,
    SubscriptionRow,
)
from crm_tui.vocabulary import (
    DisputeState,
    Mode,
    PaymentState,
    RefundState,
    SubscriptionState,
)

_SOME = 500
T = TypeVar("T")


def counted(settings: Settings) -> tuple[Mode, Mode]:
    """The money that counts: what was recorded by hand, and that of the account that is set."""
    return Mode.MANUAL, Mode(settings.providers.stripe.mode)


# Lists


async def payments(
    session: ReadSession,
    *,
    modes: Collection[Mode],
    business_id: int | None = None,
    limit: int | None = None,
) -> list[PaymentRow]:
    """Payments, the latest first; those of one lead, if it is named."""
    where = [] if business_id is None else [Payment.business_id == business_id]
    return await _payments(session, *where, modes=modes, limit=limit)


async def payments_of(
    session: ReadSession, business_ids: Sequence[int]
) -> dict[int, list[PaymentRow]]:
    """The payments of leads, of whatever mode, by the lead; the latest first."""
    found: dict[int, list[PaymentRow]] = defaultdict(list)
    wanted = Payment.business_id.in_(one_parameter(business_ids))
    for each in await _payments(session, wanted, modes=tuple(Mode)):
        found[each.business_id].append(each)
    return found


async def payment(session: ReadSession, payment_id: int) -> PaymentRow | None:
    """One payment, of whatever mode."""
    found = await _payments(session, Payment.id == payment_id, modes=tuple(Mode))
    return found[0] if found else None


async def subscriptions(
    session: ReadSession,
    *,
    modes: Collection[Mode],
    business_id: int | None = None,
    limit: int | None = None,
) -> list[SubscriptionRow]:
    """Subscriptions, those that have ended too, the latest first."""
    where = [] if business_id is None else [Subscription.business_id == business_id]
    query = _subscriptions(modes).where(*where)
    query = query.order_by(Subscription.started_at.desc(), Subscription.id.desc()).limit(limit)
    return [SubscriptionRow(*row) for row in await session.execute(query)]


async def subscription(session: ReadSession, subscription_id: int) -> SubscriptionRow | None:
    """One subscription, of whatever mode."""
    query = _subscriptions(tuple(Mode)).where(Subscription.id == subscription_id)
    row = (await session.execute(query)).first()
    return None if row is None else SubscriptionRow(*row)


async def customers(
    session: ReadSession,
    *,
    modes: Collection[Mode],
    business_id: int | None = None,
    limit: int | None = None,
) -> list[CustomerRow]:
    """Customers with money of these modes, the latest first; one lead's, if it is named."""
    of_modes = (
        select(Payment.business_id)
        .where(Payment.mode.in_(modes))
        .union(select(Subscription.business_id).where(Subscription.mode.in_(modes)))
    )
    query = (
        select(
            Customer.id,
            Customer.business_id,
            Business.name,
            Customer.name,
            Customer.email,
            Customer.address,
            Customer.country,
            Customer.tax_id,
            Customer.created_at,
        )
        .join(Business, Business.id == Customer.business_id)
        .where(Customer.business_id.in_(of_modes))
        .order_by(Customer.created_at.desc(), Customer.id.desc())
        .limit(limit)
    )
    if business_id is not None:
        query = query.where(Customer.business_id == business_id)
    found = [CustomerRow(*row) for row in await session.execute(query)]
    told: list[CustomerRow] = []
    for start in range(0, len(found), _SOME):
        some = found[start : start + _SOME]
        told += await _with_money(session, some, modes)
    return told


async def of_lead(session: ReadSession, business_id: int, *, modes: Collection[Mode]) -> LeadMoney:
    """What one lead paid and pays; most have nothing, which one look tells."""
    any_payment = select(Payment.id).where(Payment.business_id == business_id).exists()
    subscribed = select(Subscription.id).where(Subscription.business_id == business_id).exists()
    if not await session.scalar(select(any_payment | subscribed)):
        return NO_MONEY
    found = await customers(session, modes=modes, business_id=business_id)
    return LeadMoney(
        found[0] if found else None,
        tuple(await subscriptions(session, modes=modes, business_id=business_id)),
        tuple(await payments(session, modes=modes, business_id=business_id)),
    )


# Reading


def _subscriptions(modes: Collection[Mode]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Subscription.id,
            Subscription.business_id,
            Business.name,
            Subscription.plan_id,
            Plan.name,
            Subscription.provider,
            Subscription.mode,
            Subscription.state,
            Subscription.amount,
            Subscription.currency,
            Subscription.interval,
            Subscription.interval_count,
            Subscription.started_at,
            Subscription.current_period_end,
            Subscription.cancel_at,
            Subscription.ended_at,
        )
        .join(Business, Business.id == Subscription.business_id)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
        .where(Subscription.mode.in_(modes))
    )


async def _payments(
    session: ReadSession,
    *where: ColumnElement[bool],
    modes: Collection[Mode],
    limit: int | None = None,
) -> list[PaymentRow]:
    at = func.coalesce(Payment.paid_at, Payment.failed_at, Payment.created_at)
    query: Select[*tuple[Any, ...]] = (
        select(
            Payment.id,
            Payment.business_id,
            Business.name,
            Customer.id,
            Payment.plan_id,
            Plan.name,
            Payment.subscription_id,
            Payment.provider,
            Payment.mode,
            Payment.method,
            Payment.state,
            Payment.amount,
            Payment.currency,
            Payment.fee,
            Payment.tax,
            Payment.is_renewal,
            at.label("at"),
            Payment.paid_at,
            Payment.failed_at,
            case((Payment.state == PaymentState.SUCCEEDED, None), else_=Payment.failure),
            Payment.attempts,
            Payment.next_attempt_at,
            Payment.invoice_number,
            Payment.name,
            Payment.address,
            Payment.country,
            Payment.note,
        )
        .join(Business, Business.id == Payment.business_id)
        .outerjoin(Customer, Customer.business_id == Payment.business_id)
        .outerjoin(Plan, Plan.id == Payment.plan_id)
        .where(Payment.mode.in_(modes), *where)
        .order_by(at.desc(), Payment.id.desc())
        .limit(limit)
    )
    found = [PaymentRow(*row) for row in await session.execute(query)]
    ids = [each.id for each in found]
    refunds, disputes = await _refunds(session, ids), await _disputes(session, ids)
    return [
        replace(
            each,
            refunds=tuple(refunds.get(each.id, ())),
            disputes=tuple(disputes.get(each.id, ())),
        )
        for each in found
    ]


async def _disputes(session: ReadSession, ids: Sequence[int]) -> dict[int, list[DisputeRow]]:
    query = (
        select(
            Dispute.payment_id,
            Dispute.id,
            Dispute.amount,
            Dispute.state,
            Dispute.reason,
            Dispute.opened_at,
            Dispute.due_by,
            Dispute.closed_at,
        )
        .where(Dispute.payment_id.in_(one_parameter(ids)))
        .order_by(Dispute.opened_at, Dispute.id)
    )
    return await _by_payment(session, query, DisputeRow)


async def _refunds(session: ReadSession, ids: Sequence[int]) -> dict[int, list[RefundRow]]:
    query = (
        select(
            Refund.payment_id,
            Refund.id,
            Refund.amount,
            Refund.state,
            Refund.refunded_at,
            Refund.reason,
        )
        .where(Refund.payment_id.in_(one_parameter(ids)))
        .order_by(Refund.refunded_at, Refund.id)
    )
    return await _by_payment(session, query, RefundRow)


async def _by_payment(
    session: ReadSession, query: Select[*tuple[Any, ...]], row: Callable[..., T]
) -> dict[int, list[T]]:
    """What belongs to payments, of a query whose first column says to which."""
    found: dict[int, list[T]] = defaultdict(list)
    for payment_id, *values in await session.execute(query):
        found[payment_id].append(row(*values))
    return found


async def _with_money(
    session: ReadSession, found: Sequence[CustomerRow], modes: Collection[Mode]
) -> list[CustomerRow]:
    """Customers with what they paid and what they pay."""
    ids = one_parameter([each.business_id for each in found])
    paid: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    first: dict[int, datetime] = {}
    came: Select[*tuple[Any, ...]] = (
        select(
            Payment.business_id,
            Payment.currency,
            func.sum(Payment.amount),
            func.min(Payment.paid_at),
        )
        .where(Payment.business_id.in_(ids), _came(modes))
        .group_by(Payment.business_id, Payment.currency)
    )
    for business_id, currency, amount, at in await session.execute(came):
        paid[business_id][currency][0] = amount
        first[business_id] = min(first.get(business_id, at), at)
    went_back = (
        select(Payment.business_id, Payment.currency, func.sum(func.min(Payment.amount, _gone())))
        .where(Payment.business_id.in_(ids), _came(modes), _gone() > 0)
        .group_by(Payment.business_id, Payment.currency)
    )
    for business_id, currency, amount in await session.execute(went_back):
        paid[business_id][currency][1] = amount
    theirs: dict[int, list[SubscriptionRow]] = defaultdict(list)
    query = _subscriptions(modes).where(Subscription.business_id.in_(ids))
    for row in await session.execute(query):
        subscribed = SubscriptionRow(*row)
        theirs[subscribed.business_id].append(subscribed)
    return [
        replace(
            each,
            state=_state(theirs[each.business_id], paid[each.business_id].values()),
            first_payment_at=first.get(each.business_id),
            paid=tuple(
                (currency, came - back)
                for currency, (came, back) in sorted(paid[each.business_id].items())
            ),
            mrr=_mrr(theirs[each.business_id]),
        )
        for each in found
    ]


def _gone() -> ColumnElement[int]:
    """What went back of a payment, by refunds and by disputes that were lost."""
    refunds = select(func.coalesce(func.sum(Refund.amount), 0)).where(
        Refund.payment_id == Payment.id, Refund.state == RefundState.SUCCEEDED
    )
    lost = select(func.coalesce(func.sum(Dispute.amount), 0)).where(
        Dispute.payment_id == Payment.id, Dispute.state == DisputeState.LOST
    )
    return refunds.scalar_subquery() + lost.scalar_subquery()


def _came(modes: Collection[Mode]) -> ColumnElement[bool]:
    return (Payment.state == PaymentState.SUCCEEDED) & Payment.mode.in_(modes)


def _state(subscribed: Iterable[SubscriptionRow], paid: Iterable[Sequence[int]]) -> CustomerState:
    """Where a customer stands: what runs names it, then what was given back, then what ended."""
    states = {each.state for each in subscribed}
    if states & {SubscriptionState.ACTIVE, SubscriptionState.TRIALING}:
        return CustomerState.ACTIVE
    if states & {SubscriptionState.PAST_DUE, SubscriptionState.UNPAID}:
        return CustomerState.PAST_DUE
    if SubscriptionState.PAUSED in states:
        return CustomerState.PAUSED
    sums = list(paid)
    if sums and all(back >= came for came, back in sums):
        return CustomerState.REFUNDED
    if SubscriptionState.ENDED in states:
        return CustomerState.CHURNED
    return CustomerState.ONE_OFF if sums else CustomerState.UNPAID


def _mrr(subscribed: Iterable[SubscriptionRow]) -> tuple[tuple[str, Fraction], ...]:
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for each in subscribed:
        sums[each.currency] += each.mrr
    return tuple((currency, amount) for currency, amount in sorted(sums.items()) if amount)
