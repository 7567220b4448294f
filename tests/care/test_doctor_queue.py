"""What the doctor finds in the queue, and puts right."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, text, update

from crm_tui.config import Settings
from crm_tui.config.sections import EmailSettings
from crm_tui.db.engine import Database
from crm_tui.db.locks import held
from crm_tui.db.models import Business, Campaign, Event, Message, RawRecord
from crm_tui.services import statuses
from crm_tui.services.doctor import Report, Severity, examine
from crm_tui.vocabulary import CampaignState, ContactStatus, MessageState
from tests.queue_rows import add_campaign, campaign_state, mark_sent, messages


class Examined:
    """Examines an open store."""

    def __init__(self, db: Database, now: datetime, provider: str = "smtp") -> None:
        self.db, self.now = db, now
        self.settings = Settings(email=EmailSettings(provider=provider))  # type: ignore[arg-type]

    async def __call__(self, *, fix: bool = False) -> Report:
        return await examine(self.db.path, settings=self.settings, now=self.now, fix=fix)

    async def found(self) -> dict[str, int]:
        report = await self()
        return {f.check: f.count for f in report.findings if f.severity is Severity.ERROR}


@pytest.fixture
def look(leads: Database, now: datetime) -> Examined:
    return Examined(leads, now)


async def _sending(db: Database, owner: str, *, provider: str = "smtp") -> None:
    async with db.write() as session:
        await session.execute(
            update(Message).values(
                state=MessageState.SENDING,
                claimed_by=owner,
                subject="Hello",
                body="Hello",
                provider=provider,
            )
        )


async def test_a_queue_that_works_is_sound(look: Examined, leads: Database, now: datetime) -> None:
    await add_campaign(leads, [1, 2, 3], now=now, steps=2)
    await add_campaign(leads, [1, 2], now=now, name="Draft", state=CampaignState.DRAFT)
    await add_campaign(leads, [], now=now, name="Empty", state=CampaignState.PAUSED)
    await _sending(leads, "alive")
    with held(leads.path, "alive"):
        assert (await look()).findings == ()


async def test_mail_of_a_sender_that_is_gone_becomes_uncertain(
    look: Examined, leads: Database, now: datetime
) -> None:
    campaign = await add_campaign(leads, [1, 2], now=now)
    await _sending(leads, "gone")
    assert await look.found() == {"stuck_mail": 2}
    assert (await look(fix=True)).ok
    assert {state for state, _ in (await messages(leads, campaign)).values()} == {"uncertain"}


async def test_what_the_outbox_did_not_write_goes_again(
    look: Examined, leads: Database, now: datetime
) -> None:
    look.settings = Settings(email=EmailSettings(provider="outbox"))
    campaign = await add_campaign(leads, [1], now=now)
    await _sending(leads, "gone", provider="outbox")
    assert (await look(fix=True)).ok
    assert (await messages(leads, campaign))[1, 1][0] == "queued"


async def test_a_sent_mail_that_is_on_no_timeline_is_written_there(
    look: Examined, leads: Database, now: datetime
) -> None:
    campaign = await add_campaign(leads, [1, 2], now=now)
    await mark_sent(leads, campaign, 1, 1, now)
    assert await look.found() == {"untold_mail": 1}
    assert (await look(fix=True)).ok
    async with leads.read() as session:
        status = await session.scalar(select(Business.contact_status).where(Business.id == 1))
        assert status is ContactStatus.EMAILED
        assert (
            await session.scalar(select(Event.summary).where(Event.key == "sent:1"))
        ) is not None


async def test_a_step_after_a_sent_one_gets_its_time_and_one_after_a_failed_one_is_skipped(
    look: Examined, leads: Database, now: datetime
) -> None:
    campaign = await add_campaign(leads, [1, 2, 3], now=now, steps=3)
    await mark_sent(leads, campaign, 1, 1, now)
    async with leads.write() as session:
        await session.execute(
            update(Message)
            .where(Message.origin_id == 2, Message.due_at.is_not(None))
            .values(state=MessageState.FAILED, reason="no such user")
        )
    assert await look.found() == {"untold_mail": 1, "lost_steps": 2}
    assert (await look(fix=True)).ok
    states = await messages(leads, campaign)
    assert states[1, 2] == states[1, 3] == states[3, 2] == ("queued", None)
    assert states[2, 2] == states[2, 3] == ("skipped", "the mail before it was not sent")
    async with leads.read() as session:
        due = await session.scalars(
            select(Message.due_at).where(Message.origin_id == 1).order_by(Message.id)
        )
        first, second, third = due.all()
    assert first is not None
    assert second is not None
    assert second >= now + timedelta(days=3)
    assert third is None


@pytest.mark.parametrize(
    ("state", "ended", "waits", "after"),
    [
        (CampaignState.FINISHED, True, True, "running"),
        (CampaignState.CANCELED, True, True, "canceled"),
        (CampaignState.RUNNING, False, False, "finished"),
    ],
)
async def test_a_campaign_is_over_when_nothing_of_it_waits(
    look: Examined,
    leads: Database,
    now: datetime,
    state: CampaignState,
    ended: bool,
    waits: bool,
    after: str,
) -> None:
    campaign = await add_campaign(leads, [1], now=now)
    async with leads.write() as session:
        await session.execute(update(Campaign).values(state=state, ended_at=now if ended else None))
        if not waits:
            await session.execute(
                update(Message).values(state=MessageState.SKIPPED, reason="they answered")
            )
    assert await look.found() == {"campaigns": 1}
    assert (await look(fix=True)).ok
    assert await campaign_state(leads, campaign) == after
    if state is CampaignState.CANCELED:
        assert (await messages(leads, campaign))[1, 1] == ("canceled", "the campaign was canceled")


async def test_mail_counted_to_the_wrong_campaign_is_told(
    look: Examined, leads: Database, now: datetime
) -> None:
    await add_campaign(leads, [1], now=now)
    await add_campaign(leads, [2], now=now, name="Other")
    async with leads.write() as session:
        await session.execute(text("UPDATE message SET campaign_id = 2"))
    assert "campaigns" in await look.found()
    assert not (await look(fix=True)).ok


async def test_what_came_in_and_was_not_looked_at_is_told_and_applied(
    look: Examined, leads: Database, now: datetime
) -> None:
    async with leads.write() as session:
        session.add(
            RawRecord(source="list", external_id="1", received_at=now, payload={}, problem="odd")
        )
    report = await look()
    assert report.ok
    assert [(f.check, f.count) for f in report.findings] == [("unapplied", 1)]
    async with leads.write() as session:
        await session.execute(delete(RawRecord))
    assert (await look()).findings == ()


async def test_a_store_that_was_copied_says_that_nothing_is_sent(
    look: Examined, leads: Database
) -> None:
    async with leads.write() as session:
        await session.execute(
            text("INSERT INTO setting (name, value) VALUES ('sending_home', '\"elsewhere\"')")
        )
    (finding,) = (await look()).findings
    assert (finding.check, finding.severity) == ("sending_stopped", Severity.WARNING)
    assert "this store was copied" in finding.detail
    assert "worker --let-go" in finding.detail


async def test_statuses_follow_what_was_repaired(
    look: Examined, leads: Database, now: datetime
) -> None:
    campaign = await add_campaign(leads, [3], now=now)
    await mark_sent(leads, campaign, 3, 1, now)
    await look(fix=True)
    async with leads.read() as session:
        assert not await statuses.differing(session, await statuses.fold(session, [3]))
