"""Resend: what it can do, and mails sent under a key that cannot send twice.

The same mail under the same Idempotency-Key within 24 hours is sent once, so a lost answer is asked
for again under the key of the message. After that `find` tells whether it went.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from crm_tui.config.sections import ResendSettings
from crm_tui.providers.base import (
    Blocked,
    Capabilities,
    GivenUp,
    Handed,
    Misconfigured,
    OutgoingMail,
    ProviderError,
    Sent,
    Unavailable,
    Unclear,
    Unsendable,
    said,
)
from crm_tui.providers.http import Answer, Api, OverApi
from crm_tui.providers.message import address, build, html_part
from crm_tui.providers.resend_api import (
    MOST,
    MOST_PAGES,
    SLACK,
    api_of,
    listed,
    moment,
    name_of,
    paging,
    recipient_of,
    tag_of,
)
from crm_tui.providers.resend_check import check
from crm_tui.providers.resend_states import parse_event
from crm_tui.providers.resend_stream import POLLED, ResendStream
from crm_tui.providers.secrets import Lookup

__all__ = ["CAPABILITIES", "POLLED", "ResendSender", "ResendStream", "check", "parse_event"]

CAPABILITIES = Capabilities(
    name="resend",
    title="Resend",
    channel="email",
    idempotent=True,
    measures_opens=True,
    measures_clicks=True,
    send="POST /emails; a mail without HTML is given one, to measure it",
    idempotency="Idempotency-Key: the same mail within 24 hours is sent once",
    delivery="by the last state of each mail, polled; when is when it was seen",
    opened="the first only, where the domain tracks opens",
    clicked="the first only, without its link, where the domain tracks clicks",
    machine="not told",
    bounce_kind="for good where the address is on Resend's list within an hour, else for now",
    inbound="mails to domains that receive at Resend",
    retention="the last state; read for 7 days after sending",
    limits="5 requests a second for a team; free: 100 mails a day, 3,000 a month, received ones too",
    price="free; $20 a month for 50,000 mails",
    price_date="2026-11",
    policy="No mass, unsolicited mail without prior consent; complaints below 0.08 %, bounces below 4 %.",
    source="Send Email, List Sent Emails, List Suppressions, Idempotency Keys, Usage Limits,"
    " Errors; resend-openapi 1.5.0",
)

_TRIES = 4
_PAUSE = 1.0
_LONGEST_PAUSE = 8.0
_STILL = frozenset({408, 409, 425})
"""Answers that leave open what became of the mail: it may still be at work on it."""
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")


class ResendSender(OverApi):
    """An `EmailSender` through Resend; also a `Finder`.

    Attributes:
        api: the account's API.
    """

    def __init__(
        self,
        settings: ResendSettings,
        key: Lookup,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        super().__init__(api or api_of(settings, key, transport=transport))
        self._over = asyncio.Event()
        self._unanswered = 0
        self._in_trouble = False

    @property
    def unanswered(self) -> int:
        """How many mails were handed over and are not answered for."""
        return self._unanswered

    def give_up(self) -> None:
        """Hand nothing more over; what may have been handed over is not asked for again."""
        self._over.set()

    async def send(self, mail: OutgoingMail) -> Sent:
        """Hand a mail over, again under the same key where the answer was lost.

        Raises:
            ProviderError: by what to do about it.
        """
        body = body_of(mail)
        trouble: ProviderError = GivenUp("nothing more was wanted")
        # What the last mail met with all its tries, this one meets with its first.
        tries = 1 if self._in_trouble else _TRIES
        for tried in range(tries):
            if self._over.is_set():
                break
            try:
                answer = await self._post(body, mail.key)
            except Unclear as error:
                trouble = error
            except Unavailable as error:
                # A mail that may have gone in an earlier try is not certainly unsent after this one.
                if not isinstance(trouble, Unclear):
                    trouble = error
                if error.after is None or error.after > _LONGEST_PAUSE:
                    break
                await self._pause(error.after)
                continue
            else:
                self._in_trouble = False
                sent = await self._read(answer, mail)
                if sent is not None:
                    return sent
                trouble = Unclear(
                    "Resend's answer was not whole, or it is still at work on the mail"
                )
            if tried < tries - 1:
                await self._pause(_PAUSE * 2**tried * (1 + self._api.jitter()))
        self._in_trouble = isinstance(trouble, Unclear)
        raise trouble

    async def _pause(self, seconds: float) -> None:
        """Wait, unless nothing more is wanted."""
        waits = [
            asyncio.ensure_future(self._api.sleep(seconds)),
            asyncio.ensure_future(self._over.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _post(self, body: dict[str, Any], key: str) -> Answer:
        self._unanswered += 1
        try:
            return await self._api.send("emails", json=body, headers={"Idempotency-Key": key})
        finally:
            self._unanswered -= 1

    async def _read(self, answer: Answer, mail: OutgoingMail) -> Sent | None:
        """What an answer says; None where it is to be asked for again.

        Raises:
            ProviderError: the mail was refused.
        """
        if answer.ok:
            try:
                provider_id = answer.object().get("id")
            except Unavailable:
                return None
            if not isinstance(provider_id, str) or not provider_id:
                return None
            return Sent(mail.message_id, provider_id, f"Resend took it as {said(provider_id)}")
        words = self._api.words(answer)
        name = name_of(answer)
        if answer.status == 409 and name == "invalid_idempotent_request":
            # Its key came with another wording before, of a name or a text that was changed since.
            handed = Handed(
                key=mail.key,
                message_id=mail.message_id,
                to=address(mail.to),
                text=mail.text,
                at=mail.date,
            )
            with suppress(ProviderError):
                if (sent := await self.find(handed)) is not None:
                    return sent
            raise Unclear(f"Resend was handed this mail before, in other words: {words}")
        if answer.status in _STILL:
            return None
        if name == "security_error" or answer.status == 451:
            raise Blocked(f"Resend refused the mail: {words}")
        if answer.status in {404, 405}:
            raise Misconfigured(
                f"There is no API of Resend at base_url ({answer.status}).",
                fix="Correct base_url in [providers.resend]; it is https://api.resend.com.",
            )
        raise Unsendable(f"Resend does not take the mail ({answer.status}): {words}")

    async def find(self, handed: Handed) -> Sent | None:
        """What Resend knows of a mail whose key it may have forgotten.

        Raises:
            ProviderError: it could not be asked.
        """
        after = ""
        for _ in range(MOST_PAGES):
            answer = await self._api.get("emails", paging(MOST, after))
            items, more = listed(answer)
            for item in items:
                if recipient_of(item) == handed.to.lower() and await self._is(item, handed):
                    return Sent(handed.message_id, item["id"], "Resend has it in its list")
            last = moment(items[-1].get("created_at")) if items else None
            if not more or (last is not None and last < handed.at - SLACK):
                return None
            after = items[-1]["id"]
        return None

    async def _is(self, item: Mapping[str, Any], handed: Handed) -> bool:
        """Whether a mail of the list is the one: by its tag, or else by its text and its time."""
        answer = await self._api.get(f"emails/{quote(item['id'], safe='')}")
        whole = answer.object() if answer.ok else {}
        tag = tag_of(whole)
        if tag is not None:
            return tag == handed.key
        at = moment(item.get("created_at"))
        return whole.get("text") == handed.text and at is not None and at > handed.at - SLACK


def body_of(mail: OutgoingMail) -> dict[str, Any]:
    """A mail as Resend takes it: the same mail is the same body, byte for byte.

    Raises:
        Unsendable: an address or a header holds what must not stand there.
    """
    build(mail)  # what could not travel as a mail is not handed over either
    sender = address(mail.sender)
    headers = {"Message-ID": mail.message_id}
    if mail.in_reply_to:
        headers["In-Reply-To"] = mail.in_reply_to
    if mail.references:
        headers["References"] = " ".join(mail.references)
    if mail.list_unsubscribe:
        headers["List-Unsubscribe"] = ", ".join(f"<{one}>" for one in mail.list_unsubscribe)
    body: dict[str, Any] = {
        "from": _named(mail.sender_name, sender),
        "to": [address(mail.to)],
        "subject": mail.subject,
        "text": mail.text,
        "html": html_part(mail),  # opens and clicks are measured in it alone
    }
    if mail.reply_to:
        body["reply_to"] = address(mail.reply_to)
    body["headers"] = headers
    if _TAG.fullmatch(mail.key):
        body["tags"] = [{"name": "key", "value": mail.key}]
    return body


def _named(name: str, bare: str) -> str:
    """An address with a name, quoted where the name could be read as something else."""
    name = name.strip()
    if re.search(r'[()<>\[\]:;@\\,."]', name):
        escaped = name.replace("\\", r"\\").replace('"', r"\"")
        name = f'"{escaped}"'
    return f"{name} <{bare}>" if name else bare
