"""Who bought when, and what came of it: what several figures are made of.

A business is a customer from its first payment that succeeded. What a payment brought is its amount
less what went back of it, by refunds that succeeded and by disputes that were lost; never less than
nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Dispute, Payment, Refund
from crm_tui.services.figures import among
from crm_tui.services.figures.base import Period, Scope
from crm_tui.vocabulary import DisputeState, PaymentState, RefundState


class Sale(NamedTuple):
    """A business's first payment."""

    business_id: int
    at: datetime
    currency: str
    captured_at: datetime
    source: str
    """The source of the business, folded."""


class Income(NamedTuple):
    """What a payment brought, in minor units."""

    business_id: int
    currency: str
    amount: int


async def first_payments(
    session: ReadSession,
    scope: Scope,
    *,
    paid: Period | None = None,
    captured: Period | None = None,
) -> list[Sale]:
    """The first payments of all businesses that bought, by number of the business.

    Args:
        session: the store.
        scope: which leads and whose money.
        paid: only those first payments that lie in this time.
        captured: only businesses captured in it.
    """
    place = func.row_number().over(
        partition_by=Payment.business_id, order_by=(Payment.paid_at, Payment.id)
    )
    ranked = (
        select(Payment.business_id, Payment.paid_at, Payment.currency, place.label("place"))
        .where(*counted(scope), *among.of_leads(Payment.business_id, scope))
        .subquery()
    )
    statement = (
        select(
            ranked.c.business_id,
            ranked.c.paid_at,
            ranked.c.currency,
            Business.captured_at,
            Business.source_folded,
        )
        .join(Business, Business.id == ranked.c.business_id)
        .where(
            ranked.c.place == 1,
            *among.within(ranked.c.paid_at, paid or Period()),
            *among.within(Business.captured_at, captured or Period()),
        )
        .order_by(ranked.c.business_id)
    )
    return [Sale._make(row) for row in await session.execute(statement)]


async def incomes(session: ReadSession, scope: Scope) -> list[Income]:
    """What each payment of the period brought, in the order they were paid."""
    back = (
        select(Refund.payment_id, func.sum(Refund.amount).label("amount"))
        .where(Refund.state == RefundState.SUCCEEDED)
        .group_by(Refund.payment_id)
        .subquery()
    )
    lost = (
        select(Dispute.payment_id, func.sum(Dispute.amount).label("amount"))
        .where(Dispute.state == DisputeState.LOST)
        .group_by(Dispute.payment_id)
        .subquery()
    )
    gone = func.coalesce(back.c.amount, 0) + func.coalesce(lost.c.amount, 0)
    statement = (
        select(
            Payment.business_id,
            Payment.currency,
            func.max(Payment.amount - gone, 0),
        )
        .join(back, back.c.payment_id == Payment.id, isouter=True)
        .join(lost, lost.c.payment_id == Payment.id, isouter=True)
        .where(
            *counted(scope),
            *among.within(Payment.paid_at, scope.period),
            *among.of_leads(Payment.business_id, scope),
        )
        .order_by(Payment.paid_at, Payment.id)
    )
    return [Income._make(row) for row in await session.execute(statement)]


def counted(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That a payment succeeded, and is of the money that counts."""
    return Payment.state == PaymentState.SUCCEEDED, Payment.mode.in_(scope.modes)
