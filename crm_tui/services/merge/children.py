"""What belongs to merged leads, besides contact points: all of it goes to the kept one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import (
    BusinessAlias,
    BusinessTag,
    CampaignExclusion,
    Consent,
    Customer,
    Distinct,
    Event,
    ImportRow,
    Merge,
    Message,
    MoneyRef,
    Payment,
    PaymentLink,
    RawRecord,
    Site,
    Subscription,
    Task,
    Unmatched,
)
from crm_tui.vocabulary import AliasKind

_MOVED: tuple[Any, ...] = (
    BusinessAlias,
    Task,
    Site,
    Event,
    Message,
    RawRecord,
    Unmatched,
    ImportRow,
    PaymentLink,
    MoneyRef,
    Subscription,
    Payment,
)


async def unite_children(session: WriteSession, keep_id: int, other_ids: Sequence[int]) -> None:
    """Give the kept lead what the others have: sites, messages, timeline, tags and the rest.

    Events keep their origin, which the status fold goes by.
    """
    for model in _MOVED:
        await session.execute(
            update(model)
            .where(model.business_id.in_(other_ids))
            .values(business_id=keep_id)
            .execution_options(synchronize_session=None)
        )
    await session.execute(
        update(Merge)
        .where(Merge.kept_id.in_(other_ids))
        .values(kept_id=keep_id)
        .execution_options(synchronize_session=None)
    )
    await _unite_tags(session, keep_id, other_ids)
    await _unite_pairs(session, keep_id, other_ids)
    await _unite_exclusions(session, keep_id, other_ids)
    await _unite_consents(session, keep_id, other_ids)
    await _unite_customers(session, keep_id, other_ids)


async def _unite_tags(session: WriteSession, keep_id: int, other_ids: Sequence[int]) -> None:
    columns = (BusinessTag.tag_id, BusinessTag.created_at, BusinessTag.batch_id)
    found = await session.execute(
        select(*columns)
        .where(BusinessTag.business_id.in_(other_ids))
        .order_by(BusinessTag.created_at, BusinessTag.business_id)
    )
    rows = [{**row, "business_id": keep_id} for row in found.mappings()]
    await session.execute(delete(BusinessTag).where(BusinessTag.business_id.in_(other_ids)))
    if rows:
        await session.execute(insert(BusinessTag).on_conflict_do_nothing(), rows)


async def _unite_consents(session: WriteSession, keep_id: int, other_ids: Sequence[int]) -> None:
    """What each agreed to; of what stands for the same number, that which was given first."""
    rows = await session.execute(
        select(Consent.id, Consent.channel, Consent.value)
        .where(Consent.business_id.in_([keep_id, *other_ids]), Consent.withdrawn_at.is_(None))
        .order_by(Consent.given_at, Consent.id)
    )
    standing: dict[tuple[str, str], int] = {}
    later = [each for each, *of in rows if standing.setdefault((of[0], of[1]), each) != each]
    if later:
        await session.execute(delete(Consent).where(Consent.id.in_(later)))
    await session.execute(
        update(Consent)
        .where(Consent.business_id.in_(other_ids))
        .values(business_id=keep_id)
        .execution_options(synchronize_session=None)
    )


async def _unite_customers(session: WriteSession, keep_id: int, other_ids: Sequence[int]) -> None:
    """One business is one customer: the kept lead's own record, or else the oldest of the others'."""
    rows = await session.execute(
        select(Customer.id, Customer.business_id)
        .where(Customer.business_id.in_([keep_id, *other_ids]))
        .order_by(Customer.business_id != keep_id, Customer.created_at, Customer.id)
    )
    found = rows.all()
    if not found:
        return
    await session.execute(
        delete(Customer).where(Customer.id.in_([number for number, _ in found[1:]]))
    )
    await session.execute(
        update(Customer)
        .where(Customer.id == found[0][0])
        .values(business_id=keep_id)
        .execution_options(synchronize_session=None)
    )


async def _unite_pairs(session: WriteSession, keep_id: int, other_ids: Sequence[int]) -> None:
    """What was said not to be one of the others is not the kept one either."""
    of_others = Distinct.low_id.in_(other_ids) | Distinct.high_id.in_(other_ids)
    found = await session.execute(
        select(Distinct.low_id, Distinct.high_id, Distinct.said_at).where(of_others)
    )
    rows = []
    for low_id, high_id, said_at in found:
        low, high = sorted(keep_id if each in other_ids else each for each in (low_id, high_id))
        if low != high:
            rows.append({"low_id": low, "high_id": high, "said_at": said_at})
    await session.execute(delete(Distinct).where(of_others))
    if rows:
        await session.execute(insert(Distinct).on_conflict_do_nothing(), rows)


async def add_keys(
    session: WriteSession, keep_id: int, keys: Sequence[tuple[AliasKind, str]]
) -> None:
    """Have keys of merged leads lead to the kept one; those that lead somewhere already do so."""
    rows = [{"business_id": keep_id, "kind": kind, "value": value} for kind, value in keys]
    if rows:
        await session.execute(insert(BusinessAlias).on_conflict_do_nothing(), rows)


async def _unite_exclusions(session: WriteSession, keep_id: int, other_ids: Sequence[int]) -> None:
    """Campaigns that left one of them out; a reason the kept lead has already goes before."""
    found = await session.execute(
        select(CampaignExclusion.__table__)
        .where(CampaignExclusion.business_id.in_(other_ids))
        .order_by(CampaignExclusion.business_id)
    )
    rows = [{**row, "business_id": keep_id} for row in found.mappings()]
    await session.execute(
        delete(CampaignExclusion).where(CampaignExclusion.business_id.in_(other_ids))
    )
    if rows:
        await session.execute(insert(CampaignExclusion).on_conflict_do_nothing(), rows)
