"""Taking back what an import wrote into leads that were there before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, select, union, update

from crm_tui.config import ScoreSettings
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import (
    Business,
    BusinessAlias,
    BusinessTag,
    ContactPoint,
    Event,
    ImportRow,
    Site,
    Task,
)
from crm_tui.services import activity, derived, statuses
from crm_tui.services.search import folded
from crm_tui.services.sites import gather
from crm_tui.vocabulary import EventKind, RowAction, TaskState

_OWNED = (ContactPoint, BusinessAlias, BusinessTag, Task, Event, Site)
_STOPPED = "do_not_contact_reason"


def others(batch_id: int) -> Select[int]:
    """The ids of all leads a batch wrote something into, but did not create."""
    written = union(
        select(ImportRow.business_id).where(
            ImportRow.batch_id == batch_id, ImportRow.action == RowAction.MERGED
        ),
        *(select(model.business_id).where(model.batch_id == batch_id) for model in _OWNED),
    ).subquery()
    return (
        select(Business.id)
        .where(
            Business.id.in_(select(written.c.business_id)),
            Business.batch_id.is_distinct_from(batch_id),
        )
        .order_by(Business.id)
    )


async def give_back(
    session: WriteSession,
    batch_id: int,
    business_ids: Sequence[int],
    *,
    score: ScoreSettings,
    now: datetime,
) -> tuple[dict[int, str], list[str]]:
    """Take back what a batch wrote into these leads, where it still stands.

    Returns why some were not wholly restored, by id, and the slugs of the sites that went.
    """
    left: dict[int, str] = {}
    await _restore_fields(session, batch_id, business_ids, left, now=now)
    slugs = await _remove_sites(session, batch_id, business_ids, left)
    await _remove_points(session, batch_id, business_ids, left)
    await _remove_tasks(session, batch_id, business_ids, left)
    for model in (BusinessAlias, BusinessTag):
        await session.execute(delete(model).where(*_of(model, batch_id, business_ids)))
    kept_sites = select(Site.id).where(*_of(Site, batch_id, business_ids))
    await session.execute(
        delete(Event).where(
            *_of(Event, batch_id, business_ids),
            Event.site_id.is_(None) | Event.site_id.not_in(kept_sites),
        )
    )
    await derived.renew(session, business_ids, score=score, now=now)
    await statuses.refold(session, business_ids)
    await activity.renew_activity(session, business_ids)
    await gather.mark_out_of_date(session, business_ids)
    return left, slugs


def _of(model: Any, batch_id: int, business_ids: Sequence[int]) -> tuple[ColumnElement[bool], ...]:
    return model.batch_id == batch_id, model.business_id.in_(business_ids)


async def _restore_fields(
    session: WriteSession,
    batch_id: int,
    business_ids: Sequence[int],
    left: dict[int, str],
    *,
    now: datetime,
) -> None:
    rows = await session.execute(
        select(ImportRow.business_id, ImportRow.filled)
        .where(
            ImportRow.batch_id == batch_id,
            ImportRow.business_id.in_(business_ids),
            ImportRow.action == RowAction.MERGED,
            ImportRow.filled.is_not(None),
        )
        .order_by(ImportRow.row)
    )
    filled: dict[int, dict[str, Any]] = {}
    for business_id, fields in rows:
        filled.setdefault(business_id, {}).update(fields)
    stored = await session.execute(
        select(*Business.__table__.columns).where(Business.id.in_(filled))
    )
    for business in stored.mappings().all():
        fields = filled[business["id"]]
        of_points = {name: pair for name, pair in fields.items() if ":" in name}
        own = {name: pair for name, pair in fields.items() if ":" not in name}
        changes, changed_since = restored(dict(business), own)
        if changes:
            await session.execute(
                update(Business)
                .where(Business.id == business["id"])
                .values(**changes, updated_at=now)
            )
        await _restore_points(session, business["id"], of_points)
        if changed_since:
            words = ", ".join(name.replace("_", " ") for name in changed_since)
            left[business["id"]] = f"changed since: {words}"


def restored(
    business: Mapping[str, Any], filled: Mapping[str, Sequence[Any]]
) -> tuple[dict[str, Any], list[str]]:
    """The columns to write so that fields are as before, and the fields that changed since.

    Args:
        business: Columns by name.
        filled: What was written, by field: before and after.
    """
    changes: dict[str, Any] = {}
    changed_since = []
    custom = dict(business["custom"])
    for name, (before, after) in filled.items():
        where, dot, key = name.partition(".")
        current = custom.get(key) if dot else business[where]
        if current == before:
            continue
        if current != after:
            changed_since.append(key or where)
        elif dot:
            del custom[key]
            changes["custom"] = custom
        else:
            changes[where] = before
    changes |= folded(changes)
    if _STOPPED in changes:
        changes["do_not_contact"] = False
    return changes, changed_since


async def _restore_points(
    session: WriteSession, business_id: int, filled: Mapping[str, Sequence[Any]]
) -> None:
    for name, (before, after) in filled.items():
        kind, _, rest = name.partition(":")
        value, _, column = rest.rpartition(":")
        await session.execute(
            update(ContactPoint)
            .where(
                ContactPoint.business_id == business_id,
                ContactPoint.kind == kind,
                ContactPoint.value == value,
                getattr(ContactPoint, column) == after,
            )
            .values({column: before})
        )


async def _remove_points(
    session: WriteSession, batch_id: int, business_ids: Sequence[int], left: dict[int, str]
) -> None:
    """Remove the batch's contact points, but those the operator has since written himself."""
    typed = await _typed(session, business_ids)
    rows = await session.execute(
        select(ContactPoint.id, ContactPoint.business_id, ContactPoint.value).where(
            *_of(ContactPoint, batch_id, business_ids)
        )
    )
    unwanted = []
    for point_id, business_id, value in rows:
        if value in typed.get(business_id, ()):
            left.setdefault(business_id, f"chosen since: {value}")
        else:
            unwanted.append(point_id)
    await session.execute(delete(ContactPoint).where(ContactPoint.id.in_(unwanted)))


