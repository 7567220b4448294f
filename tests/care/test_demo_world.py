"""The demo's campaigns, and the people in it who answer mails that went nowhere."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Campaign, Event, Message, RawRecord, Site, Unmatched
from crm_tui.services.demo import open_world
from crm_tui.services.demo.account import demo_settings
from crm_tui.services.demo.campaigns import OVER, RUNNING
from crm_tui.services.demo.world import Reaction, World, course
from crm_tui.services.doctor import Severity, examine
from crm_tui.services.sending import standing
from crm_tui.services.sending.backoff import too_many_bounces
from crm_tui.vocabulary import CampaignState, EventKind, MessageState, UnmatchedKind
from crm_tui.worker import Worker
from tests.conftest import NOW


def test_what_becomes_of_a_mail_is_the_same_for_the_same_numbers_and_soon() -> None:
    for mail in range(200):
        became = course(mail, 7)
        assert became == course(mail, 7)
        assert timedelta(0) < became.after < timedelta(seconds=25)
    found = Counter(course(mail, 7).reaction for mail in range(400))
    assert set(found) == set(Reaction)
    assert found[Reaction.NOTHING] > 300


def test_never_do_so_many_bounce_that_the_campaign_would_pause() -> None:
    for first in range(40):
        bounced = [course(n, 7).reaction is Reaction.BOUNCES for n in range(first, first + 50)]
        for length in range(1, 51):
            assert not too_many_bounces(bounced[:length])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo, made once, to be copied."""
    folder = tmp_path_factory.mktemp("world")
    asyncio.run(open_world(folder, Settings(), now=NOW))
    return folder


@pytest.fixture
async def demo(made: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """The demo's store, of its own for each test."""
    folder = tmp_path / "demo"
    shutil.copytree(made, folder)
    db = Database(folder / "demo.db")
    async with db.write() as session:
        await standing.let_go(session, standing.home_of(db.path))  # it was copied
    yield db
    await db.close()


async def test_there_is_something_of_everything(demo: Database) -> None:
    async with demo.read() as session:
        states = await session.scalars(select(Campaign.state).order_by(Campaign.id))
        assert states.all() == [CampaignState.FINISHED, CampaignState.DRAFT, CampaignState.RUNNING]
        kinds = set(await session.scalars(select(Event.kind).where(Event.message_id.is_not(None))))
        assert {
            EventKind.EMAIL_SENT,
            EventKind.REPLIED,
            EventKind.AUTO_REPLIED,
            EventKind.BOUNCED,
            EventKind.UNSUBSCRIBED,
        } <= kinds
        waiting = await session.scalars(select(Unmatched.kind))
        assert Counter(waiting) == {UnmatchedKind.SITE: 2, UnmatchedKind.REPLY: 2}
        urls = list(
            await session.scalars(select(Site.published_url).where(Site.published_url.is_not(None)))
        )
        assert len(urls) > 40
    assert all(url and url.startswith("https://previews.demo.example/") for url in urls)
    assert len(list((demo.path.parent / "public").rglob("index.html"))) == len(urls)


async def test_what_befell_a_lead_befell_it_in_this_order(demo: Database) -> None:
    order = (
        EventKind.CAPTURED,
        EventKind.SITE_BUILT,
        EventKind.SITE_PUBLISHED,
        EventKind.CAMPAIGN_JOINED,
    )
    async with demo.read() as session:
        rows = await session.execute(
            select(Event.business_id, Event.kind, func.min(Event.occurred_at))
            .where(Event.kind.in_(order))
            .group_by(Event.business_id, Event.kind)
        )
        leads: dict[int, dict[EventKind, datetime]] = defaultdict(dict)
        for lead, kind, at in rows:
            leads[lead][kind] = at
    whole = [times for times in leads.values() if set(times) == set(order)]
    assert len(whole) == OVER + RUNNING
    for times in leads.values():
        in_order = [times[kind] for kind in order if kind in times]
        assert in_order == sorted(in_order)


async def test_the_demo_is_sound(demo: Database) -> None:
    settings = demo_settings(Settings(), demo.path.parent)
    report = await examine(demo.path, settings=settings, now=NOW)
    assert [f for f in report.findings if f.severity is Severity.ERROR] == []


async def test_the_loop_runs_in_about_a_minute_and_nobody_is_heard_twice(demo: Database) -> None:
    settings = demo_settings(Settings(), demo.path.parent)
    clock = [NOW]
    worker = Worker(demo, settings, environment={}, now=lambda: clock[0])
    world = World(demo, settings)
    came = 0
    for _ in range(60):
        await worker.once()
        came += len(await world.step(clock[0]))
        assert await world.step(clock[0]) == []
        clock[0] += timedelta(seconds=2)
    async with demo.read() as session:
        state = await session.scalar(select(Campaign.state).where(Campaign.id == 3))
        left = await session.scalars(select(Message.state).where(Message.campaign_id == 3))
        records = await session.scalar(
            select(func.count(RawRecord.id)).where(RawRecord.external_id.like("demo %"))
        )
        heard = await session.scalar(select(func.count(Business.id.distinct())).join(
            Event, Event.business_id == Business.id
        ).where(Event.kind == EventKind.REPLIED, Event.message_id.is_not(None)))  # fmt: skip
    assert state is CampaignState.FINISHED
    assert set(left) <= {MessageState.SENT, MessageState.SKIPPED, MessageState.CANCELED}
    assert came > 3
    assert records is not None
    assert records >= came
    assert heard


def test_the_account_of_the_demo_reaches_nobody(tmp_path: Path) -> None:
    settings = demo_settings(Settings(), tmp_path)
    assert settings.email.provider == "outbox"
    assert not settings.providers.smtp.host
    assert not settings.providers.imap.host
    assert settings.publishing.command == ()
    assert Path(settings.email.outbox).is_relative_to(tmp_path)
    assert Path(settings.publishing.path).is_relative_to(tmp_path)
