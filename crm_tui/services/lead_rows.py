"""The rows of the lead list: which leads, in which order, and what a line shows of each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business
from crm_tui.errors import BadInput
from crm_tui.services import search
from crm_tui.vocabulary import ContactStatus, Outcome, WebsiteStatus


class LeadRow(NamedTuple):
    """One line of the list. `score` is 0-100, times are aware UTC, phone is E.164."""

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


_MANY = 2_000
"""As many found leads are quicker picked out of the ordered list than sorted."""

_COLUMNS: dict[str, Any] = {
    "score": Business.qualification_score,
    "name": Business.sort_name,
    "category": Business.category_folded,
    "city": Business.city_folded,
    "region": Business.region,
    "phone": Business.phone,
    "email": Business.email,
    "website": Business.website,
    "rating": Business.rating,
    "reviews": Business.review_count,
    "contact": Business.contact_status,
    "site": Business.website_status,
    "outcome": Business.outcome,
    "activity": Business.last_activity_at,
    "created": Business.created_at,
    "updated": Business.updated_at,
    "id": Business.id,
}

_ALSO_CALLED = {
    "qualification_score": "score",
    "sort_name": "name",
    "review_count": "reviews",
    "contact_status": "contact",
    "website_status": "site",
    "last_activity_at": "activity",
    "created_at": "created",
    "updated_at": "updated",
}
"""What the JSON documents call them."""

SORT_COLUMNS = tuple(_COLUMNS)
"""The names leads can be sorted by."""

_IN_ORDER = frozenset({"score", "id"})
"""Columns by which SQLite can read the leads in order without looking each one up."""


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of the list by one column; leads without a value come last either way."""

    column: str
    descending: bool = False

    @classmethod
    def parse(cls, text: str) -> Sort:
        """Read "name" or "-score" (a minus means descending).

        Raises:
            BadInput: there is no such column.
        """
        named = text.removeprefix("-")
        column = _ALSO_CALLED.get(named, named)
        if column not in _COLUMNS:
            raise BadInput(
                f"Leads cannot be sorted by {named!r}; choose one of {', '.join(SORT_COLUMNS)}."
            )
        return cls(column, descending=text.startswith("-"))


@dataclass(frozen=True, slots=True)
class LeadQuery:
    """Which leads, in which order: words to search for, and a sort.

    Without a sort: score, best first, then name, then id. Archived leads are left out.
    """

    words: str = ""
    sort: Sort | None = None

    def condition(self, *, walk: bool = False) -> tuple[ColumnElement[bool], ...]:
        """What a lead must be to be listed.

        With `walk`, SQLite goes through the leads in their order and looks up which were found,
        instead of sorting all that were: the faster way to a few leads when many were found.
        """
        found = search.found(self.words)
        archived_at = _unindexed(Business.archived_at) if self._scans else Business.archived_at
        listed = archived_at.is_(None)
        if found is None:
            return (listed,)
        # A sum is no key: the planner cannot begin with the found ones.
        return listed, (Business.id + 0 if walk else Business.id).in_(found)

    def order(self) -> tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...]:
        """The order of the list; it names every lead's place exactly."""
        best_first = (Business.qualification_score.desc(), Business.sort_name, Business.id)
        if self.sort is None:
            return best_first
        column = _COLUMNS[self.sort.column]
        value = _unindexed(column) if self._scans else column
        key = value.desc() if self.sort.descending else value.asc()
        return (key.nulls_last() if column.nullable else key, *best_first)

    @property
    def _scans(self) -> bool:
        """Whether the whole table has to be read and sorted, which no index makes quicker."""
        return self.sort is not None and self.sort.column not in _IN_ORDER and not self.words


def _unindexed(column: Any) -> ColumnElement[Any]:
    """The column with a plus before it, by which SQLite knows not to use an index on it.

    Walking the index of a column means fetching each lead from another place of the file. With a
    million leads, reading all from front to back brings the first rows in an eighth of the time
    and the whole order in half of it.
    """
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


async def first_rows(session: ReadSession, query: LeadQuery, *, limit: int) -> list[LeadRow]:
    """The first rows of the list, for the first paint."""
    walk = query.sort is None and await _finds_many(session, query)
    rows = await session.execute(
        _rows().where(*query.condition(walk=walk)).order_by(*query.order()).limit(limit)
    )
    return [LeadRow(*row) for row in rows]


async def _finds_many(session: ReadSession, query: LeadQuery) -> bool:
    found = search.found(query.words)
    if found is None:
        return False
    some = found.limit(_MANY).subquery()
    return (await session.execute(select(func.count()).select_from(some))).scalar_one() == _MANY


async def count(session: ReadSession, query: LeadQuery) -> int:
    """How many leads the list has."""
    unsorted = LeadQuery(query.words)
    statement = select(func.count()).select_from(Business).where(*unsorted.condition())
    return (await session.execute(statement)).scalar_one()


async def order(db: Database, query: LeadQuery) -> array[int]:
    """The ids of all leads of the list, in order; eight bytes each.

    Reads on a connection and a thread of its own: a million ids neither hold up the screen nor
    become a million objects. Cancelling stops the statement.
    """
    return await db.integers(select(Business.id).where(*query.condition()).order_by(*query.order()))


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
    )
