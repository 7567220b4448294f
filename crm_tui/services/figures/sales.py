"""Who bought when, and what came of it: what several figures are made of.

A business is a customer from its first payment that succeeded. What a payment brought is its amount
less what went back of it, by refunds that succeeded and by disputes that were lost; never less than
nothing.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import ColumnElement, Subquery, func, select

from crm_tui.db.models import Dispute, Payment, Refund
from crm_tui.services.figures import among, customers
from crm_tui.services.figures.base import Period, Scope
from crm_tui.vocabulary import DisputeState, PaymentState, RefundState


def ever_bought(scope: Scope) -> Subquery:
    """When each business paid for the first time, whenever that was."""
    return customers.first_payments(replace(scope, period=Period()))


def takings(scope: Scope) -> Subquery:
    """The payments of the period, each with what it brought, in minor units of its currency."""
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
    return (
        select(
            Payment.id,
            Payment.business_id,
            Payment.currency,
            Payment.paid_at,
            func.max(Payment.amount - gone, 0).label("amount"),
        )
        .join(back, back.c.payment_id == Payment.id, isouter=True)
        .join(lost, lost.c.payment_id == Payment.id, isouter=True)
        .where(
            *counted(scope),
            *among.within(Payment.paid_at, scope.period),
            *among.of_leads(Payment.business_id, scope),
        )
        .subquery()
    )


def counted(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That a payment succeeded, and is of the money that counts."""
    return Payment.state == PaymentState.SUCCEEDED, Payment.mode.in_(scope.modes)
