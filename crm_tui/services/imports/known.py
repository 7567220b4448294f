"""Businesses that are there already: finding those a lead may be, and what is known of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, case, column, func, select, union_all

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, BusinessAlias, BusinessTag, ContactPoint, Event, Tag, Task
from crm_tui.services.imports.match import LOOKED_AT, By, Found, Identity, Index, identity
from crm_tui.vocabulary import AliasKind, CallOutcome, ContactKind, ContactState, EventKind

_ALIASES = {
    By.LEGACY: AliasKind.LEGACY,
    By.ROW: AliasKind.ROW,
    By.PLACE_ID: AliasKind.PLACE_ID,
    By.GOOGLE_ID: AliasKind.GOOGLE_ID,
    By.KEY: AliasKind.KEY,
}
_AT_ONCE = 250
"""How many businesses are loaded before others have their turn on the event loop."""

_HISTORY = (
    EventKind.NOTE,
    EventKind.CALL,
    EventKind.STATUS_IMPORTED,
    EventKind.DO_NOT_CONTACT,
)
_COLUMNS = (
    "id", "key", "name", "sort_name", "category", "category_folded", "street", "city",
    "city_folded", "region", "region_folded", "postal_code",
    "country", "email", "phone", "website", "place_id", "latitude", "longitude", "timezone",
    "rating", "review_count", "photo_count", "hours", "contact_status", "outcome", "outcome_reason",
    "do_not_contact", "do_not_contact_reason", "captured_at", "custom",
)  # fmt: skip


@dataclass(slots=True)
class KnownPoint:
    """A contact point a business has; `id` is None until it is written."""

    kind: ContactKind
    value: str
    person: str | None = None
    title: str | None = None
    label: str | None = None
    domain: str | None = None
    usable: bool = True
    primary: bool = False
    id: int | None = None


@dataclass(slots=True)
class Known:
    """A business as an import sees it, and changes it before it is written.

    Attributes:
        values: Columns by name.
        points: By kind and value.
        aliases: By kind and value.
        tags: Its tags, folded.
        notes: Texts of its notes and calls.
        calls: When it was called, and how that went.
        events: Keys of the events an import could write again.
        due: When its follow-ups are due.
        emptied: Fields the operator has emptied, with the value each had.
        new: Whether the chunk at hand creates it.
    """

    id: int
    values: dict[str, Any]
    points: dict[tuple[ContactKind, str], KnownPoint] = field(default_factory=dict)
    aliases: set[tuple[AliasKind, str]] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    calls: set[tuple[datetime, CallOutcome]] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    due: set[datetime] = field(default_factory=set)
    emptied: dict[str, Any] = field(default_factory=dict)
    new: bool = False

    def identity(self) -> Identity:
        """What leads to it."""
        by_kind: dict[AliasKind, list[str | None]] = {}
        for kind, value in self.aliases:
            by_kind.setdefault(kind, []).append(value)
        return identity(
            self.values["name"],
            self.values["sort_name"],
            self.values["postal_code"],
            points=[(point.kind, point.value, point.domain) for point in self.points.values()],
            place_ids=[self.values["place_id"], *by_kind.get(AliasKind.PLACE_ID, ())],
            google_ids=by_kind.get(AliasKind.GOOGLE_ID, ()),
            own_keys=[self.values["key"], *by_kind.get(AliasKind.KEY, ())],
            legacy=by_kind.get(AliasKind.LEGACY, ()),
            rows=by_kind.get(AliasKind.ROW, ()),
        )


async def find(session: ReadSession, wanted: Sequence[Identity]) -> list[Found]:
    """For each identity the business that is the same, or one that is alike."""
    known = await load(session, await candidates(session, wanted))
    index = index_of(known.values())
    return [index.find(each) for each in wanted]


def index_of(known: Iterable[Known]) -> Index:
    """An index of businesses, the oldest first."""
    index = Index()
    for each in known:
        index.add(each.id, each.identity())
    return index


def _values(name: By) -> Select[Any]:
    # A JSON array is one parameter, however many values there are.
    return select(func.json_each(bindparam(name.name)).table_valued("value").c.value)


def _sharing(by: By, kind: ContactKind | None) -> Select[Any]:
    """The oldest businesses that share a point, as many as are looked at."""
    shared = ContactPoint.domain if kind is None else ContactPoint.value
    order = func.dense_rank().over(partition_by=shared, order_by=ContactPoint.business_id)
    found = select(ContactPoint.business_id, order.label("place")).where(shared.in_(_values(by)))
    if kind is not None:
        found = found.where(ContactPoint.kind == kind)
    rows = found.subquery()
    return select(rows.c.business_id).where(rows.c.place <= LOOKED_AT)


def _twins() -> Select[Any]:
    pair = func.json_each(bindparam(By.TWIN.name)).table_valued("value")
    order = func.dense_rank().over(
        partition_by=(Business.sort_name, Business.postal_code), order_by=Business.id
    )
    rows = (
        select(Business.id, order.label("place"))
        .select_from(pair)
        .join(
            Business,
            (Business.sort_name == func.json_extract(pair.c.value, "$[0]"))
            & (Business.postal_code == func.json_extract(pair.c.value, "$[1]")),
        )
        .subquery()
    )
    return select(rows.c.id).where(rows.c.place <= LOOKED_AT)


_CANDIDATES = union_all(
    *(
        select(BusinessAlias.business_id).where(
            BusinessAlias.kind == kind, BusinessAlias.value.in_(_values(by))
        )
        for by, kind in _ALIASES.items()
    ),
    select(Business.id).where(Business.place_id.in_(_values(By.PLACE_ID))),
    select(Business.id).where(Business.key.in_(_values(By.KEY))),
    _sharing(By.PHONE, ContactKind.PHONE),
    _sharing(By.EMAIL, ContactKind.EMAIL),
    _sharing(By.DOMAIN, None),
    _twins(),
)


async def candidates(session: ReadSession, wanted: Iterable[Identity]) -> list[int]:
    """The ids of all businesses that share a key with one of these identities, the oldest first."""
    values: dict[By, set[str]] = {by: set() for by in By}
    for each in wanted:
        for by, keys in each.keys.items():
            values[by] |= keys
    if not any(values.values()):
        return []
    parameters = {by.name: json.dumps(list(keys)) for by, keys in values.items()}
    pairs = [twin.split("\n", 1) for twin in values[By.TWIN]]
    parameters[By.TWIN.name] = json.dumps(pairs)
    return sorted(set(await session.scalars(_CANDIDATES, parameters)))


_IDS = func.json_each(bindparam("ids")).table_valued(column("value"))


async def load(
    session: ReadSession, business_ids: Sequence[int], *, history: bool = False
) -> dict[int, Known]:
    """What is known of businesses, by id; with `history` also their notes and follow-ups."""
    known: dict[int, Known] = {}
    for start in range(0, len(business_ids), _AT_ONCE):
        known |= await _load(session, business_ids[start : start + _AT_ONCE], history=history)
    return known


async def _load(
    session: ReadSession, business_ids: Sequence[int], *, history: bool
) -> dict[int, Known]:
    ids = {"ids": json.dumps(list(business_ids))}
    asked = select(_IDS.c.value)
    found = await session.execute(
        select(*(getattr(Business, name) for name in _COLUMNS))
        .where(Business.id.in_(asked))
        .order_by(Business.id),
        ids,
    )
    known = {row["id"]: Known(row["id"], dict(row)) for row in found.mappings()}
    await _load_points(session, known, ids)
    for business_id, kind, value in await session.execute(
        select(BusinessAlias.business_id, BusinessAlias.kind, BusinessAlias.value).where(
            BusinessAlias.business_id.in_(asked)
        ),
        ids,
    ):
        known[business_id].aliases.add((kind, value))
    for business_id, folded in await session.execute(
        select(BusinessTag.business_id, Tag.folded)
        .join(Tag, Tag.id == BusinessTag.tag_id)
        .where(BusinessTag.business_id.in_(asked)),
        ids,
    ):
        known[business_id].tags.add(folded)
    await _load_emptied(session, known, ids)
    if history:
        await _load_history(session, known, ids)
    return known


async def _load_emptied(
    session: ReadSession, known: Mapping[int, Known], ids: Mapping[str, str]
) -> None:
    rows = await session.execute(
        select(Event.business_id, Event.data)
        .where(
            Event.business_id.in_(select(_IDS.c.value)),
            Event.kind == EventKind.EDITED,
            Event.is_voided.is_(False),
        )
        .order_by(Event.id),
        ids,
    )
    for business_id, data in rows:
        emptied = known[business_id].emptied
        for name, (before, after) in data.get("fields", {}).items():
            if after is None:
                emptied[name] = before
            else:
                emptied.pop(name, None)


async def _load_points(
    session: ReadSession, known: Mapping[int, Known], ids: Mapping[str, str]
) -> None:
    rows = await session.execute(
        select(
            ContactPoint.business_id,
            ContactPoint.kind,
            ContactPoint.value,
            ContactPoint.person,
            ContactPoint.title,
            ContactPoint.label,
            ContactPoint.domain,
            ContactPoint.state,
            ContactPoint.is_primary,
            ContactPoint.id,
        ).where(ContactPoint.business_id.in_(select(_IDS.c.value))),
        ids,
    )
    for business_id, kind, value, person, title, label, domain, state, primary, id_ in rows:
        known[business_id].points[kind, value] = KnownPoint(
            kind,
            value,
            person,
            title,
            label,
            domain,
            usable=state is not ContactState.INVALID,
            primary=primary,
            id=id_,
        )


async def _load_history(
    session: ReadSession, known: Mapping[int, Known], ids: Mapping[str, str]
) -> None:
    asked = select(_IDS.c.value)
    outcome = case((Event.kind == EventKind.CALL, func.json_extract(Event.data, "$.outcome")))
    for business_id, key, body, at, went in await session.execute(
        select(Event.business_id, Event.key, Event.body, Event.occurred_at, outcome).where(
            Event.business_id.in_(asked), Event.kind.in_(_HISTORY)
        ),
        ids,
    ):
        known[business_id].events.add(key)
        if went:
            known[business_id].calls.add((at, CallOutcome(went)))
        if body:
            known[business_id].notes.append(body.strip())
    for business_id, due_at in await session.execute(
        select(Task.business_id, Task.due_at).where(Task.business_id.in_(asked)), ids
    ):
        known[business_id].due.add(due_at.replace(second=0, microsecond=0))
