"""A fake of Resend: mails under idempotency keys, the last state of each, its list and its inbox."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crm_tui.config.sections import ResendSettings
from crm_tui.providers.secrets import Lookup, Secret
from tests.world.world import FakeProvider, Handler, Happened

KEY = "re_test_key"
DOMAIN = "studio.example"

_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")


@dataclass
class FakeResend(FakeProvider):
    """Resend, as far as adapters ask it.

    Attributes:
        mails: every mail that was taken, the oldest first: what the API tells of it, and its body.
        domains: the account's domains and their states.
        listed: whom nothing is sent to, by address.
        inbox: what came in, the oldest first.
        per_second: how many requests a second it answers; None is no limit.
        quota: "daily" or "monthly" where that quota is used up.
        suspended: whether the key is suspended.
        send_only: whether the key may only send.
        breaks: requests whose path begins so are answered 500.
        replayed: how many sends were answered from memory.
    """

    mails: dict[str, dict[str, Any]] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=lambda: {DOMAIN: "verified"})
    listed: dict[str, dict[str, Any]] = field(default_factory=dict)
    inbox: list[dict[str, Any]] = field(default_factory=list)
    per_second: int | None = None
    quota: str = ""
    suspended: bool = False
    send_only: bool = False
    breaks: str = ""
    replayed: int = 0
    _keys: dict[str, tuple[bytes, str, datetime]] = field(default_factory=dict)
    _second: tuple[datetime | None, int] = (None, 0)
    _of: dict[str, list[Happened]] = field(default_factory=dict)

    @property
    def settings(self) -> ResendSettings:
        """The settings of whoever uses it."""
        return ResendSettings(base_url=self.base_url)

    @property
    def key(self) -> Lookup:
        """The key that is taken."""
        return Lookup.of(Secret(KEY))

    # -- what the test does ------------------------------------------------------------------------

    def bounce(self, mail_id: str, *, hard: bool, listed_after: timedelta = timedelta()) -> None:
        """A mail bounces; an address that bounced for good is listed, sooner or later."""
        self.happen(mail_id, "bounced")
        if hard:
            recipient = self.mails[mail_id]["to"][0]
            self.list_address(recipient, "bounce", source=mail_id, after=listed_after)

    def list_address(
        self,
        address: str,
        origin: str,
        *,
        source: str | None = None,
        after: timedelta = timedelta(),
    ) -> None:
        """Put an address on the list of whom nothing is sent to."""
        self.listed[address.lower()] = {
            "object": "suppression",
            "id": self._new_id(),
            "email": address,
            "origin": origin,
            "source_id": source,
            "created_at": _stamp(self.world.now + after),
        }

    def receive(self, sender: str, to: str, subject: str, text: str, **headers: str) -> str:
        """A mail comes in; `headers` with underscores for dashes. Gives its id."""
        mail_id = self._new_id()
        message_id = f"<{mail_id}@mail.example>"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.inbox.append(
            {
                "object": "email",
                "id": mail_id,
                "to": [to],
                "from": sender,
                "created_at": self.world.now.isoformat(timespec="milliseconds"),
                "subject": subject,
                "bcc": [],
                "cc": [],
                "reply_to": [],
                "message_id": message_id,
                "attachments": [],
                "html": None,
                "text": text,
                "headers": {"from": sender, "to": to, "message-id": message_id, **named},
            }
        )
        return mail_id

    def sent_before(self, mail_id: str, to: str, *, at: datetime) -> None:
        """A mail was taken under this id before the test began."""
        body = {"from": f"ann@{DOMAIN}", "to": [to], "subject": "Hello", "text": "Hello"}
        self.mails[mail_id] = self._mail_of(mail_id, body, at)
        self.happen(mail_id, "sent", at=at)

    def stranger(self, domain: str = "elsewhere.example") -> str:
        """A mail of the same team that we did not send."""
        body = {"from": f"shop@{domain}", "to": ["x@y.example"], "subject": "Order", "text": "Hi"}
        return self._take(body)

    def happen(
        self, message: str, word: str, *, at: datetime | None = None, **facts: Any
    ) -> Happened:
        """A mail comes to another state."""
        happened = super().happen(message, word, at=at, **facts)
        self._of.setdefault(message, []).append(happened)
        return happened

    def happened_to(self, mail_id: str) -> Sequence[Happened]:
        """All that became of a mail, told or not."""
        return self._of.get(mail_id, ())

    def state(self, mail_id: str) -> str:
        """The last state of a mail that is told by now: each comes after those before."""
        happened = reversed(self.happened_to(mail_id))
        return next((each.word for each in happened if each.seen_from <= self.world.now), "queued")

    # -- what it answers ---------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        """What it answers."""
        return [
            Route("/emails", self._guarded(self._send, sends=True), methods=["POST"]),
            Route("/emails", self._guarded(self._list)),
            Route("/emails/receiving", self._guarded(self._list_received)),
            Route("/emails/receiving/{id}", self._guarded(self._received)),
            Route("/emails/{id}", self._guarded(self._mail)),
            Route("/domains", self._guarded(self._domains)),
            Route("/suppressions", self._guarded(self._suppressions)),
            Route("/suppressions/{address}", self._guarded(self._suppression)),
        ]

    def too_many(self, response: Response) -> Response:
        """Too many requests, in Resend's words and with its headers."""
        refusal = _refused(429, "rate_limit_exceeded", "Too many requests.")
        refusal.headers["retry-after"] = response.headers.get("retry-after", "1")
        return self._with_limits(refusal)

    def _guarded(self, answer: Callable[[Request], Response], *, sends: bool = False) -> Handler:
        async def guarded(request: Request) -> Response:
            path = request.url.path.removeprefix(f"/{self.name}")
            if self.breaks and path.startswith(self.breaks):
                return _refused(500, "internal_server_error", "Something went wrong.")
            request.state.body = await request.body()
            refusal = self._refusal(request, sends=sends) or self._limited(sends=sends)
            return self._with_limits(answer(request) if refusal is None else refusal)

        return guarded

    def _refusal(self, request: Request, *, sends: bool) -> Response | None:
        if not request.headers.get("user-agent"):
            return Response("error code: 1010", 403)
        if not request.headers.get("authorization"):
            return _refused(401, "missing_api_key", "Missing API Key")
        if request.headers["authorization"] != f"Bearer {KEY}":
            return _refused(403, "invalid_api_key", "API key is invalid")
        if self.suspended:
            return _refused(403, "suspended_api_key", "This API key is suspended")
        if self.send_only and not sends:
            words = "This API key is restricted to only send emails"
            return _refused(401, "restricted_api_key", words)
        return None

    def _limited(self, *, sends: bool) -> Response | None:
        if self._is_too_fast():
            return self.too_many(Response())
        if sends and self.quota:
            words = f"You have reached your {self.quota} email sending quota."
            return _refused(429, f"{self.quota}_quota_exceeded", words)
        return None

    def _is_too_fast(self) -> bool:
        second, count = self._second
        now = self.world.now.replace(microsecond=0)
        self._second = (now, count + 1 if second == now else 1)
        return self.per_second is not None and self._second[1] > self.per_second

    def _with_limits(self, response: Response) -> Response:
        limit = self.per_second or 5
        response.headers["ratelimit-limit"] = str(limit)
        response.headers["ratelimit-remaining"] = str(max(limit - self._second[1], 0))
        response.headers["ratelimit-reset"] = "1"
        return response

    def _send(self, request: Request) -> Response:
        raw: bytes = request._body
        key = request.headers.get("idempotency-key", "")
        if len(key) > 256:
            return _refused(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        kept = self._keys.get(key) if key else None
        if kept is not None and kept[2] > self.world.now - timedelta(hours=24):
            if kept[0] != raw:
                words = "Same idempotency key used with a different request payload."
                return _refused(409, "invalid_idempotent_request", words)
            self.replayed += 1
            return JSONResponse({"id": kept[1]})
        body = json.loads(raw)
        refusal = self._invalid(body)
        if refusal is not None:
            return refusal
        mail_id = self._take(body)
        if key:
            self._keys[key] = (raw, mail_id, self.world.now)
        return JSONResponse({"id": mail_id})

    def _invalid(self, body: dict[str, Any]) -> Response | None:
        for name in ("from", "to", "subject"):
            if not body.get(name):
                return _refused(422, "missing_required_field", f"Missing `{name}` field.")
        bad = [
            tag
            for tag in body.get("tags", ())
            if not (_TAG.fullmatch(tag["name"]) and _TAG.fullmatch(tag["value"]))
        ]
        if bad:
            words = "Tags should only contain ASCII letters, numbers, underscores, or dashes."
            return _refused(422, "validation_error", words)
        domain = parseaddr(body["from"])[1].rpartition("@")[2]
        if self.domains.get(domain) != "verified":
            words = (
                f"The {domain} domain is not verified. Please, add and verify your domain on"
                " https://resend.com/domains"
            )
            return _refused(403, "validation_error", words)
        return None

    def _take(self, body: dict[str, Any]) -> str:
        mail_id = self._new_id()
        mail = self.mails[mail_id] = self._mail_of(mail_id, body, self.world.now)
        suppressed = any(each.lower() in self.listed for each in mail["to"])
        self.happen(mail_id, "suppressed" if suppressed else "sent")
        return mail_id

    def _mail_of(self, mail_id: str, body: dict[str, Any], at: datetime) -> dict[str, Any]:
        reply_to = body.get("reply_to")
        return {
            "object": "email",
            "id": mail_id,
            "message_id": f"<{mail_id}@eu-west-1.amazonses.com>",
            "to": body["to"] if isinstance(body["to"], list) else [body["to"]],
            "from": body["from"],
            "created_at": _stamp(at),
            "subject": body["subject"],
            "bcc": [],
            "cc": [],
            "reply_to": [reply_to] if reply_to else [],
            "body": body,
        }

    def _told(self, mails: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in mail.items() if name != "body"}
            | {"last_event": self.state(mail["id"])}
            for mail in mails
        ]

    def _list(self, request: Request) -> Response:
        faults = self.world.faults
        if faults.shifting and request.query_params.get("after") and self.world.chance(0.5):
            self.stranger()
        newest_first = list(reversed(self.mails.values()))
        page, more = self._page(request, newest_first)
        if page is None:
            return _refused(422, "validation_error", "The `after` cursor is not valid.")
        items = self._told(page)
        if items and self.world.chance(faults.twice):
            items.insert(0, items[0])
        return JSONResponse({"object": "list", "has_more": more, "data": items})

    def _page(
        self, request: Request, items: list[dict[str, Any]]
    ) -> tuple[list[dict[str, Any]] | None, bool]:
        limit = int(request.query_params.get("limit", "20"))
        after = request.query_params.get("after")
        begin = 0
        if after is not None:
            places = [place for place, each in enumerate(items) if each["id"] == after]
            if not places or self.world.chance(self.world.faults.expired):
                return None, False
            begin = places[0] + 1
        return items[begin : begin + limit], begin + limit < len(items)

    def _mail(self, request: Request) -> Response:
        mail = self.mails.get(request.path_params["id"])
        if mail is None:
            return _refused(404, "not_found", "Email not found")
        body = mail["body"]
        whole = {name: body[name] for name in ("text", "html", "tags") if name in body}
        return JSONResponse(self._told([mail])[0] | whole)

    def _list_received(self, request: Request) -> Response:
        page, more = self._page(request, list(reversed(self.inbox)))
        if page is None:
            return _refused(422, "validation_error", "The `after` cursor is not valid.")
        left_out = {"object", "html", "text", "headers"}
        items = [
            {name: value for name, value in each.items() if name not in left_out} for each in page
        ]
        return JSONResponse({"object": "list", "has_more": more, "data": items})

    def _received(self, request: Request) -> Response:
        for each in self.inbox:
            if each["id"] == request.path_params["id"]:
                return JSONResponse(each)
        return _refused(404, "not_found", "Email not found")

    def _domains(self, _request: Request) -> Response:
        items = [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
                "name": name,
                "status": status,
                "created_at": _stamp(self.world.now),
                "region": "eu-west-1",
                "open_tracking": True,
                "click_tracking": False,
                "capabilities": {"sending": "enabled", "receiving": "disabled"},
            }
            for name, status in self.domains.items()
        ]
        return JSONResponse({"object": "list", "has_more": False, "data": items})

    def _known(self) -> list[dict[str, Any]]:
        """What the list has by now, the newest first."""
        there = [
            each
            for each in self.listed.values()
            if datetime.fromisoformat(each["created_at"]) <= self.world.now
        ]
        return sorted(there, key=lambda each: str(each["created_at"]), reverse=True)

    def _suppressions(self, request: Request) -> Response:
        origin = request.query_params.get("origin")
        entries = [each for each in self._known() if origin in {None, each["origin"]}]
        page, more = self._page(request, entries)
        if page is None:
            return _refused(422, "validation_error", "The `after` cursor is not valid.")
        left_out = {"object"}
        items = [{k: v for k, v in each.items() if k not in left_out} for each in page]
        return JSONResponse({"object": "list", "has_more": more, "data": items})

    def _suppression(self, request: Request) -> Response:
        wanted = request.path_params["address"].lower()
        for each in self._known():
            if each["email"].lower() == wanted:
                return JSONResponse(each)
        return _refused(404, "not_found", "Suppression not found")

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self.world.random.getrandbits(128), version=4))


def _refused(status: int, name: str, message: str) -> Response:
    return JSONResponse({"statusCode": status, "name": name, "message": message}, status)


def _stamp(at: datetime) -> str:
    """A time as Resend writes it in its lists."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f+00")
