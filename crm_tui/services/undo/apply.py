"""Taking one part of an action back, or doing it again, within one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.exc import IntegrityError

from crm_tui.config import ScoreSettings
from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, Event, UndoChange
from crm_tui.services import derived, events, search, statuses
from crm_tui.services.sites import gather
from crm_tui.services.undo.changes import Change, RecordId, disagreements
from crm_tui.services.undo.recorded import RECORDED
from crm_tui.vocabulary import ChangeState, EventKind

_DEPENDED_ON = "something else depends on it by now"
_MERGED_ON = "it has gone into another lead since; split that one first"
_NOT_FACTS = frozenset(
    {"archived_at", "outcome", "outcome_reason", "do_not_contact", "do_not_contact_reason"}
)
"""Columns of a business from which nothing else follows."""

_UNLESS_USED = {"tag": "NOT EXISTS (SELECT 1 FROM business_tag WHERE tag_id = tag.id)"}
"""Records that stay where somebody else has come to use them, without a word."""


@dataclass(slots=True)
class Turned:
    """What became of a part: whose records were turned, and which records were left, and why."""

    done: set[int | RecordId] = field(default_factory=set)
    left: dict[RecordId, str] = field(default_factory=dict)
    owners: dict[RecordId, int | None] = field(default_factory=dict)


async def turn(
    session: WriteSession,
    changes: Sequence[Change],
    *,
    words: str,
    undoing: bool,
    score: ScoreSettings,
    now: datetime,
    in_book: bool = True,
) -> Turned:
    """Turn the changes of a part, given in the order they are to be taken.

    Without `in_book` the action stands as it did: another one takes it back, and is recorded.
    """
    created = _comings_and_goings(changes)
    timeline = [c for c in changes if _is_happening(c) and c.business_id not in created]
    voided = {change.id for change in timeline}
    plain = [change for change in changes if change.id not in voided]
    left, settled = await disagreements(session, plain)
    turned = Turned(left=left, owners={c.record: c.business_id for c in changes})
    if any(record.table == "merge" for record in left):
        turned.left = {change.record: _MERGED_ON for change in plain}
        return turned
    wanted = [c for c in plain if c.record not in left and c.record not in settled]
    applied = await _Writing(session, _heirs(wanted)).apply(wanted, turned)
    await _follow(session, applied, score=score, now=now)
    keys = await _void(session, timeline, words=words, undoing=undoing, now=now)
    done = [c for c in plain if c.record in settled] + applied + timeline
    turned.done = {c.record if c.business_id is None else c.business_id for c in done}
    if in_book:
        await _mark(session, done, turned, keys, undoing=undoing)
    return turned


def _comings_and_goings(changes: Iterable[Change]) -> set[int | None]:
    """Businesses that are added or deleted as a whole; their events go with them."""
    return {
        change.business_id
        for change in changes
        if change.record.table == "business" and (change.adds or change.deletes)
    }


def _is_happening(change: Change) -> bool:
    """Whether it is an event that the action wrote, which is never deleted but taken out."""
    return change.record.table == "event" and (change.adds or change.deletes)


def _heirs(changes: Iterable[Change]) -> dict[int, int]:
    """By the leads that are merged again, the leads they go into."""
    merges = (c.then for c in changes if c.record.table == "merge" and c.adds and c.then)
    return {values["merged_id"]: values["kept_id"] for values in merges}


# Rows


@dataclass(frozen=True, slots=True)
class _Writing:
    """Writes changes as far as the store takes them."""

    session: WriteSession
    heirs: dict[int, int]

    async def apply(self, changes: Sequence[Change], turned: Turned) -> list[Change]:
        """Write all changes; where the store refuses some, leave those of the same lead together.

        Returns those that were written.
        """
        if await self._write(changes):
            return list(changes)
        if any(change.record.table == "merge" for change in changes):
            return await self._apply_merge(changes, turned)
        units: dict[int | RecordId, list[Change]] = {}
        for change in changes:
            owner = change.business_id
            units.setdefault(change.record if owner is None else owner, []).append(change)
        applied: list[Change] = []
        for unit_changes in units.values():
            if len(units) > 1 and await self._write(unit_changes):
                applied += unit_changes
            else:
                turned.left |= {change.record: _DEPENDED_ON for change in unit_changes}
        return applied

    async def _apply_merge(self, changes: Sequence[Change], turned: Turned) -> list[Change]:
        """Write the changes of a merge one by one; without its leads, none of it can be turned."""
        applied: list[Change] = []
        async with self.session.begin_nested() as all_of_it:
            for change in changes:
                if await self._write([change]):
                    applied.append(change)
                    continue
                turned.left[change.record] = _DEPENDED_ON
                if change.record.table in {"business", "merge"}:
                    await all_of_it.rollback()
                    turned.left |= {each.record: _DEPENDED_ON for each in changes}
                    return []
        return applied

    async def _write(self, changes: Sequence[Change]) -> bool:
        gone = [c.business_id for c in changes if c.record.table == "business" and c.deletes]
        try:
            async with self.session.begin_nested():
                await self._make_way([each for each in gone if each is not None])
                for statement, group in groupby(changes, _statement):
                    connection = await self.session.connection()
                    await connection.execute(text(statement), [_parameters(c) for c in group])
        except IntegrityError:
            return False
        return True

    async def _make_way(self, gone: Sequence[int]) -> None:
        """See that nothing we wrote ourselves in undoing holds leads that are to go."""
        await search.remove(self.session, gone)
        for lead in gone:
            if lead in self.heirs:
                await self.session.execute(
                    update(Event)
                    .where(Event.business_id == lead, Event.kind == EventKind.VOIDED)
                    .values(business_id=self.heirs[lead])
                    .execution_options(synchronize_session=None)
                )


def _statement(change: Change) -> str:
    table = RECORDED[change.record.table]
    key = " AND ".join(f"{name} = :key_{i}" for i, name in enumerate(table.key))
    if change.then is None:
        unless = _UNLESS_USED.get(table.name)
        return f"DELETE FROM {table.name} WHERE {key}" + (f" AND {unless}" if unless else "")  # noqa: S608 - names of our own tables
    names = sorted(change.then)
    if change.now is None:
        values = ", ".join(f":{name}" for name in names)
        return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values})"  # noqa: S608 - likewise
    return f"UPDATE {table.name} SET {', '.join(f'{n} = :{n}' for n in names)} WHERE {key}"  # noqa: S608 - likewise


def _parameters(change: Change) -> dict[str, object]:
    key = {f"key_{i}": part for i, part in enumerate(json.loads(change.record.key))}
    return key if change.then is None else {**key, **change.then} if change.now else change.then


# What follows


async def _follow(
    session: WriteSession, applied: Sequence[Change], *, score: ScoreSettings, now: datetime
) -> None:
    """Compute again what is derived of the leads whose records were written."""
    owners = _owners_by_kind(applied)
    there = await _existing(session, owners["any"])
    facts = [each for each in owners["facts"] if each in there]
    if facts:
        await derived.renew(session, facts, score=score, now=now)
        await gather.mark_out_of_date(session, facts)
    moved = [each for each in owners["history"] if each in there]
    if moved:
        await events.mark_voided(session, moved)
        await statuses.refold(session, moved)
        await events.renew_activity(session, moved)
    if there:
        await session.execute(
            update(Business)
            .where(Business.id.in_(there))
            .values(updated_at=now)
            .execution_options(synchronize_session=None)
        )


def _owners_by_kind(applied: Sequence[Change]) -> dict[str, set[int]]:
    """The leads concerned: any, those whose facts changed, those whose history did."""
    owners: dict[str, set[int]] = {"any": set(), "facts": set(), "history": set()}
    for change in applied:
        moved_between = [(each or {}).get("business_id") for each in (change.now, change.then)]
        leads = {each for each in (change.business_id, *moved_between) if each is not None}
        owners["any"] |= leads
        table = change.record.table
        moved = change.adds or change.deletes
        if table == "contact_point" or (
            table == "business" and (moved or set(change.then or ()) - _NOT_FACTS)
        ):
            owners["facts"] |= leads
        if table in {"event", "site"} or (table == "business" and moved):
            owners["history"] |= leads
            owners["facts"] |= leads
    return owners


async def _existing(session: WriteSession, business_ids: set[int]) -> set[int]:
    return set(await session.scalars(select(Business.id).where(Business.id.in_(business_ids))))


# Events


async def _void(
    session: WriteSession, timeline: Sequence[Change], *, words: str, undoing: bool, now: datetime
) -> dict[int, str]:
    """Take the events of an action out, or bring them back; the voiding keys by change."""
    named = {c.id: _key_of(c) if undoing else c.void_key for c in timeline}
    rows = await session.execute(
        select(Event.key, Event.business_id, Event.kind).where(Event.key.in_(named.values()))
    )
    owner = {key: business_id for key, business_id, _ in rows}
    by_business: dict[int, list[str]] = {}
    for key in named.values():
        if key in owner and key not in by_business.get(owner[key], ()):
            by_business.setdefault(owner[key], []).append(key)
    if not by_business:
        return {}
    why = f"{'undone' if undoing else 'done again'}: {words}"
    written = await events.void_many(session, by_business, why=why, now=now)
    if any(_is_written(change) for change in timeline):
        await search.index(session, list(by_business))
    voiding = dict(zip(by_business, written, strict=True))
    return {change: voiding[owner[key]] for change, key in named.items() if key in owner}


def _key_of(change: Change) -> str:
    return str((change.now or change.then or {})["key"])


def _is_written(change: Change) -> bool:
    """Whether it is a note or call, whose text can be searched for."""
    return (change.now or change.then or {})["kind"] in {EventKind.NOTE, EventKind.CALL}


# The book


async def _mark(
    session: WriteSession,
    done: Sequence[Change],
    turned: Turned,
    void_keys: dict[int, str],
    *,
    undoing: bool,
) -> None:
    state = ChangeState.UNDONE if undoing else ChangeState.DONE
    connection = await session.connection()
    if done:
        await connection.execute(
            update(UndoChange)
            .where(UndoChange.id == bindparam("change"))
            .values(state=state, void_key=bindparam("voided_by")),
            [{"change": c.id, "voided_by": void_keys.get(c.id) if undoing else None} for c in done],
        )
    if turned.left:
        for table, key in turned.left:
            await session.execute(
                update(UndoChange)
                .where(
                    UndoChange.table_name == table,
                    UndoChange.record == key,
                    UndoChange.state != state,
                )
                .values(state=ChangeState.LEFT)
            )
