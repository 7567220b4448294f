"""The search index: what it holds of a business, and how words become a query on it."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from typing import Any

from sqlalchemy import (
    Integer,
    Select,
    bindparam,
    column,
    delete,
    func,
    literal,
    select,
    table,
    text,
    true,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint, Event, SearchDoc
from crm_tui.db.types import listed
from crm_tui.text import fold
from crm_tui.vocabulary import ContactKind, EventKind

_INDEX = table("search_index", column("rowid", Integer))
_PHONE_LIKE = re.compile(r"\+?[\d(][\d()./-]*\d[\d()./-]*")
_TOKEN = re.compile(r"\w+")
_NORTH_AMERICAN = re.compile(r"\+1[2-9]\d{9}")
_CHUNK = 500


def phone_words(e164: str) -> str:
    """A phone in the forms it is typed in: with country code, without, and from each group on.

    "+15188711647" gives "15188711647 5188711647 8711647 1647", so that any beginning of a group
    finds it. What a list wrote that is no number stays as it is.
    """
    if _NORTH_AMERICAN.fullmatch(e164):  # as below, without the 100 µs that it takes
        return f"{e164[1:]} {e164[2:]} {e164[5:]} {e164[8:]}"
    import phonenumbers  # noqa: PLC0415 - 40 ms that a start does not need

    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    national = phonenumbers.national_significant_number(number)
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    groups = written.replace("-", " ").split()[1:]
    tails = ("".join(groups[i:]) for i in range(len(groups)))
    return " ".join(dict.fromkeys((e164[1:], national, *tails)))


def match(words: str) -> str | None:
    """An FTS5 query for what was typed: every word, each as the beginning of a word.

    Returns None where nothing that can be searched for was typed.
    """
    terms: list[str] = []
    for word in words.split():
        digits = re.sub(r"\D", "", word)
        if len(digits) >= 3 and _PHONE_LIKE.fullmatch(word):
            terms.append(f'"{digits}"*')
        else:
            terms += [f'"{token}"*' for token in _TOKEN.findall(word)]
    return " AND ".join(terms) if terms else None


def phrase(words: str) -> str | None:
    """An FTS5 query for words that follow each other; a number may be written in any way."""
    tokens = " ".join(_TOKEN.findall(words))
    digits = re.sub(r"\D", "", words)
    if len(digits) >= 7 and _PHONE_LIKE.fullmatch(words.replace(" ", "")):
        return f'("{tokens}" OR "{digits}"*)'
    return f'"{tokens}"' if tokens else None


def found(query: str) -> Select[int]:
    """The ids of the businesses that an FTS5 query, made by `match` or `phrase`, finds."""
    return select(_INDEX.c.rowid).where(
        text("search_index MATCH :words").bindparams(bindparam("words", query, unique=True))
    )


def document(
    business: Mapping[str, Any],
    points: Sequence[tuple[ContactKind, str, str | None]],
    notes: Sequence[str],
) -> dict[str, Any]:
    """A row of search_doc from a business's columns, its points (kind, value, person) and notes."""
    by_kind: dict[ContactKind, list[str]] = {}
    people: list[str] = []
    for kind, value, person in points:
        by_kind.setdefault(kind, []).append(value)
        if person:
            people.append(person)
    address = (business.get(part) for part in ("street", "postal_code", "region", "country"))
    return {
        "business_id": business["id"],
        "name": " ".join([business["name"], *people]),
        "phone": " ".join(map(phone_words, by_kind.get(ContactKind.PHONE, ()))),
        "email": " ".join(by_kind.get(ContactKind.EMAIL, ())),
        "address": " ".join(part for part in address if part),
        "city": business.get("city") or "",
        "category": business.get("category") or "",
        "notes": "\n".join(notes),
    }


async def index(session: WriteSession, business_ids: Sequence[int]) -> None:
    """Bring the search index up to date for these businesses."""
    for start in range(0, len(business_ids), _CHUNK):
        documents = await documents_of(session, business_ids[start : start + _CHUNK])
        await write(session, documents)


