"""Who is in a campaign, with which address, and everybody who is left out, with the reason.

A campaign writes to the primary address of a lead. One pass looks at everybody who is asked for,
a chunk at a time, and only reads.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import aliased

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import (
    Business,
    ContactPoint,
    Site,
    Suppression,
)
from crm_tui.db.types import listed
from crm_tui.services import lead_rows
from crm_tui.services.campaigns.known import KINDS, known_of, members
from crm_tui.services.campaigns.reasons import (
    ADDRESS_IN,
    ALREADY_IN,
    Asked,
    Known,
    is_recent,
    why_not,
)
from crm_tui.services.consent import agreed
from crm_tui.services.filters import Standpoint
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.money.offered import offered
from crm_tui.vocabulary import (
    Channel,
    ContactKind,
    ContactState,
    SiteStatus,
    SuppressionKind,
)

LATELY = 30
"""Days within which somebody counts as written to lately, where nobody is left out for it."""

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a campaign is for.

    Attributes:
        query: a filter as it was typed; None where leads were chosen one by one.
        ids: leads chosen one by one, beside those of the filter where there is one.
        spared_days: whom another message went to within so many days is left out, and so is who
            waits in another campaign; 0 leaves nobody out for that, None is as the settings say.
    """

    query: str | None = None
    ids: tuple[int, ...] = ()
    spared_days: int | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON keeps it."""
        plain: dict[str, Any] = {}
        if self.query is not None:
            plain["query"] = self.query
        if self.ids or self.query is None:
            plain["ids"] = list(self.ids)
        if self.spared_days is not None:
            plain["spared_days"] = self.spared_days
        return plain

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Audience:
        """What `plain` wrote."""
        return cls(plain.get("query"), tuple(plain.get("ids", ())), plain.get("spared_days"))

    def spares(self, settings: Settings) -> int:
        """Within how many days somebody was written to who is left out; 0 leaves nobody out."""
        return settings.sending.contacted_days if self.spared_days is None else self.spared_days


@dataclass(frozen=True, slots=True)
class Recipient:
    """A lead a campaign writes to, at an address for each of its channels.

    Attributes:
        address: of the first channel; `person` is whom it reaches, where that is known.
        number: where text messages go; None where it has none.
        person_called: whom that reaches, where that is known.
    """

    business_id: int
    name: str
    address: str
    person: str | None
    number: str | None = None
    person_called: str | None = None

    def at(self, channel: Channel) -> tuple[str, str | None]:
        """Where a message of a channel goes, and whom it reaches."""
        if channel is Channel.SMS and self.number is not None:
            return self.number, self.person_called
        return self.address, self.person

    @property
    def addresses(self) -> set[str]:
        """All of them."""
        return {self.address} if self.number is None else {self.address, self.number}


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
        recent: how many of the recipients were written to lately, or wait in another campaign.
        no_consent: how many of them wait with their text messages until they agree to them.
        without_link: how many of them have no payment link, though a message names it.
    """

    recipients: list[Recipient] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    held: int = 0
    recent: int = 0
    no_consent: int = 0
    without_link: int = 0

    @property
    def excluded(self) -> list[ReasonCount]:
        """The reasons and how often each occurs, the commonest first."""
        return counted(each.reason for each in self.left_out)


def counted(reasons: Iterable[str]) -> list[ReasonCount]:
    """How often each reason occurs, the commonest first."""
    found = Counter(reasons)
    return [
        ReasonCount(reason, found[reason]) for reason in sorted(found, key=lambda r: (-found[r], r))
    ]


