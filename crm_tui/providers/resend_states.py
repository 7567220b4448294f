"""What Resend says of a mail, in our words: its last state with what led to it, and its list.

Resend tells no events, only the last state of each mail. So what must have come before a state is
inferred (a mail that was clicked was opened and delivered), and when it happened is when it was seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from crm_tui.providers.base import said
from crm_tui.providers.events import Happening, Listed, ProviderEvent, RawEvent, Unreadable
from crm_tui.providers.resend_api import moment, recipient_of, tag_of

_STATES: Mapping[str, tuple[Happening, ...]] = {
    "queued": (Happening.IGNORED,),
    "scheduled": (Happening.IGNORED,),
    "sent": (Happening.SENT,),
    "delivered": (Happening.DELIVERED,),
    "delivery_delayed": (Happening.DEFERRED,),
    "opened": (Happening.DELIVERED, Happening.OPENED),
    "clicked": (Happening.DELIVERED, Happening.OPENED, Happening.CLICKED),
    "complained": (Happening.DELIVERED, Happening.COMPLAINED),
    "bounced": (Happening.BOUNCED_SOFT,),  # for good where the address is listed
    "failed": (Happening.FAILED,),
    "canceled": (Happening.FAILED,),
    "suppressed": (Happening.FAILED,),
}
"""What a state says, with what must have come before it."""

_REASONS = {
    "failed": "Resend could not send it",
    "canceled": "it was canceled at Resend",
    "suppressed": "the address is on Resend's list of whom it sends nothing to",
}
_LISTED = {"bounce": Listed.BOUNCE, "complaint": Listed.COMPLAINT}
ON_LIST = {"bounce": Happening.BOUNCED_HARD, "complaint": Happening.COMPLAINED}

_BODIES = frozenset({"html", "text", "attachments"})


def record_of(item: Mapping[str, Any], seen_at: datetime, **more: object) -> RawEvent:
    """The state of a mail as a record: without what it says, and with when it was seen."""
    payload = {name: value for name, value in item.items() if name not in _BODIES}
    return RawEvent(
        f"{item['id']}:{item.get('last_event')}",
        {**payload, **more, "seen_at": seen_at.isoformat()},
    )


def parse_event(raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
    """What a record says: the state of a mail with what led to it, or an entry of Resend's list.

    Raises:
        Unreadable: it lacks what it should have.
    """
    if "last_event" not in raw and isinstance(raw.get("suppression"), dict):
        return [_of_list(raw["suppression"], waited=bool(raw.get("waited")))]
    mail_id, state = _word(raw, "id"), _word(raw, "last_event")
    seen_at = moment(raw.get("seen_at"))
    if seen_at is None:
        raise Unreadable("it does not say when it was seen")
    of_state = partial(
        ProviderEvent,
        occurred_at=seen_at,
        seen=True,
        provider_id=mail_id,
        key=tag_of(raw),
        message_id=_text(raw, "message_id"),
        recipient=recipient_of(raw),
        code=said(state),
    )
    kinds = _STATES.get(state)
    if kinds is None:
        return [of_state(name=f"{mail_id}:{state}", kind=Happening.UNKNOWN, reason=said(state))]
    listing = raw.get("suppression")
    origin = listing.get("origin") if isinstance(listing, dict) else None
    listed = _LISTED.get(origin) if isinstance(origin, str) else None
    if state == "bounced" and listed is Listed.BOUNCE:
        kinds = (Happening.BOUNCED_HARD,)
    reason = _REASONS.get(state, "")
    return [
        of_state(
            name=f"{mail_id}:{kind}",
            kind=kind,
            reason=reason if kind is kinds[-1] else "",
            listed=listed,
        )
        for kind in kinds
    ]


def _of_list(entry: Mapping[str, Any], *, waited: bool) -> ProviderEvent:
    """An entry of Resend's list: it names the mail it came of, and whom nothing is sent to."""
    entry_id, recipient = _word(entry, "id"), _word(entry, "email")
    origin, at = entry.get("origin"), moment(entry.get("created_at"))
    kind = ON_LIST.get(origin) if isinstance(origin, str) else None
    if kind is None or at is None:
        raise Unreadable("an entry of the list without its origin or its time")
    source = entry.get("source_id")
    source = source if isinstance(source, str) and source else None
    return ProviderEvent(
        name=f"{source}:{kind}" if source else f"suppression:{entry_id}",
        kind=kind,
        occurred_at=at,
        provider_id=source if waited else None,
        recipient=recipient.lower(),
        listed=_LISTED[str(origin)],
    )


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    return value if isinstance(value, str) else ""


def _word(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"it has no {name}")
    return value
