"""Text messages through Twilio: sending, what became of them, and answers, by polling alone.

Twilio keeps one record per message, in both directions, that changes as the message goes on its
way. So one listing of the last day or two tells everything, and is read again and again. It lists
by the date of sending, which a message that waits in Twilio's queue does not have yet: such ones
are asked for by name. Nothing tells a repeated send from a new one: a lost answer stays unclear
until the message is found in the list of what went to its number.

Source: Twilio's documentation, "Message resource" and "Error and Warning Dictionary", and its
OpenAPI description (twilio-oai, twilio_api_v2010.json).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from crm_tui.config.sections import TwilioSettings
from crm_tui.providers.base import (
    Capabilities,
    GivenUp,
    Handed,
    Misconfigured,
    OutgoingSms,
    Sent,
    Unavailable,
    Unclear,
    Unsendable,
    said,
)
from crm_tui.providers.events import Asked, Cursor, Page, ProviderEvent, RawEvent
from crm_tui.providers.http import Answer, Api
from crm_tui.providers.secrets import Lookup
from crm_tui.providers.twilio_account import (
    NUMBER,
    SERVICE,
    TwilioAccount,
    api_of,
    check,
    path_of,
    refusal,
)
from crm_tui.providers.twilio_records import (
    FROM,
    date_of,
    number_of,
    parse_event,
    raw_event,
    text_of,
)

__all__ = ["CAPABILITIES", "TwilioSender", "TwilioStream", "api_of", "check", "parse_event"]

CAPABILITIES = Capabilities(
    name="twilio",
    title="Twilio",
    channel="sms",
    idempotent=False,
    measures_opens=False,
    measures_clicks=False,
    send="HTTP, one recipient a call; from a number or a messaging service",
    idempotency="none: a text whose answer was lost is looked for by its number and words",
    delivery="by status, where the carrier gives receipts; what waits is asked for by name",
    opened="not measured",
    clicked="not measured",
    machine="not measured",
    bounce_kind="by error code: bad number, unreachable, filtered, sender not registered",
    inbound="answers come in the same listing as what was sent",
    retention="about 13 months",
    limits="1 segment a second from a US number; daily caps of the carriers by registration",
    price="US: $0.0083 a segment each way, plus the carriers' fees",
    price_date="2026-11",
    policy="Marketing texts need the recipient's prior consent; in the US the sender must be"
    " registered (A2P 10DLC, or a verified toll-free number).",
    source="Twilio: Message resource; Error and Warning Dictionary; SMS pricing US",
)

MOST_CHARACTERS = 1600
"""What Twilio takes as one message."""

_PAGE_SIZE = 1000
_OVERLAP = timedelta(days=1)
_KEEPS = timedelta(days=400)
_CHASED_FOR = timedelta(hours=72)
"""For so long a message is asked for by name: later there comes nothing more."""
_EVERY_HOUR = timedelta(hours=1)
"""How often, once it is older than that: its carrier may well give no receipts."""
_ASKED_BY_NAME = 100
"""So many messages at most are asked for by name in one poll,"""
_AT_ONCE = 20
"""and so many for one page."""
_RESTARTS = 3
"""So often one poll begins its listing anew when a further page is not there any more."""
_CUT_SHORT = (
    "Twilio's list of messages could not be read to its end: its further pages are refused; the next"
    " poll begins it again."
)
_FIND_PAGES = 4
_AROUND = timedelta(hours=2)
"""How far the time of a lost message may be from its record's, with clocks that differ."""
_TRIAL_PREFIX = "Sent from your Twilio trial account - "


# -- sending ---------------------------------------------------------------------------------------