async def index_address(session: WriteSession, business_ids: Collection[int]) -> None:
    """As `index`, where nothing but the address or the category has changed: far quicker."""
    parts = (Business.street, Business.postal_code, Business.region, Business.country)
    joined = reduce(operator.add, (func.coalesce(literal(" ") + part, "") for part in parts))
    await session.execute(
        update(SearchDoc)
        .where(SearchDoc.business_id == Business.id, Business.id.in_(listed(business_ids)))
        .values(
            address=func.substr(joined, 2),
            city=func.coalesce(Business.city, ""),
            category=func.coalesce(Business.category, ""),
        )
        .execution_options(synchronize_session=None)
    )


async def write(session: WriteSession, documents: Sequence[dict[str, Any]]) -> None:
    """Write rows made by `document`, over those that are there."""
    if not documents:
        return
    # In one statement: the index writes out what it holds in memory at the end of each.
    names = list(documents[0])
    rows = func.json_each(json.dumps(documents)).table_valued("value")
    given = select(*(func.json_extract(rows.c.value, f"$.{name}") for name in names)).where(true())
    statement = insert(SearchDoc).from_select(names, given)
    fields = {name: statement.excluded[name] for name in names if name != "business_id"}
    await session.flush()
    connection = await session.connection()
    await connection.execute(
        statement.on_conflict_do_update(index_elements=[SearchDoc.business_id], set_=fields)
    )


async def remove(session: WriteSession, business_ids: Sequence[int]) -> None:
    """Take businesses out of the index."""
    await session.execute(delete(SearchDoc).where(SearchDoc.business_id.in_(listed(business_ids))))


async def documents_of(session: ReadSession, business_ids: Sequence[int]) -> list[dict[str, Any]]:
    """What the index should hold of these businesses."""
    columns = ("id", "name", "street", "postal_code", "region", "country", "city", "category")
    businesses = await session.execute(
        select(*(getattr(Business, name) for name in columns)).where(
            Business.id.in_(listed(business_ids))
        )
    )
    points: dict[int, list[tuple[ContactKind, str, str | None]]] = {}
    for business_id, kind, value, person in await session.execute(
        select(ContactPoint.business_id, ContactPoint.kind, ContactPoint.value, ContactPoint.person)
        .where(ContactPoint.business_id.in_(listed(business_ids)))
        .order_by(ContactPoint.id)
    ):
        points.setdefault(business_id, []).append((kind, value, person))
    notes = await _notes(session, business_ids)
    return [
        document(dict(row), points.get(row["id"], ()), notes.get(row["id"], ()))
        for row in businesses.mappings()
    ]


async def _notes(session: ReadSession, business_ids: Sequence[int]) -> dict[int, list[str]]:
    notes: dict[int, list[str]] = {}
    rows = await session.execute(
        select(Event.business_id, Event.body)
        .where(
            Event.business_id.in_(listed(business_ids)),
            Event.kind.in_((EventKind.NOTE, EventKind.CALL)),
            Event.body.is_not(None),
            Event.is_voided.is_(False),
        )
        .order_by(Event.id)
    )
    for business_id, body in rows:
        assert body is not None
        notes.setdefault(business_id, []).append(body)
    return notes


FOLDED = {name: f"{name}_folded" for name in ("name", "category", "city", "region", "source")}
"""The fields of a business that are kept folded too, and in which columns."""


def folded(values: Mapping[str, Any]) -> dict[str, str | None]:
    """The folded columns that go with these fields, as far as they are given."""
    return {
        column: fold(values[name]) if values[name] else None
        for name, column in FOLDED.items()
        if name in values
    }


def sort_name(name: str) -> str:
    """The name as it is sorted: no case, no accents, no leading article or punctuation."""
    folded = fold(name).lstrip("\"'([{#*-\u2013 ")
    for article in ("the ", "a ", "an "):
        if folded.startswith(article) and len(folded) > len(article):
            return folded[len(article) :]
    return folded or fold(name) or name
