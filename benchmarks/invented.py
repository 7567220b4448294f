"""Invented leads: names, places and histories, the same ones for the same number and seed.

Everything is made up: phones are of the 555 exchange, domains end in .example.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from uuid import UUID

from crm_tui.services.timeline import CALL_WORDS
from crm_tui.text import fold
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""The moment every history ends; fixed, so that a store is the same whenever it is made."""

PER_BATCH = 50_000
"""Leads of one import."""

_YOUNGEST_BATCH = timedelta(days=200)
"""Older than any step of freshness, so that no score changes by the day the store is used."""

_FORMS = ("contractor", "service", "supplier", "repair")
_TRADES = (
    "Plumbing", "Heating", "Roofing", "Electrical", "Locksmith", "Carpentry", "Painting", "Tile",
    "Flooring", "Masonry", "Fence", "Window", "Door", "Garage door", "Gutter", "Siding", "Drain",
    "Septic", "Well", "Pool", "Landscaping", "Lawn care", "Tree", "Irrigation", "Snow removal",
    "Pest control", "Cleaning", "Carpet cleaning", "Moving", "Storage", "Auto", "Tire", "Towing",
    "Bicycle", "Boat", "Appliance", "Computer", "Phone", "Upholstery", "Furniture", "Sign",
    "Print", "Photography", "Catering", "Bakery", "Coffee", "Pizza", "Flower",
)  # fmt: skip
_OTHER_CATEGORIES = (
    "Hair salon", "Barber shop", "Nail salon", "Dentist", "Lawyer", "Tax consultant",
    "Café", "Dog groomer",
)  # fmt: skip
CATEGORIES = (*(f"{trade} {form}" for trade in _TRADES for form in _FORMS), *_OTHER_CATEGORIES)

_CITY_HEADS = (
    "Spring", "Oak", "Maple", "Cedar", "Elm", "Ash", "Birch", "Pine", "Willow", "Hazel", "River",
    "Lake", "Brook", "Stone", "Rock", "Hill", "Glen", "Green", "White", "Black", "Red", "Silver",
    "Gold", "Clear", "Bright", "Fair", "North", "South", "East", "West", "New ", "Old ", "Fort ",
    "Mount ", "Port ", "Saint ", "Bell", "King", "Queen", "Prince", "Mill", "Forge", "Fox", "Deer",
    "Bear", "Eagle", "Hawk", "Swan", "Summer", "Winter", "Harvest", "Liberty ", "Union ",
    "Madison ", "Jack", "John", "William", "Thomas", "Clay", "San ",
)  # fmt: skip
_CITY_TAILS = (
    "field", "ville", "ton", "burg", "ford", "port", "dale", "wood", "view", "haven", "brook",
    "land", "mont", "bury", "worth", "ham", "stead", "gate", "well", "bridge", "crest", "shore",
    "side", "ridge", "meadow", "Falls", "Springs", "Heights", "Grove", "Park", "Creek", "Valley",
    "Hills", "Bay", "Beach", "Point", "Center", "Junction", "Lake", "Rapids", "Vista", "Mills",
    "Island", "Harbor", "Pass", "Hollow", "Corners", "Plains", "Forks", "Cañón",
)  # fmt: skip
CITIES = tuple(
    f"{head.strip()} {tail}" if tail[0].isupper() else f"{head}{tail}".replace(" ", " ").title()
    for tail, head in product(_CITY_TAILS, _CITY_HEADS)
)
_REGIONS = (
    "NY", "CA", "TX", "FL", "IL", "PA", "OH", "GA", "NC", "MI", "NJ", "VA", "WA", "AZ", "MA",
    "TN", "IN", "MO", "MD", "WI", "CO", "MN", "SC", "AL", "LA", "KY", "OR", "OK", "CT", "UT",
)  # fmt: skip
_SURNAMES = (
    "Adams", "Alvarez", "Baker", "Bauer", "Bell", "Brooks", "Carter", "Chen", "Cohen", "Cruz",
    "Díaz", "Dubois", "Evans", "Fischer", "Foster", "García", "Gomez", "Gray", "Hall", "Harris",
    "Hughes", "Ivanov", "Jackson", "Jensen", "Kelly", "Khan", "Kim", "King", "Kowalski", "Lee",
    "Lopez", "Martin", "Mehta", "Miller", "Moore", "Müller", "Murphy", "Nelson", "Nguyen", "O'Brien",
    "O'Neill", "Ortiz", "Park", "Patel", "Pérez", "Price", "Quinn", "Ramírez", "Reed", "Rivera",
    "Rossi", "Russo", "Sato", "Schmidt", "Scott", "Silva", "Singh", "Smith", "Stewart", "Sullivan",
    "Tanaka", "Taylor", "Torres", "Tran", "Turner", "Walsh", "Ward", "Weber", "White", "Young",
)  # fmt: skip
_ADJECTIVES = (
    "Absolute", "All Star", "American", "Best", "Blue Sky", "Capital", "Classic", "Coastal",
    "Complete", "Crown", "Diamond", "Elite", "Express", "Family", "First Choice", "Golden",
    "Handy", "Happy", "Honest", "Ideal", "Liberty", "Local", "Metro", "Modern", "Mountain",
    "Patriot", "Perfect", "Premier", "Pro", "Quality", "Quick", "Reliable", "Royal", "Summit",
    "Sunrise", "Superior", "Trusted", "United", "Valley", "Victory",
)  # fmt: skip
_ENDINGS = ("", " LLC", " Inc.", " Co.", " & Sons", " Group", " Services", "", "", "")
_STREETS = (
    "Main St",
    "Oak Ave",
    "2nd St",
    "Maple Dr",
    "Park Blvd",
    "Broadway",
    "Mill Rd",
    "Elm St",
)
_AREA_CODES = tuple(
    code for code in range(201, 990) if code % 100 != 11 and code // 10 % 10 != 9 and code != 555
)
_NOTES = (
    "Asked for prices, wants three pages and a form.",
    "Owner is in on weekday mornings.",
    "Has a cousin who does websites; try again in spring.",
    "Liked the preview, wants other photos.",
    "Speaks with his accountant first.",
    "Opening a second shop in May.",
)
TAGS = (
    "VIP", "spring list", "chamber of commerce", "no website", "referral", "follow up", "franchise",
    "family owned", "new owner", "trade fair", "cold", "warm",
)  # fmt: skip
HOURS = tuple(
    json.dumps({day: [[opens, closes]] for day in days} | {day: [] for day in closed})
    for opens, closes in (("08:00", "17:00"), ("09:00", "18:00"), ("07:30", "16:30"))
    for days, closed in (
        (("mon", "tue", "wed", "thu", "fri"), ("sat", "sun")),
        (("mon", "tue", "wed", "thu", "fri", "sat"), ("sun",)),
    )
)
_FOLDED_CATEGORIES = tuple(map(fold, CATEGORIES))
_FOLDED_CITIES = tuple(map(fold, CITIES))


