"""Brevo, as far as this program asks it: mails, the events of days, lists of who is blocked.

Its days are those of a zone of its own; its events stand in the order of their times, so that one
that is told late moves those behind it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crm_tui.config.sections import BrevoSettings
from crm_tui.providers.secrets import Lookup, Secret
from tests.world.world import FakeProvider, Handler, Happened

KEY = "xkeysib-0123456789abcdef"
SENDER = "anna@example.com"
REMEMBERED = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Brevo answers instead of what was asked for."""

    status: int
    code: str
    message: str

    def response(self) -> Response:
        """As it is sent."""
        return JSONResponse({"code": self.code, "message": self.message}, self.status)


@dataclass
class FakeBrevo(FakeProvider):
    """An account at Brevo.

    Attributes:
        zone: whose days it means.
        hourly: how many requests it answers in an hour, those that send excepted; None is any.
        refuses: what it answers to every mail.
        refuses_all: what it answers to everything.
        takes_future: whether it takes a last day that has not come yet.
        mails: what it was asked to send, by the names it gave, with when.
        blocked: the contacts it sends nothing to.
        sent_at: when it was asked to send them.
        asked: how many questions it was asked, by the hour.
        tag_as_json: whether tags come as a list written as JSON.
        plan, relay, senders, domains: what the account has.
    """

    zone: tzinfo = UTC
    hourly: int | None = None
    refuses: Refusal | None = None
    refuses_all: Refusal | None = None
    takes_future: bool = True
    tag_as_json: bool = False
    plan: list[dict[str, Any]] = field(
        default_factory=lambda: [{"type": "free", "credits": 300, "creditsType": "sendLimit"}]
    )
    relay: bool = True
    senders: list[dict[str, Any]] = field(
        default_factory=lambda: [{"id": 1, "name": "Anna", "email": SENDER, "active": True}]
    )
    domains: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"id": 1, "domain_name": "example.com", "authenticated": True, "verified": True}
        ]
    )
    mails: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent_at: dict[str, datetime] = field(default_factory=dict)
    blocked: list[dict[str, Any]] = field(default_factory=list)
    asked: Counter[datetime] = field(default_factory=Counter)
    _keys: dict[str, datetime] = field(default_factory=dict)
    _others: list[Happened] = field(default_factory=list)

    @property
    def settings(self) -> BrevoSettings:
        """The settings of this account."""
        return BrevoSettings(base_url=self.base_url)

    @property
    def key(self) -> Lookup:
        """The key to it."""
        return Lookup.of(Secret(KEY))

    def routes(self) -> list[Route]:
        """What it answers."""
        return [
            Route("/smtp/email", self._guarded(self._send, counts=False), methods=["POST"]),
            Route("/smtp/emails", self._guarded(self._emails, counts=False)),
            Route("/smtp/blockedContacts", self._guarded(self._blocked, counts=False)),
            Route("/smtp/statistics/events", self._guarded(self._events)),
            Route("/account", self._guarded(self._account)),
            Route("/senders", self._guarded(self._senders)),
            Route("/senders/domains", self._guarded(self._domains)),
        ]

    def too_many(self, response: Response) -> Response:
        """A 429 with Brevo's own headers, and no Retry-After."""
        refused = Refusal(429, "too_many_requests", "Too many requests").response()
        refused.headers["x-sib-ratelimit-limit"] = "100"
        refused.headers["x-sib-ratelimit-remaining"] = "0"
        refused.headers["x-sib-ratelimit-reset"] = "3"
        return refused

    def block(self, email: str, code: str, message: str, *, at: datetime) -> None:
        """Brevo sends nothing to a contact any more."""
        self.blocked.append(
            {
                "email": email,
                "senderEmail": SENDER,
                "reason": {"code": code, "message": message},
                "blockedAt": self._stamp(at),
            }
        )

    # -- what it answers ---------------------------------------------------------------------------

    def _guarded(self, handler: Handler, *, counts: bool = True) -> Handler:
        """A handler behind the key and the hourly limit."""

        async def answer(request: Request) -> Response:
            if request.headers.get("api-key") != KEY:
                return Refusal(401, "unauthorized", "Key not found").response()
            if self.refuses_all is not None:
                return self.refuses_all.response()
            if not counts:
                return await handler(request)
            hour = self.world.now.replace(minute=0, second=0, microsecond=0)
            self.asked[hour] += 1
            most = 100 if self.hourly is None else self.hourly
            reset = int((hour + timedelta(hours=1) - self.world.now).total_seconds())
            if self.hourly is not None and self.asked[hour] > self.hourly:
                response = self.too_many(Response())
            else:
                response = await handler(request)
                left = max(most - self.asked[hour], 0)
                response.headers["x-sib-ratelimit-limit"] = str(most)
                response.headers["x-sib-ratelimit-remaining"] = str(left)
            response.headers["x-sib-ratelimit-reset"] = str(reset)
            return response

        return answer

    async def _send(self, request: Request) -> Response:
        if self.refuses is not None:
            return self.refuses.response()
        body = json.loads(await request.body())
        if not body.get("htmlContent"):
            return Refusal(400, "missing_parameter", "htmlContent is missing").response()
        if not any(each["email"] == body["sender"]["email"] for each in self.senders):
            return Refusal(400, "invalid_parameter", "valid sender email required").response()
        once = body["headers"].get("idempotencyKey")
        if once in self._keys and self.world.now - self._keys[once] < REMEMBERED:
            return Refusal(400, "duplicate_parameter", "idempotencyKey already used").response()
        self._keys[once] = self.world.now
        name = f"<{self.world.now:%Y%m%d%H%M}.{len(self.mails) + 1}@smtp-relay.mailin.fr>"
        self.mails[name] = body
        self.sent_at[name] = self.world.now
        self.happen(name, "requests")
        return JSONResponse({"messageId": name}, 201)

    async def _events(self, request: Request) -> Response:
        query = request.query_params
        refused, first, last = self._days(request, furthest=90)
        if refused is not None:
            return refused
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 2500))
        if limit > 5000:
            return Refusal(400, "out_of_range", "limit is too large").response()
        world = self.world
        if world.faults.shifting and offset > 0 and world.chance(0.3):
            self._put_in_front(first)
        start, end = self._midnight(first), self._midnight(last + timedelta(days=1))
        told = [each for each in self._all_told() if start <= each.at < end]
        if "email" in query:
            told = [each for each in told if self._recipient(each) == query["email"]]
        if query.get("sort", "desc") == "desc":
            told.reverse()
        page = told[offset : offset + limit]
        return JSONResponse({"events": [self.as_told(each) for each in page]} if page else {})

    def as_told(self, happened: Happened) -> dict[str, Any]:
        """An event as Brevo tells it."""
        mail = self.mails.get(happened.message, {})
        told = {
            "email": self._recipient(happened),
            "date": self._stamp(happened.at),
            "messageId": happened.message,
            "event": happened.word,
            "subject": mail.get("subject", ""),
            "from": mail.get("sender", {}).get("email", "shop@other.example"),
        }
        if tags := mail.get("tags"):
            told["tag"] = json.dumps(tags) if self.tag_as_json else tags[0]
        facts = {name: value for name, value in happened.facts.items() if name != "email"}
        return told | facts

    async def _emails(self, request: Request) -> Response:
        refused, first, last = self._days(request, furthest=31)
        if refused is not None:
            return refused
        email = request.query_params.get("email")
        found = [
            {
                "email": mail["to"][0]["email"],
                "subject": mail["subject"],
                "messageId": name,
                "uuid": f"uuid-{number}",
                "date": self._stamp(self.sent_at[name]),
                "from": mail["sender"]["email"],
                "tags": mail["tags"],
            }
            for number, (name, mail) in enumerate(self.mails.items())
            if mail["to"][0]["email"] == email and first <= self._day(self.sent_at[name]) <= last
        ]
        return JSONResponse({"count": len(found), "transactionalEmails": found[::-1]})

    async def _blocked(self, request: Request) -> Response:
        refused, first, last = self._days(request, furthest=10_000)
        if refused is not None:
            return refused
        query = request.query_params
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 50))
        if limit > 100:
            return Refusal(400, "out_of_range", "limit is too large").response()
        found = [
            each
            for each in self.blocked
            if first <= self._day(datetime.fromisoformat(each["blockedAt"])) <= last
        ]
        return JSONResponse({"count": len(found), "contacts": found[offset : offset + limit]})

    async def _account(self, request: Request) -> Response:
        return JSONResponse(
            {
                "email": "anna@example.com",
                "firstName": "Anna",
                "lastName": "Berg",
                "companyName": "Berg Websites",
                "address": {"street": "Weg 1", "city": "Bonn", "zipCode": "53111", "country": "DE"},
                "plan": self.plan,
                "relay": {
                    "enabled": self.relay,
                    "data": {"userName": "anna@example.com", "relay": "relay", "port": 587},
                },
            }
        )

    async def _senders(self, request: Request) -> Response:
        return JSONResponse({"senders": self.senders} if self.senders else {})

    async def _domains(self, request: Request) -> Response:
        return JSONResponse({"domains": self.domains} if self.domains else {})

    # -- days --------------------------------------------------------------------------------------

    def _days(self, request: Request, *, furthest: int) -> tuple[Response | None, date, date]:
        """The days asked for, and what is wrong with them."""
        query = request.query_params
        today = self._day(self.world.now)
        try:
            first = date.fromisoformat(query["startDate"])
            last = date.fromisoformat(query["endDate"])
        except (KeyError, ValueError):
            refused = Refusal(400, "invalid_parameter", "startDate and endDate are needed")
            return refused.response(), today, today
        words = ""
        if last < first:
            words = "endDate must be greater than or equal to startDate"
        elif (last - first).days >= furthest:
            words = f"The date range can not exceed {furthest} days"
        elif last > today and not self.takes_future:
            words = "endDate should not be in the future"
        refused_days = Refusal(400, "out_of_range", words).response() if words else None
        return refused_days, first, last

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def _midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def _stamp(self, at: datetime) -> str:
        return at.astimezone(self.zone).replace(microsecond=0).isoformat(timespec="milliseconds")

    def _recipient(self, happened: Happened) -> str:
        mail = self.mails.get(happened.message)
        return str(happened.facts.get("email") or (mail["to"][0]["email"] if mail else ""))

    def _all_told(self) -> list[Happened]:
        """What is told of anybody's mails, the oldest first."""
        told = self.told()
        return sorted([*self._others, *told], key=lambda each: each.at) if self._others else told

    def _put_in_front(self, first: date) -> None:
        """Something of somebody else's comes to the front of the list of the days."""
        number = len(self._others)
        at = self._midnight(first) + timedelta(seconds=number % 60)
        facts = {"email": "somebody@other.example"}
        other = Happened(number, f"<{number}@other.example>", "opened", at, at, facts)
        self._others.append(other)


def oracle(brevo: FakeBrevo) -> Sequence[tuple[str, str, str, str]]:
    """All that happened to mails that Brevo sent, as far as it can be told apart: once each."""
    found = {
        (
            each.message,
            each.word,
            each.at.replace(microsecond=0).isoformat(),
            str(each.facts.get("link", "")),
        )
        for each in brevo.log
        if each.message in brevo.mails
    }
    return sorted(found)
