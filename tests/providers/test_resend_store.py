"""From Resend into the store: every state once, whatever goes wrong and wherever it is killed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import ContactPoint, Event, Message, RawRecord, StreamGap, SyncCursor
from crm_tui.providers.base import OutgoingMail
from crm_tui.providers.events import Asked, Cursor, Page
from crm_tui.providers.resend import ResendSender, ResendStream
from crm_tui.providers.resend_api import api_of
from crm_tui.services.polling.collecting import Poller
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.certainty import find_out
from crm_tui.services.sending.hours import read_rules
from crm_tui.vocabulary import ContactState, EventKind, MessageState
from tests.conftest import NOW
from tests.polling.sent import mine, reader, sent_campaign
from tests.world.resend import DOMAIN, FakeResend
from tests.world.world import Faults, World

STORIES = {
    "delivered": (("delivered",), {EventKind.DELIVERED}),
    "opened": (("delivered", "opened"), {EventKind.DELIVERED, EventKind.OPENED}),
    "clicked": (
        ("delivered", "opened", "clicked"),
        {EventKind.DELIVERED, EventKind.OPENED, EventKind.CLICKED},
    ),
    "hard": (("bounced",), {EventKind.BOUNCED}),
    "soft": (("bounced",), {EventKind.SOFT_BOUNCED}),
    "failed": (("failed",), {EventKind.NOT_SENT}),
}


class Killed(RuntimeError):
    """The program is gone."""


class Mortal(ResendStream):
    """A stream whose program is killed now and then once a page came, before it is kept."""

    chance = random.Random(4)

    async def fetch_events(self, cursor: Cursor, asked: Asked) -> Page:
        page = await super().fetch_events(cursor, asked)
        if self.chance.random() < 0.2:
            raise Killed
        return page


def stream_of(resend: FakeResend, kind: type[ResendStream] = ResendStream) -> ResendStream:
    world = resend.world
    api = api_of(resend.settings, resend.key, transport=world.transport())
    api.sleep = world.sleep
    return kind(resend.settings, resend.key, account=DOMAIN, now=world.clock, api=api)


async def poll(db: Database, stream: ResendStream, resend: FakeResend) -> None:
    """A poll of the worker, insisted upon; it may end at any point."""
    try:
        await Poller(db, stream, reader(), mine(), resend.world.clock).poll(insist=True)
    except Killed:
        return


async def went(db: Database, resend: FakeResend, number: int) -> list[str]:
    """A campaign that Resend sent."""
    names = await sent_campaign(db, number, at=NOW, provider="resend")
    for each, name in enumerate(names, start=1):
        resend.sent_before(name, f"lead{each}@acme.example", at=NOW)
    return names


async def handed_over(db: Database, mine: Account, key: str) -> OutgoingMail:
    """A mail as it was handed over the first time."""
    async with db.read() as session:
        (row,) = await session.scalars(select(Message).where(Message.key == key))
    return OutgoingMail(
        key=row.key,
        message_id=row.message_id,
        date=NOW,
        sender_name=mine.name,
        sender=mine.address,
        to=row.address,
        subject=row.subject or "",
        text=row.body or "",
        list_unsubscribe=(mine.opt_out(row.token),),
    )


async def told(db: Database) -> Counter[tuple[str | None, EventKind]]:
    """What the timelines tell of each mail."""
    kinds = {kind for _, found in STORIES.values() for kind in found}
    async with db.read() as session:
        rows = await session.execute(
            select(Message.provider_id, Event.kind)
            .join(Event, Event.message_id == Message.id)
            .where(Event.kind.in_(kinds))
        )
        return Counter((name, kind) for name, kind in rows)


async def test_every_state_is_in_the_store_once_whatever_goes_wrong(db: Database) -> None:
    world = World(now=NOW, faults=Faults.all_at_once(), seed=11)
    resend = FakeResend(world, "resend")
    names = await went(db, resend, 130)
    stories = dict(zip(names, list(STORIES) * 30, strict=False))
    stream, chance = stream_of(resend, Mortal), random.Random(11)
    for step in range(3):
        for name in names:
            words, _ = STORIES[stories[name]]
            if step < len(words) and words[step] == "bounced":
                resend.bounce(name, hard=stories[name] == "hard", listed_after=timedelta(minutes=5))
            elif step < len(words):
                resend.happen(name, words[step])
        for _ in range(4):
            world.pass_time(seconds=chance.randrange(900))
            await poll(db, stream, resend)
    for _ in range(25):
        world.pass_time(minutes=20)
        await poll(db, stream, resend)

    expected = {(name, kind) for name in names for kind in STORIES[stories[name]][1]}
    found = await told(db)
    assert set(found) == expected
    assert set(found.values()) == {1}


async def test_a_quiet_poll_writes_nothing(db: Database) -> None:
    world = World(now=NOW)
    resend = FakeResend(world, "resend")
    names = await went(db, resend, 5)
    resend.happen(names[0], "opened")
    stream = stream_of(resend)
    await poll(db, stream, resend)
    async with db.read() as session:
        kept = await session.scalar(select(func.count()).select_from(RawRecord))
        (cursor,) = await session.scalars(select(SyncCursor))
        before = dict(cursor.cursor)
    world.pass_time(minutes=5)
    resend.stranger()
    resend.stranger(DOMAIN)
    await poll(db, stream, resend)

    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(RawRecord)) == kept
        (cursor,) = await session.scalars(select(SyncCursor))
        assert cursor.cursor == before
        assert cursor.problem is None


async def test_after_weeks_away_the_gap_is_noted_and_filled(db: Database) -> None:
    world = World(now=NOW)
    resend = FakeResend(world, "resend")
    names = await went(db, resend, 3)
    stream = stream_of(resend)
    await poll(db, stream, resend)
    world.pass_time(days=2)
    resend.happen(names[0], "clicked")
    resend.bounce(names[1], hard=True)
    world.pass_time(days=20)
    for _ in range(3):
        await poll(db, stream, resend)
        world.pass_time(minutes=20)

    assert await told(db) == {
        (names[0], EventKind.DELIVERED): 1,
        (names[0], EventKind.OPENED): 1,
        (names[0], EventKind.CLICKED): 1,
        (names[1], EventKind.BOUNCED): 1,
    }
    async with db.read() as session:
        (gap,) = await session.scalars(select(StreamGap))
        assert gap.filled_at is not None


@pytest.mark.parametrize("quiet_hours", ["", "00:00-23:59"])
async def test_who_opted_out_or_sleeps_is_not_written_to_again_to_make_sure(
    db: Database, quiet_hours: str
) -> None:
    world = World(now=NOW)
    resend = FakeResend(world, "resend")
    await sent_campaign(db, 1, at=NOW, provider="resend")
    async with db.write() as session:
        await session.execute(
            update(Message).values(
                state=MessageState.UNCERTAIN, provider_id=None, sent_at=None, reason="cut off"
            )
        )
        if not quiet_hours:
            await session.execute(update(ContactPoint).values(state=ContactState.UNSUBSCRIBED))
    rules = read_rules(quiet_hours, weekdays_only=False)
    ours = replace(mine(), provider="resend", address=f"ann@{DOMAIN}", rules=rules)
    async with ResendSender(resend.settings, resend.key, transport=world.transport()) as sender:
        assert await find_out(db, sender, ours, now=world.clock) == 0
    assert resend.mails == {}


@pytest.mark.parametrize("hours", [1, 30])
async def test_an_uncertain_mail_that_went_is_found_and_not_sent_again(
    db: Database, hours: int
) -> None:
    world = World(now=NOW)
    resend = FakeResend(world, "resend")
    went_there, never_came = await sent_campaign(db, 2, at=NOW, provider="resend")
    async with db.write() as session:
        await session.execute(
            update(Message).values(
                state=MessageState.UNCERTAIN, provider_id=None, sent_at=None, reason="cut off"
            )
        )
    ours = replace(
        mine(),
        provider="resend",
        address=f"ann@{DOMAIN}",
        rules=read_rules("", weekdays_only=False),
    )
    async with ResendSender(resend.settings, resend.key, transport=world.transport()) as sender:
        sent = await sender.send(await handed_over(db, ours, f"{went_there}-1"))
        world.pass_time(hours=hours)

        settled = await find_out(db, sender, ours, now=world.clock)

    async with db.read() as session:
        rows = await session.execute(select(Message.key, Message.state, Message.provider_id))
        found = {key: (state, provider_id) for key, state, provider_id in rows}
    assert found[f"{went_there}-1"] == (MessageState.SENT, sent.provider_id)
    if hours < 23:  # its key is known: handed over again, it goes at last
        assert (settled, len(resend.mails)) == (2, 2)
        assert found[f"{never_came}-1"][0] is MessageState.SENT
    else:
        assert (settled, len(resend.mails)) == (1, 1)
        assert found[f"{never_came}-1"] == (MessageState.UNCERTAIN, None)
