"""A campaign that is being put together: its name, audience, steps and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_tui.db.engine import Database, ReadSession
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.templating.files import Template
from crm_tui.vocabulary import CampaignState

OWN_TEXT = "own text"
"""What the template of a step is called that was written for it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message of a campaign.

    Attributes:
        template: what its template is called.
        source: the template's whole text, subject included, as it is kept with the campaign.
        delay: how long after the step before, "3d"; None for the first.
        version: goes up with each change; 1 in a draft.
    """

    template: str
    source: str
    is_html: bool = False
    delay: str | None = None
    version: int = 1

    @property
    def subject(self) -> str:
        """The subject, with its merge fields."""
        raise NotImplementedError

    @property
    def uses_site(self) -> bool:
        """Whether it names the public address of the site."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What can be chosen of a campaign; all but the audience may be missing while it is a draft.

    Attributes:
        name: "" is kept as "untitled campaign" with the date.
        starts_at: when the first mails may go; None is as soon as it is started.
        stop_on_click: whether a click ends the campaign for a lead.
        wizard: what the wizard needs to go on where it was left; plain JSON, its own business.
    """

    name: str = ""
    audience: Audience = Audience(ids=())
    steps: tuple[Step, ...] = ()
    starts_at: datetime | None = None
    stop_on_click: bool = False
    wizard: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """A campaign as it is kept.

    Attributes:
        frozen: whether its recipients are in the queue, so that it can be started as it is.
    """

    id: int
    state: CampaignState
    pause_reason: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    frozen: bool
    draft: Draft


def step_of(template: Template, *, delay: str | None = None, subject: str | None = None) -> Step:
    """A step that says what a template says, under another subject if one is given.

    Raises:
        BadInput: the template cannot be sent, or the delay is none.
    """
    raise NotImplementedError


async def save(db: Database, campaign_id: int | None, draft: Draft, *, now: datetime) -> int:
    """Keep a draft, a new one without an id; returns its id.

    Recipients taken down before (`freezing.freeze`) are let go where audience or steps changed.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it was started already, or a step or a name cannot be.
    """
    raise NotImplementedError


async def load(session: ReadSession, campaign_id: int) -> Kept:
    """A campaign with everything that was chosen.

    Raises:
        NotFound: there is none.
    """
    raise NotImplementedError


async def delete(db: Database, campaign_id: int) -> None:
    """Delete a draft, for good.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it was started; what was sent stays on record.
    """
    raise NotImplementedError
