"""What a template is given: the facts and texts of one site, ready to be put on a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlsplit

import phonenumbers

from crm_tui.services.sites.facts import DAYS, SiteFacts, plain, tidy
from crm_tui.services.sites.structured import structured_data
from crm_tui.services.sites.texts import Entry, Question, SiteTexts, fact_values, fill

if TYPE_CHECKING:
    from crm_tui.services.sites.themes import Theme

SCHEMES = frozenset({"http", "https", "tel", "mailto"})

_TWELVE_HOURS = frozenset({"US", "CA", "AU", "NZ", "PH", "IN", "PK"})
_CITY_FIRST = frozenset({"US", "CA", "AU", "NZ", "GB", "IE", "IN", "ZA", "SG"})
_EMAIL = re.compile(r"[^\s@<>\"'(),:;\\]+@[^\s@<>\"'(),:;\\]+\.[^\s@<>\"'(),:;\\.]+\Z")
# Social pages by the domain they are on, and how they are called.
_SOCIAL = {
    "facebook.com": "Facebook",
    "instagram.com": "Instagram",
    "linkedin.com": "LinkedIn",
    "pinterest.com": "Pinterest",
    "tiktok.com": "TikTok",
    "tripadvisor.com": "Tripadvisor",
    "twitter.com": "X",
    "x.com": "X",
    "yelp.com": "Yelp",
    "youtube.com": "YouTube",
}


@dataclass(frozen=True, slots=True)
class Link:
    """An address that may be put into a page, and what stands for it."""

    href: str
    words: str


@dataclass(frozen=True, slots=True)
class Day:
    """A weekday, or days alike, with the times as written; `open` is False on a closed day."""

    day: str
    times: tuple[str, ...]
    open: bool


@dataclass(frozen=True, slots=True)
class Rating:
    """A rating worth showing: the words, and how much of five stars is filled (0 to 100)."""

    words: str
    value: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything a template may show of a site; what is not known is empty or None.

    Attributes:
        name_size: "short", "medium", "long" or "huge", for the size of its letters.
        initials: One or two letters for a badge.
        kind: The category as it is called.
        hours: The week, day by day.
        hours_brief: The same with days alike put together.
        emblem: The template of the trade's drawing.
        data: schema.org's description as JSON, safe inside a script element.
    """

    name: str
    name_size: str
    initials: str
    kind: str
    lang: str
    title: str
    description: str
    headline: str
    headline_size: str
    tagline: str
    about_title: str
    about: tuple[str, ...]
    area: str
    place: str
    services: tuple[Entry, ...]
    steps: tuple[Entry, ...]
    questions: tuple[Question, ...]
    labels: Mapping[str, str]
    phone: Link | None
    email: Link | None
    map: Link | None
    links: tuple[Link, ...]
    address: tuple[str, ...]
    hours: tuple[Day, ...]
    hours_brief: tuple[Day, ...]
    rating: Rating | None
    price_range: str
    emblem: str
    data: str

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections that have something to say, of those the navigation can lead to."""
        contact = self.reachable or self.hours
        full = {
            "services": self.services,
            "about": self.about,
            "questions": self.questions,
            "contact": contact,
        }
        return tuple(name for name, content in full.items() if content)

    @property
    def reachable(self) -> bool:
        """Whether there is any way to reach or visit the business."""
        return bool(self.phone or self.email or self.address or self.links)


def make_site(facts: SiteFacts, texts: SiteTexts, theme: Theme) -> Site:
    """The facts and texts of a business as a page of `theme` shows them.

    Raises:
        BadInput: A text names something that is not a fact.
    """
    facts = tidy(facts)
    trade = theme.trade_for(facts.line_of_work)
    phone = _phone(facts)
    values = fact_values(facts) | {"phone": phone.words if phone else ""}
    said = fill(texts, values).map(_printable)
    headline = said.headline or facts.name
    week = _week(facts, said.labels)
    address = _address(facts)
    email = _email(facts.email)
    links = tuple(link for address_ in facts.links if (link := _link(address_)))
    found = _map(facts, address)
    place = facts.city or facts.region
    return Site(
        name=facts.name,
        name_size=_size(facts.name, 16, 28, 52),
        initials=_initials(facts.name),
        kind=facts.kind,
        lang=said.lang,
        title=" – ".join(filter(None, [facts.name, ", ".join(filter(None, [facts.kind, place]))])),
        description=plain(said.tagline or headline, 160),
        headline=headline,
        headline_size=_size(headline, 16, 32, 60),
        tagline=said.tagline,
        about_title=said.labels["about_title" if len(facts.name) <= 40 else "about_short"],
        about=tuple(part.strip() for part in said.about.split("\n\n") if part.strip()),
        area=said.area,
        place=facts.service_area or place,
        services=said.services,
        steps=said.steps,
        questions=said.questions,
        labels=said.labels,
        phone=phone,
        email=email,
        map=Link(found, said.labels["directions"]) if found else None,
        links=links,
        address=address,
        hours=week,
        hours_brief=_brief(week, said.labels),
        rating=_rating(facts, said.labels),
        price_range=facts.price_range if len(facts.price_range) <= 16 else "",
        emblem=f"art/{trade.emblem}.svg",
        data=structured_data(
            facts,
            trade.schema,
            phone=phone.href.removeprefix("tel:") if phone else "",
            email=email.words if email else "",
            address=bool(address),
            map_url=found,
            links=[link.href for link in links],
        ),
    )


def safe_url(address: str) -> str:
    """An address as it may stand in a page, or "" if it may not: http, https, tel or mailto.

    A bare domain becomes an https address. Anything that could be read as another scheme, holds
    spaces or control characters, or has no host, is refused.
    """
    address = address.strip()
    if not address or any(c.isspace() or not c.isprintable() for c in address) or "\\" in address:
        return ""
    try:
        parts = urlsplit(address)
        if not parts.scheme and "." in address.partition("/")[0]:
            parts = urlsplit(f"https://{address}")
        elif not parts.scheme and address.startswith("//"):
            parts = urlsplit(f"https:{address}")
        host = parts.hostname
    except ValueError:
        return ""
    if parts.scheme not in SCHEMES or (parts.scheme in {"http", "https"} and not host):
        return ""
    return quote(parts.geturl(), safe="%:/?#[]@!$&()*+,;=~-._")


def _printable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "\n\n".join(
        cleaned for part in text.split("\n\n") if (cleaned := plain(part, len(part) or 1))
    )


def _size(text: str, short: int, medium: int, long: int) -> str:
    for size, limit in (("short", short), ("medium", medium), ("long", long)):
        if len(text) <= limit:
            return size
    return "huge"


def _initials(name: str) -> str:
    letters = [word[0] for word in name.split() if word[0].isalnum()]
    return "".join(letters[:2]).upper() or name[:1]


def _phone(facts: SiteFacts) -> Link | None:
    """The number to dial, as people of the business's own country write it."""
    try:
        number = phonenumbers.parse(facts.phone, facts.country or None)
    except phonenumbers.NumberParseException:
        return None
    at_home = phonenumbers.region_code_for_number(number) == facts.country
    form = phonenumbers.PhoneNumberFormat
    return Link(
        href="tel:" + phonenumbers.format_number(number, form.E164),
        words=phonenumbers.format_number(number, form.NATIONAL if at_home else form.INTERNATIONAL),
    )


