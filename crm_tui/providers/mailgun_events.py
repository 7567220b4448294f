"""What Mailgun's records say, in our words: those of Logs, of Events and of its lists, read alike.

The two APIs tell the same events in different shapes; `read` takes either. What is not of the type
it should be counts as missing, and what nobody here knows is passed over, as both APIs grow.
Follows Mailgun's documentation: Events, Event Structure, Tracking Failures, Logs, Suppressions.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from crm_tui.clock import parse_time
from crm_tui.providers.base import said
from crm_tui.providers.events import Happening, Listed, ProviderEvent, RawEvent, Unreadable
from crm_tui.providers.http import read_http_date
from crm_tui.text import plain_line

KEY_VARIABLE = "outbox_id"
"""The user variable that a message's own key travels in."""

LISTS: Mapping[str, tuple[Happening, Listed]] = {
    "bounces": (Happening.BOUNCED_HARD, Listed.BOUNCE),
    "complaints": (Happening.COMPLAINED, Listed.COMPLAINT),
    "unsubscribes": (Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
}
"""Mailgun's lists of whom it sends nothing to, and what it means to be on them."""

_KINDS: Mapping[str, Happening] = {
    "accepted": Happening.SENT,
    "delivered": Happening.DELIVERED,
    "opened": Happening.OPENED,
    "clicked": Happening.CLICKED,
    "unsubscribed": Happening.UNSUBSCRIBED,
    "complained": Happening.COMPLAINED,
    "rejected": Happening.FAILED,
    # What came in is fetched as a mail, and the mail says what it is.
    "stored": Happening.IGNORED,
    "email_validation": Happening.IGNORED,
    "list_member_uploaded": Happening.IGNORED,
    "list_member_upload_error": Happening.IGNORED,
    "list_uploaded": Happening.IGNORED,
}
"""All but "failed", which means one of five things: see `_failure`."""

_SUPPRESSED: Mapping[str, Listed] = {
    "suppress-bounce": Listed.BOUNCE,
    "suppress-unsubscribe": Listed.UNSUBSCRIBE,
    "suppress-complaint": Listed.COMPLAINT,
}
_SUPPRESSED_CODES: Mapping[int, Listed] = {
    605: Listed.BOUNCE,
    606: Listed.UNSUBSCRIBE,
    607: Listed.COMPLAINT,
}
_SUPPRESSED_WORDS: Mapping[Listed, str] = {
    Listed.BOUNCE: "bounces",
    Listed.UNSUBSCRIBE: "unsubscribes",
    Listed.COMPLAINT: "complaints",
}
_HARD_CODES = frozenset({550, 551, 553})
_SOFT_REASONS = frozenset({"old", "espblock", "greylisted"})
_SOFT_STATUSES = ("5.2.2", "5.3.", "5.4.", "5.7.")
"""Enhanced codes that speak of a full mailbox, a broken server or a policy, not of the address."""
_SENDERS_FAULT = frozenset({"5.1.7", "5.1.8"})

_MACHINES: Mapping[str, str] = {
    "apple": "Mailgun: loaded by Apple's Mail Privacy Protection",
    "gmail": "Mailgun: fetched by Gmail itself",
    "generic": "Mailgun: fetched by a scanner",
}
"""The values of client-info.bot."""

_LONGEST_URL = 2000
_LONGEST_AGENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An event, in the one shape for both APIs; what is missing is "" or None.

    Attributes:
        event: Mailgun's word.
        at: aware UTC.
        message_id: without angle brackets.
        recipient: the bare address in lower case.
        key: our key of the message.
        stored_at: where a mail that came in is kept.
    """

    id: str
    event: str
    at: datetime | None
    message_id: str
    recipient: str
    key: str
    severity: str
    reason: str
    words: str
    code: int | None
    enhanced: str
    bounce_type: str
    url: str
    agent: str
    bot: str
    client_type: str
    stored_at: tuple[str, ...]


def read(raw: Mapping[str, Any]) -> Record:
    """A record of either API."""
    message, status = _object(raw, "message"), _object(raw, "delivery-status")
    headers, client = _object(message, "headers"), _object(raw, "client-info")
    reject = _object(raw, "reject")
    recipient = _text(raw, "recipient") or parseaddr(_text(headers, "to")[:1000])[1]
    says = [_text(status, "message"), _text(status, "description")]
    says += [_text(reject, "reason"), _text(reject, "description")]
    return Record(
        id=_text(raw, "id"),
        event=_text(raw, "event"),
        at=time_of(raw),
        message_id=_text(headers, "message-id").strip().strip("<>"),
        recipient=plain_line(recipient).lower()[:320],
        key=_text(_variables(raw.get("user-variables")), KEY_VARIABLE),
        severity=_text(raw, "severity").lower(),
        reason=_text(raw, "reason"),
        words=" ".join(dict.fromkeys(filter(None, says))),
        code=_number(status.get("code")),
        enhanced=_text(status, "enhanced-code"),
        bounce_type=_text(status, "bounce-type").lower(),
        url=_text(raw, "url"),
        agent=_text(client, "user-agent"),
        bot=plain_line(_text(client, "bot")).lower(),
        client_type=_text(client, "client-type").lower(),
        stored_at=_urls(_object(raw, "storage").get("url")),
    )


def raw_event(item: Any) -> RawEvent:
    """A record as it came, under its name."""
    payload = item if isinstance(item, dict) else {"record": item}
    return RawEvent(_name(payload), payload)


def time_of(item: Any) -> datetime | None:
    """When a record says that it happened, aware UTC; None where it does not say."""
    if not isinstance(item, dict):
        return None
    return _time(item.get("timestamp")) or _time(item.get("@timestamp"))


def raw_listed(name: str, item: Any) -> RawEvent:
    """An entry of one of LISTS; `parse_event` reads it like an event."""
    entry = item if isinstance(item, dict) else {"record": item}
    payload = {"list": name, "entry": entry}
    words = f"{name}|{_text(entry, 'address').lower()}|{_text(entry, 'created_at')}"
    return RawEvent(_hash(words if "address" in entry else payload), payload)


def listed_at(item: Any) -> datetime | None:
    """When an entry came to its list, aware UTC; None where it does not say."""
    return _time(item.get("created_at")) if isinstance(item, dict) else None


def parse_event(raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
    """What a record says.

    Raises:
        Unreadable: it lacks what it should have.
    """
    if "entry" in raw and isinstance(raw.get("list"), str) and raw["list"] in LISTS:
        return [_listed(str(raw["list"]), _object(raw, "entry"))]
    record = read(raw)
    if not record.event:
        raise Unreadable("it does not say what happened")
    if record.at is None:
        raise Unreadable("it does not say when it happened")
    listed = _suppressed(record)
    kind = _failure(record) if record.event == "failed" else _KINDS.get(record.event)
    kind = Happening.UNKNOWN if kind is None else kind
    if kind not in {Happening.UNKNOWN, Happening.IGNORED} and not (
        record.message_id or record.key or record.recipient
    ):
        raise Unreadable("it does not say which message it is about")
    return [
        ProviderEvent(
            name=_name(raw),
            kind=kind,
            occurred_at=record.at,
            provider_id=record.message_id or None,
            key=record.key or None,
            recipient=record.recipient,
            reason=_why(record, kind, listed),
            code=_code(record),
            listed=listed,
            url=plain_line(record.url)[:_LONGEST_URL],
            agent=plain_line(record.agent)[:_LONGEST_AGENT],
            machine=_machine(record),
        )
    ]


def _failure(record: Record) -> Happening | None:
    """What a "failed" means; None where it cannot be told."""
    code = record.code
    if record.severity == "temporary":
        return Happening.DEFERRED
    if record.severity != "permanent":
        if code is None:
            return None
        if 400 <= code < 500:
            return Happening.DEFERRED
    if _suppressed(record) is not None:
        return Happening.FAILED
    return Happening.BOUNCED_HARD if _is_hard(record) else Happening.BOUNCED_SOFT


def _is_hard(record: Record) -> bool:
    """Whether the address is bad, by the most telling of what is told."""
    if record.bounce_type in {"hard", "soft"}:
        return record.bounce_type == "hard"
    if record.enhanced.startswith("5.1."):
        return record.enhanced not in _SENDERS_FAULT
    if record.reason in _SOFT_REASONS or record.enhanced.startswith(_SOFT_STATUSES):
        return False
    return record.code in _HARD_CODES


def _suppressed(record: Record) -> Listed | None:
    if record.event != "failed" or record.severity == "temporary":
        return None
    found = _SUPPRESSED.get(record.reason)
    if found is None and record.code is not None:
        found = _SUPPRESSED_CODES.get(record.code)
    return found


def _why(record: Record, kind: Happening, listed: Listed | None) -> str:
    if listed is not None:
        return f"on Mailgun's list of {_SUPPRESSED_WORDS[listed]}"
    if kind is Happening.UNKNOWN:
        return said(f"unknown to this program: {record.event}")
    return said(record.words or record.reason)


def _code(record: Record) -> str:
    code = "" if record.code is None else str(record.code)
    return said(f"{code} {record.enhanced}".strip())[:40]


def _machine(record: Record) -> str:
    if record.event not in {"opened", "clicked"}:
        return ""
    if record.bot:
        return _MACHINES.get(record.bot) or said(f"Mailgun: a machine ({record.bot})")[:200]
    return "Mailgun: the client is a robot" if record.client_type == "robot" else ""


def _listed(name: str, entry: Mapping[str, Any]) -> ProviderEvent:
    kind, listed = LISTS[name]
    address, at = _text(entry, "address").strip(), listed_at(entry)
    if not address or at is None:
        raise Unreadable(f"the entry of the list of {name} has no address or no time")
    words = f"on Mailgun's list of {name}"
    error = _text(entry, "error")
    return ProviderEvent(
        name=raw_listed(name, entry).external_id,
        kind=kind,
        occurred_at=at,
        seen=True,
        recipient=plain_line(address).lower()[:320],
        reason=said(f"{words}: {error}" if error else words),
        code=said(_text(entry, "code"))[:40],
        listed=listed,
    )


def _name(raw: Mapping[str, Any]) -> str:
    """What a record is known by: ids are unique within a day (Mailgun: Event Structure)."""
    at, number = time_of(raw), _text(raw, "id")
    if number:
        return f"{'' if at is None else at.date()}/{plain_line(number)[:200]}"
    record = read(raw)
    if at is None or not record.event:
        return _hash(raw)
    about = (record.message_id, record.recipient, record.event, record.url)
    # Whole seconds, as one API tells more of a second than the other.
    return _hash("|".join((*about, f"{at:%Y-%m-%dT%H:%M:%S}")))


def _hash(what: object) -> str:
    text = what if isinstance(what, str) else json.dumps(what, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _time(value: Any) -> datetime | None:
    """A time as either API and the lists write it: seconds since 1970, ISO 8601, or RFC 5322."""
    if isinstance(value, str):
        # The lists write "UTC" for the zone, which is no zone of RFC 5322 and is read as one all
        # the same.
        return parse_time(value) or read_http_date(value[:100])
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _text(raw: Mapping[str, Any], name: str) -> str:
    found = raw.get(name)
    return found if isinstance(found, str) else ""


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _variables(value: Any) -> Mapping[str, Any]:
    """The user variables: an object in Events, and the JSON of one in Logs."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):  # Mailgun cuts it off at 4 KB
            return {}
    return value if isinstance(value, dict) else {}


def _urls(value: Any) -> tuple[str, ...]:
    """One URL in Events, several in Logs."""
    found = [value] if isinstance(value, str) else value
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()
