"""Reading what came in since the last time, to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services.sending.account import Account


@dataclass(slots=True)
class Collected:
    """What was read.

    Attributes:
        polled: mails that were looked at.
        applied: records that became events.
        unmatched: records that wait for the operator.
        problem: why not all could be read, in a sentence; then nothing may be sent.
    """

    polled: int = 0
    applied: int = 0
    unmatched: int = 0
    problem: str = ""


async def collect(
    db: Database,
    settings: Settings,
    account: Account,
    *,
    environment: Mapping[str, str],
    now: Callable[[], datetime],
) -> Collected:
    """Read the mailbox to its end, keep what concerns us, and apply it.

    Where no mailbox is set there is nothing to read.
    """
    del db, account, environment, now
    if not settings.providers.imap.host:
        return Collected()
    return Collected(problem="reading the mailbox is not built yet")
