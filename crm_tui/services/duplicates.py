"""Leads that may be one business: found by the rules of the import, the surest first.

What an import would take for the same (a phone, an address, a domain with a similar name) is looked
for among the leads that are there; what it would only call alike comes after. Different place ids
make different businesses, and what the operator said is not the same is never suggested again.

Each kind of key is walked through in the order of its index, a page at a time, and only as far as
suggestions are wanted: a store of a million leads costs no more memory than a small one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations, islice
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint, Distinct, Merge
from crm_tui.errors import BadInput, NotFound
from crm_tui.services.contacts import is_role_address
from crm_tui.services.imports.known import Known, candidates, load
from crm_tui.services.imports.match import LOOKED_AT, By, Identity, Verdict, compare, similar
from crm_tui.services.merged import why_missing
from crm_tui.text import fold

PAGE = 300
"""Keys that are shared, and looked at in one go."""

_ADDRESSES = 5_000
"""Addresses that several leads share, and whose leads' names are compared."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two leads that may be one business.

    Attributes:
        keep_id: the one to keep: the one contact has come further with, else the older.
        other_id: the other.
        reason: why, in words.
        certainty: 0 to 100.
    """

    keep_id: int
    other_id: int
    reason: str
    certainty: int


_SURE = {By.PHONE: 80, By.EMAIL: 85, By.DOMAIN: 75}
"""The certainty of what an import would merge, where only the names are not similar."""
_ALIKE = {By.EMAIL: 50, By.DOMAIN: 35, By.TWIN: 70}
_SIMILAR_TOO = 10
_SAME_PLACE = 60


async def suggestions(
    db: Database,
    *,
    limit: int = 100,
    so_far: Callable[[list[Suggestion]], None] = lambda _found: None,
) -> list[Suggestion]:
    """Pairs of leads that may be one business, the surest first; archived ones are left out.

    Cancelling the task stops it at once.

    Args:
        db: the store.
        limit: at most so many.
        so_far: told what was found whenever that is more, in its order.
    """
    found: dict[tuple[int, int], Suggestion] = {}
    for shared, at_best in _SHARED:
        if sum(each.certainty >= at_best for each in found.values()) >= limit:
            continue  # it can suggest nothing surer
        of_kind = 0
        async for groups in shared(db):
            async with db.read() as session:
                new = await _among(session, groups)
            fresh = {_pair(each): each for each in new if _pair(each) not in found}
            found |= fresh
            of_kind += len(fresh)
            if fresh:
                so_far(sorted(found.values(), key=_order)[:limit])
            if of_kind >= limit:
                break
    return sorted(found.values(), key=_order)[:limit]


async def suggestions_for(
    session: ReadSession, lead_id: int, *, limit: int = 20
) -> list[Suggestion]:
    """What may be the same business as one lead, the surest first.

    Raises:
        NotFound: there is no such lead.
    """
    lead = (await load(session, [lead_id])).get(lead_id)
    if lead is None:
        raise NotFound(await why_missing(session, lead_id))
    near = set(await candidates(session, [_identity(lead)])) - {lead_id}
    near |= set(await _neighbours(session, lead)) - {lead_id}
    found = await _among(session, [[lead_id, each] for each in sorted(near)])
    return sorted(found, key=_order)[:limit]


async def remaining(session: ReadSession, found: Sequence[Suggestion]) -> list[Suggestion]:
    """What is left to decide of suggestions after some were decided, in their order.

    A lead that was merged since stands for the one it went into.
    """
    ids = {lead for each in found for lead in (each.keep_id, each.other_id)}
    asked = select(func.json_each(json.dumps(sorted(ids))).table_valued("value").c.value)
    rows = await session.execute(
        select(Merge.merged_id, Merge.kept_id).where(Merge.merged_id.in_(asked))
    )
    heirs = {row.merged_id: row.kept_id for row in rows}
    there = set(
        await session.scalars(
            select(Business.id).where(
                Business.id.in_([*(ids - set(heirs)), *heirs.values()]),
                Business.erased_at.is_(None),
            )
        )
    )
    apart = await _said_distinct(session, sorted(there))
    left: dict[tuple[int, int], Suggestion] = {}
    for each in found:
        keep, other = heirs.get(each.keep_id, each.keep_id), heirs.get(each.other_id, each.other_id)
        pair = (min(keep, other), max(keep, other))
        if keep != other and pair not in apart and {keep, other} <= there:
            left.setdefault(pair, replace(each, keep_id=keep, other_id=other))
    return list(left.values())


async def pairs_of(session: ReadSession, lead_ids: Sequence[int]) -> list[Suggestion]:
    """Leads chosen by hand, each of the others with the one to keep."""
    known = await load(session, lead_ids)
    keep, *others = sorted(known, key=lambda lead: _standing(known[lead]))
    return [Suggestion(keep, other, "", 0) for other in others]


async def say_distinct(session: WriteSession, one_id: int, other_id: int, *, now: datetime) -> None:
    """Remember that two leads are not the same.

    Raises:
        NotFound: one of them is not there.
        BadInput: they are one lead.
    """
    if one_id == other_id:
        raise BadInput("That is one lead; name two.")
    low, high = sorted((one_id, other_id))
    there = set(await session.scalars(select(Business.id).where(Business.id.in_((low, high)))))
    for lead_id in (low, high):
        if lead_id not in there:
            raise NotFound(await why_missing(session, lead_id))
    await session.execute(
        insert(Distinct).values(low_id=low, high_id=high, said_at=now).on_conflict_do_nothing()
    )


def _pair(suggestion: Suggestion) -> tuple[int, int]:
    low, high = sorted((suggestion.keep_id, suggestion.other_id))
    return low, high


def _order(suggestion: Suggestion) -> tuple[int, int, int]:
    return -suggestion.certainty, suggestion.keep_id, suggestion.other_id


# Comparing ---------------------------------------------------------------------------------------


async def _among(session: ReadSession, groups: Sequence[Sequence[int]]) -> list[Suggestion]:
    """Suggestions within groups of leads that share something.

    In a group each lead is compared with those before it, and told of with the first it is like.
    """
    ids = sorted({lead for group in groups for lead in group})
    known = await load(session, ids)
    identities = {lead: _identity(each) for lead, each in known.items()}
    apart = await _said_distinct(session, ids)
    found = []
    for group in groups:
        told: set[int] = set()
        for one, other in combinations(sorted(set(group) & set(known)), 2):
            if other in told or (one, other) in apart:
                continue
            why = _likeness(known[one], known[other], identities[one], identities[other])
            if why is not None:
                told.add(other)
                keep, merge = sorted((one, other), key=lambda lead: _standing(known[lead]))
                found.append(Suggestion(keep, merge, *why))
    return found


def _identity(known: Known) -> Identity:
    """What leads to a lead; a number that was found to be wrong leads to nobody."""
    usable = {key: point for key, point in known.points.items() if point.usable}
    return replace(known, points=usable).identity()


def _likeness(
    one: Known, other: Known, identity: Identity, other_identity: Identity
) -> tuple[str, int] | None:
    """Why two leads may be the same, and how certain that is."""
    likeness = compare(identity, other_identity)
    alike = similar(identity.name, other_identity.name)
    if likeness.verdict is Verdict.SAME:
        certainty = _SURE.get(likeness.by, 100)
        if likeness.by is By.PHONE and alike:
            return f"{likeness.why} and a similar name", certainty + _SIMILAR_TOO
        return likeness.why, certainty + (_SIMILAR_TOO if alike and certainty < 100 else 0)
    if likeness.verdict is Verdict.ALIKE:
        return likeness.why, _ALIKE[likeness.by]
    if alike and _at_one_place(one, other) and not _two_places(identity, other_identity):
        if one.values["sort_name"] == other.values["sort_name"]:
            return "same name and address", _SAME_PLACE + _SIMILAR_TOO
        return "similar names, same address", _SAME_PLACE
    return None


def _at_one_place(one: Known, other: Known) -> bool:
    return bool(_place(one)) and _place(one) == _place(other)


def _place(known: Known) -> tuple[str, str] | None:
    street, city = known.values["street"], known.values["city_folded"]
    return (fold(street), city) if street and city else None


def _two_places(one: Identity, other: Identity) -> bool:
    """Whether their place ids say that they are two businesses."""
    return any(by in one.keys and by in other.keys for by in (By.PLACE_ID, By.GOOGLE_ID))


def _standing(known: Known) -> tuple[int, bool, int]:
    """The order of who is kept: how far contact has come, an id of its place, and the older."""
    return -known.values["contact_status"].rank, known.values["place_id"] is None, known.id


async def _said_distinct(session: ReadSession, ids: Sequence[int]) -> set[tuple[int, int]]:
    asked = select(func.json_each(json.dumps(ids)).table_valued("value").c.value)
    rows = await session.execute(
        select(Distinct.low_id, Distinct.high_id).where(Distinct.low_id.in_(asked))
    )
    return {(low, high) for low, high in rows}


# What leads share --------------------------------------------------------------------------------

_Groups = AsyncIterator[list[list[int]]]


async def _phones(db: Database) -> _Groups:
    async for page in _pages(db, _shared_values("phone", "value > :last AND value < ','"), "+"):
        yield await _groups(db, ContactPoint.value, page, ContactPoint.kind == "phone")


async def _emails(db: Database) -> _Groups:
    async for page in _pages(db, _shared_values("email", "value > :last"), ""):
        addresses = [value for value in page if not is_role_address(value)]
        yield await _groups(db, ContactPoint.value, addresses, ContactPoint.kind == "email")


def _shared_values(kind: str, where: str) -> str:
    return (
        f"SELECT value FROM contact_point WHERE kind = '{kind}' AND {where}"  # noqa: S608 - our own words
        " GROUP BY value HAVING count(*) > 1 ORDER BY value LIMIT :page"
    )


async def _domains(db: Database) -> _Groups:
    # The index alone tells which domains stand there twice; most often that is the address and the
    # website of one lead, and only those are looked up.
    shared = (
        "SELECT domain FROM (SELECT domain FROM contact_point"
        "  WHERE domain IS NOT NULL AND domain > :last GROUP BY domain HAVING count(*) > 1) AS twice"
        " WHERE (SELECT min(business_id) <> max(business_id) FROM contact_point AS point"
        "  WHERE point.domain = twice.domain) ORDER BY domain LIMIT :page"
    )
    async for page in _pages(db, shared, ""):
        yield await _groups(db, ContactPoint.domain, page)


async def _pages(db: Database, statement: str, first: str) -> AsyncIterator[list[str]]:
    """The values a statement finds after the last one, a page at a time."""
    last = first
    while True:
        async with db.read() as session:
            found = await session.scalars(text(statement), {"last": last, "page": PAGE})
            page = list(found)
        if page:
            yield page
        if len(page) < PAGE:
            return
        last = page[-1]


async def _groups(db: Database, shared: Any, values: Sequence[str], *where: Any) -> list[list[int]]:
    """The leads that share each of these values, where they can be the same at all."""
    asked = select(func.json_each(json.dumps(values)).table_valued("value").c.value)
    async with db.read() as session:
        rows = await session.execute(
            select(shared, Business.id, Business.place_id)
            .join(Business, Business.id == ContactPoint.business_id)
            .where(shared.in_(asked), *where, Business.archived_at.is_(None))
            .order_by(Business.id)
        )
        return _possible(rows.all())


async def _twins(db: Database) -> _Groups:
    """Leads of the same name with the same postcode."""
    statement = text(
        "SELECT sort_name, postal_code FROM business"
        " WHERE (sort_name, postal_code) > (:name, :code) AND postal_code IS NOT NULL"
        " GROUP BY sort_name, postal_code HAVING count(*) > 1 ORDER BY 1, 2 LIMIT :page"
    )
    members = text(
        "SELECT b.sort_name || char(10) || b.postal_code, b.id, b.place_id FROM json_each(:pairs)"
        " AS p JOIN business AS b ON b.sort_name = json_extract(p.value, '$[0]')"
        " AND b.postal_code = json_extract(p.value, '$[1]') WHERE b.archived_at IS NULL"
        " ORDER BY b.id"
    )
    last = ("", "")
    while True:
        async with db.read() as session:
            found = await session.execute(
                statement, {"name": last[0], "code": last[1], "page": PAGE}
            )
            pairs = [(name, code) for name, code in found]
            rows = await session.execute(members, {"pairs": json.dumps(pairs)})
            groups = _possible(rows.all())
        yield groups
        if len(pairs) < PAGE:
            return
        last = pairs[-1]


async def _places(db: Database) -> _Groups:
    """Leads in the same street and city; there is no index of these, so it is one pass.

    From front to back, and sorted by one text: following the index of cities, and comparing two
    columns, takes four times as long.
    """
    statement = text(
        "SELECT json_group_array(id) FROM business"
        " WHERE street IS NOT NULL AND +city_folded IS NOT NULL AND +archived_at IS NULL"
        " GROUP BY lower(street) || char(10) || city_folded"
        " HAVING count(*) BETWEEN 2 AND :most AND count(*) > count(place_id) LIMIT :addresses"
    )
    limits = {"most": LOOKED_AT, "addresses": _ADDRESSES}
    async with db.read() as session:
        groups = [json.loads(ids) for ids in await session.scalars(statement, limits)]
    for start in range(0, len(groups), PAGE):
        yield groups[start : start + PAGE]


async def _neighbours(session: ReadSession, lead: Known) -> list[int]:
    """Leads in the same street and city as one."""
    place = _place(lead)
    if place is None:
        return []
    street, city = place
    found = await session.scalars(
        select(Business.id)
        .where(
            Business.city_folded == city,
            func.fold(Business.street) == street,
            Business.archived_at.is_(None),
        )
        .order_by(Business.id)
        .limit(LOOKED_AT)
    )
    return list(found)


def _possible(rows: Iterable[Any]) -> list[list[int]]:
    """Groups of leads by what they share: those in which not every lead has its own place id."""
    groups: dict[str, dict[int, bool]] = {}
    for value, lead, place_id in rows:
        groups.setdefault(value, {})[lead] = place_id is not None
    return [
        list(islice(leads, LOOKED_AT))
        for leads in groups.values()
        if len(leads) > 1 and not all(leads.values())
    ]


_SHARED = ((_phones, 100), (_emails, 95), (_twins, 70), (_domains, 85), (_places, 70))
"""What leads can share, the quickly found first, with the certainty that it suggests at best."""
