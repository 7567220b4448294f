"""Invented businesses: names, places, phones and hours out of the demo's words.

Phones are of the range kept free for fiction (555-0100 to 555-0199 of every area code), e-mail
addresses end in example.com and websites in .example, which nobody can register.
"""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Any

from crm_tui.services.imports.readers.own import COLUMNS
from crm_tui.services.sites.slugs import clean_slug
from crm_tui.vocabulary import ContactKind, ContactStatus, WebsiteStatus

Words = Mapping[str, Any]
Row = dict[str, str]

_SURNAMES = ("last", "spanish", "italian", "viet")


@dataclass(frozen=True, slots=True)
class Invented:
    """An invented business: the row of the list it comes in, and who answers the phone there."""

    row: Row
    person: str

    @property
    def name(self) -> str:
        """What the business is called."""
        return self.row["name"]


def load_words() -> Words:
    """The words everything is made of."""
    return tomllib.loads((files("crm_tui.services.demo") / "words.toml").read_text("utf-8"))


def invent(words: Words, random: Random, count: int) -> dict[str, list[Invented]]:
    """So many businesses by their city, at most 98 in each; the same ones for the same numbers."""
    cities = words["cities"]
    taken: set[str] = set()
    lines = {city["name"]: random.sample(range(98), 98) for city in cities}
    lists: dict[str, list[Invented]] = {city["name"]: [] for city in cities}
    for number in range(count):
        city = cities[number % len(cities)]
        line = lines[city["name"]].pop()
        lists[city["name"]].append(_business(words, city, random, taken, line=line))
    return lists


def _business(words: Words, city: Words, random: Random, taken: set[str], *, line: int) -> Invented:
    trades = words["trades"]
    (trade,) = random.choices(trades, [trade["share"] for trade in trades])
    person = random.choice(words["first"].split())
    name = _name(words, city, trade, person, random)
    while name in taken:
        name = _name(words, city, trade, person, random)
    taken.add(name)
    phone = f"+1{city['area_code']}55501{line:02}" if random.random() < 0.94 else ""
    email = f"{_address(name)}@example.com" if random.random() < 0.55 else ""
    website = f"https://{_address(name)}.example/" if random.random() < 0.4 else ""
    reviews = round(random.lognormvariate(3, 1.3)) if random.random() < 0.93 else 0
    row = dict.fromkeys(COLUMNS, "") | {
        "key": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "name": name,
        "category": trade["category"],
        "phone": phone,
        "email": email,
        "website": website,
        "street": f"{random.randint(11, 4900)} {random.choice(_listed(words['streets']))}",
        "city": city["name"],
        "region": city["region"],
        "postal_code": random.choice(city["postal_codes"]),
        "country": "US",
        "contact_status": ContactStatus.PENDING,
        "website_status": WebsiteStatus.NONE,
        "rating": str(_rating(random)) if reviews else "",
        "review_count": str(min(reviews, 900)),
        "photo_count": str(random.randint(0, 24)),
        "latitude": str(round(city["latitude"] + random.uniform(-0.08, 0.08), 5)),
        "longitude": str(round(city["longitude"] + random.uniform(-0.08, 0.08), 5)),
        "timezone": city["timezone"],
        "hours": json.dumps(_hours(words, trade["open"])) if random.random() < 0.85 else "",
        "points": json.dumps(_points(phone, email, person, random)),
    }
    return Invented(row, person)


def _name(words: Words, city: Words, trade: Words, person: str, random: Random) -> str:
    parts = {kind: random.choice(words[kind].split()) for kind in _SURNAMES}
    parts["last2"] = random.choice(words["last"].split())
    template: str = random.choice(trade["names"])
    return template.format(first=person, place=random.choice(city["places"]), **parts)


def _address(name: str) -> str:
    return clean_slug(name.replace("&", " and ")).replace("-", "")


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _rating(random: Random) -> float:
    return round(min(5.0, random.betavariate(6, 1.4) * 2.4 + 2.7), 1)


def _hours(words: Words, kind: str) -> dict[str, list[list[str]]]:
    opening: dict[str, list[list[str]]] = {
        day: [] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    }
    for days, begin, end in words["hours"][kind]:
        for day in days.split(","):
            opening[day].append([begin, end])
    return opening


def _points(phone: str, email: str, person: str, random: Random) -> list[dict[str, str]]:
    known = person if random.random() < 0.7 else ""
    return [
        {"kind": kind, "value": value, "person": known}
        for kind, value in ((ContactKind.PHONE, phone), (ContactKind.EMAIL, email))
        if value
    ]
