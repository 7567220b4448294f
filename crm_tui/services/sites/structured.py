"""The business in the words of schema.org, for search engines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from crm_tui.services.sites.facts import DAYS, SiteFacts

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def structured_data(
    facts: SiteFacts,
    schema: str,
    *,
    phone: str,
    email: str,
    address: bool,
    map_url: str,
    links: Sequence[str],
) -> str:
    """A LocalBusiness as JSON-LD, safe inside a script element.

    The rating is left out: search engines ask sites not to mark up ratings that others collected.

    Args:
        facts: The facts, tidied.
        schema: The type: LocalBusiness or one of its kinds.
        phone: E.164, or empty.
        email: The address if it is one, or empty.
        address: Whether the page shows a postal address.
        map_url: Where the map is, or empty.
        links: Addresses of its other pages.
    """
    document: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": schema,
        "name": facts.name,
        "telephone": phone,
        "email": email,
        "priceRange": facts.price_range,
        "areaServed": facts.service_area,
        "hasMap": map_url,
        "sameAs": list(links),
        "openingHoursSpecification": [
            {
                "@type": "OpeningHoursSpecification",
                "dayOfWeek": name,
                "opens": start,
                "closes": "23:59" if end == "24:00" else end,
            }
            for day, name in zip(DAYS, _DAYS, strict=True)
            for start, end in facts.hours.get(day, [])
        ],
    }
    if address:
        document["address"] = {"@type": "PostalAddress"} | _known(
            streetAddress=facts.street,
            addressLocality=facts.city,
            addressRegion=facts.region,
            postalCode=facts.postal_code,
            addressCountry=facts.country,
        )
    if facts.latitude is not None and facts.longitude is not None:
        document["geo"] = {
            "@type": "GeoCoordinates",
            "latitude": facts.latitude,
            "longitude": facts.longitude,
        }
    text = json.dumps(_known(**document), ensure_ascii=False)
    # Inside a script element nothing is escaped, so nothing may look like markup.
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
