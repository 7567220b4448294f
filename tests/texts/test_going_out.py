"""Text messages of campaigns on their way out: with consent, in their turn, within their limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Message, Suppression, SyncCursor
from crm_tui.providers.base import Misconfigured, Refused
from crm_tui.services import consent
from crm_tui.services.campaigns import drafts, freezing, running
from crm_tui.services.campaigns.audience import Audience
from crm_tui.services.campaigns.gate import Blocked
from crm_tui.services.texting import NO_CONSENT
from crm_tui.vocabulary import (
    CampaignState,
    Channel,
    ContactKind,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    SuppressionKind,
)
from tests.campaigns.making import (
    a_draft,
    a_frozen,
    a_running,
    a_step,
    figures_of,
    ledger_of,
    settings_to_send,
    state_of,
)
from tests.texts.texting import (
    OURS,
    a_desk,
    a_text,
    add_called,
    agree,
    rows,
    settings_to_text,
    told,
)

SETTINGS = settings_to_text()
STATES = (Message.state, Message.reason)


async def test_a_campaign_of_one_text_goes_to_who_agreed_and_waits_for_the_others(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = a_desk(db, SETTINGS, monkeypatch)
    first, second = await add_called(db, 2, now)
    await agree(db, [first], now)
    campaign = await a_running(db, SETTINGS, now, steps=(a_text(),))
    report = await desk.at(now)
    assert (report.sent, report.problems) == (1, [])
    (sms,) = desk.provider.sent
    assert (sms.sender, sms.to) == (OURS, "+17185550201")
    assert sms.text == "Hello Plumber 1, Ann Berg here. Reply STOP to opt out."
    assert await rows(db, *STATES, Message.segments, Message.provider_id, Message.channel) == [
        (MessageState.SENT, None, 1, "SM1", Channel.SMS),
        (MessageState.QUEUED, NO_CONSENT, None, None, Channel.SMS),
    ]
    counts = (await figures_of(db, campaign)).counts
    assert (counts.audience, counts.sent, counts.queued, counts.held) == (2, 1, 1, 1)
    kinds = [kind for kind, _ in await told(db, first)]
    assert kinds == [EventKind.CONSENT_GIVEN, EventKind.CAMPAIGN_JOINED, EventKind.SMS_SENT]
    async with db.read() as session:
        status = await session.scalar(select(Business.contact_status).where(Business.id == first))
    assert status is ContactStatus.TEXTED
    await agree(db, [second], now + timedelta(hours=1))
    assert (await desk.at(now + timedelta(hours=1))).sent == 1
    assert await state_of(db, campaign) is CampaignState.FINISHED


async def test_consent_that_is_withdrawn_holds_what_waits(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = a_desk(db, SETTINGS, monkeypatch)
    (lead,) = await add_called(db, 1, now)
    await agree(db, [lead], now)
    await a_running(db, SETTINGS, now, steps=(a_text(), a_text(delay="1d")))
    assert (await desk.at(now)).sent == 1
    async with db.write() as session:
        await consent.withdraw(session, [lead], "said so on the phone", now=now)
    assert (await desk.at(now + timedelta(days=2))).sent == 0
    assert (await rows(db, *STATES))[1] == (MessageState.QUEUED, NO_CONSENT)
    assert (await told(db, lead))[-1] == (
        EventKind.CONSENT_WITHDRAWN,
        "no more text messages: said so on the phone",
    )
    await agree(db, [lead], now + timedelta(days=2))
    assert (await desk.at(now + timedelta(days=2))).sent == 1


async def test_mails_and_texts_take_turns_each_at_its_own_address(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = a_desk(db, SETTINGS, monkeypatch)
    (lead,) = await add_called(db, 1, now, email="joe@plumber.com")
    await agree(db, [lead], now)
    await a_running(db, SETTINGS, now, steps=(a_step(), a_text(delay="1d")))
    for day in range(3):
        await desk.at(now + timedelta(days=day, minutes=day))
    assert await rows(db, Message.channel, Message.address, Message.state) == [
        (Channel.EMAIL, "joe@plumber.com", MessageState.SENT),
        (Channel.SMS, "+17185550201", MessageState.SENT),
    ]
    kinds = [kind for kind, _ in await told(db, lead)][-2:]
    assert kinds == [EventKind.EMAIL_SENT, EventKind.SMS_SENT]


async def test_a_mail_after_a_text_keeps_to_the_thread_of_the_mails(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = a_desk(db, SETTINGS, monkeypatch)
    (lead,) = await add_called(db, 1, now, email="joe@plumber.com")
    await agree(db, [lead], now)
    last = a_step(delay="1d")
    await a_running(db, SETTINGS, now, steps=(a_step(), a_text(delay="1d"), last))
    for day in range(4):
        await desk.at(now + timedelta(days=day, minutes=day))
    found = await rows(db, Message.subject, Message.message_id, Message.headers)
    assert [subject for subject, _, _ in found] == ["For Plumber 1", "", "Re: For Plumber 1"]
    assert found[2][2]["In-Reply-To"] == found[0][1]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"phone": ""}, "no phone number for text messages"),
        ({"phone": "+442079460123"}, "a fixed line, which gets no text messages"),
        ({"phone": "+18005550123"}, "a toll-free number, which gets no text messages"),
    ],
)
async def test_who_cannot_be_texted_is_left_out_with_the_reason(
    db: Database, now: datetime, fields: dict[str, str], reason: str
) -> None:
    await add_called(db, 1, now, **fields)
    _, frozen = await a_frozen(db, SETTINGS, now, steps=(a_text(),))
    assert frozen.recipients == 0
    assert [(each.reason, each.count) for each in frozen.excluded] == [(reason, 1)]


async def test_a_mixed_campaign_asks_for_an_address_and_a_number(
    db: Database, now: datetime
) -> None:
    await add_called(db, 1, now)
    await add_called(db, 1, now, phone="+17185550250", email="joe@plumber.com", name="Both")
    campaign, frozen = await a_frozen(db, SETTINGS, now, steps=(a_text(), a_step(delay="2d")))
    assert (frozen.recipients, frozen.no_consent) == (1, 1)
    assert [each.reason for each in frozen.excluded] == ["no e-mail address"]
    ledger = await ledger_of(db, campaign)
    assert [(row.step, row.address) for row in ledger] == [
        (1, "+17185550250"),
        (2, "joe@plumber.com"),
    ]


async def test_two_leads_with_one_number_get_nothing(db: Database, now: datetime) -> None:
    await add_called(db, 2, now)
    async with db.write() as session:
        await session.execute(update(ContactPoint).values(value="+17185550201"))
    _, frozen = await a_frozen(db, SETTINGS, now, steps=(a_text(),))
    assert [(each.reason, each.count) for each in frozen.excluded] == [
        ("the number is shared by several businesses", 2)
    ]


async def test_a_number_the_provider_calls_wrong_is_marked_so_and_gets_no_more(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = a_desk(db, SETTINGS, monkeypatch)
    (lead,) = await add_called(db, 1, now)
    await agree(db, [lead], now)
    await a_running(db, SETTINGS, now, steps=(a_text(), a_text(delay="1d")))
    desk.provider.answers = [Refused("21211: not a valid number", hard=True)]
    assert (await desk.at(now)).failed == 1
    async with db.read() as session:
        state = await session.scalar(
            select(ContactPoint.state).where(ContactPoint.kind == ContactKind.PHONE)
        )
    assert state is ContactState.INVALID
    assert [each for each, _ in await rows(db, *STATES)] == [
        MessageState.FAILED,
        MessageState.SKIPPED,
    ]
    assert (await told(db, lead))[-2] == (
        EventKind.BOUNCED,
        "text message refused: 21211: not a valid number",
    )


async def test_who_told_the_provider_to_stop_is_never_texted_again(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = a_desk(db, SETTINGS, monkeypatch)
    (lead,) = await add_called(db, 1, now)
    await agree(db, [lead], now)
    await a_running(db, SETTINGS, now, steps=(a_text(), a_text(delay="1d")))
    desk.provider.answers = [Refused("21610: they answered STOP", hard=False, opted_out=True)]
    assert (await desk.at(now)).failed == 1
    async with db.read() as session:
        state = await session.scalar(
            select(ContactPoint.state).where(ContactPoint.kind == ContactKind.PHONE)
        )
        (barred,) = await session.scalars(select(Suppression.kind))
        assert await consent.standing(session, lead) is None
    assert (state, barred) == (ContactState.STOPPED, SuppressionKind.PHONE)
    assert [each for each, _ in await rows(db, *STATES)] == [
        MessageState.FAILED,
        MessageState.SKIPPED,
    ]


async def test_texts_keep_to_limits_of_their_own_and_leave_the_mail_alone(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_to_text(per_hour=2)
    desk = a_desk(db, settings, monkeypatch)
    leads = await add_called(db, 4, now)
    await agree(db, leads, now)
    await a_running(db, settings, now, steps=(a_text(),))
    sent = [(await desk.at(now + timedelta(minutes=30 * each))).sent for each in range(6)]
    assert sent == [2, 0, 0, 2, 0, 0]


async def test_a_provider_of_texts_that_fails_leaves_the_mail_alone(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = a_desk(db, SETTINGS, monkeypatch)
    leads = await add_called(db, 1, now, email="joe@plumber.com")
    await agree(db, leads, now)
    await a_running(db, SETTINGS, now, steps=(a_text(),))
    await a_running(db, SETTINGS, now, steps=(a_step(),), audience=Audience("", spared_days=0))
    desk.provider.answers = [Misconfigured("The token is wrong.", fix="Set the right one.")]
    report = await desk.at(now)
    assert report.sent == 1
    assert report.problems == ["The token is wrong. Set the right one."]
    assert await rows(db, Message.channel, Message.state, Message.attempts) == [
        (Channel.SMS, MessageState.QUEUED, 0),
        (Channel.EMAIL, MessageState.SENT, 0),
    ]


async def test_a_text_waits_for_the_morning_of_who_gets_it(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_to_text(quiet_hours="20:00-08:00")
    desk = a_desk(db, settings, monkeypatch)
    leads = await add_called(db, 1, now, phone="+13105550123", region="CA", country="US")
    await agree(db, leads, now)
    await a_running(db, settings, now, steps=(a_text(),))
    assert (await desk.at(now)).sent == 0  # half past one at night in California
    assert await rows(db, Message.due_at) == [(now.replace(hour=16, minute=0),)]
    assert (await desk.at(now.replace(hour=16, minute=0))).sent == 1


async def test_without_a_provider_a_start_says_what_is_missing_and_what_the_law_asks(
    db: Database, now: datetime
) -> None:
    await add_called(db, 1, now)
    settings = settings_to_send()
    campaign = await a_draft(db, now, steps=(a_text(),))
    with pytest.raises(Blocked) as refused:
        await running.start(db, campaign, settings=settings, now=now)
    (check,) = refused.value.checks
    assert check.check == "text messages"
    assert 'Set provider = "twilio" under [sms]' in check.why
    assert "consent beforehand" in check.why
    assert "A2P 10DLC" in check.why


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ("Hello. {{ unsubscribe }}", "{{ sender.name }}"),
        ("Hello, {{ sender.name }}", "{{ unsubscribe }}"),
    ],
)
async def test_a_text_says_who_writes_and_how_to_stop(
    db: Database, now: datetime, body: str, missing: str
) -> None:
    await add_called(db, 1, now)
    campaign = await a_draft(db, now, steps=(a_text(f"---\n---\n{body}\n"),))
    with pytest.raises(Blocked, match="does not say") as refused:
        await running.start(db, campaign, settings=SETTINGS, now=now)
    assert missing in refused.value.checks[0].why


async def test_a_step_keeps_its_channel(db: Database, now: datetime) -> None:
    await add_called(db, 1, now, email="joe@plumber.com")
    campaign = await a_draft(db, now, steps=(a_step(), a_text(delay="2d")))
    await freezing.freeze(db, campaign, settings=SETTINGS, now=now)
    async with db.read() as session:
        kept = await drafts.load(session, campaign)
    assert [step.channel for step in kept.draft.steps] == [Channel.EMAIL, Channel.SMS]
    assert kept.draft.channels == (Channel.EMAIL, Channel.SMS)


@pytest.mark.parametrize("mended", [{"problem": None, "failed_at": None}, {"account": "AC-former"}])
async def test_nothing_is_texted_while_answers_cannot_be_read(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch, mended: dict[str, Any]
) -> None:
    desk = a_desk(db, SETTINGS, monkeypatch)
    leads = await add_called(db, 1, now)
    await agree(db, leads, now)
    await a_running(db, SETTINGS, now, steps=(a_text(),))
    async with db.write() as session:
        session.add(
            SyncCursor(
                provider="twilio",
                account=SETTINGS.providers.twilio.account_sid,
                stream="messages",
                cursor={},
                problem="no answer",
                failed_at=now,
            )
        )
    assert (await desk.at(now)).sent == 0
    async with db.write() as session:
        await session.execute(update(SyncCursor).values(**mended))
    assert (await desk.at(now)).sent == 1
