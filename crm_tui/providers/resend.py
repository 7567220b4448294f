"""Resend: mails sent under a key that cannot send twice, and the state of every mail, polled.

Resend tells no events, only the last state of each mail. So what came before a state is inferred (a
mail that was clicked was opened and delivered), and when it happened is when it was seen. Whether a
bounce is for good is told by Resend's list of whom it sends nothing to: an address that bounced is
looked up there for an hour.

The same mail under the same Idempotency-Key within 24 hours is sent once, so a lost answer is asked
for again under the key of the message. After that `find` tells whether it went.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from types import TracebackType
from typing import Any, Self
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
from crm_tui.providers.events import (
    Asked,
    Cursor,
    Page,
    ProviderEvent,
    RawEvent,
    RawMail,
)
from crm_tui.providers.http import Answer, Api
from crm_tui.providers.message import address, build
from crm_tui.providers.resend_api import (
    MOST,
    api_of,
    domain_of,
    listed,
    moment,
    name_of,
    paging,
    recipient_of,
    tag_of,
)
from crm_tui.providers.resend_check import check
from crm_tui.providers.resend_mail import rebuild
from crm_tui.providers.resend_states import ON_LIST, parse_event, record_of
from crm_tui.providers.secrets import Lookup

__all__ = ["CAPABILITIES", "ResendSender", "ResendStream", "check", "parse_event"]

CAPABILITIES = Capabilities(
    name="resend",
    title="Resend",
    channel="email",
    idempotent=True,
    measures_opens=True,
    measures_clicks=True,
    send="POST /emails",
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
    source="Resend: Send Email, List Sent Emails, List Suppressions, Idempotency Keys, Usage Limits,"
    " Errors; resend-openapi 1.5.0",
)

POLLED = timedelta(days=7)
"""How long after it was sent the state of a mail is read."""

_TRIES = 4
_PAUSE = 1.0
_LONGEST_PAUSE = 8.0
_RECEIVED_AT_ONCE = 20
_STILL = frozenset({408, 409, 425})
"""Answers that leave open what became of the mail: it may still be at work on it."""
_MOST_PAGES = 20
"""Pages of mails that one poll reads at most; the next one goes on behind them."""
_UNDECIDED = timedelta(hours=1)
"""How long a bounced address is looked up before the bounce is taken for one that passes."""
_SLACK = timedelta(hours=1)
"""How far two clocks, and the order of a list, are believed to differ."""
_BEHIND = timedelta(days=1)
"""How late a mail that came in may turn up in the list."""
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")


# -- sending -----------------------------------------------------------------------------------------


class ResendSender:
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
        self.api = api or api_of(settings, key, transport=transport)
        self._over = asyncio.Event()
        self._unanswered = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.api.__aexit__(kind, error, trace)

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
        for tried in range(_TRIES):
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
                sent = await self._read(answer, mail)
                if sent is not None:
                    return sent
                trouble = Unclear(
                    "Resend's answer was not whole, or it is still at work on the mail"
                )
            if tried < _TRIES - 1:
                await self._pause(_PAUSE * 2**tried * (1 + self.api.jitter()))
        raise trouble

    async def _pause(self, seconds: float) -> None:
        """Wait, unless nothing more is wanted."""
        waits = [
            asyncio.ensure_future(self.api.sleep(seconds)),
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
            return await self.api.send("emails", json=body, headers={"Idempotency-Key": key})
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
        words = self.api.words(answer)
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
        for _ in range(_MOST_PAGES):
            answer = await self.api.get("emails", paging(MOST, after))
            items, more = listed(answer)
            for item in items:
                if recipient_of(item) == handed.to.lower() and await self._is(item, handed):
                    return Sent(handed.message_id, item["id"], "Resend has it in its list")
            last = moment(items[-1].get("created_at")) if items else None
            if not more or (last is not None and last < handed.at - _SLACK):
                return None
            after = items[-1]["id"]
        return None

    async def _is(self, item: Mapping[str, Any], handed: Handed) -> bool:
        """Whether a mail of the list is the one: by its tag, or else by its text and its time."""
        answer = await self.api.get(f"emails/{quote(item['id'], safe='')}")
        whole = answer.object() if answer.ok else {}
        tag = tag_of(whole)
        if tag is not None:
            return tag == handed.key
        at = moment(item.get("created_at"))
        return whole.get("text") == handed.text and at is not None and at > handed.at - _SLACK


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
    }
    if mail.html is not None:
        body["html"] = mail.html
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


# -- polling -----------------------------------------------------------------------------------------


class ResendStream:
    """An `EventStream` of the mails of one domain: their states, and the mails that come in.

    A poll reads the list of mails, the newest first, back to the oldest that is waited for; then the
    mails that came in. The cursor says how far it came, and which bounces are not decided yet.
    """

    provider = "resend"
    name = "emails"
    every = timedelta(minutes=2)
    keeps: timedelta | None = POLLED

    def __init__(
        self,
        settings: ResendSettings,
        key: Lookup,
        *,
        account: str,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
        api: Api | None = None,
    ) -> None:
        self.account = account
        self._now = now
        self._api = api or api_of(settings, key, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._api.__aexit__(kind, error, trace)

    def parse_event(self, raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
        """What a record says."""
        return parse_event(raw)

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        """The next page of a poll."""
        if cursor.get("step") == "received":
            return await self._received(cursor, asked)
        oldest = min(
            (each.sent_at for each in asked.waiting if each.sent_at > asked.now - POLLED),
            default=None,
        )
        kept = {"bounced": cursor.get("bounced", {}), "received": cursor.get("received", {})}
        if oldest is None:
            return await self._received(kept, asked)
        answer, items, more = await self._page(cursor)
        bounced = dict(kept["bounced"])
        events = await self._states(items, asked, bounced)
        waited = {each.provider_id for each in asked.waiting}
        kept["bounced"] = {each: at for each, at in bounced.items() if each in waited}
        last = moment(items[-1].get("created_at")) if items else None
        clock = answer.server_time
        if clock is not None:  # this machine's may be days ahead
            oldest = min(oldest, oldest + (clock - asked.now))
        pages = int(cursor.get("pages", 0)) + 1
        if more and (last is None or last >= oldest - _SLACK):
            kept |= {"after": items[-1]["id"], "spare": items[-2:][0]["id"]}
            if pages < _MOST_PAGES:
                following = {**kept, "pages": pages}
                return Page(events=events, cursor=following, more=True, server_time=clock)
        # Where it was cut short, the next poll goes on behind this page.
        return replace(await self._received(kept, asked), events=events, server_time=clock)

    async def _page(self, cursor: Cursor) -> tuple[Answer, list[dict[str, Any]], bool]:
        """Where the list goes on; from its beginning where Resend does not know the place any more."""
        for after in (cursor.get("after"), cursor.get("spare")):
            if after and (answer := await self._api.get("emails", paging(MOST, after))).ok:
                return answer, *listed(answer)
        answer = await self._api.get("emails", paging(MOST, ""))
        return answer, *listed(answer)

    async def _states(
        self,
        items: Sequence[Mapping[str, Any]],
        asked: Asked,
        bounced: dict[str, str],
        *,
        everyone: bool = False,
    ) -> list[RawEvent]:
        """What a page of mails tells, bounces once they are decided.

        Args:
            items: the mails.
            asked: which of them are waited for.
            bounced: since when those that bounced are looked up, "" for those that are told.
            everyone: whether those are told that nobody waits for any more, too.
        """
        waited = {each.provider_id for each in asked.waiting}
        found = []
        for item in items:
            mail_id, state = item["id"], item.get("last_event")
            if not self._is_ours(item):
                continue
            if state not in ("bounced", "suppressed"):
                found.append(record_of(item, self._now()))
                continue
            since = bounced.setdefault(mail_id, asked.now.isoformat())
            if not since or not (everyone or mail_id in waited):
                continue
            listing = await self._listing(recipient_of(item))
            is_hard = listing is not None and listing.get("origin") == "bounce"
            young = asked.now - datetime.fromisoformat(since) < _UNDECIDED
            if state == "bounced" and not is_hard and young and not everyone:
                continue
            bounced[mail_id] = ""
            found.append(record_of(item, self._now(), suppression=listing))
        return found

    async def _listing(self, recipient: str) -> dict[str, Any] | None:
        """The entry of an address in the list of whom nothing is sent to; None where it has none."""
        if not recipient:
            return None
        answer = await self._api.get(f"suppressions/{quote(recipient, safe='')}")
        return answer.object() if answer.ok else None

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        sender = parseaddr(str(item.get("from", "")))[1]
        return not self.account or domain_of(sender) == domain_of(self.account)

    async def _received(self, cursor: Cursor, asked: Asked) -> Page:
        """A page of the mails that came in, as the last part of a poll.

        What turns up late in the list is found within a day. An inbox that cannot be read just now
        does not hold up the states of the mails: it is read by the next poll.
        """
        following = {name: at for name, at in cursor.items() if name not in {"step", "received"}}
        kept = dict(cursor.get("received", {}))
        if asked.since is None:
            return Page(events=(), cursor={**following, "received": kept}, more=False)
        until = moment(kept.get("until")) or max(asked.since, asked.now - POLLED)
        known = {each: datetime.fromisoformat(at) for each, at in kept.get("ids", {}).items()}
        try:
            answer, items, more = await self._inbox(kept.get("after", ""))
        except Unavailable:
            return Page(events=(), cursor={**following, "received": kept}, more=False)
        mails, whole = await self._new_mails(items, known, until - _BEHIND)
        last = moment(items[-1].get("created_at")) if items else None
        goes_on = more and last is not None and last > until - _BEHIND
        if whole and not goes_on:
            until = max(until, *known.values()) if known else until
            known = {each: at for each, at in known.items() if at > until - _BEHIND}
        received: dict[str, Any] = {
            "until": until.isoformat(),
            "ids": {each: at.isoformat() for each, at in known.items()},
        }
        if whole and goes_on:
            following["step"] = "received"
            received["after"] = items[-1]["id"]
        return Page(
            events=(),
            cursor={**following, "received": received},
            more=whole and goes_on,
            mails=mails,
            server_time=answer.server_time,
        )

    async def _inbox(self, after: str) -> tuple[Answer, list[dict[str, Any]], bool]:
        """A page of what came in; from the beginning where its place is not known any more."""
        answer = await self._api.get("emails/receiving", paging(_RECEIVED_AT_ONCE, after))
        if after and not answer.ok:
            answer = await self._api.get("emails/receiving", paging(_RECEIVED_AT_ONCE, ""))
        # Accounts that receive nothing may not have the list at all.
        return (answer, *listed(answer)) if answer.ok else (answer, [], False)

    async def _new_mails(
        self, items: Sequence[Mapping[str, Any]], known: dict[str, datetime], since: datetime
    ) -> tuple[list[RawMail], bool]:
        """The mails of a page that are new, noted in `known`; and whether all could be read."""
        mails: list[RawMail] = []
        for item in items:
            at = moment(item.get("created_at"))
            if at is None or at <= since or item["id"] in known:
                continue
            try:
                answer = await self._api.get(f"emails/receiving/{quote(item['id'], safe='')}")
                if answer.ok:
                    mails.append(RawMail(rebuild(answer.object()), at))
            except Unavailable:
                return mails, False
            known[item["id"]] = at
        return mails, True

    async def reconcile(self, asked: Asked, since: datetime) -> Sequence[RawEvent]:
        """What polling does not reach: the states of older mails, and Resend's list of addresses."""
        events: list[RawEvent] = []
        # Bounces that polling still looks up are left to it.
        bounced = {each.provider_id: "" for each in asked.waiting}
        async for items in self._back("emails", since - POLLED):
            events += await self._states(items, asked, bounced, everyone=True)
        waited = {each.provider_id for each in asked.waiting}
        async for items in self._back("suppressions", since):
            events += [
                RawEvent(
                    f"suppression:{item['id']}",
                    {"suppression": item, "waited": str(item.get("source_id")) in waited},
                )
                for item in items
                if str(item.get("origin")) in ON_LIST
            ]
        return events

    async def _back(self, path: str, since: datetime) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of a list, the newest first, back to a time."""
        after = ""
        while True:
            items, more = listed(await self._api.get(path, paging(MOST, after)))
            yield items
            last = moment(items[-1].get("created_at")) if items else None
            done = last is not None and last < since - _SLACK
            if done or not more or items[-1]["id"] == after:
                return
            after = items[-1]["id"]
