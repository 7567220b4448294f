"""How fast mail goes: so many an hour, so many a day, spread evenly, and few at first.

What has been sent lately is one plain value, a `Bucket`, that the caller keeps in the store and
writes with every claim. An hour's tokens each come back an hour after they were taken (counted in
whole minutes, so a little later, never earlier): there is no hour on any clock in which more than
`per_hour` go. A day is the operator's. A limit of 0 is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from hashlib import sha256
from typing import Any

from crm_tui.services.sending.hours import Rules, allowed_since, allowed_until, next_allowed

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_NOW = timedelta()
_FIRST_DAY = 10
_MORE_A_DAY = 10
_FARTHEST = 5 * 365 * _DAY
"""How far ahead an end is estimated."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may go; 0 is no limit. A mailbox that warms up begins with 10 a day."""

    per_hour: int = 0
    per_day: int = 0
    warm_up: bool = False

    def today(self, days: int) -> int:
        """How many may go on a day before which the mailbox sent on `days` days; 0 is no limit.

        Each day on which something went lets 10 more go on the next, up to `per_day`. Without a
        limit of the day there is nothing to warm up to.
        """
        if not self.warm_up:
            return self.per_day
        return min(self.per_day, _FIRST_DAY + _MORE_A_DAY * days)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a mailbox sent lately; a new one has sent nothing.

    `minutes` counts by the minute (since 1970) what was taken in the last hour, oldest first;
    `today` what was taken on `day`, and `days` the days before it on which anything was.
    """

    minutes: tuple[tuple[int, int], ...] = ()
    day: date | None = None
    today: int = 0
    days: int = 0
    last: datetime | None = None

    def plain(self) -> dict[str, Any]:
        """The bucket as values JSON has."""
        return {
            "minutes": [list(minute) for minute in self.minutes],
            "day": self.day.isoformat() if self.day else None,
            "today": self.today,
            "days": self.days,
            "last": self.last.isoformat() if self.last else None,
        }


def read_bucket(plain: Mapping[str, Any]) -> Bucket:
    """The bucket that `plain()` wrote; an empty mapping is a new one."""
    day, last = plain.get("day"), plain.get("last")
    return Bucket(
        minutes=tuple((minute, number) for minute, number in plain.get("minutes", ())),
        day=date.fromisoformat(day) if day else None,
        today=plain.get("today", 0),
        days=plain.get("days", 0),
        last=datetime.fromisoformat(last) if last else None,
    )


# Taking ------------------------------------------------------------------------------------------


def take(
    bucket: Bucket, now: datetime, limits: Limits, *, zone: tzinfo | None = None
) -> tuple[Bucket, timedelta]:
    """Take one token: the bucket without it and no wait, else the bucket as it was and the wait.

    After the wait the same call takes one, if nothing else took it meanwhile.

    Args:
        bucket: What was sent lately.
        now: The time, aware UTC.
        limits: How much may go.
        zone: The operator's, whose days are counted; None is the machine's own.
    """
    bucket = _up_to(bucket, now, zone)
    wait = _wait(bucket, now, limits, zone)
    if wait > _NOW:
        return bucket, wait
    minute = _minute(now)
    *before, newest = bucket.minutes or ((minute, 0),)
    if newest[0] >= minute:
        minutes = (*before, (newest[0], newest[1] + 1))
    else:
        minutes = (*before, newest, (minute, 1))
    return replace(bucket, minutes=minutes, today=bucket.today + 1, last=now), _NOW


def give_back(
    bucket: Bucket, taken_at: datetime, last: datetime | None, *, zone: tzinfo | None = None
) -> Bucket:
    """The bucket with a token put back that nothing was sent for.

    Args:
        bucket: What was sent lately.
        taken_at: When it was taken.
        last: When the one before it was: the next need not keep its distance to what never went.
        zone: The operator's, whose days are counted.
    """
    minute = _minute(taken_at)
    minutes = [(each, number - (each == minute)) for each, number in bucket.minutes]
    same_day = bucket.day == taken_at.astimezone(zone).date()
    return replace(
        bucket,
        minutes=tuple((each, number) for each, number in minutes if number),
        today=max(bucket.today - same_day, 0),
        last=last if bucket.last == taken_at else bucket.last,
    )


def _up_to(bucket: Bucket, now: datetime, zone: tzinfo | None) -> Bucket:
    """The bucket without what is over.

    A clock that was set back a little changes nothing: what was taken stays taken. One that had
    been a day or more ahead is not believed, or nothing would go until that day came.
    """
    today, minute = now.astimezone(zone).date(), _minute(now)
    if bucket.last and bucket.last - now >= _DAY:
        bucket = Bucket(days=bucket.days)
    if bucket.day is None or bucket.day < today:
        days = bucket.days + (bucket.today > 0)
        bucket = replace(bucket, day=today, today=0, days=days)
    if bucket.minutes and bucket.minutes[0][0] + 61 <= minute:
        kept = tuple(taken for taken in bucket.minutes if taken[0] + 61 > minute)
        bucket = replace(bucket, minutes=kept)
    return bucket


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)


def _wait(bucket: Bucket, now: datetime, limits: Limits, zone: tzinfo | None) -> timedelta:
    """How long from now until a token is there."""
    until = now
    if limits.per_hour:
        too_many = sum(number for _, number in bucket.minutes) - limits.per_hour
        for minute, number in bucket.minutes:
            if too_many < 0:
                break
            too_many -= number
            until = datetime.fromtimestamp((minute + 61) * 60, UTC)
    most = limits.today(bucket.days)
    if most and bucket.today >= most and bucket.day:
        until = max(until, _start_of(bucket.day + _DAY, zone))
    return max(until - now, _NOW)


def _start_of(day: date, zone: tzinfo | None) -> datetime:
    wall = datetime.combine(day, time(), tzinfo=zone)
    return datetime.fromtimestamp(wall.timestamp(), UTC)


# Spreading ---------------------------------------------------------------------------------------


def next_slot(
    bucket: Bucket,
    now: datetime,
    limits: Limits,
    *,
    key: str,
    rules: Rules,
    recipient: tzinfo | None = None,
    zone: tzinfo | None = None,
) -> datetime:
    """When the next message should go, now or later, so that a day's mail is spread evenly.

    What may still go today is spread over what is left of the time in which the recipient may be
    written to, or of the operator's day if that ends first, and never closer than the hour's limit
    says. A gap is made up to a half shorter or longer by the message's key, the same whenever it
    is asked: mail on the minute looks like a machine's. The first of a morning has its gap too.
    Time that was missed is not waited for again. Whether one may go, only `take` says; a worker
    that runs once and exits asks nothing else.

    Args:
        bucket: What was sent lately.
        now: The time, aware UTC.
        limits: How much may go.
        key: The message's.
        rules: When mail may go to the recipient.
        recipient: The zone of the recipient.
        zone: The operator's; None is the machine's own.
    """
    bucket = _up_to(bucket, now, zone)
    opens = next_allowed(now, recipient, rules)
    day = opens.astimezone(zone).date()
    begins = [_start_of(day, zone), allowed_since(opens, recipient, rules), bucket.last]
    first = max(moment for moment in begins if moment)
    used = bucket.today if bucket.day == day else 0
    ends = _first_end(_start_of(day + _DAY, zone), allowed_until(opens, recipient, rules))
    gap = _gap(limits, ends - first, limits.today(bucket.days) - used)
    return max(first + gap * (0.5 + _share(key)), opens)


def _gap(limits: Limits, span: timedelta, left: int) -> timedelta:
    """The even distance of what may still go in the span that is left, with room at its end."""
    by_hour = _HOUR / limits.per_hour if limits.per_hour else _NOW
    by_day = span / (max(left, 1) + 1) if limits.per_day else _NOW
    return max(by_hour, by_day)


def _first_end(end_of_day: datetime, until: datetime | None) -> datetime:
    return min(end_of_day, until) if until else end_of_day


def _share(key: str) -> float:
    """A number from 0 up to 1 that is always the same for a key."""
    return int.from_bytes(sha256(key.encode()).digest()[:6], "big") / 2**48


# The end -----------------------------------------------------------------------------------------


def finish(
    counts: Mapping[tzinfo | None, int],
    now: datetime,
    limits: Limits,
    rules: Rules,
    *,
    bucket: Bucket | None = None,
    zone: tzinfo | None = None,
) -> datetime | None:
    """About when so many messages will have gone; None if that is more than five years ahead.

    Args:
        counts: How many go to recipients in each zone.
        now: The time, aware UTC.
        limits: How much may go.
        rules: When mail may go, in the recipient's zone.
        bucket: What was sent lately.
        zone: The operator's; None is the machine's own.
    """
    left = {recipient: number for recipient, number in counts.items() if number > 0}
    bucket = _up_to(bucket or Bucket(), now, zone)
    at = done = now
    while left and at - now < _FARTHEST:
        at = min(next_allowed(at, recipient, rules) for recipient in left)
        bucket = _up_to(bucket, at, zone)
        tomorrow = _start_of(at.astimezone(zone).date() + _DAY, zone)
        today = limits.today(bucket.days) - bucket.today if limits.per_day else sum(left.values())
        if today <= 0:
            at = tomorrow
            continue
        ends = {
            recipient: _first_end(tomorrow, allowed_until(at, recipient, rules))
            for recipient in left
            if next_allowed(at, recipient, rules) == at
        }
        until = min(ends.values())
        gap = _gap(limits, until - at, today)
        room = min(today, (until - at) // gap) if gap else today
        sent = _drain(left, sorted(ends, key=ends.__getitem__), room)
        bucket = replace(bucket, today=bucket.today + sent)
        done = at + gap * sent
        at = until
    return None if left else done


def _drain(left: dict[tzinfo | None, int], zones: list[tzinfo | None], room: int) -> int:
    """Take up to so many from these zones, in their order; how many it were."""
    sent = 0
    for recipient in zones:
        number = min(left[recipient], room - sent)
        sent += number
        left[recipient] -= number
        if not left[recipient]:
            del left[recipient]
    return sent
