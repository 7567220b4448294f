"""Whether the domains of addresses take mail: looked up when online, kept for a while.

What could not be looked up refuses nobody, and is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from crm_tui.config import Settings
from crm_tui.config.checks import is_loopback
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import DomainCheck
from crm_tui.db.types import listed
from crm_tui.providers.dns import Dns, MailDomain

_GOOD_FOR = timedelta(days=30)
_BAD_FOR = timedelta(days=7)
_AT_ONCE = 50
"""Domains that are asked for before the answers are kept."""


class Lookup(Protocol):
    """Asks the domain name system (`providers.dns.Dns`)."""

    async def take_mail(self, domains: Iterable[str], *, at_once: int = 10) -> list[MailDomain]:
        """Whether each of the domains takes mail."""
        ...


def lookup_for(settings: Settings) -> Lookup | None:
    """Whom to ask; nobody where mail goes into a folder or to a server on this machine.

    A server on this machine knows domains of its own, of which the public system knows nothing.
    """
    host = settings.providers.smtp.host
    if settings.email.provider != "smtp" or not host or is_loopback(host):
        return None
    return Dns()


def domain_of(address: str) -> str:
    """The domain of an address as it is kept, which is in the letters the DNS knows."""
    return address.rpartition("@")[2].lower()


async def dead(session: ReadSession, addresses: Collection[str]) -> set[str]:
    """The domains of these addresses that are known to take no mail."""
    asked = {domain_of(address) for address in addresses}
    found = await session.scalars(
        select(DomainCheck.domain).where(
            DomainCheck.domain.in_(listed(asked)), DomainCheck.accepts.is_(False)
        )
    )
    return set(found)


async def to_look_up(db: Database, addresses: Iterable[str], *, now: datetime) -> list[str]:
    """The domains of addresses of which it is not known, or was long ago, whether they take mail."""
    asked = {domain_of(address): None for address in addresses if "@" in address}
    async with db.read() as session:
        rows = await session.execute(
            select(DomainCheck.domain, DomainCheck.accepts, DomainCheck.checked_at).where(
                DomainCheck.domain.in_(listed(asked))
            )
        )
        fresh = {
            domain
            for domain, accepts, at in rows
            if accepts is not None and at + (_GOOD_FOR if accepts else _BAD_FOR) > now
        }
    return [domain for domain in asked if domain not in fresh]


async def look_up(
    db: Database,
    lookup: Lookup | None,
    domains: Sequence[str],
    *,
    now: datetime,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Look domains up and keep the answers; False where the domain name system is not there.

    Args:
        db: the store.
        lookup: whom to ask; None asks nobody.
        domains: which (`to_look_up`).
        now: aware UTC.
        progress: called with how many were looked up, of how many.
        cancelled: asked again and again whether to stop.
    """
    if lookup is None:
        return True
    for start in range(0, len(domains), _AT_ONCE):
        if cancelled():
            return True
        answers = await lookup.take_mail(domains[start : start + _AT_ONCE])
        told = [answer for answer in answers if answer.takes is not None]
        if not told:
            return False
        async with db.write() as session:
            row = insert(DomainCheck)
            await session.execute(
                row.on_conflict_do_update(
                    index_elements=["domain"],
                    set_={
                        "accepts": row.excluded.accepts,
                        "words": row.excluded.words,
                        "checked_at": row.excluded.checked_at,
                    },
                ),
                [
                    {
                        "domain": each.domain,
                        "accepts": each.takes,
                        "words": each.why,
                        "checked_at": now,
                    }
                    for each in told
                ],
            )
        progress(min(start + _AT_ONCE, len(domains)), len(domains))
    return True
