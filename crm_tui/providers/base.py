"""What every adapter shares: a message, what became of it, and what can go wrong.

The errors are sorted by what is to be done about them:

    ProviderError
    ├── Unsendable      the mail cannot be sent as it is; mend it, nothing left this machine
    ├── Refused         the recipient was refused for good; the message has failed
    ├── Blocked         refused as spam or by policy; the message has failed, the address is not bad
    ├── TryLater        refused for now; try again later, this was one attempt
    ├── Unavailable     certainly not sent, and the provider is to blame; no attempt is used up
    ├── Misconfigured   nothing can be sent until the operator has acted
    │   └── LoginRefused  the username, the password or the token is not taken
    ├── GivenUp         not handed over, as nothing more was wanted; certainly not sent
    └── Unclear         cut off after the mail was handed over: it may have been sent

Only Unclear leaves open whether somebody got the mail. The same holds for a `send` that is
cancelled or killed, as nobody can say how far it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Literal, Protocol, Self

from crm_tui.errors import CrmError
from crm_tui.text import plain_line

_LONGEST_WORDS = 500


def said(words: str) -> str:
    """What a provider said, as one line that is safe to keep and show."""
    line = plain_line(words)
    return line if len(line) <= _LONGEST_WORDS else line[: _LONGEST_WORDS - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """One mail to one recipient, complete before it is sent: sent twice, it is the same mail."""

    key: str
    """The message's own key in the store, for providers that keep keys of what they sent."""
    message_id: str
    """The Message-ID with its angle brackets, fixed when the message row was made."""
    date: datetime
    """Aware; its offset is what the recipient sees."""
    sender_name: str
    sender: str
    to: str
    subject: str
    text: str
    html: str | None = None
    reply_to: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    """The Message-IDs of the thread, oldest first."""
    list_unsubscribe: tuple[str, ...] = ()
    """URIs (mailto, https) without angle brackets, the preferred one first."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has taken the mail over."""

    message_id: str
    provider_id: str | None
    """The provider's own name for it, where it gives one."""
    words: str
    """What it said, as one safe line."""


class EmailSender(Protocol):
    """Sends mails through one account; opened and closed as an async context manager.

    `send` may be called from several tasks at once; no more mails than the account's `connections`
    are on their way at any moment.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def send(self, mail: OutgoingMail) -> Sent:
        """Hand one mail over to the provider.

        Raises:
            ProviderError: one of its kinds, each of which says whether it was sent and what to do.
        """
        ...

    def give_up(self) -> None:
        """Hand nothing more over: what is not yet handed over ends at once as GivenUp.

        Mails that were handed over are still answered for.
        """
        ...


# -- text messages ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingSms:
    """One text message to one number, complete before it is sent."""

    key: str
    """The message's own key in the store."""
    sender: str
    """What it comes from: an E.164 number, or a service of the provider's that chooses one."""
    to: str
    """E.164."""
    text: str


class SmsSender(Protocol):
    """Sends text messages through one account; as EmailSender in all else."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def send(self, sms: OutgoingSms) -> Sent:
        """Hand one message over to the provider.

        Raises:
            ProviderError: one of its kinds.
        """
        ...

    def give_up(self) -> None:
        """Hand nothing more over."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A message that was handed over and not answered for: what it can be found by."""

    key: str
    message_id: str
    to: str
    text: str
    at: datetime
    """When it was claimed; it was handed over within minutes."""


class Finder(Protocol):
    """Looks up in a provider's own records whether a message came there."""

    async def find(self, handed: Handed) -> Sent | None:
        """What the provider knows of it; None where it does not (yet) know it.

        Raises:
            ProviderError: it could not be asked.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an adapter can do, in words for people: a row of docs/providers.md each.

    Attributes:
        name: as in the settings.
        title: as the provider calls itself.
        channel: "email" or "sms".
        idempotent: whether the same message handed over twice is sent once.
        measures_opens: whether opens are told at all; likewise clicks.
        policy: the provider's word on cold messages, as one sentence.
        retention: how long events are kept.
        price: as of `price_date` (ISO month).
    """

    name: str
    title: str
    channel: Literal["email", "sms"]
    idempotent: bool
    measures_opens: bool
    measures_clicks: bool
    send: str
    idempotency: str
    delivery: str
    opened: str
    clicked: str
    machine: str
    bounce_kind: str
    inbound: str
    retention: str
    limits: str
    price: str
    price_date: str
    policy: str
    source: str
    """The provider's documentation this follows, by title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCapabilities:
    """What an adapter for payments can do, in words for people, as `Capabilities` has for messages.

    Attributes:
        links: what a lead pays at.
        idempotency: what becomes of something that is asked for twice.
        told: what is polled.
        fees: what is known of what the provider keeps.
        modes: how play money is kept apart.
        retention: how long events are kept, and what is done after that.
    """

    name: str
    title: str
    channel: Literal["payments"] = "payments"
    links: str
    idempotency: str
    told: str
    fees: str
    modes: str
    retention: str
    limits: str
    price: str
    price_date: str
    policy: str
    source: str


# -- trying out, and what can go wrong --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """One step of trying an account out."""

    step: str
    """password, connect, tls, login, size or sender; of a mailbox folders and, if set, sent."""
    ok: bool
    words: str
    """What was found, or what went wrong and what to do, as sentences."""


class ProviderError(CrmError):
    """The root of what a provider can do to a mail; see the drawing above."""

    def __init__(self, words: str) -> None:
        super().__init__(said(words))

    @property
    def words(self) -> str:
        """Why, as one safe line: the provider's own words where it had any."""
        return str(self.args[0])


class Unsendable(ProviderError):
    """This mail cannot be sent as it is: an address, a header or its size is at fault."""


class Refused(ProviderError):
    """The recipient was refused for good.

    Attributes:
        hard: the address itself is bad (a hard bounce).
        opted_out: they told the provider that they want nothing more from this sender.
    """

    def __init__(self, words: str, *, hard: bool, opted_out: bool = False) -> None:
        super().__init__(words)
        self.hard = hard
        self.opted_out = opted_out


class Blocked(ProviderError):
    """Refused as spam or by a policy: says nothing about the address."""


class TryLater(ProviderError):
    """Refused for now. `after`: not before so many seconds, where the provider said so."""

    def __init__(self, words: str, *, after: float | None = None) -> None:
        super().__init__(words)
        self.after = after


class Unavailable(ProviderError):
    """The provider cannot be reached or takes no mail at all just now; certainly not sent.

    `after`: not before so many seconds, where the provider said so.
    """

    def __init__(self, words: str, *, after: float | None = None) -> None:
        super().__init__(words)
        self.after = after


class Misconfigured(ProviderError):
    """Nothing can be sent until the operator acts. `fix`: what to do, as a sentence."""

    def __init__(self, words: str, *, fix: str) -> None:
        super().__init__(words)
        self.fix = fix

    def __str__(self) -> str:
        end = "" if self.words.endswith((".", "!", "?", "…")) else "."
        return f"{self.words}{end} {self.fix}"


class LoginRefused(Misconfigured):
    """The username, the password or the token is not taken; a newer token may be."""


class GivenUp(ProviderError):
    """Not handed over, as nothing more was wanted; certainly not sent, and nobody is to blame."""


class Unclear(ProviderError):
    """The connection was lost after the mail was handed over: it may or may not have been sent.

    `ours`: it was cut off here, and the provider is not to blame.
    """

    def __init__(self, words: str, *, ours: bool = False) -> None:
        super().__init__(words)
        self.ours = ours
