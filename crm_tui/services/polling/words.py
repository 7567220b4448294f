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


def _line(event: ProviderEvent, message: Ours) -> str:
    what = "text message" if message.channel is Channel.SMS else "mail"
    why = f": {visible(event.reason, _LONGEST)}" if event.reason else ""
    subject = f": {visible(message.subject, _LONGEST)}" if message.subject else f" the {what}"
    url = visible(event.url, _LONGEST)
    lines = {
        Happening.OPENED: f"opened{subject}",
        Happening.CLICKED: f"clicked {url}" if url else f"clicked a link of the {what}",
        Happening.DELIVERED: f"delivered to {message.address}",
        Happening.DEFERRED: f"not yet delivered to {message.address}{why}",
        Happening.BOUNCED_HARD: f"came back from {message.address}{why}",
        Happening.BOUNCED_SOFT: f"not delivered to {message.address}{why}",
        Happening.COMPLAINED: f"reported a {what} as spam{why}",
        Happening.UNSUBSCRIBED: f"unsubscribed{why}",
    }
    return lines.get(event.kind, f"the provider did not pass the {what} on{why}")
