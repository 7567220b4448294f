"""Which leads, in which order: a filter and a sort, and the columns they are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, select

from crm_tui.db.models import Business, BusinessTag, ContactPoint, Event, Tag, Task
from crm_tui.errors import WrongUsage
from crm_tui.services.filters import Standpoint, parse
from crm_tui.services.filters import compile as compile_
from crm_tui.services.filters.columns import no_index
from crm_tui.services.filters.tree import And, Node, asks_for
from crm_tui.vocabulary import ContactKind, ContactState, EventKind, TaskState


def _of_lead(statement: Select[Any]) -> Any:
    """A value that is looked up for each lead."""
    return statement.correlate(Business).scalar_subquery()


_COLUMNS: dict[str, Any] = {
    "score": Business.qualification_score,
    "name": Business.sort_name,
    "category": Business.category_folded,
    "city": Business.city_folded,
    "region": Business.region_folded,
    "source": Business.source_folded,
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
    "tags": _of_lead(
        select(func.min(Tag.folded))
        .join(BusinessTag, BusinessTag.tag_id == Tag.id)
        .where(BusinessTag.business_id == Business.id)
    ),
    "follow_up": _of_lead(
        select(func.min(Task.due_at)).where(
            Task.business_id == Business.id, Task.state == TaskState.OPEN
        )
    ),
    "called": _of_lead(
        select(func.max(Event.occurred_at)).where(
            Event.business_id == Business.id,
            Event.kind == EventKind.CALL,
            Event.is_voided.is_(False),
        )
    ),
    "email_state": _of_lead(
        select(func.nullif(ContactPoint.state, ContactState.UNKNOWN)).where(
            ContactPoint.business_id == Business.id,
            ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.is_primary.is_(True),
        )
    ),
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

_HAVING_ONE: dict[str, Select[*tuple[Any, ...]]] = {
    "tags": select(BusinessTag.business_id, func.min(Tag.folded).label("value"))
    .join(Tag, Tag.id == BusinessTag.tag_id)
    .group_by(BusinessTag.business_id),
    "follow_up": select(Task.business_id, func.min(Task.due_at).label("value"))
    .where(Task.state == TaskState.OPEN)
    .group_by(Task.business_id),
    # By the index of calls, which has all that is asked for: SQLite takes it where the kind stands
    # in the statement itself, and would rather group by another index, looking up every event.
    "called": select(Event.business_id, func.max(Event.occurred_at).label("value"))
    .where(Event.kind == literal_column(f"'{EventKind.CALL}'"), Event.is_voided.is_(False))
    .group_by(no_index(Event.business_id)),
    "email_state": select(ContactPoint.business_id, ContactPoint.state.label("value")).where(
        ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.is_primary.is_(True),
        ContactPoint.state != ContactState.UNKNOWN,
    ),
}
"""The leads that have a value in the columns in which most have none, each with its value: found
in one pass, where asking lead by lead takes five times as long."""

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
            WrongUsage: there is no such column.
        """
        named = text.removeprefix("-")
        column = _ALSO_CALLED.get(named, named)
        if column not in _COLUMNS:
            raise WrongUsage(
                f"Leads cannot be sorted by {named!r}; choose one of {', '.join(SORT_COLUMNS)}."
            )
        return cls(column, descending=text.startswith("-"))


@dataclass(frozen=True, slots=True)
class LeadQuery:
    """Which leads, in which order: a filter as it is typed, and a sort.

    Without a sort: score, best first, then name, then id. Archived leads are left out unless the
    filter asks for them with `is:archived`; erased ones always are.

    Args:
        text: the filter (docs/guide.md); '' leaves nothing out.
        sort: another order than the best first.
        standpoint: what "today" and "qualified" mean; a filter that speaks of neither needs none.

    Raises:
        QueryError: the filter cannot be read.
    """

    text: str = ""
    sort: Sort | None = None
    standpoint: Standpoint | None = None
    tree: Node = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the filter, once."""
        object.__setattr__(self, "tree", parse(self.text))

    @property
    def is_filtered(self) -> bool:
        """Whether the filter says anything at all."""
        return self.tree != And(())

    @property
    def with_archived(self) -> bool:
        """Whether archived leads are listed too, because the filter speaks of them."""
        return asks_for(self.tree, "is", "archived")

    def condition(self) -> ColumnElement[bool]:
        """What a lead must be to be listed."""
        return and_(self.listed(), compile_.test(self.tree, self.standpoint))

    def listed(self) -> ColumnElement[bool]:
        """Whether a lead may be listed, whatever the filter says."""
        # An erased lead is archived too: the index of the list, which leaves out the archived, has
        # none.
        return (Business.erased_at if self.with_archived else Business.archived_at).is_(None)

    @property
    def in_order(self) -> bool:
        """Whether SQLite can read the leads in this order without looking each one up."""
        return self.sort is None or self.sort.column in _IN_ORDER

    @property
    def having_one(self) -> Select[*tuple[Any, ...]] | None:
        """The leads that have a value to sort by, with that `value`, where most have none."""
        return None if self.sort is None else _HAVING_ONE.get(self.sort.column)

    def order(self, *, indexed: bool = True) -> tuple[ColumnElement[Any], ...]:
        """The order of the list; it names every lead's place exactly.

        Args:
            indexed: whether SQLite may read the leads in the order of an index.
        """
        return _order(self.sort, _COLUMNS if indexed else _UNINDEXED)


def order_by_value(value: ColumnElement[Any], sort: Sort) -> tuple[ColumnElement[Any], ...]:
    """The order of leads that all have this value to sort by."""
    best_first = _order(None, _UNINDEXED)
    return (value.desc() if sort.descending else value.asc(), *best_first)


def _order(sort: Sort | None, columns: Mapping[str, Any]) -> tuple[ColumnElement[Any], ...]:
    best_first = (columns["score"].desc(), columns["name"].asc(), columns["id"].asc())
    if sort is None:
        return best_first
    column = columns[sort.column]
    key = column.desc() if sort.descending else column.asc()
    may_lack = getattr(_COLUMNS[sort.column], "nullable", True)
    return (key.nulls_last() if may_lack else key, *best_first)


_UNINDEXED = {name: no_index(column) for name, column in _COLUMNS.items()}