class TwilioSender(TwilioAccount):
    """Sends text messages (an SmsSender, and a Finder)."""

    def __init__(
        self,
        settings: TwilioSettings,
        key: Lookup,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        super().__init__(settings, key, transport=transport, api=api)
        self._unanswered = 0
        self._given_up = False

    @property
    def unanswered(self) -> int:
        """How many messages were handed over and not yet answered for."""
        return self._unanswered

    def give_up(self) -> None:
        """Hand nothing more over."""
        self._given_up = True

    async def send(self, sms: OutgoingSms) -> Sent:
        """Hand one message over.

        Raises:
            ProviderError: one of its kinds; Unclear where the answer was lost, as Twilio cannot
                tell a repetition from a new message.
        """
        path, form = path_of(self._settings, "/Messages"), _form(sms)
        if self._given_up:
            raise GivenUp("Nothing more was wanted before this message was handed over.")
        self._unanswered += 1
        try:
            answer = await self._api.send(path, data=form)
        finally:
            self._unanswered -= 1
        if not answer.ok:
            raise refusal(self._api, answer)
        try:
            sent = answer.object()
        except Unavailable:
            raise Unclear("Twilio's answer was cut off") from None
        if not text_of(sent, "sid"):
            raise Unclear("Twilio's answer does not name the message")
        return _sent(sms.key, sent)

    async def find(self, handed: Handed) -> Sent | None:
        """The record of a message whose answer was lost: the same text to the same number.

        The day is not asked for, as a message that is still queued has no date of sending.

        Raises:
            ProviderError: it could not be asked.
        """
        url = path_of(self._settings, "/Messages")
        params: Mapping[str, str | int] | None = {"To": handed.to, "PageSize": 100}
        found: list[tuple[timedelta, Mapping[str, Any]]] = []
        for _ in range(_FIND_PAGES):
            messages, following = self._read(await self._api.get(url, params), url)
            for each in messages:
                distance = _distance(each, handed) if isinstance(each, dict) else None
                if distance is not None:
                    found.append((distance, each))
            if following is None:
                break
            url, params = following, None
        if not found:
            return None
        return _sent(handed.key, min(found, key=lambda each: each[0])[1])


def _form(sms: OutgoingSms) -> dict[str, str]:
    """The message as a form.

    Raises:
        Unsendable: it is none.
        Misconfigured: there is nothing to send it from.
    """
    if not NUMBER.fullmatch(sms.to):
        raise Unsendable(f"{sms.to or 'The empty number'} is not a number such as +15551234567.")
    if not sms.text.strip():
        raise Unsendable("The text is empty.")
    if len(sms.text) > MOST_CHARACTERS:
        raise Unsendable(f"The text is longer than {MOST_CHARACTERS:,} characters.")
    if not sms.sender:
        raise Misconfigured("There is no number to send from.", fix=FROM)
    by = "MessagingServiceSid" if sms.sender.startswith(SERVICE) else "From"
    return {"To": sms.to, by: sms.sender, "Body": sms.text}


def _sent(key: str, message: Mapping[str, Any]) -> Sent:
    words = said(f"Twilio: {text_of(message, 'status') or 'taken'}")
    return Sent(key, text_of(message, "sid"), words)


def _distance(message: Mapping[str, Any], handed: Handed) -> timedelta | None:
    """How far in time a record is from the message it may be of; None where it is of another."""
    created = date_of(message.get("date_created"))
    if created is None or not text_of(message, "sid") or text_of(message, "direction") == "inbound":
        return None
    distance = abs(created - handed.at)
    body = text_of(message, "body").removeprefix(_TRIAL_PREFIX)
    # An account may have Twilio forget the texts: then number and time have to do.
    same = not body or body.split() == handed.text.split()
    return distance if same and distance <= _AROUND else None


# -- what became of them ---------------------------------------------------------------------------


class TwilioStream(TwilioAccount):
    """Statuses and answers of one account (an EventStream)."""

    def __init__(
        self,
        settings: TwilioSettings,
        key: Lookup,
        *,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
        page_size: int = _PAGE_SIZE,
    ) -> None:
        super().__init__(settings, key, transport=transport, api=api)
        self._now = now
        self._page_size = page_size

    @property
    def provider(self) -> str:
        """The provider, as in the settings."""
        return "twilio"

    @property
    def account(self) -> str:
        """The account's SID."""
        return self._settings.account_sid

    @property
    def name(self) -> str:
        """The stream's name within the account."""
        return "messages"

    @property
    def every(self) -> timedelta:
        """How often it is polled."""
        return timedelta(minutes=2)

    @property
    def keeps(self) -> timedelta | None:
        """How long Twilio keeps messages."""
        return _KEEPS

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        """The next page of the listing; after its end, messages that were not in it, by name.

        The cursor has: `listed`, when the last listing that came to its end began; within a poll,
        `began` and `next`, the listing's own; `left`, what is to be asked for by name once it is
        at its end; `ask`, what is then still to be asked for; and `after`, the last that was.

        Raises:
            ProviderError: it could not be fetched.
        """
        if cursor.get("ask"):
            return await self._by_name(cursor)
        if not cursor.get("next"):
            return await self._first(cursor, asked)
        url = str(cursor["next"])
        answer = await self._api.get(url)
        if not answer.ok:
            return await self._anew(cursor, asked)
        messages, following = self._read(answer, url)
        return _page(cursor, answer, messages, following)

    async def reconcile(self, asked: Asked, since: datetime) -> Sequence[RawEvent]:
        """The states of messages sent since then, asked for by name.

        Raises:
            ProviderError: it could not be asked.
        """
        sids = [each.provider_id for each in asked.waiting if each.sent_at >= since]
        found = [await self._message(sid) for sid in sids[:_ASKED_BY_NAME]]
        return [raw_event(each) for each in found if each is not None]

    def parse_event(self, raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
        """What a record says.

        Raises:
            Unreadable: it lacks what it should have.
        """
        return parse_event(raw)

    async def _first(self, cursor: Cursor, asked: Asked) -> Page:
        """The first page of the listing, from a day before the last one began."""
        listed, oldest = _moment(cursor.get("listed")), asked.now - _KEEPS
        since = max((listed or asked.since or asked.now) - _OVERLAP, oldest)
        url = path_of(self._settings, "/Messages")
        # Whole days are told apart, in the form that Twilio's own libraries send.
        day = since.astimezone(UTC).strftime("%Y-%m-%dT00:00:00Z")
        answer = await self._api.get(url, {"DateSent>": day, "PageSize": self._page_size})
        messages, following = self._read(answer, url)
        began = answer.server_time or self._now()
        is_due = listed is None or began - listed.replace(minute=0, second=0) >= _EVERY_HOUR
        youngest = asked.now - (_CHASED_FOR if is_due else _EVERY_HOUR)
        left = [
            each.provider_id
            for each in asked.waiting
            if not each.settled and each.sent_at > youngest
        ]
        gap = (listed, oldest) if listed is not None and listed < oldest else None
        place = {**cursor, "began": began.isoformat(), "left": left}
        return _page(place, answer, messages, following, gap)

    async def _anew(self, cursor: Cursor, asked: Asked) -> Page:
        """The listing from its beginning, as its next page is not there any more."""
        restarts = (number_of(cursor.get("restarts")) or 0) + 1
        kept = {name: cursor[name] for name in ("listed", "after") if name in cursor}
        if restarts > _RESTARTS:
            return Page(events=(), cursor=kept, more=False, cut_short=_CUT_SHORT)
        return await self._first({**kept, "restarts": restarts}, asked)

    async def _by_name(self, cursor: Cursor) -> Page:
        """Some of the messages that were not in the listing."""
        sids = [str(each) for each in cursor["ask"]]
        events: list[RawEvent] = []
        kept = {name: cursor[name] for name in ("listed",) if name in cursor}
        for sid in sids[:_AT_ONCE]:
            kept["after"] = sid
            try:
                message = await self._message(sid)
            except Unavailable:
                # One that cannot be had holds up neither the others nor the next listing.
                return Page(events=events, cursor=kept, more=False)
            if message is not None:
                events.append(raw_event(message))
        ask = sids[_AT_ONCE:]
        return Page(events=events, cursor={**kept, "ask": ask} if ask else kept, more=bool(ask))

    async def _message(self, sid: str) -> dict[str, Any] | None:
        """A message's record; None where there is none (any more)."""
        answer = await self._api.get(path_of(self._settings, f"/Messages/{quote(sid, safe='')}"))
        return answer.object() if answer.ok else None


def _page(
    cursor: Cursor,
    answer: Answer,
    messages: Sequence[Any],
    following: str | None,
    gap: tuple[datetime, datetime] | None = None,
) -> Page:
    """A page of the listing, and where to go on after it."""
    seen = {text_of(each, "sid") for each in messages if isinstance(each, dict)}
    left = [each for each in cursor.get("left", ()) if each not in seen]
    place: dict[str, Any]
    if following is not None:
        place = {**cursor, "left": left, "next": following}
    else:
        # Not the same ones every time, where there are more than one poll asks for.
        after = str(cursor.get("after", ""))
        ask = sorted(left, key=lambda sid: (sid <= after, sid))[:_ASKED_BY_NAME]
        place = {"listed": cursor["began"], "after": after, "ask": ask}
        place = {name: value for name, value in place.items() if value}
    return Page(
        events=[raw_event(each) for each in messages],
        cursor=place,
        more="next" in place or "ask" in place,
        server_time=answer.server_time,
        gap=gap,
    )


def _moment(stored: Any) -> datetime | None:
    """A time as the cursor keeps it."""
    try:
        at = datetime.fromisoformat(stored) if isinstance(stored, str) else None
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
