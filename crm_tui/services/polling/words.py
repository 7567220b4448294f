"""How the timeline tells what a provider says of a message, and what it keeps of it."""

from __future__ import annotations

from typing import Any

from crm_tui.providers.events import Happening, ProviderEvent
from crm_tui.services.polling.concerning import Ours
from crm_tui.text import visible
from crm_tui.vocabulary import Channel

_LONGEST = 200


def told(event: ProviderEvent, message: Ours) -> tuple[str, dict[str, Any]]:
    """The line of the timeline, and the facts behind it."""
    facts: dict[str, Any] = {
        "address": message.address,
        "url": event.url,
        "agent": event.agent,
        "flag": event.machine,
        "code": event.code,
        "seen": event.seen,
    }
    return _line(event, message), {name: value for name, value in facts.items() if value}


_LINES = {
    Happening.OPENED: "opened{subject}",
    Happening.CLICKED: "clicked {link}",
    Happening.DELIVERED: "delivered to {address}",
    Happening.DEFERRED: "not yet delivered to {address}{why}",
    Happening.BOUNCED_HARD: "came back from {address}{why}",
    Happening.BOUNCED_SOFT: "not delivered to {address}{why}",
    Happening.COMPLAINED: "reported a {what} as spam{why}",
    Happening.UNSUBSCRIBED: "unsubscribed{why}",
    Happening.FAILED: "the provider did not pass the {what} on{why}",
}


def _line(event: ProviderEvent, message: Ours) -> str:
    what = "text message" if message.channel is Channel.SMS else "mail"
    return _LINES[event.kind].format(
        what=what,
        address=message.address,
        why=f": {visible(event.reason, _LONGEST)}" if event.reason else "",
        subject=f": {visible(message.subject, _LONGEST)}" if message.subject else f" the {what}",
        link=visible(event.url, _LONGEST) if event.url else f"a link of the {what}",
    )
