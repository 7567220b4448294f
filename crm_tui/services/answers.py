"""What an answer comes to: one of a few outcomes, said by the operator in a key."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business
from crm_tui.errors import NotFound
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.vocabulary import EventKind, Outcome

REASONS = {
    Outcome.INTERESTED: "is interested",
    Outcome.LATER: "asked to be called later",
    Outcome.LOST: "said no",
    Outcome.WRONG_CONTACT: "is the wrong person",
}
"""What an answer can come to, and how it is told of a lead."""


async def sort(session: WriteSession, business_id: int, outcome: Outcome, *, now: datetime) -> bool:
    """Say what a lead's answer came to; False where it was said before.

    Args:
        session: the transaction.
        business_id: the lead.
        outcome: one of those in REASONS.
        now: the current time.

    Raises:
        NotFound: there is no such lead.
    """
    reason = REASONS[outcome]
    row = (
        await session.execute(
            select(Business.outcome, Business.outcome_reason).where(Business.id == business_id)
        )
    ).first()
    if row is None:
        raise NotFound(f"There is no lead {business_id}.")
    before, why = row
    if (before, why) == (outcome, reason):
        return False
    await session.execute(
        update(Business)
        .where(Business.id == business_id)
        .values(outcome=outcome, outcome_reason=reason, updated_at=now)
    )
    event = NewEvent(
        business_id,
        EventKind.OUTCOME_SET,
        now,
        f"answer: {reason}",
        OPERATOR,
        data={"outcome": outcome, "before": before},
    )
    await events.record(session, event, now=now)
    return True
