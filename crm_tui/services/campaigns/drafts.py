"""A campaign that is being put together: its name, audience, steps and time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import select, update

from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Campaign, CampaignExclusion, CampaignStep, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.services.campaigns import variants
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.steps import Step, sendable
from crm_tui.services.lead_query import LeadQuery
from crm_tui.text import fold, plain_line
from crm_tui.vocabulary import CampaignState, Channel

UNTITLED = "untitled"
LONGEST_NAME = 100
MOST_STEPS = 20

_ROWS = 300
"""Rows that are deleted in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What can be chosen of a campaign; all of it may be missing while it is a draft.

    Attributes:
        name: without one it is kept as "untitled".
        starts_at: when the first mails may go; None is as soon as it is started.
        stop_on_click: whether a click ends the campaign for a lead.
        wizard: what the wizard needs to go on where it was left; plain JSON, its own business.
    """

    name: str = ""
    audience: Audience = field(default_factory=Audience)
    steps: tuple[Step, ...] = ()
    starts_at: datetime | None = None
    stop_on_click: bool = False
    wizard: Mapping[str, Any] = field(default_factory=dict)

    @property
    def uses_site(self) -> bool:
        """Whether one of its mails names the public address of the site."""
        return any(step.uses_site for step in self.steps)

    @property
    def uses_payment(self) -> bool:
        """Whether one of its messages names the page to pay at."""
        return any(step.uses_payment for step in self.steps)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What its steps go through, each once; mail while there is none."""
        used = {step.channel for step in self.steps} or {Channel.EMAIL}
        return tuple(each for each in Channel if each in used)


@dataclass(frozen=True, slots=True)
class Kept:
    """A campaign as it is kept.

    Attributes:
        frozen: whether its recipients are in the queue, so that it can be started as it is.
    """

    id: int
    key: str
    state: CampaignState
    pause_reason: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    frozen: bool
    draft: Draft


async def save(db: Database, campaign_id: int | None, draft: Draft, *, now: datetime) -> int:
    """Keep a draft, a new one without an id; returns its id.

    Recipients taken down before (`freezing.freeze`) are let go where audience or steps changed.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it was started already, or a step or the name cannot be.
        QueryError: the filter cannot be read.
    """
    _see_to(draft)
    if campaign_id is None:
        async with db.write() as session:
            return await _insert(session, draft, now=now)
    async with db.read() as session:
        known = await load(session, campaign_id)
    same = known.draft.audience == draft.audience and known.draft.steps == draft.steps
    if not same:
        await thaw(db, campaign_id)
    async with db.write() as session:
        kept = await require_draft(session, campaign_id)
        await session.execute(
            update(Campaign)
            .where(Campaign.id == campaign_id)
            .values(
                **_columns(draft),
                draft={"frozen": kept.frozen and same, "wizard": dict(draft.wizard)},
                updated_at=now,
            )
        )
        if not same:
            await _delete_steps(session, campaign_id)
            await _add_steps(session, campaign_id, draft.steps)
    return campaign_id


def _see_to(draft: Draft) -> None:
    if len(draft.name) > LONGEST_NAME:
        raise BadInput(f"The name of a campaign has {LONGEST_NAME} characters at most.")
    if len(draft.steps) > MOST_STEPS:
        raise BadInput(f"A campaign has {MOST_STEPS} steps at most.")
    if draft.audience.query is not None:
        LeadQuery(draft.audience.query)
    for number, step in enumerate(draft.steps, start=1):
        if number == 1 and step.delay is not None:
            raise BadInput("The first step has no delay: it goes when the campaign starts.")
        if number > 1 and step.delay is None:
            raise BadInput(f'Say how long step {number} waits after the one before, such as "3d".')
        sendable(step)


def _columns(draft: Draft) -> dict[str, Any]:
    name = plain_line(draft.name) or UNTITLED
    return {
        "name": name,
        "name_folded": fold(name),
        "audience": draft.audience.plain(),
        "stop_on_click": draft.stop_on_click,
        "starts_at": draft.starts_at,
    }


async def _insert(session: WriteSession, draft: Draft, *, now: datetime) -> int:
    row = Campaign(
        key=uuid.uuid4().hex,
        state=CampaignState.DRAFT,
        created_at=now,
        updated_at=now,
        draft={"frozen": False, "wizard": dict(draft.wizard)},
        **_columns(draft),
    )
    session.add(row)
    await session.flush()
    await _add_steps(session, row.id, draft.steps)
    return row.id


async def _delete_steps(session: WriteSession, campaign_id: int) -> None:
    await variants.forget(session, campaign_id)
    await session.execute(delete_rows(CampaignStep).where(CampaignStep.campaign_id == campaign_id))


