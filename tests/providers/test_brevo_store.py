"""From Brevo into the store: every event once, whatever goes wrong and wherever it is killed."""

from __future__ import annotations

import random
from datetime import timedelta, timezone
from typing import Any

from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Event, Message, RawRecord, StreamGap, SyncCursor
from crm_tui.providers.brevo_api import open_api
from crm_tui.providers.brevo_stream import KEEPS, BrevoStream
from crm_tui.providers.events import Asked, Cursor, Page
from crm_tui.services.polling.collecting import Poller
from crm_tui.vocabulary import EventKind
from tests.conftest import NOW
from tests.polling.sent import mine, reader, sent_campaign
from tests.world.brevo import FakeBrevo, oracle
from tests.world.world import Faults, World

KINDS = {
    "delivered": EventKind.DELIVERED,
    "opened": EventKind.OPENED,
    "loadedByProxy": EventKind.OPENED,
    "clicks": EventKind.CLICKED,
    "hardBounces": EventKind.BOUNCED,
}


class Killed(RuntimeError):
    """The program is gone."""


class Mortal(BrevoStream):
    """A stream whose program is killed now and then once a page came, before it is kept."""

    chance = random.Random(4)

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        page = await super().fetch_events(cursor, asked)
        if self.chance.random() < 0.2:
            raise Killed
        return page


def stream_of(brevo: FakeBrevo, kind: type[BrevoStream] = BrevoStream) -> BrevoStream:
    world = brevo.world
    api = open_api(brevo.settings, brevo.key, transport=world.transport(), sleep=world.sleep)
    return kind(brevo.settings, brevo.key, account="example.com", now=world.clock, api=api, page=30)


async def poll(db: Database, stream: BrevoStream, brevo: FakeBrevo) -> None:
    """A poll of the worker, insisted upon; it may end at any point."""
    try:
        await Poller(db, stream, reader(), mine(), brevo.world.clock).poll(insist=True)
    except Killed:
        return


async def went(db: Database, brevo: FakeBrevo, number: int) -> list[str]:
    """A campaign that Brevo sent."""
    names = await sent_campaign(db, number, at=NOW, provider="brevo")
    for each, name in enumerate(names, start=1):
        brevo.mails[name] = {"to": [{"email": f"lead{each}@acme.example"}], "subject": "Hello"}
        brevo.sent_at[name] = NOW
        brevo.happen(name, "requests")
    return names


async def test_every_event_is_in_the_store_once_whatever_goes_wrong(db: Database) -> None:
    world = World(now=NOW, faults=Faults.all_at_once(), seed=11)
    brevo = FakeBrevo(world, "brevo", zone=timezone(timedelta(hours=-6)))
    names = await went(db, brevo, 25)
    stream, chance = stream_of(brevo, Mortal), random.Random(11)
    for _ in range(40):
        world.pass_time(seconds=chance.randrange(600))
        for word in chance.choices(list(KINDS), k=3):
            facts: dict[str, Any] = {"link": "https://example.com/x"} if word == "clicks" else {}
            brevo.happen(chance.choice(names), word, **facts)
        await poll(db, stream, brevo)
    for _ in range(8):
        world.pass_time(minutes=30)
        for _ in range(3):
            await poll(db, stream, brevo)
    true = oracle(brevo)
    async with db.read() as session:
        kept = await session.scalars(select(RawRecord).where(RawRecord.source.contains("brevo")))
        assert len(list(kept)) == len(true)
        told = await session.execute(
            select(Message.provider_id, Event.kind, Event.occurred_at)
            .join(Event, Event.message_id == Message.id)
            .where(Event.kind.in_(KINDS.values()))
        )
        found = sorted((name, kind, at.isoformat()) for name, kind, at in told)
    assert found == sorted((n, KINDS[word], at) for n, word, at, _ in true if word in KINDS)


async def test_a_gap_is_noted_once_and_filled_from_the_list_of_blocked_contacts(
    db: Database,
) -> None:
    world = World(now=NOW, faults=Faults(keeps=KEEPS))
    brevo = FakeBrevo(world, "brevo")
    names = await went(db, brevo, 2)
    stream = stream_of(brevo)
    await poll(db, stream, brevo)
    world.pass_time(days=2)
    brevo.happen(names[1], "hardBounces")
    brevo.block("lead2@acme.example", "hardBounce", "Hard bounce", at=world.now)
    world.pass_time(days=50)
    for _ in range(3):
        await poll(db, stream, brevo)
        world.pass_time(minutes=20)
    async with db.read() as session:
        (gap,) = await session.scalars(select(StreamGap))
        assert gap.filled_at is not None
        assert (await session.scalars(select(SyncCursor))).one().problem is None
        bounced = await session.scalars(select(Message).where(Message.bounced_at.is_not(None)))
        assert [each.provider_id for each in bounced] == [names[1]]
