"""A fake Mailgun: sending, both logs, the three lists, stored mails, domains and limits.

What happens to a message is in Mailgun's own words ("accepted", "delivered", "failed", "opened",
"clicked", "unsubscribed", "complained", "rejected", "stored"); the facts of `happen` are

    severity, reason, code, enhanced, bounce_type, description, delayed   of "failed"
    url, agent, bot, client_type                                          of "opened" and "clicked"
    mail (bytes)                                                          of "stored"
    recipient, key                                                        of anything
    without (names of fields that are missing), extra (fields besides)    of anything

Its answers are held against Mailgun's own description by the tests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parseaddr, parsedate_to_datetime
from itertools import islice
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from crm_tui.config.sections import MailgunSettings
from crm_tui.providers.secrets import Lookup, Secret
from tests.world.world import FakeProvider, Handler, Happened

ELSEWHERE = "https://collect.example"
"""The host that poisoned answers lead to."""

_HARD = {"severity": "permanent", "reason": "bounce", "code": 550, "enhanced": "5.1.1"}
_LISTS = ("bounces", "complaints", "unsubscribes")


@dataclass
class Taken:
    """A message that was taken over: its name, and its fields as they came."""

    id: str
    recipient: str
    fields: dict[str, str]

    @property
    def key(self) -> str:
        """The message's own key."""
        return self.fields.get("v:outbox_id", "")


