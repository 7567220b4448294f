"""The rule that pauses a campaign of which too many addresses do not exist."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Campaign, Message
from crm_tui.services.sending.backoff import LAST, too_many_bounces
from crm_tui.vocabulary import CampaignState, MessageState

Ends = dict[int, deque[bool]]
"""For campaigns, whether each of their last mails bounced hard, the newest last.

To ask the store takes a look at every mail of a campaign: who sends many keeps it beside."""


async def learn(session: ReadSession, campaign_ids: Iterable[int | None], ends: Ends) -> None:
    """Read how the last mails of campaigns ended, of those that are not known yet.

    Mails count from when the campaign was started or went on last: an operator who has looked at
    the bounces and goes on is not stopped by the same ones again.
    """
    for campaign_id in campaign_ids:
        if campaign_id is None or campaign_id in ends:
            continue
        last = await session.execute(
            select(Message.bounced_at.is_not(None))
            .join(Campaign, Campaign.id == Message.campaign_id)
            .where(
                Message.campaign_id == campaign_id,
                Message.state.in_((MessageState.SENT, MessageState.FAILED)),
                Message.claimed_at >= Campaign.updated_at,
            )
            .order_by(Message.claimed_at.desc(), Message.id.desc())
            .limit(LAST)
        )
        newest_first = [bool(bounced) for (bounced,) in last]
        ends[campaign_id] = deque(reversed(newest_first), maxlen=LAST)


async def pause_for_bounces(
    session: WriteSession, campaign_ids: Iterable[int | None], *, now: datetime
) -> None:
    """Pause campaigns of which too many addresses do not exist."""
    ends: Ends = {}
    await session.flush()
    await learn(session, campaign_ids, ends)
    for campaign_id, hard in ends.items():
        await pause_if_bad(session, campaign_id, hard, now=now)


async def pause_if_bad(
    session: WriteSession, campaign_id: int, hard: Sequence[bool], *, now: datetime
) -> None:
    """Pause a running campaign whose last mails ended like this, if that is too bad."""
    why = too_many_bounces(list(hard))
    if why:
        await pause(session, campaign_id, why, now=now)


async def pause(session: WriteSession, campaign_id: int, why: str, *, now: datetime) -> None:
    """Pause a campaign, if it is running."""
    await session.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id, Campaign.state == CampaignState.RUNNING)
        .values(state=CampaignState.PAUSED, pause_reason=why, updated_at=now)
        .execution_options(synchronize_session=None)
    )
