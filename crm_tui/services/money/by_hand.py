"""Payments that no provider tells of: cash, transfers and cheques, and what they lead to.

All of it goes through `telling.tell`, as if a provider named "manual" had told it: a payment by
hand has the same consequences as any other, and is one action that undo takes back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Payment, Refund, Subscription
from crm_tui.errors import BadInput, NotFound, asked_as
from crm_tui.money import amount_words
from crm_tui.providers.money import MoneyEvent, MoneyKind, PaymentTold, RefundTold
from crm_tui.services import leads
from crm_tui.services.money.plans import PlanRow
from crm_tui.services.money.saying import PROVIDER, check_time, note_line, tell_by_hand, token
from crm_tui.services.money.subscriptions import by_hand, paid_for
from crm_tui.text import plain_line
from crm_tui.vocabulary import Mode, PaymentState, RefundState

METHODS = ("cash", "bank", "cheque", "card", "other")
"""How one pays by hand."""

REAL = (Mode.MANUAL, Mode.LIVE)
"""The money that counts unless a provider's play money is asked for."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a payment by hand.

    Attributes:
        subscription_id: the manual subscription it is for, if any.
        is_renewal: whether that one ran already.
        words: what else is to be known, in sentences; "" where nothing is.
    """

    payment_id: int
    subscription_id: int | None
    is_renewal: bool
    words: str


# Payments


async def pay(
    session: WriteSession,
    business_id: int,
    amount: int,
    currency: str,
    *,
    plan: PlanRow | None = None,
    paid_at: datetime | None = None,
    method: str = "cash",
    note: str = "",
    modes: Collection[Mode] = REAL,
    now: datetime,
) -> Recorded:
    """Record that a lead paid.

    A plan that is paid each month or year starts a subscription; where one by hand runs already,
    the payment is its renewal, by the new plan if that is another one. Each payment pays for one
    interval, whatever its amount. What runs at a provider is left to it.

    Args:
        session: the transaction.
        business_id: the lead.
        amount: in minor units.
        currency: ISO 4217.
        plan: what it is for; None is anything else.
        paid_at: aware UTC; None is now.
        method: how, one of METHODS or a word of the operator's own.
        note: a line about it.
        modes: whose subscriptions count as running.
        now: the current time.

    Raises:
        NotFound: there is no such lead, or it was erased.
        BadInput: nothing was paid, it lies in the future, or the plan is in another currency.
    """
    name = await leads.require(session, business_id)
    at = paid_at or now
    with asked_as("when"):
        check_time(at, now)
    with asked_as("amount"):
        if amount < 1:
            raise BadInput("A payment is more than nothing: write its amount like 49.00.")
        if plan is not None and plan.currency != currency:
            raise BadInput(f"The plan {plan.name} is paid in {plan.currency}, not in {currency}.")
    with asked_as("note"):
        said = note_line(note)
    how = _method(method)
    subscription: str | None = None
    renewal, words = False, ""
    if plan is not None and plan.repeats:
        subscription, renewal, words = await paid_for(
            session, business_id, plan, at=at, modes=modes, now=now
        )
    elif plan is None and (runs := await by_hand(session, business_id)):
        words = f"It is no renewal of {plain_line(runs[0].plan or name)}: name the plan for that."
    named = token(now)
    told = PaymentTold(
        state=PaymentState.SUCCEEDED,
        amount=amount,
        currency=currency,
        at=at,
        payment_intent=named,
        subscription=subscription,
        renewal=renewal,
        method=how,
    )
    await tell_by_hand(
        session,
        business_id,
        MoneyEvent(name=named, kind=MoneyKind.PAYMENT, occurred_at=at, live=True, payment=told),
        plan_id=plan.id if plan else None,
        note=said,
        now=now,
    )
    made = await session.execute(
        select(Payment.id, Payment.subscription_id).where(
            Payment.provider == PROVIDER, Payment.payment_intent == named
        )
    )
    payment_id, subscription_id = made.one()
    return Recorded(payment_id, subscription_id, renewal, words)


async def asked_for(session: ReadSession, business_id: int, plan: PlanRow) -> int:
    """What a lead is to pay next for a plan, in minor units: at first its setup fee, too."""
    if plan.repeats and await by_hand(session, business_id):
        return plan.amount
    return plan.first


async def refund(
    session: WriteSession,
    payment_id: int,
    amount: int | None = None,
    *,
    refunded_at: datetime | None = None,
    reason: str = "",
    now: datetime,
) -> int:
    """Record that money of a payment by hand was given back; returns how much, in minor units.

    Args:
        session: the transaction.
        payment_id: the payment.
        amount: in minor units of its currency; None is all that is left of it.
        refunded_at: aware UTC; None is now.
        reason: a line about it.
        now: the current time.

    Raises:
        NotFound: there is no such payment.
        BadInput: it was made through a provider, it is more than what is left, or its time cannot be.
    """
    row = (
        await session.execute(
            select(
                Payment.business_id,
                Payment.provider,
                Payment.payment_intent,
                Payment.state,
                Payment.amount,
                Payment.currency,
                Payment.paid_at,
                Payment.plan_id,
                Payment.is_renewal,
                Payment.method,
                Subscription.provider_id,
            )
            .outerjoin(Subscription, Subscription.id == Payment.subscription_id)
            .where(Payment.id == payment_id)
        )
    ).first()
    if row is None:
        raise NotFound(f"There is no payment {payment_id}. See `crm-tui payments list`.")
    await leads.require(session, row.business_id)
    if row.provider != PROVIDER:
        raise BadInput(
            f"Payment {payment_id} was made through {row.provider}: refund it there, and it is "
            "told here by itself."
        )
    if row.paid_at is None:
        raise BadInput(f"Payment {payment_id} did not come, so nothing of it can go back.")
    at = refunded_at or now
    check_time(at, now)
    if at < row.paid_at:
        raise BadInput(f"Payment {payment_id} came on {row.paid_at:%Y-%m-%d}, after that day.")
    left = row.amount - await _given_back(session, payment_id)
    back = left if amount is None else amount
    if left <= 0:
        raise BadInput(f"All of payment {payment_id} was given back already.")
    if not 0 < back <= left:
        raise BadInput(
            f"Of payment {payment_id}, {amount_words(left, row.currency)} can go back; "
            f"{amount_words(back, row.currency)} cannot."
        )
    named = token(now)
    paid = PaymentTold(
        state=PaymentState.SUCCEEDED,
        amount=row.amount,
        currency=row.currency,
        at=row.paid_at,
        payment_intent=row.payment_intent,
        subscription=row.provider_id,
        renewal=row.is_renewal,
        method=row.method,
    )
    told = RefundTold(
        id=named, amount=back, state=RefundState.SUCCEEDED, at=at, reason=note_line(reason) or ""
    )
    event = MoneyEvent(
        name=named, kind=MoneyKind.REFUND, occurred_at=at, live=True, payment=paid, refund=told
    )
    await tell_by_hand(session, row.business_id, event, plan_id=row.plan_id, now=now)
    return back


async def _given_back(session: ReadSession, payment_id: int) -> int:
    """What went back of a payment, or is on its way."""
    summed = select(func.coalesce(func.sum(Refund.amount), 0)).where(
        Refund.payment_id == payment_id, Refund.state != RefundState.FAILED
    )
    return int((await session.execute(summed)).scalar_one())


def _method(text: str) -> str:
    said = " ".join(plain_line(text).lower().split())
    if not said:
        raise BadInput(f"Say how it was paid: {', '.join(METHODS)}.")
    if len(said) > 30:
        raise BadInput(f"How it was paid is a word, such as {', '.join(METHODS)}.")
    return said
