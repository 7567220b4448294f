"""What is kept of a mail that concerns us: enough to apply it again, and no more.

A record is known by a hash of the mail's Message-ID and author, so that a mail that was moved or
copied to another folder, or comes again because the folder's numbers changed, counts once. The hash
also stands in the keys of the events that follow, where it says nothing about anybody.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from crm_tui.providers.incoming import Delivery, Heading, Incoming

SOURCE = "imap"
"""The source of raw records read from the mailbox."""

OWN = "own"
"""The operator's own mail to a lead, written in another program."""

COPY = "copy"
"""A copy of a message of ours: it shows that the message was sent."""

_SUBJECT = 500
_REFERENCES = 20


class KeptResult(msgspec.Struct, frozen=True):
    """What a mail system said of one address; see providers.bounces.Result."""

    recipient: str
    delivery: Delivery
    reason: str
    status: str = ""
    said: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A mail as it is kept in the payload of a raw record.

    Attributes:
        kind: a `providers.incoming.Kind`, or OWN or COPY.
        why: what decided the kind, in words.
        message_id: the mail's own, with its brackets; None where it has none.
        references: the Message-IDs of its thread, oldest first, for an answer to it.
        cited: the Message-IDs it claims to be about that may be ours, likeliest first.
        tokens: tokens in its addresses and its subject, of which some may be ours.
        recipients: of a mail of the operator's own, the lead's address it was written to.
        received: when the mailbox took it in, aware UTC.
        occurred_at: when it was written, as far as that can be believed, aware UTC.
        automatic: whether a machine wrote it.
        report: whether a mail system wrote it, about a mail.
        whole: whether all of it was read; of very big ones it is the first part.
    """

    kind: str
    why: str = ""
    message_id: str | None = None
    sender: str = ""
    sender_name: str = ""
    subject: str = ""
    references: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    results: tuple[KeptResult, ...] = ()
    text: str = ""
    received: datetime
    occurred_at: datetime
    automatic: bool = False
    report: bool = False
    whole: bool = True

    @property
    def author(self) -> str:
        """Who wrote it, for people: the name with the address, as far as there are any."""
        if self.sender_name and self.sender_name != self.sender:
            return f"{self.sender_name} <{self.sender}>"
        return self.sender or "an unknown sender"


def external_id(heading: Heading) -> str | None:
    """What a mail is known by, from its header; None where it has no Message-ID."""
    if heading.message_id is None:
        return None
    return _hash(f"{heading.message_id}\n{heading.sender}".encode("utf-8", "replace"))


def external_id_of(heading: Heading, raw: bytes) -> str:
    """What a mail is known by, from its bytes where its header says nothing."""
    return external_id(heading) or _hash(raw)


def _hash(what: bytes) -> str:
    return sha256(what).hexdigest()[:32]


def kept(mail: Incoming, *, cited: tuple[str, ...], received: datetime, whole: bool) -> Kept:
    """What is kept of a mail; `cited` are those of its citations that may be ours."""
    heading = mail.heading
    return Kept(
        kind=mail.kind.value,
        why=mail.why,
        message_id=heading.message_id,
        sender=heading.sender,
        sender_name=heading.sender_name,
        subject=heading.subject[:_SUBJECT],
        references=(*heading.references, *heading.in_reply_to)[-_REFERENCES:],
        cited=cited,
        tokens=tuple(dict.fromkeys(token.value.lower() for token in mail.tokens)),
        results=tuple(
            KeptResult(
                recipient=each.recipient.lower(),
                delivery=each.delivery,
                reason=each.reason,
                status=each.status,
                said=each.said,
            )
            for each in mail.results
        ),
        text=mail.text,
        received=received,
        occurred_at=mail.occurred_at,
        automatic=heading.automatic is not None,
        report=heading.report,
        whole=whole,
    )


def payload(mail: Kept) -> dict[str, Any]:
    """A mail as the store keeps it."""
    plain: dict[str, Any] = msgspec.to_builtins(mail)
    return plain


def read(stored: Any) -> Kept:
    """A mail as it was kept."""
    return msgspec.convert(stored, Kept)
