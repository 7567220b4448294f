"""The values a store holds of a field, and how many leads have them, for completion.

The leads are counted in the index of the field, without looking at a single one. The archived,
which an index of their own finds, are taken off afterwards.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, BusinessTag, Campaign, ImportBatch, Message, Plan, Tag
from crm_tui.services.filters.columns import INDEXED, WORDS, no_index, text_test
from crm_tui.services.filters.tree import How
from crm_tui.text import fold

_NEWEST = 2_000
"""Leads that are looked at for the names of own fields."""


class Known(NamedTuple):
    """A value as it is written, and how many leads have it, where that is counted."""

    value: str
    leads: int | None


_TEXTS: dict[str, tuple[Any, Any]] = {
    "city": (Business.city_folded, Business.city),
    "category": (Business.category_folded, Business.category),
    "region": (Business.region_folded, Business.region),
    "source": (Business.source_folded, Business.source),
}


async def words(session: ReadSession, field: str) -> dict[str, int]:
    """How many leads there are with each word of a field; empty where that is not counted."""
    column = WORDS.get(field)
    if column is None:
        return {}
    counted = await session.execute(select(column, func.count()).group_by(column))
    found = {str(word): number for word, number in counted}
    # Without its index, which would lead past all the others to the archived.
    column = no_index(column)
    archived = select(column, func.count()).where(Business.archived_at.is_not(None))
    for word, number in await session.execute(archived.group_by(column)):
        found[str(word)] -= number
    return found


async def texts(session: ReadSession, field: str, typed: str, *, limit: int) -> list[Known]:
    """The values of a text field that begin with what is typed, then those that hold it.

    Of each, the most frequent first. Knows city, category, region, source, tag, campaign, plan and batch.
    """
    if field == "batch":
        return await _batches(session, typed, limit)
    if field == "campaign":
        return await _campaigns(session, typed, limit)
    if field == "plan":
        return await _plans(session, typed, limit)
    if field != "tag" and field not in _TEXTS:
        return []
    key = fold(typed)
    found: dict[str, Known] = {}
    for how in (How.BEGINNING, How.PART):
        for folded, *known in await session.execute(_counted(field, how, key, limit)):
            found.setdefault(folded, Known(*known))
        if len(found) >= limit or not key:
            break
    archived = await _archived(session, field, list(found))
    left = [
        known._replace(leads=(known.leads or 0) - archived.get(folded, 0))
        for folded, known in found.items()
    ]
    return [known for known in left if known.leads][:limit]


def _counted(field: str, how: How, key: str, limit: int) -> Select[*tuple[Any, ...]]:
    """Folded value, value as it is written, and number of leads, archived ones included."""
    number = func.count().label("number")
    if field == "tag":
        return (
            select(Tag.folded, Tag.name, number)
            .join(BusinessTag, BusinessTag.tag_id == Tag.id)
            .where(text_test(Tag.folded, how, [key]))
            .group_by(Tag.id)
            .order_by(number.desc(), Tag.folded)
            .limit(limit)
        )
    column, written = _TEXTS[field]
    # Where there is an index of the folded values, it is counted without reading a single lead.
    shown = column if field in INDEXED else func.max(written)
    top = (
        select(column.label("folded"), shown.label("shown"), number)
        .where(text_test(column, how, [key]))
        .group_by(column)
        .order_by(number.desc(), column)
        .limit(limit)
        .subquery()
    )
    if field not in INDEXED:
        return select(top.c.folded, top.c.shown, top.c.number)
    return select(top.c.folded, written_as(field, top.c.folded), top.c.number)


def written_as(field: str, folded: ColumnElement[str]) -> Any:
    """How one of the leads writes a folded value of a field that has an index."""
    column, written = _TEXTS[field]
    return select(written).where(column == folded).limit(1).scalar_subquery()


async def _archived(session: ReadSession, field: str, folded: list[str]) -> dict[str, int]:
    column = Tag.folded if field == "tag" else no_index(_TEXTS[field][0])
    counted = select(column, func.count()).select_from(Business)
    if field == "tag":
        counted = counted.join(BusinessTag, BusinessTag.business_id == Business.id).join(
            Tag, Tag.id == BusinessTag.tag_id
        )
    rows = await session.execute(
        counted.where(Business.archived_at.is_not(None), column.in_(folded)).group_by(column)
    )
    return {str(value): number for value, number in rows}


async def _batches(session: ReadSession, typed: str, limit: int) -> list[Known]:
    """The files of the newest imports."""
    rows = await session.scalars(
        select(ImportBatch.file_name)
        .where(text_test(func.fold(ImportBatch.file_name), How.PART, [fold(typed)]))
        .group_by(ImportBatch.file_name)
        .order_by(func.max(ImportBatch.id).desc())
        .limit(limit)
    )
    return [Known(name, None) for name in rows]


async def _plans(session: ReadSession, typed: str, limit: int) -> list[Known]:
    """The names of plans, those that are offered first."""
    rows = await session.scalars(
        select(Plan.name)
        .where(text_test(Plan.folded, How.PART, [fold(typed)]))
        .order_by(Plan.archived_at.is_not(None), Plan.folded)
        .limit(limit)
    )
    return [Known(name, None) for name in rows]


async def _campaigns(session: ReadSession, typed: str, limit: int) -> list[Known]:
    """The names of the newest campaigns, with how many leads are their recipients."""
    newest = (
        select(func.max(Campaign.id).label("id"), Campaign.name_folded)
        .where(text_test(Campaign.name_folded, How.PART, [fold(typed)]))
        .group_by(Campaign.name_folded)
        .order_by(func.max(Campaign.id).desc())
        .limit(limit)
        .subquery()
    )
    same = aliased(Campaign)
    leads = (
        select(func.count(Message.business_id.distinct()))
        .join(same, same.id == Message.campaign_id)
        .where(same.name_folded == newest.c.name_folded)
        .scalar_subquery()
    )
    rows = await session.execute(
        select(Campaign.name, leads)
        .join(newest, newest.c.id == Campaign.id)
        .order_by(Campaign.id.desc())
    )
    return [Known(name, count) for name, count in rows]


async def own_names(session: ReadSession) -> list[str]:
    """The names of the own fields that the newest leads have."""
    newest = select(Business.custom).order_by(Business.id.desc()).limit(_NEWEST).subquery()
    found = await session.scalars(select(newest.c.custom).where(newest.c.custom != "{}").distinct())
    return sorted({name for custom in found for name in custom})
