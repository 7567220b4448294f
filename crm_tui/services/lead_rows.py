"""The rows of the lead list, and the ids of all of it, in whichever way is quick."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import compress
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business
from crm_tui.services.filters import compile as compile_
from crm_tui.services.filters.columns import no_index
from crm_tui.services.lead_query import LeadQuery, Sort, order_by_value
from crm_tui.vocabulary import ContactState, ContactStatus, Outcome, WebsiteStatus


class LeadRow(NamedTuple):
    """One line of the list. `score` is 0-100, times are aware UTC, phone is E.164.

    The last four are None unless lead_extras.py was asked for them.
    """

    id: int
    name: str
    category: str | None
    city: str | None
    region: str | None
    phone: str | None
    email: str | None
    website: str | None
    rating: float | None
    review_count: int | None
    score: int
    contact_status: ContactStatus
    website_status: WebsiteStatus
    outcome: Outcome
    do_not_contact: bool
    last_activity_at: datetime | None
    last_activity: str | None
    created_at: datetime
    source: str = ""
    tags: str | None = None
    follow_up: datetime | None = None
    called: datetime | None = None
    email_state: ContactState | None = None


_FEW = 15_000
"""Fewer leads than this are looked up one by one, sooner than going through the best."""

_SOME = 60_000
"""Fewer leads than this are looked up one by one, sooner than going through all of them."""

_BEST = 8_000
"""So many of the best leads are looked at before all of them are."""

_AT_ONCE = 10_000
"""Ids that are picked before other threads have their turn."""


class _Plan(NamedTuple):
    """How SQLite is to go about a query.

    Attributes:
        tests: what a lead has to be.
        order: the order, by columns whose indexes are to be used or not.
        inside: of the tests, those the index of the list's order tells by itself, if reading that
            index from its beginning may be quicker than looking up all that is found.
    """

    tests: tuple[ColumnElement[bool], ...]
    order: tuple[ColumnElement[Any], ...]
    inside: tuple[ColumnElement[bool], ...] | None = None


async def _plan(session: ReadSession, query: LeadQuery, few: int) -> _Plan:
    """Find out what an index narrows down to less than `few` leads; have SQLite begin with that.

    SQLite knows nothing of how often a value is there. Where it would follow an index to half of
    the leads, or read all of them in order to sort a dozen, we tell it not to.
    """
    if query.in_order and not query.is_filtered:
        return _Plan((query.listed(),), query.order())
    parts = compile_.parts(query.tree, query.standpoint)
    drives = [await _finds_fewer(session, part.probe, few) for part in parts]
    tests = [
        part.driven if drive else part.checked for part, drive in zip(parts, drives, strict=True)
    ]
    inside = None
    if query.sort is None and not any(drives) and not query.with_archived:
        inside = (query.listed(), *(part.driven for part in parts if part.by_score))
    return _Plan((no_index(query.listed()), *tests), query.order(indexed=False), inside)


async def conditions(session: ReadSession, query: LeadQuery) -> tuple[ColumnElement[bool], ...]:
    """What a lead must be to be listed, in words that suit what SQLite has to look at for it."""
    return (await _plan(session, replace(query, sort=Sort("name")), _SOME)).tests


async def _finds_fewer(session: ReadSession, probe: Select[Any] | None, few: int) -> bool:
    return probe is not None and await _counted(session, probe.limit(few)) < few


async def _counted(session: ReadSession, some: Select[Any]) -> int:
    counted = select(func.count()).select_from(some.subquery())
    return (await session.execute(counted)).scalar_one()


async def first_rows(session: ReadSession, query: LeadQuery, *, limit: int) -> list[LeadRow]:
    """The first rows of the list, for the first paint."""
    if query.having_one is not None:
        return await _first_having_one(session, query, query.having_one, limit)
    plan = await _plan(session, query, _FEW)
    if plan.inside is not None:
        best = select(Business.id).where(*plan.inside).order_by(*query.order()).limit(_BEST)
        found = await _fetch(
            session, _Plan((Business.id.in_(best), *plan.tests), plan.order), limit
        )
        if len(found) == limit or await _counted(session, best) < _BEST:
            return found
        plan = await _plan(session, query, _SOME)
    return await _fetch(session, plan, limit)


async def _first_having_one(
    session: ReadSession, query: LeadQuery, having_one: Select[*tuple[Any, ...]], limit: int
) -> list[LeadRow]:
    """Those with a value in their order, then the others, the best first."""
    plan = await _plan(session, query, _SOME)
    statement = _by_value(_rows(), query, having_one).where(*plan.tests).limit(limit)
    rows = [LeadRow(*row) for row in await session.execute(statement)]
    if len(rows) == limit:
        return rows
    known = {row.id for row in rows}
    others = await first_rows(session, replace(query, sort=None), limit=limit + len(known))
    return rows + [row for row in others if row.id not in known][: limit - len(rows)]


async def _fetch(session: ReadSession, plan: _Plan, limit: int) -> list[LeadRow]:
    statement = _rows().where(*plan.tests).order_by(*plan.order).limit(limit)
    return [LeadRow(*row) for row in await session.execute(statement)]


async def count(session: ReadSession, query: LeadQuery) -> int:
    """How many leads the list has."""
    plan = await _plan(session, replace(query, sort=None), _SOME)
    statement = select(func.count()).select_from(Business).where(*plan.tests)
    return (await session.execute(statement)).scalar_one()


async def order(db: Database, query: LeadQuery) -> array[int]:
    """The ids of all leads of the list, in order; eight bytes each.

    Reads on connections and threads of its own: a million ids neither hold up the screen nor
    become a million objects. Cancelling stops the statements.
    """
    if query.having_one is not None:
        return await _order_having_one(db, query, query.having_one)
    async with db.read() as session:
        plan = await _plan(session, query, _SOME)
        many = plan.inside is not None and await _finds_many(session, query, plan)
    found = select(Business.id).where(*plan.tests)
    if not many:
        return await db.integers(found.order_by(*plan.order))
    # The index has all leads in order. Picking many out of them is quicker than sorting many, and
    # an index that alone finds them spares looking at the leads themselves.
    (only, *more) = compile_.parts(query.tree, query.standpoint)
    if only.probe is not None and not more:
        found = only.probe
    everything = select(Business.id).where(query.listed()).order_by(*query.order())
    ordered, wanted = await asyncio.gather(db.integers(everything), db.integers(found))
    return await asyncio.to_thread(_picked, ordered, wanted)


async def _order_having_one(
    db: Database, query: LeadQuery, having_one: Select[*tuple[Any, ...]]
) -> array[int]:
    """Few have a value to sort by: only those are sorted, the others follow as they are."""
    async with db.read() as session:
        plan = await _plan(session, query, _SOME)
    having = _by_value(select(Business.id), query, having_one).where(*plan.tests)
    ordered, everything = await asyncio.gather(
        db.integers(having), order(db, replace(query, sort=None))
    )
    return ordered + await asyncio.to_thread(_picked, everything, ordered, wanted=False)


def _by_value(
    found: Select[*tuple[Any, ...]], query: LeadQuery, having_one: Select[*tuple[Any, ...]]
) -> Select[Any]:
    assert query.sort is not None
    each = having_one.subquery()
    joined = found.join(each, each.c.business_id == Business.id)
    return joined.order_by(*order_by_value(each.c.value, query.sort))


async def _finds_many(session: ReadSession, query: LeadQuery, plan: _Plan) -> bool:
    """Whether a fiftieth of the best leads are found, and probably of all others."""
    assert plan.inside is not None
    best = select(Business.id).where(query.listed()).order_by(*query.order()).limit(_BEST)
    some = select(Business.id).where(Business.id.in_(best), *plan.tests).limit(_BEST // 50)
    return await _counted(session, some) == _BEST // 50


def _picked(ids: array[int], named: array[int], *, wanted: bool = True) -> array[int]:
    """Those of the ids that are named (or not), in the order they are in."""
    chosen = bytearray([not wanted]) * (1 + max(max(ids, default=0), max(named, default=0)))
    for number in named:
        chosen[number] = wanted
    picked = array("q")
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        picked.extend(compress(some, map(chosen.__getitem__, some)))
    return picked


async def ids(session: ReadSession, query: LeadQuery) -> Select[int]:
    """The statement that finds the ids of all leads of the list, in order."""
    plan = await _plan(session, query, _SOME)
    return select(Business.id).where(*plan.tests).order_by(*plan.order)


async def rows_by_id(session: ReadSession, ids: Sequence[int]) -> list[LeadRow]:
    """The rows of these leads, in no particular order; those that are gone are left out."""
    return [LeadRow(*row) for row in await session.execute(_rows().where(Business.id.in_(ids)))]


def _rows() -> Select[*tuple[Any, ...]]:
    return select(
        Business.id,
        Business.name,
        Business.category,
        Business.city,
        Business.region,
        Business.phone,
        Business.email,
        Business.website,
        Business.rating,
        Business.review_count,
        Business.qualification_score,
        Business.contact_status,
        Business.website_status,
        Business.outcome,
        Business.do_not_contact,
        Business.last_activity_at,
        Business.last_activity,
        Business.created_at,
        Business.source,
    )
