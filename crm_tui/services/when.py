"""Times as a person says them, in the operator's zone: "tomorrow 9", "in 2 weeks", "mon 14:30".

What the words mean is written down in docs/decisions/0016. A zone of None is the machine's own.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from crm_tui.errors import BadInput

EXAMPLES = '"tomorrow 9", "in 2 weeks", "mon 14:30", "1 dec" or "2026-12-01 10:00"'
"""A few of the ways to say a time, for hints and errors."""

QUICK = ("tomorrow", "next week", "in 2 weeks", "next month")
"""The times follow-ups are most often set to, to offer one by one."""

_DAY = timedelta(days=1)
_FARTHEST = 10
"""Years ahead; what lies farther is a slip of the fingers."""
_NEVER = datetime.max.replace(tzinfo=UTC)

_WEEKDAYS = {
    word: number
    for number, name in enumerate(
        "monday tuesday wednesday thursday friday saturday sunday".split()
    )
    for word in {name, name[:3], name[:4], name[:5]}
}
_MONTHS = {
    word: number
    for number, name in enumerate(
        "january february march april may june july august september october november december".split(),
        start=1,
    )
    for word in {name, name[:3], *(["sept"] if name == "september" else [])}
}
_NUMBERS = {
    word: number
    for number, words in enumerate(
        "a|an|one two three four five six seven eight nine ten eleven twelve".split(), start=1
    )
    for word in words.split("|")
}
_AHEAD = {"yesterday": -1, "today": 0, "tomorrow": 1, "tmr": 1, "tmrw": 1, "day after tomorrow": 2}
"""Days ahead."""
_PARTS = {"morning": None, "noon": 12, "midday": 12, "afternoon": 14, "evening": 18}
"""The hour of a part of the day; None is the hour a day begins with."""

_FILLERS = {"on", "at", "by", "until", "till", "the", "this", "of"}
_UNITS = {
    unit: words[0]
    for words in (
        ("minutes", "minute", "mins", "min", "m"),
        ("hours", "hour", "hrs", "hr", "h"),
        ("days", "day", "d"),
        ("weeks", "week", "wks", "wk", "w"),
        ("months", "month", "mo"),
        ("years", "year", "y"),
    )
    for unit in words
}
_SPAN = re.compile(
    rf"(?:in )?(?:(\d{{1,4}}) ?|({'|'.join(_NUMBERS)}) )({'|'.join(_UNITS)})", re.ASCII
)
_CLOCK = r"(?:\d{1,2}(?::\d{2})? ?(?:am|pm)|\d{1,2}(?::\d{2})?)"
_PART = rf"(?:(?:in )?(?:{'|'.join(_PARTS)}))"
_TIMED_LAST = re.compile(rf"(?:(.+?) )?({_CLOCK}|{_PART})", re.ASCII)
_TIMED_FIRST = re.compile(rf"({_CLOCK}|{_PART}) (.+)", re.ASCII)
_NTH = r"(\d{1,2})(?:st|nd|rd|th)?"
_MONTH = f"({'|'.join(_MONTHS)})"
_DAY_MONTH = re.compile(rf"{_NTH} ?{_MONTH}(?: (\d{{4}}))?", re.ASCII)
_MONTH_DAY = re.compile(rf"{_MONTH} ?{_NTH}(?: (\d{{4}}))?", re.ASCII)
_MONTHDAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th)", re.ASCII)
_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)
_SLASHED = re.compile(r"\d{1,2}[/.]\d{1,2}\b", re.ASCII)


def read_when(text: str, *, now: datetime, zone: tzinfo | None = None, hour: int = 9) -> datetime:
    """The time that `text` names, as aware UTC; it always lies ahead of `now`.

    Args:
        text: what a person typed.
        now: the current time, aware.
        zone: the operator's zone, in which days begin and hours are meant.
        hour: the hour of a day named without one.

    Raises:
        BadInput: it is no time, or one that is past or more than ten years ahead.
    """
    words = _plain(text)
    if not words:
        raise BadInput(f"Say when: {EXAMPLES}.")
    try:
        found = _instant(words, now) or _first_ahead(words, now=now, zone=zone, hour=hour)
    except OverflowError:
        found = _NEVER
    if found is None:
        raise BadInput(_unreadable(text.strip()))
    if found.year > now.year + _FARTHEST:
        raise BadInput(f'"{text.strip()}" is more than {_FARTHEST} years ahead.')
    if found <= now:
        said = _date_and_time(found.astimezone(zone), now.astimezone(zone))
        raise BadInput(f'"{text.strip()}" is past ({said}); name a time ahead: {EXAMPLES}.')
    return found


def say_when(at: datetime, *, now: datetime, zone: tzinfo | None = None) -> str:
    """When something is due, in a few words: "today 14:30", "Mon 30 Nov 9:00", "overdue 2d"."""
    if at <= now:
        minutes = int((now - at).total_seconds()) // 60
        hours = minutes // 60
        late = f"{minutes}m" if not hours else f"{hours}h" if hours < 24 else f"{hours // 24}d"
        return f"overdue {late}" if minutes else "now"
    local, today = at.astimezone(zone), now.astimezone(zone)
    days = (local.date() - today.date()).days
    if days < 2:
        return f"{('today', 'tomorrow')[days]} {_hour(local)}"
    return _date_and_time(local, today)


def say_date(at: datetime, *, now: datetime, zone: tzinfo | None = None) -> str:
    """A date and hour wherever it lies: "Mon 30 Nov 9:00", with its year if that is another."""
    return _date_and_time(at.astimezone(zone), now.astimezone(zone))


def say_reading(at: datetime, *, now: datetime, zone: tzinfo | None = None) -> str:
    """What was understood, to be sure of it: "Mon 30 Nov 9:00, in 8 days"."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    days = (local.date() - today.date()).days
    far = _many(days, "day")
    if days < 1:
        hours, minutes = divmod(-(-int((at - now).total_seconds()) // 60), 60)
        parts = [(hours, "hour"), (minutes, "minute")]
        far = " ".join(_many(*part) for part in parts if part[0]) or "a moment"
    return f"{_date_and_time(local, today)}, in {far}"


def end_of_day(now: datetime, *, zone: tzinfo | None = None) -> datetime:
    """The last moment of the operator's day, aware UTC."""
    today = now.astimezone(zone).date()
    return _moment(today + _DAY, time(), zone) - timedelta(microseconds=1)


def _many(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def _hour(local: datetime) -> str:
    return f"{local.hour}:{local.minute:02}"


_SHORT_DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_SHORT_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def _date_and_time(local: datetime, today: datetime) -> str:
    year = "" if local.year == today.year else f" {local.year}"
    day = f"{_SHORT_DAYS[local.weekday()]} {local.day} {_SHORT_MONTHS[local.month - 1]}"
    return f"{day}{year} {_hour(local)}"


# Reading


def _plain(text: str) -> str:
    """Lower case, single spaces, without the words that say nothing."""
    words = text.casefold().replace(",", " ").replace("tonight", "today evening").split()
    return " ".join(word for word in words if word not in _FILLERS)


def _instant(words: str, now: datetime) -> datetime | None:
    """A time that needs no day: minutes or hours ahead, or an ISO time with its offset."""
    if (span := _span(words)) and span[1] in {"minutes", "hours"}:
        return now.replace(second=0, microsecond=0) + timedelta(**{span[1]: span[0]})
    try:
        moment = datetime.fromisoformat(words.upper())
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def _first_ahead(words: str, *, now: datetime, zone: tzinfo | None, hour: int) -> datetime | None:
    """The first day and time the words can mean that is ahead, else the last; None if none."""
    today = now.astimezone(zone)
    found = None
    for day_words, time_words in _splits(words.replace("t", " ") if _ISO.match(words) else words):
        at = _time(time_words, hour) if time_words else None
        if time_words and at is None:
            continue
        for day in _days(day_words, today.date(), timed=at is not None):
            found = _moment(day, at or _usual(day, today, hour), zone)
            if found > now:
                return found
        if found is not None:
            return found
    return found


def _splits(words: str) -> Iterator[tuple[str, str]]:
    """The ways to tell the day from the time of day; either may be empty."""
    yield words, ""
    if last := _TIMED_LAST.fullmatch(words):
        yield last[1] or "", last[2]
    if first := _TIMED_FIRST.fullmatch(words):
        yield first[2], first[1]


def _moment(day: date, at: time, zone: tzinfo | None) -> datetime:
    """That hour of that day: one the clocks leave out moves on, of one they repeat the first."""
    wall = datetime.combine(day, at, tzinfo=zone)
    return datetime.fromtimestamp(wall.timestamp(), UTC)  # astimezone() would move a gap back


def _usual(day: date, today: datetime, hour: int) -> time:
    """The time of a day named without one; today it is the next full hour once that is past."""
    if day == today.date() and today.hour >= hour:
        return time(today.hour + 1) if today.hour < 23 else time(23, 59)
    return time(hour)


def _time(words: str, hour: int) -> time | None:
    part = words.removeprefix("in ")
    if part in _PARTS:
        return time(_PARTS[part] or hour)
    clock, half = words, ""
    if words.endswith(("am", "pm")):
        clock, half = words[:-2].strip(), words[-2:]
    hours, _, minutes = clock.partition(":")
    named = int(hours)
    if half:
        if not 1 <= named <= 12:
            return None
        named = named % 12 + (12 if half == "pm" else 0)
    return time(named, int(minutes or 0)) if named < 24 and int(minutes or 0) < 60 else None


def _days(words: str, today: date, *, timed: bool) -> list[date]:
    """The days the words can mean, nearest first; none if they name no day.

    A weekday is today's only where a time of day goes with it (and lies ahead).
    """
    if not words:
        return [today, today + _DAY]
    if words in _AHEAD:
        return [today + _AHEAD[words] * _DAY]
    if words in _WEEKDAYS:
        return _weekly(_WEEKDAYS[words], today if timed else today + _DAY)
    if span := _span(words):
        return [_in_span(today, *span)]
    return _next_or_end(words, today) or _dates(words, today)


def _next_or_end(words: str, today: date) -> list[date]:
    """The days of "next week", "next friday", "end of month"; weeks begin on Monday."""
    monday = today + (7 - today.weekday()) * _DAY
    for weekday in (words.removeprefix("next "), words.removesuffix(" next week")):
        if weekday != words and weekday in _WEEKDAYS:
            return [monday + _WEEKDAYS[weekday] * _DAY]
    first = today.replace(day=1)
    return {
        "next week": [monday],
        "next month": [_in_months(first, 1)],
        "next year": [first.replace(year=today.year + 1, month=1)],
        "end week": _weekly(_WEEKDAYS["fri"], today),
        "end month": [_in_months(first, months) - _DAY for months in (1, 2)],
    }.get(words, [])


def _weekly(weekday: int, first: date) -> list[date]:
    """The first such day from `first` on, and the one a week later."""
    near = first + (weekday - first.weekday()) % 7 * _DAY
    return [near, near + 7 * _DAY]


def _span(words: str) -> tuple[int, str] | None:
    """How many of which unit: (2, "weeks")."""
    if not (match := _SPAN.fullmatch(words)):
        return None
    return int(match[1]) if match[1] else _NUMBERS[match[2]], _UNITS[match[3]]


def _in_span(today: date, number: int, unit: str) -> date:
    if unit in {"months", "years"}:
        return _in_months(today, number * (12 if unit == "years" else 1))
    return today + number * (7 if unit == "weeks" else 1) * _DAY


def _in_months(day: date, months: int) -> date:
    """That many months on, at the latest on the last day of that month."""
    years, month = divmod(day.month - 1 + months, 12)
    if day.year + years > day.max.year:
        raise OverflowError
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _dates(words: str, today: date) -> list[date]:
    """The days of a date: with its year one, else this year's, the next one's and so on."""
    weekday, _, rest = words.partition(" ")
    if rest and weekday in _WEEKDAYS:
        return _on_a(weekday, _dates(rest, today))
    if _ISO.fullmatch(words):
        year, month, day = map(int, words.split("-"))
        return [_date(year, month, day)]
    if match := _MONTHDAY.fullmatch(words):
        months = (_in_months(today.replace(day=1), ahead) for ahead in range(13))
        return _those_that_exist(int(match[1]), months)
    if match := _DAY_MONTH.fullmatch(words):
        number, name, year_named = match.groups()
    elif match := _MONTH_DAY.fullmatch(words):
        name, number, year_named = match.groups()
    else:
        return []
    if year_named:
        return [_date(int(year_named), _MONTHS[name], int(number))]
    years = (date(today.year + ahead, _MONTHS[name], 1) for ahead in range(_FARTHEST))
    return _those_that_exist(int(number), years)


def _on_a(weekday: str, days: list[date]) -> list[date]:
    """Those of the days that are this weekday, where the nearest two are looked at."""
    right = [day for day in days[:2] if day.weekday() == _WEEKDAYS[weekday]]
    if days and not right:
        named = f"{_SHORT_MONTHS[days[0].month - 1]} {days[0].day}"
        raise BadInput(f"{named} is a {days[0]:%A}; name the day without the weekday.")
    return right


def _those_that_exist(day: int, months: Iterable[date]) -> list[date]:
    """That day of each of the months that has it."""
    found = [
        first.replace(day=day)
        for first in months
        if 1 <= day <= monthrange(first.year, first.month)[1]
    ]
    if not found:
        raise BadInput(f"No such month has a day {day}; name another, as in {EXAMPLES}.")
    return found


def _date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise BadInput(
            f"There is no day {year:04}-{month:02}-{day:02}; name another, as in {EXAMPLES}."
        ) from None


def _unreadable(text: str) -> str:
    if _SLASHED.match(text):
        return f'"{text}" can be read in two ways; write "1 dec" or "2026-12-01".'
    return f'"{text}" is no time this program reads; say {EXAMPLES}.'
