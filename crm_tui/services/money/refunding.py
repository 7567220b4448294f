"""What goes back of payments: refunds, and disputes, of which one is told in several steps.

Of a refund or a dispute the step counts that is the furthest, whichever is told last.
"""

from __future__ import annotations

from sqlalchemy import select

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Dispute, Payment, Refund
from crm_tui.providers.money import DisputeTold, RefundTold
from crm_tui.services.money.payments import Place
from crm_tui.text import visible
from crm_tui.vocabulary import DisputeState, RefundState

_LONGEST = 200
_REFUND_STEPS = (RefundState.PENDING, RefundState.SUCCEEDED, RefundState.FAILED)
"""A refund that succeeded may still come back, and has failed then."""
_DISPUTE_STEPS = (DisputeState.OPEN, DisputeState.WON, DisputeState.LOST)


async def tell_refund(
    session: WriteSession, payment: Payment, told: RefundTold, place: Place
) -> bool:
    """Note what was told of a refund; whether that was not known."""
    key = place.key(told.id)
    row = await session.scalar(select(Refund).where(Refund.key == key))
    reason = visible(told.reason, _LONGEST) or None
    if row is None:
        row = Refund(
            key=key,
            payment_id=payment.id,
            amount=told.amount,
            state=told.state,
            refunded_at=told.at,
            reason=reason,
        )
        session.add(row)
        await session.flush()
        return True
    step, known = (_REFUND_STEPS.index(each) for each in (told.state, row.state))
    row.reason = max(filter(None, (row.reason, reason)), default=None)
    if step > known or (step == known and told.at < row.refunded_at):
        row.state, row.refunded_at, row.amount = told.state, told.at, told.amount
    changed = session.is_modified(row)
    await session.flush()
    return changed


async def tell_dispute(
    session: WriteSession, payment: Payment, told: DisputeTold, place: Place
) -> bool:
    """Note what was told of a dispute; whether that was not known."""
    key = place.key(told.id)
    row = await session.scalar(select(Dispute).where(Dispute.key == key))
    is_open = told.state is DisputeState.OPEN
    closed_at = None if is_open else told.closed_at or told.opened_at
    reason = visible(told.reason, _LONGEST) or None
    if row is None:
        row = Dispute(
            key=key,
            payment_id=payment.id,
            amount=told.amount,
            state=told.state,
            reason=reason,
            opened_at=told.opened_at,
            due_by=told.due_by,
            closed_at=closed_at,
        )
        session.add(row)
        await session.flush()
        return True
    step, known = (_DISPUTE_STEPS.index(each) for each in (told.state, row.state))
    row.opened_at = min(row.opened_at, told.opened_at)
    row.reason = max(filter(None, (row.reason, reason)), default=None)
    row.due_by = max(filter(None, (row.due_by, told.due_by)), default=None)
    if step > known:
        row.state, row.closed_at, row.amount = told.state, closed_at, told.amount
    elif step == known and closed_at is not None and row.closed_at is not None:
        row.closed_at = min(row.closed_at, closed_at)
    changed = session.is_modified(row)
    await session.flush()
    return changed
