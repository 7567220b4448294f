"""Campaigns for the tests of screens: made through the services, with what became of their mails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from crm_tui.config import EmailSettings, SenderSettings, SendingSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Campaign, CampaignStep, Message
from crm_tui.services.campaigns import drafts, freezing, running
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.drafts import Draft
from crm_tui.services.campaigns.steps import Step, step_of
from crm_tui.services.templating.files import Kind, read_template
from crm_tui.vocabulary import CampaignState, MessageState
from tests.conftest import NOW

SETTINGS = Settings(
    sender=SenderSettings(
        name="Anna Berg", email="anna@example.org", postal_address="5 Mill Lane\nBristol BS1 4QD"
    ),
    email=EmailSettings(provider="outbox"),
    sending=SendingSettings(
        per_hour=0, per_day=0, warm_up=False, quiet_hours="", weekdays_only=False
    ),
)
"""A sender whose mails are written into a folder, at any hour and as fast as they can be."""

OFFER = """---
subject: A website for {{ business.name }}
---
Hello {{ contact.first_name or "there" }},

I made a website for {{ business.name }}.

{{ sender.name }}, {{ sender.postal_address }}
{{ unsubscribe }}
"""

REMINDER = """---
subject: Once more
---
Have you seen it, {{ business.name }}?

{{ sender.postal_address }}
{{ unsubscribe }}
"""


def step(source: str = OFFER, *, name: str = "offer", delay: str | None = None) -> Step:
    """A step that says this."""
    return step_of(read_template(source, name=name, kind=Kind.TEXT), delay=delay)


TWO_STEPS = (step(), step(REMINDER, name="reminder", delay="3d"))


async def add_draft(
    db: Database,
    ids: Sequence[int],
    *,
    name: str = "Plumbers in Queens",
    steps: Sequence[Step] = TWO_STEPS,
) -> int:
    """A campaign that was put together and not started."""
    draft = Draft(name=name, audience=Audience(ids=tuple(ids)), steps=tuple(steps))
    return await drafts.save(db, None, draft, now=NOW)


async def add_campaign(
    db: Database,
    ids: Sequence[int],
    *,
    name: str = "Plumbers in Queens",
    steps: Sequence[Step] = TWO_STEPS,
    now: datetime = NOW,
) -> int:
    """A campaign that runs."""
    campaign = await add_draft(db, ids, name=name, steps=steps)
    await running.start(db, campaign, settings=SETTINGS, now=now)
    return campaign


async def add_quietly(path: Path, query: str) -> None:
    """A paused campaign in a store, of which no lead's timeline says anything."""
    db = Database(path)
    draft = Draft(name="An offer", audience=Audience(query=query), steps=TWO_STEPS)
    campaign = await drafts.save(db, None, draft, now=NOW)
    await freezing.freeze(db, campaign, settings=SETTINGS, now=NOW)
    async with db.write() as session:
        await session.execute(
            update(Campaign)
            .where(Campaign.id == campaign)
            .values(state=CampaignState.PAUSED, pause_reason="you paused it", started_at=NOW)
        )
    await db.close()


async def mark(db: Database, campaign: int, lead: int, position: int = 1, **values: object) -> None:
    """Say what became of a message."""
    if values.get("state") is MessageState.SENT:
        values = {"sent_at": NOW - timedelta(hours=2), "body": "Hello", **values}
    elif values.get("state") is MessageState.UNCERTAIN:
        values = {"body": "Hello", **values}
    async with db.write() as session:
        step_id = (
            select(CampaignStep.id)
            .where(CampaignStep.campaign_id == campaign, CampaignStep.position == position)
            .scalar_subquery()
        )
        await session.execute(
            update(Message)
            .where(Message.step_id == step_id, Message.business_id == lead)
            .values(**values)
        )
