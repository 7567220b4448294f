"""Rows of the queue for tests of what else changes them: campaigns whose messages wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business, Campaign, CampaignStep, Message
from crm_tui.vocabulary import CampaignState, MessageState


async def add_campaign(
    db: Database,
    leads: Sequence[int],
    *,
    now: datetime,
    name: str = "Spring mail",
    steps: int = 1,
    state: CampaignState = CampaignState.RUNNING,
) -> int:
    """A campaign in which every step waits for each of the leads, the first one due now.

    Of leads that share an address, it has the first alone.
    """
    async with db.write() as session:
        campaign = Campaign(
            key=f"{name} of {leads}",
            name=name,
            name_folded=name.lower(),
            state=state,
            pause_reason="by you" if state is CampaignState.PAUSED else None,
            audience={"ids": list(leads)},
            created_at=now,
            updated_at=now,
            started_at=now,
        )
        session.add(campaign)
        await session.flush()
        for position in range(1, steps + 1):
            step = CampaignStep(
                campaign_id=campaign.id,
                position=position,
                delay=None if position == 1 else "3d",
                template="hello",
                source="---\nsubject: Hello\n---\nHello {{ business.name }}. {{ unsubscribe }}\n",
            )
            session.add(step)
            await session.flush()
            for lead, address in (await _addresses(session, leads)).items():
                _add(session, lead, address, campaign.id, step, now)
        return campaign.id


async def _addresses(session: WriteSession, leads: Sequence[int]) -> dict[int, str]:
    """Where each lead is written to; of those that share an address, the first alone."""
    rows = await session.execute(
        select(Business.id, Business.email).where(Business.id.in_(leads)).order_by(Business.id)
    )
    first: dict[str, int] = {}
    for lead, email in rows:
        first.setdefault(email or f"lead{lead}@acme.example", lead)
    return {lead: address for address, lead in first.items()}


def _add(
    session: WriteSession,
    lead: int,
    address: str,
    campaign_id: int,
    step: CampaignStep,
    now: datetime,
) -> None:
    mark = f"{campaign_id}.{step.position}.{lead}"
    session.add(
        Message(
            key=mark,
            business_id=lead,
            origin_id=lead,
            campaign_id=campaign_id,
            step_id=step.id,
            address=address,
            message_id=f"<{mark}@sender.example>",
            token=mark,
            due_at=now if step.position == 1 else None,
            created_at=now,
        )
    )


async def mark_sent(db: Database, campaign_id: int, lead: int, position: int, at: datetime) -> None:
    """Have a message be sent."""
    async with db.write() as session:
        step = select(CampaignStep.id).where(
            CampaignStep.campaign_id == campaign_id, CampaignStep.position == position
        )
        await session.execute(
            update(Message)
            .where(Message.step_id.in_(step), Message.origin_id == lead)
            .values(state=MessageState.SENT, sent_at=at, subject="Hello", body="Hello")
        )


async def messages(db: Database, campaign_id: int) -> dict[tuple[int, int], tuple[str, str | None]]:
    """State and reason of a campaign's messages, by the lead they were made for and the step."""
    async with db.read() as session:
        rows = await session.execute(
            select(Message.origin_id, CampaignStep.position, Message.state, Message.reason)
            .join(CampaignStep, CampaignStep.id == Message.step_id)
            .where(Message.campaign_id == campaign_id)
            .order_by(Message.id)
        )
        return {(origin, position): (state.value, why) for origin, position, state, why in rows}


async def campaign_state(db: Database, campaign_id: int) -> str:
    """The state of a campaign."""
    async with db.read() as session:
        state = await session.scalar(select(Campaign.state).where(Campaign.id == campaign_id))
        assert state is not None
        return state.value
