"""Letting go what needs nothing more: an address that fails, a site not built, an answer, a page."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from crm_tui.config import ScoreSettings
from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, ContactPoint, Event, Unmatched
from crm_tui.errors import NotFound
from crm_tui.services import derived, events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.sites.gather import mark_out_of_date
from crm_tui.vocabulary import ContactState, EventKind, UnmatchedState, WebsiteStatus

_TICK = timedelta(microseconds=1)


async def address(
    session: WriteSession, point_id: int, *, score: ScoreSettings, now: datetime
) -> str:
    """Use a contact point no longer: another of its kind takes its place; returns its value.

    Raises:
        NotFound: there is no such contact point.
    """
    point = await session.get(ContactPoint, point_id)
    if point is None:
        raise NotFound(f"There is no contact point {point_id}.")
    reason = point.state_reason or point.state.replace("_", " ")
    point.is_primary = False
    point.state, point.state_reason = ContactState.INVALID, reason
    await session.flush()
    event = NewEvent(
        point.business_id,
        EventKind.EDITED,
        now,
        f"{point.value} is not used any more: {reason}",
        OPERATOR,
        data={"fields": {point.kind: [point.value, None]}},
    )
    await events.record(session, event, now=now)
    await derived.renew(session, [point.business_id], score=score, now=now)
    await mark_out_of_date(session, [point.business_id])
    return point.value


async def failed_site(session: WriteSession, business_id: int, *, now: datetime) -> None:
    """Let a site be that could not be built: the status is what the lead's sites say again.

    Raises:
        NotFound: there is no such lead, or none whose site failed.
    """
    status = await session.scalar(select(Business.website_status).where(Business.id == business_id))
    if status is not WebsiteStatus.FAILED:
        raise NotFound(f"Lead {business_id} has no site that failed.")
    failed = await session.scalar(
        select(func.max(Event.occurred_at)).where(
            Event.business_id == business_id, Event.kind == EventKind.SITE_FAILED
        )
    )
    # Later than what it ends, even if the clock was set back meanwhile.
    at = max(now, failed + _TICK) if failed else now
    event = NewEvent(
        business_id, EventKind.SITE_ABANDONED, at, "the failed site was let be", OPERATOR
    )
    await events.record(session, event, now=now)


async def answer(session: WriteSession, business_id: int, *, now: datetime) -> None:
    """Be done with what a customer wrote: they are what they were.

    Raises:
        NotFound: there is no such lead.
    """
    outcome = await session.scalar(select(Business.outcome).where(Business.id == business_id))
    if outcome is None:
        raise NotFound(f"There is no lead {business_id}.")
    event = NewEvent(
        business_id,
        EventKind.OUTCOME_SET,
        now,
        "their answer was dealt with",
        OPERATOR,
        data={"outcome": outcome, "before": outcome},
    )
    await events.record(session, event, now=now)


async def unmatched(session: WriteSession, unmatched_id: int, *, now: datetime) -> None:
    """Let a record go that belongs to no business; it stays in the store.

    Raises:
        NotFound: no such record waits.
    """
    result = await session.execute(
        update(Unmatched)
        .where(Unmatched.id == unmatched_id, Unmatched.state == UnmatchedState.OPEN)
        .values(state=UnmatchedState.DISMISSED, resolved_at=now)
        .returning(Unmatched.id)
    )
    if result.first() is None:
        raise NotFound(f"No record {unmatched_id} waits for a business.")
