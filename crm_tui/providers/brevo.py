"""Mail through Brevo's API v3: sending, and whether a mail was taken whose answer was lost.

What became of mails is read in `brevo_stream`; what a record says is in `brevo_events`, trying the
account out in `brevo_check`.

Sources: Brevo's API reference, its pages on rate limits and idempotency, and its OpenAPI
description.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, timedelta
from email.header import Header
from typing import Any

import httpx

from crm_tui.config.sections import BrevoSettings
from crm_tui.providers.base import (
    Capabilities,
    GivenUp,
    Handed,
    Misconfigured,
    OutgoingMail,
    Sent,
    Unavailable,
    Unsendable,
    said,
)
from crm_tui.providers.brevo_api import listed, open_api
from crm_tui.providers.brevo_check import check
from crm_tui.providers.brevo_events import bracketed, parse_event, tags_of, text_of
from crm_tui.providers.brevo_stream import BrevoStream
from crm_tui.providers.http import Api, OverApi
from crm_tui.providers.message import address, build, html_part
from crm_tui.providers.secrets import Lookup

__all__ = ["CAPABILITIES", "BrevoSender", "BrevoStream", "as_json", "check", "parse_event"]

CAPABILITIES = Capabilities(
    name="brevo",
    title="Brevo",
    channel="email",
    idempotent=False,
    measures_opens=True,
    measures_clicks=True,
    send="HTTPS; a mail without HTML is given one, as Brevo takes none without",
    idempotency="a key that Brevo remembers for 30 minutes; not relied upon",
    delivery="events with times to the second",
    opened="every open",
    clicked="every click, with its link",
    machine="opens by a proxy (Apple Mail) are flagged; clicks are not",
    bounce_kind="hard or soft, as Brevo tells",
    inbound="none: answers are read by IMAP",
    retention="for ever unless the account has a retention rule, of a month at least",
    limits="1,000 mails a second; 100 other requests an hour for the whole account",
    price="300 mails a day free",
    price_date="2026-11",
    policy=(
        "Brevo asks for active, explicit and specific consent; contacts found in directories have"
        " not given it."
    ),
    source="Brevo API reference; Rate limits; Anti-Spam Policy",
)

_LONGEST_NAME = 70


class BrevoSender(OverApi):
    """Sends mails through one account at Brevo."""

    def __init__(
        self,
        settings: BrevoSettings,
        key: Lookup,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        super().__init__(api or open_api(settings, key, transport=transport))
        self._unanswered = 0
        self._given_up = False

    @property
    def unanswered(self) -> int:
        """How many mails Brevo was handed and has not answered for."""
        return self._unanswered

    def give_up(self) -> None:
        """Hand nothing more over."""
        self._given_up = True

    async def send(self, mail: OutgoingMail) -> Sent:
        """Hand one mail to Brevo, once.

        Raises:
            ProviderError: by what to do about it; only Unclear leaves open whether it was sent.
        """
        body = as_json(mail)
        if self._given_up:
            raise GivenUp("Sending was given up before this mail was handed over.")
        self._unanswered += 1
        try:
            answer = await self._api.send("smtp/email", json=body)
        finally:
            self._unanswered -= 1
        if not answer.ok:
            words = self._api.words(answer)
            raise Unsendable(f"Brevo does not take this mail ({answer.status}: {words})")
        try:
            message = text_of(answer.object(), "messageId")
        except Unavailable:  # taken all the same: the events tell its name
            message = ""
        provider_id = bracketed(message) if message else None
        words = f"taken as {provider_id}" if provider_id else "taken; its name was not told"
        return Sent(mail.message_id, provider_id, said(words))

    async def find(self, handed: Handed) -> Sent | None:
        """What Brevo knows of a mail: by its key, among those that went to its recipient that day.

        The list of mails may be asked for far more often than that of events, which polling reads
        anyway: they have the key too.
        """
        at = handed.at.astimezone(UTC).date()
        days = at - timedelta(days=1), at + timedelta(days=1)
        params: dict[str, str | int] = {"email": address(handed.to), "sort": "desc", "limit": 500}
        found, _ = await listed(self._api, "smtp/emails", "transactionalEmails", days, params)
        for each in found:
            if isinstance(each, dict) and handed.key in tags_of(each):
                message = text_of(each, "messageId")
                provider_id = bracketed(message) if message else None
                return Sent(handed.message_id, provider_id, "found among the mails Brevo sent")
        return None


def as_json(mail: OutgoingMail) -> dict[str, Any]:
    """What Brevo is asked to send.

    Brevo gives every mail a Message-ID of its own. Ours travels as the last of its References, so
    that it stands in those of every answer, and the mails of a thread stay together.

    Raises:
        Unsendable: it is no mail, or Brevo would change what it says.
        Misconfigured: the sender's name is too long.
    """
    build(mail)  # for what it finds fault with
    for what, words in (("subject", mail.subject), ("text", mail.text), ("HTML", mail.html or "")):
        if found := re.search(r"\{\{|\{%", words):
            raise Unsendable(
                f"The {what} contains {found[0]}, which Brevo takes for a field to be filled in;"
                " take it out."
            )
    headers = {
        "References": " ".join(dict.fromkeys((*mail.references, mail.message_id))),
    }
    if mail.in_reply_to:
        headers["In-Reply-To"] = mail.in_reply_to
    if mail.list_unsubscribe:
        headers["List-Unsubscribe"] = ", ".join(f"<{uri}>" for uri in mail.list_unsubscribe)
    sender = {"email": address(mail.sender)}
    if name := _display_name(mail.sender_name):
        sender["name"] = name
    body: dict[str, Any] = {
        "sender": sender,
        "to": [{"email": address(mail.to)}],
        "subject": mail.subject,
        "htmlContent": html_part(mail),
        "textContent": mail.text,
        "headers": headers,
        "tags": [mail.key],
    }
    if mail.reply_to:
        body["replyTo"] = {"email": address(mail.reply_to)}
    # A UUID, as Brevo wants it; a mail that was mended is another one.
    written = json.dumps(body, sort_keys=True)
    headers["idempotencyKey"] = str(uuid.uuid5(uuid.NAMESPACE_OID, written))
    return body


def _display_name(written: str) -> str:
    name = written.strip()
    if len(name) > _LONGEST_NAME:
        raise Misconfigured(
            f"The sender's name has {len(name)} characters, and Brevo takes {_LONGEST_NAME}.",
            fix="Shorten name in [sender].",
        )
    if name.isascii() or not re.search(r'[,;:<>()@"\\.\[\]]', name):
        return name
    # Brevo drops a name with both letters beyond ASCII and one of these, unless it is encoded.
    return Header(name, "utf-8", maxlinelen=75).encode(linesep="")
