"""Whatever happens in whatever order: every recipient is accounted for, and no step goes twice."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Campaign, Message
from crm_tui.providers.base import (
    Blocked,
    Misconfigured,
    ProviderError,
    Refused,
    Sent,
    TryLater,
    Unavailable,
    Unclear,
    Unsendable,
)
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.sending.claim import Claimed
from crm_tui.services.sending.recover import decide, recover
from crm_tui.vocabulary import CampaignState, ContactStatus, EventKind, MessageState
from tests.conftest import NOW
from tests.sending.queue import (
    AGAIN,
    TEXT,
    Desk,
    a_claimer,
    accepted,
    add_campaign,
    add_leads,
    an_account,
    campaign_state,
    change,
)

LEADS = 4
STEPS = ((TEXT, None), (AGAIN, "3d"), (AGAIN, None))
ANSWERS = (
    "sent",
    Refused("550 no such user", hard=True),
    Refused("552 full", hard=False),
    Blocked("554 spam"),
    Unsendable("no address"),
    TryLater("451 later"),
    Unavailable("down"),
    Misconfigured("no login", fix="mend it"),
    Unclear("lost"),
    None,
)
ACTS = st.one_of(
    st.tuples(st.just("claim"), st.integers(1, 3)),
    st.tuples(st.just("back"), st.integers(0, 9)),
    st.tuples(st.just("twice"), st.integers(0, 9)),
    st.tuples(st.just("later"), st.sampled_from([1, 600, 86_400, 300_000])),
    st.tuples(st.just("answer"), st.integers(1, LEADS)),
    st.tuples(st.just("decide"), st.just(0)),
    st.tuples(st.just("die"), st.booleans()),
    st.tuples(st.sampled_from(["pause", "resume", "cancel"]), st.just(0)),
)


class World:
    """A campaign, what is on its way, and every mail that reached somebody."""

    def __init__(self, db: Database, campaign: int) -> None:
        self.db = db
        self.campaign = campaign
        self.now = NOW
        self.desk = Desk(db, a_claimer())
        self.on_way: list[Claimed] = []
        self.told: list[tuple[Claimed, Sent | ProviderError | None]] = []
        self.arrived: Counter[str] = Counter()

    async def act(self, what: str, how: Any) -> None:
        await getattr(self, what)(how)
        self.now += timedelta(seconds=1)

    async def claim(self, most: int) -> None:
        self.on_way += await self.desk.claim(self.now, most=most)

    async def back(self, which: int) -> None:
        """The provider answers for the longest on its way."""
        if not self.on_way:
            return
        message = self.on_way.pop(0)
        kind = ANSWERS[which]
        answer = accepted(message.mail) if kind == "sent" else kind
        assert not isinstance(answer, str)
        if isinstance(answer, Sent | Unclear):
            self.arrived[message.mail.message_id] += 1
        self.told.append((message, answer))
        await self.desk.record(self.now, (message, answer))

    async def twice(self, which: int) -> None:
        """Something that was recorded is recorded again."""
        sent = [each for each in self.told if isinstance(each[1], Sent)]
        if sent:
            await self.desk.record(self.now, sent[which % len(sent)])

    async def later(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    async def answer(self, lead: int) -> None:
        reply = NewEvent(
            lead, EventKind.REPLIED, self.now, "Yes!", "mailbox", moves_to=ContactStatus.REPLIED
        )
        async with self.db.write() as session:
            await events.record(session, reply, now=self.now)

    async def decide(self, _how: int) -> None:
        """The operator looks up whether an uncertain one arrived."""
        async with self.db.write() as session:
            for each in (await _ids(session, MessageState.UNCERTAIN))[:1]:
                message = await session.get_one(Message, each)
                arrived = self.arrived[message.message_id] > 0
                await decide(session, each, sent=arrived, account=an_account(), now=self.now)

    async def die(self, arrived: bool) -> None:
        """The sender dies with what is on its way, and another takes its place."""
        if arrived:
            self.arrived.update(claimed.mail.message_id for claimed in self.on_way)
        self.on_way.clear()
        owner = f"sender at {self.now}"
        await recover(self.db, an_account(), owner=owner, outbox=Path("/nonexistent"), now=self.now)
        self.desk = Desk(self.db, a_claimer(owner=owner))

    async def pause(self, _how: int) -> None:
        await self._set(CampaignState.RUNNING, CampaignState.PAUSED, pause_reason="you paused it")

    async def resume(self, _how: int) -> None:
        await self._set(CampaignState.PAUSED, CampaignState.RUNNING, pause_reason=None)

    async def cancel(self, _how: int) -> None:
        state, _ = await campaign_state(self.db, self.campaign)
        if state not in {CampaignState.RUNNING, CampaignState.PAUSED}:
            return
        await self._set(state, CampaignState.CANCELED, pause_reason=None, ended_at=self.now)
        async with self.db.write() as session:
            queued = await _ids(session, MessageState.QUEUED)
        if queued:
            await change(
                self.db, Message, queued, state=MessageState.CANCELED, reason="it was canceled"
            )

    async def _set(self, before: CampaignState, after: CampaignState, **values: Any) -> None:
        state, _ = await campaign_state(self.db, self.campaign)
        if state is before:
            await change(self.db, Campaign, [self.campaign], state=after, **values)


async def _ids(session: Any, state: MessageState) -> list[int]:
    rows = await session.scalars(select(Message.id).where(Message.state == state))
    return list(rows)


def accounted_for(store: Path, world: World) -> None:
    """What holds at every commit."""
    with closing(sqlite3.connect(store)) as connection:
        counts = Counter(
            dict(
                connection.execute("SELECT state, count(*) FROM message GROUP BY state").fetchall()
            )
        )
        reasons = connection.execute(
            "SELECT count(*) FROM message WHERE state IN ('failed', 'skipped', 'canceled',"
            " 'uncertain') AND trim(reason) = ''"
        ).fetchone()
        told = connection.execute(
            "SELECT count(*), count(DISTINCT message_id) FROM event WHERE kind = 'email_sent'"
        ).fetchone()
        (state,) = connection.execute("SELECT state FROM campaign").fetchone()
    assert sum(counts.values()) == LEADS * len(STEPS)
    assert counts["sending"] == len(world.on_way)
    assert reasons == (0,)
    assert told == (counts["sent"], counts["sent"])
    is_open = counts["queued"] + counts["sending"] + counts["uncertain"] > 0
    if state == "finished":
        assert not is_open
    assert max(world.arrived.values(), default=0) <= 1


@pytest.fixture(scope="module")
def ready(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a campaign of three steps to four leads, about to begin."""
    path = Path(shutil.copy(empty_store, tmp_path_factory.mktemp("ready") / "crm.db"))

    async def make() -> None:
        db = Database(path)
        await add_campaign(db, await add_leads(db, LEADS, NOW), NOW, steps=STEPS)
        await db.close()

    asyncio.run(make())
    return path


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(ACTS, min_size=1, max_size=40))
def test_every_recipient_is_accounted_for_at_every_commit_and_no_step_goes_twice(
    ready: Path, acts: list[tuple[str, Any]]
) -> None:
    async def live(store: Path) -> None:
        db = Database(store)
        try:
            world = World(db, 1)
            for what, how in acts:
                await world.act(what, how)
                accounted_for(store, world)
        finally:
            await db.close()

    with tempfile.TemporaryDirectory() as folder:
        store = Path(shutil.copy(ready, Path(folder) / "crm.db"))
        asyncio.run(live(store))
