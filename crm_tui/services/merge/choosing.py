"""Leads side by side, before they are merged: what each says in every field that can be chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Event, Site, Task
from crm_tui.errors import NotFound
from crm_tui.services import leads
from crm_tui.services.merged import why_missing
from crm_tui.text import visible
from crm_tui.vocabulary import TaskState

_NAME = 50
"""Characters of a name in a sentence."""


@dataclass(frozen=True, slots=True)
class Side:
    """A lead as one of two, or more, that may be the same.

    Attributes:
        business: its columns by name.
        tags: its tags, sorted.
        points: its contact points.
        entries: how many lines its timeline has.
        tasks: how many open follow-ups.
        sites: how many sites.
    """

    business: Mapping[str, Any]
    tags: tuple[str, ...]
    points: tuple[leads.PointRow, ...]
    entries: int
    tasks: int
    sites: int


async def lead_sides(session: ReadSession, lead_ids: Sequence[int]) -> list[Side]:
    """These leads as they are compared, in the order named.

    Raises:
        NotFound: one of them is not there.
    """
    found = await session.execute(
        select(*Business.__table__.columns).where(Business.id.in_(lead_ids))
    )
    rows = {row["id"]: dict(row) for row in found.mappings()}
    for lead_id in lead_ids:
        if lead_id not in rows:
            raise NotFound(await why_missing(session, lead_id))
    tags = await leads.tags_of(session, lead_ids)
    entries = await _counted(session, Event, lead_ids, Event.is_voided.is_(False))
    tasks = await _counted(session, Task, lead_ids, Task.state == TaskState.OPEN)
    sites = await _counted(session, Site, lead_ids)
    return [
        Side(
            business=rows[each],
            tags=tags.get(each, ()),
            points=await leads.points_of(session, each),
            entries=entries.get(each, 0),
            tasks=tasks.get(each, 0),
            sites=sites.get(each, 0),
        )
        for each in lead_ids
    ]


async def _counted(
    session: ReadSession, model: Any, lead_ids: Sequence[int], *where: ColumnElement[bool]
) -> dict[int, int]:
    rows = await session.execute(
        select(model.business_id, func.count())
        .where(model.business_id.in_(lead_ids), *where)
        .group_by(model.business_id)
    )
    return {row[0]: row[1] for row in rows}


async def names(session: ReadSession, lead_ids: Sequence[int]) -> dict[int, str]:
    """The names of leads by their ids; those that are gone are left out."""
    asked = func.json_each(json.dumps(list(lead_ids))).table_valued("value")
    rows = await session.execute(
        select(Business.id, Business.name).where(Business.id.in_(select(asked.c.value)))
    )
    return {row.id: row.name for row in rows}


async def words_of_merge(session: ReadSession, keep_id: int, other_ids: Sequence[int]) -> str:
    """What merging these leads is called in the list of what can be undone."""
    known = await names(session, (keep_id, *other_ids))

    def called(lead_id: int) -> str:
        return visible(known.get(lead_id, f"lead {lead_id}"), _NAME)

    other = called(other_ids[0]) if len(other_ids) == 1 else f"{len(other_ids)} leads"
    return f"merged {other} into {called(keep_id)}"
