"""Whether money is what it should be: subscriptions follow from their changes, who paid is a customer."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import case, func, or_, select

from crm_tui.db.models import Customer, Payment, Subscription, SubscriptionChange
from crm_tui.services.doctor.findings import Check, Finding, Patient, Severity, named
from crm_tui.services.money.buying import keep_customer
from crm_tui.services.money.subscribing import refold
from crm_tui.text import plural
from crm_tui.vocabulary import SubscriptionState

_CHUNK = 200
_TERMS = ("state", "amount", "currency", "interval", "interval_count")
_DATES = ("current_period_end", "cancel_at")


async def find_subscriptions(patient: Patient) -> list[Finding]:
    """Find subscriptions that are not what their last change made them."""
    found = []
    if wrong := await _not_folded(patient):
        detail = f"not what their last change made them: {named([str(each) for each in wrong])}"
        found.append(Finding("subscriptions", Severity.ERROR, len(wrong), detail))
    if bare := await _without_changes(patient):
        detail = (
            f"nothing is known of when they began: {named([str(each) for each in bare])}; they "
            "count in no figure"
        )
        found.append(Finding("subscriptions", Severity.WARNING, len(bare), detail))
    return found


async def repair_subscriptions(patient: Patient) -> str:
    """Have them be what their last changes made them."""
    wrong = await _not_folded(patient)
    for start in range(0, len(wrong), _CHUNK):
        async with patient.db.write() as session:
            await refold(session, wrong[start : start + _CHUNK])
    return f"{plural(len(wrong), 'subscription')} made what their changes say" if wrong else ""


async def _not_folded(patient: Patient) -> list[int]:
    of_one = SubscriptionChange.subscription_id
    place = func.row_number().over(
        partition_by=of_one,
        order_by=(SubscriptionChange.occurred_at.desc(), SubscriptionChange.key.desc()),
    )
    terms = [getattr(SubscriptionChange, name) for name in (*_TERMS, *_DATES)]
    ended = case(
        (SubscriptionChange.state == SubscriptionState.ENDED, SubscriptionChange.occurred_at)
    )
    last = select(of_one, place.label("place"), ended.label("ended_at"), *terms).subquery()
    differs = or_(
        *(
            getattr(Subscription, name).is_distinct_from(last.c[name])
            for name in (*_TERMS, *_DATES, "ended_at")
        )
    )
    async with patient.db.read() as session:
        rows = await session.scalars(
            select(Subscription.id)
            .join(last, last.c.subscription_id == Subscription.id)
            .where(last.c.place == 1, differs)
            .order_by(Subscription.id)
        )
        return list(rows)


async def _without_changes(patient: Patient) -> list[int]:
    told = select(SubscriptionChange.id).where(
        SubscriptionChange.subscription_id == Subscription.id
    )
    async with patient.db.read() as session:
        rows = await session.scalars(
            select(Subscription.id).where(~told.exists()).order_by(Subscription.id)
        )
        return list(rows)


async def find_customers(patient: Patient) -> list[Finding]:
    """Find leads that paid and are no customers."""
    leads = [business_id for business_id, _ in await _unknown(patient)]
    if not leads:
        return []
    detail = f"leads that paid and are no customers: {named([str(each) for each in leads])}"
    return [Finding("customers", Severity.ERROR, len(leads), detail)]


async def repair_customers(patient: Patient) -> str:
    """Make them customers, known by what their payments tell of them."""
    missing = await _unknown(patient)
    for start in range(0, len(missing), _CHUNK):
        async with patient.db.write() as session:
            for _, payment_id in missing[start : start + _CHUNK]:
                payment = await session.get_one(Payment, payment_id)
                await keep_customer(session, payment)
    return f"{plural(len(missing), 'lead')} made customers" if missing else ""


async def _unknown(patient: Patient) -> Sequence[tuple[int, int]]:
    """The leads that paid and are no customers, each with one of its payments."""
    known = select(Customer.id).where(Customer.business_id == Payment.business_id)
    async with patient.db.read() as session:
        rows = await session.execute(
            select(Payment.business_id, func.max(Payment.id))
            .where(Payment.paid_at.is_not(None), ~known.exists())
            .group_by(Payment.business_id)
            .order_by(Payment.business_id)
        )
        return [(business_id, payment_id) for business_id, payment_id in rows]


CHECKS: tuple[Check, ...] = (
    Check("subscriptions", find_subscriptions, repair_subscriptions),
    Check("customers", find_customers, repair_customers),
)
