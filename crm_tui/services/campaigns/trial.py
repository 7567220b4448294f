"""A test mail to the operator: through the same account, at once, and in no campaign's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services.campaigns.drafts import Step


@dataclass(frozen=True, slots=True)
class Tried:
    """A test mail that went out; `example` says whether facts of nobody's were put in."""

    to: str
    subject: str
    message_id: str
    example: bool


async def send(
    db: Database,
    steps: Sequence[Step],
    position: int,
    to: str,
    *,
    business_id: int | None,
    settings: Settings,
    environment: Mapping[str, str],
    now: datetime,
) -> Tried:
    """Send a step as this lead would get it (as nobody's facts without one) to an address.

    Raises:
        BadInput: that is no address, or the step cannot be sent.
        ProviderError: it could not be sent; says why.
    """
    raise NotImplementedError
