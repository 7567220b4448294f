"""What became of mails that Brevo sent, read from its events of each day.

Brevo gives its events no number, tells them by days in a zone it does not name, and answers no more
than 100 questions an hour. So a list of days, from yesterday to tomorrow, is read from its beginning
to its end, its end is asked for again at every poll, and now and then the list is read anew: what
came late stands somewhere before the end (`_Place`). An event is known by what it says; two of one
message that say the same within the same second are one.

Sources: Brevo's API reference, its pages on rate limits and retention rules, and its OpenAPI
description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self

import httpx

from crm_tui.config.sections import BrevoSettings
from crm_tui.providers.brevo_api import listed, number_in, open_api
from crm_tui.providers.brevo_events import parse_event, raw_event
from crm_tui.providers.events import Asked, Cursor, Page, ProviderEvent, RawEvent
from crm_tui.providers.http import Answer, Api, OverApi
from crm_tui.providers.secrets import Lookup

EVERY = timedelta(seconds=90)
"""How often the end of the list is asked for: 40 of the 100 requests an hour."""
KEEPS = timedelta(days=30)
"""The shortest time that a retention rule can set; without one, Brevo keeps its events."""
PAGE = 2500
"""Records of a page; Brevo gives 5,000 at most."""

_AGAIN = timedelta(minutes=15)
"""How often the list is read anew from yesterday on."""
_AGAIN_IF_MOVED = timedelta(minutes=5)
"""How soon it is read anew where something was put in before its end."""
_FOR_EACH_PAGE = timedelta(minutes=3)
"""How much longer a list waits to be read anew for each page it takes."""
_DEEP = timedelta(hours=6)
_DEEP_DAYS = 7
"""How often, and how far back, the days before yesterday are read anew."""
_OVERLAP = 50
"""Records before the end that are asked for again."""
_MOST_SHORT = 500
"""Pages shorter than asked for that are read in a row at most, before the next poll has to."""
_CUT_SHORT = (
    "Brevo's list of events could not be read to its end in one poll, as its pages are short; the"
    " next one goes on from there."
)
_FURTHEST = 85
"""Days that are looked back at most; Brevo takes no range of more than 90."""
_BLOCKED_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where reading stands: in the list of all records from a certain day on.

    The list grows at its end. What comes late may be put in before the end, which moves all that
    follows: then `anchor`, the name of a record shortly before the end, is found elsewhere.

    Attributes:
        first: the day the list begins with.
        offset: how many of its records were read.
        began: when it was begun to be read from its beginning.
        deep: when a list of many days was last begun.
        ended: whether the end was reached since it was begun.
        pages: how many pages it took.
        moved: whether something was put in, or taken out, before the place.
        most: the most records that a page had: one with fewer is at the end of the list.
        short: how many pages in a row were shorter than asked for, and yet not known to be at it.
    """

    first: date
    began: datetime
    deep: datetime
    offset: int = 0
    pages: int = 0
    anchor: str = ""
    ended: bool = False
    moved: bool = False
    most: int = 0
    short: int = 0

    @classmethod
    def of(cls, cursor: Cursor) -> Self | None:
        """The place a cursor stands for; None for one that says nothing."""
        try:
            return cls(
                first=date.fromisoformat(cursor["first"]),
                began=datetime.fromisoformat(cursor["began"]),
                deep=datetime.fromisoformat(cursor["deep"]),
                offset=int(cursor["offset"]),
                pages=int(cursor["pages"]),
                anchor=str(cursor["anchor"]),
                ended=bool(cursor["ended"]),
                moved=bool(cursor["moved"]),
                most=int(cursor.get("most", 0)),
                short=int(cursor.get("short", 0)),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def cursor(self) -> Cursor:
        """As it is kept."""
        return {
            "first": self.first.isoformat(),
            "began": self.began.isoformat(),
            "deep": self.deep.isoformat(),
            "offset": self.offset,
            "pages": self.pages,
            "anchor": self.anchor,
            "ended": self.ended,
            "moved": self.moved,
            "most": self.most,
            "short": self.short,
        }

    @property
    def known_until(self) -> datetime:
        """Up to when everything was read that was told by then."""
        if self.ended:
            return self.began
        return datetime.combine(self.first + timedelta(days=1), time(), UTC)

    def is_due(self, now: datetime) -> bool:
        """Whether the list is to be read anew: the sooner, the fewer pages that takes."""
        least = _AGAIN_IF_MOVED if self.moved else _AGAIN
        passed = now - self.began
        return self.ended and not timedelta() <= passed < max(least, self.pages * _FOR_EACH_PAGE)


class BrevoStream(OverApi):
    """What became of the mails that were sent through one account at Brevo."""

    provider = "brevo"
    name = "events"
    keeps = KEEPS

    def __init__(
        self,
        settings: BrevoSettings,
        key: Lookup,
        *,
        account: str,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
        page: int = PAGE,
    ) -> None:
        """Make the stream; its time comes with what is asked.

        Args:
            settings: where the API is.
            key: the key to it.
            account: the domain mail is sent from.
            now: the clock, as other streams take it.
            transport: what carries requests instead of the network.
            api: the API instead of one made from these.
            page: records of a page.
        """
        del now
        self.account = account
        super().__init__(api or open_api(settings, key, transport=transport))
        self._page = page
        self._overlap = min(_OVERLAP, page // 4)
        self._every = EVERY

    @property
    def every(self) -> timedelta:
        """How often it is polled: less often where others use up what the account may ask."""
        return self._every

    def parse_event(self, raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
        """What a record says.

        Raises:
            Unreadable: it lacks what it should have.
        """
        return parse_event(raw)

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        """The next page of the list, beginning shortly before what was read.

        Raises:
            ProviderError: it could not be fetched.
        """
        place, gap = self._go_on(_Place.of(cursor), asked)
        offset = place.offset if place.short else max(place.offset - self._overlap, 0)
        params: dict[str, str | int] = {"sort": "asc", "limit": self._page, "offset": offset}
        days = place.first, asked.now.astimezone(UTC).date() + timedelta(days=1)
        path = "smtp/statistics/events"
        found, answer = await listed(self._api, path, "events", days, params)
        self._spread(answer)
        events = [raw_event(each) for each in found]
        names = [each.external_id for each in events]
        end = offset + len(events)
        anchored = max(end - self._overlap, 0) - offset
        full = len(events) >= self._page
        # Brevo may give fewer than were asked for: as many as it ever gave may not be all.
        capped = len(events) >= max(place.most, 1) and end != place.offset
        unfinished = full or capped
        goes_on = unfinished and not full and place.short < _MOST_SHORT
        moved = not place.short and place.anchor != "" and names[:1] != [place.anchor]
        anchor = names[anchored] if 0 <= anchored < len(names) else ""
        place = replace(
            place,
            offset=end,
            pages=place.pages + 1 if full or (events and not place.ended) else place.pages,
            moved=place.moved or moved,
            anchor=anchor if events else place.anchor,
            ended=place.ended or not unfinished,
            most=max(place.most, len(events)),
            short=place.short + 1 if goes_on else 0,
        )
        return Page(
            events=events,
            cursor=place.cursor(),
            more=full or goes_on or place.is_due(asked.now),
            server_time=answer.server_time,
            gap=gap,
            cut_short=_CUT_SHORT if unfinished and not full and not goes_on else "",
        )

    def _go_on(
        self, place: _Place | None, asked: Asked
    ) -> tuple[_Place, tuple[datetime, datetime] | None]:
        """Where to read now, and what is lost for being away too long."""
        now, today = asked.now, asked.now.astimezone(UTC).date()
        furthest = today - timedelta(days=_FURTHEST)
        if place is not None and not place.is_due(now) and place.first >= furthest:
            return place, None
        known = (asked.since or now) if place is None else place.known_until
        deep = now if place is None or not timedelta() <= now - place.deep < _DEEP else place.deep
        days = _DEEP_DAYS if deep == now else 1
        first = min(known.astimezone(UTC).date() - timedelta(days=1), today - timedelta(days=days))
        lost = (known, now - KEEPS) if now - known > KEEPS else None
        most = 0 if place is None else place.most
        return _Place(first=max(first, furthest), began=now, deep=deep, most=most), lost

    def _spread(self, answer: Answer) -> None:
        """Ask less often where what is left for the hour would not last, as others ask too."""
        left = number_in(answer, "x-sib-ratelimit-remaining")
        reset = number_in(answer, "x-sib-ratelimit-reset")
        self._every = EVERY
        if left is not None and reset is not None and reset > 60:
            seconds = min(reset / max(left / 2, 1), reset)
            self._every = max(EVERY, timedelta(seconds=seconds))

    async def reconcile(self, asked: Asked, since: datetime) -> Sequence[RawEvent]:
        """The contacts that Brevo has stopped sending to since then, and why.

        Raises:
            ProviderError: it could not be asked.
        """
        first = since.astimezone(UTC).date() - timedelta(days=1)
        days = first, asked.now.astimezone(UTC).date() + timedelta(days=1)
        found: dict[str, RawEvent] = {}
        offset = 0
        while True:
            params: dict[str, str | int] = {
                "sort": "asc",
                "limit": _BLOCKED_PAGE,
                "offset": offset,
            }
            path, known = "smtp/blockedContacts", len(found)
            page, _ = await listed(self._api, path, "contacts", days, params)
            found |= {raw.external_id: raw for raw in map(raw_event, page)}
            if len(found) == known:  # a page may have fewer than were asked for
                return list(found.values())
            offset += len(page)
