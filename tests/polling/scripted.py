"""A provider's stream as a script: whatever pages a test wants, in words that are ours already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from crm_tui.providers.base import ProviderError
from crm_tui.providers.events import (
    Asked,
    Cursor,
    Happening,
    Listed,
    Page,
    ProviderEvent,
    RawEvent,
    RawMail,
    Unreadable,
)


def raw(name: str, kind: str, at: datetime, message: str | None = None, **facts: Any) -> RawEvent:
    """A record of a scripted stream."""
    return RawEvent(
        name, {"name": name, "kind": kind, "at": at.isoformat(), "id": message, **facts}
    )


def parse(payload: Mapping[str, Any]) -> Sequence[ProviderEvent]:
    """What such a record says."""
    if "at" not in payload:
        raise Unreadable("it has no time")
    known = set(Happening)
    kind = payload["kind"]
    listed = payload.get("listed")
    return [
        ProviderEvent(
            name=payload["name"],
            kind=Happening(kind) if kind in known else Happening.UNKNOWN,
            occurred_at=datetime.fromisoformat(payload["at"]),
            provider_id=payload.get("id"),
            key=payload.get("key"),
            message_id=payload.get("message_id", ""),
            recipient=payload.get("to", ""),
            reason=payload.get("reason", "" if kind in known else str(kind)),
            listed=None if listed is None else Listed(listed),
            url=payload.get("url", ""),
            agent=payload.get("agent", ""),
            machine=payload.get("machine", ""),
            seen=payload.get("seen", False),
            sender=payload.get("sender", ""),
            text=payload.get("text", ""),
            segments=payload.get("segments"),
            cost=payload.get("cost"),
            currency=payload.get("currency", ""),
            pauses=payload.get("pauses", ""),
        )
    ]


@dataclass
class Scripted:
    """Tells `records` in pages; a cursor is how many of them were told.

    Attributes:
        asked: the cursors it was asked with, in order.
        trouble: called before each page, to raise what goes wrong.
    """

    records: Sequence[RawEvent] = ()
    size: int = 100
    provider: str = "mailgun"
    account: str = "mg.example.com"
    name: str = "events"
    every: timedelta = timedelta(minutes=1)
    keeps: timedelta | None = None
    mails: Sequence[RawMail] = ()
    gap: tuple[datetime, datetime] | None = None
    server_time: datetime | None = None
    notes: Sequence[str] = ()
    cut_short: str = ""
    reconciled: Sequence[RawEvent] = ()
    again: bool = False
    """Whether all of it is told at every poll, as by a stream that overlaps."""
    trouble: Callable[[int], ProviderError | None] = lambda _at: None
    asked: list[Cursor] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None: ...

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        """The next page."""
        self.asked.append(cursor)
        at = int(cursor.get("told", 0))
        if (error := self.trouble(at)) is not None:
            raise error
        told = self.records[at : at + self.size]
        more = at + self.size < len(self.records)
        after = 0 if self.again and not more else at + len(told)
        return Page(
            events=told,
            cursor={"told": after},
            more=more,
            mails=() if more else self.mails,
            gap=self.gap,
            server_time=self.server_time,
            notes=self.notes,
            cut_short=self.cut_short,
        )

    async def reconcile(self, asked: Asked, since: datetime) -> Sequence[RawEvent]:
        """What was to be found out."""
        return self.reconciled

    def parse_event(self, raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
        """What a record says."""
        return parse(raw)
