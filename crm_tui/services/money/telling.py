"""Telling of a lead what a payment provider, or the operator, says of its money.

The same thing told twice, late or in another order comes to the same: a payment, a refund, a dispute
and a subscription each follow from all that was told of them, and so do their lines on the timeline.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import MoneyRef, PaymentLink, PlanPrice
from crm_tui.providers.money import MoneyEvent
from crm_tui.services.money import payments, refunding, subscribing
from crm_tui.services.money.buying import bought, keep_customer, not_bought
from crm_tui.services.money.folding import is_nothing
from crm_tui.services.money.linking import names_of
from crm_tui.services.money.offered import STANDING
from crm_tui.services.money.payment_lines import show_payment
from crm_tui.services.money.payments import Changed, Place
from crm_tui.vocabulary import LinkState, Mode


async def tell(
    session: WriteSession,
    business_id: int,
    event: MoneyEvent,
    *,
    provider: str,
    mode: Mode,
    source: str,
    now: datetime,
    plan_id: int | None = None,
    note: str | None = None,
) -> bool:
    """Write what is told of a lead's money, and do what follows; whether any of it was new.

    Args:
        session: the transaction.
        business_id: the lead. What is known of a payment or a subscription already stays its own.
        event: what is told.
        provider: who tells: the provider's name, or "manual".
        mode: which money.
        source: what the timeline says caused it.
        now: aware UTC.
        plan_id: the plan it is for, where that is known; else it is found by the price or the link.
        note: a line of the operator's about a payment.

    Raises:
        ValueError: it is a refund or a dispute of a payment nobody told of.
    """
    place = Place(provider, mode)
    await _remember(session, business_id, event, place)
    plan_id = plan_id or await _plan(session, event, place)
    new = False
    if event.subscription is not None:
        new = await subscribing.tell(
            session,
            business_id,
            event,
            event.subscription,
            place,
            plan_id=plan_id,
            source=source,
            now=now,
        )
    new |= await _tell_payment(
        session, business_id, event, place, source=source, plan_id=plan_id, note=note, now=now
    )
    new |= await _close_link(session, event, place)
    return new


async def lacks_payment(
    session: ReadSession, business_id: int, event: MoneyEvent, place: Place
) -> bool:
    """Whether it is a refund or a dispute of a payment nobody told of, which cannot be told yet."""
    if event.refund is None and event.dispute is None:
        return False
    if event.payment is not None and not is_nothing(event.payment):
        return False
    return await payments.named(session, business_id, event.payer.ids, place) is None


async def _tell_payment(
    session: WriteSession,
    business_id: int,
    event: MoneyEvent,
    place: Place,
    *,
    source: str,
    plan_id: int | None,
    note: str | None,
    now: datetime,
) -> bool:
    changed: Changed | None = None
    if event.payment is not None and not is_nothing(event.payment):
        changed = await payments.tell(
            session,
            business_id,
            event,
            event.payment,
            place,
            plan_id=plan_id,
            note=note,
            now=now,
        )
    elif event.refund is not None or event.dispute is not None:
        named = await payments.named(session, business_id, event.payer.ids, place)
        if named is None:
            raise ValueError("it is of a payment that nobody told of")
        changed = Changed(named, is_new=False)
    if changed is None:
        return False
    row, new = changed.row, changed.is_new
    if event.refund is not None:
        new |= await refunding.tell_refund(session, row, event.refund, place)
    if event.dispute is not None:
        new |= await refunding.tell_dispute(session, row, event.dispute, place)
    if new:
        await show_payment(session, row, source=source, now=now)
    await _follow(session, changed, event, source=source, now=now)
    return new


async def _follow(
    session: WriteSession, changed: Changed, event: MoneyEvent, *, source: str, now: datetime
) -> None:
    """Have leads be what their payments make them."""
    row = changed.row
    if row.paid_at is not None:
        await keep_customer(session, row, tax_id=event.payer.tax_id.strip() or None)
    if changed.succeeded:
        await bought(session, row, source=source, now=now)
    for each in changed.taken:
        await not_bought(session, each, source=source, now=now)


async def _remember(
    session: WriteSession, business_id: int, event: MoneyEvent, place: Place
) -> None:
    """Keep whose the provider's names are; what comes later says nothing else."""
    rows = [
        {
            "provider": place.provider,
            "mode": place.mode,
            "value": each,
            "business_id": business_id,
        }
        for each in sorted(names_of(event))
    ]
    if rows:
        await session.execute(insert(MoneyRef).on_conflict_do_nothing(), rows)


async def _plan(session: ReadSession, event: MoneyEvent, place: Place) -> int | None:
    """The plan a price is of, else the one that the link which was paid through is for."""
    told = event.subscription or event.payment
    if told is not None and told.price is not None:
        found = await session.scalar(
            select(PlanPrice.plan_id).where(
                PlanPrice.provider == place.provider,
                PlanPrice.mode == place.mode,
                PlanPrice.price_id == told.price,
            )
        )
        if found is not None:
            return found
    if event.pays_link is None:
        return None
    return await session.scalar(
        select(PaymentLink.plan_id).where(
            PaymentLink.provider_id == event.pays_link,
            PaymentLink.provider == place.provider,
            PaymentLink.mode == place.mode,
        )
    )


async def _close_link(session: WriteSession, event: MoneyEvent, place: Place) -> bool:
    """Note that a link was paid through."""
    if event.pays_link is None:
        return False
    closed = await session.execute(
        update(PaymentLink)
        .where(
            PaymentLink.provider_id == event.pays_link,
            PaymentLink.provider == place.provider,
            PaymentLink.mode == place.mode,
            PaymentLink.state.in_(STANDING)
            | ((PaymentLink.state == LinkState.PAID) & (PaymentLink.closed_at > event.occurred_at)),
        )
        .values(state=LinkState.PAID, closed_at=event.occurred_at)
        .returning(PaymentLink.id)
        .execution_options(synchronize_session=None)
    )
    return bool(closed.all())
