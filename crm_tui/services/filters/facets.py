"""How many leads of a list there are of each kind."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import func, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, BusinessTag, Tag
from crm_tui.services import lead_rows
from crm_tui.services.filters.columns import INDEXED, no_index
from crm_tui.services.lead_query import LeadQuery


class Facet(NamedTuple):
    """A value of a field, as it is written, and how many leads have it."""

    value: str
    leads: int


_COLUMNS: dict[str, tuple[Any, Any]] = {
    "status": (Business.contact_status, Business.contact_status),
    "category": (Business.category_folded, Business.category),
    "city": (Business.city_folded, Business.city),
    "source": (Business.source_folded, Business.source),
    "tag": (Tag.folded, Tag.name),
}

FACETS = tuple(_COLUMNS)
"""The fields whose values can be counted."""


async def facets(
    session: ReadSession, query: LeadQuery, field: str, *, limit: int = 50
) -> list[Facet]:
    """The most frequent values of a field among the leads of a list, the most frequent first.

    Leads without a value are not counted. Reads the whole list: up to a second of a million leads;
    cancelling the task stops it.

    Args:
        session: the store.
        query: the list; its order does not matter.
        field: one of FACETS.
        limit: at most so many values.
    """
    number = func.count().label("number")
    tests = await lead_rows.conditions(session, query)
    grouped, written = _COLUMNS[field]
    # Not by its index, which has the leads in an order that is not that of the file.
    folded = no_index(grouped) if field in INDEXED else grouped
    counted = (
        select(folded.label("folded"), func.max(written).label("written"), number)
        .select_from(Business)
        .where(*tests, folded.is_not(None))
        .group_by(folded)
        .order_by(number.desc(), folded)
        .limit(limit)
    )
    if field == "tag":
        counted = counted.join(BusinessTag, BusinessTag.business_id == Business.id).join(
            Tag, Tag.id == BusinessTag.tag_id
        )
    rows = await session.execute(counted)
    return [Facet(str(value), leads) for _, value, leads in rows]
