"""Campaigns that leads of a merge are both in: the one they become gets each step once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Message
from crm_tui.services.sending.settling import settle
from crm_tui.vocabulary import MessageState

TWICE = "the same business gets it already"
"""Why a message is skipped whose lead turned out to be another recipient."""

_GONE = (MessageState.SENT, MessageState.SENDING, MessageState.UNCERTAIN)


class _Sequence(NamedTuple):
    """The steps of a campaign as they were made for one lead: how many went out, how many wait."""

    campaign_id: int
    origin_id: int
    gone: int
    waiting: int


async def send_once(session: WriteSession, lead_id: int, *, now: datetime) -> list[int]:
    """Skip what waits for a lead in campaigns in which another sequence of it goes on.

    The sequence that came furthest goes on, else the lead's own, else the older one; one whose mails
    came back has not come far. What was sent stands. Returns the messages that were skipped.
    """
    sequences = await _sequences(session, lead_id)
    out: list[tuple[int, int]] = []
    for campaign_id, those in sequences.items():
        best = max(those, key=lambda each: (each.gone, each.origin_id == lead_id, -each.origin_id))
        if best.gone or best.waiting:
            out += [(campaign_id, e.origin_id) for e in those if e is not best and e.waiting]
    skipped: list[int] = []
    connection = await session.connection()
    for campaign_id, origin_id in out:
        found = await connection.execute(
            update(Message)
            .where(
                Message.campaign_id == campaign_id,
                Message.business_id == lead_id,
                Message.origin_id == origin_id,
                Message.state == MessageState.QUEUED,
            )
            .values(state=MessageState.SKIPPED, reason=TWICE)
            .returning(Message.id)
        )
        skipped += found.scalars().all()
    await settle(session, skipped, now=now)
    return skipped


async def _sequences(session: WriteSession, lead_id: int) -> dict[int, Collection[_Sequence]]:
    """The sequences of a lead by campaign, where there is more than one."""
    gone = Message.state.in_(_GONE) & Message.bounced_at.is_(None)
    rows = await session.execute(
        select(
            Message.campaign_id,
            Message.origin_id,
            func.count().filter(gone),
            func.count().filter(Message.state == MessageState.QUEUED),
        )
        .where(Message.business_id == lead_id)
        .group_by(Message.campaign_id, Message.origin_id)
    )
    found: dict[int, list[_Sequence]] = defaultdict(list)
    for campaign_id, origin_id, out, waiting in rows:
        if campaign_id is not None:
            found[campaign_id].append(_Sequence(campaign_id, origin_id, out, waiting))
    return {campaign: those for campaign, those in found.items() if len(those) > 1}
