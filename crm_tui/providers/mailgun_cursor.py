"""Where the reading of Mailgun's log stands: what is complete, and what is still to be fetched.

Events of Mailgun may turn up up to half an hour late, before others that were told already. So what
a page holds is given out at once, but counts as complete only where it was half an hour old when
the reading began, and every reading begins half an hour before what is complete. Times are compared
by the clock that is behind, Mailgun's or this machine's, which can only make it read more.

The cursor is JSON; what of it is missing or wrong is as if it had never been:

    trusted   all is known up to here
    gap       up to where a gap has been told
    owed      mails that came in and are not fetched: where they lie, and when they came
    kept      mails that were fetched, for as long as their records are read again
    pass      a reading under way: by which API, when it was opened by this machine's clock, when it
              began by the one that is behind, from where it was asked, the last time seen, the next
              page, for how many pages it has stood still, where it stood when a page could last not
              be had (resumed), how often it was taken up there (again), whether only mails are left
              to be fetched (walked), why the log was not read to its end (stuck), and whether the
              mails are for the next time (stalled)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_tui.clock import parse_time
from crm_tui.providers.events import Asked, Cursor, RawEvent
from crm_tui.providers.mailgun_events import read, time_of

THRESHOLD = timedelta(minutes=30)
"""How late an event turns up at most (Mailgun: Event Polling)."""
OVERLAP = timedelta(minutes=30)

_FIRST_OVERLAP = timedelta(days=1)
"""Before the first mail, as the clock it was written down by may have been wrong."""
_STALE = timedelta(hours=3)
"""How long after it began a reading is gone on with."""
_OWED_FOR = timedelta(days=3)
"""How long a mail that cannot be fetched is asked for; Mailgun keeps them for about as long."""
_MOST_URLS = 4
_MOST_AGAIN = 10
"""How often a reading is taken up at the same moment: where hundreds of events share one, its pages
are read anew each time one of them cannot be had."""
_MOST_STILL = 100
"""Pages in a row that bring neither a later record nor a new one."""
_MOST_OWED = 50
"""Mails that are remembered as long as they can be fetched."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A mail that came in and is not fetched yet."""

    urls: tuple[str, ...]
    at: datetime


