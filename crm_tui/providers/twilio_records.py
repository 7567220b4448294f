"""The records of Twilio in our words: what a message's status and its error code come down to.

Source: Twilio's documentation, "Message resource" and "Error and Warning Dictionary".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from crm_tui.providers.base import said
from crm_tui.providers.events import Happening, Listed, ProviderEvent, RawEvent, Unreadable
from crm_tui.providers.http import read_http_date

_TOO_MUCH = 1_000_000
"""A sum that no message costs, and no account of a single operator holds."""

KINDS: Mapping[str, Happening] = {
    "accepted": Happening.IGNORED,
    "scheduled": Happening.IGNORED,
    "queued": Happening.IGNORED,
    "sending": Happening.IGNORED,
    "sent": Happening.SENT,
    "delivered": Happening.DELIVERED,
    "read": Happening.DELIVERED,
    "undelivered": Happening.FAILED,
    "failed": Happening.FAILED,
    "canceled": Happening.FAILED,
    "receiving": Happening.IGNORED,
    "received": Happening.REPLIED,
}
"""The status of a message; that of a failed one is told more closely by its error code."""

FINAL = frozenset({"delivered", "read", "undelivered", "failed", "canceled", "received"})
"""Statuses that nothing comes after."""


class Means(StrEnum):
    """What an error code comes down to."""

    BAD_NUMBER = "bad number"
    UNREACHABLE = "unreachable"
    OPTED_OUT = "opted out"
    TEXT = "the text is at fault"
    FILTERED = "filtered"
    LOST = "lost"
    SETUP = "the operator has to act"
    LIMIT = "a limit is used up"


@dataclass(frozen=True, slots=True)
class Code:
    """An error code: what it comes down to, in words, and what the operator can do about it."""

    means: Means
    words: str
    fix: str = ""


FUND = "Look at the account in Twilio's console: add funds, or write to Twilio's support."
FROM = (
    "Set from_number in [providers.twilio] to a number of this account that can send texts, in the"
    " form +15551234567, or to a messaging service (MG…)."
)
_SERVICE_FIX = "Add a number to the messaging service in Twilio's console, or correct from_number."
_REGISTER = "Register the number for A2P 10DLC in Twilio's console (Messaging, Compliance) first."

CODES: Mapping[int, Code] = {
    10001: Code(Means.SETUP, "The account is not active", FUND),
    20005: Code(Means.SETUP, "The account is not active", FUND),
    20008: Code(
        Means.SETUP,
        "These are Twilio's test credentials",
        "Use the live account_sid and token from Twilio's console.",
    ),
    20403: Code(Means.SETUP, "The account is suspended or closed", FUND),
    20404: Code(
        Means.SETUP,
        "Twilio does not know this account, or its messaging service",
        "Copy account_sid and from_number in [providers.twilio] from Twilio's console.",
    ),
    20429: Code(Means.LIMIT, "Twilio asks to be asked less often"),
    21211: Code(Means.BAD_NUMBER, "This is no valid number"),
    21212: Code(Means.SETUP, "The sending number is not valid", FROM),
    21217: Code(Means.BAD_NUMBER, "This is no valid number"),
    21266: Code(Means.BAD_NUMBER, "This is the sending number itself"),
    21408: Code(
        Means.FILTERED,
        "The account may not send texts to this country: enable it in Twilio's console under"
        " Messaging, Settings, Geo permissions",
    ),
    21601: Code(Means.SETUP, "The sending number cannot send texts", FROM),
    21602: Code(Means.TEXT, "The text is empty"),
    21603: Code(Means.SETUP, "There is no sending number", FROM),
    21604: Code(Means.TEXT, "There is no number to send to"),
    21606: Code(Means.SETUP, "The sending number cannot send texts there", FROM),
    21608: Code(
        Means.SETUP,
        "A trial account sends only to numbers that were verified",
        "Upgrade the account in Twilio's console, or verify this number there.",
    ),
    21610: Code(Means.OPTED_OUT, "They answered STOP: Twilio sends them nothing more"),
    21611: Code(Means.LIMIT, "The sending number has too many messages in its queue"),
    21612: Code(Means.UNREACHABLE, "No way leads from the sending number to this one"),
    21614: Code(Means.BAD_NUMBER, "This number cannot get texts"),
    21617: Code(Means.TEXT, "The text is longer than 1,600 characters"),
    21635: Code(Means.BAD_NUMBER, "This is a landline"),
    21659: Code(Means.SETUP, "The sending number is none of Twilio's", FROM),
    21660: Code(Means.SETUP, "The sending number belongs to another account", FROM),
    21661: Code(Means.SETUP, "The sending number cannot send texts", FROM),
    21703: Code(Means.SETUP, "The messaging service has no number to send from", _SERVICE_FIX),
    21704: Code(Means.SETUP, "The messaging service has no numbers", _SERVICE_FIX),
    21705: Code(Means.SETUP, "There is no such messaging service", FROM),
    30001: Code(Means.LOST, "Twilio's queue was full"),
    30002: Code(Means.SETUP, "The account was suspended", FUND),
    30003: Code(Means.UNREACHABLE, "The phone cannot be reached"),
    30004: Code(Means.LOST, "The recipient or the carrier blocks this message"),
    30005: Code(Means.BAD_NUMBER, "The number is unknown"),
    30006: Code(Means.BAD_NUMBER, "This is a landline, or a carrier that takes no texts"),
    30007: Code(
        Means.FILTERED,
        "The carrier filtered the message as spam",
        "Change the text: name your business, leave out short links and capitals, say how to stop.",
    ),
    30008: Code(Means.LOST, "It did not arrive, and the carrier does not say why"),
    30022: Code(
        Means.LIMIT, "The carrier's rate limit was exceeded", "Lower per_hour in [sms], and go on."
    ),
    30023: Code(
        Means.LIMIT, "The carrier's daily limit was reached", "Go on tomorrow, with less a day."
    ),
    30024: Code(
        Means.SETUP,
        "The carrier does not know the sending number yet",
        "Wait a day after registering it; if it stays so, write to Twilio's support.",
    ),
    30027: Code(
        Means.LIMIT, "The carrier's daily limit was reached", "Go on tomorrow, with less a day."
    ),
    30032: Code(
        Means.SETUP,
        "The toll-free number is not verified",
        "Submit its toll-free verification in Twilio's console, and wait until it is approved.",
    ),
    30033: Code(
        Means.SETUP,
        "The A2P 10DLC campaign is suspended",
        "See in Twilio's console why (Messaging, Compliance), and write to its support.",
    ),
    30034: Code(Means.SETUP, "The sending number is not registered for A2P 10DLC", _REGISTER),
    30035: Code(
        Means.SETUP,
        "The registration of the sending number is still under way",
        "Wait until Twilio's console says that it is registered.",
    ),
    30036: Code(Means.LOST, "It waited in Twilio's queue for too long"),
    30410: Code(Means.LOST, "The carrier did not answer"),
    63038: Code(
        Means.LIMIT,
        "The account's daily limit of messages is used up",
        "Go on tomorrow, or ask Twilio's support for a higher limit.",
    ),
}
"""The codes that are acted upon, at sending and in what became of a message; Twilio asks not to go
by the texts beside them, which change."""

_AFTER_SENDING = {
    Means.BAD_NUMBER: Happening.BOUNCED_HARD,
    Means.UNREACHABLE: Happening.BOUNCED_SOFT,
    Means.OPTED_OUT: Happening.UNSUBSCRIBED,
}
_PAUSES = frozenset({Means.SETUP, Means.LIMIT, Means.FILTERED})


def parse_event(raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
    """What a message's record says.

    Raises:
        Unreadable: it has no name, no status or no date.
    """
    sid, status = text_of(raw, "sid"), text_of(raw, "status")
    if not sid or not status:
        raise Unreadable(f"a message without {'sid' if not sid else 'status'}")
    kind = KINDS.get(status, Happening.UNKNOWN)
    if text_of(raw, "direction") == "inbound" and kind not in {
        Happening.REPLIED,
        Happening.UNKNOWN,
    }:
        kind = Happening.IGNORED
    event = _Reading(raw, f"{sid}:{status}", kind, sid, status)
    return event.answers() if kind is Happening.REPLIED else [event.of_ours()]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A message's record that is being read."""

    raw: Mapping[str, Any]
    name: str
    kind: Happening
    sid: str
    status: str

    def of_ours(self) -> ProviderEvent:
        """What became of a message that we sent."""
        kind, reason, code, pauses = self.kind, "", "", ""
        if self.status in {"failed", "undelivered"}:
            number = number_of(self.raw.get("error_code"))
            known = CODES.get(number or 0)
            if known is not None:
                kind = _AFTER_SENDING.get(known.means, kind)
                if known.means in _PAUSES and known.fix:
                    pauses = said(f"{known.words}. {known.fix}")
            code = "" if number is None else str(number)
            told = known.words if known else text_of(self.raw, "error_message") or "no reason given"
            reason = said(f"{told} ({code})" if code else told)
        elif self.status == "canceled":
            reason = "It was canceled"
        elif kind is Happening.UNKNOWN:
            reason = said(self.status)
        return ProviderEvent(
            name=self.name,
            kind=kind,
            occurred_at=self.at("date_updated", "date_sent", "date_created")
            if kind is not Happening.SENT
            else self.at("date_sent", "date_updated", "date_created"),
            provider_id=self.sid,
            recipient=text_of(self.raw, "to").lower(),
            reason=reason,
            code=code,
            listed=Listed.UNSUBSCRIBE if kind is Happening.UNSUBSCRIBED else None,
            pauses=pauses,
            **self.bill(),
        )

    def answers(self) -> list[ProviderEvent]:
        """What somebody wrote to us; and that they opted out, where Twilio says so."""
        at = self.at("date_sent", "date_created", "date_updated")
        sender = text_of(self.raw, "from")
        answer = ProviderEvent(
            name=self.name,
            kind=Happening.REPLIED,
            occurred_at=at,
            recipient=text_of(self.raw, "to").lower(),
            sender=sender,
            text=self.text(),
            **self.bill(),
        )
        word = (text_of(self.raw, "OptOutType") or text_of(self.raw, "opt_out_type")).upper()
        if word != "STOP":
            return [answer]
        stop = ProviderEvent(
            name=f"{self.name}:stop",
            kind=Happening.UNSUBSCRIBED,
            occurred_at=at,
            recipient=sender.lower(),
            reason="They answered STOP",
            listed=Listed.UNSUBSCRIBE,
        )
        return [answer, stop]

    def text(self) -> str:
        """What an answer says, and that there is more to see than words."""
        text = text_of(self.raw, "body")
        media = number_of(self.raw.get("num_media")) or 0
        if media <= 0:
            return text
        note = f"[{media} {'picture or file' if media == 1 else 'pictures or files'} at Twilio]"
        return f"{text}\n{note}" if text else note

    def bill(self) -> dict[str, Any]:
        """How many segments it took, and what they cost, as far as it is known."""
        segments = number_of(self.raw.get("num_segments"))
        cost = _millionths(self.raw.get("price"))
        unit = text_of(self.raw, "price_unit").upper()
        return {
            "segments": segments if segments and segments > 0 else None,
            "cost": cost if unit else None,
            "currency": unit if cost is not None else "",
        }

    def at(self, *names: str) -> datetime:
        """The first of these dates that the record has."""
        for name in names:
            if (date := date_of(self.raw.get(name))) is not None:
                return date
        raise Unreadable(f"the message {said(self.sid)} has no date")


