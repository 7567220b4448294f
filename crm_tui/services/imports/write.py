"""Writing many rows: statements made once, values bound in a thread, one call a table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Insert, Update, bindparam, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import (
    Business,
    BusinessAlias,
    BusinessTag,
    ContactPoint,
    Event,
    ImportRow,
    RawRecord,
    SearchDoc,
    Site,
    Suppression,
    Tag,
    Task,
    Unmatched,
)
from crm_tui.db.types import Base, UtcDateTime, Word, utc_text
from crm_tui.services import activity, search, statuses
from crm_tui.services.imports.rows import Row, Rows
from crm_tui.services.sites import gather

Bound = tuple[str, list[tuple[Any, ...]]]
"""A statement and its parameters, ready for the driver."""

_TOGETHER = 20
"""SQLite builds the list of a CHECK (x IN …) anew for every statement, not for every row."""

_DIALECT = sqlite.dialect()
_text_of_time = lru_cache(maxsize=256)(utc_text)


class _Statement:
    """A statement for many rows, their values bound as the columns' types say."""

    def __init__(self, statement: Insert | Update, columns: Sequence[str] | None = None) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=columns)
        names = compiled.positiontup or []
        self._pick = itemgetter(*names)
        self._process = [
            (place, process)
            for place, name in enumerate(names)
            if (process := _binding(compiled.binds[name].type)) is not None
        ]
        self._one = str(compiled)
        head, values, row = self._one.partition(" VALUES ")
        row, conflict, rest = row.partition(" ON CONFLICT")
        self._many = (
            head + values + ", ".join([row] * _TOGETHER) + conflict + rest if values else ""
        )

    def bind(self, rows: Sequence[Row]) -> list[Bound]:
        """The statement with the values of rows; inserts take many rows at a time."""
        bound = [self._values(row) for row in rows]
        whole = len(bound) // _TOGETHER * _TOGETHER if self._many else 0
        together = [
            tuple(chain.from_iterable(bound[start : start + _TOGETHER]))
            for start in range(0, whole, _TOGETHER)
        ]
        return [
            (sql, values)
            for sql, values in ((self._many, together), (self._one, bound[whole:]))
            if values
        ]

    def _values(self, row: Row) -> tuple[Any, ...]:
        values = list(self._pick(row))
        for place, process in self._process:
            value = values[place]
            if value is not None:
                values[place] = process(value)
        return tuple(values)


def _binding(kind: Any) -> Callable[[Any], Any] | None:
    if isinstance(kind, UtcDateTime):
        return _text_of_time  # many rows share one time
    if isinstance(kind, Word):
        return {word: word.value for word in kind.words}.__getitem__
    process: Callable[[Any], Any] | None = kind.bind_processor(_DIALECT)
    return process


def _insert(model: type[Base], columns: str, *, once: bool = False) -> _Statement:
    statement = insert(model)
    return _Statement(statement.on_conflict_do_nothing() if once else statement, columns.split())


_BUSINESS_FACTS = """
    category category_folded street city city_folded region region_folded postal_code country email phone website
    place_id latitude longitude timezone rating review_count photo_count hours qualification_score
    outcome outcome_reason do_not_contact do_not_contact_reason updated_at custom
"""
_NEW_BUSINESS = f"""
    id key name name_folded sort_name source source_folded contact_status created_at captured_at last_activity_at
    last_activity archived_at batch_id {_BUSINESS_FACTS}
"""
_EVENT = """
    key business_id origin_id occurred_at recorded_at kind moves_to by_machine source summary body
    data site_id batch_id
"""

