"""Sending through Mailgun, and looking up what was sent.

Mailgun has no idempotency key. Every mail carries the message's own key as a user variable, by which
a mail whose answer was lost is found among what Mailgun accepted. Follows Mailgun's documentation:
Sending Messages, Messages.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx

from crm_tui.config.sections import MailgunSettings
from crm_tui.providers.base import (
    GivenUp,
    Handed,
    OutgoingMail,
    ProviderError,
    Sent,
    TryLater,
    Unavailable,
    Unsendable,
    said,
)
from crm_tui.providers.http import Answer, Api, OverApi
from crm_tui.providers.mailgun_api import (
    BY_EVENTS,
    EVENTS_LIMIT,
    api_of,
    domain_of,
    items_of,
    logs_body,
    next_token,
    next_url,
    refused,
    whole,
)
from crm_tui.providers.mailgun_events import KEY_VARIABLE, Record, read
from crm_tui.providers.message import address, build, html_part
from crm_tui.providers.secrets import Lookup

_CONNECTIONS = 4
_MOST_OPTIONS = 16 * 1024
"""Bytes of all options, headers and variables together."""
_MOST_REFERENCES = 40
_BEFORE, _AFTER = timedelta(minutes=10), timedelta(minutes=60)
"""What part of the log a message is looked for in, counted from when it was claimed."""
_MOST_PAGES = 100

_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


_Accepted = tuple[list[Any], str | None]


class MailgunSender(OverApi):
    """Sends through a domain of a Mailgun account; four mails at once at most."""

    def __init__(
        self,
        settings: MailgunSettings,
        key: Lookup,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        self._settings = settings
        super().__init__(api or api_of(settings, key, transport=transport))
        self._lines = asyncio.Semaphore(_CONNECTIONS)
        self._given_up = False
        self._before: set[asyncio.Timeout] = set()
        self._handed_over = 0
        self._asks_for_recipients = True

    @property
    def unanswered(self) -> int:
        """How many mails Mailgun was handed and has not answered for."""
        return self._handed_over

    def give_up(self) -> None:
        """Hand nothing more over: what waits for its turn ends at once as GivenUp."""
        self._given_up = True
        now = asyncio.get_running_loop().time()
        for each in self._before:
            if not each.expired():
                each.reschedule(now)

    async def send(self, mail: OutgoingMail) -> Sent:
        """Hand one mail over.

        Raises:
            ProviderError: by what to do about it; only Unclear leaves open whether it was sent.
        """
        domain, fields = domain_of(self._settings), form_of(mail)
        async with self._line():
            self._handed_over += 1
            try:
                answer = await self._api.send(
                    f"/v3/{domain}/messages",
                    files=[(name, (None, value)) for name, value in fields],
                )
            finally:
                self._handed_over -= 1
        if not answer.ok:
            raise self._refused(answer)
        return _sent(mail.message_id, answer)

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[None]:
        """One of the few requests that may be on their way at once.

        Raises:
            GivenUp: nothing more was wanted before it was this one's turn.
        """
        words = "nothing more was to be sent"
        if self._given_up:
            raise GivenUp(words)
        leave = asyncio.timeout(None)
        try:
            async with leave:
                self._before.add(leave)
                try:
                    await self._lines.acquire()
                finally:
                    self._before.discard(leave)
        except TimeoutError:
            raise GivenUp(words) from None
        try:
            if self._given_up:
                raise GivenUp(words)
            yield
        finally:
            self._lines.release()

    def _refused(self, answer: Answer) -> ProviderError:
        """What a refusal means; the mail was not sent."""
        error = refused(self._api, answer, self._settings)
        if answer.status == 429 or not isinstance(error, Unavailable):
            return error
        kind = Unsendable if answer.status in {400, 413, 422} else TryLater
        return kind(error.words)

    async def find(self, handed: Handed) -> Sent | None:
        """Whether Mailgun accepted a message, by its key and whom it went to.

        Raises:
            ProviderError: it could not be asked.
        """
        ask = self._by_events if self._settings.events == BY_EVENTS else self._by_logs
        page: str | None = None
        for _ in range(_MOST_PAGES):
            items, following = await ask(handed, page)
            for record in (read(item) for item in items if isinstance(item, dict)):
                if record.event == "accepted" and _is(record, handed):
                    provider_id = record.message_id or handed.message_id.strip("<>")
                    return Sent(handed.message_id, provider_id, "Found among what Mailgun accepted")
            if not items or following is None or following == page:
                break
            page = following
        return None

    async def _by_logs(self, handed: Handed, page: str | None) -> _Accepted:
        """What was accepted around the time a message was handed over, and where there is more."""

        async def ask() -> Answer:
            recipient = handed.to if self._asks_for_recipients else ""
            begin, end = handed.at - _BEFORE, handed.at + _AFTER
            body = logs_body(
                self._settings,
                begin,
                end=end,
                events=("accepted",),
                recipient=recipient,
                token=page,
            )
            return await self._api.read("POST", "/v1/analytics/logs", json=body)

        answer, found = await whole(ask)
        if answer.status == 400 and self._asks_for_recipients and page is None:
            # The documentation does not say which attributes there are.
            self._asks_for_recipients = False
            answer, found = await whole(ask)
        if not answer.ok:
            raise refused(self._api, answer, self._settings)
        return items_of(found), next_token(found)

    async def _by_events(self, handed: Handed, page: str | None) -> _Accepted:
        params: dict[str, str | int] = {
            "event": "accepted",
            "recipient": handed.to,
            "begin": str(int((handed.at - _BEFORE).timestamp())),
            "end": str(int((handed.at + _AFTER).timestamp())),
            "ascending": "yes",
            "limit": EVENTS_LIMIT,
        }
        first = f"/v3/{domain_of(self._settings)}/events"

        async def ask() -> Answer:
            return await (self._api.get(first, params) if page is None else self._api.get(page))

        answer, found = await whole(ask)
        if not answer.ok:
            raise refused(self._api, answer, self._settings)
        return items_of(found), next_url(found)


def form_of(mail: OutgoingMail) -> list[tuple[str, str]]:
    """The fields of a mail.

    Raises:
        Unsendable: it holds what no mail may hold, or more than Mailgun takes.
    """
    build(mail)  # it refuses what must not stand in a header
    references = mail.references
    if len(references) > _MOST_REFERENCES:
        references = (references[0], *references[1 - _MOST_REFERENCES :])
    options = [
        ("o:tracking", "yes"),
        ("o:tracking-opens", "yes"),
        ("o:tracking-clicks", "htmlonly"),  # the text keeps its own links
        (f"v:{KEY_VARIABLE}", mail.key),
        ("o:suppress-headers", "X-Mailgun-Variables"),  # the key is nobody else's business
        ("h:Message-Id", mail.message_id),
        ("h:Reply-To", address(mail.reply_to) if mail.reply_to else ""),
        ("h:In-Reply-To", mail.in_reply_to or ""),
        ("h:References", " ".join(references)),
        ("h:List-Unsubscribe", ", ".join(f"<{uri}>" for uri in mail.list_unsubscribe)),
    ]
    options = [(name, value) for name, value in options if value]
    size = sum(len(name) + len(value.encode()) for name, value in options)
    if size > _MOST_OPTIONS:
        raise Unsendable("Its headers are larger than the 16 KB that Mailgun takes; shorten them.")
    fields = [
        ("from", _mailbox(mail.sender_name, address(mail.sender))),
        ("to", address(mail.to)),
        ("subject", mail.subject),
        ("text", mail.text),
        ("html", html_part(mail)),  # opens and clicks are measured in it alone
    ]
    return fields + options


def _is(record: Record, handed: Handed) -> bool:
    """Whether a record is about a message: the key is ours alone, the recipient makes sure."""
    if record.key:
        return record.key == handed.key
    same_id = record.message_id == handed.message_id.strip("<>")
    return same_id and record.recipient in {"", handed.to.lower()}


def _sent(message_id: str, answer: Answer) -> Sent:
    """What an accepted mail's answer says; where it was cut off, it was accepted all the same."""
    try:
        found = answer.object()
    except Unavailable:
        found = {}
    given, words = found.get("id"), found.get("message")
    # Without an id it goes by the Message-ID that was asked for.
    provider_id = (given if isinstance(given, str) else "").strip().strip("<>")
    provider_id = provider_id or message_id.strip("<>")
    return Sent(message_id, provider_id, said(words if isinstance(words, str) else "Accepted"))


def _mailbox(name: str, bare: str) -> str:
    name = " ".join(name.split())
    if not name:
        return bare
    if not _PLAIN_NAME.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        name = f'"{escaped}"'
    return f"{name} <{bare}>"
