"""The time figures are of: chosen from a few, or typed as days, months or years."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, NamedTuple

from textual.app import App

from crm_tui.errors import BadInput
from crm_tui.screens.dialogs import Pick, Picker

_LAST = re.compile(r"(\d{1,4})\s*d(?:ays?)?\Z|(\d{1,3})\Z")
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?\Z")
_BETWEEN = re.compile(r"\s*(?:\.\.+|–|\bto\b)\s*")
_NAMES = {
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "month": "This month",
    "last month": "Last month",
    "year": "This year",
    "all": "All time",
}
_BY_TITLE = {title.lower(): name for name, title in _NAMES.items()}
_HOW = "such as 2026-10-01 to 2026-10-31, 2026-10, or 45d"


class Span(NamedTuple):
    """Days of the operator's zone, both included; None is the first record, or now.

    Attributes:
        text: As it was chosen or typed.
        title: What it is called.
    """

    text: str
    title: str
    since: date | None = None
    until: date | None = None

    @property
    def days(self) -> str:
        """The days in words: "24 Oct – 22 Nov 2026"."""
        return _between(self.since, self.until)


EVERYTHING = Span("all", _NAMES["all"])


def read_span(text: str, today: date) -> Span:
    """The time that is meant.

    Args:
        text: One of the names ("30d", "last month"), or one or two of days, months and years.
        today: In the operator's zone.

    Raises:
        BadInput: it is none.
    """
    plain = " ".join(text.lower().split())
    plain = _BY_TITLE.get(plain, plain)
    first = today.replace(day=1)
    if plain in {"", "all"}:
        return EVERYTHING
    if (last := _LAST.match(plain)) and (number := int(last[1] or last[2])):
        name = f"{number}d"
        title = _NAMES.get(name, f"Last {number} days")
        return Span(name, title, today - timedelta(days=number - 1))
    if plain == "month":
        return Span(plain, _NAMES[plain], first)
    if plain == "last month":
        end = first - timedelta(days=1)
        return Span(plain, _NAMES[plain], end.replace(day=1), end)
    if plain == "year":
        return Span(plain, _NAMES[plain], date(today.year, 1, 1))
    return _typed(plain)


def _typed(plain: str) -> Span:
    begin, *rest = _BETWEEN.split(plain)
    since, last = _days(begin) if begin else (None, None)
    if len(rest) > 1 or not any((begin, *rest)):
        raise BadInput(f'"{plain}" is no time that figures can be of: write it {_HOW}.')
    # A single day, month or year is that one and nothing after it.
    until = last if not rest else _days(rest[0])[1] if rest[0] else None
    if since is not None and until is not None and until < since:
        raise BadInput(f"{_word(until)} is before {_word(since)}: write the earlier day first.")
    return Span(plain, _between(since, until), since, until)


def _days(text: str) -> tuple[date, date]:
    """The first and the last day of a day, a month or a year."""
    found = _DAY.match(text)
    if found is None:
        raise BadInput(f'"{text}" is no time that figures can be of: write it {_HOW}.')
    year, month, day = (int(part) if part else None for part in found.groups())
    assert year is not None
    try:
        since = date(year, month or 1, day or 1)
        until = since
        if day is None:
            last = month or 12
            until = date(year, last, monthrange(year, last)[1])
    except ValueError:
        raise BadInput(f'There is no "{text}": write it {_HOW}.') from None
    return since, until


def _word(day: date, *, year: bool = True) -> str:
    return f"{day.day} {day:%b}" + (f" {day.year}" if year else "")


def _between(since: date | None, until: date | None) -> str:
    if since is None:
        return f"until {_word(until)}" if until else ""
    if until is None:
        return f"since {_word(since)}"
    if since == until:
        return _word(since)
    return f"{_word(since, year=since.year != until.year)} – {_word(until)}"


def choose_span(app: App[Any], current: Span, today: date, use: Callable[[Span], None]) -> None:
    """Ask for the time: one of a few, or typed."""

    def chosen(text: str | None) -> None:
        if text is not None:
            use(read_span(text, today))

    spans = [read_span(text, today) for text in _NAMES]
    picks = [Pick(each.title, each.title, each.days) for each in spans]
    if current.text not in _NAMES:
        picks.insert(0, Pick(current.text, current.title))
    app.push_screen(
        Picker(
            "45d, 2026-10, or 2026-10-01 to 2026-10-31",
            picks,
            current=current.title if current.text in _NAMES else current.text,
            new="these days",
            admit=lambda text: read_span(text, today),
        ),
        chosen,
    )
