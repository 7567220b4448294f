"""A mail as a recipient will get it, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.services.campaigns.drafts import Step


@dataclass(frozen=True, slots=True)
class Shown:
    """One mail. `missing` says what holds it; subject and text are then of an example's facts."""

    business_id: int
    to: str
    subject: str
    text: str
    html: str | None
    missing: str


async def mail(
    session: ReadSession,
    steps: Sequence[Step],
    position: int,
    business_id: int,
    *,
    settings: Settings,
) -> Shown:
    """What a step says to a lead; a follow-up under the subject of the first step.

    Raises:
        NotFound: there is no such lead.
        BadInput: the template cannot be used.
    """
    raise NotImplementedError


async def lacking(
    db: Database,
    steps: Sequence[Step],
    business_ids: Sequence[int],
    *,
    settings: Settings,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[int, str]:
    """Which of the leads would be held at one of the steps, and for what."""
    raise NotImplementedError


async def finish_time(
    db: Database,
    steps: Sequence[Step],
    business_ids: Sequence[int],
    *,
    settings: Settings,
    now: datetime,
) -> datetime | None:
    """About when the last mail goes, by the limits and hours; None if that is years ahead."""
    raise NotImplementedError
