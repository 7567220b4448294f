"""All campaigns: those that are not over first, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Campaign, CampaignStep, Message
from crm_tui.services.campaigns.figures import NOTHING, Counts, Rate, counted, counting
from crm_tui.vocabulary import CampaignState, MessageState

_ORDER = (
    CampaignState.RUNNING,
    CampaignState.PAUSED,
    CampaignState.DRAFT,
    CampaignState.FINISHED,
    CampaignState.CANCELED,
)


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One line of the list. `next_due_at` is when the next mail is due, None where none is."""

    id: int
    name: str
    state: CampaignState
    pause_reason: str | None
    recipients: int
    steps: int
    counts: Counts
    rates: tuple[Rate, ...]
    created_at: datetime
    starts_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    next_due_at: datetime | None


async def campaigns(session: ReadSession) -> list[CampaignRow]:
    """Every campaign with its counts."""
    all_of = await counted(
        session, counting(Message.campaign_id).where(Message.campaign_id.is_not(None))
    )
    steps = (
        select(func.count())
        .where(CampaignStep.campaign_id == Campaign.id)
        .correlate(Campaign)
        .scalar_subquery()
    )
    next_due = (
        select(func.min(Message.due_at))
        .where(
            Message.campaign_id == Campaign.id,
            Message.state == MessageState.QUEUED,
            Campaign.state == CampaignState.RUNNING,
        )
        .correlate(Campaign)
        .scalar_subquery()
    )
    place = case({state.value: at for at, state in enumerate(_ORDER)}, value=Campaign.state)
    rows = await session.execute(
        select(
            Campaign.id,
            Campaign.name,
            Campaign.state,
            Campaign.pause_reason,
            steps,
            Campaign.created_at,
            Campaign.starts_at,
            Campaign.started_at,
            Campaign.ended_at,
            next_due,
        ).order_by(
            place,
            func.coalesce(Campaign.ended_at, Campaign.started_at, Campaign.created_at).desc(),
            Campaign.id.desc(),
        )
    )
    return [
        CampaignRow(
            id=id_,
            name=name,
            state=state,
            pause_reason=why,
            recipients=all_of.get(id_, NOTHING).businesses,
            steps=number,
            counts=all_of.get(id_, NOTHING).counts,
            rates=all_of.get(id_, NOTHING).rates,
            created_at=created_at,
            starts_at=starts_at,
            started_at=started_at,
            ended_at=ended_at,
            next_due_at=next_due_at,
        )
        for (
            id_,
            name,
            state,
            why,
            number,
            created_at,
            starts_at,
            started_at,
            ended_at,
            next_due_at,
        ) in rows
    ]
