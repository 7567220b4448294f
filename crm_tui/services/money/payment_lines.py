"""What the timeline says of a payment: that it came or failed, and what went back of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Dispute, Payment, Refund
from crm_tui.db.types import utc_text
from crm_tui.money import amount_words
from crm_tui.services.events import NewEvent
from crm_tui.services.money.folding import Failure, Paid, fold, told_of
from crm_tui.services.money.lines import show
from crm_tui.services.money.payments import line_key
from crm_tui.services.money.words import day, part
from crm_tui.text import visible
from crm_tui.vocabulary import ContactStatus, DisputeState, EventKind, RefundState

_REST = "rest"
_LONGEST = 200


async def show_payment(session: WriteSession, row: Payment, *, source: str, now: datetime) -> None:
    """Have the timeline tell of a payment what is known by now."""
    await session.flush()
    paid = fold(told_of(row))
    found = await session.scalars(
        select(Refund).where(Refund.payment_id == row.id).order_by(Refund.id)
    )
    refunds = await _with_rest(session, row, paid, list(found))
    disputes = await session.scalars(
        select(Dispute).where(Dispute.payment_id == row.id).order_by(Dispute.id)
    )
    lines = [
        *_of_payment(row, paid, source),
        *(each for refund in refunds for each in _of_refund(row, refund, source)),
        *(each for dispute in disputes for each in _of_dispute(row, dispute, source)),
    ]
    await show(session, row.business_id, lines, begins=line_key(row), now=now)


def _line(
    row: Payment,
    kind: EventKind,
    at: datetime,
    summary: str,
    source: str,
    *,
    name: str,
    facts: dict[str, Any],
    moves_to: ContactStatus | None = None,
) -> NewEvent:
    known = {
        "payment": row.id,
        "provider": row.provider,
        "mode": row.mode.value,
        "currency": row.currency,
    }
    return NewEvent(
        row.business_id,
        kind,
        at,
        summary,
        source,
        key=line_key(row) + name,
        moves_to=moves_to,
        data=known | {n: v for n, v in facts.items() if v is not None},
    )


def _of_payment(row: Payment, paid: Paid, source: str) -> Iterator[NewEvent]:
    amount = amount_words(row.amount, row.currency)
    facts = {"amount": row.amount}
    if paid.pending_at is not None:
        words = f"payment of {amount} is on its way"
        kind = EventKind.PAYMENT_PENDING
        yield _line(row, kind, paid.pending_at, words, source, name="pending", facts=facts)
    for each in paid.failures:
        yield _of_failure(row, each, source)
    if row.paid_at is not None:
        yield _line(
            row,
            EventKind.PAYMENT_SUCCEEDED,
            row.paid_at,
            f"{'renewal: ' if row.is_renewal else ''}paid {amount}",
            source,
            name="paid",
            facts=facts | {"renewal": row.is_renewal, "method": row.method, "plan": row.plan_id},
            moves_to=ContactStatus.PURCHASED,
        )


def _of_failure(row: Payment, failure: Failure, source: str) -> NewEvent:
    why = f": {failure.why}" if failure.why else ""
    again = ""
    if failure.next_at is not None:
        again = f", tried again on {day(failure.next_at, said_at=failure.at)}"
    return _line(
        row,
        EventKind.PAYMENT_FAILED,
        failure.at,
        f"payment of {amount_words(row.amount, row.currency)} failed{why}{again}",
        source,
        name=f"failed-{failure.number}",
        facts={
            "amount": row.amount,
            "attempt": failure.number or None,
            "next": None if failure.next_at is None else utc_text(failure.next_at),
        },
    )


def _of_refund(row: Payment, refund: Refund, source: str) -> Iterator[NewEvent]:
    if refund.state is RefundState.SUCCEEDED:
        yield _line(
            row,
            EventKind.REFUNDED,
            refund.refunded_at,
            f"refunded {part(refund.amount, row.amount, row.currency)}",
            source,
            name=f"refund-{refund.key}",
            facts={"amount": refund.amount, "of": row.amount},
        )


def _of_dispute(row: Payment, dispute: Dispute, source: str) -> Iterator[NewEvent]:
    amount = part(dispute.amount, row.amount, row.currency)
    why = f": {visible(dispute.reason, _LONGEST)}" if dispute.reason else ""
    until = ""
    if dispute.due_by is not None:
        until = f", to be answered by {day(dispute.due_by, said_at=dispute.opened_at)}"
    facts = {"amount": dispute.amount, "of": row.amount, "dispute": dispute.key}
    yield _line(
        row,
        EventKind.DISPUTED,
        dispute.opened_at,
        f"payment of {amount} disputed{why}{until}",
        source,
        name=f"dispute-{dispute.key}",
        facts=facts,
    )
    if dispute.closed_at is not None:
        is_lost = dispute.state is DisputeState.LOST
        yield _line(
            row,
            EventKind.DISPUTE_CLOSED,
            dispute.closed_at,
            f"dispute lost: {amount} went back" if is_lost else f"dispute won: {amount} stays",
            source,
            name=f"closed-{dispute.key}",
            facts=facts | {"state": dispute.state.value},
        )


async def _with_rest(
    session: WriteSession, row: Payment, paid: Paid, found: Sequence[Refund]
) -> list[Refund]:
    """The refunds of a payment, with one for what went back without any that is known by name."""
    begins = f"{row.provider}:{row.mode.value}:{_REST}-"
    rests = [each for each in found if each.key.startswith(begins)]
    named = [each for each in found if each not in rests]
    known = sum(each.amount for each in named if each.state is RefundState.SUCCEEDED)
    most, at = paid.refunded or (0, row.created_at)
    wanted = max(most - known, 0)
    if not wanted and not rests:
        return named
    kept = rests[0] if rests else Refund(key=f"{begins}{row.id}", payment_id=row.id)
    for each in rests:
        if not wanted or each is not kept:
            await session.delete(each)
    if wanted:
        kept.amount, kept.refunded_at, kept.state = wanted, at, RefundState.SUCCEEDED
        session.add(kept)
        named.append(kept)
    await session.flush()
    return named
