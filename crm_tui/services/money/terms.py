"""When what is paid again and again is due, and what it comes to in a month."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from fractions import Fraction

from crm_tui.vocabulary import Interval

_DAYS_OF_A_MONTH = Fraction(1461, 48)
"""A year has 365 days and a quarter."""

_MONTHS = {Interval.MONTH: 1, Interval.YEAR: 12}
_DAYS = {Interval.WEEK: 7, Interval.DAY: 1}


def next_due(
    at: datetime, interval: Interval, count: int = 1, *, day: int | None = None
) -> datetime:
    """When so many intervals from a time are over; a month ends on its last day at the latest.

    `day` is the day of the month it began on, where that may be later than the one of `at`: what
    began on the 31st is due on the 28th of February, and on the 31st of March again.
    """
    if interval in _DAYS:
        return at + timedelta(days=_DAYS[interval] * count)
    years, month = divmod(at.month - 1 + _MONTHS[interval] * count, 12)
    year, month = at.year + years, month + 1
    last = monthrange(year, month)[1]
    return at.replace(year=year, month=month, day=min(day or at.day, last))


def a_month(amount: int, interval: Interval, count: int = 1) -> Fraction:
    """What an amount for each `count` intervals is in a month, exactly, in minor units."""
    if interval in _DAYS:
        return amount * _DAYS_OF_A_MONTH / (_DAYS[interval] * count)
    return Fraction(amount, _MONTHS[interval] * count)
