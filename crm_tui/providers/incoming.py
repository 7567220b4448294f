"""What an incoming mail is, decided from its bytes alone: a bounce, a complaint, an opt-out, an answer.

Reading is in two steps, as mails are fetched: `read_headers` says what a mail could have to do with us,
so that other people's mail is never fetched whole; `classify` says what it is. The first of these that
fits decides, in this order: delivery report (RFC 3464), bounce that follows no standard, feedback
report (RFC 5965), opt-out, automatic answer (RFC 3834), answer. Delivery reports come first because
they too say that a machine wrote them; opt-outs come before automatic answers because a wish not to be
written to counts whoever passes it on.

Whose mail it is, is not decided here: `cited` and `tokens` are claims, and only those that name a
message of ours make a mail ours. Texts are without control characters, but still strangers' words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr, parsedate_to_datetime
from enum import StrEnum

from crm_tui.providers import bounces
from crm_tui.providers.bounces import Delivery, Result
from crm_tui.providers.mailtext import text_of, without_quotes
from crm_tui.providers.mime import Fields, Part, every, first, header, parse, parse_fields, words
from crm_tui.providers.optout import automatic, subject_wants_out, wants_out

__all__ = ["Delivery", "Heading", "Incoming", "Kind", "Result", "Token", "classify", "read_headers"]

_IDS = 100
_RECIPIENTS = 200
# A mail is days on its way at most; a clock may be minutes ahead. Beyond that the date is not believed.
_LONGEST_WAY = timedelta(days=5)
_AHEAD = timedelta(minutes=5)

_ID = re.compile(r"<[^<>\s]{3,500}>")
_BARE_ID = re.compile(r"[^<>\s@]{1,250}@[^<>\s@]{1,250}")
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]\\@]{1,100}@[^\s<>,;:\"()\[\]\\@]{1,255}")
_ADDRESS_TOKEN = re.compile(r"\+([ubr])\.([A-Za-z0-9_-]{6,64})@", re.IGNORECASE)
_SUBJECT_TOKEN = re.compile(
    r"(?:[\w]{2,4}:\s*){0,3}unsubscribe[ +:]+([A-Za-z0-9_-]{8,64})\s*", re.IGNORECASE
)
_COMMENT = re.compile(r"\([^()]{0,200}\)")
# Where the address a mail was delivered to is kept, beside the one it was written to.
_TO = (
    "to",
    "cc",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "resent-to",
    "x-delivered-to",
)


class Kind(StrEnum):
    """What an incoming mail is."""

    BOUNCE = "bounce"  # what became of a mail of ours; also "delivered" and "delayed": see results
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    AUTO_REPLY = "auto_reply"
    REPLY = "reply"
    OTHER = "other"  # cites nothing: an answer only if the sender turns out to be known


@dataclass(frozen=True, slots=True)
class Token:
    """A token of ours in an address or a subject: to unsubscribe, of a bounce, or of a reply."""

    purpose: str
    """"u" (unsubscribe), "b" (bounce) or "r" (reply)."""
    value: str


@dataclass(frozen=True, slots=True)
class Heading:
    """What the header of a mail says."""

    message_id: str | None
    """With its angle brackets, as are all of them; None where it has none."""
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    sender: str
    """The bare address in lower case; "" where there is none."""
    sender_name: str
    recipients: tuple[str, ...]
    """Bare addresses in lower case it was written or delivered to, without repeats."""
    subject: str
    date: datetime | None
    """What its author's clock said, in UTC; None where that cannot be read."""
    automatic: str | None
    """What shows that no person wrote it."""
    report: bool
    """Whether it may be about a mail of ours without citing it: only its body tells."""
    tokens: tuple[Token, ...]

    @property
    def cited(self) -> tuple[str, ...]:
        """The Message-IDs it answers, likeliest first: In-Reply-To, then References from the right."""
        return tuple(dict.fromkeys((*self.in_reply_to, *reversed(self.references))))


@dataclass(frozen=True, slots=True)
class Incoming:
    """What an incoming mail is, and what of it is worth keeping."""

    kind: Kind
    why: str
    """What decided the kind, in words."""
    heading: Heading
    cited: tuple[str, ...]
    """The Message-IDs it claims to be about, likeliest first."""
    tokens: tuple[Token, ...]
    results: tuple[Result, ...]
    """Of a bounce: what became of the mail, address by address."""
    text: str
    """What the sender wrote, without quotes, at most 64 KB."""
    occurred_at: datetime
    """UTC: its own date where that can be true, else when it was received."""


def read_headers(block: bytes) -> Heading:
    """What a header block says; a body behind it is not looked at."""
    return _heading(parse_fields(header(block)[0]))


