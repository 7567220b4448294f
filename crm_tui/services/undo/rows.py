"""Writing the records of an action as they are to be, as far as the store takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Event
from crm_tui.services import search
from crm_tui.services.undo.changes import Change, RecordId
from crm_tui.services.undo.recorded import RECORDED
from crm_tui.vocabulary import EventKind

_DEPENDED_ON = "something else depends on it by now"
_UNLESS_USED = {"tag": "NOT EXISTS (SELECT 1 FROM business_tag WHERE tag_id = tag.id)"}
"""Records that stay where somebody else has come to use them, without a word."""

_WHOLE = RECORDED["event"].values(RECORDED["event"].columns, "event.")
_OUT = "(event.is_voided = 1 OR event.kind = 'voided')"
_KEEP_OWN = (
    f"UPDATE undo_change SET after = {_WHOLE} FROM event"  # noqa: S608 - names of our own tables
    " WHERE undo_change.id IN (SELECT value FROM json_each(:events))"
    " AND event.id = json_extract(record, '$[0]')"
)
_KEEP_OTHERS = (
    "INSERT INTO undo_change (entry_id, part, table_name, record, business_id, after, state)"  # noqa: S608 - likewise
    f" SELECT c.entry_id, c.part, 'event', json_array(event.id), c.business_id, {_WHOLE}, 'undone'"
    " FROM undo_change AS c JOIN event ON event.business_id = c.business_id"
    f" WHERE c.id IN (SELECT value FROM json_each(:leads)) AND {_OUT} AND json_array(event.id)"
    " NOT IN (SELECT record FROM undo_change WHERE id IN (SELECT value FROM json_each(:events)))"
)
_REMOVE = (
    f"DELETE FROM event WHERE {_OUT} AND business_id IN (SELECT business_id FROM undo_change"  # noqa: S608 - likewise
    " WHERE id IN (SELECT value FROM json_each(:leads)))"
)


async def write(
    session: WriteSession, changes: Sequence[Change], *, write_down: bool
) -> tuple[list[Change], dict[RecordId, str]]:
    """Write all changes; where the store refuses some, leave those of the same lead together.

    Args:
        session: the transaction.
        changes: in the order they are to be taken.
        write_down: whether the events of leads that go are kept in the book, to come back.

    Returns those that were written, and which records were left, and why.
    """
    writing = _Writing(session, _heirs(changes), write_down)
    return await writing.all(changes), writing.left


def _heirs(changes: Iterable[Change]) -> dict[int, int]:
    """By the leads that are merged again, the leads they go into."""
    merges = (c.then for c in changes if c.record.table == "merge" and c.adds and c.then)
    return {values["merged_id"]: values["kept_id"] for values in merges}


@dataclass(slots=True)
class _Writing:
    session: WriteSession
    heirs: dict[int, int]
    write_down: bool
    left: dict[RecordId, str] = field(default_factory=dict)

    async def all(self, changes: Sequence[Change]) -> list[Change]:
        if await self._write(changes):
            return list(changes)
        if any(change.record.table == "merge" for change in changes):
            return await self._merge(changes)
        units: dict[int | RecordId, list[Change]] = {}
        for change in changes:
            owner = change.business_id
            units.setdefault(change.record if owner is None else owner, []).append(change)
        written: list[Change] = []
        for unit_changes in units.values():
            if len(units) > 1 and await self._write(unit_changes):
                written += unit_changes
            else:
                self.left |= {change.record: _DEPENDED_ON for change in unit_changes}
        return written

    async def _merge(self, changes: Sequence[Change]) -> list[Change]:
        """Write the changes of a merge one by one; without its leads, none of it can be turned."""
        written: list[Change] = []
        async with self.session.begin_nested() as all_of_it:
            for change in changes:
                if await self._write([change]):
                    written.append(change)
                    continue
                self.left[change.record] = _DEPENDED_ON
                if change.record.table in {"business", "merge"}:
                    await all_of_it.rollback()
                    self.left |= {each.record: _DEPENDED_ON for each in changes}
                    return []
        return written

    async def _write(self, changes: Sequence[Change]) -> bool:
        # Together is quicker; in their order, what is unique may go from one record to another.
        together = [list(group) for _, group in groupby(changes, _batch(changes))]
        if await self._try(together):
            return True
        return len(together) < len(changes) and await self._try([[change] for change in changes])

    async def _try(self, batches: Sequence[Sequence[Change]]) -> bool:
        try:
            async with self.session.begin_nested():
                await self._make_way([change for batch in batches for change in batch])
                connection = await self.session.connection()
                for batch in batches:
                    rows = msgspec.json.encode([_row(change) for change in batch]).decode()
                    await connection.exec_driver_sql(_statement(batch[0]), (rows,))
        except IntegrityError:
            return False
        return True

    async def _make_way(self, changes: Sequence[Change]) -> None:
        """See that nothing we wrote ourselves in undoing holds leads that are to go."""
        going = [c for c in changes if c.record.table == "business" and c.deletes]
        if not going:
            return
        await search.remove(self.session, [c.business_id for c in going if c.business_id])
        if self.write_down:
            await self._write_down(going, [c for c in changes if c.record.table == "event"])
        for change in going:
            if change.business_id in self.heirs:
                await self.session.execute(
                    update(Event)
                    .where(Event.business_id == change.business_id, Event.kind == EventKind.VOIDED)
                    .values(business_id=self.heirs[change.business_id])
                    .execution_options(synchronize_session=None)
                )

    async def _write_down(self, going: Sequence[Change], events: Sequence[Change]) -> None:
        """Keep the events of leads that go: those of the action, and those taken out since.

        The latter go as well, as if the action had written them.
        """
        named = {
            "events": json.dumps([change.id for change in events]),
            "leads": json.dumps([change.id for change in going]),
        }
        for statement in (_KEEP_OWN, _KEEP_OTHERS, _REMOVE):
            await self.session.execute(text(statement), named)


def _batch(changes: Iterable[Change]) -> Callable[[Change], tuple[str, int]]:
    """What changes written together have in common: the statement, and no record comes twice."""
    batches: dict[int, int] = {}
    seen: set[RecordId] = set()
    batch = 0
    for change in changes:
        if change.record in seen:
            seen.clear()
            batch += 1
        seen.add(change.record)
        batches[change.id] = batch
    return lambda change: (_statement(change), batches[change.id])


def _statement(change: Change) -> str:
    names = () if change.then is None else tuple(change.then)
    return _sql(change.record.table, names, adds=change.adds)


@cache
def _sql(table: str, names: tuple[str, ...], *, adds: bool) -> str:
    """The statement that writes these columns of records; without any, it deletes them.

    Its one parameter is a JSON array with an array for each record: the values by the names of
    their columns, in order, and the primary key after them, unless the record is added.
    """
    key = RECORDED[table].key
    values = [f"json_extract(given.value, '$[{place}]')" for place in range(len(names) + len(key))]
    own = ", ".join(values[len(names) :])
    if not names:
        unless = f" AND {_UNLESS_USED[table]}" if table in _UNLESS_USED else ""
        return (
            f"DELETE FROM {table} WHERE ({', '.join(key)}) IN"  # noqa: S608 - names of our own tables
            f" (SELECT {own} FROM json_each(?) AS given){unless}"
        )
    if adds:
        into = f"{table} ({', '.join(names)})"
        return f"INSERT INTO {into} SELECT {', '.join(values[: len(names)])} FROM json_each(?) AS given"  # noqa: S608 - likewise
    columns = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=False))
    place = ", ".join(f"{table}.{name}" for name in key)
    return f"UPDATE {table} SET {columns} FROM json_each(?) AS given WHERE ({place}) = ({own})"  # noqa: S608 - likewise


def _row(change: Change) -> list[Any]:
    values = [] if change.then is None else list(change.then.values())
    return values if change.adds else [*values, *change.record.parts]