def _email(address: str) -> Link | None:
    if not _EMAIL.match(address):
        return None
    return Link("mailto:" + quote(address, safe="@"), address)


def _link(address: str) -> Link | None:
    href = safe_url(address)
    if not href.startswith(("http://", "https://")):
        return None
    host = (urlsplit(href).hostname or "").removeprefix("www.")
    registered = ".".join(host.split(".")[-2:])
    return Link(href, _SOCIAL.get(registered, host))


def _address(facts: SiteFacts) -> tuple[str, ...]:
    """The postal address in lines, the postcode where its country writes it."""
    if facts.country in _CITY_FIRST:
        town = ", ".join(filter(None, [facts.city, facts.region]))
        town = " ".join(filter(None, [town, facts.postal_code]))
    else:
        town = " ".join(filter(None, [facts.postal_code, facts.city]))
        if facts.region and facts.region != facts.city:
            town = ", ".join(filter(None, [town, facts.region]))
    return tuple(filter(None, [facts.street, town])) if facts.street or facts.city else ()


def _map(facts: SiteFacts, address: tuple[str, ...]) -> str:
    if address:
        query = ", ".join([facts.name, *address])
    elif facts.latitude is not None and facts.longitude is not None:
        query = f"{facts.latitude:.6f},{facts.longitude:.6f}"
    else:
        return ""
    return f"https://www.google.com/maps/search/?api=1&query={quote_plus(query)}"


def _rating(facts: SiteFacts, labels: Mapping[str, str]) -> Rating | None:
    if not facts.flattering or facts.rating is None:
        return None
    return Rating(labels["rating"], f"{facts.rating:.1f}", round(facts.rating * 20))


# Hours


def _week(facts: SiteFacts, labels: Mapping[str, str]) -> tuple[Day, ...]:
    return tuple(
        Day(labels[day], _times(facts.hours[day], facts.country, labels), bool(facts.hours[day]))
        for day in DAYS
        if day in facts.hours
    )


def _times(spans: Any, country: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    if not spans:
        return (labels["closed"],)
    return tuple(
        labels["all_day"]
        if (start, end) in {("00:00", "24:00"), ("00:00", "00:00")}
        else f"{_clock(start, country)} – {_clock(end, country)}"
        for start, end in spans
    )


def _clock(time: str, country: str) -> str:
    """A time such as "17:30" as the country writes it, perhaps "5:30 PM"."""
    if country not in _TWELVE_HOURS:
        return "00:00" if time == "24:00" else time
    hour, minute = int(time[:2]) % 24, time[3:]
    return f"{hour % 12 or 12}:{minute} {'PM' if hour >= 12 else 'AM'}"


def _brief(week: tuple[Day, ...], labels: Mapping[str, str]) -> tuple[Day, ...]:
    """Neighbouring days with the same times on one line."""
    groups = []
    for (times, is_open), alike in groupby(week, key=lambda day: (day.times, day.open)):
        days = [day.day for day in alike]
        if len(days) == len(DAYS):
            named = labels["every_day"]
        else:
            named = days[0] if len(days) == 1 else f"{days[0]} – {days[-1]}"
        groups.append(Day(named, times, is_open))
    return tuple(groups)
