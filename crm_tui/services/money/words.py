"""How timelines tell of money."""

from __future__ import annotations

from datetime import datetime

from crm_tui.money import amount_words, plain_amount
from crm_tui.vocabulary import Interval


def day(at: datetime, *, said_at: datetime) -> str:
    """A day as it is said at a time: "3 Dec", with its year where that is another. Days are UTC's."""
    words = f"{at.day} {at:%b}"
    return words if at.year == said_at.year else f"{words} {at.year}"


def part(amount: int, whole: int, currency: str) -> str:
    """A part of an amount: "20.00 of 49.00 USD", or all of it: "49.00 USD"."""
    if amount >= whole:
        return amount_words(amount, currency)
    return f"{plain_amount(amount, currency)} of {amount_words(whole, currency)}"


def every(interval: Interval, count: int) -> str:
    """How often: "a month", "every 3 months"."""
    return f"a {interval.value}" if count == 1 else f"every {count} {interval.value}s"


def terms(amount: int, currency: str, interval: Interval, count: int) -> str:
    """What is paid how often: "49.00 USD a month"."""
    return f"{amount_words(amount, currency)} {every(interval, count)}"
