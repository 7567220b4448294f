"""Results of Google Places (New) text search (reference: "Place" resource, "Text Search (New)").

A file holds one page as the API answers, a list of pages, or one page a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from crm_tui.services import hours
from crm_tui.services.addresses import Address, complete, country_code
from crm_tui.services.imports import cells
from crm_tui.services.imports.captured import CapturedLead, ReadOptions, RejectedRow
from crm_tui.services.imports.readers.draft import Draft
from crm_tui.services.imports.readers.records import mappings
from crm_tui.services.imports.source import Source

_FEATURE_ID = re.compile(r"0x[0-9a-f]+:0x[0-9a-f]+")
_PRICE_LEVELS = {
    "PRICE_LEVEL_INEXPENSIVE": "$",
    "PRICE_LEVEL_MODERATE": "$$",
    "PRICE_LEVEL_EXPENSIVE": "$$$",
    "PRICE_LEVEL_VERY_EXPENSIVE": "$$$$",
}
_TOWN_TYPES = ("locality", "postal_town", "sublocality", "administrative_area_level_3")
_BROAD_TYPES = frozenset({"point_of_interest", "establishment"})


def read(source: Source, options: ReadOptions) -> Iterator[CapturedLead | RejectedRow]:
    """Every place of every page."""
    return mappings(source, options, lead)


def lead(record: Mapping[str, Any], row: int, options: ReadOptions) -> CapturedLead | RejectedRow:
    """One place."""
    address = _address(record)
    draft = Draft(row, address.country or options.default_region)
    draft.website(record.get("websiteUri"))
    draft.phone(record.get("internationalPhoneNumber") or record.get("nationalPhoneNumber"))
    types = [name for name in _list(record, "types") if name not in _BROAD_TYPES]
    draft.keep("subtypes", ", ".join(_words(name) for name in types))
    draft.keep("price_range", _PRICE_LEVELS.get(cells.text(record.get("priceLevel"))))
    draft.keep("description", _text_of(record, "editorialSummary"))
    draft.keep("maps_url", record.get("googleMapsUri"))
    if record.get("pureServiceAreaBusiness") is True:
        draft.custom["service_area"] = True
    location = _dict(record, "location")
    photos = record.get("photos")
    place_id = cells.text(record.get("id")) or cells.text(record.get("name")).removeprefix(
        "places/"
    )
    feature = _FEATURE_ID.search(cells.text(_dict(record, "googleMapsLinks").get("directionsUri")))
    return draft.lead(
        _text_of(record, "displayName"),
        address,
        category=_text_of(record, "primaryTypeDisplayName")
        or _words(cells.text(record.get("primaryType")) or next(iter(types), ""))
        or None,
        latitude=cells.number(location.get("latitude"), least=-90, most=90),
        longitude=cells.number(location.get("longitude"), least=-180, most=180),
        timezone=cells.text(_dict(record, "timeZone").get("id")) or None,
        rating=cells.number(record.get("rating"), least=0.1, most=5),
        review_count=cells.count(record.get("userRatingCount")),
        photo_count=len(photos) if isinstance(photos, list) else None,
        hours=hours.parse(record.get("regularOpeningHours") or record.get("currentOpeningHours")),
        place_id=place_id or None,
        google_id=feature[0] if feature else None,
        tags=draft.closed(record.get("businessStatus")),
    )


def _dict(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _list(record: Mapping[str, Any], name: str) -> list[str]:
    value = record.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _text_of(record: Mapping[str, Any], name: str) -> str:
    """A localised text, as {"text": …} or plain."""
    value = record.get(name)
    return cells.text(value.get("text") if isinstance(value, dict) else value)


def _words(type_name: str) -> str:
    """A type as words: "Steak house" of steak_house."""
    return type_name.replace("_", " ").capitalize()


def _address(record: Mapping[str, Any]) -> Address:
    postal = _dict(record, "postalAddress")
    components = record.get("addressComponents")
    by_type = {
        kind: component
        for component in (components if isinstance(components, list) else [])
        if isinstance(component, dict)
        for kind in _list(component, "types")
    }

    def component(kind: str, form: str = "longText") -> str:
        return cells.text(by_type.get(kind, {}).get(form))

    town = next((name for kind in _TOWN_TYPES if (name := component(kind))), "")
    known = Address(
        street=", ".join(_list(postal, "addressLines")),
        city=cells.text(postal.get("locality")) or town,
        region=cells.text(postal.get("administrativeArea"))
        or component("administrative_area_level_1", "shortText"),
        postal_code=cells.text(postal.get("postalCode")) or component("postal_code"),
        country=country_code(
            cells.text(postal.get("regionCode")) or component("country", "shortText")
        ),
    )
    return complete(known, cells.address(record.get("formattedAddress")))
