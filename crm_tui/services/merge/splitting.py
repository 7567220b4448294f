"""Taking a merged lead out of another again, however long ago it went in.

Exactly what the merge wrote is taken back, where it still stands; what came since stays with the
kept lead. Leads that went in later were united with what was there by then, so they are taken out
first and go in again after, all in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update

from crm_tui.config import ScoreSettings, Settings
from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Business, Event, UndoChange
from crm_tui.errors import BadInput
from crm_tui.services import events, undo, voiding
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.merge.choosing import words_of_merge
from crm_tui.services.merge.fields import Choices
from crm_tui.services.merge.merging import event_key, merge
from crm_tui.services.merged import Merged, led_to, merged_into, why_missing
from crm_tui.text import visible
from crm_tui.vocabulary import EventKind


@dataclass(slots=True)
class Split:
    """What a split came to.

    Attributes:
        kept_id: the lead that the other was part of.
        split_id: the lead that is there again, under its old number.
        words: what was done, for undo.
        entry_id: the undo entry.
        left: what changed since and was left as it is.
    """

    kept_id: int
    split_id: int
    words: str
    entry_id: int
    left: list[undo.Left] = field(default_factory=list)


@dataclass(slots=True)
class _Union:
    """One merge as it was done: who was kept, who went into it, and what was chosen."""

    entry_id: int
    kept_id: int
    merged_ids: list[int]
    choices: Choices


async def split(db: Database, lead_id: int, *, settings: Settings, now: datetime) -> Split:
    """Split a merged lead from the one it went into; one undo entry.

    Args:
        db: the store.
        lead_id: the lead that went into another; or one that exactly one other went into.
        settings: for what is computed again.
        now: aware UTC.

    Raises:
        NotFound: there is no such lead.
        BadInput: it was not merged, or several went into it; or the merge cannot be taken apart.
            Nothing was changed.
    """
    async with db.write() as session:
        merged = await _which(session, lead_id)
        kept = await session.scalar(select(Business.name).where(Business.id == merged.kept_id))
        words = f"split {visible(merged.name, 50)} from {visible(kept or '', 50)}"
        first, *later = await _unions_to_take_apart(session, merged)
        async with undo.recording(session, words, now=now) as recorded:
            for union in reversed(later):
                await undo.reverse(session, union.entry_id, words, score=settings.score, now=now)
            left = await undo.reverse(session, first.entry_id, words, score=settings.score, now=now)
            await _check(session, merged, left)
            parts = [each for each in first.merged_ids if each != merged.id]
            await _take_voids_along(session, merged, {first.kept_id, merged.kept_id}, now=now)
            await _tell(session, merged, first.kept_id, now=now)
        first.merged_ids = parts
        for union in (first, *later):
            await _unite_again(session, union, score=settings.score, now=now)
    return Split(merged.kept_id, merged.id, words, recorded.id, left)


async def _which(session: ReadSession, lead_id: int) -> Merged:
    """The merged lead that is meant."""
    merged = await led_to(session, lead_id)
    if merged is not None:
        return merged
    parts = await merged_into(session, lead_id)
    if len(parts) == 1:
        return parts[0]
    if parts:
        named = ", ".join(f"{each.id} ({each.name})" for each in parts)
        raise BadInput(f"Several leads went into lead {lead_id}. Name the one to split: {named}.")
    if await session.get(Business, lead_id) is None:
        raise BadInput(await why_missing(session, lead_id))
    raise BadInput(f"No other lead was merged into lead {lead_id}; there is nothing to split.")


async def _unions_to_take_apart(session: ReadSession, merged: Merged) -> list[_Union]:
    """The merge the lead went in by, and the later ones that built on it, in their order."""
    entries = {each.entry_id for each in await merged_into(session, merged.kept_id)}
    unions = await _unions(session, [each for each in entries if each >= merged.entry_id])
    first = next(union for union in unions if merged.id in union.merged_ids)
    involved = {first.kept_id, *first.merged_ids}
    found = [first]
    for union in unions[unions.index(first) + 1 :]:
        leads = {union.kept_id, *union.merged_ids}
        if leads & involved:
            involved |= leads
            found.append(union)
    return found


async def _unions(session: ReadSession, entry_ids: Sequence[int]) -> list[_Union]:
    """The merges of these entries, in the order they were done."""
    rows = await session.execute(
        select(UndoChange.entry_id, UndoChange.after)
        .where(
            UndoChange.entry_id.in_(entry_ids),
            UndoChange.table_name == "merge",
            UndoChange.before.is_(None),
        )
        .order_by(UndoChange.id)
    )
    unions: list[_Union] = []
    for entry_id, after in rows:
        row = json.loads(after or "{}")
        last = unions[-1] if unions else None
        if last is None or (last.entry_id, last.kept_id) != (entry_id, row["kept_id"]):
            last = _Union(entry_id, row["kept_id"], [], {})
            unions.append(last)
        last.merged_ids.append(row["merged_id"])
    for union in unions:
        key = event_key(union.entry_id, union.merged_ids[0])
        data = await session.scalar(select(Event.data).where(Event.key == key))
        union.choices = (data or {}).get("choices", {})
    return unions


async def _check(session: ReadSession, merged: Merged, left: Sequence[undo.Left]) -> None:
    there = await session.scalar(select(Business.id).where(Business.id == merged.id))
    if there is None:
        why = left[0].why if left else "what it was merged from is gone"
        raise BadInput(f"{merged.name} cannot be split from lead {merged.kept_id}: {why}.")


async def _take_voids_along(
    session: WriteSession, merged: Merged, kept_ids: Collection[int], *, now: datetime
) -> None:
    """Keep taken out what was taken out of the split lead's timeline while it was part of another."""
    own = set(await session.scalars(select(Event.key).where(Event.business_id == merged.id)))
    voids = await session.execute(
        select(Event.summary, Event.data).where(
            Event.business_id.in_(kept_ids),
            Event.kind == EventKind.VOIDED,
            Event.is_voided.is_(False),
        )
    )
    for why, data in voids.all():
        if keys := sorted(own.intersection(data["voids"])):
            await voiding.void(session, merged.id, keys, why=why, now=now)


async def _tell(session: WriteSession, merged: Merged, kept_id: int, *, now: datetime) -> None:
    """Say on both timelines that they are two leads again."""
    name = await session.scalar(select(Business.name).where(Business.id == kept_id))
    told = [
        NewEvent(lead, EventKind.SPLIT, now, f"split from {other}", OPERATOR, data=data)
        for lead, other, data in (
            (kept_id, f"{merged.name} (lead {merged.id})", {"split": [merged.id]}),
            (merged.id, f"{name} (lead {kept_id})", {"split": [kept_id]}),
        )
    ]
    await events.record(session, *told, now=now)
    await session.execute(
        update(Business)
        .where(Business.id.in_((kept_id, merged.id)))
        .values(updated_at=now)
        .execution_options(synchronize_session=None)
    )


async def _unite_again(
    session: WriteSession, union: _Union, *, score: ScoreSettings, now: datetime
) -> None:
    """Merge again, as before, what was taken apart only for the sake of another lead."""
    if not union.merged_ids:
        return
    ids = {union.kept_id, *union.merged_ids}
    choices = {name: lead for name, lead in union.choices.items() if lead in ids}
    words = f"{await words_of_merge(session, union.kept_id, union.merged_ids)} again"
    async with undo.recording(session, words, now=now):
        await merge(session, union.kept_id, union.merged_ids, choices, score=score, now=now)
