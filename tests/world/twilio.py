"""Twilio, as far as text messages go: accounts, numbers, a balance, and messages that change.

A message is accepted as "queued" and goes on as the test has it happen:

    twilio = FakeTwilio(world, "twilio")
    twilio.happen(sid, "sent"); twilio.happen(sid, "undelivered", error_code=30006)
    twilio.arrive("+15550100300", "STOP")
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crm_tui.config.sections import TwilioSettings
from tests.world.world import FakeProvider, Handler, Happened

ACCOUNT = "AC" + "5ca1ab1e" * 4
TOKEN = "0123456789abcdef0123456789abcdef"
NUMBER = "+15550100100"
SERVICE = "MG" + "5eed" * 8

ELSEWHERE = "+15550199999"
"""Whom somebody else on the account writes to, where pages shift."""

_V = "/2010-04-01"
_GSM = re.compile(r"[\n\r -_a-~¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ]*")
_STOPS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
_STARTS = frozenset({"START", "YES", "UNSTOP"})
_GONE_OUT = frozenset({"sent", "delivered", "undelivered", "read", "received"})
_BILLED_AFTER = timedelta(minutes=5)
_SEGMENT = 0.0083


@dataclass(slots=True)
class Message:
    """What was sent or came in, without what became of it."""

    sid: str
    direction: str
    sender: str
    to: str
    text: str
    created: datetime
    service: str | None = None
    media: int = 0

    @property
    def segments(self) -> int:
        """How many segments the text takes."""
        alone, among = (160, 153) if _GSM.fullmatch(self.text) else (70, 67)
        length = len(self.text)
        return 1 if length <= alone else math.ceil(length / among)


@dataclass
class FakeTwilio(FakeProvider):
    """An account at Twilio.

    Attributes:
        status: active, suspended or closed.
        kind: Full or Trial; a trial account sends only to `verified`.
        numbers: the account's numbers, each with where its texts are answered.
        refused: numbers that are refused, each with the error code.
        daily_limit: how many messages are taken; then none are.
        opted_out: who answered STOP.
        loses: numbers that a message is accepted to, and answered with a 500.
        broken: messages that are answered with a 500 when they are asked for by name.
        lists: the body of every page of messages, instead of what it should be.
        accepted: the messages that were accepted, in order.
    """

    account: str = ACCOUNT
    token: str = TOKEN
    api_keys: dict[str, str] = field(default_factory=dict)
    status: str = "active"
    kind: str = "Full"
    verified: set[str] = field(default_factory=set)
    numbers: dict[str, str] = field(default_factory=lambda: {NUMBER: ""})
    services: set[str] = field(default_factory=lambda: {SERVICE})
    balance: str | None = "12.5"
    refused: dict[str, int] = field(default_factory=dict)
    daily_limit: int | None = None
    opted_out: set[str] = field(default_factory=set)
    loses: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    lists: bytes | None = None
    messages: dict[str, Message] = field(default_factory=dict)
    _of: dict[str, list[Happened]] = field(default_factory=dict)

    @property
    def settings(self) -> TwilioSettings:
        """How an operator sets it up."""
        return TwilioSettings(account_sid=self.account, from_number=NUMBER, base_url=self.base_url)

    @property
    def accepted(self) -> list[Message]:
        """What was accepted from us, in order."""
        return [
            each
            for each in self.messages.values()
            if each.direction != "inbound" and each.to != ELSEWHERE
        ]

    def happen(
        self, message: str, word: str, *, at: datetime | None = None, **facts: Any
    ) -> Happened:
        """A message comes to another status."""
        happened = super().happen(message, word, at=at, **facts)
        self._of.setdefault(message, []).append(happened)
        return happened

    def arrive(
        self, sender: str, text: str, *, at: datetime | None = None, media: int = 0
    ) -> Message:
        """A text comes in; a single word of stopping is acted upon as Twilio does."""
        at = self.world.now if at is None else at
        message = self._add("inbound", sender, NUMBER, text, at, media=media)
        self.happen(message.sid, "received", at=at)
        word = text.strip().upper()
        if word in _STOPS:
            self.opted_out.add(sender)
        elif word in _STARTS:
            self.opted_out.discard(sender)
        return message

    def state(self, message: Message) -> dict[str, Any]:
        """A message's record, as far as Twilio tells it at this moment."""
        seen = self._seen(message)
        word = seen[-1].word if seen else "queued"
        facts = seen[-1].facts if seen else {}
        out = [each for each in seen if each.word in _GONE_OUT]
        is_in = message.direction == "inbound"
        updated = max([message.created, *(each.at for each in seen)])
        billed = bool(out) and self.world.now >= out[0].at + _BILLED_AFTER
        uri = f"{_V}/Accounts/{self.account}/Messages/{message.sid}"
        return {
            "account_sid": self.account,
            "api_version": "2010-04-01",
            "body": message.text,
            "date_created": _rfc2822(message.created),
            "date_sent": _rfc2822(out[0].at) if out else None,
            "date_updated": _rfc2822(updated),
            "direction": message.direction,
            "error_code": facts.get("error_code"),
            "error_message": facts.get("error_message"),
            "from": message.sender or None,
            "messaging_service_sid": message.service,
            "num_media": str(message.media),
            # A messaging service has not chosen a number yet.
            "num_segments": "0" if message.service and not out else str(message.segments),
            "price": f"{-_SEGMENT * message.segments:.5f}" if billed else None,
            "price_unit": "USD",
            "sid": message.sid,
            "status": word if seen or not is_in else "receiving",
            "subresource_uris": {"media": f"{uri}/Media.json", "feedback": f"{uri}/Feedback.json"},
            "to": message.to,
            "uri": f"{uri}.json",
        }

    def routes(self) -> list[Route]:
        """What it answers."""
        below = f"{_V}/Accounts/{{account}}"
        return [
            Route(f"{below}/Messages.json", self._allowed(self._list), methods=["GET"]),
            Route(f"{below}/Messages.json", self._allowed(self._create), methods=["POST"]),
            Route(f"{below}/Messages/{{sid}}.json", self._allowed(self._fetch)),
            Route(f"{below}/IncomingPhoneNumbers.json", self._allowed(self._numbers)),
            Route(f"{below}/Balance.json", self._allowed(self._balance)),
            Route(f"{below}.json", self._allowed(self._account)),
        ]

    def too_many(self, response: Response) -> Response:
        """A 429 as Twilio sends it."""
        wait = {"retry-after": response.headers["retry-after"]}
        return _error(429, 20429, "Too Many Requests", wait)

    # -- answers -----------------------------------------------------------------------------------

    def _allowed(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            shown = request.headers.get("authorization", "").removeprefix("Basic ")
            user, _, secret = base64.b64decode(shown).decode().partition(":")
            if {self.account: self.token, **self.api_keys}.get(user) != secret:
                return _error(401, 20003, "Authenticate")
            if request.path_params["account"] != self.account:
                return _error(404, 20404, "The requested resource was not found")
            if self.status != "active" and handler != self._account:
                return _error(403, 20403, "Account suspended")
            return await handler(request)

        return answer

    async def _create(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        to, sender = form.get("To", ""), form.get("From", "")
        service, text = form.get("MessagingServiceSid"), form.get("Body", "")
        code = self._refusal(to, sender, service, text)
        if code == 63038:
            return _error(429, code, "Account exceeded the daily messages limit")
        if code:
            return _error(400, code, f"Twilio's words about {code}")
        message = self._add("outbound-api", sender, to, text, self.world.now, service=service)
        self.world.happened += 1
        if to in self.loses:
            return _error(500, 20500, "An internal server error has occurred")
        return JSONResponse(self.state(message), 201)

    def _refusal(self, to: str, sender: str, service: str | None, text: str) -> int:
        """The code of the first thing that is wrong; 0 where nothing is."""
        full = self.daily_limit is not None and len(self.accepted) >= self.daily_limit
        wrong = {
            21211: not re.fullmatch(r"\+[1-9]\d{6,14}", to),
            21602: not text,
            21617: len(text) > 1600,
            21603: service is None and not sender,
            21705: service is not None and service not in self.services,
            21659: service is None and sender not in self.numbers,
            21608: self.kind == "Trial" and to not in self.verified,
            63038: full,
            21610: to in self.opted_out,
            self.refused.get(to, 0): True,
        }
        return next(code for code, is_wrong in wrong.items() if is_wrong)

    def _add(
        self,
        direction: str,
        sender: str,
        to: str,
        text: str,
        at: datetime,
        *,
        service: str | None = None,
        media: int = 0,
    ) -> Message:
        kind = "MM" if media else "SM"
        sid = f"{kind}{self.world.random.getrandbits(128):032x}"
        at = at.replace(microsecond=0)
        message = Message(sid, direction, sender, to, text, at, service, media)
        self.messages[sid] = message
        return message

    async def _fetch(self, request: Request) -> Response:
        if request.path_params["sid"] in self.broken:
            return _error(500, 20500, "An internal server error has occurred")
        message = self.messages.get(request.path_params["sid"])
        if message is None:
            return _error(404, 20404, "The requested resource was not found")
        return JSONResponse(self.state(message))

    async def _list(self, request: Request) -> Response:
        query = dict(request.query_params)
        page, size = int(query.get("Page", 0)), int(query.get("PageSize", 50))
        faults = self.world.faults
        if self.lists is not None:
            return Response(self.lists, media_type="application/json")
        if page and self.world.chance(faults.expired):
            return _error(400, 20006, "The page is not available any more")
        if page and faults.shifting:
            self._come_to_the_front()
        found = self._found(query)
        start = page * size
        shown = [self.state(each) for each in found[start : start + size]]
        following = None
        if start + size < len(found):
            token = {"Page": str(page + 1), "PageToken": f"PA{shown[-1]['sid']}"}
            following = self._uri(query | token)
        if self.world.chance(faults.poisoned):
            following = f"https://twilio.evil.example{self._uri(query)}"
        return JSONResponse(
            {
                "messages": shown,
                "start": start,
                "end": start + len(shown) - 1 if shown else start,
                "page": page,
                "page_size": size,
                "uri": self._uri(query),
                "first_page_uri": self._uri(query | {"Page": "0"}),
                "next_page_uri": following,
                "previous_page_uri": None,
            }
        )

    def _found(self, query: dict[str, str]) -> list[Message]:
        """What a listing asks for, the newest first."""
        found: list[tuple[datetime, int, Message]] = []
        days = {name: day[:10] for name, day in query.items() if name.startswith("DateSent")}
        for number, message in enumerate(self.messages.values()):
            if query.get("To", message.to) != message.to:
                continue
            sent = next((each.at for each in self._seen(message) if each.word in _GONE_OUT), None)
            if all(
                (
                    sent is not None or message.direction != "inbound",
                    query.get("From", message.sender) == message.sender,
                    _is_within(sent, days),
                )
            ):
                found.append((sent or message.created, number, message))
        found.sort(key=lambda each: each[:2], reverse=True)
        return [message for _, _, message in found]

    def _seen(self, message: Message) -> list[Happened]:
        """What Twilio tells of a message at this moment."""
        return [each for each in self._of.get(message.sid, ()) if each.seen_from <= self.world.now]

    def _come_to_the_front(self) -> None:
        """Somebody else on the account sends something while pages are fetched."""
        other = self._add("outbound-api", NUMBER, ELSEWHERE, "Somebody else's", self.world.now)
        self._of[other.sid] = [Happened(-1, other.sid, "sent", self.world.now, self.world.now)]

    def _uri(self, query: dict[str, str]) -> str:
        return f"{_V}/Accounts/{self.account}/Messages.json?{urlencode(query)}"

    async def _numbers(self, request: Request) -> Response:
        asked = request.query_params.get("PhoneNumber")
        path = f"{_V}/Accounts/{self.account}/IncomingPhoneNumbers"
        numbers = [
            {
                "account_sid": self.account,
                "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
                "date_created": _rfc2822(self.world.now - timedelta(days=100)),
                "date_updated": _rfc2822(self.world.now - timedelta(days=100)),
                "friendly_name": "Sites",
                "phone_number": number,
                "sid": f"PN{index:032x}",
                "sms_method": "POST",
                "sms_url": webhook,
                "status": "in-use",
                "uri": f"{path}/PN{index:032x}.json",
            }
            for index, (number, webhook) in enumerate(self.numbers.items())
            if asked in {None, number}
        ]
        return JSONResponse(
            {
                "incoming_phone_numbers": numbers,
                "start": 0,
                "end": max(len(numbers) - 1, 0),
                "page": 0,
                "page_size": 50,
                "uri": f"{path}.json?PageSize=50&Page=0",
                "first_page_uri": f"{path}.json?PageSize=50&Page=0",
                "next_page_uri": None,
                "previous_page_uri": None,
            }
        )

    async def _balance(self, _request: Request) -> Response:
        if self.balance is None:
            return _error(404, 20404, "The requested resource was not found")
        body = {"account_sid": self.account, "balance": self.balance, "currency": "USD"}
        return JSONResponse(body)

    async def _account(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "auth_token": self.token,
                "date_created": _rfc2822(self.world.now - timedelta(days=100)),
                "date_updated": _rfc2822(self.world.now - timedelta(days=1)),
                "friendly_name": "Sites for locals",
                "owner_account_sid": self.account,
                "sid": self.account,
                "status": self.status,
                "subresource_uris": {},
                "type": self.kind,
                "uri": f"{_V}/Accounts/{self.account}.json",
            }
        )


def _is_within(sent: datetime | None, days: dict[str, str]) -> bool:
    """Whether a date of sending is within what a listing asks for; no date is in none."""
    if not days:
        return True
    if sent is None:
        return False
    day = sent.date().isoformat()
    return (
        days.get("DateSent>", day) <= day <= days.get("DateSent<", day)
        and days.get("DateSent", day) == day
    )


def _rfc2822(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC))


def _error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return JSONResponse(body, status, headers)
