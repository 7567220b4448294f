"""Recipients become rows of the queue: one for every step, with its marks, when they are added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services.campaigns.audience import Audience, ReasonCount


@dataclass(frozen=True, slots=True)
class Frozen:
    """Who was added.

    Attributes:
        recipients: how many leads.
        held: how many of them wait until their site is published.
        excluded: how many were left out, for each reason.
        stopped: whether it was cancelled before the end; a draft is then not frozen.
    """

    recipients: int
    held: int
    excluded: list[ReasonCount]
    stopped: bool = False


async def freeze(
    db: Database,
    campaign_id: int,
    *,
    settings: Settings,
    now: datetime,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Frozen:
    """Take down the recipients of a draft, in place of those taken down before.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it is no draft, or has no steps.
        QueryError: its filter cannot be read.
    """
    raise NotImplementedError


async def add(
    db: Database,
    campaign_id: int,
    audience: Audience,
    *,
    settings: Settings,
    now: datetime,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Frozen:
    """Add more recipients to a campaign that is frozen, runs or is paused.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it is over, or its recipients were not taken down yet.
        QueryError: the filter cannot be read.
    """
    raise NotImplementedError