async def _add_steps(session: WriteSession, campaign_id: int, steps: Sequence[Step]) -> None:
    rows = [
        CampaignStep(
            campaign_id=campaign_id,
            position=position,
            channel=step.channel,
            delay=step.delay,
            template=step.template,
            is_html=step.is_html,
            source=step.source,
            version=step.version,
        )
        for position, step in enumerate(steps, start=1)
    ]
    session.add_all(rows)
    await session.flush()
    second = {row.id: step.variant for row, step in zip(rows, steps, strict=True) if step.variant}
    await variants.keep(session, second)


async def load(session: ReadSession, campaign_id: int) -> Kept:
    """A campaign with everything that was chosen.

    Raises:
        NotFound: there is none.
    """
    row = (
        await session.execute(
            select(
                Campaign.id,
                Campaign.key,
                Campaign.name,
                Campaign.state,
                Campaign.pause_reason,
                Campaign.created_at,
                Campaign.started_at,
                Campaign.ended_at,
                Campaign.starts_at,
                Campaign.audience,
                Campaign.stop_on_click,
                Campaign.draft,
            ).where(Campaign.id == campaign_id)
        )
    ).first()
    if row is None:
        raise NotFound(f"There is no campaign {campaign_id}.")
    return Kept(
        id=row.id,
        key=row.key,
        state=row.state,
        pause_reason=row.pause_reason,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        frozen=bool(row.draft.get("frozen")),
        draft=Draft(
            name=row.name,
            audience=Audience.read(row.audience),
            steps=await steps_of(session, campaign_id),
            starts_at=row.starts_at,
            stop_on_click=row.stop_on_click,
            wizard=row.draft.get("wizard", {}),
        ),
    )


async def steps_of(session: ReadSession, campaign_id: int) -> tuple[Step, ...]:
    """The steps of a campaign, in their order."""
    second = await variants.of_steps(session, campaign_id)
    rows = await session.execute(
        select(
            CampaignStep.id,
            CampaignStep.template,
            CampaignStep.source,
            CampaignStep.is_html,
            CampaignStep.delay,
            CampaignStep.version,
            CampaignStep.channel,
        )
        .where(CampaignStep.campaign_id == campaign_id)
        .order_by(CampaignStep.position)
    )
    return tuple(
        Step(
            template=row.template,
            source=row.source,
            is_html=row.is_html,
            delay=row.delay,
            version=row.version,
            channel=row.channel,
            variant=second.get(row.id),
        )
        for row in rows
    )


async def require_draft(session: ReadSession, campaign_id: int) -> Kept:
    """A campaign that was not started yet.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it was started.
    """
    kept = await load(session, campaign_id)
    if kept.state is not CampaignState.DRAFT:
        raise BadInput(
            f"Campaign {campaign_id} is {kept.state}: it was started, and is no draft any more."
        )
    return kept


async def thaw(db: Database, campaign_id: int) -> None:
    """Let the recipients of a draft go that were taken down.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it was started.
    """
    some = select(Message.id).where(Message.campaign_id == campaign_id).limit(_ROWS)
    left_out = (
        select(CampaignExclusion.business_id)
        .where(CampaignExclusion.campaign_id == campaign_id)
        .limit(_ROWS)
    )
    more = True
    while more:
        async with db.write() as session:
            kept = await require_draft(session, campaign_id)
            await keep_frozen(session, kept, frozen=False)
            gone = await session.execute(
                delete_rows(Message)
                .where(Message.id.in_(some))
                .returning(Message.id)
                .execution_options(synchronize_session=None)
            )
            named = await session.execute(
                delete_rows(CampaignExclusion)
                .where(
                    CampaignExclusion.campaign_id == campaign_id,
                    CampaignExclusion.business_id.in_(left_out),
                )
                .returning(CampaignExclusion.business_id)
                .execution_options(synchronize_session=None)
            )
            more = _ROWS in (len(gone.all()), len(named.all()))


async def keep_frozen(session: WriteSession, kept: Kept, *, frozen: bool) -> None:
    """Remember whether the recipients of a draft are in the queue."""
    await session.execute(
        update(Campaign)
        .where(Campaign.id == kept.id)
        .values(draft={"frozen": frozen, "wizard": dict(kept.draft.wizard)})
    )


async def delete(db: Database, campaign_id: int) -> None:
    """Delete a draft, for good.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it was started; what was sent stays on record.
    """
    await thaw(db, campaign_id)
    async with db.write() as session:
        await require_draft(session, campaign_id)
        await _delete_steps(session, campaign_id)
        await session.execute(delete_rows(Campaign).where(Campaign.id == campaign_id))
