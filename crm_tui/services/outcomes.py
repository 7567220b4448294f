"""What came of leads, as the operator says it: of many at once, or of an answer in a key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business
from crm_tui.db.types import listed
from crm_tui.services import events
from crm_tui.vocabulary import EventKind, Outcome

ANSWERS = {
    Outcome.INTERESTED: "is interested",
    Outcome.LATER: "asked for later",
    Outcome.LOST: "said no",
    Outcome.WRONG_CONTACT: "is the wrong person",
}
"""What an answer can come to, and how it is told of a lead."""


async def other_than(
    session: ReadSession,
    business_ids: Collection[int],
    outcome: Outcome,
    reason: str | None = None,
) -> list[int]:
    """Those of the leads of which something else came, or for another reason than the one given.

    Leads that are gone are left out.
    """
    differs = Business.outcome != outcome
    if reason:
        differs |= Business.outcome_reason.is_distinct_from(reason)
    found = await session.scalars(
        select(Business.id).where(
            Business.id.in_(listed(business_ids)),
            Business.erased_at.is_(None),
            differs,
        )
    )
    return list(found)


async def set_outcome(
    session: WriteSession,
    business_ids: Sequence[int],
    outcome: Outcome,
    *,
    reason: str | None = None,
    now: datetime,
) -> list[int]:
    """Say what came of leads, at most 500 at once; returns those of which it was not said."""
    changed = await other_than(session, business_ids, outcome, reason)
    if changed:
        said = func.json_object("outcome", outcome.value, "before", Business.outcome)
        why = f": {reason}" if reason else ""
        summary = f"outcome set to {outcome.replace('_', ' ')}{why}"
        await events.tell(session, changed, EventKind.OUTCOME_SET, summary, now=now, data=said)
        await session.execute(
            update(Business)
            .where(Business.id.in_(listed(changed)))
            .values(outcome=outcome, outcome_reason=reason)
            .execution_options(synchronize_session=None)
        )
    return changed
