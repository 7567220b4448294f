"""Texts of a campaign from the worker to the phones and back, through a Twilio of our own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.config.sections import ProviderSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Message, RawRecord, Suppression
from crm_tui.services.mailing import Report
from crm_tui.vocabulary import ContactKind, ContactState, ContactStatus, EventKind, MessageState
from crm_tui.worker import Worker
from tests.campaigns.making import a_running
from tests.texts.texting import a_text, add_called, agree, rows, settings_to_text, told
from tests.world.twilio import NUMBER, TOKEN, FakeTwilio
from tests.world.world import World

TO = tuple(f"+171855502{number:02}" for number in range(1, 7))


@pytest.fixture
def twilio(now: datetime) -> Iterator[FakeTwilio]:
    """A Twilio behind a socket, at the time of the test."""
    fake = FakeTwilio(World(now=now), "twilio")
    with fake.world.serve():
        yield fake


@pytest.fixture
def settings(twilio: FakeTwilio) -> Settings:
    return replace(settings_to_text(), providers=ProviderSettings(twilio=twilio.settings))


async def a_pass(db: Database, settings: Settings, twilio: FakeTwilio, **passing: float) -> Report:
    """One pass of the worker, after some time."""
    twilio.world.pass_time(**passing)
    key = {"CRM_TUI_TWILIO_TOKEN": TOKEN}
    return await Worker(db, settings, environment=key, now=twilio.world.clock).once()


async def test_texts_go_out_and_what_became_of_them_comes_back(
    db: Database, now: datetime, settings: Settings, twilio: FakeTwilio
) -> None:
    leads = await add_called(db, 6, now)
    await agree(db, leads, now)
    await a_running(db, settings, now, steps=(a_text(), a_text(delay="1d")))
    twilio.refused[TO[5]] = 21614
    report = await a_pass(db, settings, twilio)
    assert (report.sent, report.failed, report.problems) == (5, 1, [])
    texts = {each.to: each for each in twilio.accepted}
    assert set(texts) == set(TO[:5])
    assert {each.sender for each in texts.values()} == {NUMBER}

    twilio.happen(texts[TO[0]].sid, "delivered")
    twilio.happen(texts[TO[1]].sid, "undelivered", error_code=30006)
    twilio.happen(texts[TO[2]].sid, "sent")
    twilio.arrive(TO[2], "Stop please")
    twilio.happen(texts[TO[3]].sid, "delivered")
    twilio.arrive(TO[3], "Yes, call me")
    report = await a_pass(db, settings, twilio, minutes=10)
    assert report.problems == []
    assert await statuses(db) == {
        TO[0]: (ContactStatus.TEXTED, ContactState.OK),
        TO[1]: (ContactStatus.TEXTED, ContactState.BOUNCED),
        TO[2]: (ContactStatus.REPLIED, ContactState.STOPPED),
        TO[3]: (ContactStatus.REPLIED, ContactState.OK),
        TO[4]: (ContactStatus.TEXTED, ContactState.UNKNOWN),
        TO[5]: (ContactStatus.PENDING, ContactState.INVALID),
    }
    async with db.read() as session:
        assert list(await session.scalars(select(Suppression.value))) == [TO[2]]
    assert (EventKind.DELIVERED, f"delivered to {TO[0]}") in await told(db, leads[0])
    bills = await rows(db, Message.address, Message.segments, Message.cost, Message.currency)
    assert {TO[0]: (1, 8300, "USD"), TO[3]: (1, 8300, "USD")}.items() <= {
        to: tuple(bill) for to, *bill in bills if bill[1] is not None
    }.items()

    before = await contents(db)
    report = await a_pass(db, settings, twilio)
    assert await contents(db) == before
    assert report.sent == 0
    report = await a_pass(db, settings, twilio, days=1)
    assert {each.to for each in twilio.accepted[5:]} == {TO[0], TO[4]}


async def test_a_text_whose_answer_was_lost_is_found_and_not_sent_again(
    db: Database, now: datetime, settings: Settings, twilio: FakeTwilio
) -> None:
    leads = await add_called(db, 2, now)
    await agree(db, leads, now)
    await a_running(db, settings, now, steps=(a_text(),))
    twilio.loses.add(TO[0])
    report = await a_pass(db, settings, twilio)
    assert (report.sent, report.uncertain) == (1, 1)
    report = await a_pass(db, settings, twilio, minutes=1)
    assert (report.sent, report.uncertain) == (0, 0)
    sids = {each.to: each.sid for each in twilio.accepted}
    assert len(twilio.accepted) == 2
    assert await rows(db, Message.state, Message.provider_id) == [
        (MessageState.SENT, sids[TO[0]]),
        (MessageState.SENT, sids[TO[1]]),
    ]


async def test_what_twilio_does_not_let_pass_pauses_the_campaign_and_names_the_fix(
    db: Database, now: datetime, settings: Settings, twilio: FakeTwilio
) -> None:
    leads = await add_called(db, 2, now)
    await agree(db, leads, now)
    await a_running(db, settings, now, steps=(a_text(), a_text(delay="1d")))
    await a_pass(db, settings, twilio)
    for text in twilio.accepted:
        twilio.happen(text.sid, "undelivered", error_code=30034)
    await a_pass(db, settings, twilio, minutes=2)
    report = await a_pass(db, settings, twilio, days=1)
    assert report.sent == 0
    assert len(twilio.accepted) == 2
    line = await told(db, leads[0])
    assert any("A2P 10DLC" in words for _, words in line)


async def test_a_suspended_account_holds_up_texts_and_uses_up_no_attempt(
    db: Database, now: datetime, settings: Settings, twilio: FakeTwilio
) -> None:
    leads = await add_called(db, 1, now)
    await agree(db, leads, now)
    await a_running(db, settings, now, steps=(a_text(),))
    twilio.status = "suspended"
    report = await a_pass(db, settings, twilio)
    assert any("suspended" in each and "add funds" in each for each in report.problems)
    assert await rows(db, Message.state, Message.attempts) == [(MessageState.QUEUED, 0)]
    twilio.status = "active"
    report = await a_pass(db, settings, twilio, minutes=20)
    assert (report.sent, report.problems) == (1, [])


async def statuses(db: Database) -> dict[str, tuple[ContactStatus, ContactState]]:
    """Each lead by its number: how far it came, and the state of the number."""
    async with db.read() as session:
        found = await session.execute(
            select(ContactPoint.value, Business.contact_status, ContactPoint.state)
            .join(Business, Business.id == ContactPoint.business_id)
            .where(ContactPoint.kind == ContactKind.PHONE)
        )
        return {value: (status, state) for value, status, state in found}


async def contents(db: Database) -> list[object]:
    """What polling writes, but for where it stands."""
    async with db.read() as session:
        raws = await session.execute(select(RawRecord.external_id, RawRecord.applied_at))
        return [list(raws), await rows(db, *Message.__table__.columns), await statuses(db)]
