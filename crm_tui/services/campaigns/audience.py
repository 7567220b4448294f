"""Who is in a campaign, with which address, and everybody who is left out, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_tui.config import Settings
from crm_tui.db.engine import Database


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a campaign is for: a filter as it was typed, or leads chosen one by one."""

    query: str | None = None
    ids: tuple[int, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {"ids": list(self.ids)} if self.query is None else {"query": self.query}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Audience:
        """What `plain` wrote."""
        return cls(plain.get("query"), tuple(plain.get("ids", ())))


@dataclass(frozen=True, slots=True)
class Recipient:
    """A lead a campaign writes to; `person` is whom its address reaches, where that is known."""

    business_id: int
    name: str
    address: str
    person: str | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A lead that was asked for and gets nothing, and why; a reason is one of a few phrases."""

    business_id: int
    name: str
    address: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many were left out for one reason."""

    reason: str
    count: int


@dataclass(slots=True)
class Looked:
    """What came of looking at an audience.

    Attributes:
        recipients: those who get it, in the usual order.
        left_out: everybody else who was asked for, in that order.
        held: how many of the recipients wait, because their site is not published yet.
    """

    recipients: list[Recipient] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    held: int = 0

    @property
    def excluded(self) -> list[ReasonCount]:
        """The reasons and how often each occurs, the commonest first."""
        raise NotImplementedError


async def look(
    db: Database,
    audience: Audience,
    *,
    settings: Settings,
    now: datetime,
    campaign_id: int | None = None,
    uses_site: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Looked:
    """Look at everybody who is asked for.

    Args:
        db: the store.
        audience: a filter, or leads.
        settings: which addresses are written to, and how soon again.
        now: aware UTC.
        campaign_id: the campaign they are to join; whoever is in it already is left out.
        uses_site: whether its mails name the public address of the site.
        progress: called after every chunk with how many were looked at, of how many.
        cancelled: asked before every chunk whether to stop; the result is then of those before.

    Raises:
        QueryError: the filter cannot be read.
    """
    raise NotImplementedError


async def domains_to_look_up(
    db: Database, recipients: Sequence[Recipient], *, now: datetime
) -> list[str]:
    """The domains of addresses of which it is not known, or no longer, whether they take mail."""
    raise NotImplementedError
