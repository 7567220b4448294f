"""Lists from Outscraper's Google Maps scraper, as CSV or JSON (data dictionary: "Google Maps").

Numbers such as `cid` and `owner_id` are not read: a spreadsheet that saved the file has usually
rounded them (1.64E+19), and a rounded key joins businesses that have nothing in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_tui.services import hours
from crm_tui.services.addresses import Address, complete, country_code, without_plus_code
from crm_tui.services.imports import cells
from crm_tui.services.imports.captured import CapturedLead, ReadOptions, RejectedRow
from crm_tui.services.imports.readers.draft import Draft
from crm_tui.services.imports.readers.records import mappings
from crm_tui.services.imports.source import Source

_SOCIAL_COLUMNS = (
    "facebook instagram linkedin twitter x tiktok youtube vimeo pinterest medium reddit snapchat "
    "telegram whatsapp crunchbase company_facebook company_instagram company_linkedin company_x "
    "company_youtube"
).split()
# Ours, and the columns it comes from.
_LEFTOVERS = {
    "search": ("query",),
    "subtypes": ("subtypes",),
    "borough": ("borough",),
    "price_range": ("range", "price_level"),
    "description": ("description", "website_description"),
    "located_in": ("located_in",),
    "website_title": ("website_title",),
    "website_generator": ("website_generator",),
    "maps_url": ("location_link", "place_link"),
    "booking_url": ("booking_appointment_link",),
    "menu_url": ("menu_link",),
    "order_urls": ("order_links",),
    "reservation_urls": ("reservation_links",),
}


def read(source: Source, options: ReadOptions) -> Iterator[CapturedLead | RejectedRow]:
    """Every record of the list."""
    return mappings(source, options, lead)


def lead(record: Mapping[str, Any], row: int, options: ReadOptions) -> CapturedLead | RejectedRow:
    """One place, with all its phones, addresses and pages."""
    address = _address(record)
    draft = Draft(row, address.country or options.default_region)
    draft.website(record.get("site") or record.get("website"))
    draft.phone(record.get("phone"))
    for column in ("phone_1", "phone_2", "phone_3", "contact_phone", "company_phone"):
        draft.phone(record.get(column), warn=False)
    for at in ("email_1", "email_2", "email_3", "email"):
        prefix = "" if at == "email" else f"{at}_"
        draft.email(
            record.get(at),
            person=cells.text(record.get(f"{prefix}full_name")),
            title=cells.text(record.get(f"{prefix}title")),
            warn=False,
        )
    for column in _SOCIAL_COLUMNS:
        draft.social(record.get(column))
    for name, columns in _LEFTOVERS.items():
        draft.keep(name, next(filter(None, (_kept(record.get(c)) for c in columns)), None))
    for name, column in (("verified", "verified"), ("service_area", "area_service")):
        if (known := cells.flag(record.get(column))) is not None:
            draft.custom[name] = known
    return draft.lead(
        cells.text(record.get("name")),
        address,
        category=cells.text(record.get("category")) or cells.text(record.get("type")) or None,
        latitude=cells.number(record.get("latitude"), least=-90, most=90),
        longitude=cells.number(record.get("longitude"), least=-180, most=180),
        timezone=cells.text(record.get("time_zone")) or None,
        rating=cells.number(record.get("rating"), least=0.1, most=5),
        review_count=cells.count(record.get("reviews")),
        photo_count=cells.count(record.get("photos_count")),
        hours=_hours(record),
        place_id=cells.text(record.get("place_id")) or None,
        google_id=cells.text(record.get("google_id")) or None,
        tags=draft.closed(record.get("business_status")),
    )


def _kept(value: Any) -> Any:
    return value if isinstance(value, (list, dict)) else cells.text(value)


def _hours(record: Mapping[str, Any]) -> hours.Hours | None:
    for column in ("working_hours", "working_hours_csv_compatible", "working_hours_old_format"):
        if found := hours.parse(record.get(column)):
            return found
    return None


def _address(record: Mapping[str, Any]) -> Address:
    country = country_code(cells.text(record.get("country_code"))) or country_code(
        cells.text(record.get("country"))
    )
    postal_code = cells.text(record.get("postal_code"))
    if country == "US" and postal_code.isdigit() and len(postal_code) < 5:
        postal_code = postal_code.zfill(5)  # a spreadsheet took 07109 for a number
    known = Address(
        street=without_plus_code(cells.address(record.get("street"))),
        city=cells.text(record.get("city")),
        region=cells.text(record.get("us_state")) or cells.text(record.get("state")),
        postal_code=postal_code,
        country=country,
    )
    line = cells.address(record.get("full_address")) or cells.address(record.get("address"))
    return complete(known, line)