def text_of(raw: Mapping[str, Any], name: str) -> str:
    """What a record says under a name; empty where it is no text."""
    value = raw.get(name)
    return value if isinstance(value, str) else ""


def number_of(value: Any) -> int | None:
    """A whole number, which Twilio often sends as text."""
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None


def amount_of(value: Any) -> Decimal | None:
    """A sum of money, which Twilio sends as text."""
    if not isinstance(value, str | int | float):
        return None
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return None
    return exact if exact.is_finite() and abs(exact) < _TOO_MUCH else None


def _millionths(price: Any) -> int | None:
    """A price ("-0.00750" is what was paid) in millionths, without its sign."""
    exact = amount_of(price)
    return None if exact is None else abs(round(exact * 1_000_000))


def date_of(value: Any) -> datetime | None:
    """A date of RFC 2822, aware UTC."""
    try:
        return read_http_date(value) if isinstance(value, str) else None
    except OverflowError:
        return None


def raw_event(message: Any) -> RawEvent:
    """A record as it came. It is another one once it has another status, or a price."""
    payload = message if isinstance(message, dict) else {"message": message}
    sid, status = text_of(payload, "sid"), text_of(payload, "status")
    if not sid:
        whole = json.dumps(payload, sort_keys=True).encode()
        return RawEvent(f"unnamed:{hashlib.sha256(whole).hexdigest()}", payload)
    priced = ":priced" if payload.get("price") is not None else ""
    return RawEvent(f"{sid}:{status}{priced}", payload)
