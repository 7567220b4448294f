"""What a row of the lead list shows beside the lead's own fields, read only where it is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import BusinessTag, ContactPoint, Event, Tag, Task
from crm_tui.services.lead_rows import LeadRow
from crm_tui.vocabulary import ContactKind, EventKind, TaskState

_Values = dict[int, Any]


async def with_extras(
    session: ReadSession, rows: Sequence[LeadRow], wanted: Collection[str]
) -> list[LeadRow]:
    """The rows with these extras filled in; each costs one statement for all rows together.

    Args:
        session: the store.
        rows: at most some hundred.
        wanted: names of EXTRAS; others are fields every row has, and are passed over.
    """
    extras = {name: read for name, read in EXTRAS.items() if name in wanted}
    if not rows or not extras:
        return list(rows)
    ids = [row.id for row in rows]
    found = {name: await read(session, ids) for name, read in extras.items()}
    return [_filled(row, found) for row in rows]


def _filled(row: LeadRow, found: Mapping[str, _Values]) -> LeadRow:
    values: dict[str, Any] = {name: of_lead.get(row.id) for name, of_lead in found.items()}
    return row._replace(**values)


async def _tags(session: ReadSession, ids: Sequence[int]) -> _Values:
    rows = await session.execute(
        select(BusinessTag.business_id, Tag.name)
        .join(Tag, Tag.id == BusinessTag.tag_id)
        .where(BusinessTag.business_id.in_(ids))
        .order_by(Tag.folded)
    )
    found: _Values = {}
    for lead, tag in rows:
        found[lead] = f"{found[lead]}, {tag}" if lead in found else tag
    return found


async def _follow_ups(session: ReadSession, ids: Sequence[int]) -> _Values:
    rows = await session.execute(
        select(Task.business_id, func.min(Task.due_at))
        .where(Task.business_id.in_(ids), Task.state == TaskState.OPEN)
        .group_by(Task.business_id)
    )
    return dict(iter(rows))


async def _calls(session: ReadSession, ids: Sequence[int]) -> _Values:
    rows = await session.execute(
        select(Event.business_id, func.max(Event.occurred_at))
        .where(Event.business_id.in_(ids), Event.kind == EventKind.CALL, Event.is_voided.is_(False))
        .group_by(Event.business_id)
    )
    return dict(iter(rows))


async def _email_states(session: ReadSession, ids: Sequence[int]) -> _Values:
    rows = await session.execute(
        select(ContactPoint.business_id, ContactPoint.state).where(
            ContactPoint.business_id.in_(ids),
            ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.is_primary.is_(True),
        )
    )
    return dict(iter(rows))


EXTRAS: dict[str, Callable[[ReadSession, Sequence[int]], Awaitable[_Values]]] = {
    "tags": _tags,
    "follow_up": _follow_ups,
    "called": _calls,
    "email_state": _email_states,
}
"""The extras by the names of their fields in a row."""
