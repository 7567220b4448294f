"""What is known of a message as it comes back from being sent, and of the step after it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Campaign, CampaignStep, Message
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.hours import after, next_allowed, read_delay
from crm_tui.services.zones import zone_of
from crm_tui.vocabulary import CampaignState, MessageState


class NextStep(NamedTuple):
    """The step that follows another, and how long after it."""

    id: int
    delay: str | None


class Returned(NamedTuple):
    """What is known of a message as it comes back."""

    id: int
    business_id: int
    origin_id: int
    campaign_id: int | None
    address: str
    attempts: int
    canceled: bool
    erased: bool
    timezone: str | None
    country: str | None
    region: str | None
    phone: str | None
    next_id: int | None
    next_delay: str | None

    def next_due(self, at: datetime, account: Account) -> datetime:
        """When the step after this one is due, which went at `at`."""
        known = {
            "timezone": self.timezone,
            "country": self.country,
            "region": self.region,
            "phone": self.phone,
        }
        zone = zone_of(known, account.zone)
        if self.next_delay is None:
            return next_allowed(at, zone, account.rules)
        return after(at, read_delay(self.next_delay), zone, account.rules)


async def returned(session: ReadSession, ids: Sequence[int], *, owner: str) -> dict[int, Returned]:
    """Those of these messages that this sender still answers for, or nobody else does."""
    connection = await session.connection()
    rows = await connection.execute(_RETURNED, {"ids": json.dumps(list(ids)), "owner": owner})
    return {row[0]: Returned._make(row) for row in rows}


async def look_up(session: ReadSession, message_id: int) -> Returned | None:
    """What is known of a message, whoever answers for it."""
    connection = await session.connection()
    rows = await connection.execute(_KNOWN, {"ids": json.dumps([message_id])})
    return next(map(Returned._make, rows), None)


async def steps_after(
    session: ReadSession, step_ids: Collection[int | None]
) -> dict[int | None, NextStep]:
    """The steps after these, by these; a last one has none."""
    asked = [each for each in step_ids if each is not None]
    if not asked:
        return {}
    connection = await session.connection()
    rows = await connection.execute(_AFTER, {"ids": json.dumps(asked)})
    return {step_id: NextStep(next_id, delay) for step_id, next_id, delay in rows}


_STEP, _NEXT, _BETWEEN = aliased(CampaignStep), aliased(CampaignStep), aliased(CampaignStep)
_IDS = func.json_each(bindparam("ids")).table_valued("value")
_FOLLOWS = and_(
    _NEXT.campaign_id == _STEP.campaign_id,
    _NEXT.position
    == select(func.min(_BETWEEN.position))
    .where(_BETWEEN.campaign_id == _STEP.campaign_id, _BETWEEN.position > _STEP.position)
    .correlate(_STEP)
    .scalar_subquery(),
)
_AFTER = (
    select(_STEP.id, _NEXT.id, _NEXT.delay)
    .select_from(_IDS)
    .join(_STEP, _STEP.id == _IDS.c.value)
    .join(_NEXT, _FOLLOWS)
)
_KNOWN = (
    select(
        Message.id,
        Message.business_id,
        Message.origin_id,
        Message.campaign_id,
        Message.address,
        Message.attempts,
        Campaign.state == CampaignState.CANCELED,
        Business.erased_at.is_not(None),
        Business.timezone,
        Business.country,
        Business.region,
        Business.phone,
        _NEXT.id,
        _NEXT.delay,
    )
    .select_from(_IDS)
    .join(Message, Message.id == _IDS.c.value)
    .join(Business, Business.id == Message.business_id)
    .outerjoin(Campaign, Campaign.id == Message.campaign_id)
    .outerjoin(_STEP, _STEP.id == Message.step_id)
    .outerjoin(_NEXT, _FOLLOWS)
)
_RETURNED = _KNOWN.where(
    or_(
        and_(Message.state == MessageState.SENDING, Message.claimed_by == bindparam("owner")),
        Message.state == MessageState.UNCERTAIN,
    )
)
