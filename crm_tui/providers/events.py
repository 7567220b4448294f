"""What providers tell of messages after they were sent, in our words, and the streams that tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self


class Happening(StrEnum):
    """What came of a message, as every provider's words are translated."""

    SENT = "sent"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    BOUNCED_HARD = "bounced_hard"
    BOUNCED_SOFT = "bounced_soft"
    FAILED = "failed"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    UNKNOWN = "unknown"
    """A word this program does not know: kept, said in the worker's log, and nothing more."""
    IGNORED = "ignored"
    """A word that says nothing of use."""


class Listed(StrEnum):
    """The provider's own lists of whom it sends nothing to."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """One thing that happened, in our words.

    Attributes:
        name: what it is known by within its account: the same happening has the same name, however
            often and in whatever page it comes.
        occurred_at: aware UTC.
        seen: whether `occurred_at` is only when it was seen, as of providers that tell a state.
        provider_id: the provider's name for the message, as `Sent.provider_id` had it.
        key: the message's own key, where the provider hands it back.
        message_id: the Message-ID it went under, with its brackets, where the provider tells.
        recipient: the address or number the message went to, in lower case; "" where not told.
        reason: why, in the provider's words, as one safe line.
        code: the provider's own code of the reason.
        listed: the list of the provider's that the recipient is on, where that is the reason.
        url: of a click.
        agent: the program that opened or clicked, as it calls itself.
        machine: why the provider says that a machine did it; "" where it does not say so.
        sender: of an answer, who sent it (E.164).
        text: of an answer, what it says.
        segments: how many segments a text message took.
        cost: what it cost, in millionths of `currency`.
        currency: ISO 4217.
        pauses: why nothing more should be sent by this campaign; "" where nothing speaks against it.
    """

    name: str
    kind: Happening
    occurred_at: datetime
    seen: bool = False
    provider_id: str | None = None
    key: str | None = None
    message_id: str = ""
    recipient: str = ""
    reason: str = ""
    code: str = ""
    listed: Listed | None = None
    url: str = ""
    agent: str = ""
    machine: str = ""
    sender: str = ""
    text: str = ""
    segments: int | None = None
    cost: int | None = None
    currency: str = ""
    pauses: str = ""


@dataclass(frozen=True, slots=True)
class RawEvent:
    """What a provider sent, as received; `external_id` is the same for the same record."""

    external_id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RawMail:
    """A mail that came in at the provider, as it came over SMTP; `received` is aware UTC."""

    raw: bytes
    received: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message of which the provider may have more to tell."""

    provider_id: str
    sent_at: datetime
    settled: bool = False
    """Whether it is known to have arrived or not: what is left are opens and clicks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What polling a stream needs to know of the store.

    Attributes:
        now: aware UTC.
        since: when the first message went through the provider; None where none did.
        waiting: messages of the last days, the newest first, of which more may be told.
    """

    now: datetime
    since: datetime | None = None
    waiting: Sequence[Waiting] = ()


Cursor = Mapping[str, Any]
"""Where polling goes on: the adapter's own words, kept as JSON; empty at the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of what a provider tells.

    Attributes:
        events: in the order they came.
        cursor: where to go on once this page is kept; it says all that is to be remembered.
        more: whether there is more to fetch now.
        mails: mails that came in.
        server_time: what the provider's clock says (the Date header), aware UTC.
        gap: from and to when the provider keeps nothing any more that was not yet fetched.
        notes: what else the operator should know, as sentences for the worker's log.
        cut_short: why reading ends here although more may be told, as a sentence; the next poll goes
            on from the cursor. "" where it does not.
    """

    events: Sequence[RawEvent]
    cursor: Cursor
    more: bool
    mails: Sequence[RawMail] = ()
    server_time: datetime | None = None
    gap: tuple[datetime, datetime] | None = None
    notes: Sequence[str] = ()
    cut_short: str = ""


class Unreadable(ValueError):
    """A record lacks what it should have, in words; it is kept as it came."""


class Stream(Protocol):
    """Tells what happens in one account; an async context manager like a sender."""

    @property
    def provider(self) -> str:
        """The provider, as in the settings."""
        ...

    @property
    def account(self) -> str:
        """What tells two accounts of one provider apart; no secret."""
        ...

    @property
    def name(self) -> str:
        """The stream's name within the account."""
        ...

    @property
    def every(self) -> timedelta:
        """How often it is polled."""
        ...

    @property
    def keeps(self) -> timedelta | None:
        """How long the provider keeps its events; None where it does not lose any."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        """The next page; late events are fetched again and again rather than missed.

        Raises:
            ProviderError: it could not be fetched; nothing was lost.
        """
        ...

    async def reconcile(self, asked: Asked, since: datetime) -> Sequence[RawEvent]:
        """What can still be known of a time of which the provider keeps no events any more.

        Raises:
            ProviderError: it could not be asked.
        """
        ...


class EventStream(Stream, Protocol):
    """Tells what became of the messages of one account."""

    def parse_event(self, raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
        """What a record says; several things where one follows from another.

        Raises:
            Unreadable: it lacks what it should have.
        """
        ...