_BUSINESSES = _insert(Business, _NEW_BUSINESS)
_UPDATED = _Statement(
    update(Business)
    .where(Business.id == bindparam("of_business"))
    .values({name: bindparam(name) for name in _BUSINESS_FACTS.split()})
)
_POINTS = _insert(
    ContactPoint,
    "business_id kind value raw domain person title label is_primary state state_reason created_at"
    " batch_id",
)
_POINTS_FILLED = _Statement(
    update(ContactPoint)
    .where(
        ContactPoint.business_id == bindparam("of_business"),
        ContactPoint.kind == bindparam("of_kind"),
        ContactPoint.value == bindparam("of_value"),
    )
    .values({name: bindparam(name) for name in ("person", "title", "label")})
)
_ALIASES = _insert(BusinessAlias, "business_id kind value batch_id", once=True)
_TAG_WORDS = _insert(Tag, "name folded", once=True)
_TAGS = _Statement(
    insert(BusinessTag)
    .values(
        business_id=bindparam("business_id"),
        tag_id=select(Tag.id).where(Tag.folded == bindparam("folded")).scalar_subquery(),
        created_at=bindparam("created_at"),
        batch_id=bindparam("batch_id"),
    )
    .on_conflict_do_nothing()
)
_EVENTS = _insert(Event, _EVENT, once=True)
_TASKS = _insert(Task, "business_id what due_at created_at batch_id")
_SUPPRESSIONS = _insert(Suppression, "kind value reason created_at batch_id", once=True)
_RAW = _insert(RawRecord, "source external_id received_at batch_id payload", once=True)
_SITES = _insert(
    Site,
    "id business_id slug theme status content_hash created_at built_at batch_id html",
)
_UNMATCHED = _insert(Unmatched, "key kind title reason created_at batch_id payload", once=True)
_REPORT = _insert(ImportRow, "batch_id row action name reason business_id filled")
_DOCUMENTS = _insert(SearchDoc, "business_id name phone email address city category notes")


def bind(rows: Rows) -> list[Bound]:
    """Everything but sites, in the order it has to be written; takes CPU, so call it in a thread."""
    tables = (
        (_BUSINESSES, rows.businesses),
        (_UPDATED, rows.updated),
        (_POINTS, rows.points),
        (_POINTS_FILLED, rows.points_filled),
        (_ALIASES, rows.aliases),
        (_TAG_WORDS, [{"name": word, "folded": key} for key, word in rows.words.items()]),
        (_TAGS, rows.tags),
        (_EVENTS, rows.captured),
        (_TASKS, rows.tasks),
        (_SUPPRESSIONS, rows.suppressions),
        (_RAW, rows.raw),
        (_UNMATCHED, rows.unmatched),
        (_DOCUMENTS, rows.documents),
        (_REPORT, rows.report),
    )
    return [bound for statement, of_table in tables for bound in statement.bind(of_table)]


async def write(session: WriteSession, rows: Rows, bound: Sequence[Bound]) -> None:
    """Write what was planned and bound, and bring what follows from it up to date."""
    await _execute(session, bound)
    if rows.sites:
        await _write_sites(session, rows)
    if rows.events:
        await _execute(session, await asyncio.to_thread(_EVENTS.bind, rows.events))
        await activity.note_activity(session, rows.events)
    if rows.moved:
        await statuses.refold(session, sorted(rows.moved))
    if rows.updated:
        changed = [row["of_business"] for row in rows.updated]
        await search.index(session, changed)
        await gather.mark_out_of_date(session, changed)


async def _write_sites(session: WriteSession, rows: Rows) -> None:
    """Write sites under free slugs; their events name the slug they got."""
    slugs = await gather.free_slugs(session, [row["slug"] for row in rows.sites])
    by_site = dict(zip((row["id"] for row in rows.sites), slugs, strict=True))
    for row in rows.sites:
        row["slug"] = by_site[row["id"]]
    for event in rows.events:
        if event["site_id"] is not None:
            event["data"] = {"slug": by_site[event["site_id"]]}
    await _execute(session, await asyncio.to_thread(_SITES.bind, rows.sites))


async def _execute(session: WriteSession, bound: Sequence[Bound]) -> None:
    connection = await session.connection()
    for sql, values in bound:
        await connection.exec_driver_sql(sql, values)