class Place:
    """Where the reading stands; made from a cursor, moved on by pages, and written as one again.

    Attributes:
        trusted: all is known up to here.
        start: from where the log is asked.
        next: the next page; None for the first one from `start`.
        walked: whether the log has been read to its end.
        stalled: whether a mail could not be fetched, so that the rest is for the next reading.
        stuck: why the reading ended before the log did; "" where it did not.
        owed: mails to fetch, by the names of their events.
        lost: when mails came in that could never be fetched.
    """

    def __init__(self, cursor: Cursor, by: str, asked: Asked) -> None:
        first = asked.since or asked.now
        trusted = _time(cursor.get("trusted"))
        self.trusted = first - _FIRST_OVERLAP if trusted is None else min(trusted, asked.now)
        self._told = _time(cursor.get("gap")) or (first if trusted is None else self.trusted)
        self.owed = _owed(cursor.get("owed"))
        self.lost: list[datetime] = []
        self._kept = _kept(cursor.get("kept"))
        self._by = by
        self.start = self.trusted if trusted is None else self.trusted - OVERLAP
        self.next: str | None = None
        self.walked = self.stalled = False
        self.stuck = ""
        self._began: datetime | None = None
        self._opened = asked.now
        self._reached: datetime | None = None
        self._resumed: datetime | None = None
        self._again = 0
        self._still = 0
        self._go_on_with(cursor.get("pass"), asked.now)

    @property
    def has_more(self) -> bool:
        """Whether there is something to fetch now."""
        return not self.walked or (bool(self.owed) and not self.stalled)

    @property
    def wants_a_page(self) -> bool:
        """Whether a page of the log is due: too many mails to fetch come before it."""
        return not self.walked and (self.stalled or len(self.owed) < _MOST_OWED)

    def begin(self, clock: datetime) -> bool:
        """A first answer came, at this time; says whether the reading begins with it."""
        if self._began is not None:
            return False
        self._began = clock
        return True

    def take(self, items: Sequence[Any]) -> bool:
        """Count what a page holds as read; says whether that went on in time."""
        at = _last_time(items)
        before = self._reached
        is_later = at is not None and (before is None or at > before)
        self._still = 0 if is_later else self._still + 1
        if at is not None and self._began is not None:
            self._reached = at if before is None else max(at, before)
            self._trust(min(self._reached, self._began - THRESHOLD))
        return is_later

    def has_news(self) -> None:
        """The page held records that were not read before, if not later ones."""
        self._still = 0

    def gap(self, items: Sequence[Any], oldest: datetime) -> tuple[datetime, datetime] | None:
        """What was missed, by the first page of a reading: it is not kept, nor is it there.

        Args:
            items: of that page, which shows how far back the log goes.
            oldest: from when on everything is kept.
        """
        begin = max(self.trusted, self._told)
        first = _last_time(reversed(items))
        end = oldest if first is None else min(first, oldest)
        if end <= begin:
            return None
        self._told = end
        return begin, end

    def owe(self, events: Iterable[RawEvent], now: datetime) -> None:
        """Remember the mails that came in with these events, and forget what cannot be had."""
        for event in events:
            if event.payload.get("event") == "stored" and event.external_id not in self._kept:
                record = read(event.payload)
                if record.stored_at:
                    owed = Owed(record.stored_at[:_MOST_URLS], record.at or now)
                    if self.owed.get(event.external_id) != owed:
                        self.stalled = False  # it is new, or lies elsewhere than it was said to
                    self.owed[event.external_id] = owed
        for name in [name for name, owed in self.owed.items() if owed.at < now - _OWED_FOR]:
            self.lost.append(self.owed.pop(name).at)

    def keep(self, name: str) -> None:
        """A mail was fetched, or is no more."""
        self._kept[name] = self.owed.pop(name).at

    def put_off(self, name: str) -> None:
        """A mail could not be fetched: the others come before it next time."""
        self.owed[name] = self.owed.pop(name)
        self.stalled = True

    def go_on(self, following: str | None) -> None:
        """Go on with the next page; without one, all is read.

        Where page after page brings nothing, the rest is for the next reading.
        """
        self.next = following
        if self._still > _MOST_STILL:
            self._give_up("page after page brings nothing new")
        elif following is None:
            self.walked = True
            if self._began is not None:
                self._trust(self._began - THRESHOLD)

    def resume(self, why: str) -> None:
        """The next page cannot be had, for this reason: ask anew from where the reading stands.

        Where that has been tried often enough, the rest is for the next reading.
        """
        self.next = None
        self._again = self._again + 1 if self._reached == self._resumed else 0
        if self._reached is None or self._again > _MOST_AGAIN:
            self._give_up(why)
        else:
            self.start = self._resumed = self._reached

    def cursor(self) -> dict[str, Any]:
        """All that is to be remembered."""
        kept = {
            name: _iso(at)
            for name, at in self._kept.items()
            if at > self.trusted - OVERLAP - timedelta(minutes=1)
        }
        found: dict[str, Any] = {"trusted": _iso(self.trusted), "gap": _iso(self._told)}
        if self.owed:
            found["owed"] = {n: [_iso(each.at), *each.urls] for n, each in self.owed.items()}
        if kept:
            found["kept"] = kept
        if self.has_more and self._began is not None:
            found["pass"] = {
                "by": self._by,
                "opened": _iso(self._opened),
                "began": _iso(self._began),
                "start": _iso(self.start),
                "reached": _iso(self._reached),
                "resumed": _iso(self._resumed),
                "again": self._again,
                "next": self.next,
                "still": self._still,
                "walked": self.walked,
                "stuck": self.stuck,
                "stalled": self.stalled,
            }
        return found

    def _give_up(self, why: str) -> None:
        self.next, self.walked = None, True
        self.stuck = (
            f"Mailgun's log could not be read to its end: {why}; the next poll tries again."
        )

    def _trust(self, until: datetime) -> None:
        self.trusted = max(self.trusted, until)

    def _go_on_with(self, reading: Any, now: datetime) -> None:
        """Take up a reading that is under way, unless it is an old one or goes by the other API."""
        if not isinstance(reading, Mapping) or reading.get("by") != self._by:
            return
        opened, began = _time(reading.get("opened")), _time(reading.get("began"))
        start, following = _time(reading.get("start")), reading.get("next")
        if opened is None or began is None or start is None or abs(now - opened) > _STALE:
            return
        self._opened, self._began, self.start = opened, began, start
        self._reached = _time(reading.get("reached"))
        self._resumed = _time(reading.get("resumed"))
        again = reading.get("again")
        self._again = again if isinstance(again, int) else 0
        self.next = following if isinstance(following, str) and following else None
        still = reading.get("still")
        self._still = still if isinstance(still, int) else 0
        self.walked = reading.get("walked") is True
        stuck = reading.get("stuck")
        self.stuck = stuck if isinstance(stuck, str) else ""
        self.stalled = reading.get("stalled") is True


def _last_time(items: Iterable[Any]) -> datetime | None:
    """The time of the last record that has one."""
    for item in reversed(list(items)):
        if (at := time_of(item)) is not None:
            return at
    return None


def _owed(value: Any) -> dict[str, Owed]:
    found = {}
    for name, written in value.items() if isinstance(value, Mapping) else ():
        if isinstance(written, list) and len(written) > 1 and _time(written[0]) is not None:
            at, urls = _time(written[0]), tuple(str(url) for url in written[1:])
            found[name] = Owed(urls, at or datetime.min.replace(tzinfo=UTC))
    return found


def _kept(value: Any) -> dict[str, datetime]:
    written = value.items() if isinstance(value, Mapping) else ()
    return {name: at for name, text in written if (at := _time(text)) is not None}


def _time(value: Any) -> datetime | None:
    return parse_time(value) if isinstance(value, str) else None


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()
