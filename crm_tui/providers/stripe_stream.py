"""Polling Stripe's events, the newest first, and listing its objects where events are no more.

A poll reads all events of an hour before the newest one known, as they come late and share seconds.
A page is kept before the next one is asked for, so the cursor of a page in the middle says where the
reading stands, and only that of the last one moves on:

    created   the newest event of what is known whole (seconds since 1970, by Stripe's clock)
    read      when the last reading that came to its end was begun (by this machine's clock)
    seen      the events after that, less the hour, which are kept already: [[id, created], …]
    pass      a reading under way: from where on (from), behind which event (after), the newest
              found (newest), when it was begun (opened), and how often begun anew (again)

What of a cursor is missing or wrong is as if it had never been.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx

from crm_tui.config.sections import StripeSettings
from crm_tui.providers.base import Misconfigured
from crm_tui.providers.events import Asked, Cursor, Page, RawEvent
from crm_tui.providers.http import Answer, Api, OverApi
from crm_tui.providers.money import MoneyEvent
from crm_tui.providers.secrets import Lookup
from crm_tui.providers.stripe_api import MOST, StripeApi, error_of, listed
from crm_tui.providers.stripe_events import TYPES, parse_money
from crm_tui.providers.stripe_objects import Object, id_of, moment, thing, things, whole, word
from crm_tui.providers.stripe_reading import Reader, is_of, lean
from crm_tui.text import plural

KEEPS = timedelta(days=30)
OVERLAP = timedelta(hours=1)
"""How late an event is believed to turn up at most."""

_STALE = timedelta(days=1)
"""How long after it was begun a reading is gone on with."""
_MOST_SEEN = 5_000
_MOST_AGAIN = 3

_Query = list[tuple[str, str | int]]

_LISTS: Mapping[str, tuple[str, timedelta | None]] = {
    "checkout.session": ("checkout/sessions", timedelta(days=1)),
    "invoice": ("invoices", timedelta(days=60)),
    "refund": ("refunds", timedelta(days=30)),
    "dispute": ("disputes", timedelta(days=180)),
    "subscription": ("subscriptions", None),
}
"""What is listed where events are no more, and how long before it may have been made; None is ever."""


@dataclass(slots=True)
class _Place:
    """Where the reading stands: a cursor, taken apart."""

    created: int | None
    read: int | None
    seen: dict[str, int]
    start: int
    after: str = ""
    newest: int = 0
    opened: int = 0
    again: int = 0
    gap: tuple[datetime, datetime] | None = None

    @classmethod
    def of(cls, cursor: Cursor, now: datetime) -> _Place:
        """Where a poll goes on, or begins: then with what was missed, if anything was."""
        created, seen = whole(cursor.get("created")), {}
        for each in cursor["seen"] if isinstance(cursor.get("seen"), list) else ():
            if isinstance(each, list) and len(each) == 2 and id_of(each[0]):
                seen[each[0]] = whole(each[1]) or 0
        oldest = now - KEEPS
        known = moment(created)
        read = moment(cursor.get("read")) or known
        before = None if read is None else int(read.timestamp())
        place = cls(created if known else None, before, seen, int(oldest.timestamp()))
        place.opened = int(now.timestamp())
        under_way = thing(cursor.get("pass"))
        opened, start = moment(under_way.get("opened")), whole(under_way.get("from"))
        if opened is not None and start is not None and abs(now - opened) < _STALE:
            place.start, place.opened = start, int(opened.timestamp())
            place.after = id_of(under_way.get("after")) or ""
            place.newest = whole(under_way.get("newest")) or 0
            place.again = whole(under_way.get("again")) or 0
            return place
        if known is not None:
            place.start = max(place.start, int((known - OVERLAP).timestamp()))
        if read is not None and read < oldest:
            place.gap = (read, oldest)
        return place

    def begin_again(self) -> bool:
        """Read from the newest on again; whether that is worth trying."""
        self.after = ""
        self.again += 1
        return self.again <= _MOST_AGAIN

    def take(self, items: Sequence[Object], latest: int) -> list[Object]:
        """Count events as read; those that were not before.

        Args:
            items: of a page.
            latest: what the time is at most, so that no event of the future moves the cursor there.
        """
        new = []
        for each in items:
            name, created = str(each["id"]), whole(each.get("created")) or 0
            if name not in self.seen:
                new.append(each)
            self.seen[name] = created
            self.newest = max(self.newest, min(created, latest))
        return new

    def cursor(self, *, ended: bool) -> dict[str, Any]:
        """All that is to be remembered; `ended`: whether all was read."""
        if ended:
            self.created = max(self.newest, self.created or 0) or None
            self.read = self.opened
        since = max(self.newest, self.created or 0) - int(OVERLAP.total_seconds())
        if not ended and self.created is not None:
            since = min(since, self.created - int(OVERLAP.total_seconds()))
        seen = sorted((at, name) for name, at in self.seen.items() if at >= since)
        found: dict[str, Any] = {"seen": [[name, at] for at, name in seen[-_MOST_SEEN:]]}
        if self.created is not None:
            found["created"] = self.created
        if self.read is not None:
            found["read"] = self.read
        if not ended:
            found["pass"] = {
                "from": self.start,
                "after": self.after,
                "newest": self.newest,
                "opened": self.opened,
                "again": self.again,
            }
        return found


class StripeStream(OverApi):
    """What became of payments and subscriptions, as an `EventStream` tells what became of messages.

    Its records are understood by `parse_money`. What is of the other mode is left out.
    """

    provider = "stripe"
    name = "events"
    every = timedelta(seconds=60)
    keeps: timedelta | None = KEEPS

    def __init__(
        self,
        settings: StripeSettings,
        key: Lookup,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        self.account: str = settings.mode
        self._stripe = StripeApi(settings, key, transport=transport, api=api)
        self._asks_types = True
        super().__init__(self._stripe.api)

    def parse_money(self, raw: Mapping[str, Any]) -> Sequence[MoneyEvent]:
        """What a record says.

        Raises:
            Unreadable: it lacks what it should have.
        """
        return parse_money(raw)

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        """The next page of a poll."""
        place = _Place.of(cursor, asked.now)
        answer = await self._page(place)
        while not answer.ok and place.after:  # that event is no more
            if not place.begin_again():
                return Page(
                    events=(),
                    cursor={name: each for name, each in cursor.items() if name != "pass"},
                    more=False,
                    cut_short="Stripe's events could not be read to the last: it does not go on"
                    " from where the reading stands; the next poll tries again.",
                )
            answer = await self._page(place)
        if not answer.ok:
            raise Misconfigured(
                f"Stripe does not tell its events ({answer.status}: {self._api.words(answer)}).",
                fix="Correct base_url or api_version in [providers.stripe].",
            )
        items, more = listed(answer)
        clock = answer.server_time
        latest = max(asked.now, clock or asked.now)
        new = place.take(items, int(latest.timestamp()))
        reader = Reader(self._stripe)
        events, notes = await self._records(new, reader)
        cut_short = ""
        if more and place.after == items[-1]["id"]:
            more, cut_short = False, "Stripe tells the same events again and again."
        place.after = str(items[-1]["id"]) if items else ""
        return Page(
            events=events,
            cursor=place.cursor(ended=not more),
            more=more,
            server_time=clock,
            gap=place.gap,
            notes=[*notes, *reader.notes],
            cut_short=cut_short,
        )

    async def _page(self, place: _Place) -> Answer:
        """A page of events; all types where a server takes no list of them."""
        query: _Query = [("created[gte]", place.start), ("limit", MOST)]
        if place.after:
            query.append(("starting_after", place.after))
        if self._asks_types:
            answer = await self._stripe.get("events", [*query, *(("types[]", t) for t in TYPES)])
            words = str(error_of(answer).get("message", "")) if answer.status == 400 else ""
            if "types" not in words:
                return answer
            self._asks_types = False
        return await self._stripe.get("events", query)

    async def _records(
        self, items: Sequence[Object], reader: Reader
    ) -> tuple[list[RawEvent], list[str]]:
        """Events as they are kept; and what is to be said of those that are not."""
        live = self._stripe.mode == "live"
        wanted = [each for each in items if each.get("type") in TYPES]
        ours = [
            each for each in wanted if is_of(each, live=live) and is_of(_inner(each), live=live)
        ]
        belonging = await reader.read((str(each["id"]), _inner(each)) for each in ours)
        notes = []
        if strangers := len(wanted) - len(ours):
            notes.append(
                f"Stripe told {plural(strangers, 'event')} of the other mode, which"
                f" {'is' if strangers == 1 else 'are'} left out: [providers.stripe] is set to"
                f" {self._stripe.mode}."
            )
        kept = [
            RawEvent(str(each["id"]), {"event": lean(each), **belonging[str(each["id"])]})
            for each in ours
        ]
        return kept, notes

    async def reconcile(self, asked: Asked, since: datetime) -> Sequence[RawEvent]:
        """How everything stands that may have changed since; each state under one name for ever."""
        live, reader = self._stripe.mode == "live", Reader(self._stripe)
        seen = {"seen": int(asked.now.timestamp()), "since": int(since.timestamp()), "live": live}
        found = []
        for kind, (path, before) in _LISTS.items():
            query: _Query = [("limit", MOST)]
            if before is not None:
                query.append(("created[gte]", int((since - before).timestamp())))
            if kind == "subscription":
                query.append(("status", "all"))
            async for page in self._all(path, query):
                items = [
                    each for each in page if is_of(each, live=live) and _says_something(kind, each)
                ]
                belonging = await reader.read((str(each["id"]), each) for each in items)
                for each in items:
                    name, own = f"{each['id']}:{_standing(kind, each)}", belonging[str(each["id"])]
                    record = {"listed": kind, "name": name, **seen, **own}
                    found.append(RawEvent(name, record | {"object": own["object"] or lean(each)}))
        return found

    async def _all(self, path: str, query: _Query) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of a list to its end; none where there is no such list."""
        after: _Query = []
        while True:
            answer = await self._stripe.get(path, [*query, *after])
            if answer.status in {400, 404} and not after:
                return
            items, more = listed(answer)
            yield items
            if not more or after == [("starting_after", str(items[-1]["id"]))]:
                return
            after = [("starting_after", str(items[-1]["id"]))]


