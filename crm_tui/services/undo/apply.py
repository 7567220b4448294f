"""Taking one part of an action back, or doing it again, within one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update

from crm_tui.config import ScoreSettings
from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, Event, UndoChange
from crm_tui.db.types import listed
from crm_tui.services import derived, events, search, statuses
from crm_tui.services.sites import gather
from crm_tui.services.undo.changes import Change, RecordId, Values, disagreements
from crm_tui.services.undo.rows import write
from crm_tui.vocabulary import ChangeState, EventKind

_MERGED_ON = "it has gone into another lead since; split that one first"
_NOT_FACTS = frozenset(
    {"archived_at", "outcome", "outcome_reason", "do_not_contact", "do_not_contact_reason"}
)
"""Columns of a business from which nothing else follows."""


@dataclass(slots=True)
class Turned:
    """What became of a part: which records were left as they are, and why; whose they are."""

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
    turned = Turned(left)
    if any(record.table == "merge" for record in left):
        return Turned({c.record: _MERGED_ON for c in plain}, _owners(plain))
    wanted = [c for c in plain if c.record not in left and c.record not in settled]
    applied, refused = await write(session, wanted, write_down=undoing and in_book)
    turned.left |= refused
    await _follow(session, applied, score=score, now=now)
    keys = await _void(session, timeline, words=words, undoing=undoing, now=now)
    if in_book:
        done = [c for c in plain if c.record in settled] + applied + timeline
        await _mark(session, done, keys if undoing else {}, undoing=undoing)
        await _mark_left(session, [c.id for c in changes if c.record in turned.left])
    turned.owners = _owners(c for c in changes if c.record in turned.left)
    return turned


def _owners(changes: Iterable[Change]) -> dict[RecordId, int | None]:
    return {change.record: change.business_id for change in changes}


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


# What follows


@dataclass(slots=True)
class _Concerned:
    """The leads whose records were written.

    Attributes:
        any: all of them.
        columns: by column, those of whose own row it changed.
        facts: those whose contacts changed, or that came.
        history: those whose events or sites changed.
    """

    any: set[int] = field(default_factory=set)
    columns: dict[str, set[int]] = field(default_factory=dict)
    facts: set[int] = field(default_factory=set)
    history: set[int] = field(default_factory=set)

    @classmethod
    def by(cls, applied: Iterable[Change]) -> _Concerned:
        """Those that these changes concern."""
        concerned = cls()
        for change in applied:
            concerned._add(change)
        return concerned

    def _add(self, change: Change) -> None:
        table, then = change.record.table, change.then
        if table == "business" and change.business_id is not None and change.now and then:
            self.any.add(change.business_id)
            for name in then:
                self.columns.setdefault(name, set()).add(change.business_id)
            return
        named = (change.business_id, _lead_of(change.now), _lead_of(then))
        leads = {each for each in named if each is not None}
        self.any |= leads
        if table in {"contact_point", "business", "event", "site"}:
            self.facts |= leads
        if table in {"business", "event", "site"}:
            self.history |= leads


def _lead_of(values: Values | None) -> int | None:
    return None if values is None else values.get("business_id")


async def _follow(
    session: WriteSession, applied: Sequence[Change], *, score: ScoreSettings, now: datetime
) -> None:
    """Compute again what is derived of the leads whose records were written."""
    concerned = _Concerned.by(applied)
    there = await _touch(session, concerned.any, now=now)
    facts = concerned.facts & there
    told = {name: leads for name, leads in concerned.columns.items() if name not in _NOT_FACTS}
    columns = set().union(*told.values()) & there - facts
    if facts:
        await derived.renew(session, sorted(facts), score=score, now=now)
    if columns:
        await derived.renew_after(session, sorted(columns), list(told), score=score, now=now)
    if facts or columns:
        await gather.mark_out_of_date(session, sorted(facts | columns))
    if moved := sorted(concerned.history & there):
        await events.mark_voided(session, moved)
        await statuses.refold(session, moved)
        await events.renew_activity(session, moved)


async def _touch(session: WriteSession, business_ids: set[int], *, now: datetime) -> set[int]:
    """Note that leads have changed; returns those that are there."""
    connection = await session.connection()
    touched = await connection.execute(
        update(Business)
        .where(Business.id.in_(listed(business_ids)))
        .values(updated_at=now)
        .returning(Business.id)
    )
    return set(touched.scalars().all())


# Events


async def _void(
    session: WriteSession, timeline: Sequence[Change], *, words: str, undoing: bool, now: datetime
) -> dict[int, str]:
    """Take the events of an action out, or bring them back; the voiding keys by change."""
    named = {c.id: _key_of(c) if undoing else c.void_key for c in timeline}
    connection = await session.connection()
    rows = await connection.execute(
        select(Event.key, Event.business_id).where(
            Event.key.in_(listed([key for key in named.values() if key is not None]))
        )
    )
    owner = {row.key: row.business_id for row in rows.all()}
    by_business: dict[int, list[str]] = {}
    for key in named.values():
        if key is not None and key in owner and key not in by_business.get(owner[key], ()):
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
    session: WriteSession, done: Sequence[Change], void_keys: dict[int, str], *, undoing: bool
) -> None:
    """Note that these changes were turned, and by which event those on timelines were."""
    state = ChangeState.UNDONE if undoing else ChangeState.DONE
    connection = await session.connection()
    await connection.exec_driver_sql(
        "UPDATE undo_change SET state = ?, void_key = json_extract(given.value, '$[1]')"
        " FROM json_each(?) AS given WHERE undo_change.id = json_extract(given.value, '$[0]')",
        (state.value, json.dumps([(change.id, void_keys.get(change.id)) for change in done])),
    )


async def _mark_left(session: WriteSession, change_ids: Sequence[int]) -> None:
    if change_ids:
        await session.execute(
            update(UndoChange)
            .where(UndoChange.id.in_(listed(change_ids)))
            .values(state=ChangeState.LEFT)
            .execution_options(synchronize_session=None)
        )
