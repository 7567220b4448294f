"""Whether the domains of addresses take mail: looked up when online, kept for a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.providers.dns import MailDomain


class Lookup(Protocol):
    """Asks the domain name system (`providers.dns.Dns`)."""

    async def take_mail(self, domains: Sequence[str], *, at_once: int = 10) -> list[MailDomain]: ...


def lookup_for(settings: Settings) -> Lookup | None:
    """Whom to ask; nobody where mail goes to a server on this machine or into a folder."""
    raise NotImplementedError


async def look_up(
    db: Database,
    lookup: Lookup | None,
    domains: Sequence[str],
    *,
    now: datetime,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Look domains up and keep the answers; offline nothing is kept, and nobody left out."""
    raise NotImplementedError