def _inner(event: Object) -> Object:
    """The object an event is about."""
    return thing(thing(event.get("data")).get("object"))


def _says_something(kind: str, item: Object) -> bool:
    """Whether an object that was listed is more than begun."""
    if kind == "checkout.session":
        return word(item.get("status")) == "complete"
    if kind == "invoice":
        is_settled = word(item.get("status")) in {"paid", "void", "uncollectible"}
        return is_settled or bool(whole(item.get("attempt_count")))
    return True


def _standing(kind: str, item: Object) -> str:
    """In which state an object was found; another one is another record."""
    parts: list[Any] = [word(item.get("status"))]
    if kind == "checkout.session":
        parts.append(word(item.get("payment_status")))
    elif kind == "invoice":
        parts.append(whole(item.get("attempt_count")))
    elif kind == "subscription":
        parts += [bool(thing(item.get("pause_collection"))), item.get("cancel_at_period_end")]
        parts += [item.get("cancel_at"), item.get("current_period_end")]
        parts += [
            (
                id_of(e.get("price")) or id_of(e.get("plan")),
                e.get("quantity"),
                e.get("current_period_end"),
            )
            for e in things(item.get("items"))
        ]
    written = json.dumps(parts, default=str)
    return f"{parts[0] or 'listed'}-{sha256(written.encode()).hexdigest()[:12]}"
