"""When mail may go: quiet hours, working days and the delays of steps, in the recipient's zone.

Hours are those on the recipient's wall. Where the clocks go forward past the end of the quiet
hours, they end with the jump; of an hour that comes twice both count alike. A zone of None is the
machine's own. Everything is handed the time and gives back aware UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import count

from crm_tui.errors import BadInput

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)
_MIDNIGHT = time()
_CLOCK = r"((?:[01]?\d|2[0-3]):[0-5]\d|24:00)"
_QUIET = re.compile(rf"{_CLOCK}\s*[-–]\s*{_CLOCK}")


@dataclass(frozen=True, slots=True)
class Rules:
    """When nothing is sent, on the recipient's wall.

    Quiet from `quiet_from` up to but without `quiet_until`, over midnight where the end is the
    earlier one; equal ends are no quiet time. Working days are Monday to Friday.
    """

    quiet_from: time = _MIDNIGHT
    quiet_until: time = _MIDNIGHT
    weekdays_only: bool = False

    @property
    def never_quiet(self) -> bool:
        """Whether mail may go at any time."""
        return self.quiet_from == self.quiet_until and not self.weekdays_only

    def allow(self, wall: datetime) -> bool:
        """Whether mail may go when the recipient's clock and calendar show this."""
        if self.weekdays_only and wall.weekday() > 4:
            return False
        now, first, end = wall.time(), self.quiet_from, self.quiet_until
        if first <= end:
            return not first <= now < end
        return end <= now < first


def read_rules(quiet_hours: str, *, weekdays_only: bool) -> Rules:
    """The rules of the settings: "20:00-08:00", or "" for no quiet hours.

    Raises:
        BadInput: The hours are not written like that.
    """
    text = quiet_hours.strip()
    if not text:
        return Rules(weekdays_only=weekdays_only)
    match = _QUIET.fullmatch(text)
    if match is None:
        raise BadInput(
            f'"{text}" are no quiet hours; write "20:00-08:00", or "" to send at any hour.'
        )
    return Rules(_clock(match[1]), _clock(match[2]), weekdays_only=weekdays_only)


def _clock(text: str) -> time:
    hour, minute = map(int, text.split(":"))
    return time(hour % 24, minute)


def is_allowed(at: datetime, zone: tzinfo | None, rules: Rules) -> bool:
    """Whether mail may go to a recipient in this zone at that time."""
    return rules.allow(at.astimezone(zone))


def next_allowed(at: datetime, zone: tzinfo | None, rules: Rules) -> datetime:
    """The first time from `at` on when mail may go."""
    if is_allowed(at, zone, rules):
        return at.astimezone(UTC)
    return next(
        turn for turn in _turns(at, zone, rules) if turn > at and is_allowed(turn, zone, rules)
    )


def allowed_until(at: datetime, zone: tzinfo | None, rules: Rules) -> datetime | None:
    """When the time in which mail may go, which `at` lies in, is over; None if never.

    Where `at` lies in none, it is over already.
    """
    if rules.never_quiet:
        return None
    if not is_allowed(at, zone, rules):
        return at.astimezone(UTC)
    return next(
        turn for turn in _turns(at, zone, rules) if turn > at and not is_allowed(turn, zone, rules)
    )


def allowed_since(at: datetime, zone: tzinfo | None, rules: Rules) -> datetime | None:
    """When the time in which mail may go, which `at` lies in, began; None if it always was.

    Where `at` lies in none, it has not begun: the time is `at` itself.
    """
    if rules.never_quiet:
        return None
    if not is_allowed(at, zone, rules):
        return at.astimezone(UTC)
    today = at.astimezone(zone).date()
    return next(
        turn
        for ago in count()
        for turn in reversed(_turns_of(today - ago * _DAY, zone, rules))
        if turn <= at and not is_allowed(turn - _SECOND, zone, rules)
    )


def _turns(at: datetime, zone: tzinfo | None, rules: Rules) -> Iterator[datetime]:
    """The times, in order and some twice, from the day of `at` on, at which `allow` can change."""
    first = at.astimezone(zone).date()
    for ahead in count():
        day = first + ahead * _DAY
        # A clock that goes back over midnight begins the next day before this one is over.
        yield from sorted(_turns_of(day, zone, rules) + _turns_of(day + _DAY, zone, rules))


def _turns_of(day: date, zone: tzinfo | None, rules: Rules) -> list[datetime]:
    """The times of a day at which `allow` can change: its hours, and where the clocks are changed."""
    walls = [
        datetime.combine(day, hour, tzinfo=zone)
        for hour in {_MIDNIGHT, rules.quiet_from, rules.quiet_until}
    ]
    moments = {_moment(wall.replace(fold=fold)) for wall in walls for fold in (0, 1)}
    real = {
        moment
        for moment in moments
        if moment.astimezone(zone).replace(tzinfo=zone, fold=0) in walls  # not left out
    }
    return sorted(real | _clock_change(day, zone))


