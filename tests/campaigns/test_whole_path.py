"""From a filter to mails that were sent, through a real server, with a clock that is moved on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Site, Suppression
from crm_tui.services import events
from crm_tui.services.campaigns import drafts, freezing, mending, running
from crm_tui.services.events import NewEvent
from crm_tui.services.mailing import Report
from crm_tui.vocabulary import (
    CampaignState,
    ContactStatus,
    EventKind,
    MessageState,
    SiteStatus,
    SuppressionKind,
)
from crm_tui.worker import Worker
from tests.campaigns.making import (
    AGAIN,
    HELLO,
    WITH_SITE,
    a_running,
    a_step,
    add_leads,
    figures_of,
    ledger_of,
    settings_to_send,
    state_of,
    states,
    through_smtp,
)
from tests.providers.mail_server import Post, mail_server

TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
TWO = (a_step(), a_step(AGAIN, delay="3d"))


@dataclass
class World:
    """A store, a mail server and a clock."""

    db: Database
    post: Post
    settings: Settings
    now: datetime = TUESDAY

    async def start(self, number: int, **fields: object) -> tuple[int, list[int]]:
        """A campaign to so many leads that runs."""
        leads = await add_leads(self.db, number, self.now)
        return await a_running(self.db, self.settings, self.now, **fields), leads

    async def work(self) -> Report:
        """One pass of the worker."""
        return await Worker(self.db, self.settings, environment={}, now=lambda: self.now).once()

    def mails(self) -> list[EmailMessage]:
        """What the server has taken, in its order."""
        return [message_from_bytes(each.content, policy=policy.default) for each in self.post.mails]

    async def answered(self, lead: int) -> None:
        """A lead answers."""
        async with self.db.write() as session:
            await events.record(
                session,
                NewEvent(
                    lead,
                    EventKind.REPLIED,
                    self.now,
                    "answer",
                    "mailbox",
                    moves_to=ContactStatus.REPLIED,
                ),
                now=self.now,
            )


async def pause(world: World, campaign: int) -> None:
    async with world.db.write() as session:
        await running.pause(session, campaign, now=world.now)


async def resume(world: World, campaign: int) -> None:
    async with world.db.write() as session:
        await running.resume(session, campaign, now=world.now)


async def test_a_campaign_is_sent_and_over(db: Database) -> None:
    async with mail_server() as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        campaign, leads = await world.start(3)
        report = await world.work()
    assert (report.sent, report.failed, report.uncertain, report.due_later) == (3, 0, 0, 0)
    assert await state_of(db, campaign) is CampaignState.FINISHED
    mails = {mail["To"]: mail for mail in world.mails()}
    assert sorted(mails) == [f"joe@plumber{each}.com" for each in (1, 2, 3)]
    mail = mails["joe@plumber1.com"]
    assert mail["Subject"] == "For Plumber 1"
    assert mail["From"] == "Ann Berg <ann@berg-sites.com>"
    row = next(row for row in await ledger_of(db, campaign) if row.business_id == leads[0])
    assert (mail["Message-ID"], row.version) == (row.message_id, 1)
    assert "unsubscribe" in mail["List-Unsubscribe"]
    found = await figures_of(db, campaign)
    assert (found.counts.sent, found.counts.audience) == (3, 3)


async def test_a_second_step_waits_its_days_and_goes_on_in_the_thread(db: Database) -> None:
    async with mail_server() as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        campaign, (lead,) = await world.start(1, steps=TWO)
        assert (await world.work()).sent == 1
        world.now += timedelta(days=2, hours=23)
        report = await world.work()
        assert (report.sent, report.due_later) == (0, 1)
        world.now += timedelta(hours=2)
        assert (await world.work()).sent == 1
    first, second = world.mails()
    assert second["Subject"] == "Re: For Plumber 1"
    assert second["In-Reply-To"] == first["Message-ID"]
    assert await states(db, campaign) == {(lead, 1): "sent", (lead, 2): "sent"}
    assert await state_of(db, campaign) is CampaignState.FINISHED


async def test_an_answer_stops_the_steps_that_follow(db: Database) -> None:
    async with mail_server() as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        campaign, (first, second) = await world.start(2, steps=TWO)
        await world.work()
        world.now += timedelta(days=1)
        await world.answered(first)
        world.now += timedelta(days=3)
        assert (await world.work()).sent == 1
    assert await states(db, campaign) == {
        (first, 1): "sent",
        (first, 2): "skipped",
        (second, 1): "sent",
        (second, 2): "sent",
    }
    (skipped,) = await ledger_of(db, campaign, "state:skipped")
    assert skipped.reason == "they answered"


@pytest.mark.parametrize("change", ["pause", "cancel", "suppress", "skip"])
async def test_what_the_operator_does_holds_before_the_next_claim(
    db: Database, change: str
) -> None:
    async with mail_server() as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        campaign, (first, second) = await world.start(2)
        if change == "pause":
            await pause(world, campaign)
        elif change == "cancel":
            await running.cancel(db, campaign, now=world.now)
        elif change == "suppress":
            async with db.write() as session:
                for name in ("plumber1.com", "plumber2.com"):
                    session.add(
                        Suppression(
                            kind=SuppressionKind.DOMAIN,
                            value=name,
                            reason="no",
                            created_at=world.now,
                        )
                    )
        else:
            async with db.write() as session:
                await mending.skip(session, campaign, [first, second], now=world.now)
        assert (await world.work()).sent == 0
        assert post.mails == []
        if change == "pause":
            await resume(world, campaign)
            assert (await world.work()).sent == 2


async def test_a_site_that_gets_published_lets_the_mail_go(db: Database) -> None:
    async with mail_server() as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        campaign, (lead,) = await world.start(1, steps=(a_step(WITH_SITE),))
        assert (await world.work()).sent == 0
        (row,) = await ledger_of(db, campaign)
        assert (row.is_held, row.reason) == (True, "its site is not published")
        assert await state_of(db, campaign) is CampaignState.RUNNING
        async with db.write() as session:
            session.add(
                Site(
                    business_id=lead,
                    slug="plumber-1",
                    theme="classic",
                    status=SiteStatus.PUBLISHED,
                    content_hash="x",
                    created_at=world.now,
                    built_at=world.now,
                    published_url="https://previews.example.com/plumber-1",
                    published_at=world.now,
                    html="<p>",
                )
            )
        world.now += timedelta(minutes=15)
        assert (await world.work()).sent == 1
    (mail,) = world.mails()
    assert "https://previews.example.com/plumber-1" in mail.get_content()


async def test_a_step_that_was_changed_goes_as_it_reads_now(db: Database) -> None:
    async with mail_server() as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        campaign, _ = await world.start(1)
        await pause(world, campaign)
        async with db.write() as session:
            new = a_step(HELLO.replace("Hello", "Good day"))
            await mending.edit_step(session, campaign, 1, new, now=world.now)
        await resume(world, campaign)
        await world.work()
    (mail,) = world.mails()
    assert mail.get_content().startswith("Good day Plumber 1")
    (row,) = await ledger_of(db, campaign)
    assert row.version == 2


async def test_a_refused_mail_has_failed_and_can_be_tried_again(db: Database) -> None:
    async with mail_server({"DOT": ["554 5.7.1 looks like spam"]}) as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        campaign, (lead,) = await world.start(1, steps=TWO)
        report = await world.work()
        assert (report.sent, report.failed, report.problems) == (0, 1, [])
        assert await states(db, campaign) == {(lead, 1): "failed", (lead, 2): "skipped"}
        assert await state_of(db, campaign) is CampaignState.FINISHED
        async with db.write() as session:
            assert await mending.retry(session, campaign, now=world.now) == 1
        assert (await world.work()).sent == 1
        world.now += timedelta(days=4)
        assert (await world.work()).sent == 1
    assert await states(db, campaign) == {(lead, 1): "sent", (lead, 2): "sent"}


async def test_a_campaign_that_bounces_too_much_pauses_and_the_operator_can_go_on(
    db: Database,
) -> None:
    gone = ["550 5.1.1 no such user"]
    async with mail_server({"RCPT": [*["250 ok"] * 18, *gone * 2]}) as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        campaign, _ = await world.start(25)
        report = await world.work()
        assert (report.sent, report.failed) == (18, 2)
        assert await state_of(db, campaign) is CampaignState.PAUSED
        async with db.read() as session:
            assert "2 of" in ((await drafts.load(session, campaign)).pause_reason or "")
        world.now += timedelta(hours=1)
        await resume(world, campaign)
        assert (await world.work()).sent == 5
    assert await state_of(db, campaign) is CampaignState.FINISHED


async def test_nothing_goes_before_the_time_that_was_chosen(db: Database) -> None:
    async with mail_server() as post:
        world = World(db, post, through_smtp(settings_to_send(), post.port))
        await world.start(1, starts_at=TUESDAY + timedelta(hours=3))
        assert (await world.work()).due_later == 1
        world.now += timedelta(hours=3)
        assert (await world.work()).sent == 1


async def test_whom_a_campaign_wrote_to_is_left_out_of_the_next_on_request(db: Database) -> None:
    async with mail_server() as post:
        world = World(db, post, through_smtp(settings_to_send(contacted_days=30), post.port))
        campaign, _ = await world.start(2)
        await world.work()
        async with db.read() as session:
            draft = (await drafts.load(session, campaign)).draft
        again = await drafts.save(db, None, replace(draft, name="Again"), now=world.now)
        frozen = await freezing.freeze(db, again, settings=world.settings, now=world.now)
    assert frozen.recipients == 0
    assert [each.reason for each in frozen.excluded] == ["written to within the last 30 days"]
    assert {row.state for row in await ledger_of(db, campaign)} == {MessageState.SENT}
