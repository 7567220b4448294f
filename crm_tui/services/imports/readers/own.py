"""This program's own exports, CSV or JSON, taken back whole.

The columns serve two readers. People read and edit the plain ones; `points` and `custom` hold as
JSON what a cell cannot say. Where a person changed the phone, e-mail or website of a row, what
they wrote comes first, before the points. `website_status` is for people alone: it follows from the
sites of a lead, which no export holds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, time
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from crm_tui.clock import parse_time
from crm_tui.services import contacts, hours
from crm_tui.services.addresses import Address, country_code
from crm_tui.services.imports import cells
from crm_tui.services.imports.captured import (
    CapturedCall,
    CapturedLead,
    CapturedPoint,
    ReadOptions,
    RejectedRow,
)
from crm_tui.services.imports.readers.draft import Draft
from crm_tui.services.imports.readers.records import mappings
from crm_tui.services.imports.source import Source
from crm_tui.vocabulary import CallOutcome, ContactKind, ContactState, ContactStatus, Outcome

COLUMNS = tuple(
    """
    key name category phone email website street city region postal_code country
    contact_status website_status outcome outcome_reason tags notes calls last_contacted
    do_not_contact follow_up follow_up_note rating review_count photo_count latitude longitude timezone hours
    place_id google_id created_at archived_at points custom
    """.split()
)
"""The columns of an export, in order; the names of a JSON export's values as well."""

Word = TypeVar("Word", bound=StrEnum)
_PLAIN_COLUMNS = (
    ("phone", ContactKind.PHONE),
    ("email", ContactKind.EMAIL),
    ("website", ContactKind.WEBSITE),
)


def read(source: Source, options: ReadOptions) -> Iterator[CapturedLead | RejectedRow]:
    """Every lead of the export."""
    to_lead = _from_cells if source.layout == "table" else lead
    return mappings(source, options, to_lead)


def _from_cells(
    record: Mapping[str, Any], row: int, options: ReadOptions
) -> CapturedLead | RejectedRow:
    return lead({name: cells.unprotected(cell) for name, cell in record.items()}, row, options)


def lead(record: Mapping[str, Any], row: int, options: ReadOptions) -> CapturedLead | RejectedRow:
    """One lead, as it was exported or as a person changed it since."""
    address = Address(
        street=cells.text(record.get("street")),
        city=cells.text(record.get("city")),
        region=cells.text(record.get("region")),
        postal_code=cells.text(record.get("postal_code")),
        country=country_code(cells.text(record.get("country"))),
    )
    draft = Draft(row, address.country or options.default_region)
    _add_points(record, draft)
    custom = _json(record.get("custom"))
    if isinstance(custom, dict):
        draft.custom.update(cells.plain_json(custom))
    return draft.lead(
        cells.text(record.get("name")),
        address,
        category=cells.text(record.get("category")) or None,
        latitude=cells.number(record.get("latitude"), least=-90, most=90),
        longitude=cells.number(record.get("longitude"), least=-180, most=180),
        timezone=cells.text(record.get("timezone")) or None,
        rating=cells.number(record.get("rating"), least=0, most=5),
        review_count=cells.count(record.get("review_count")),
        photo_count=cells.count(record.get("photo_count")),
        hours=hours.parse(record.get("hours")),
        place_id=cells.text(record.get("place_id")) or None,
        google_id=cells.text(record.get("google_id")) or None,
        notes=_texts(record.get("notes")),
        calls=_calls(record.get("calls"), options),
        tags=cells.words(_json(record.get("tags"))),
        status=_word(ContactStatus, record.get("contact_status")),
        outcome=_word(Outcome, record.get("outcome")),
        outcome_reason=cells.lines(record.get("outcome_reason")) or None,
        last_contacted=_moment(record, "last_contacted", draft, options),
        do_not_contact=cells.do_not_contact(record.get("do_not_contact")),
        follow_up=_moment(record, "follow_up", draft, options),
        follow_up_note=cells.lines(record.get("follow_up_note")) or None,
        created_at=_moment(record, "created_at", draft, options),
        archived_at=_moment(record, "archived_at", draft, options),
        key=_key(record.get("key")),
    )


def _add_points(record: Mapping[str, Any], draft: Draft) -> None:
    points = {
        (point.kind, point.value): point
        for item in _list(_json(record.get("points")))
        if (point := _point(item)) is not None
    }
    for column, kind in _PLAIN_COLUMNS:
        written = cells.text(record.get(column))
        if (kind, written) in points:
            draft.point(replace(points[kind, written], primary=True))
        elif kind is ContactKind.PHONE:
            draft.phone(written)
        elif kind is ContactKind.EMAIL:
            draft.email(written)
        else:
            draft.website(written)
    for point in points.values():
        draft.point(point)


def _point(item: Any) -> CapturedPoint | None:
    if not isinstance(item, dict) or item.get("kind") not in set(ContactKind):
        return None
    value = cells.text(item.get("value"))
    if not value:
        return None
    kind = ContactKind(item["kind"])
    found = _normalised(kind, value)
    return CapturedPoint(
        kind=kind,
        value=value,
        raw=cells.text(item.get("raw")) or value,
        person=cells.text(item.get("person")),
        title=cells.text(item.get("title")),
        label=cells.text(item.get("label")),
        domain=found.domain if found and kind is not ContactKind.SOCIAL else "",
        valid=found is not None and found.valid and item.get("state") != ContactState.INVALID,
        state=_word(ContactState, item.get("state")),
        problem=found.problem if found else "",
    )


def _normalised(kind: ContactKind, value: str) -> contacts.Contact | None:
    if kind is ContactKind.PHONE:
        return contacts.phone(value, "")
    return contacts.email(value) if kind is ContactKind.EMAIL else contacts.website(value)


def _word(words: type[Word], value: Any) -> Word | None:
    text = cells.text(value)
    return words(text) if text in set(words) else None


def _json(value: Any) -> Any:
    """A value that a cell holds as JSON text; any other as it is."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> tuple[str, ...]:
    """One note, or several as a JSON list."""
    decoded = _json(value)
    notes = decoded if isinstance(decoded, list) else [decoded]
    return tuple(text for note in notes if (text := cells.lines(note)))


def _calls(value: Any, options: ReadOptions) -> tuple[CapturedCall, ...]:
    """The calls that can be read, each in its place."""
    found = []
    for item in _list(_json(value)):
        if not isinstance(item, dict):
            continue
        at = parse_time(cells.text(item.get("at")), zone=options.zone)
        outcome = _word(CallOutcome, item.get("outcome"))
        if at is not None and outcome is not None:
            found.append(CapturedCall(at, outcome, cells.lines(item.get("text"))))
    return tuple(found)


def _moment(
    record: Mapping[str, Any], column: str, draft: Draft, options: ReadOptions
) -> datetime | None:
    written = cells.text(record.get(column))
    if not written:
        return None
    order = cells.usual_date_order(options.default_region)
    at = time(9) if column == "follow_up" else time(0)
    found = cells.moment(written, order=order, zone=options.zone, at=at)
    if found is None:
        draft.keep(column, written)
        draft.warn(column, written, "not a date")
    return found


def _key(value: Any) -> str | None:
    try:
        return str(uuid.UUID(cells.text(value)))
    except ValueError:
        return None
