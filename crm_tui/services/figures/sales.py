"""Who bought when, and what came of it: what several figures are made of.

A business is a customer from its first payment that succeeded. What a payment brought is its amount
less what went back of it, by refunds that succeeded and by disputes that were lost; never less than
nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import ColumnElement, Subquery, Text, func, select, type_coerce
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Dispute, Payment, Refund
from crm_tui.services.figures import among, customers
from crm_tui.services.figures.base import Period, Scope
from crm_tui.vocabulary import DisputeState, PaymentState, RefundState


class Sale(NamedTuple):
    """A business's first payment: `at` is its time as it is stored, which sorts as times do."""

    business_id: int
    at: str
    currency: str


class Income(NamedTuple):
    """What the payments of a business brought, in minor units of one currency."""

    business_id: int
    currency: str
    amount: int


async def first_payments(session: ReadSession, scope: Scope) -> list[Sale]:
    """The first payments of all businesses that bought, whenever they did."""
    firsts = ever_bought(scope)
    # Where two were made at one moment, the one that was written first.
    own = aliased(Payment)
    first_id = (
        select(func.min(own.id))
        .where(
            own.business_id == firsts.c.business_id,
            own.paid_at == firsts.c.paid_at,
            own.mode.in_(scope.modes),
        )
        .correlate(firsts)
        .scalar_subquery()
    )
    statement = (
        select(firsts.c.business_id, type_coerce(firsts.c.paid_at, Text), Payment.currency)
        .join(Payment, Payment.id == first_id)
        .order_by(firsts.c.business_id)
    )
    return [Sale._make(row) for row in await session.execute(statement)]


def ever_bought(scope: Scope) -> Subquery:
    """When each business paid for the first time, whenever that was."""
    return customers.first_payments(replace(scope, period=Period()))


async def incomes(session: ReadSession, scope: Scope) -> list[Income]:
    """What the payments of the period brought, of each business and currency."""
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
            func.sum(func.max(Payment.amount - gone, 0)),
        )
        .join(back, back.c.payment_id == Payment.id, isouter=True)
        .join(lost, lost.c.payment_id == Payment.id, isouter=True)
        .where(
            *counted(scope),
            *among.within(Payment.paid_at, scope.period),
            *among.of_leads(Payment.business_id, scope),
        )
        .group_by(Payment.business_id, Payment.currency)
    )
    return [Income._make(row) for row in await session.execute(statement)]


def counted(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That a payment succeeded, and is of the money that counts."""
    return Payment.state == PaymentState.SUCCEEDED, Payment.mode.in_(scope.modes)
