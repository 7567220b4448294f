"""Polling Resend: the last state of every mail, bounces decided by its list, mails that came in.

Whether a bounce is for good is told by Resend's list of whom it sends nothing to: an address that
bounced is looked up there for an hour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any
from urllib.parse import quote

import httpx

from crm_tui.config.sections import ResendSettings
from crm_tui.providers.base import Unavailable
from crm_tui.providers.events import Asked, Cursor, Page, ProviderEvent, RawEvent, RawMail
from crm_tui.providers.http import Answer, Api, OverApi
from crm_tui.providers.resend_api import (
    MOST,
    SLACK,
    api_of,
    domain_of,
    listed,
    moment,
    paging,
    recipient_of,
)
from crm_tui.providers.resend_mail import rebuild
from crm_tui.providers.resend_states import ON_LIST, parse_event, record_of
from crm_tui.providers.secrets import Lookup

POLLED = timedelta(days=7)
"""How long after it was sent the state of a mail is read."""

_MOST_PAGES = 200
"""Pages of mails that one poll reads at most: more than hold what is waited for."""
_CUT_SHORT = (
    "Resend's list of mails could not be read to its end in one poll; the next one goes on behind what"
    " was read."
)
_NO_INBOX = "The mails that came in at Resend could not all be read: {error}"
_RECEIVED_AT_ONCE = 20
_UNDECIDED = timedelta(hours=1)
"""How long a bounced address is looked up before the bounce is taken for one that passes."""
_BEHIND = timedelta(days=1)
"""How late a mail that came in may turn up in the list."""


class ResendStream(OverApi):
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
        super().__init__(api or api_of(settings, key, transport=transport))

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
        pages, why = int(cursor.get("pages", 0)) + 1, ""
        if more and (last is None or last >= oldest - SLACK):
            kept |= {"after": items[-1]["id"], "spare": items[-2:][0]["id"]}
            if pages < _MOST_PAGES:
                following = {**kept, "pages": pages}
                return Page(events=events, cursor=following, more=True, server_time=clock)
            why = _CUT_SHORT
        page = await self._received(kept, asked)
        why = why or page.cut_short
        return replace(page, events=events, server_time=clock, cut_short=why)

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
        sender = parseaddr(str(item.get("from") or ""))[1]
        # Where it is not told, it is ours if it is waited for.
        return not self.account or not sender or domain_of(sender) == domain_of(self.account)

    async def _received(self, cursor: Cursor, asked: Asked) -> Page:
        """A page of the mails that came in, as the last part of a poll.

        What turns up late in the list is found within a day. An inbox that cannot be read just now
        does not hold up the states of the mails: that is told, and it is read by the next poll.
        """
        following = {name: at for name, at in cursor.items() if name not in {"step", "received"}}
        kept = dict(cursor.get("received", {}))
        if asked.since is None:
            return Page(events=(), cursor={**following, "received": kept}, more=False)
        until = moment(kept.get("until")) or max(asked.since, asked.now - POLLED)
        known = {each: datetime.fromisoformat(at) for each, at in kept.get("ids", {}).items()}
        try:
            answer, items, more = await self._inbox(kept.get("after", ""))
        except Unavailable as error:
            cursor, why = {**following, "received": kept}, _NO_INBOX.format(error=error)
            return Page(events=(), cursor=cursor, more=False, cut_short=why)
        mails, trouble = await self._new_mails(items, known, until - _BEHIND)
        last = moment(items[-1].get("created_at")) if items else None
        end = items[-1]["id"] if items else ""
        goes_on = more and last is not None and last > until - _BEHIND and end != kept.get("after")
        if not (trouble or goes_on):
            until = max(until, *known.values()) if known else until
            known = {each: at for each, at in known.items() if at > until - _BEHIND}
        received: dict[str, Any] = {
            "until": until.isoformat(),
            "ids": {each: at.isoformat() for each, at in known.items()},
        }
        if goes_on and not trouble:
            following["step"] = "received"
            received["after"] = end
        return Page(
            events=(),
            cursor={**following, "received": received},
            more=goes_on and not trouble,
            mails=mails,
            server_time=answer.server_time,
            cut_short=_NO_INBOX.format(error=trouble) if trouble else "",
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
    ) -> tuple[list[RawMail], str]:
        """The mails of a page that are new, noted in `known`; and why not all could be read."""
        mails: list[RawMail] = []
        for item in items:
            at = moment(item.get("created_at"))
            if at is None or at <= since or item["id"] in known:
                continue
            try:
                answer = await self._api.get(f"emails/receiving/{quote(item['id'], safe='')}")
                if answer.ok:
                    mails.append(RawMail(rebuild(answer.object()), at))
            except Unavailable as error:
                return mails, str(error)
            known[item["id"]] = at
        return mails, ""

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
            done = last is not None and last < since - SLACK
            if done or not more or items[-1]["id"] == after:
                return
            after = items[-1]["id"]
