"""The fields of the filter language: what they are called, and what may be compared with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from crm_tui.text import fold
from crm_tui.vocabulary import (
    ContactState,
    ContactStatus,
    Outcome,
    Stage,
    SubscriptionState,
    WebsiteStatus,
)

CUSTOM = "custom."
"""What stands before the name of a field of the operator's own."""


class Kind(Enum):
    """What a field holds."""

    TEXT = "text"
    WORDS = "words"
    NUMBER = "number"
    TIME = "time"
    OWN = "own"
    """A text, or a number where it is compared with one."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field one can filter by.

    Args:
        name: as it is written before the colon.
        hint: what it is, in a few words.
        words: the values there are, where only these can be; of a time, those beside times.
        key: the form in which values are compared; empty where nothing is left to compare.
    """

    name: str
    kind: Kind
    hint: str
    words: tuple[str, ...] = ()
    key: Callable[[str], str] = fold


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _address(text: str) -> str:
    return re.sub(r"\A(?:https?://)?(?:www\.)?|/\Z", "", fold(text))


def _words(name: str, words: type[StrEnum], hint: str) -> Field:
    return Field(name, Kind.WORDS, hint, tuple(word.value for word in words))


HAS = (
    "email", "phone", "website", "url", "social", "site", "tag", "note", "task", "call", "address",
    "city", "region", "postal", "country", "category", "rating", "reviews", "photos", "hours",
    "activity",
)  # fmt: skip
"""What a lead can have."""

IS = ("archived", "qualified", "never", "customer", "suppressed")
"""What a lead can be; never is: never to be contacted; suppressed: it, or where it is reached."""

NEVER = "never"
"""What stands for a time where there is none."""

TASK = ("due", "today", "open", "none")
"""How a lead's follow-ups can stand: due by now, due by the end of the day, any open one."""

FIELDS = {
    field.name: field
    for field in (
        _words("status", ContactStatus, "how far contact has come"),
        _words("site", WebsiteStatus, "the preview site"),
        _words("outcome", Outcome, "what came of it"),
        _words("stage", Stage, "how far it came, at least"),
        _words("subscription", SubscriptionState, "how one of its subscriptions stands"),
        Field("city", Kind.TEXT, "town"),
        Field("category", Kind.TEXT, "trade"),
        Field("tag", Kind.TEXT, "any of its tags"),
        Field("source", Kind.TEXT, "where it came from"),
        Field("campaign", Kind.TEXT, "one it gets or got mail of"),
        Field("plan", Kind.TEXT, "one it pays or paid by"),
        Field("region", Kind.TEXT, "state or province"),
        Field("has", Kind.WORDS, "what is known", HAS),
        Field("is", Kind.WORDS, "what it is", IS),
        Field("task", Kind.WORDS, "follow-ups", TASK),
        Field("score", Kind.NUMBER, "0 to 100"),
        Field("name", Kind.TEXT, "its name"),
        Field("email", Kind.TEXT, "its main address"),
        Field("phone", Kind.TEXT, "its main number", key=_digits),
        Field("rating", Kind.NUMBER, "0 to 5 stars"),
        Field("reviews", Kind.NUMBER, "how many"),
        Field("photos", Kind.NUMBER, "how many"),
        Field("activity", Kind.TIME, "what happened last"),
        Field("called", Kind.TIME, "the last call"),
        Field("mailed", Kind.TIME, "the last mail to it, or never", words=(NEVER,)),
        Field("created", Kind.TIME, "when it was added"),
        Field("captured", Kind.TIME, "when it was found"),
        Field("updated", Kind.TIME, "the last change"),
        Field("website", Kind.TEXT, "its own address", key=_address),
        Field("postal", Kind.TEXT, "postal code"),
        Field("country", Kind.TEXT, "two letters, such as US"),
        _words("email_state", ContactState, "its main e-mail address"),
        _words("phone_state", ContactState, "its main phone"),
        Field("batch", Kind.TEXT, "an import, by number or file"),
        Field("id", Kind.NUMBER, "its number"),
    )
}
"""All fields but the operator's own, the most asked for first."""

_ALSO_CALLED = {
    "contact": "status",
    "contact_status": "status",
    "website_status": "site",
    "qualification_score": "score",
    "review_count": "reviews",
    "photo_count": "photos",
    "last_activity_at": "activity",
    "created_at": "created",
    "captured_at": "captured",
    "updated_at": "updated",
    "postal_code": "postal",
    "tags": "tag",
}
"""What the lists and the JSON documents call them."""


def field(name: str) -> Field | None:
    """The field of that name; case does not count, but in the name of an own field."""
    if name.startswith(CUSTOM):
        return Field(name, Kind.OWN, "your own")
    known = name.lower()
    return FIELDS.get(_ALSO_CALLED.get(known, known))


def word(field: Field, typed: str) -> str | None:
    """The word of a field that is meant by what was typed; None where there is none."""
    known = fold(typed).replace("-", "_").replace(" ", "_")
    return known if known in field.words else None


def nearest(typed: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None where none is near."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415 - only an error needs it

    found = process.extractOne(typed.lower(), list(known), scorer=fuzz.ratio, score_cutoff=60)
    return found[0] if found else None