async def look(
    db: Database,
    audience: Audience,
    *,
    settings: Settings,
    now: datetime,
    campaign_id: int | None = None,
    uses_site: bool = False,
    uses_payment: bool = False,
    channels: Sequence[Channel] = (Channel.EMAIL,),
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
        uses_payment: whether its messages name the page to pay at.
        channels: what its steps go through; who lacks an address for one of them is left out.
        progress: called after every chunk with how many were looked at, of how many.
        cancelled: asked before every chunk whether to stop; the result is then of those before.

    Raises:
        QueryError: the filter cannot be read.
    """
    ids = await in_order(db, audience, settings=settings, now=now)
    looked = Looked()
    days = audience.spares(settings)
    done = 0
    for chunk in _chunks(ids):
        if cancelled():
            break
        async with db.read() as session:
            those = [
                await _one_channel(
                    session, each, chunk, days=days or LATELY, now=now, campaign_id=campaign_id
                )
                for each in channels
            ]
            known = len(looked.recipients)
            joining = _sort_out(those, looked, settings, days)
            if Channel.SMS in channels:
                looked.no_consent += await _without_consent(session, looked.recipients[known:])
            if uses_site:
                looked.held += len(joining) - await _published(session, joining)
            if uses_payment:
                looked.without_link += len(joining) - len(await offered(session, joining))
        done += len(chunk)
        progress(done, len(ids))
    return looked


async def in_order(
    db: Database, audience: Audience, *, settings: Settings, now: datetime
) -> array[int]:
    """The leads that are asked for: those of the filter and then those chosen, in the usual order.

    Raises:
        QueryError: the filter cannot be read.
    """
    matching = array("q")
    if audience.query is not None:
        query = LeadQuery(audience.query, standpoint=Standpoint.of(settings, now))
        matching = await lead_rows.order(db, query)
    if not audience.ids:
        return matching
    there = set(matching)
    chosen = [each for each in audience.ids if each not in there]
    return matching + await db.integers(
        select(Business.id).where(Business.id.in_(listed(chosen))).order_by(*LeadQuery().order())
    )


def _chunks(ids: array[int]) -> Iterator[array[int]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


async def _without_consent(session: ReadSession, recipients: Sequence[Recipient]) -> int:
    """How many have not agreed to text messages."""
    numbers = {each.business_id: each.at(Channel.SMS)[0] for each in recipients}
    return len(numbers) - len(await agreed(session, numbers))


class _Asked(NamedTuple):
    """Some leads, by what one channel knows of them."""

    channel: Channel
    leads: list[Asked]
    known: Known


async def _one_channel(
    session: ReadSession,
    channel: Channel,
    ids: Collection[int],
    *,
    days: int,
    now: datetime,
    campaign_id: int | None,
) -> _Asked:
    asked = await _asked(session, ids, channel)
    known = await known_of(
        session, asked, days=days, now=now, campaign_id=campaign_id, channel=channel
    )
    return _Asked(channel, asked, known)


def _sort_out(those: Sequence[_Asked], looked: Looked, settings: Settings, days: int) -> list[int]:
    """Put each lead where it belongs; returns those who join."""
    joining = []
    for leads in zip(*(each.leads for each in those), strict=True):
        lead, why = leads[0], _why_not(leads, those, settings, days)
        if why or lead.address is None:
            looked.left_out.append(LeftOut(lead.id, lead.name, lead.address, why))
            continue
        recipient = Recipient(lead.id, lead.name, lead.address, lead.person)
        if those[-1].channel is Channel.SMS:
            called = leads[-1]
            recipient = replace(recipient, number=called.address, person_called=called.person)
        looked.recipients.append(recipient)
        looked.recent += any(
            is_recent(lead, each.known) for lead, each in zip(leads, those, strict=True)
        )
        joining.append(lead.id)
    return joining


def _why_not(leads: Sequence[Asked], those: Sequence[_Asked], settings: Settings, days: int) -> str:
    """Why a lead gets nothing, by the first channel that says so; "" where it does."""
    roles = settings.sending.role_addresses
    reasons = (
        why_not(lead, each.known, role_addresses=roles, spared_days=days, channel=each.channel)
        for lead, each in zip(leads, those, strict=True)
    )
    return next(filter(None, reasons), "")


async def refused(
    session: ReadSession,
    business_ids: Collection[int],
    *,
    audience: Audience,
    settings: Settings,
    now: datetime,
    campaign_id: int,
    channels: Sequence[Channel] = (Channel.EMAIL,),
) -> dict[int, str]:
    """Which leads of a campaign would be left out if they were to join it now, and why."""
    days = audience.spares(settings)
    those = []
    for channel in channels:
        found = await _one_channel(
            session, channel, business_ids, days=days, now=now, campaign_id=campaign_id
        )
        there = found.known._replace(inside=set(), addresses=set())
        those.append(found._replace(known=there))
    reasons = {
        leads[0].id: _why_not(leads, those, settings, days)
        for leads in zip(*(each.leads for each in those), strict=True)
    }
    return {business_id: why for business_id, why in reasons.items() if why}


async def inside(
    session: ReadSession, campaign_id: int, recipients: Collection[Recipient]
) -> dict[int, str]:
    """Who of these cannot join a campaign because it has them or their address already."""
    there, addresses = await members(
        session,
        campaign_id,
        [each.business_id for each in recipients],
        {address for each in recipients for address in each.addresses},
    )
    return {
        each.business_id: ALREADY_IN if each.business_id in there else ADDRESS_IN
        for each in recipients
        if each.business_id in there or each.addresses & addresses
    }


async def _asked(session: ReadSession, ids: Collection[int], channel: Channel) -> list[Asked]:
    """The leads, in the order of the ids, with their addresses for a channel."""
    rows = await session.execute(
        select(
            Business.id,
            Business.name,
            ContactPoint.value,
            ContactPoint.person,
            ContactPoint.state,
            Business.erased_at.is_not(None),
            Business.archived_at.is_not(None),
            Business.do_not_contact_reason,
            Business.contact_status,
            Business.outcome,
            Suppression.reason,
        )
        .select_from(Business)
        .outerjoin(ContactPoint, ContactPoint.id == _address(KINDS[channel]))
        .outerjoin(
            Suppression,
            and_(
                Suppression.kind == SuppressionKind.BUSINESS,
                Suppression.value == Business.key,
            ),
        )
        .where(Business.id.in_(listed(ids)))
    )
    found = {row[0]: Asked._make(row) for row in rows}
    return [found[each] for each in ids if each in found]


def _address(kind: ContactKind) -> ColumnElement[int]:
    """The primary address of a lead; where it has none, one that cannot be used, to say why."""
    point = aliased(ContactPoint)
    of_kind = (point.business_id == Business.id, point.kind == kind)
    primary = select(point.id).where(*of_kind, point.is_primary.is_(True))
    unusable = select(func.min(point.id)).where(*of_kind, point.state == ContactState.INVALID)
    return func.coalesce(
        primary.correlate(Business).scalar_subquery(),
        unusable.correlate(Business).scalar_subquery(),
    )


async def _published(session: ReadSession, ids: Collection[int]) -> int:
    """How many of the leads have a site that the public can read."""
    found = await session.execute(
        select(func.count(Site.business_id.distinct())).where(
            Site.business_id.in_(listed(ids)),
            Site.status.in_((SiteStatus.PUBLISHED, SiteStatus.SOLD)),
            Site.published_url.is_not(None),
        )
    )
    return found.scalar_one()
