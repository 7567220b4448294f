"""Who is in a campaign, with which address, and everybody who is left out, with the reason.

A campaign writes to the primary address of a lead. One pass looks at everybody who is asked for,
a chunk at a time, and only reads.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import (
    Business,
    Campaign,
    ContactPoint,
    Event,
    Message,
    Site,
    Suppression,
)
from crm_tui.db.types import listed
from crm_tui.services import lead_rows
from crm_tui.services.campaigns import domains
from crm_tui.services.campaigns.reasons import ADDRESS_IN, ALREADY_IN, Asked, Known, why_not
from crm_tui.services.filters import Standpoint
from crm_tui.services.filters.columns import no_index
from crm_tui.services.lead_query import LeadQuery
from crm_tui.vocabulary import (
    CampaignState,
    ContactKind,
    ContactState,
    EventKind,
    MessageState,
    SiteStatus,
    SuppressionKind,
)

_CHUNK = 1000
_WAITING = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNCERTAIN)
_NOT_OVER = (CampaignState.RUNNING, CampaignState.PAUSED)


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
    ids = await in_order(db, audience, settings=settings, now=now)
    looked = Looked()
    done = 0
    for chunk in _chunks(ids):
        if cancelled():
            break
        async with db.read() as session:
            asked = await _asked(session, chunk)
            known = await _known(
                session, asked, settings=settings, now=now, campaign_id=campaign_id
            )
            joining = _sort_out(asked, known, looked, settings)
            if uses_site:
                looked.held += len(joining) - await _published(session, joining)
        done += len(chunk)
        progress(done, len(ids))
    return looked


async def in_order(
    db: Database, audience: Audience, *, settings: Settings, now: datetime
) -> array[int]:
    """The leads that are asked for, in the usual order.

    Raises:
        QueryError: the filter cannot be read.
    """
    if audience.query is not None:
        query = LeadQuery(audience.query, standpoint=Standpoint.of(settings, now))
        return await lead_rows.order(db, query)
    return await db.integers(
        select(Business.id)
        .where(Business.id.in_(listed(audience.ids)))
        .order_by(*LeadQuery().order())
    )


def _chunks(ids: array[int]) -> Iterator[array[int]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _sort_out(
    asked: Sequence[Asked], known: Known, looked: Looked, settings: Settings
) -> list[int]:
    """Put each lead where it belongs; returns those who join."""
    sending, joining = settings.sending, []
    for lead in asked:
        why = why_not(
            lead,
            known,
            role_addresses=sending.role_addresses,
            contacted_days=sending.contacted_days,
        )
        if why or lead.address is None:
            looked.left_out.append(LeftOut(lead.id, lead.name, lead.address, why))
        else:
            looked.recipients.append(Recipient(lead.id, lead.name, lead.address, lead.person))
            joining.append(lead.id)
    return joining


async def refused(
    session: ReadSession,
    business_ids: Collection[int],
    *,
    settings: Settings,
    now: datetime,
    campaign_id: int,
) -> dict[int, str]:
    """Which leads of a campaign would be left out if they were to join it now, and why."""
    asked = await _asked(session, business_ids)
    known = await _known(session, asked, settings=settings, now=now, campaign_id=campaign_id)
    known = known._replace(inside=set(), addresses=set())
    sending = settings.sending
    found = {
        lead.id: why_not(
            lead,
            known,
            role_addresses=sending.role_addresses,
            contacted_days=sending.contacted_days,
        )
        for lead in asked
    }
    return {business_id: why for business_id, why in found.items() if why}


async def inside(
    session: ReadSession, campaign_id: int, recipients: Collection[Recipient]
) -> dict[int, str]:
    """Who of these cannot join a campaign because it has them or their address already."""
    members, addresses = await _members(
        session,
        campaign_id,
        [each.business_id for each in recipients],
        [each.address for each in recipients],
    )
    return {
        each.business_id: ALREADY_IN if each.business_id in members else ADDRESS_IN
        for each in recipients
        if each.business_id in members or each.address in addresses
    }


async def _asked(session: ReadSession, ids: Collection[int]) -> list[Asked]:
    """The leads, in the order of the ids."""
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
        .outerjoin(
            ContactPoint,
            and_(
                ContactPoint.business_id == Business.id,
                ContactPoint.kind == ContactKind.EMAIL,
                ContactPoint.is_primary.is_(True),
            ),
        )
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


async def _known(
    session: ReadSession,
    asked: Sequence[Asked],
    *,
    settings: Settings,
    now: datetime,
    campaign_id: int | None,
) -> Known:
    ids = [lead.id for lead in asked]
    addresses = [lead.address for lead in asked if lead.address is not None]
    days = settings.sending.contacted_days
    members: tuple[set[int], set[str]] = (set(), set())
    if campaign_id is not None:
        members = await _members(session, campaign_id, ids, addresses)
    return Known(
        barred=await _barred(session, addresses),
        shared=await _shared(session, addresses),
        dead=await domains.dead(session, addresses),
        contacted=await _contacted(session, ids, now, days, campaign_id) if days else set(),
        contacted_addresses=(
            await _written_to(session, addresses, now, days, campaign_id) if days else set()
        ),
        elsewhere=await _elsewhere(session, ids, campaign_id) if days else set(),
        inside=members[0],
        addresses=members[1],
    )


async def _members(
    session: ReadSession, campaign_id: int, ids: Collection[int], addresses: Collection[str]
) -> tuple[set[int], set[str]]:
    """Which leads and which addresses a campaign has already."""
    # By the lead and by the address: through its own index a campaign is read from end to end.
    mine = no_index(Message.campaign_id) == campaign_id
    ours = listed(ids)
    by_id = await session.scalars(
        select(Message.business_id).where(mine, Message.business_id.in_(ours)).distinct()
    )
    by_address = await session.scalars(
        select(Message.address).where(mine, Message.address.in_(listed(addresses))).distinct()
    )
    return set(by_id), set(by_address)


async def _barred(session: ReadSession, addresses: Collection[str]) -> dict[str, str]:
    """Why addresses are suppressed: themselves, or their domain or one above it."""
    rows = await session.execute(
        select(Suppression.value, Suppression.reason).where(
            Suppression.kind == SuppressionKind.EMAIL, Suppression.value.in_(listed(addresses))
        )
    )
    barred = dict(rows.all())
    above = {address: list(_domains_of(address)) for address in addresses}
    rows = await session.execute(
        select(Suppression.value, Suppression.reason).where(
            Suppression.kind == SuppressionKind.DOMAIN,
            Suppression.value.in_(listed({each for those in above.values() for each in those})),
        )
    )
    by_domain = dict(rows.all())
    for address, those in above.items():
        if why := next((by_domain[each] for each in those if each in by_domain), None):
            barred.setdefault(address, why)
    return barred


def _domains_of(address: str) -> Iterator[str]:
    """The domain of an address and those above it: mail.acme.com, acme.com, com."""
    labels = address.rpartition("@")[2].split(".")
    return (".".join(labels[start:]) for start in range(len(labels)))


async def _shared(session: ReadSession, addresses: Collection[str]) -> set[str]:
    """The addresses that several leads have which are neither archived nor erased."""
    found = await session.scalars(
        select(ContactPoint.value)
        .join(Business, Business.id == ContactPoint.business_id)
        .where(
            ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.value.in_(listed(addresses)),
            ContactPoint.state != ContactState.INVALID,
            Business.archived_at.is_(None),
            Business.erased_at.is_(None),
        )
        .group_by(ContactPoint.value)
        .having(func.count(ContactPoint.business_id) > 1)
    )
    return set(found)


async def _contacted(
    session: ReadSession, ids: Collection[int], now: datetime, days: int, campaign_id: int | None
) -> set[int]:
    """The leads a mail went to lately, from here or from the operator's own mailbox."""
    of_campaign = select(Message.id).where(
        Message.id == Event.message_id, Message.campaign_id == campaign_id
    )
    found = await session.scalars(
        select(Event.business_id)
        .where(
            Event.business_id.in_(listed(ids)),
            Event.kind == EventKind.EMAIL_SENT,
            Event.occurred_at >= now - timedelta(days=days),
            Event.is_voided.is_(False),
            ~of_campaign.exists(),
        )
        .distinct()
    )
    return set(found)


async def _written_to(
    session: ReadSession,
    addresses: Collection[str],
    now: datetime,
    days: int,
    campaign_id: int | None,
) -> set[str]:
    """The addresses a mail went to lately, whichever lead it was for."""
    found = await session.scalars(
        select(Message.address)
        .where(
            Message.address.in_(listed(addresses)),
            Message.sent_at >= now - timedelta(days=days),
            Message.campaign_id.is_distinct_from(campaign_id),
        )
        .distinct()
    )
    return set(found)


async def _elsewhere(
    session: ReadSession, ids: Collection[int], campaign_id: int | None
) -> set[int]:
    """The leads that wait for a mail of another campaign."""
    found = await session.scalars(
        select(Message.business_id)
        .join(Campaign, Campaign.id == Message.campaign_id)
        .where(
            Message.business_id.in_(listed(ids)),
            Message.state.in_(_WAITING),
            Campaign.state.in_(_NOT_OVER),
            Campaign.id.is_distinct_from(campaign_id),
        )
        .distinct()
    )
    return set(found)


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
