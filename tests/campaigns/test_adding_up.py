"""Whatever is done to a campaign, in whichever order, everybody in it is accounted for."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.errors import BadInput
from crm_tui.providers.base import ProviderError, Refused, Sent, TryLater, Unavailable, Unclear
from crm_tui.services import never
from crm_tui.services.campaigns import freezing, mending, running
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.sending import recover
from crm_tui.services.sending.claim import Claimed
from crm_tui.vocabulary import CampaignState, MessageState
from tests.campaigns.making import (
    AGAIN,
    a_frozen,
    a_step,
    add_leads,
    figures_of,
    ledger_of,
    settings_to_send,
    state_of,
)
from tests.sending.queue import Desk, accepted, an_account

BEGIN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SETTINGS = settings_to_send()
STEPS = (a_step(), a_step(AGAIN, delay="1d"))
OPEN = {MessageState.QUEUED, MessageState.SENDING, MessageState.UNCERTAIN}

OPERATIONS = st.lists(
    st.sampled_from(
        "claim sent refused later unclear unavailable claim sent wait pause resume cancel add edit "
        "retry skip never decide".split()
    ),
    min_size=1,
    max_size=25,
)


class Campaign:
    """A campaign that runs, and what can happen to it."""

    def __init__(self, db: Database, number: int, chance: random.Random) -> None:
        self.db = db
        self.desk = Desk(db)
        self.number = number
        self.chance = chance
        self.now = BEGIN
        self.on_way: list[Claimed] = []
        self.sent: list[int] = []

    async def do(self, operation: str) -> None:
        """One thing, as far as it is allowed just then."""
        self.now += timedelta(minutes=1)
        if operation in {"claim", "sent", "refused", "later", "unclear", "unavailable"}:
            await self._queue(operation)
            return
        try:
            await getattr(self, f"_{operation}")()
        except BadInput:
            return

    async def _queue(self, operation: str) -> None:
        if operation == "claim":
            self.on_way += await self.desk.claim(self.now, most=self.chance.randint(1, 3))
            return
        if not self.on_way:
            return
        message = self.on_way.pop(0)
        answers: dict[str, Sent | ProviderError] = {
            "sent": accepted(message.mail),
            "refused": Refused("550 no such user", hard=self.chance.random() < 0.5),
            "later": TryLater("450 not now"),
            "unclear": Unclear("the connection was lost"),
            "unavailable": Unavailable("it is down"),
        }
        if operation in {"sent", "unclear"}:
            self.sent.append(message.id)
        await self.desk.record(self.now, (message, answers[operation]))

    async def _wait(self) -> None:
        self.now += timedelta(days=1, hours=2)

    async def _pause(self) -> None:
        async with self.db.write() as session:
            await running.pause(session, self.number, now=self.now)

    async def _resume(self) -> None:
        async with self.db.write() as session:
            await running.resume(session, self.number, now=self.now)

    async def _cancel(self) -> None:
        if self.chance.random() < 0.3:
            await running.cancel(self.db, self.number, now=self.now)

    async def _add(self) -> None:
        await freezing.add(self.db, self.number, Audience(""), settings=SETTINGS, now=self.now)

    async def _edit(self) -> None:
        async with self.db.write() as session:
            await mending.edit_step(session, self.number, 1, a_step(), now=self.now)

    async def _retry(self) -> None:
        async with self.db.write() as session:
            await mending.retry(session, self.number, now=self.now)

    async def _skip(self) -> None:
        async with self.db.write() as session:
            lead = self.chance.randint(1, 6)
            await mending.skip(session, self.number, [lead], now=self.now)

    async def _never(self) -> None:
        async with self.db.write() as session:
            await never.never(session, [self.chance.randint(1, 6)], "no", now=self.now)

    async def _decide(self) -> None:
        """The operator says that an uncertain mail was sent."""
        async with self.db.write() as session:
            uncertain = await session.scalar(
                select(Message.id).where(Message.state == MessageState.UNCERTAIN).limit(1)
            )
            if uncertain is not None:
                await recover.decide(
                    session, uncertain, sent=True, account=an_account(), now=self.now
                )

    async def check(self) -> None:
        """What must hold after everything that was committed."""
        figures, rows = (
            await figures_of(self.db, self.number),
            await ledger_of(self.db, self.number),
        )
        counts = figures.counts.plain()
        assert counts.pop("audience") == sum(counts.values()) == len(rows)
        assert figures.recipients * len(STEPS) == len(rows)
        for step in figures.steps:
            of_step = step.counts.plain()
            assert of_step.pop("audience") == sum(of_step.values()) == figures.recipients
        state = await state_of(self.db, self.number)
        if state is CampaignState.FINISHED:
            assert not OPEN & {row.state for row in rows}
        by_lead = {(row.business_id, row.step): row for row in rows}
        for row in rows:
            if row.state in {MessageState.FAILED, MessageState.SKIPPED, MessageState.CANCELED}:
                assert row.reason
            if row.step == 2 and row.state is MessageState.SENT:
                assert by_lead[row.business_id, 1].state is MessageState.SENT
        assert len(set(self.sent)) == len(self.sent), "somebody got a mail twice"


async def play(operations: list[str], seed: int, store: Path) -> None:
    db = Database(store)
    try:
        await add_leads(db, 4, BEGIN)
        number, _ = await a_frozen(db, SETTINGS, BEGIN, steps=STEPS)
        await add_leads_later(db)
        await running.start(db, number, settings=SETTINGS, now=BEGIN)
        campaign = Campaign(db, number, random.Random(seed))
        for operation in operations:
            await campaign.do(operation)
            await campaign.check()
    finally:
        await db.close()


async def add_leads_later(db: Database) -> None:
    """Two leads that are not in the campaign yet."""
    for name in ("late", "later"):
        await add_leads(db, 1, BEGIN, name=name, email=f"joe@{name}.com")


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(operations=OPERATIONS, seed=st.integers(0, 99))
def test_the_counts_add_up_after_everything(
    empty_store: Path, operations: list[str], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(shutil.copy(empty_store, Path(folder, "crm.db")))
        asyncio.run(play(operations, seed, store))
