"""What the store knows that keeps leads out of a campaign, for a chunk of them at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Campaign, ContactPoint, Event, Message, Suppression
from crm_tui.db.types import listed
from crm_tui.services.campaigns import domains
from crm_tui.services.campaigns.reasons import Asked, Known
from crm_tui.services.filters.columns import no_index
from crm_tui.vocabulary import (
    CampaignState,
    Channel,
    ContactKind,
    ContactState,
    EventKind,
    MessageState,
    SuppressionKind,
)

_WAITING = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNCERTAIN)
KINDS = {Channel.EMAIL: ContactKind.EMAIL, Channel.SMS: ContactKind.PHONE}
"""The kind of contact point a channel reaches."""
_NOT_OVER = (CampaignState.RUNNING, CampaignState.PAUSED)


async def known_of(
    session: ReadSession,
    asked: Sequence[Asked],
    *,
    days: int,
    now: datetime,
    campaign_id: int | None,
    channel: Channel = Channel.EMAIL,
) -> Known:
    """What the store knows of these leads and their addresses, as far as it keeps them out.

    The addresses are those of a channel: numbers for text messages. Written to lately is within so many `days`.
    """
    ids = [lead.id for lead in asked]
    addresses = [lead.address for lead in asked if lead.address is not None]
    inside: tuple[set[int], set[str]] = (set(), set())
    if campaign_id is not None:
        inside = await members(session, campaign_id, ids, addresses)
    return Known(
        barred=await _barred(session, addresses, channel),
        shared=await _shared(session, addresses, channel),
        dead=await domains.dead(session, addresses) if channel is Channel.EMAIL else set(),
        contacted=await _contacted(session, ids, now, days, campaign_id),
        contacted_addresses=await _written_to(session, addresses, now, days, campaign_id),
        elsewhere=await _elsewhere(session, ids, campaign_id),
        inside=inside[0],
        addresses=inside[1],
    )


async def members(
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


async def _barred(
    session: ReadSession, addresses: Collection[str], channel: Channel
) -> dict[str, str]:
    """Why addresses are suppressed: themselves, or their domain or one above it."""
    texts = channel is Channel.SMS
    kind = SuppressionKind.PHONE if texts else SuppressionKind.EMAIL
    rows = await session.execute(
        select(Suppression.value, Suppression.reason).where(
            Suppression.kind == kind, Suppression.value.in_(listed(addresses))
        )
    )
    barred = dict(rows.all())
    if texts:
        return barred
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


async def _shared(session: ReadSession, addresses: Collection[str], channel: Channel) -> set[str]:
    """The addresses that several leads have which are neither archived nor erased."""
    found = await session.scalars(
        select(ContactPoint.value)
        .join(Business, Business.id == ContactPoint.business_id)
        .where(
            ContactPoint.kind == KINDS[channel],
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
    """The leads a message went to lately, from here or from the operator's own mailbox."""
    of_campaign = select(Message.id).where(
        Message.id == Event.message_id, Message.campaign_id == campaign_id
    )
    found = await session.scalars(
        select(Event.business_id)
        .where(
            Event.business_id.in_(listed(ids)),
            Event.kind.in_((EventKind.EMAIL_SENT, EventKind.SMS_SENT)),
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
