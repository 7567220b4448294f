"""What a reader hands over for every record of a file: a lead, or the reason there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from crm_tui.services.contacts import Contact
from crm_tui.services.hours import Hours
from crm_tui.vocabulary import (
    CallOutcome,
    ContactKind,
    ContactState,
    ContactStatus,
    Outcome,
    SiteStatus,
)


@dataclass(frozen=True, slots=True)
class CapturedPoint:
    """One way to reach a business, normalised.

    `value` is E.164, a lower-case e-mail address or a canonical URL where `valid`; otherwise it is
    what the source said, kept so that the operator can correct it. `domain` is the registrable
    domain where it tells businesses apart: of websites of their own and of e-mail addresses that
    are not at a free mail provider. `problem` says why it is not valid. `state`, and whether it is
    the `primary` one of its kind, are known only from our own exports.
    """

    kind: ContactKind
    value: str
    raw: str
    person: str = ""
    title: str = ""
    label: str = ""
    domain: str = ""
    valid: bool = True
    state: ContactState | None = None
    primary: bool = False
    problem: str = ""

    @classmethod
    def of(cls, contact: Contact, *, person: str = "", title: str = "") -> CapturedPoint:
        """A normalised contact, with the person it reaches."""
        return cls(
            kind=contact.kind,
            value=contact.value,
            raw=contact.raw,
            person=person or contact.person,
            title=title,
            label=contact.label,
            domain=contact.domain,
            valid=contact.valid,
            problem=contact.problem,
        )


@dataclass(frozen=True, slots=True)
class CapturedCall:
    """A phone call that was logged, as our own exports tell it: when (aware UTC), how it went."""

    at: datetime
    outcome: CallOutcome
    text: str = ""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A record of an old store as it stood there, and the id it is known by from then on."""

    external_id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CapturedLead:
    """One record of a file, normalised; what the source did not say is None (or empty).

    `row` counts as a person counts data records: the first record after a header is 1, also where
    a record spans several lines. Points are in the order of the source: the first valid one of a
    kind is the one it means first. Every value fits the store's checks (rating 0-5, counts from 0,
    latitude and longitude in range, country ISO 3166 alpha-2, no NUL and no unpaired surrogate).
    `do_not_contact` is the reason, None where contact is fine. `warnings` are sentences about
    cells that could not be read; what they said stands in `custom` or in a point that is not valid.
    """

    row: int
    name: str
    category: str | None = None
    street: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    timezone: str | None = None
    rating: float | None = None
    review_count: int | None = None
    photo_count: int | None = None
    hours: Hours | None = None
    place_id: str | None = None
    google_id: str | None = None
    points: tuple[CapturedPoint, ...] = ()
    notes: tuple[str, ...] = ()
    calls: tuple[CapturedCall, ...] = ()
    tags: tuple[str, ...] = ()
    status: ContactStatus | None = None
    last_contacted: datetime | None = None
    do_not_contact: str | None = None
    follow_up: datetime | None = None
    follow_up_note: str | None = None
    outcome: Outcome | None = None
    outcome_reason: str | None = None
    created_at: datetime | None = None
    key: str | None = None
    archived_at: datetime | None = None
    custom: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    raw: RawRow | None = None


@dataclass(frozen=True, slots=True)
class CapturedSite:
    """A site of an old store, its page still in pieces.

    `owner` is the id of its business's RawRow; where there is no such business, `reason` says why.
    `title` is what the page calls itself. `status` is the old one in our words.
    """

    raw: RawRow
    owner: str | None
    reason: str
    slug: str
    title: str
    status: SiteStatus
    html: str
    css: str
    js: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A record that cannot be imported, alone: its number, why, and its name if it had one."""

    row: int
    reason: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a file leaves open.

    Attributes:
        default_region: ISO 3166 region of phones whose row names no country.
        mapping: For unknown tables, which column means which field (see `mapping.FIELDS`); None
            guesses. Columns that it does not name are kept under their own header.
        zone: The zone of times that name none; the machine's own when None.
    """

    default_region: str = "US"
    mapping: Mapping[str, str] | None = None
    zone: tzinfo | None = None
