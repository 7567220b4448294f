"""What Mailgun tells is read whole: late, twice, in any order, and whatever breaks in between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from crm_tui.providers.base import Unavailable
from crm_tui.providers.events import Asked, Happening, Page, ProviderEvent, RawEvent, RawMail
from crm_tui.providers.mailgun import MailgunStream
from crm_tui.providers.mailgun_api import api_of
from tests.world.mailgun import FakeMailgun
from tests.world.world import World

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
By = Literal["logs", "events"]
both = pytest.mark.parametrize("by", ["logs", "events"])


class Reading:
    """Polls a stream as the worker does, and keeps what it was given."""

    def __init__(
        self, mailgun: FakeMailgun, by: By = "logs", *, keeps: timedelta = timedelta(days=1)
    ) -> None:
        self.world, self.mailgun = mailgun.world, mailgun
        settings = mailgun.settings(by)
        world = mailgun.world
        api = api_of(
            settings,
            mailgun.lookup(),
            transport=world.transport(),
            sleep=world.sleep,
            jitter=lambda: 1.0,
        )
        self.stream = MailgunStream(
            settings, mailgun.lookup(), now=world.clock, api=api, keeps=keeps
        )
        self.since = world.now
        self.cursor: str = "{}"
        self.pages: list[Page] = []
        self.mails: list[RawMail] = []

    async def page(self) -> Page:
        """One page; its cursor is kept as the store keeps it."""
        asked = Asked(now=self.world.now, since=self.since)
        page = await self.stream.fetch_events(json.loads(self.cursor), asked)
        self.cursor = json.dumps(page.cursor)
        self.pages.append(page)
        self.mails += page.mails
        return page

    async def poll(self) -> None:
        """To the end, or until something breaks."""
        for _ in range(1000):
            try:
                page = await self.page()
            except Unavailable:
                return
            if not page.more:
                return
        raise AssertionError("it does not come to an end")

    def events(self) -> dict[str, ProviderEvent]:
        """What was told, in our words, by its names."""
        raws = [raw for page in self.pages for raw in page.events]
        return named(self.stream, raws)

    def kinds(self) -> list[Happening]:
        """What happened, in the order of time."""
        return [e.kind for e in sorted(self.events().values(), key=lambda e: e.occurred_at)]


def named(stream: MailgunStream, raws: Sequence[RawEvent]) -> dict[str, ProviderEvent]:
    found = {}
    for raw in raws:
        for event in stream.parse_event(raw.payload):
            assert event.name == raw.external_id
            found[event.name] = event
    return found


@both
async def test_what_happened_to_a_mail_is_told_once(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    message = mailgun.accept("m-1")
    for word in ("delivered", "opened", "clicked"):
        world.pass_time(minutes=1)
        mailgun.happen(message, word)
    await reading.poll()
    kinds = [Happening.SENT, Happening.DELIVERED, Happening.OPENED, Happening.CLICKED]
    assert reading.kinds() == kinds
    assert {event.key for event in reading.events().values()} == {"m-1"}
    assert {event.provider_id for event in reading.events().values()} == {message}