async def _typed(session: ReadSession, business_ids: Sequence[int]) -> dict[int, set[str]]:
    """What the operator wrote into fields of these leads."""
    typed: dict[int, set[str]] = {}
    for business_id, data in await session.execute(
        select(Event.business_id, Event.data).where(
            Event.business_id.in_(business_ids), Event.kind == EventKind.EDITED
        )
    ):
        after = {pair[1] for pair in data.get("fields", {}).values() if pair[1]}
        typed.setdefault(business_id, set()).update(after)
    return typed


async def _remove_tasks(
    session: WriteSession, batch_id: int, business_ids: Sequence[int], left: dict[int, str]
) -> None:
    of_batch = _of(Task, batch_id, business_ids)
    for business_id in await session.scalars(
        select(Task.business_id).where(*of_batch, Task.state == TaskState.DONE)
    ):
        left.setdefault(business_id, "a follow-up was done")
    await session.execute(delete(Task).where(*of_batch, Task.state == TaskState.OPEN))


async def _remove_sites(
    session: WriteSession, batch_id: int, business_ids: Sequence[int], left: dict[int, str]
) -> list[str]:
    """Remove the batch's sites that nothing happened to since; returns their slugs."""
    of_batch = _of(Site, batch_id, business_ids)
    used = select(Event.site_id).where(
        Event.site_id.is_not(None), Event.batch_id.is_distinct_from(batch_id)
    )
    sites = (
        await session.execute(select(Site.id, Site.business_id, Site.slug).where(*of_batch))
    ).all()
    kept = set(await session.scalars(select(Site.id).where(*of_batch, Site.id.in_(used))))
    gone = [site_id for site_id, _, _ in sites if site_id not in kept]
    for site_id, business_id, _ in sites:
        if site_id in kept:
            left.setdefault(business_id, "its site was worked on since")
    await session.execute(delete(Event).where(Event.site_id.in_(gone), Event.batch_id == batch_id))
    await session.execute(delete(Site).where(Site.id.in_(gone)))
    return [slug for site_id, _, slug in sites if site_id not in kept]
