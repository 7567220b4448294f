"""What tests of Twilio share: an account in a world of our own, and a store of what it told."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from crm_tui.providers.base import Handed, OutgoingSms, ProviderError, Sent, Unavailable, Unclear
from crm_tui.providers.events import Asked, Cursor, ProviderEvent, Waiting
from crm_tui.providers.http import Api
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.twilio import TwilioSender, TwilioStream, api_of, parse_event
from crm_tui.providers.twilio_records import FINAL
from tests.world.twilio import NUMBER, TOKEN, FakeTwilio
from tests.world.world import NO_FAULTS, Faults, World

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
KEY = Lookup.of(Secret(TOKEN))
LEAD = "+15550100300"


def a_twilio(faults: Faults = NO_FAULTS, seed: int = 0) -> FakeTwilio:
    """An account at Twilio, in a world of its own."""
    return FakeTwilio(World(now=NOW, faults=faults, seed=seed), "twilio")


def an_api(
    twilio: FakeTwilio, transport: httpx.AsyncBaseTransport | None = None, key: Lookup = KEY
) -> Api:
    """Its API, waiting in the world's time."""
    api = api_of(twilio.settings, key, transport=transport or twilio.world.transport())
    api.sleep, api.jitter = twilio.world.sleep, twilio.world.random.random
    return api


def a_sender(twilio: FakeTwilio, transport: httpx.AsyncBaseTransport | None = None) -> TwilioSender:
    """A sender through it."""
    return TwilioSender(twilio.settings, KEY, api=an_api(twilio, transport))


def a_stream(
    twilio: FakeTwilio,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    page_size: int = 1000,
) -> TwilioStream:
    """A stream of what it tells."""
    api = an_api(twilio, transport)
    clock = twilio.world.clock
    return TwilioStream(twilio.settings, KEY, now=clock, api=api, page_size=page_size)


def a_text(
    text: str = "Your new site is ready.", *, to: str = LEAD, sender: str = NUMBER, key: str = "k1"
) -> OutgoingSms:
    """A text message."""
    return OutgoingSms(key=key, sender=sender, to=to, text=text)


async def send_for_sure(twilio: FakeTwilio, sender: TwilioSender, sms: OutgoingSms) -> Sent:
    """Send a message as a careful operator does: what is unclear is looked up before it is repeated."""
    while True:
        at = twilio.world.now
        try:
            return await sender.send(sms)
        except Unavailable as error:
            await twilio.world.sleep(error.after or 1)
        except Unclear:
            handed = Handed(key=sms.key, message_id=sms.key, to=sms.to, text=sms.text, at=at)
            if (found := await _sure(twilio, sender, handed)) is not None:
                return found


async def _sure(twilio: FakeTwilio, sender: TwilioSender, handed: Handed) -> Sent | None:
    while True:
        try:
            return await sender.find(handed)
        except Unavailable as error:
            await twilio.world.sleep(error.after or 1)


@dataclass
class Kept:
    """A store of what a stream told; a page and its cursor are kept together, or not at all.

    Attributes:
        dies: how often it dies between fetching a page and keeping it.
    """

    cursor: Cursor = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    dies: float = 0
    random: random.Random = field(default_factory=lambda: random.Random(0))
    pages: int = 0
    new: int = 0
    troubles: list[str] = field(default_factory=list)

    def sent(self, sent: Sent, at: datetime) -> str:
        """Note a message that Twilio took."""
        assert sent.provider_id is not None
        self.waiting[sent.provider_id] = Waiting(sent.provider_id, at)
        return sent.provider_id

    async def poll(self, stream: TwilioStream, now: Callable[[], datetime]) -> None:
        """Poll once, to the end; or until there is trouble, which the next poll tries again."""
        since = min((each.sent_at for each in self.waiting.values()), default=None)
        more = True
        while more:
            waiting = sorted(self.waiting.values(), key=lambda each: each.sent_at, reverse=True)
            try:
                asked = Asked(now=now(), since=since, waiting=waiting)
                page = await stream.fetch_events(self.cursor, asked)
            except ProviderError as error:
                self.troubles.append(str(error))
                return
            if self.random.random() < self.dies:
                return
            self.pages += 1
            for each in page.events:
                self.new += each.external_id not in self.records
                self.records.setdefault(each.external_id, each.payload)
                sid = each.payload.get("sid")
                if sid in self.waiting and each.payload.get("status") in FINAL:
                    was = self.waiting[sid]
                    self.waiting[sid] = Waiting(was.provider_id, was.sent_at, settled=True)
            self.cursor, more = page.cursor, page.more
            if page.cut_short:
                self.troubles.append(page.cut_short)

    def events(self) -> dict[str, ProviderEvent]:
        """What the records say, by name."""
        told: dict[str, ProviderEvent] = {}
        for each in self.records.values():
            for event in parse_event(each):
                told.setdefault(event.name, event)
        return told
