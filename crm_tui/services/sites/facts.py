"""What a site is made from: the facts of one business, and the hash that says they changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import msgspec

from crm_tui.services.sites.texts import SiteTexts

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Ratings are shown only where they flatter.
LEAST_RATING = 4.0
LONGEST_NAME = 160

# Characters no page may carry: bidi controls and invisible format characters (but the joiners that
# emoji and several scripts need), non-characters, lone surrogates. Controls become spaces.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff\ud800-\udfff]+"
)
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d\Z|24:00\Z")
_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """The facts of one business, as a site shows them; an unknown one is empty or None.

    Attributes:
        key: The business's own key (a UUID); picks palette and slug, is never shown.
        country: ISO 3166 alpha-2.
        phone: E.164.
        links: Its website and social pages, as addresses.
        rating: 0 to 5.
        hours: Weekday ("mon".."sun") to spans of local time, [] being closed; unknown days absent.
        service_area: In words, such as "Queens and Brooklyn".
    """

    key: str
    name: str
    category: str = ""
    street: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""
    links: tuple[str, ...] = ()
    latitude: float | None = None
    longitude: float | None = None
    rating: float | None = None
    review_count: int | None = None
    hours: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    price_range: str = ""
    service_area: str = ""

    @property
    def line_of_work(self) -> str:
        """What tells the trade: the category, or a name such as "Pete the Plumber"."""
        return self.category or self.name

    @property
    def kind(self) -> str:
        """The category as a page writes it: a source's "steak_house" is a "Steak house"."""
        words = self.category.replace("_", " ")
        return words[:1].upper() + words[1:]

    @property
    def flattering(self) -> bool:
        """Whether rating and reviews are there, and good enough to be shown."""
        return bool(self.review_count and self.rating and LEAST_RATING <= self.rating <= 5)


def tidy(facts: SiteFacts) -> SiteFacts:
    """The facts as a page may carry them: one line each, nothing invisible, no endless name."""
    changed: dict[str, Any] = {}
    for each in fields(facts):
        value = getattr(facts, each.name)
        if isinstance(value, str) and each.name != "key":
            changed[each.name] = plain(value, LONGEST_NAME)
    changed["name"] = changed["name"] or "This business"
    changed["links"] = tuple(plain(link, 2000) for link in facts.links)
    changed["hours"] = _readable(facts.hours)
    if not _on_earth(facts.latitude, facts.longitude):
        changed["latitude"] = changed["longitude"] = None
    return replace(facts, **changed)


def plain(text: str, limit: int) -> str:
    """Outside text on one line without invisible characters, cut to `limit` with "…"."""
    text = _SPACES.sub(" ", _INVISIBLE.sub("", text)).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _readable(hours: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, list[list[str]]]:
    """The known days in the order of the week; a day with a time that is none is not known."""
    return {
        day: [list(span) for span in hours[day]]
        for day in DAYS
        if day in hours
        and all(len(span) == 2 and all(map(_TIME.match, span)) for span in hours[day])
    }


def _on_earth(latitude: float | None, longitude: float | None) -> bool:
    return (
        latitude is not None and longitude is not None and abs(latitude) <= 90 >= abs(longitude) / 2
    )


def canonical(facts: SiteFacts) -> dict[str, Any]:
    """The facts as plain data holding exactly what a page depends on, always in the same form."""
    document = asdict(tidy(facts))
    if not facts.flattering:
        document["rating"] = document["review_count"] = None
    return document


def content_hash(facts: SiteFacts, texts: SiteTexts, theme_version: str) -> str:
    """The SHA-256, in hex, of everything a page is made from.

    Args:
        facts: The facts of the business.
        texts: The texts of the site.
        theme_version: `Theme.fingerprint`, so that a changed template counts as a change.
    """
    document = {
        "facts": canonical(facts),
        "texts": msgspec.to_builtins(texts),
        "theme": theme_version,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