@dataclass(slots=True)
class Lead:
    """The facts of one invented business."""

    id: int
    key: str
    name: str
    category: str | None
    category_folded: str | None
    street: str
    city: str
    city_folded: str
    region: str
    postal_code: str
    place_id: str | None
    latitude: float
    longitude: float
    rating: float | None
    review_count: int | None
    photo_count: int | None
    hours: str | None
    captured_at: datetime
    phones: tuple[str, ...]
    email: str | None
    website: str | None
    domain: str
    social: str | None
    tags: tuple[int, ...]


@dataclass(slots=True)
class Happening:
    """One event of a lead's history, before it has a key."""

    kind: EventKind
    at: datetime
    summary: str
    source: str = "you"
    moves_to: ContactStatus | None = None
    by_machine: bool = False
    body: str | None = None
    data: dict[str, str] = field(default_factory=dict)
    site_id: int | None = None
    message_id: int | None = None


def invent(number: int, random: Random) -> Lead:
    """The lead with this number (from 1)."""
    chance = random.random
    category = int(chance() * len(CATEGORIES))
    city = int(chance() ** 2 * len(CITIES))
    surname = _SURNAMES[int(chance() * len(_SURNAMES))]
    trade = CATEGORIES[category].partition(" ")[0]
    style = chance()
    if style < 0.4:
        name = f"{surname} {trade}"
    elif style < 0.75:
        name = f"{_ADJECTIVES[int(chance() * len(_ADJECTIVES))]} {trade}"
    elif style < 0.9:
        name = f"{CITIES[city]} {trade}"
    else:
        name = f"The {_ADJECTIVES[int(chance() * len(_ADJECTIVES))]} {surname} {trade}"
    name += _ENDINGS[int(chance() * len(_ENDINGS))]
    domain = f"{fold(surname).replace(chr(39), '')}-{number}.example"
    rated = chance() < 0.8
    has_category = chance() < 0.98
    return Lead(
        id=number,
        key=str(UUID(uuid_hex(random))),
        name=name,
        category=CATEGORIES[category] if has_category else None,
        category_folded=_FOLDED_CATEGORIES[category] if has_category else None,
        street=f"{int(1 + chance() * 999)} {_STREETS[int(chance() * len(_STREETS))]}",
        city=CITIES[city],
        city_folded=_FOLDED_CITIES[city],
        region=_REGIONS[city % len(_REGIONS)],
        postal_code=f"{10_000 + city * 29:05d}",
        place_id=f"Bench{number:08d}{int(chance() * 16**8):08x}" if chance() < 0.9 else None,
        latitude=round(30 + city % 60 / 4 + chance() / 10, 6),
        longitude=round(-120 + city % 97 / 2 + chance() / 10, 6),
        rating=round(5 - 4 * chance() ** 3, 1) if rated else None,
        review_count=int(600 * chance() ** 4) + 1 if rated else None,
        photo_count=int(40 * chance() ** 2) if chance() < 0.7 else None,
        hours=HOURS[int(chance() * len(HOURS))] if chance() < 0.3 else None,
        captured_at=captured_at(batch_of(number)) + timedelta(seconds=number % PER_BATCH // 4_000),
        phones=_phones(number, chance()),
        email=_email(domain, chance()),
        website=f"https://{domain}/" if chance() < 0.45 else None,
        domain=domain,
        social=f"https://facebook.com/{number}" if chance() < 0.1 else None,
        tags=tuple({number % 12 + 1, number // 12 % 12 + 1}) if chance() < 0.08 else (),
    )


def batch_of(number: int) -> int:
    """The import a lead came with, from 1."""
    return (number - 1) // PER_BATCH + 1


def file_of(batch: int) -> str:
    """The file of an import."""
    return f"leads-{batch:03}.csv"


def captured_at(batch: int) -> datetime:
    """When an import began: one every few days."""
    return NOW - _YOUNGEST_BATCH - timedelta(days=3 * (batch % 100))


def uuid_hex(random: Random) -> str:
    """A random UUID (version 4) as 32 hexadecimal digits."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:12]}4{digits[13:16]}a{digits[17:]}"


def _phones(number: int, chance: float) -> tuple[str, ...]:
    if chance >= 0.6:
        return ()
    count = 2 if chance < 0.03 else 1
    numbers = (2 * number + n for n in range(count))
    return tuple(
        f"+1{_AREA_CODES[n // 10_000 % len(_AREA_CODES)]}555{n % 10_000:04d}" for n in numbers
    )


def _email(domain: str, chance: float) -> str | None:
    if chance >= 0.3:
        return None
    return f"{'info' if chance < 0.15 else 'office'}@{domain}"


_CALLS = {
    CallOutcome.NO_ANSWER: ContactStatus.CALLED,
    CallOutcome.VOICEMAIL: ContactStatus.CALLED,
    CallOutcome.TALKED: ContactStatus.REPLIED,
}
_PLAIN = {
    "email_sent": (EventKind.EMAIL_SENT, "e-mail sent", ContactStatus.EMAILED),
    "sms_sent": (EventKind.SMS_SENT, "text message sent", ContactStatus.TEXTED),
    "opened": (EventKind.OPENED, "opened the e-mail", ContactStatus.OPENED),
    "clicked": (EventKind.CLICKED, "clicked the link", ContactStatus.CLICKED),
    "replied": (EventKind.REPLIED, "replied", ContactStatus.REPLIED),
    "purchased": (EventKind.PURCHASED, "bought the website", ContactStatus.PURCHASED),
}
_STORIES = (
    ("email_sent", "opened", "clicked", "replied"),
    ("email_sent", "machine_opened", "email_sent", "opened"),
    ("no_answer", "talked", "note", "purchased"),
    ("note", "email_sent", "opened", "talked"),
    ("sms_sent", "replied", "note", "talked"),
    ("voicemail", "note", "set_by_hand", "email_sent"),
    ("no_answer", "voicemail", "no_answer", "set_by_hand"),
    ("email_sent", "clicked", "replied", "purchased"),
    ("no_answer", "sms_sent", "email_sent", "machine_opened"),
)
_BY_HAND = (ContactStatus.PENDING, ContactStatus.CALLED, ContactStatus.REPLIED)
MOST_EVENTS = 1 + max(map(len, _STORIES))


def going_on(events: float) -> float:
    """The chance that a history goes on after each event, for `events` on average (1-5)."""
    low, high = 0.0, 1.0
    for _ in range(30):
        chance = (low + high) / 2
        mean = sum(chance**n for n in range(MOST_EVENTS))
        low, high = (chance, high) if mean < events else (low, chance)
    return high


def history(lead: Lead, random: Random, chance_to_go_on: float) -> list[Happening]:
    """What happened after the capture, oldest first."""
    happenings: list[Happening] = []
    if random.random() >= chance_to_go_on:
        return happenings
    story = _STORIES[int(random.random() * len(_STORIES))]
    span = NOW - lead.captured_at
    at = lead.captured_at
    for word in story:
        at += span * (0.05 + random.random() * 0.18)
        happenings.append(_happening(word, at, random))
        if random.random() >= chance_to_go_on:
            break
    return happenings


def _happening(word: str, at: datetime, random: Random) -> Happening:
    if word in _CALLS:
        outcome = CallOutcome(word)
        return Happening(
            EventKind.CALL,
            at,
            f"call: {CALL_WORDS[outcome]}",
            moves_to=_CALLS[outcome],
            data={"outcome": word},
        )
    if word == "note":
        note = _NOTES[int(random.random() * len(_NOTES))]
        return Happening(EventKind.NOTE, at, "note", body=note)
    if word == "set_by_hand":
        status = _BY_HAND[int(random.random() * len(_BY_HAND))]
        return Happening(EventKind.STATUS_SET, at, f"status set to {status}", moves_to=status)
    by_machine = word == "machine_opened"
    kind, summary, status = _PLAIN["opened" if by_machine else word]
    return Happening(kind, at, summary, "mail", status, by_machine=by_machine)
