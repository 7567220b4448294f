"""Tags: words the operator sorts leads by. "VIP" and "vip" are one tag, as it was first written.

A tag that no lead carries any more stays in the store, so that undoing its removal finds it; it is
shown nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ScalarSelect, delete, func, insert, literal, select
from sqlalchemy.dialects.sqlite import insert as insert_or

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, BusinessTag, Tag
from crm_tui.db.types import listed
from crm_tui.errors import BadInput
from crm_tui.services import events
from crm_tui.text import fold
from crm_tui.vocabulary import EventKind

_CHUNK = 500

LONGEST = 60
"""Characters of a tag."""


class TagCount(NamedTuple):
    """A tag as it is written, and how many leads carry it."""

    name: str
    leads: int


def spelled(name: str) -> str:
    """A tag as it is kept: one line, single spaces.

    Raises:
        BadInput: nothing is left, or it is too long for a tag.
    """
    tag = " ".join(name.split())
    if not fold(tag):
        raise BadInput("A tag needs a letter or a digit, such as: vip.")
    if len(tag) > LONGEST:
        raise BadInput(f"A tag has {LONGEST} characters at most; write the rest into a note.")
    return tag


async def in_use(session: ReadSession) -> list[TagCount]:
    """The tags that leads carry, in their order."""
    rows = await session.execute(
        select(Tag.name, func.count())
        .join(BusinessTag, BusinessTag.tag_id == Tag.id)
        .group_by(Tag.id)
        .order_by(Tag.folded)
    )
    return [TagCount(name, leads) for name, leads in rows]


async def worn(session: ReadSession, business_ids: Sequence[int]) -> list[TagCount]:
    """The tags that these leads carry, in their order, each with how many of them do."""
    counts: Counter[tuple[str, str]] = Counter()
    for start in range(0, len(business_ids), _CHUNK):
        rows = await session.execute(
            select(Tag.folded, Tag.name, func.count())
            .join(BusinessTag, BusinessTag.tag_id == Tag.id)
            .where(BusinessTag.business_id.in_(business_ids[start : start + _CHUNK]))
            .group_by(Tag.id)
        )
        counts.update({(folded, name): leads for folded, name, leads in rows})
    return [TagCount(name, counts[folded, name]) for folded, name in sorted(counts)]


async def without(session: ReadSession, business_ids: Collection[int], name: str) -> list[int]:
    """Those of the leads that do not carry a tag; leads that are gone are left out."""
    return await _those(session, business_ids, name, carrying=False)


async def carrying(session: ReadSession, business_ids: Collection[int], name: str) -> list[int]:
    """Those of the leads that carry a tag."""
    return await _those(session, business_ids, name, carrying=True)


async def add(
    session: WriteSession, business_ids: Sequence[int], name: str, *, now: datetime
) -> list[int]:
    """Tag leads, at most 500 at once; returns those that did not carry the tag.

    Raises:
        BadInput: that is no tag.
    """
    tag = spelled(name)
    changed = await without(session, business_ids, tag)
    if changed:
        known = insert_or(Tag).values(name=tag, folded=fold(tag))
        await session.execute(known.on_conflict_do_nothing(index_elements=[Tag.folded]))
        leads = select(Business.id, _id_of(tag), literal(now, BusinessTag.created_at.type)).where(
            Business.id.in_(listed(changed))
        )
        columns = ["business_id", "tag_id", "created_at"]
        await session.execute(insert(BusinessTag).from_select(columns, leads))
        await events.tell(session, changed, EventKind.TAGGED, f"tagged {tag}", now=now)
    return changed


async def remove(
    session: WriteSession, business_ids: Sequence[int], name: str, *, now: datetime
) -> list[int]:
    """Take a tag off leads, at most 500 at once; returns those that carried it.

    Raises:
        BadInput: that is no tag.
    """
    tag = spelled(name)
    changed = await carrying(session, business_ids, tag)
    if changed:
        await session.execute(
            delete(BusinessTag)
            .where(BusinessTag.business_id.in_(listed(changed)), BusinessTag.tag_id == _id_of(tag))
            .execution_options(synchronize_session=None)
        )
        await events.tell(session, changed, EventKind.TAGGED, f"untagged {tag}", now=now)
    return changed


async def _those(
    session: ReadSession, business_ids: Collection[int], name: str, *, carrying: bool
) -> list[int]:
    tagged = select(BusinessTag.business_id).where(
        BusinessTag.business_id == Business.id, BusinessTag.tag_id == _id_of(name)
    )
    test = tagged.exists() if carrying else ~tagged.exists()
    found = await session.scalars(
        select(Business.id).where(
            Business.id.in_(listed(business_ids)), Business.erased_at.is_(None), test
        )
    )
    return list(found)


def _id_of(name: str) -> ScalarSelect[int]:
    return select(Tag.id).where(Tag.folded == fold(spelled(name))).scalar_subquery()