def classify(raw: bytes, *, received: datetime) -> Incoming:
    """What a mail is; never raises, whatever its bytes are, and reads no more than its bounds allow.

    `received` is when the mailbox took it in (IMAP's INTERNALDATE), aware. A mail cut off in the
    middle is read as far as it goes.
    """
    mail = parse(raw)
    heading = _heading(mail.fields)
    whole_text = text_of(mail)
    text = without_quotes(whole_text)
    kind, why, results = _decide(mail, heading, whole_text, text)
    cited: list[str] = list(heading.cited)
    tokens = list(heading.tokens)
    if kind in {Kind.BOUNCE, Kind.COMPLAINT}:
        about = bounces.original(mail)
        # What a mail system cites of itself stands behind what it says our mail was.
        cited = [*bounces.own_ids(about), *cited, *bounces.ids_in_text(whole_text)]
        tokens += _tokens(" ".join(every(about, "list-unsubscribe", "return-path", "reply-to")))
    return Incoming(
        kind=kind,
        why=why,
        heading=heading,
        cited=tuple(dict.fromkeys(cited))[:_IDS],
        tokens=tuple(dict.fromkeys(tokens)),
        results=results,
        text=text,
        occurred_at=_occurred(heading.date, received),
    )


def _decide(
    mail: Part, heading: Heading, whole_text: str, text: str
) -> tuple[Kind, str, tuple[Result, ...]]:
    results = bounces.delivery_results(mail)
    if results is not None:
        return Kind.BOUNCE, "a delivery report", results
    feedback = bounces.feedback(mail)
    if feedback is None and (why := bounces.returned(mail.fields, whole_text)):
        return Kind.BOUNCE, why, bounces.read_returned(mail.fields, whole_text)
    kind, why = _written(heading, text) if feedback is None else _complaint(feedback)
    return kind, why, ()


def _complaint(feedback: Fields) -> tuple[Kind, str]:
    kind = words(first(feedback, "feedback-type")).lower() or "abuse"
    why = f"a feedback report: {kind[:40]}"
    if kind in {"opt-out", "opt-out-list"}:
        return Kind.UNSUBSCRIBE, why
    # These report on signatures, or take a complaint back.
    if kind in {"auth-failure", "not-spam", "dmarc"}:
        return Kind.OTHER, why
    return Kind.COMPLAINT, why


def _written(heading: Heading, text: str) -> tuple[Kind, str]:
    purposes = {token.purpose for token in heading.tokens}
    if "u" in purposes:
        return Kind.UNSUBSCRIBE, "sent to the address or with the subject for unsubscribing"
    if wants_out(text) or subject_wants_out(heading.subject):
        return Kind.UNSUBSCRIBE, "its first line or subject asks not to be written to"
    if heading.automatic:
        return Kind.AUTO_REPLY, heading.automatic
    if heading.cited:
        return Kind.REPLY, "it cites a mail"
    if "r" in purposes:
        return Kind.REPLY, "sent to the address for replies"
    return Kind.OTHER, "it cites no mail"


# -- the header ----------------------------------------------------------------------------------


def _heading(fields: Fields) -> Heading:
    name, address = _author(first(fields, "from"))
    subject = words(first(fields, "subject"))
    to = " , ".join(every(fields, *_TO))
    tokens = _tokens(to)
    if match := _SUBJECT_TOKEN.fullmatch(subject):
        tokens.append(Token("u", match[1]))
    return Heading(
        message_id=next(iter(_ids(every(fields, "message-id"))), None),
        in_reply_to=_ids(every(fields, "in-reply-to")),
        references=_ids(every(fields, "references")),
        sender=address,
        sender_name=name,
        recipients=tuple(dict.fromkeys(a.lower() for a in _ADDRESS.findall(to)))[:_RECIPIENTS],
        subject=subject,
        date=_date(first(fields, "date")),
        automatic=automatic(fields, subject),
        report=_may_report(fields, address),
        tokens=tuple(dict.fromkeys(tokens)),
    )


def _may_report(fields: Fields, sender: str) -> bool:
    return (
        first(fields, "content-type").lower().startswith("multipart/report")
        or sender.startswith(("mailer-daemon", "postmaster"))
        or "x-failed-recipients" in fields
        or (not sender and "from" in fields)
        or any(path.strip() == "<>" for path in every(fields, "return-path"))
    )


def _ids(values: list[str]) -> tuple[str, ...]:
    """Message-IDs in order; one without its brackets is still one."""
    text = " ".join(values)
    found = _ID.findall(text) or [f"<{bare}>" for bare in _BARE_ID.findall(text[:1000])]
    # A long thread is cut in its middle: what began it and what it ends with matter.
    found = list(dict.fromkeys(found))
    return tuple(found if len(found) <= _IDS else found[: _IDS // 2] + found[-_IDS // 2 :])


def _tokens(addresses: str) -> list[Token]:
    return [Token(p.lower(), v) for p, v in _ADDRESS_TOKEN.findall(addresses)[:20]]


def _author(value: str) -> tuple[str, str]:
    """Name and bare address of the first author."""
    value = value[:1000]
    try:
        name, address = parseaddr(value)
    except (RecursionError, IndexError, ValueError, TypeError):
        name, address = "", ""
    if "@" not in address or " " in address:
        found = _ADDRESS.findall(_COMMENT.sub(" ", value)) or _ADDRESS.findall(value)
        # In "ann@trusted.example <eve@other.example>" only the last is the address.
        address = found[-1] if found else ""
        name = name or value.split("<", 1)[0].strip(' "')
    return words(name)[:200], words(address).lower()[:320]


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value[:100])
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _occurred(date: datetime | None, received: datetime) -> datetime:
    received = received.astimezone(UTC)
    if date is None or not received - _LONGEST_WAY <= date <= received + _AHEAD:
        return received
    return min(date, received)
