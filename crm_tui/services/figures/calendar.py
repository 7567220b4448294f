"""Days, weeks and months of the operator's calendar, as spans of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from sqlalchemy import ColumnElement, Text, func, type_coerce

from crm_tui.services.filters import dates


class Step(StrEnum):
    """How long the parts of a time are."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_MOST_DAYS, _MOST_WEEKS = 45, 40
"""How many parts still make a picture; beyond them they get longer."""


def step_for(since: date, last: date) -> Step:
    """Into what a time is parted: days up to six weeks, weeks up to nine months, else months."""
    days = (last - since).days + 1
    if days <= _MOST_DAYS:
        return Step.DAY
    return Step.WEEK if days <= _MOST_WEEKS * 7 else Step.MONTH


def begin_of(day: date, step: Step) -> date:
    """The first day of the day, week (from Monday) or month a day lies in."""
    match step:
        case Step.DAY:
            return day
        case Step.WEEK:
            return day - timedelta(days=day.weekday())
        case Step.MONTH:
            return day.replace(day=1)


def after(begin: date, step: Step) -> date:
    """The first day of the part after the one that begins on a day."""
    match step:
        case Step.DAY:
            return begin + timedelta(days=1)
        case Step.WEEK:
            return begin + timedelta(days=7)
        case Step.MONTH:
            return (begin.replace(day=1) + timedelta(days=32)).replace(day=1)


class Parts:
    """A time in parts of the calendar: `days` are their first days, `edges` when they begin.

    The last edge is the end of the last part. What lies at an edge is in the part that begins there.
    """

    def __init__(self, first: date, last: date, step: Step, zone: tzinfo | None) -> None:
        begins = [begin_of(first, step)]
        while (following := after(begins[-1], step)) <= last:
            begins.append(following)
        self.step = step
        self.days: Sequence[date] = begins
        self.edges: Sequence[datetime] = [
            dates.midnight(each, zone) for each in (*begins, after(begins[-1], step))
        ]

    def at(self, moment: datetime) -> int:
        """The number of the part a moment lies in; -1 before the first."""
        return bisect_right(self.edges, moment) - 1

    @property
    def spans(self) -> Sequence[tuple[datetime, datetime]]:
        """When each part begins, and when it ends."""
        return list(pairwise(self.edges))

    def rough(self, column: object) -> ColumnElement[str]:
        """A stored time without what no edge needs, to be counted by: its hour, or its minute.

        `read` makes a time of it. Times by the million are counted in the store, by the thousand here.
        """
        width = 13 if all(edge.minute == 0 for edge in self.edges) else 16
        return func.substr(type_coerce(column, Text), 1, width)


def read(rough: str) -> datetime:
    """The begin of the hour or minute that `Parts.rough` told of."""
    text = rough if len(rough) > len("2026-11-22T14") else f"{rough}:00"
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day_of(moment: datetime, zone: tzinfo | None) -> date:
    """The day of a moment in a zone (the machine's own when None)."""
    return moment.astimezone(zone).date()
