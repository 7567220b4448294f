"""Mailgun: what became of mails, polled by the Logs API or by the older Events API.

How far what was read is complete, and where reading goes on, is in `mailgun_cursor`; what a record
says is in `mailgun_events`, sending in `mailgun_send`, trying the account out in `mailgun_check`.
Follows Mailgun's documentation: Logs, Events, Event Polling, Suppressions, Storing and Retrieving
Messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from crm_tui.config.sections import MailgunSettings
from crm_tui.providers.base import Capabilities, ProviderError, Unavailable
from crm_tui.providers.events import Asked, Cursor, Page, ProviderEvent, RawEvent, RawMail
from crm_tui.providers.http import Answer, Api, OverApi
from crm_tui.providers.mailgun_api import (
    BY_EVENTS,
    EVENTS_LIMIT,
    api_of,
    domain_of,
    items_of,
    logs_body,
    next_token,
    next_url,
    refused,
    whole,
)
from crm_tui.providers.mailgun_check import check
from crm_tui.providers.mailgun_cursor import Place
from crm_tui.providers.mailgun_events import (
    LISTS,
    listed_at,
    parse_event,
    raw_event,
    raw_listed,
)
from crm_tui.providers.mailgun_send import MailgunSender
from crm_tui.providers.secrets import Lookup

__all__ = ["CAPABILITIES", "MailgunSender", "MailgunStream", "check", "parse_event"]

CAPABILITIES = Capabilities(
    name="mailgun",
    title="Mailgun",
    channel="email",
    idempotent=False,
    measures_opens=True,
    measures_clicks=True,
    send="HTTP, one recipient a call; a mail without HTML is given one, to measure it",
    idempotency="none: a mail whose answer was lost is looked for by its key in Mailgun's log",
    delivery="every event with its own time and id; late ones are caught for an hour",
    opened="every open",
    clicked="every click, with its link",
    machine="Mailgun's flag: Apple, Gmail, scanners",
    bounce_kind="hard or soft, by Mailgun's bounce type, enhanced code and reply code",
    inbound="stored mails of a route with store(); simpler: Reply-To your own mailbox",
    retention="1 day is assumed (1 to 30 by plan); lists of bounces, complaints and opt-outs stay",
    limits="by plan and domain; 16 KB of headers, 300 or 100 events a page",
    price="free for 100 mails a day, Basic $15 for 10,000 a month",
    price_date="2026-11",
    policy=(
        "Only mail that the recipient provably asked for; bought, rented or collected lists are"
        " forbidden (Acceptable Use Policy)."
    ),
    source="Mailgun API reference and user manual",
)

KEEPS = timedelta(days=1)
"""How long events are kept on the smallest plan; the documentation disagrees with itself."""

_PLANS = (timedelta(days=30), timedelta(days=5), timedelta(days=3))
"""How long larger plans keep events."""
_MAILS = 5
"""Mails fetched in one call at most."""
_MARGIN = timedelta(hours=1)
_EVERY = timedelta(minutes=5)
_LISTED = 1000
_MOST_LIST_PAGES = 1000


_ASTRAY = "it named a next page that is not its own, or the same one again"
_REFUSED = "it does not give the next page ({status})"


class MailgunStream(OverApi):
    """The events of one sending domain."""

    provider = "mailgun"
    name = "events"
    every = _EVERY

    def __init__(
        self,
        settings: MailgunSettings,
        key: Lookup,
        *,
        now: Callable[[], datetime],  # noqa: ARG002 - as every stream is made
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
        keeps: timedelta = KEEPS,
    ) -> None:
        """`keeps`: how long events are kept for certain."""
        self._settings = settings
        super().__init__(api or api_of(settings, key, transport=transport))
        self._keeps = keeps
        self._by = settings.events
        self._seen: set[str] = set()  # of the records that are no older than the last page's

    @property
    def account(self) -> str:
        """The sending domain."""
        return self._settings.domain.strip().lower().rstrip(".")

    @property
    def keeps(self) -> None:
        """Plans differ: what a plan keeps no more is told with the pages."""
        return None

    def parse_event(self, raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
        """What a record says.

        Raises:
            Unreadable: it lacks what it should have.
        """
        return parse_event(raw)

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        """The next page, and a few of the mails that came in.

        What was told before comes again, for as long as something may yet come before it.

        Raises:
            ProviderError: it could not be fetched; nothing was lost.
        """
        place = Place(cursor, self._by, asked)
        events: Sequence[RawEvent] = ()
        server_time, gap = None, None
        if place.wants_a_page:
            answer, items, following = await self._page(place, asked)
            server_time = answer.server_time
            if answer.ok:
                clock = min(server_time or asked.now, asked.now)
                if place.begin(clock):
                    gap = place.gap(items, clock - self._keeps)
                events = _without_repeats(raw_event(item) for item in items)
                self._take(place, items, events)
                place.owe(events, asked.now)
            following = following if items else None  # the last page is an empty one
            if not answer.ok:
                place.resume(_REFUSED.format(status=answer.status))
            elif not self._leads_on(following, place):
                place.resume(_ASTRAY)
            else:
                place.go_on(following)
        mails = [] if place.stalled else await self._mails(place)
        return Page(
            events=events,
            cursor=place.cursor(),
            more=place.has_more,
            mails=mails,
            server_time=server_time,
            gap=gap,
            notes=[
                f"A mail that came in at Mailgun on {at:%Y-%m-%d %H:%M} UTC can no longer be fetched."
                for at in place.lost
            ],
            cut_short="" if place.has_more else place.stuck,
        )

    async def reconcile(self, asked: Asked, since: datetime) -> Sequence[RawEvent]:
        """Who came to Mailgun's lists of bounces, complaints and opt-outs since then.

        Of later than what is kept for certain, the log tells by itself.

        Raises:
            ProviderError: it could not be asked, or not to the end.
        """
        found, until = [], asked.now - self._keeps + _MARGIN
        for name in LISTS:
            url: str | None = f"/v3/{domain_of(self._settings)}/{name}"
            params: dict[str, str | int] | None = {"limit": _LISTED}
            seen: set[str] = set()
            while url is not None and url not in seen and len(seen) < _MOST_LIST_PAGES:
                seen.add(url)
                answer, page = await self._get(url, params)
                if not answer.ok:
                    raise refused(self._api, answer, self._settings)
                items = items_of(page)
                for item in items:
                    at = listed_at(item)
                    if at is None or since <= at <= until:
                        found.append(raw_listed(name, item))
                url, params = next_url(page) if items else None, None
        return _without_repeats(found)

    def _take(self, place: Place, items: Sequence[Any], events: Iterable[RawEvent]) -> None:
        """Count what a page holds as read: many pages may share a moment, as long as each is new."""
        names = {event.external_id for event in events}
        if place.take(items):
            self._seen = names
        elif not names <= self._seen:
            self._seen |= names
            place.has_news()

    async def _page(self, place: Place, asked: Asked) -> tuple[Answer, list[Any], str | None]:
        """A page of the log, and where the next one is; a refusal of a next page has neither."""
        answer, page = await self._ask(place)
        for kept in sorted({*_PLANS, self._keeps}, reverse=True):
            # A plan may refuse a beginning before what it keeps.
            oldest = asked.now - kept
            if answer.status == 400 and place.next is None and place.start < oldest:
                place.start = oldest
                answer, page = await self._ask(place)
        if not answer.ok and place.next is None:
            raise refused(self._api, answer, self._settings)
        if not answer.ok:
            return answer, [], None
        following = next_url(page) if self._by == BY_EVENTS else next_token(page)
        return answer, items_of(page), following

    async def _ask(self, place: Place) -> tuple[Answer, dict[str, Any]]:
        if self._by == BY_EVENTS:
            if place.next is not None:
                return await self._get(place.next, None)
            domain = domain_of(self._settings)
            begin = {"begin": str(int(place.start.timestamp())), "ascending": "yes"}
            return await self._get(f"/v3/{domain}/events", {**begin, "limit": EVENTS_LIMIT})
        body = logs_body(self._settings, place.start, token=place.next)
        return await whole(lambda: self._api.read("POST", "/v1/analytics/logs", json=body))

    async def _get(
        self, url: str, params: Mapping[str, str | int] | None
    ) -> tuple[Answer, dict[str, Any]]:
        return await whole(lambda: self._api.get(url, params))

    def _leads_on(self, following: str | None, place: Place) -> bool:
        """Whether there is no next page, or it is another one at Mailgun: the key goes nowhere else."""
        if following is None:
            return True
        return following != place.next and (self._by != BY_EVENTS or self._api.allows(following))

    async def _mails(self, place: Place) -> list[RawMail]:
        """The next of the mails that came in; the first that cannot be had ends it for now."""
        mails: list[RawMail] = []
        for name, owed in list(place.owed.items()):
            if len(mails) == _MAILS:
                break
            try:
                raw = await self._mail(owed.urls)
            except ProviderError:
                place.put_off(name)
                break
            place.keep(name)
            if raw is None:
                place.lost.append(owed.at)
            else:
                mails.append(RawMail(raw, owed.at))
        return mails

    async def _mail(self, urls: Sequence[str]) -> bytes | None:
        """A stored mail as it came in; None where Mailgun has it no more.

        Raises:
            ProviderError: it could not be fetched.
        """
        trouble: ProviderError | None = None
        for url in urls:
            try:
                answer = await self._api.get(url, headers={"Accept": "message/rfc2822"})
                if answer.ok:
                    return _mime(answer)
                if answer.status not in {404, 410}:
                    trouble = refused(self._api, answer, self._settings)
            except ProviderError as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return None


def _mime(answer: Answer) -> bytes:
    """The mail in an answer: by itself, or as a part of JSON.

    Raises:
        Unavailable: there is none in it.
    """
    if answer.headers.get("content-type", "").startswith("message/"):
        return answer.content
    body = answer.object().get("body-mime")
    if not isinstance(body, str) or not body:
        raise Unavailable("Mailgun's answer has no mail in it")
    return body.encode("utf-8", "replace")


def _without_repeats(events: Iterable[RawEvent]) -> list[RawEvent]:
    return list({event.external_id: event for event in events}.values())
