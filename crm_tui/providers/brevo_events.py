"""What Brevo tells of mails, in our words: its events, and the contacts it sends nothing to.

Brevo gives its events no number, so an event is known by what it says: two of one message that say
the same within the same second are one.

Sources: the table of events in Brevo's API reference, and that of its webhooks, which spell them
differently.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crm_tui.providers.base import said
from crm_tui.providers.events import Happening, Listed, ProviderEvent, RawEvent, Unreadable

HAPPENINGS = {
    # as the events of the API have it
    "requests": Happening.SENT,
    "delivered": Happening.DELIVERED,
    "deferred": Happening.DEFERRED,
    "opened": Happening.OPENED,
    "loadedByProxy": Happening.OPENED,
    "clicks": Happening.CLICKED,
    "hardBounces": Happening.BOUNCED_HARD,
    "invalid": Happening.BOUNCED_HARD,
    "softBounces": Happening.BOUNCED_SOFT,
    "bounces": Happening.BOUNCED_SOFT,
    "blocked": Happening.FAILED,
    "error": Happening.FAILED,
    "spam": Happening.COMPLAINED,
    "unsubscribed": Happening.UNSUBSCRIBED,
    # as its webhooks have it
    "request": Happening.SENT,
    "sent": Happening.SENT,
    "unique_opened": Happening.OPENED,
    "proxy_open": Happening.OPENED,
    "unique_proxy_open": Happening.OPENED,
    "unique_proxy_opened": Happening.OPENED,
    "click": Happening.CLICKED,
    "hard_bounce": Happening.BOUNCED_HARD,
    "invalid_email": Happening.BOUNCED_HARD,
    "soft_bounce": Happening.BOUNCED_SOFT,
    "complaint": Happening.COMPLAINED,
    "unsubscribe": Happening.UNSUBSCRIBED,
    "list_addition": Happening.IGNORED,
}
"""Brevo's words in ours."""

BLOCKED = {
    "hardBounce": (Happening.BOUNCED_HARD, Listed.BOUNCE),
    "contactFlaggedAsSpam": (Happening.COMPLAINED, Listed.COMPLAINT),
    "unsubscribedViaMA": (Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
    "unsubscribedViaEmail": (Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
    "unsubscribedViaApi": (Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
    # Somebody of the account wants nothing sent there.
    "adminBlocked": (Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE),
}
"""Why Brevo sends nothing to a contact, in our words."""


def _bare(word: str) -> str:
    return re.sub(r"[^a-z]", "", word.lower())


_KINDS = {_bare(word): kind for word, kind in HAPPENINGS.items()}
_LISTS = {_bare(code): found for code, found in BLOCKED.items()}
_OUR_KEY = re.compile(r"[0-9a-f]{32}")


def parse_event(raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
    """What a record says: an event, or a contact that Brevo sends nothing to.

    Raises:
        Unreadable: it lacks what it should have.
    """
    if "event" not in raw and "blockedAt" in raw:
        return _parse_blocked(raw)
    word, recipient = _needed(raw, "event"), _needed(raw, "email").lower()
    at, message = _moment(_needed(raw, "date")), _needed(raw, "messageId", "message-id")
    kind = _KINDS.get(_bare(word), Happening.UNKNOWN)
    reason = said(text_of(raw, "reason"))
    proxy = kind is Happening.OPENED and "proxy" in _bare(word)
    refused = kind is Happening.FAILED and "sender" in reason.lower()
    return (
        ProviderEvent(
            name=name_of(raw),
            kind=kind,
            occurred_at=at,
            provider_id=bracketed(message),
            key=_key_of(raw),
            recipient=recipient,
            reason=said(word) if kind is Happening.UNKNOWN else reason,
            url=text_of(raw, "link") if kind is Happening.CLICKED else "",
            agent=said(text_of(raw, "user_agent")),
            machine="loaded by a proxy, as Apple Mail does unasked (Brevo)" if proxy else "",
            pauses=f"Brevo refuses the sender: {reason}" if refused else "",
        ),
    )


def _parse_blocked(raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
    why = raw.get("reason")
    code = text_of(why, "code") if isinstance(why, Mapping) else ""
    kind, listed = _LISTS.get(_bare(code), (Happening.UNKNOWN, None))
    words = text_of(why, "message") if isinstance(why, Mapping) else ""
    return (
        ProviderEvent(
            name=name_of(raw),
            kind=kind,
            occurred_at=_moment(_needed(raw, "blockedAt")),
            recipient=_needed(raw, "email").lower(),
            reason=said(words or code or "no reason given"),
            code=said(code),
            listed=listed,
        ),
    )


def raw_event(record: Any) -> RawEvent:
    """A record as it is kept."""
    payload = record if isinstance(record, dict) else {"unreadable": record}
    return RawEvent(name_of(payload), payload)


def name_of(raw: Mapping[str, Any]) -> str:
    """What a record is known by: the same for the same happening, as Brevo gives it no name."""
    if "event" in raw:
        said_of = [raw.get(name) for name in ("messageId", "email", "event", "date", "link")]
    else:
        said_of = ["blocked", raw.get("senderEmail"), raw.get("email"), raw.get("reason")]
        said_of.append(raw.get("blockedAt"))
    whole = all(said_of[:4])
    parts: Any = [_same(each) for each in said_of] if whole else dict(raw)
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _same(value: Any) -> Any:
    """A value as it counts: a time is the same in every zone."""
    if not isinstance(value, str):
        return value
    try:
        return _moment(value).isoformat()
    except Unreadable:
        return value.strip().strip("<>")


def _needed(raw: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if found := text_of(raw, name):
            return found
    raise Unreadable(f"it has no {names[0]}")


def text_of(raw: Mapping[str, Any], name: str) -> str:
    """What a field says; nothing where it is missing or no text."""
    found = raw.get(name)
    return found.strip() if isinstance(found, str) else ""


def _moment(words: str) -> datetime:
    try:
        at = datetime.fromisoformat(words)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{words[:40]!r} is no time") from None


def bracketed(message: str) -> str:
    """A mail's name, a Message-ID, written as Brevo mostly does: with its angle brackets."""
    bare = message.strip("<>")
    return f"<{bare}>" if "@" in bare else message


def _key_of(raw: Mapping[str, Any]) -> str | None:
    """The message's own key, from among the tags."""
    return next((tag for tag in tags_of(raw) if _OUR_KEY.fullmatch(tag)), None)


def tags_of(raw: Mapping[str, Any]) -> Iterator[str]:
    """The tags of a record: one word, a list, or a list written as JSON or with commas."""
    for given in (raw.get("tag"), raw.get("tags")):
        if isinstance(given, list):
            yield from (each.strip() for each in given if isinstance(each, str))
        elif isinstance(given, str):
            yield from re.split(r'[\s,"\[\]]+', given)
