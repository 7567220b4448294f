"""Times: aware UTC inside, short relative words for the eye.

Only app, cli and worker read the clock; everything below is handed `now`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

WEEK = timedelta(days=7)


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def parse_time(value: str, *, zone: tzinfo | None = UTC) -> datetime | None:
    """An ISO 8601 date or time as aware UTC, or None if it is not one.

    A value without an offset is read in `zone` (the machine's own when None).
    """
    try:
        parsed = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=zone)
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        return None


def ago(then: datetime | None, now: datetime, *, zone: tzinfo | None = None) -> str:
    """A time as a list shows it: "now", "5m", "2h", "3d" within a week, a date after it.

    A time up to a minute ahead is "now" too: clocks are not read at the same instant. The date is the local one of `zone` (the machine's own when None).
    """
    if then is None:
        return ""
    past = now - then
    if timedelta(minutes=-1) < past < WEEK:
        minutes = int(past.total_seconds()) // 60
        if minutes < 1:
            return "now"
        if minutes < 60:
            return f"{minutes}m"
        hours = minutes // 60
        return f"{hours}h" if hours < 24 else f"{hours // 24}d"
    return then.astimezone(zone).strftime("%Y-%m-%d")


def since_words(then: datetime, now: datetime, *, zone: tzinfo | None = None) -> str:
    """A time in a sentence, after "since" or "from": "14:02", or with its day when it is not today.

    Days are those of `zone` (the machine's own when None).
    """
    local = then.astimezone(zone)
    today = local.date() == now.astimezone(zone).date()
    return local.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")


def local_stamp(then: datetime, *, zone: tzinfo | None = None) -> str:
    """A time to the minute in `zone` (the machine's own when None): "2026-11-22 14:02"."""
    return then.astimezone(zone).strftime("%Y-%m-%d %H:%M")
