"""Putting leads away: lists leave them out, unless the filter asks for `is:archived`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business
from crm_tui.db.types import listed
from crm_tui.services import events
from crm_tui.vocabulary import EventKind

_CHUNK = 500


async def standing(
    session: ReadSession, business_ids: Collection[int], *, archived: bool
) -> list[int]:
    """Those of the leads that are archived, or those that are not; erased ones are neither."""
    is_archived = Business.archived_at.is_not(None)
    found = await session.scalars(
        select(Business.id).where(
            Business.id.in_(listed(business_ids)),
            Business.erased_at.is_(None),
            is_archived if archived else ~is_archived,
        )
    )
    return list(found)


async def all_archived(session: ReadSession, business_ids: Sequence[int]) -> bool:
    """Whether all of the leads are archived."""
    chunks = (business_ids[at : at + _CHUNK] for at in range(0, len(business_ids), _CHUNK))
    for ids in chunks:
        if await standing(session, ids, archived=False):
            return False
    return True


async def archive(
    session: WriteSession, business_ids: Sequence[int], *, now: datetime
) -> list[int]:
    """Archive leads, at most 500 at once; returns those that were not."""
    changed = await standing(session, business_ids, archived=False)
    await _put(session, changed, now, EventKind.ARCHIVED, now=now)
    return changed


async def unarchive(
    session: WriteSession, business_ids: Sequence[int], *, now: datetime
) -> list[int]:
    """Bring leads back from the archive, at most 500 at once; returns those that were there."""
    changed = await standing(session, business_ids, archived=True)
    await _put(session, changed, None, EventKind.UNARCHIVED, now=now)
    return changed


async def _put(
    session: WriteSession,
    business_ids: Sequence[int],
    archived_at: datetime | None,
    kind: EventKind,
    *,
    now: datetime,
) -> None:
    if not business_ids:
        return
    await session.execute(
        update(Business)
        .where(Business.id.in_(listed(business_ids)))
        .values(archived_at=archived_at)
        .execution_options(synchronize_session=None)
    )
    summary = "archived" if archived_at else "brought back from the archive"
    await events.tell(session, business_ids, kind, summary, now=now)
