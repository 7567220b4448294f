"""Starting a campaign, and everything that can be done to one that was started."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.providers.sender_policy import SenderPolicy
from crm_tui.services.campaigns.drafts import Step


@dataclass(frozen=True, slots=True)
class Started:
    """A campaign that runs.

    Attributes:
        recipients: how many leads it writes to.
        dropped: how many were taken down for it and are left out after all, since something came
            between; each has its reason in the ledger.
    """

    id: int
    recipients: int
    dropped: int


async def start(
    db: Database,
    campaign_id: int,
    *,
    settings: Settings,
    now: datetime,
    policy: SenderPolicy | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Started:
    """Start a draft: freezes it if need be, looks at everybody again, and lets the queue have them.

    Raises:
        Blocked: something must be put in order first; carries what.
        NotFound: there is no such campaign.
        BadInput: it was started already, or has no steps.
    """
    raise NotImplementedError


async def pause(session: WriteSession, campaign_id: int, *, now: datetime) -> None:
    """Stop sending after what is on its way.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it does not run.
    """
    raise NotImplementedError


async def resume(session: WriteSession, campaign_id: int, *, now: datetime) -> None:
    """Go on with a campaign that is paused.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it is not paused.
    """
    raise NotImplementedError


async def cancel(db: Database, campaign_id: int, *, now: datetime) -> int:
    """End a campaign for good: what was not sent never will be. Returns how many mails that is.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it is over, or a draft (delete that instead).
    """
    raise NotImplementedError


async def edit_step(
    session: WriteSession, campaign_id: int, position: int, step: Step, *, now: datetime
) -> None:
    """Change what a step says to those who have not got it yet; a delay counts from now on.

    Raises:
        NotFound: there is no such campaign or step.
        BadInput: the campaign runs or is over, or the step cannot be sent as it is.
    """
    raise NotImplementedError


async def retry(
    session: WriteSession, campaign_id: int, *, now: datetime, ids: Collection[int] = ()
) -> int:
    """Send failed messages again, and look again at held ones; all where none are named.

    Returns how many. A campaign that was finished runs again.

    Raises:
        NotFound: there is no such campaign.
        BadInput: it was canceled, or never started.
    """
    raise NotImplementedError


async def skip(
    session: WriteSession, campaign_id: int, business_ids: Collection[int], *, now: datetime
) -> int:
    """Take leads out of a campaign: what was not sent to them is skipped. Returns how many mails.

    Raises:
        NotFound: there is no such campaign.
    """
    raise NotImplementedError
