"""All campaigns, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_tui.db.engine import ReadSession
from crm_tui.services.campaigns.figures import Counts, Rate
from crm_tui.vocabulary import CampaignState


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One line of the list."""

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
    """Every campaign with its counts: drafts, running and paused ones first, then the newest."""
    raise NotImplementedError