@dataclass
class FakeMailgun(FakeProvider):
    """An account at Mailgun with one domain.

    Attributes:
        key: the key of its API.
        domain: the domain.
        state: of the domain: active, unverified or disabled.
        refusal: what every send is refused with (status, words); None takes them.
        limit: the account's own monthly limit; None where none is set.
        taken: the messages, by the names that Mailgun gives them.
        lists: who is on Mailgun's lists: address → (when, code, words).
        stored: mails that came in, by their keys.
        broken_storage: keys of stored mails that cannot be fetched, and the status instead.
        list_limit: entries in a page of a list at most.
        page_limit: records in a page of the log at most.
        tokens: what the tokens of further pages stand for: t0 is the first.
        filters_recipients: whether the Logs API knows the attribute.
        refuses_old: whether a beginning before what is kept is refused.
    """

    key: str = "key-0123456789abcdef"
    domain: str = "mg.example.org"
    state: str = "active"
    refusal: tuple[int, str] | None = None
    limit: int | None = None
    taken: dict[str, Taken] = field(default_factory=dict)
    lists: dict[str, dict[str, tuple[datetime, str, str]]] = field(
        default_factory=lambda: {name: {} for name in _LISTS}
    )
    stored: dict[str, bytes] = field(default_factory=dict)
    broken_storage: dict[str, int] = field(default_factory=dict)
    list_limit: int = 1000
    page_limit: int = 300
    refuses_old: bool = False
    filters_recipients: bool = True
    tokens: list[dict[str, Any]] = field(default_factory=list)
    _sorted: tuple[object, list[Happened], list[datetime]] = (None, [], [])

    def routes(self) -> list[Route]:
        """What it answers."""
        lists = [
            Route(f"/v3/{{domain}}/{name}", self._known(self._list(name)), methods=["GET"])
            for name in _LISTS
        ]
        return [
            Route("/v3/{domain}/messages", self._known(self._send), methods=["POST"]),
            Route("/v3/{domain}/events", self._known(self._events), methods=["GET"]),
            Route("/v3/{domain}/events/{token}", self._known(self._events), methods=["GET"]),
            Route("/v1/analytics/logs", self._known(self._logs), methods=["POST"]),
            Route("/v4/domains/{domain}", self._known(self._domain), methods=["GET"]),
            Route(
                "/v3/domains/{domain}/messages/{mail}", self._known(self._storage), methods=["GET"]
            ),
            Route("/v5/accounts/limit/custom/monthly", self._known(self._monthly), methods=["GET"]),
            *lists,
        ]

    def settings(self, events: Literal["logs", "events"] = "logs") -> MailgunSettings:
        """The settings that lead here."""
        return MailgunSettings(domain=self.domain, base_url=self.base_url, events=events)

    def lookup(self) -> Lookup:
        """The key, as adapters are given it."""
        return Lookup.of(Secret(self.key))

    def accept(self, key: str, *, to: str = "someone@example.com") -> str:
        """The name of the message with this key; taken over here and now if it was not sent."""
        for taken in self.taken.values():
            if taken.key == key:
                return taken.id
        return self._take({"to": to, "v:outbox_id": key}).id

    def happen(
        self, message: str, word: str, *, at: datetime | None = None, **facts: Any
    ) -> Happened:
        """Something happens to a message; who bounces, complains or opts out comes to a list."""
        if word == "failed":
            facts = {**(_HARD if "severity" not in facts else {}), **facts}
        happened = super().happen(message, word, at=at, **facts)
        taken = self.taken.get(message)
        address = facts.get("recipient") or (taken.recipient if taken else "")
        hard = word == "failed" and facts["severity"] == "permanent" and facts.get("code") == 550
        name = {"complained": "complaints", "unsubscribed": "unsubscribes"}.get(word)
        if name := "bounces" if hard else name:
            entry = (happened.at, str(facts.get("code", "")), str(facts.get("description", "")))
            self.lists[name].setdefault(address, entry)
        if word == "stored":
            self.stored[_mail_key(happened)] = facts["mail"]
        return happened

    def event(self, happened: Happened) -> dict[str, Any]:
        """A record as the Events API tells it."""
        facts, taken = happened.facts, self.taken.get(happened.message)
        recipient = facts.get("recipient") or (taken.recipient if taken else "")
        headers = {"message-id": happened.message, "from": f"info@{self.domain}", "to": recipient}
        record: dict[str, Any] = {
            "event": happened.word,
            "id": _event_id(happened),
            "timestamp": happened.at.timestamp(),
            "log-level": "info",
            "recipient": recipient,
            "flags": {"is-test-mode": False},
            "message": {"headers": headers, "attachments": [], "size": 1000},
            "tags": [],
            "user-variables": {"outbox_id": facts.get("key") or (taken.key if taken else "")},
        }
        if happened.word == "failed":
            record |= _failing(facts)
        if happened.word in {"opened", "clicked"}:
            record["client-info"] = {
                "client-type": facts.get("client_type", "browser"),
                "user-agent": facts.get("agent", "Mozilla/5.0 (X11; Linux)"),
                "bot": facts.get("bot", ""),
            }
        if happened.word == "clicked":
            record["url"] = facts.get("url", "https://example.org/")
        if happened.word == "rejected":
            record["reject"] = {"reason": facts.get("reason", "Not allowed"), "description": ""}
        if happened.word == "stored":
            record["storage"] = {
                "url": self._storage_url(_mail_key(happened)),
                "key": _mail_key(happened),
            }
        record |= facts.get("extra", {})
        return {name: each for name, each in record.items() if name not in facts.get("without", ())}

    def log_entry(self, happened: Happened) -> dict[str, Any]:
        """The same record as the Logs API tells it."""
        record = self.event(happened)
        if "timestamp" in record:
            del record["timestamp"]
            at = happened.at.astimezone(UTC).isoformat(timespec="milliseconds")
            record["@timestamp"] = at.replace("+00:00", "Z")
        record["domain"] = {"name": self.domain}
        record["account"] = {"id": "1"}
        variables = record.get("user-variables")
        if isinstance(variables, dict):
            record["user-variables"] = json.dumps(variables)
        storage = record.get("storage")
        if isinstance(storage, dict):
            record["storage"] = {**storage, "url": [storage["url"]]}
        flags = {"is-authenticated", "is-system-test", "is-routed", "is-delayed-bounce"}
        record["flags"] = dict.fromkeys([*flags, "is-callback"], False) | record["flags"]
        return record

    def _known(self, handler: Handler) -> Handler:
        """A handler, for those who have the key and ask about the domain."""

        async def answer(request: Request) -> Response:
            shown = request.headers.get("authorization", "")
            if shown != f"Basic {base64.b64encode(f'api:{self.key}'.encode()).decode()}":
                return PlainTextResponse("Forbidden", 401)
            domain = request.path_params.get("domain", self.domain)
            if domain != self.domain:
                return _refused(404, f"Domain not found: {domain}")
            return await handler(request)

        return answer

    async def _send(self, request: Request) -> Response:
        if refused := self._not_allowed():
            return refused
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return _refused(400, "Invalid request content type. Expecting 'multipart/form-data'")
        form = await request.form()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if wrong := _wrong_with(fields):
            return _refused(400, wrong)
        taken = self._take(fields)
        return JSONResponse({"id": f"<{taken.id}>", "message": "Queued. Thank you."})

    def _not_allowed(self) -> Response | None:
        """Why nothing is sent; None where it is."""
        if self.refusal is not None:
            return _refused(*self.refusal)
        why = {
            "unverified": "The domain is unverified and requires DNS configuration.",
            "disabled": "Domain is disabled.",
        }.get(self.state)
        if why is None:
            return None
        return _refused(403, f"Domain {self.domain} is not allowed to send: {why}")

    def _take(self, fields: dict[str, str]) -> Taken:
        name = fields.get("h:Message-Id", "").strip("<>")
        name = name or f"{len(self.taken) + 1}.{len(self.log)}@{self.domain}"
        taken = Taken(name, parseaddr(fields["to"])[1].lower(), fields)
        again = f"{name} again ({len(self.taken)})"  # a mail that is sent twice is taken twice
        self.taken[again if name in self.taken else name] = taken
        self.happen(name, "accepted")
        return taken

    async def _logs(self, request: Request) -> Response:
        body = await request.json()
        paging = body.get("pagination", {})
        limit = paging.get("limit", 100)
        about = {each["attribute"]: each["values"][0]["value"] for each in body["filter"]["AND"]}
        known = {"domain", "recipient"} if self.filters_recipients else {"domain"}
        if limit > 100 or about.get("domain") != self.domain or not set(about) <= known:
            return _refused(400, "invalid pagination or filter")
        start = _moment(body.get("start")) or self.world.now - timedelta(days=1)
        end = _moment(body.get("end")) or self.world.now + timedelta(days=1)
        keeps = self.world.faults.keeps
        if self.refuses_old and keeps is not None and start < self.world.now - keeps:
            return _refused(400, "start is before the retention of the plan")
        token, words = paging.get("token"), body.get("events")
        found = self._cut(start, end, limit, token, words, to=about.get("recipient"))
        if found is None:
            return _refused(400, "the pagination token is not valid")
        page, following = found
        return JSONResponse(
            {
                "start": format_datetime(start),
                "end": format_datetime(end),
                "items": [self.log_entry(each) for each in page],
                "pagination": {"next": following, "total": 1} if following else {"total": 0},
                "aggregates": {},
            }
        )

    async def _events(self, request: Request) -> Response:
        asked = dict(request.query_params)
        token = request.path_params.get("token")
        if token is not None:
            asked = self._opened(token).get("asked", {})
        if ("begin" in asked) != ("ascending" in asked) or int(asked.get("limit", 100)) > 300:
            return _refused(400, "invalid query")
        start = datetime.fromtimestamp(float(asked.get("begin", 0)), UTC)
        end = datetime.fromtimestamp(float(asked.get("end", 4e9)), UTC)
        words = [asked["event"]] if "event" in asked else None
        limit, to = int(asked.get("limit", 100)), asked.get("recipient")
        found = self._cut(start, end, limit, token, words, to=to)
        if found is None:
            return _refused(400, "the page is not there any more")
        page, following = found
        if following is not None or token is None:
            token = self._closed({**self._opened(following), "asked": asked})
        base = f"{self.base_url}/v3/{self.domain}/events"
        if self.world.chance(self.world.faults.poisoned):
            base = ELSEWHERE
        return JSONResponse(
            {
                "items": [self.event(each) for each in page],
                "paging": {"next": f"{base}/{token}", "previous": f"{base}/x"},
            }
        )

    def _cut(
        self,
        start: datetime,
        end: datetime,
        limit: int,
        token: str | None,
        words: list[str] | None,
        *,
        to: str | None = None,
    ) -> tuple[list[Happened], str | None] | None:
        """A page of the log and the next one's token; None where the token is too old.

        A token says after which moment to go on, and what of that moment has been told.
        """
        faults, opened = self.world.faults, self._opened(token)
        if token and self.world.chance(faults.expired):
            return None
        last: datetime = opened.get("last", start - timedelta(days=1))
        told: frozenset[int] = opened.get("told", frozenset())
        limit = min(limit, self.page_limit)
        found = (
            each
            for each in self._told_between(max(start, last), end)
            if (each.at > last or (each.at == last and each.number not in told))
            and (words is None or each.word in words)
            and (to is None or to.lower() == self._recipient(each))
        )
        page = list(islice(found, limit))
        if not page:
            return [], None
        if token and faults.shifting:
            # Something new came to the front, and moved what was told before into this page.
            again = [each for each in self._told_between(last, last) if each.number in told]
            page = (again[: limit // 2] + page)[:limit]
        last = page[-1].at
        told = frozenset(each.number for each in page if each.at == last)
        if opened.get("last") == last:
            told |= opened["told"]
        return page, self._closed({"last": last, "told": told})

    def _closed(self, what: dict[str, Any]) -> str:
        """A token that stands for something."""
        self.tokens.append(what)
        return f"t{len(self.tokens) - 1}"

    def _opened(self, token: str | None) -> dict[str, Any]:
        """What a token stands for; nothing where there is none such."""
        number = re.fullmatch(r"t(\d{1,9})", token or "")
        known = number is not None and int(number[1]) < len(self.tokens)
        return self.tokens[int(number[1])] if number is not None and known else {}

    def _told_between(self, start: datetime, end: datetime) -> Iterator[Happened]:
        """What is told of a time; put in order once for each moment of the world."""
        moment = (self.world.now, len(self.log), self.world.faults)
        if self._sorted[0] != moment:
            told = self.told()
            self._sorted = (moment, told, [each.at for each in told])
        _, told, times = self._sorted
        for place in range(bisect_left(times, start), len(told)):
            if times[place] > end:
                return
            yield told[place]

    def _recipient(self, happened: Happened) -> str:
        taken = self.taken.get(happened.message)
        return str(happened.facts.get("recipient") or (taken.recipient if taken else ""))

    def _list(self, name: str) -> Handler:
        async def answer(request: Request) -> Response:
            limit = int(request.query_params.get("limit", 100))
            if limit > 1000:
                return _refused(400, "limit must be at most 1000")
            after = request.query_params.get("address", "")
            following = request.query_params.get("page") == "next"
            addresses = sorted(self.lists[name])
            if following:
                addresses = [each for each in addresses if each > after]
            page = addresses[: min(limit, self.list_limit)]
            items = []
            for address in page:
                at, code, words = self.lists[name][address]
                item: dict[str, Any] = {
                    "address": address,
                    "created_at": format_datetime(at).replace("+0000", "UTC"),
                }
                if name == "bounces":
                    item |= {"code": code, "error": words}
                if name == "unsubscribes":
                    item["tags"] = ["*"]
                items.append(item)
            base = f"{self.base_url}/v3/{self.domain}/{name}"
            if self.world.chance(self.world.faults.poisoned):
                base = f"{ELSEWHERE}/{name}"
            last = page[-1] if page else after
            urls = dict.fromkeys(("previous", "first", "last"), f"{base}?limit={limit}")
            urls["next"] = f"{base}?page=next&address={last}&limit={limit}"
            return JSONResponse({"items": items, "paging": urls})

        return answer

    async def _domain(self, request: Request) -> Response:
        domain = {
            "created_at": "Wed, 10 Jul 2013 19:26:52 GMT",
            "id": "1",
            "is_disabled": self.state == "disabled",
            "name": self.domain,
            "require_tls": False,
            "skip_verification": False,
            "smtp_login": f"postmaster@{self.domain}",
            "spam_action": "disabled",
            "state": self.state,
            "type": "sandbox" if self.domain.startswith("sandbox") else "custom",
            "use_automatic_sender_security": True,
            "web_prefix": "email",
            "web_scheme": "https",
            "wildcard": False,
            "encrypt_incoming_message": False,
            "message_ttl": 259200,
        }
        return JSONResponse(
            {"domain": domain, "receiving_dns_records": [], "sending_dns_records": []}
        )

    async def _monthly(self, request: Request) -> Response:
        if self.limit is None:
            return _refused(404, "No threshold for account")
        return JSONResponse({"limit": self.limit, "current": len(self.taken), "period": "1m"})

    async def _storage(self, request: Request) -> Response:
        key = request.path_params["mail"]
        if key in self.broken_storage:
            return _refused(self.broken_storage[key], "the message cannot be read")
        if key not in self.stored:
            return _refused(404, "Message not found")
        mail = self.stored[key].decode("utf-8", "replace")
        if request.headers.get("accept") == "message/rfc2822":
            return JSONResponse({"body-mime": mail, "From": "", "To": "", "Subject": ""})
        return JSONResponse({"body-plain": mail, "From": "", "To": "", "Subject": ""})

    def _storage_url(self, key: str) -> str:
        base = self.base_url
        if self.world.chance(self.world.faults.poisoned):
            base = ELSEWHERE
        return f"{base}/v3/domains/{self.domain}/messages/{key}"


def _wrong_with(fields: dict[str, str]) -> str:
    """What is wrong with a message; "" where nothing is."""
    for name in ("from", "to", "subject"):
        if not fields.get(name):
            return f"{name} parameter is missing"
    for name in ("from", "to"):
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", parseaddr(fields[name])[1]):
            return f"{name} parameter is not a valid address. please check documentation"
    if not fields.get("text") and not fields.get("html"):
        return "Need at least one of 'text' or 'html' parameters specified"
    options = [each for each in fields.items() if re.match("[ohvt]:", each[0])]
    if sum(len(name) + len(value.encode()) for name, value in options) > 16 * 1024:
        return "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB"
    return ""


def _failing(facts: dict[str, Any]) -> dict[str, Any]:
    status = {
        "attempt-no": 1,
        "code": facts.get("code"),
        "enhanced-code": facts.get("enhanced"),
        "bounce-type": facts.get("bounce_type"),
        "message": facts.get("message", ""),
        "description": facts.get("description", ""),
    }
    return {
        "severity": facts["severity"],
        "reason": facts.get("reason", "generic"),
        "log-level": "error",
        "delivery-status": {name: each for name, each in status.items() if each is not None},
        "flags": {"is-test-mode": False, "is-delayed-bounce": facts.get("delayed", False)},
    }


def _refused(status: int, words: str) -> Response:
    return JSONResponse({"message": words}, status)


def _event_id(happened: Happened) -> str:
    """An id that is unique within a day."""
    words = f"{happened.message} {happened.word} {happened.number}"
    return base64.urlsafe_b64encode(hashlib.sha256(words.encode()).digest()[:16]).decode()[:22]


def _mail_key(happened: Happened) -> str:
    return f"stored{happened.number}"


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    at = parsedate_to_datetime(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
