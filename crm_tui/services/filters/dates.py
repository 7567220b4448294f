"""The times of a query: dates, words for days and weeks, and ages such as 7d.

A date is all of its day, month or year: `created>2026-01-01` begins with the second of January. An
age is a moment, so long ago.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, tzinfo

from crm_tui.services.filters.tree import When
from crm_tui.text import fold

WORDS = (
    "today",
    "yesterday",
    "this-week",
    "last-week",
    "this-month",
    "last-month",
    "this-year",
    "last-year",
)
"""Weeks begin on Monday."""

EXAMPLES = "2026-01-31, 2026-01, today, last-week or 7d (ago)"

_AGE = re.compile(r"([0-9]{1,4})([hdwmy])")
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2})(?:[T ]([0-9]{1,2}):([0-9]{2}))?)?)?", re.IGNORECASE
)
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
"""Before it, the stored texts of times no longer sort as the times do."""


def read(text: str) -> When | None:
    """A time as it is typed; None where it is none."""
    folded = fold(text)
    if folded in WORDS or _AGE.fullmatch(folded):
        return When(folded)
    written = _DATE.fullmatch(folded)
    if written is None:
        return None
    year, *rest = (int(part) for part in written.groups() if part is not None)
    month, day, hour, minute = [*rest, *(1, 1, 0, 0)[len(rest) :]]
    try:
        datetime(year, month, day, hour, minute)  # noqa: DTZ001 - only whether there is such a time
    except ValueError:
        return None
    if not _EARLIEST.year <= year < date.max.year:
        return None
    clock = "T{:02}:{:02}".format(*rest[2:]) if len(rest) == 4 else ""
    return When("-".join([f"{year:04}", *(f"{part:02}" for part in rest[:2])]) + clock)


def is_age(when: When) -> bool:
    """Whether it says how long ago, not when."""
    return _AGE.fullmatch(when.text) is not None


def bounds(when: When, now: datetime, zone: tzinfo | None) -> tuple[datetime, datetime]:
    """Where a time begins and where the next one does, aware UTC; for an age, twice its moment."""
    if age := _AGE.fullmatch(when.text):
        moment = _ago(int(age[1]), age[2], now, zone)
        return moment, moment
    if when.text in WORDS:
        first, after = _days(when.text, now.astimezone(zone).date())
        return midnight(first, zone), midnight(after, zone)
    written = _DATE.fullmatch(when.text)
    assert written is not None
    year, *rest = (int(part) for part in written.groups() if part is not None)
    match rest:
        case []:
            return midnight(date(year, 1, 1), zone), midnight(date(year + 1, 1, 1), zone)
        case [month]:
            first = date(year, month, 1)
            return midnight(first, zone), midnight(_months_on(first, 1), zone)
        case [month, day]:
            first = date(year, month, day)
            return midnight(first, zone), midnight(first + timedelta(days=1), zone)
    month, day, hour, minute = rest
    start = utc_of(datetime(year, month, day, hour, minute), zone)  # noqa: DTZ001 - the zone is added
    return start, start + timedelta(minutes=1)


def _days(word: str, today: date) -> tuple[date, date]:
    """The first day, and the first one after the last."""
    if word in {"today", "yesterday"}:
        first = today - timedelta(days=word == "yesterday")
        return first, first + timedelta(days=1)
    which, _, unit = word.partition("-")
    before = which == "last"
    if unit == "week":
        monday = today - timedelta(days=today.weekday() + 7 * before)
        return monday, monday + timedelta(days=7)
    if unit == "month":
        first = _months_on(today.replace(day=1), -before)
        return first, _months_on(first, 1)
    return date(today.year - before, 1, 1), date(today.year - before + 1, 1, 1)


def _ago(amount: int, unit: str, now: datetime, zone: tzinfo | None) -> datetime:
    if unit in _HOURS:
        moment = now.astimezone(UTC) - timedelta(hours=amount * _HOURS[unit])
    else:
        months = amount * (12 if unit == "y" else 1)
        local = now.astimezone(zone).replace(tzinfo=None)
        if months >= (local.year - _EARLIEST.year) * 12:
            return _EARLIEST
        day = _months_on(local.date(), -months)
        moment = utc_of(datetime.combine(day, local.time()), zone)
    return max(moment, _EARLIEST)


def _months_on(day: date, months: int) -> date:
    """The same day so many months later, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def midnight(day: date, zone: tzinfo | None) -> datetime:
    """When a day begins, as aware UTC; without a zone, in the machine's own."""
    return utc_of(datetime.combine(day, datetime.min.time()), zone)


def utc_of(local: datetime, zone: tzinfo | None) -> datetime:
    """A time on the wall as aware UTC; without a zone, in the machine's own."""
    # A naive time is read in the machine's own zone.
    at = (local if zone is None else local.replace(tzinfo=zone)).astimezone(UTC)
    return max(at, _EARLIEST)
