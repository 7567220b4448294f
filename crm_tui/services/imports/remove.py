"""Deleting the leads an import created, as far as nothing outside of it has touched them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import (
    Business,
    BusinessAlias,
    BusinessTag,
    CampaignExclusion,
    ContactPoint,
    Customer,
    Distinct,
    Event,
    Message,
    MoneyRef,
    Payment,
    PaymentLink,
    RawRecord,
    Site,
    Subscription,
    Suppression,
    Tag,
    Task,
    Unmatched,
)
from crm_tui.services import search
from crm_tui.services.imports.rows import LEGACY
from crm_tui.vocabulary import AliasKind, SuppressionKind, TaskState, UnmatchedState

CHUNK = 500

_CHILDREN = (ContactPoint, BusinessAlias, BusinessTag, Task, CampaignExclusion)


def created(batch_id: int) -> Select[int]:
    """The ids of all leads a batch created."""
    return select(Business.id).where(Business.batch_id == batch_id).order_by(Business.id)


async def touched(
    session: ReadSession, batch_id: int, business_ids: Sequence[int]
) -> dict[int, str]:
    """Which of these leads something outside the batch has touched, and what it was."""
    # With max(), SQLite takes the other columns from the row that holds the maximum.
    last_events = (
        select(Event.business_id, Event.summary, func.max(Event.id))
        .where(Event.business_id.in_(business_ids), Event.batch_id.is_distinct_from(batch_id))
        .group_by(Event.business_id)
    )
    others: CompoundSelect[int, str] = union_all(
        select(Task.business_id, literal("a follow-up was done")).where(
            Task.business_id.in_(business_ids), Task.state == TaskState.DONE
        ),
        select(Message.business_id, literal("mail is made for it")).where(
            Message.business_id.in_(business_ids)
        ),
        select(Unmatched.business_id, literal("an old site was linked to it")).where(
            Unmatched.business_id.in_(business_ids)
        ),
        select(Business.id, literal("its site is being built")).where(
            Business.id.in_(business_ids), Business.building_by.is_not(None)
        ),
        *(
            select(model.business_id, literal(words)).where(model.business_id.in_(business_ids))
            for model, words in (
                (PaymentLink, "it was asked to pay"),
                (Payment, "it has a payment"),
                (Subscription, "it has a subscription"),
                (Customer, "it is a customer"),
                (MoneyRef, "a payment provider knows it"),
            )
        ),
        *(
            select(model.business_id, literal(words)).where(
                model.business_id.in_(business_ids), model.batch_id.is_distinct_from(batch_id)
            )
            for model, words in (
                (Site, "it has a site"),
                (Task, "it has a follow-up"),
                (ContactPoint, "it has another contact point"),
                (BusinessAlias, "it has another id"),
                (BusinessTag, "it was tagged"),
            )
        ),
    )
    reasons: dict[int, str] = {}
    for statement in (last_events, others):
        for business_id, reason, *_ in await session.execute(statement):
            reasons.setdefault(business_id, f"worked on since: {reason}")
    return reasons


async def remove(session: WriteSession, business_ids: Sequence[int]) -> list[str]:
    """Delete leads with everything that belongs to them; returns the slugs of their sites."""
    if not business_ids:
        return []
    slugs = await session.scalars(select(Site.slug).where(Site.business_id.in_(business_ids)))
    gone = list(slugs)
    await search.remove(session, business_ids)
    pairs = Distinct.low_id.in_(business_ids) | Distinct.high_id.in_(business_ids)
    await session.execute(delete(Distinct).where(pairs))
    for model in (Event, Site, *_CHILDREN):
        await session.execute(delete(model).where(model.business_id.in_(business_ids)))
    await session.execute(delete(Business).where(Business.id.in_(business_ids)))
    return gone


async def tags_of(session: ReadSession, batch_id: int) -> list[int]:
    """The tags a batch has put on leads."""
    return list(
        await session.scalars(
            select(BusinessTag.tag_id).where(BusinessTag.batch_id == batch_id).distinct()
        )
    )


async def remove_unused_tags(session: WriteSession, tag_ids: Sequence[int]) -> None:
    """Delete those of these tags that no lead carries any more."""
    used = exists().where(BusinessTag.tag_id == Tag.id)
    await session.execute(delete(Tag).where(Tag.id.in_(tag_ids), ~used))


async def remove_leftovers(session: WriteSession, batch_id: int) -> int:
    """Delete some of what a batch left outside of leads; returns how much, 0 when nothing is left.

    Suppressions stay where a lead that must not be contacted needs them, raw records where what
    was made of them stays, and of the inbox what the operator has decided about.
    """
    raw_key = literal(f"{LEGACY}:") + RawRecord.external_id
    unneeded = (
        (
            Unmatched,
            select(Unmatched.id).where(
                Unmatched.batch_id == batch_id, Unmatched.state == UnmatchedState.OPEN
            ),
        ),
        (
            RawRecord,
            select(RawRecord.id).where(
                RawRecord.batch_id == batch_id,
                ~exists().where(
                    BusinessAlias.kind == AliasKind.LEGACY,
                    BusinessAlias.value == RawRecord.external_id,
                ),
                ~exists().where(Event.key == raw_key),
                ~exists().where(Unmatched.key == raw_key),
            ),
        ),
        (
            Suppression,
            select(Suppression.id).where(Suppression.batch_id == batch_id, ~_needed()),
        ),
    )
    for model, ids in unneeded:
        some = list(await session.scalars(ids.limit(CHUNK)))
        if some:
            await session.execute(delete(model).where(model.id.in_(some)))
            return len(some)
    return 0


def _needed() -> ColumnElement[bool]:
    """Whether a lead that must not be contacted is, or has, what a suppression bars."""
    itself = exists().where(
        Suppression.kind == SuppressionKind.BUSINESS,
        Business.key == Suppression.value,
        Business.do_not_contact.is_(True),
    )
    its_point = exists().where(
        ContactPoint.value == Suppression.value,
        Business.id == ContactPoint.business_id,
        Business.do_not_contact.is_(True),
    )
    return or_(itself, its_point)
