"""Who gets no more of a campaign, and when a campaign is over."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import select, text, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Campaign, CampaignStep, Message
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.vocabulary import CampaignState, EventKind, MessageState

SOURCE = "crm-tui"
"""Who caused what the worker decides."""

OPEN = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNCERTAIN)
"""States of a message that keep its campaign from being finished."""


class Addressed(Protocol):
    """A message, as far as leaving its recipient out needs it."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def business_id(self) -> int:
        """Whom it is for."""

    @property
    def origin_id(self) -> int:
        """Whom it was made for."""

    @property
    def campaign_id(self) -> int | None:
        """The campaign it is of; None of a single mail."""


async def leave_out(
    session: WriteSession, messages: Sequence[Addressed], why: str, *, now: datetime
) -> int:
    """Send these messages not at all, nor the later steps of their campaigns to the same leads.

    Their timelines say so, but not of those for whom nothing was waiting any more. Returns how many
    messages were waiting and are skipped now.
    """
    return await leave_each_out(session, [(each, why) for each in messages], now=now)


async def leave_each_out(
    session: WriteSession, messages: Sequence[tuple[Addressed, str]], *, now: datetime
) -> int:
    """As `leave_out`, each message for a reason of its own."""
    await session.flush()
    connection = await session.connection()
    asked = json.dumps([(each.id, each.campaign_id, each.origin_id) for each, _ in messages])
    waiting = (await connection.execute(_WAITING, {"asked": asked})).all()
    if not waiting:
        return 0
    reasons = {each.id: why for each, why in messages}
    skipped = {each: reasons[asked_id] for each, asked_id in waiting}
    await connection.exec_driver_sql(_SKIP, [(why, each) for each, why in skipped.items()])
    left = {asked_id for _, asked_id in waiting}
    await events.record(
        session,
        *(_left(each, why, now) for each, why in messages if each.id in left),
        now=now,
    )
    return len(skipped)


def _left(message: Addressed, why: str, now: datetime) -> NewEvent:
    kind, said = EventKind.NOT_SENT, f"mail not sent: {why}"
    if message.campaign_id is not None:
        kind, said = EventKind.CAMPAIGN_LEFT, f"gets no more mail of the campaign: {why}"
    return NewEvent(
        message.business_id,
        kind,
        now,
        said,
        SOURCE,
        key=f"left:{message.id}",
        message_id=message.id,
    )


_SKIP = f"UPDATE message SET state = '{MessageState.SKIPPED}', reason = ? WHERE id = ?"  # noqa: S608 - our own words
_WAITING = text(
    # By the step and the lead it was made for, which an index has: a campaign may be large.
    "SELECT message.id, asked.value ->> 0 FROM json_each(:asked) asked"
    " JOIN campaign_step step ON step.campaign_id = asked.value ->> 1"
    " JOIN message ON message.step_id = step.id AND message.origin_id = asked.value ->> 2"
    " WHERE message.state = 'queued'"
    " UNION"
    " SELECT message.id, message.id FROM json_each(:asked) asked"
    " JOIN message ON message.id = asked.value ->> 0"
    " WHERE message.state = 'queued' AND message.campaign_id IS NULL"
)


async def end_campaigns(
    session: WriteSession, campaign_ids: Iterable[int | None], *, now: datetime
) -> None:
    """Finish those of the running campaigns that nothing is left to do in."""
    asked: Collection[int] = {each for each in campaign_ids if each is not None}
    if not asked:
        return
    # Step by step, as the index has them: a campaign may be large.
    left = (
        select(Message.id)
        .join(CampaignStep, CampaignStep.id == Message.step_id)
        .where(
            CampaignStep.campaign_id == Campaign.id,
            Message.campaign_id == Campaign.id,
            Message.state.in_(OPEN),
        )
        .correlate(Campaign)
    )
    await session.flush()
    connection = await session.connection()
    await connection.execute(
        update(Campaign)
        .where(
            Campaign.id.in_(asked),
            Campaign.state == CampaignState.RUNNING,
            ~left.exists(),
        )
        .values(state=CampaignState.FINISHED, ended_at=now, updated_at=now)
    )
