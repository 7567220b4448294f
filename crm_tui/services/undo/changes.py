"""The changes of an action as they are turned round, and whether the store still agrees with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import UndoChange
from crm_tui.db.types import listed
from crm_tui.services import search
from crm_tui.services.undo.recorded import MARKS, RECORDED
from crm_tui.vocabulary import ChangeState, EventKind

Values = dict[str, Any]
"""Columns of a record as they are stored; floats as SQL literals."""

_REPEATS = frozenset({"sort_name", *search.FOLDED.values()})
"""Columns that say again what another one says, for sorting and comparing."""

_WRITTEN = {each.name: frozenset(each.written) for each in RECORDED.values()}
_decode_key = msgspec.json.Decoder(list[Any]).decode


# Thousands of both live for a moment each; without gc=False the collector looks through them all.
class RecordId(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record: its table and the JSON array of its primary key."""

    table: str
    key: str

    @property
    def parts(self) -> list[Any]:
        """The values of the primary key."""
        return _decode_key(self.key)


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One write of an action, seen from where it is to be taken.

    `now` is what the record should hold at present, `then` what it is to hold after; None where
    there is, or shall be, no such record.
    """

    id: int
    record: RecordId
    business_id: int | None
    now: Values | None
    then: Values | None

    @property
    def adds(self) -> bool:
        """Whether turning it round brings a record into the store."""
        return self.now is None

    @property
    def deletes(self) -> bool:
        """Whether turning it round takes a record out of the store."""
        return self.then is None


_decode_changes = msgspec.json.Decoder(list[Change]).decode
_decode_held = msgspec.json.Decoder(dict[str, Values]).decode
_decode_ids = msgspec.json.Decoder(list[int]).decode


@dataclass(frozen=True, slots=True)
class Part:
    """What one transaction of an action wrote, or several, in the order it is to be taken.

    Attributes:
        changes: of records.
        told: the changes that are lines on timelines of leads that stay, by their ids; such lines
            are never deleted, but taken out.
        leads: on whose timelines those lines are.
        searched: whether some of those lines can be searched for.
    """

    changes: list[Change]
    told: list[int]
    leads: list[int]
    searched: bool


async def load(
    session: ReadSession,
    entry_id: int,
    parts: Sequence[int],
    state: ChangeState,
    *,
    undoing: bool,
) -> Part:
    """What parts of an action wrote that follow each other, as far as it is in this state."""
    of_part = (
        UndoChange.entry_id == entry_id,
        UndoChange.part.between(min(parts), max(parts)),
        UndoChange.state == state,
    )
    comes_or_goes = UndoChange.before.is_(None) | UndoChange.after.is_(None)
    happened = and_(UndoChange.table_name == "event", comes_or_goes)
    changes = await _changes(session, *of_part, ~happened, undoing=undoing)
    # Businesses that are added or deleted as a whole take their events with them.
    whole = [
        change.business_id
        for change in changes
        if change.record.table == "business" and (change.adds or change.deletes)
    ]
    if whole:
        own = UndoChange.business_id.in_(listed([each for each in whole if each is not None]))
        changes += await _changes(session, *of_part, happened, own, undoing=undoing)
        changes.sort(key=lambda change: change.id, reverse=undoing)
        happened &= UndoChange.business_id.not_in(
            listed([each for each in whole if each is not None])
        )
    kind = func.json_extract(func.coalesce(UndoChange.after, UndoChange.before), "$.kind")
    connection = await session.connection()
    told = await connection.execute(
        select(
            func.json_group_array(UndoChange.id),
            func.json_group_array(UndoChange.business_id.distinct()),
            func.max(kind.in_((EventKind.NOTE, EventKind.CALL))),
        ).where(*of_part, happened)
    )
    ids, leads, searched = told.one()
    return Part(changes, _decode_ids(ids), _decode_ids(leads), bool(searched))


async def _changes(
    session: ReadSession, *which: ColumnElement[bool], undoing: bool
) -> list[Change]:
    now, then = UndoChange.after, UndoChange.before
    if not undoing:
        now, then = then, now
    columns = (UndoChange.id, UndoChange.table_name, UndoChange.record, UndoChange.business_id)
    row = (
        select(*columns, now.label("now"), then.label("then"))
        .where(*which)
        .order_by(UndoChange.id.desc() if undoing else UndoChange.id)
        .subquery()
        .c
    )
    # As one text, which is read in one go; SQLite keeps the order of a subquery.
    change = func.json_array(
        row.id,
        func.json_array(row.table_name, row.record),
        row.business_id,
        func.json(row.now),
        func.json(row.then),
    )
    connection = await session.connection()
    found = await connection.execute(select(func.json_group_array(change)))
    return _decode_changes(found.scalar_one())


async def disagreements(
    session: ReadSession, changes: Sequence[Change]
) -> tuple[dict[RecordId, str], set[RecordId]]:
    """Records that are not as the action left them, with the reason; and those that need nothing.

    Args:
        session: the transaction.
        changes: in the order they are to be taken.
    """
    expected: dict[RecordId, Values | None] = {}
    wanted: dict[RecordId, Values | None] = {}
    for change in changes:
        written = _WRITTEN[change.record.table]
        before = wanted.get(change.record)
        wanted[change.record] = change.then if before is None else _over(before, change.then)
        if change.record not in expected:
            expected[change.record] = _only(change.now, written)
            continue
        known, now = expected[change.record], _only(change.now, written)
        if known is not None and now is not None:
            expected[change.record] = now | known
    current = await _current(session, expected, wanted)
    left: dict[RecordId, str] = {}
    settled: set[RecordId] = set()
    for record, values in expected.items():
        there = current.get(record)
        if _is_there(there, wanted[record], _WRITTEN[record.table]):
            settled.add(record)
        elif (reason := _difference(there, values, wanted[record])) is not None:
            left[record] = reason
    return left, settled


def _over(before: Values, then: Values | None) -> Values | None:
    return None if then is None else before | then


def _only(values: Values | None, names: Collection[str]) -> Values | None:
    return None if values is None else {n: v for n, v in values.items() if n in names}


def _is_there(there: Values | None, wanted: Values | None, written: Collection[str]) -> bool:
    if there is None or wanted is None:
        return there is None and wanted is None
    return all(there[name] == value for name, value in wanted.items() if name in written)


def _difference(there: Values | None, expected: Values | None, wanted: Values | None) -> str | None:
    """Why a record cannot be turned; fields that hold already what they shall are no reason."""
    if expected is None:
        return None if there is None else "it came back since"
    if there is None:
        return "it is gone"
    changed = [name for name, value in expected.items() if there[name] != value]
    if not changed:
        return None
    fine = MARKS.union(n for n in changed if wanted and n in wanted and wanted[n] == there[n])
    changed = [name for name in changed if name not in fine]
    if not changed:
        return None
    named = [name for name in changed if name not in _REPEATS] or changed
    return f"{', '.join(name.replace('_', ' ') for name in named)} changed since"


async def _current(
    session: ReadSession, *held: Mapping[RecordId, Values | None]
) -> dict[RecordId, Values]:
    """What these records hold at present, of the columns named; those that are gone are left out."""
    keys: dict[str, list[str]] = {}
    for record in held[0]:
        keys.setdefault(record.table, []).append(record.key)
    columns: dict[str, set[str]] = {name: set() for name in keys}
    for records in held:
        for record, values in records.items():
            columns[record.table].update(values or ())
    connection = await session.connection()
    found: dict[RecordId, Values] = {}
    for name, of_table in keys.items():
        table = RECORDED[name]
        names = [each for each in table.written if each in columns[name]]
        picked = ", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(table.key)))
        rows = await connection.exec_driver_sql(
            f"SELECT json_group_object({table.record()}, {table.values(names)}) FROM {name}"  # noqa: S608 - names of our own tables
            f" WHERE ({', '.join(table.key)}) IN (SELECT {picked} FROM json_each(?))",
            (f"[{','.join(of_table)}]",),
        )
        for key, values in _decode_held(rows.scalar_one()).items():
            found[RecordId(name, key)] = values
    return found
