"""Campaigns after what waits in them was changed by something else than sending.

Undoing what barred a lead puts its messages back into the queue; merging leads takes some out of
it. A campaign that has something to do again goes on, one that has nothing left is over.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Campaign, Message
from crm_tui.db.types import listed
from crm_tui.services.sending.ending import OPEN, end_campaigns
from crm_tui.vocabulary import CampaignState, MessageState

CANCELED = "the campaign was canceled"


async def settle(
    session: WriteSession,
    message_ids: Collection[int],
    *,
    left: Collection[int | None] = (),
    now: datetime,
) -> None:
    """Bring the campaigns of messages in line with them, and those that messages are gone of."""
    campaigns = {
        *left,
        *await session.scalars(
            select(Message.campaign_id)
            .where(Message.id.in_(listed(message_ids)), Message.campaign_id.is_not(None))
            .distinct()
        ),
    }
    if not campaigns:
        return
    connection = await session.connection()
    canceled = select(Campaign.id).where(Campaign.state == CampaignState.CANCELED)
    await connection.execute(
        update(Message)
        .where(
            Message.id.in_(listed(message_ids)),
            Message.state == MessageState.QUEUED,
            Message.campaign_id.in_(canceled),
        )
        .values(state=MessageState.CANCELED, reason=CANCELED)
    )
    waiting = select(Message.campaign_id).where(
        Message.id.in_(listed(message_ids)), Message.state.in_(OPEN)
    )
    await connection.execute(
        update(Campaign)
        .where(Campaign.id.in_(waiting), Campaign.state == CampaignState.FINISHED)
        .values(state=CampaignState.RUNNING, ended_at=None, updated_at=now)
    )
    await end_campaigns(session, campaigns, now=now)
