"""Who gets no more of a campaign, and when a campaign is over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Campaign, Message
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.vocabulary import CampaignState, EventKind, MessageState

if TYPE_CHECKING:
    from crm_tui.services.sending.candidates import Candidate
    from crm_tui.services.sending.claim import Claimed

SOURCE = "crm-tui"
"""Who caused what the worker decides."""

OPEN = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNCERTAIN)
"""States of a message that keep its campaign from being finished."""


async def leave_out(
    session: WriteSession, messages: Sequence[Candidate | Claimed], why: str, *, now: datetime
) -> int:
    """Send these messages not at all, nor the later steps of their campaigns to the same leads.

    Returns how many messages were waiting and are skipped now.
    """
    single = [each.id for each in messages if each.campaign_id is None]
    steps = [
        and_(Message.campaign_id == each.campaign_id, Message.origin_id == each.origin_id)
        for each in messages
        if each.campaign_id is not None
    ]
    found = await session.execute(
        update(Message)
        .where(Message.state == MessageState.QUEUED, or_(Message.id.in_(single), *steps))
        .values(state=MessageState.SKIPPED, reason=why)
        .returning(Message.id)
        .execution_options(synchronize_session=None)
    )
    skipped = len(found.all())
    await events.record(
        session,
        *(
            NewEvent(
                each.business_id,
                EventKind.CAMPAIGN_LEFT if each.campaign_id is not None else EventKind.NOT_SENT,
                now,
                f"gets no more mail of the campaign: {why}"
                if each.campaign_id is not None
                else f"mail not sent: {why}",
                SOURCE,
                key=f"left:{each.id}",
                message_id=each.id,
            )
            for each in messages
        ),
        now=now,
    )
    return skipped


async def end_campaigns(
    session: WriteSession, campaign_ids: Iterable[int | None], *, now: datetime
) -> None:
    """Finish those of the running campaigns that nothing is left to do in."""
    asked: Collection[int] = {each for each in campaign_ids if each is not None}
    if not asked:
        return
    left = select(Message.id).where(Message.campaign_id == Campaign.id, Message.state.in_(OPEN))
    await session.execute(
        update(Campaign)
        .where(
            Campaign.id.in_(asked),
            Campaign.state == CampaignState.RUNNING,
            ~left.exists(),
        )
        .values(state=CampaignState.FINISHED, ended_at=now, updated_at=now)
        .execution_options(synchronize_session=None)
    )
