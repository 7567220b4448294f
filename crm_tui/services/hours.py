"""Opening hours of every source in one form, and how they read.

The form: a dict with keys "mon" to "sun". A day that is not known is absent, [] is closed, else
the day's spans in local time: [["09:00", "17:30"], ...]. ["00:00", "24:00"] is open all day; a
close at or before its open is after midnight.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from crm_tui.text import fold

Hours = dict[str, list[list[str]]]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_DAY = ("00:00", "24:00")
_DAY = 1440
"""Minutes."""
_MAX_TEXT = 2000
_TITLES = dict(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
# Folded day names by their first letters: English, German, Spanish, French, Italian, Dutch, Greek.
_DAY_WORDS = {
    "mon": "mo mon monday montag lun lunes lundi lunedi maandag δευτερα δευ",
    "tue": "tu tue tues tuesday di dienstag mar martes mardi martedi dinsdag τριτη τρι",
    "wed": "we wed weds wednesday mi mittwoch mie miercoles mer mercredi mercoledi woensdag τεταρτη",
    "thu": "th thu thur thurs thursday do donnerstag jue jueves jeu jeudi gio giovedi donderdag "
    "πεμπτη",
    "fri": "fr fri friday freitag vie viernes ven vendredi venerdi vrijdag παρασκευη",
    "sat": "sa sat saturday samstag sab sabado sam samedi sabato zaterdag σαββατο",
    "sun": "su sun sunday so sonntag dom domingo dim dimanche domenica zondag κυριακη",
}
_DAY_OF_WORD = {word: day for day, words in _DAY_WORDS.items() for word in words.split()}
_DAY_WORD = r"(?:" + "|".join(sorted(_DAY_OF_WORD, key=len, reverse=True)) + r")\b\.?"
_EVERY_DAY = r"(?:every ?day|daily|all week|taglich|7 days(?: a week)?|mon ?- ?sun)\b"
_CLOSED = re.compile(r"\b(?:closed|geschlossen|cerrado|ferme|chiuso|gesloten|κλειστα)\b")
_ALL_DAY = re.compile(r"\b(?:open )?24 ?(?:h|hrs?|hours|stunden|horas|heures)\b|\b24 ?/ ?7\b")
_TIME = r"(\d{1,2})(?:[:.h](\d{2}))?\s*([ap])?\.?(?:m\b\.?)?"
_SPAN = re.compile(_TIME + r"\s*(?:uhr\s*)?(?:-|to|bis|until)\s*" + _TIME)
_DASHES = re.compile("[\u2010-\u2015\u2212~]")
_DAY_GROUP = re.compile(
    rf"({_EVERY_DAY}|{_DAY_WORD}(?:\s*(?:-|to|bis|a|,|&|/|and|und)\s*{_DAY_WORD})*)"
)
_DAY_LINK = re.compile(rf"({_DAY_WORD})\s*(-|to|bis|a|,|&|/|and|und)?\s*")


def parse(value: object) -> Hours | None:
    """Hours in any known shape, or None where there are none to read.

    Known shapes: a mapping of day names to texts or lists of texts (Outscraper, gosom), the
    "periods" of a place (Places API), our own form, lists of lines such as "Monday: 9 AM - 5 PM",
    JSON text of any of these, and plain text such as "Mon-Fri 9-5; Sat closed".
    """
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, Mapping):
        if isinstance(value.get("periods"), list):
            return from_periods(value["periods"])
        return _from_days(value)
    if isinstance(value, list) and value:
        if all(isinstance(line, str) for line in value):
            return _parse_text("\n".join(value))
        if isinstance(value[0], Mapping):
            return from_periods(value)
    return None


def _parse_text(text: str) -> Hours | None:
    text = text.strip()
    if text[:1] in {"{", "["}:
        try:
            decoded = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return None if isinstance(decoded, str) else parse(decoded)
    return from_text(text) if text else None


def _from_days(days: Mapping[Any, Any]) -> Hours | None:
    hours: Hours = {}
    for word, value in days.items():
        day = _DAY_OF_WORD.get(fold(str(word)))
        if day is None:
            continue
        spans = _day_spans(value)
        if spans is not None:
            hours[day] = spans
    return _in_order(hours)


def _day_spans(value: object) -> list[list[str]] | None:
    if isinstance(value, str):
        return _spans(value)
    if not isinstance(value, list):
        return None
    if not value:
        return []
    texts = [
        f"{part[0]}-{part[1]}" if isinstance(part, list) and len(part) == 2 else part
        for part in value
    ]
    if not all(isinstance(text, str) for text in texts):
        return None
    return _spans(", ".join(texts))


def from_periods(periods: Iterable[object]) -> Hours | None:
    """Hours of the Places API's `regularOpeningHours.periods` (day 0 is Sunday).

    A place that is always open has one period, from Sunday midnight, without a close. Days
    without a period are closed.
    """
    hours: Hours = {}
    for period in periods:
        if not isinstance(period, Mapping) or not isinstance(period.get("open"), Mapping):
            continue
        opens = _point(period["open"])
        closes = _point(period.get("close"))
        if opens is None:
            continue
        if closes is None:
            return {day: [list(_WHOLE_DAY)] for day in DAYS}
        day, minute = opens
        length = ((closes[0] - day) % 7) * 1440 + closes[1] - minute
        if length <= 0:
            length += 7 * 1440
        _add_period(hours, day, minute, length)
    if not hours:
        return None
    return {day: sorted(hours.get(day, [])) for day in DAYS}


def _point(value: object) -> tuple[int, int] | None:
    if not isinstance(value, Mapping):
        return None
    day, hour, minute = value.get("day"), value.get("hour", 0), value.get("minute", 0)
    if isinstance(day, int) and isinstance(hour, int) and isinstance(minute, int):
        return (day - 1) % 7, hour * 60 + minute
    return None


def _add_period(hours: Hours, day: int, minute: int, length: int) -> None:
    """Add a period, cut at midnight where it lasts longer than to the next morning."""
    while length > 0:
        spans = hours.setdefault(DAYS[day % 7], [])
        if minute == 0 and length >= 1440:
            spans.append(list(_WHOLE_DAY))
            used = 1440
        elif minute + length < 1440 + 12 * 60:
            spans.append([_clock(minute), _clock((minute + length) % 1440)])
            used = length
        else:
            used = 1440 - minute
            spans.append([_clock(minute), "00:00"])
        length -= used
        minute = 0
        day += 1


def from_text(text: str) -> Hours | None:
    """Hours written for people: "Mon-Fri 9-5, Sat 10:00-14:00; Sun closed". Best effort."""
    plain = fold(_DASHES.sub("-", text[:_MAX_TEXT].replace("\n", " ; ")))
    if _ALL_DAY.fullmatch(plain.strip(" .;")):
        return {day: [list(_WHOLE_DAY)] for day in DAYS}
    hours: Hours = {}
    pieces = _DAY_GROUP.split(plain)
    if len(pieces) == 1:
        spans = _spans(plain)
        return {day: [list(span) for span in spans] for day in DAYS} if spans else None
    for group, words in zip(pieces[1::2], pieces[2::2], strict=True):
        spans = _spans(words)
        if spans is None:
            continue
        for day in _days_of(group):
            hours.setdefault(day, []).extend(list(span) for span in spans)
    return _in_order(hours)


def _days_of(group: str) -> list[str]:
    if re.match(_EVERY_DAY, group):
        return list(DAYS)
    days: list[str] = []
    through = False
    for word, link in _DAY_LINK.findall(group):
        day = _DAY_OF_WORD[word.rstrip(".")]
        if through and days:
            at, last = DAYS.index(days[-1]), DAYS.index(day)
            days += [DAYS[i % 7] for i in range(at + 1, last + 1 + (7 if last <= at else 0))]
        else:
            days.append(day)
        through = link in {"-", "to", "bis", "a"}
    return list(dict.fromkeys(days))


def _spans(text: str) -> list[list[str]] | None:
    """The spans a text names; [] where it says closed, None where it says neither."""
    spans = _read_spans(text)
    return None if spans is None else [list(span) for span in spans]


@lru_cache(maxsize=1024)
def _read_spans(text: str) -> tuple[tuple[str, str], ...] | None:
    plain = fold(_DASHES.sub("-", text))
    if _ALL_DAY.search(plain):
        return (_WHOLE_DAY,)
    spans = tuple(span for match in _SPAN.finditer(plain) if (span := _span(match)))
    if spans:
        return spans
    return () if _CLOSED.search(plain) else None


def _span(match: re.Match[str]) -> tuple[str, str] | None:
    open_hour, close_hour = int(match[1]), int(match[4])
    open_minute, close_minute = int(match[2] or 0), int(match[5] or 0)
    open_half, close_half = match[3], match[6]
    if open_hour > 24 or close_hour > 24 or open_minute > 59 or close_minute > 59:
        return None
    if close_half and not open_half:
        # "1-11 pm" leaves out a half it shares; "9-5 pm" cannot share it.
        start = _minutes(open_hour, open_minute, close_half)
        end = _minutes(close_hour, close_minute, close_half)
        open_half = "a" if close_half == "p" and start > end else close_half
    elif open_half and not close_half and close_hour <= 12:
        close_half = "p"
    start = _minutes(open_hour, open_minute, open_half)
    end = _minutes(close_hour, close_minute, close_half)
    if not open_half and not close_half and end <= start and 0 < close_hour < 12 and not match[5]:
        end += 720  # "9-5"
    if start % 1440 == end % 1440:
        return _WHOLE_DAY if start % 1440 == 0 else None
    return _clock(start % 1440), _clock(end % 1440)


def _minutes(hour: int, minute: int, half: str | None) -> int:
    if half == "p" and hour < 12:
        hour += 12
    elif half == "a" and hour == 12:
        hour = 0
    return hour * 60 + minute


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _in_order(hours: Hours) -> Hours | None:
    return {day: hours[day] for day in DAYS if day in hours} or None


def lines(hours: Mapping[str, list[list[str]]] | None) -> list[str]:
    """Hours as a person reads them, equal days together: "Mon–Fri 08:00–17:00", "Sat closed".

    Days that are not known are left out.
    """
    groups: list[tuple[list[str], str]] = []
    for day in DAYS:
        if not hours or day not in hours:
            continue
        words = _words(hours[day])
        if groups and groups[-1][1] == words and DAYS[DAYS.index(day) - 1] == groups[-1][0][-1]:
            groups[-1][0].append(day)
        else:
            groups.append(([day], words))
    return [f"{_named(days)} {words}" for days, words in groups]


def _words(spans: list[list[str]]) -> str:
    if not spans:
        return "closed"
    if list(_WHOLE_DAY) in spans:
        return "open 24 hours"
    return ", ".join(f"{span[0]}–{span[1]}" for span in spans)


def _named(days: list[str]) -> str:
    if len(days) == 7:
        return "Every day"
    if len(days) < 3:
        return ", ".join(_TITLES[day] for day in days)
    return f"{_TITLES[days[0]]}–{_TITLES[days[-1]]}"


class Opening(NamedTuple):
    """Whether a place is open at a time, and in words until when, or from when on."""

    open: bool
    words: str


def opening(hours: Mapping[str, list[list[str]]] | None, local: datetime) -> Opening | None:
    """Whether a place is open at a time of its own clock; None where its hours do not say.

    In words: "open until 17:00", "open 24 hours", "closed, opens 08:00", "closed, opens Mon 08:00".
    """
    spans = _week(hours or {})
    minute = local.weekday() * _DAY + local.hour * 60 + local.minute
    until = next((end for start, end in spans if start <= minute < end), None)
    if until is not None:
        until = _end_of(until, spans)
        if until - minute > _DAY:
            return Opening(open=True, words="open 24 hours")
        return Opening(open=True, words=f"open until {_clock(until % _DAY)}")
    if DAYS[local.weekday()] not in (hours or {}):
        return None
    following = min((start for start, _ in spans if start > minute), default=None)
    if following is None:
        return Opening(open=False, words="closed")
    day = "" if following // _DAY == local.weekday() else f"{_TITLES[DAYS[following // _DAY % 7]]} "
    return Opening(open=False, words=f"closed, opens {day}{_clock(following % _DAY)}")


def _week(hours: Mapping[str, list[list[str]]]) -> list[tuple[int, int]]:
    """The spans in minutes from Monday 00:00, those of the week before and after included."""
    spans = []
    for number, day in enumerate(DAYS):
        for opens, closes in hours.get(day, ()):
            start, end = _minute(opens), _minute(closes)
            length = end - start if end > start else end - start + _DAY
            spans += [
                (number * _DAY + start + week, number * _DAY + start + length + week)
                for week in (-7 * _DAY, 0, 7 * _DAY)
            ]
    return sorted(spans)


def _end_of(until: int, spans: Sequence[tuple[int, int]]) -> int:
    """Until when it is open, where it closes at `until` or is open again by then."""
    for start, end in spans:
        if start <= until < end:
            until = end
    return until


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)
