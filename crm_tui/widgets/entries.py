"""What an entry of a timeline is and how a line of it is set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Protocol, TypeVar

from crm_tui import clock
from crm_tui.vocabulary import EventKind
from crm_tui.widgets.look import BEGUN, NOTHING, REACHED, TROUBLE, Role

TEXT_WIDTH = 84
"""The widest a text is set: longer lines are hard to read."""

SOURCE_WIDTH = 18
DAY_COLUMN_FROM = 60
"""Cells of a timeline that has room for a column of days and one of sources."""


class Entry(Protocol):
    """What the timeline needs to know of an entry; the service's own rows fit as they are.

    `body` is the text that belongs to it, `source` says who or what caused it, `machine` marks
    what no person did.
    """

    @property
    def id(self) -> int: ...  # noqa: D102 - the attributes are told above
    @property
    def at(self) -> datetime: ...  # noqa: D102
    @property
    def kind(self) -> EventKind: ...  # noqa: D102
    @property
    def summary(self) -> str: ...  # noqa: D102
    @property
    def body(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def machine(self) -> bool: ...  # noqa: D102


EntryT = TypeVar("EntryT", bound=Entry)

_SHAPES: dict[EventKind, tuple[str, Role]] = {
    EventKind.NOTE: ("■", Role.TEXT),
    EventKind.CALL: (REACHED, Role.TEXT),
    EventKind.STATUS_SET: (BEGUN, Role.TEXT),
    EventKind.OUTCOME_SET: (BEGUN, Role.TEXT),
    EventKind.TASK_ADDED: (NOTHING, Role.ATTENTION),
    EventKind.TASK_DONE: (REACHED, Role.GOOD),
    EventKind.DO_NOT_CONTACT: (TROUBLE, Role.BAD),
    EventKind.CONSENT_GIVEN: (REACHED, Role.GOOD),
    EventKind.CONSENT_WITHDRAWN: (TROUBLE, Role.ATTENTION),
    EventKind.EMAIL_SENT: (REACHED, Role.TEXT),
    EventKind.SMS_SENT: (REACHED, Role.TEXT),
    EventKind.OPENED: (BEGUN, Role.ATTENTION),
    EventKind.CLICKED: (REACHED, Role.ATTENTION),
    EventKind.REPLIED: (REACHED, Role.GOOD),
    EventKind.PURCHASED: (REACHED, Role.GOOD),
    EventKind.PAYMENT_ASKED: (BEGUN, Role.TEXT),
    EventKind.PAYMENT_PENDING: (BEGUN, Role.ATTENTION),
    EventKind.PAYMENT_SUCCEEDED: (REACHED, Role.GOOD),
    EventKind.PAYMENT_FAILED: (TROUBLE, Role.BAD),
    EventKind.REFUNDED: (TROUBLE, Role.ATTENTION),
    EventKind.DISPUTED: (TROUBLE, Role.BAD),
    EventKind.DISPUTE_CLOSED: (BEGUN, Role.TEXT),
    EventKind.SUBSCRIPTION_STARTED: (REACHED, Role.GOOD),
    EventKind.SUBSCRIPTION_UPDATED: (BEGUN, Role.TEXT),
    EventKind.SUBSCRIPTION_PAUSED: (TROUBLE, Role.ATTENTION),
    EventKind.SUBSCRIPTION_RESUMED: (REACHED, Role.GOOD),
    EventKind.SUBSCRIPTION_CANCELED: (TROUBLE, Role.ATTENTION),
    EventKind.SITE_SOLD: (REACHED, Role.GOOD),
    EventKind.SITE_BUILT: (REACHED, Role.GOOD),
    EventKind.SITE_FAILED: (TROUBLE, Role.BAD),
    EventKind.SITE_ABANDONED: (TROUBLE, Role.ATTENTION),
}
_BACKGROUND = ("·", Role.QUIET)
_BY_MACHINE = (NOTHING, Role.QUIET)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where things stand in a line of a given width, in cells."""

    width: int
    day: int
    when: int
    text_at: int
    source: int
    text: int

    @classmethod
    def of(cls, width: int) -> Columns:
        """With a day column where there is room, with the date as the time where there is none."""
        day, when, source = (10, 5, SOURCE_WIDTH) if width >= DAY_COLUMN_FROM else (0, 10, 0)
        text_at = 2 + (day + 2 if day else 0) + when + 2 + 2
        return cls(width, day, when, text_at, source, min(width - text_at - 1, TEXT_WIDTH))


def mark_of(entry: Entry) -> tuple[str, Role]:
    """The shape before an entry and its colour; what nobody has to look at has a quiet one."""
    return _BY_MACHINE if entry.machine else _SHAPES.get(entry.kind, _BACKGROUND)


def day_words(day: date, today: date) -> str:
    """A day as a heading: "Today", "Yesterday", "Wed 12 Nov", "2024-11-12"."""
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%a} {day.day:>2} {day:%b}" if day.year == today.year else f"{day}"


def when_words(at: datetime, now: datetime, *, zone: tzinfo | None, dated: bool) -> str:
    """How long ago within a week; older, the date, or the time where the date stands beside it."""
    if not dated or timedelta(0) <= now - at < clock.WEEK:
        return clock.ago(at, now, zone=zone)
    return at.astimezone(zone).strftime("%H:%M")