def _clock_change(day: date, zone: tzinfo | None) -> set[datetime]:
    """When the clocks are changed on this day; empty on nearly all days."""
    before = _moment(datetime.combine(day, _MIDNIGHT, tzinfo=zone)) - _SECOND
    after = _moment(datetime.combine(day + _DAY, _MIDNIGHT, tzinfo=zone).replace(fold=1))
    old = before.astimezone(zone).utcoffset()
    if after.astimezone(zone).utcoffset() == old:
        return set()
    while after - before > _SECOND:
        middle = before + (after - before) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return {after}


def _moment(wall: datetime) -> datetime:
    """A time on the wall as UTC: one the clocks leave out moves on by what they leave out."""
    return datetime.fromtimestamp(wall.timestamp(), UTC)


# Delays of steps ---------------------------------------------------------------------------------


class Unit(StrEnum):
    """What a delay is counted in, as it is written."""

    HOURS = "h"
    BUSINESS_HOURS = "bh"
    DAYS = "d"
    BUSINESS_DAYS = "bd"
    WEEKS = "w"


_UNIT_WORDS = {
    Unit.HOURS: "h hr hrs hour hours",
    Unit.BUSINESS_HOURS: "bh|business hour|business hours|working hour|working hours",
    Unit.DAYS: "d day days",
    Unit.BUSINESS_DAYS: "bd|business day|business days|working day|working days|workday|workdays",
    Unit.WEEKS: "w wk wks week weeks",
}
_UNITS = {
    word: unit
    for unit, words in _UNIT_WORDS.items()
    for word in words.split("|" if "|" in words else None)
}
_MOST = {
    Unit.HOURS: 24 * 365,
    Unit.BUSINESS_HOURS: 12 * 260,
    Unit.DAYS: 365,
    Unit.BUSINESS_DAYS: 260,
    Unit.WEEKS: 52,
}
_DELAY = re.compile(r"(\d{1,6})\s*([a-z][a-z ]*)")
_DELAYS = '"3d", "2 weeks", "4h", "3bd" (business days) or "4bh" (business hours)'


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a step waits after the one before it: "3d", "4bh"."""

    number: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"

    @property
    def words(self) -> str:
        """As a sentence says it: "3 days", "1 business hour"."""
        name = self.unit.name.lower().replace("_", " ")
        return f"{self.number:,} {name if self.number != 1 else name.removesuffix('s')}"


def read_delay(text: str) -> Delay:
    """A delay as a person writes it: "3d", "2 days", "4 business hours".

    Raises:
        BadInput: It is none, is zero, or is longer than a year.
    """
    match = _DELAY.fullmatch(" ".join(text.casefold().split()))
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        raise BadInput(f'"{text.strip()}" is no delay; write {_DELAYS}.')
    delay = Delay(int(match[1]), unit)
    if not delay.number:
        raise BadInput(f"A step comes after the one before it; write {_DELAYS}.")
    if delay.number > _MOST[unit]:
        raise BadInput(f"A step cannot wait {delay.words}; wait a year at most.")
    return delay


def after(at: datetime, delay: Delay, zone: tzinfo | None, rules: Rules) -> datetime:
    """When a step may go whose predecessor went at `at`.

    Days, weeks and business days (Monday to Friday) keep the hour on the recipient's wall; hours
    are real time, and business hours are hours in which the rules let mail go. What falls into
    quiet hours or a weekend moves on to their end.
    """
    if delay.unit is Unit.HOURS:
        moved = at + delay.number * _HOUR
    elif delay.unit is Unit.BUSINESS_HOURS:
        moved = _open_time_later(at, delay.number * _HOUR, zone, rules)
    elif delay.unit is Unit.BUSINESS_DAYS:
        moved = _days_later(at, _business_days(at.astimezone(zone), delay.number), zone)
    else:
        days = delay.number * (7 if delay.unit is Unit.WEEKS else 1)
        moved = _days_later(at, days, zone)
    return next_allowed(moved, zone, rules)


def _days_later(at: datetime, days: int, zone: tzinfo | None) -> datetime:
    wall = at.astimezone(zone)
    return _moment(datetime.combine(wall.date() + days * _DAY, wall.time(), tzinfo=zone))


def _business_days(wall: datetime, number: int) -> int:
    """How many days ahead the business day lies that comes as the `number`th from now."""
    ahead = 0
    while number:
        ahead += 1
        number -= (wall.weekday() + ahead) % 7 < 5
    return ahead


def _open_time_later(at: datetime, span: timedelta, zone: tzinfo | None, rules: Rules) -> datetime:
    while True:
        at = next_allowed(at, zone, rules)
        end = allowed_until(at, zone, rules)
        if end is None or at + span <= end:
            return at + span
        span -= end - at
        at = end
