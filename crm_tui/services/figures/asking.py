"""What figures are asked for, as it is typed: two days, and a filter of leads."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from crm_tui.config import Settings
from crm_tui.errors import WrongUsage
from crm_tui.services.figures.base import Period, Scope
from crm_tui.services.figures.message_costs import prices_of
from crm_tui.services.filters import Standpoint, dates, parse
from crm_tui.services.filters.tree import When
from crm_tui.text import visible


def scope_of(
    settings: Settings,
    *,
    since: str | None,
    until: str | None,
    query: str | None,
    now: datetime,
) -> Scope:
    """What is asked for.

    Args:
        settings: the operator's zone, threshold and money.
        since: the first day, as the filter language has dates ("2026-01-31", "2026-01", "30d");
            None is the first record.
        until: the last day, which is in it; None is now.
        query: a filter of leads; None or "" is all of them.
        now: aware UTC.

    Raises:
        WrongUsage: a date or the filter cannot be read, or the period ends before it begins.
    """
    at = Standpoint.of(settings, now)
    first = _bounds(since, at, "begin")[0] if since else None
    last = _bounds(until, at, "end")[1] if until else None
    if first is not None and first >= (last or now):
        raise WrongUsage(f"The period from {visible(since or '')} ends before it begins.")
    text = query or ""
    tree = parse(text) if text.strip() else None
    return Scope(Period(first, last), tree, text, at, at.mode, settings.money, prices_of(settings))


def before(scope: Scope) -> Scope | None:
    """The period before, of equal length on the calendar; None where it has no beginning."""
    since = scope.period.since
    if since is None:
        return None
    zone = scope.standpoint.zone
    # By the clock on the wall: a period of whole days stays one when the clocks are changed.
    first, last = (
        at.astimezone(zone).replace(tzinfo=None)
        for at in (since, scope.period.until or scope.standpoint.now)
    )
    earlier = dates.utc_of(first - (last - first), zone)
    return replace(scope, period=Period(earlier, since))


def end_of(scope: Scope) -> datetime:
    """When the period ends, which is not in it: without an end, all until now is."""
    return scope.period.until or scope.standpoint.now + timedelta(microseconds=1)


def _bounds(text: str, at: Standpoint, what: str) -> tuple[datetime, datetime]:
    when = dates.read(text)
    if when is None:
        raise WrongUsage(
            f'The period cannot {what} with "{visible(text)}": write a day, such as 2026-01-31,'
            " a month or a year, or an age, such as 30d."
        )
    begins, ends = dates.bounds(when, at.now, at.zone)
    if dates.is_age(when):
        # The day that was so long ago, as any other day.
        day = begins.astimezone(at.zone).date().isoformat()
        return dates.bounds(When(day), at.now, at.zone)
    return begins, ends
