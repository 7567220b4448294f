"""Campaigns, leads and settings for tests, made the way the program makes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import select, update

from crm_tui.config import Settings
from crm_tui.config.sections import (
    ComplianceSettings,
    EmailSettings,
    ProviderSettings,
    SenderSettings,
    SendingSettings,
    SmtpSettings,
)
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Message
from crm_tui.services import leads
from crm_tui.services.campaigns import drafts, freezing, running
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.drafts import Draft
from crm_tui.services.campaigns.figures import Figures, figures
from crm_tui.services.campaigns.freezing import Frozen
from crm_tui.services.campaigns.ledger import LedgerRow, order, read_filter, rows
from crm_tui.services.campaigns.steps import Step, step_of
from crm_tui.services.templating.files import Kind, read_template
from crm_tui.vocabulary import CampaignState

FOOT = "\n\n{{ sender.name }}\n{{ sender.postal_address }}\n{{ unsubscribe }}\n"
HELLO = "---\nsubject: For {{ business.name }}\n---\nHello {{ business.name }}" + FOOT
AGAIN = "---\nsubject: Again\n---\nAre you there, {{ business.name }}?" + FOOT
WITH_CITY = "---\nsubject: In {{ business.city }}\n---\nI am in {{ business.city }}." + FOOT
WITH_SITE = "---\nsubject: Your site\n---\nLook: {{ site.url }}" + FOOT


def a_step(source: str = HELLO, *, delay: str | None = None, name: str = "hello") -> Step:
    """A step that says this."""
    return step_of(read_template(source, name=name, kind=Kind.TEXT), delay=delay)


def settings_to_send(**sending: Any) -> Settings:
    """Everything that a start asks for, mail into the outbox, at any hour and without limits."""
    return replace(
        Settings(),
        sender=SenderSettings(name="Ann Berg", email="ann@berg-sites.com", postal_address="1 Main"),
        email=EmailSettings(provider="outbox"),
        sending=SendingSettings(
            **{
                "per_hour": 0,
                "per_day": 0,
                "warm_up": False,
                "quiet_hours": "",
                "weekdays_only": False,
                **sending,
            }
        ),
        compliance=ComplianceSettings(
            manual_unsubscribe=True, policies_acknowledged=("smtp", "twilio")
        ),
    )


def through_smtp(settings: Settings, port: int, **more: Any) -> Settings:
    """The same through a server on this machine."""
    server = SmtpSettings(host="127.0.0.1", port=port, security="none", **more)
    return replace(
        settings,
        email=EmailSettings(provider="smtp"),
        providers=ProviderSettings(smtp=server),
    )


async def add_leads(db: Database, number: int, now: datetime, **fields: str) -> list[int]:
    """Leads with an address of their own each."""
    added = []
    for each in range(1, number + 1):
        typed = {"name": f"Plumber {each}", "email": f"joe@plumber{each}.com"} | fields
        async with db.write() as session:
            added.append(await leads.add(session, typed, settings=Settings(), now=now))
    return added


async def a_draft(
    db: Database,
    now: datetime,
    *,
    steps: Sequence[Step] = (),
    audience: Audience | None = None,
    **fields: Any,
) -> int:
    """A draft to everybody."""
    draft = Draft(
        name="Spring",
        audience=audience or Audience(""),
        steps=tuple(steps) or (a_step(),),
        **fields,
    )
    return await drafts.save(db, None, draft, now=now)


async def a_frozen(
    db: Database, settings: Settings, now: datetime, **fields: Any
) -> tuple[int, Frozen]:
    """A draft whose recipients are taken down."""
    campaign = await a_draft(db, now, **fields)
    return campaign, await freezing.freeze(db, campaign, settings=settings, now=now)


async def a_running(db: Database, settings: Settings, now: datetime, **fields: Any) -> int:
    """A campaign that runs."""
    campaign = await a_draft(db, now, **fields)
    await running.start(db, campaign, settings=settings, now=now)
    return campaign


async def state_of(db: Database, campaign: int) -> CampaignState:
    """How a campaign stands."""
    async with db.read() as session:
        return (await drafts.load(session, campaign)).state


async def ledger_of(db: Database, campaign: int, typed: str = "") -> list[LedgerRow]:
    """Messages of a campaign."""
    ids = await order(db, campaign, read_filter(typed))
    async with db.read() as session:
        return await rows(session, ids)


async def states(db: Database, campaign: int) -> dict[tuple[int, int], str]:
    """The state of each message, by lead and step."""
    return {(row.business_id, row.step): row.state.value for row in await ledger_of(db, campaign)}


async def figures_of(db: Database, campaign: int) -> Figures:
    """The figures of a campaign."""
    async with db.read() as session:
        return await figures(session, campaign)


async def change_lead(db: Database, lead: int, **values: Any) -> None:
    """Write columns of a lead."""
    async with db.write() as session:
        await session.execute(update(Business).where(Business.id == lead).values(**values))


async def change_address(db: Database, lead: int, **values: Any) -> None:
    """Write columns of a lead's address."""
    async with db.write() as session:
        await session.execute(
            update(ContactPoint)
            .where(ContactPoint.business_id == lead, ContactPoint.is_primary.is_(True))
            .values(**values)
            .execution_options(synchronize_session=None)
        )


async def change_messages(db: Database, *where: Any, **values: Any) -> None:
    """Write columns of messages."""
    async with db.write() as session:
        await session.execute(
            update(Message)
            .where(*where)
            .values(**values)
            .execution_options(synchronize_session=None)
        )


async def marks(db: Database) -> list[tuple[str, str, str]]:
    """The marks of every message."""
    async with db.read() as session:
        found = await session.execute(select(Message.key, Message.message_id, Message.token))
        return [(key, message_id, token) for key, message_id, token in found]
