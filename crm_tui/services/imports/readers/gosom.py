"""Lists from gosom's google-maps-scraper: its CSV, and its JSON lines (`-json`).

The two differ in a few names: the JSON says `web_site`, `longtitude` and `description`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from crm_tui.services import hours
from crm_tui.services.addresses import Address, clean_street, complete, country_code
from crm_tui.services.imports import cells
from crm_tui.services.imports.captured import CapturedLead, ReadOptions, RejectedRow
from crm_tui.services.imports.readers.draft import Draft
from crm_tui.services.imports.readers.records import mappings
from crm_tui.services.imports.source import Source


def read(source: Source, options: ReadOptions) -> Iterator[CapturedLead | RejectedRow]:
    """Every record of the list."""
    return mappings(source, options, lead)


def lead(record: Mapping[str, Any], row: int, options: ReadOptions) -> CapturedLead | RejectedRow:
    """One place."""
    name = cells.text(record.get("title"))
    address = _address(record, name)
    draft = Draft(row, address.country or options.default_region)
    draft.website(record.get("website") or record.get("web_site"))
    draft.phone(record.get("phone"))
    emails = record.get("emails")
    for email in emails if isinstance(emails, list) else [emails]:
        draft.email(email, warn=False)
    borough = cells.text(_object(record.get("complete_address")).get("borough"))
    draft.keep("borough", borough)
    draft.keep("price_range", record.get("price_range"))
    draft.keep("description", record.get("descriptions") or record.get("description"))
    draft.keep("maps_url", record.get("link"))
    draft.keep("menu_url", cells.text(_object(record.get("menu")).get("link")))
    draft.keep("order_urls", _links(record.get("order_online")))
    draft.keep("reservation_urls", _links(record.get("reservations")))
    reviews = cells.count(record.get("review_count"))
    return draft.lead(
        name,
        address,
        category=cells.text(record.get("category")) or None,
        latitude=cells.number(record.get("latitude"), least=-90, most=90),
        longitude=cells.number(_longitude(record), least=-180, most=180),
        timezone=cells.text(record.get("timezone")) or None,
        rating=cells.number(record.get("review_rating"), least=0.1, most=5),
        review_count=reviews,
        hours=hours.parse(record.get("open_hours")),
        place_id=_place_id(record),
        google_id=cells.text(record.get("data_id")) or None,
        tags=draft.closed(record.get("status")),
    )


def _longitude(record: Mapping[str, Any]) -> Any:
    found = record.get("longitude")
    return record.get("longtitude") if found is None or found == "" else found


def _decoded(value: Any) -> Any:
    """A nested value, which the CSV holds as JSON text."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None
    return value


def _object(value: Any) -> Mapping[str, Any]:
    decoded = _decoded(value)
    return decoded if isinstance(decoded, dict) else {}


def _links(value: Any) -> list[str]:
    decoded = _decoded(value)
    links = decoded if isinstance(decoded, list) else []
    return [text for link in links if (text := cells.text(_object(link).get("link")))]


def _place_id(record: Mapping[str, Any]) -> str | None:
    """Newer versions name it; older ones only in the link to the reviews."""
    if place_id := cells.text(record.get("place_id")):
        return place_id
    try:
        query = urlsplit(cells.text(record.get("reviews_link"))).query
    except ValueError:
        return None
    return next(iter(parse_qs(query).get("placeid", ())), None)


def _address(record: Mapping[str, Any], name: str) -> Address:
    parts = _object(record.get("complete_address"))
    country = country_code(cells.text(parts.get("country")))
    street, postal_code = clean_street(
        cells.address(parts.get("street")),
        postal_code=cells.text(parts.get("postal_code")),
        country=country,
    )
    known = Address(
        street=street,
        city=cells.text(parts.get("city")),
        region=cells.text(parts.get("state")),
        postal_code=postal_code,
        country=country,
    )
    line = cells.address(record.get("address"))
    return complete(known, line.replace(name, "") if name else line)
