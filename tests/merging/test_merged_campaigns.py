"""Leads of one campaign that turn out to be one business: it gets each step once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.services.merge.campaigns import TWICE
from tests.queue_rows import add_campaign, campaign_state, mark_sent, messages

if TYPE_CHECKING:
    from tests.merging.conftest import Work

ADA, BEA = "ada", "bea"


async def both(work: Work) -> tuple[int, int]:
    return (
        await work.add("Ada", email="ada@heating.com"),
        await work.add("Bea", email="bea@heating.com"),
    )


@pytest.mark.parametrize(
    ("sent", "goes_on"),
    [
        ((), ADA),
        ((ADA,), ADA),
        ((BEA,), BEA),
        ((ADA, BEA), ADA),
    ],
)
async def test_the_sequence_that_came_furthest_goes_on_and_the_other_is_skipped(
    work: Work, db: Database, now: datetime, sent: Sequence[str], goes_on: str
) -> None:
    ada, bea = await both(work)
    ids = {ADA: ada, BEA: bea}
    campaign = await add_campaign(db, [ada, bea], now=now, steps=2)
    for name in sent:
        await mark_sent(db, campaign, ids[name], 1, now)
    before = await messages(db, campaign)
    entry = await work.merge(ada, bea)
    after = await messages(db, campaign)
    for (lead, step), known in before.items():
        skipped = known[0] == "queued" and lead != ids[goes_on]
        assert after[lead, step] == (("skipped", TWICE) if skipped else known)
    assert await campaign_state(db, campaign) == "running"
    await work.take_back(entry)
    assert await messages(db, campaign) == before


async def test_a_sequence_whose_mail_came_back_does_not_keep_the_other_from_going(
    work: Work, db: Database, now: datetime
) -> None:
    ada, bea = await both(work)
    campaign = await add_campaign(db, [ada, bea], now=now)
    await mark_sent(db, campaign, ada, 1, now)
    async with db.write() as session:
        await session.execute(
            update(Message).where(Message.origin_id == ada).values(bounced_at=now)
        )
    await work.merge(ada, bea)
    assert (await messages(db, campaign))[bea, 1] == ("queued", None)


async def test_a_campaign_that_has_nothing_left_after_a_merge_is_over_until_it_is_split(
    work: Work, db: Database, now: datetime
) -> None:
    ada, bea = await both(work)
    campaign = await add_campaign(db, [ada, bea], now=now)
    await mark_sent(db, campaign, ada, 1, now)
    await work.merge(ada, bea)
    assert await campaign_state(db, campaign) == "finished"
    split = await work.split(bea)
    assert split.left == []
    assert (await messages(db, campaign))[bea, 1] == ("queued", None)
    assert await campaign_state(db, campaign) == "running"


async def test_what_waits_in_different_campaigns_goes_on(
    work: Work, db: Database, now: datetime
) -> None:
    ada, bea = await both(work)
    first = await add_campaign(db, [ada], now=now)
    second = await add_campaign(db, [bea], now=now, name="Autumn mail")
    await work.merge(ada, bea)
    assert await messages(db, first) == {(ada, 1): ("queued", None)}
    assert await messages(db, second) == {(bea, 1): ("queued", None)}
