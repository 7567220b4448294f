"""Recording: what a provider made of a mail, in the store."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Campaign, ContactPoint, Event, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.providers.base import (
    Blocked,
    Misconfigured,
    Refused,
    TryLater,
    Unavailable,
    Unclear,
    Unsendable,
)
from crm_tui.services.sending import standing
from crm_tui.services.sending.pace import Limits
from crm_tui.services.sending.recover import decide, was_sent
from crm_tui.vocabulary import (
    CampaignState,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
)
from tests.sending.queue import (
    AGAIN,
    TEXT,
    Desk,
    a_claimer,
    accepted,
    add_campaign,
    add_leads,
    add_single,
    an_account,
    campaign_state,
    change,
    later,
    messages,
    states,
    told,
)

QUEUED, SENDING, SENT = MessageState.QUEUED, MessageState.SENDING, MessageState.SENT
SKIPPED, FAILED = MessageState.SKIPPED, MessageState.FAILED
CANCELED, UNCERTAIN = MessageState.CANCELED, MessageState.UNCERTAIN
TWO_STEPS = ((TEXT, None), (AGAIN, "3d"))
NO_SUCH_USER = Refused("550 5.1.1 no such user", hard=True)


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


async def _one_on_its_way(desk: Desk, now: datetime) -> int:
    (lead,) = await add_leads(desk.db, 1, now)
    return await add_campaign(desk.db, [lead], now, steps=TWO_STEPS)


async def test_what_was_sent_stands_on_the_timeline_and_moves_the_status(
    desk: Desk, now: datetime
) -> None:
    await _one_on_its_way(desk, now)
    (mail,) = await desk.send(now)
    assert await told(desk.db, 1) == [(EventKind.EMAIL_SENT, "mail: A site for Shop 1")]
    async with desk.db.read() as session:
        lead = await session.get_one(Business, 1)
        event = await session.get_one(Event, 1)
        assert lead.contact_status is ContactStatus.EMAILED
        assert (event.body, event.message_id, event.source) == (mail.text, 1, "smtp")
    (sent, waiting) = await messages(desk.db, Message.state, Message.sent_at, Message.due_at)
    assert sent[:2] == (SENT, now)
    assert waiting == (QUEUED, None, later(now, days=3))


async def test_a_result_that_comes_twice_is_written_once(desk: Desk, now: datetime) -> None:
    await _one_on_its_way(desk, now)
    (claimed,) = await desk.claim(now)
    for _ in range(2):
        await desk.record(now, (claimed, accepted(claimed.mail)))
    assert len(await told(desk.db, 1)) == 1


@pytest.mark.parametrize(
    ("answer", "state", "bounced"),
    [
        (NO_SUCH_USER, ContactState.BOUNCED, True),
        (Refused("552 5.2.2 mailbox full", hard=False), ContactState.UNKNOWN, False),
        (Blocked("554 5.7.1 looks like spam"), ContactState.UNKNOWN, False),
        (Unsendable("there is no address"), ContactState.UNKNOWN, False),
    ],
)
async def test_a_refused_recipient_has_failed_in_the_words_of_the_server_and_gets_no_more(
    desk: Desk,
    now: datetime,
    answer: Refused | Blocked | Unsendable,
    state: ContactState,
    bounced: bool,
) -> None:
    campaign = await _one_on_its_way(desk, now)
    (claimed,) = await desk.claim(now)
    turn = await desk.record(now, (claimed, answer))
    assert turn.tally.failed == 1
    assert await states(desk.db) == [
        (FAILED, answer.words),
        (SKIPPED, "the mail before it was refused"),
    ]
    async with desk.db.read() as session:
        point = await session.get_one(ContactPoint, 1)
        assert point.state is state
        message = await session.get_one(Message, 1)
        assert (message.bounced_at is not None) == bounced
    kinds = [kind for kind, _ in await told(desk.db, 1)]
    assert kinds == [
        EventKind.BOUNCED if bounced else EventKind.NOT_SENT,
        EventKind.CAMPAIGN_LEFT,
    ]
    assert await campaign_state(desk.db, campaign) == (CampaignState.FINISHED, None)


async def test_what_is_refused_for_now_is_tried_five_times_and_then_given_up(
    desk: Desk, now: datetime
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_campaign(desk.db, [lead], now)
    at, waits = now, []
    for _ in range(4):
        (claimed,) = await desk.claim(at)
        await desk.record(at, (claimed, TryLater("451 greylisted")))
        ((state, reason, due_at),) = await messages(
            desk.db, Message.state, Message.reason, Message.due_at
        )
        assert (state, reason) == (QUEUED, "tried again later: 451 greylisted")
        assert await desk.claim(due_at - timedelta(seconds=1)) == []
        waits.append(due_at - at)
        at = due_at
    assert timedelta(minutes=1) <= min(waits) <= max(waits) <= timedelta(hours=8)
    (claimed,) = await desk.claim(at)
    await desk.record(at, (claimed, TryLater("451 greylisted")))
    assert await states(desk.db) == [(FAILED, "given up after 5 attempts: 451 greylisted")]


async def test_a_server_that_names_a_time_is_not_asked_before(desk: Desk, now: datetime) -> None:
    await _one_on_its_way(desk, now)
    (claimed,) = await desk.claim(now)
    await desk.record(now, (claimed, TryLater("450 not yet", after=7200)))
    assert await desk.claim(later(now, hours=2, seconds=-1)) == []
    assert len(await desk.claim(later(now, hours=2))) == 1


async def test_a_provider_that_fails_five_times_is_left_alone_and_then_tried_once(
    desk: Desk, now: datetime
) -> None:
    await add_campaign(desk.db, await add_leads(desk.db, 9, now), now)
    for _ in range(5):
        (claimed,) = await desk.claim(now, most=1)
        turn = await desk.record(now, (claimed, Unavailable("the server cannot be reached")))
        assert turn.tally.problem == "the server cannot be reached"
    turn = await desk.turn(now)
    until = turn.claims.wait_until
    assert turn.claims.messages == []
    assert turn.claims.problem == "the server cannot be reached"
    assert until is not None
    assert later(now, seconds=30) <= until <= later(now, seconds=60)
    (trial,) = await desk.claim(until)
    assert await desk.claim(until) == []  # nobody goes with it
    await desk.record(until, (trial, accepted(trial.mail)))
    assert len(await desk.claim(until)) == 8
    used = {attempts for (attempts,) in await messages(desk.db, Message.attempts)}
    assert used == {0}


async def test_a_trial_that_fails_leaves_the_provider_alone_for_longer(
    desk: Desk, now: datetime
) -> None:
    await add_campaign(desk.db, await add_leads(desk.db, 2, now), now)
    at, pauses = now, []
    for attempt in range(9):
        (claimed,) = await desk.claim(at, most=1)
        await desk.record(at, (claimed, Unavailable("down")))
        until = (await desk.turn(at)).claims.wait_until if attempt >= 4 else at
        assert until is not None
        if attempt >= 4:
            pauses.append(until - at)
        await desk.record(at)
        for message, state in await messages(desk.db, Message.id, Message.state):
            if state is SENDING:
                await change(desk.db, Message, [message], state=QUEUED, claimed_by=None)
        at = until
    assert pauses[-1] > pauses[0]
    assert max(pauses) <= timedelta(minutes=30)


async def test_who_insists_gets_one_trial_of_a_provider_that_is_left_alone(
    desk: Desk, now: datetime
) -> None:
    await add_campaign(desk.db, await add_leads(desk.db, 3, now), now)
    (claimed,) = await desk.claim(now, most=1)
    await desk.record(now, (claimed, Misconfigured("Login refused.", fix="Mend the password.")))
    turn = await desk.turn(now)
    assert turn.claims.problem == "Login refused. Mend the password."
    assert turn.claims.wait_until == later(now, minutes=15)
    desk.insist = True
    (trial,) = await desk.claim(now)
    desk.insist = False
    await desk.record(now, (trial, accepted(trial.mail)))
    assert len(await desk.claim(now)) == 2


async def test_a_breaker_of_a_clock_that_was_a_year_ahead_keeps_nobody(
    desk: Desk, now: datetime
) -> None:
    await add_campaign(desk.db, await add_leads(desk.db, 1, now), now)
    ahead = later(now, days=365)
    (claimed,) = await desk.claim(ahead)
    await desk.record(ahead, (claimed, Misconfigured("Login refused.", fix="Mend it.")))
    await change(desk.db, Message, due_at=now)
    assert len(await desk.claim(now)) == 1


async def test_what_may_have_gone_is_uncertain_and_never_sent_again(
    desk: Desk, now: datetime
) -> None:
    campaign = await _one_on_its_way(desk, now)
    (claimed,) = await desk.claim(now)
    turn = await desk.record(now, (claimed, Unclear("the connection was lost")))
    assert turn.tally.uncertain == 1
    assert (await states(desk.db))[0] == (
        UNCERTAIN,
        "it may have been sent or not: the connection was lost",
    )
    assert await desk.claim(later(now, days=30)) == []
    assert await campaign_state(desk.db, campaign) == (CampaignState.RUNNING, None)


async def test_a_provider_that_never_answers_makes_five_mails_uncertain_and_not_all(
    desk: Desk, now: datetime
) -> None:
    await add_campaign(desk.db, await add_leads(desk.db, 8, now), now)
    problem = ""
    for _ in range(5):
        (claimed,) = await desk.claim(now, most=1)
        turn = await desk.record(now, (claimed, Unclear("it answered 500")))
        problem = turn.tally.problem
    assert problem.startswith("Nothing more is sent for now: 5 messages in a row")
    assert await desk.claim(now) == []
    assert [state for state, _ in await states(desk.db)].count(UNCERTAIN) == 5


async def test_what_was_cut_off_here_is_not_held_against_the_provider(
    desk: Desk, now: datetime
) -> None:
    await add_campaign(desk.db, await add_leads(desk.db, 8, now), now)
    for _ in range(6):
        (claimed,) = await desk.claim(now, most=1)
        turn = await desk.record(now, (claimed, Unclear("it was interrupted", ours=True)))
        assert turn.tally.problem == ""
    assert len(await desk.claim(now)) == 2


async def test_an_uncertain_mail_that_turns_up_was_sent_and_the_next_step_follows(
    desk: Desk, now: datetime
) -> None:
    await _one_on_its_way(desk, now)
    (claimed,) = await desk.claim(now)
    await desk.record(now, (claimed, Unclear("the connection was lost")))
    async with desk.db.write() as session:
        assert await was_sent(session, 1, an_account(), at=now, now=now)
        assert not await was_sent(session, 1, an_account(), at=now, now=now)
    assert (await states(desk.db))[0] == (SENT, None)
    assert len(await told(desk.db, 1)) == 1
    assert len(await desk.claim(later(now, days=3))) == 1


@pytest.mark.parametrize("sent", [True, False])
async def test_the_operator_says_what_became_of_an_uncertain_mail(
    desk: Desk, now: datetime, sent: bool
) -> None:
    await _one_on_its_way(desk, now)
    (claimed,) = await desk.claim(now)
    await desk.record(now, (claimed, Unclear("the connection was lost")))
    async with desk.db.write() as session:
        await decide(session, 1, sent=sent, account=an_account(), now=now)
    assert (await states(desk.db))[0] == ((SENT, None) if sent else (QUEUED, None))
    with pytest.raises(BadInput, match="not uncertain"):
        async with desk.db.write() as session:
            await decide(session, 1, sent=sent, account=an_account(), now=now)
    with pytest.raises(NotFound, match="no message 99"):
        async with desk.db.write() as session:
            await decide(session, 99, sent=sent, account=an_account(), now=now)


async def _cancel(db: Database, campaign: int, now: datetime) -> None:
    await change(db, Campaign, [campaign], state=CampaignState.CANCELED, ended_at=now)


@pytest.mark.parametrize("answer", [TryLater("451 later"), Unavailable("down"), None])
async def test_what_comes_back_unsent_to_a_canceled_campaign_is_canceled(
    desk: Desk, now: datetime, answer: TryLater | Unavailable | None
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    campaign = await add_campaign(desk.db, [lead], now)
    (claimed,) = await desk.claim(now)
    await _cancel(desk.db, campaign, now)
    await desk.record(now, (claimed, answer))
    assert await states(desk.db) == [(CANCELED, "the campaign was canceled")]


async def test_a_mail_that_went_while_its_campaign_was_canceled_was_sent(
    desk: Desk, now: datetime
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    campaign = await add_campaign(desk.db, [lead], now)
    (claimed,) = await desk.claim(now)
    await _cancel(desk.db, campaign, now)
    await desk.record(now, (claimed, accepted(claimed.mail)))
    assert await states(desk.db) == [(SENT, None)]
    assert await campaign_state(desk.db, campaign) == (CampaignState.CANCELED, None)


async def test_an_uncertain_mail_of_a_canceled_campaign_is_not_sent_again(
    desk: Desk, now: datetime
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    campaign = await add_campaign(desk.db, [lead], now)
    (claimed,) = await desk.claim(now)
    await desk.record(now, (claimed, Unclear("lost")))
    await _cancel(desk.db, campaign, now)
    async with desk.db.write() as session:
        await decide(session, 1, sent=False, account=an_account(), now=now)
    assert await states(desk.db) == [(CANCELED, "the campaign was canceled")]


async def test_a_lead_that_was_merged_while_its_mail_was_on_its_way_has_it_on_its_timeline(
    desk: Desk, now: datetime
) -> None:
    kept, other = await add_leads(desk.db, 2, now)
    await add_campaign(desk.db, [other], now)
    (claimed,) = await desk.claim(now)
    async with desk.db.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE message SET business_id = ?", (kept,))
        await connection.exec_driver_sql(
            "DELETE FROM contact_point WHERE business_id = ?", (other,)
        )
        await connection.exec_driver_sql("DELETE FROM business WHERE id = ?", (other,))
    await desk.record(now, (claimed, accepted(claimed.mail)))
    assert await states(desk.db) == [(SENT, None)]
    assert len(await told(desk.db, kept)) == 1


@pytest.mark.parametrize(
    "answer", ["sent", NO_SUCH_USER, TryLater("451 <lead1@shop.example> later")]
)
async def test_of_a_lead_that_was_erased_while_its_mail_was_on_its_way_no_word_is_kept(
    desk: Desk, now: datetime, answer: object
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_campaign(desk.db, [lead], now)
    (claimed,) = await desk.claim(now)
    await change(desk.db, Business, erased_at=now)
    await change(desk.db, Message, address="erased 1", body="", subject=None)
    said = accepted(claimed.mail) if answer == "sent" else answer
    await desk.record(now, (claimed, said))  # type: ignore[arg-type]
    async with desk.db.read() as session:
        connection = await session.connection()
        kept = [
            str(tuple(row))
            for table in ("event", "message")
            for row in await connection.exec_driver_sql(f"SELECT * FROM {table}")
        ]
    assert not [row for row in kept if "Shop 1" in row or "lead1@" in row or "550 " in row]


async def test_a_mail_that_somebody_else_answers_for_is_left_to_them(
    desk: Desk, now: datetime
) -> None:
    await _one_on_its_way(desk, now)
    (claimed,) = await desk.claim(now)
    await change(desk.db, Message, [1], claimed_by="another")
    await desk.record(now, (claimed, Unavailable("down")))
    assert (await messages(desk.db, Message.state, Message.claimed_by))[0] == (SENDING, "another")


async def test_a_sender_that_was_taken_for_dead_still_tells_what_it_knows(
    desk: Desk, now: datetime
) -> None:
    await _one_on_its_way(desk, now)
    (claimed,) = await desk.claim(now)
    await change(
        desk.db, Message, [1], state=UNCERTAIN, reason="sending was cut off", claimed_by=None
    )
    await desk.record(now, (claimed, accepted(claimed.mail)))
    assert (await states(desk.db))[0] == (SENT, None)


async def _bounce(desk: Desk, now: datetime, pattern: str) -> None:
    """Send as many as there are letters: b bounces hard."""
    for number, letter in enumerate(pattern):
        at = later(now, seconds=number)
        claimed = await desk.claim(at, most=1)
        for each in claimed:
            answer = NO_SUCH_USER if letter == "b" else accepted(each.mail)
            await desk.record(at, (each, answer))


@pytest.mark.parametrize("knows", [True, False])
async def test_a_campaign_with_too_many_bounces_pauses_itself_and_says_why(
    desk: Desk, now: datetime, knows: bool
) -> None:
    campaign = await add_campaign(desk.db, await add_leads(desk.db, 40, now), now)
    await _bounce(desk, now, "bb" + "s" * 17)
    assert await campaign_state(desk.db, campaign) == (CampaignState.RUNNING, None)
    if not knows:
        desk.ahead.ends.clear()
    await _bounce(desk, later(now, minutes=1), "s")
    state, why = await campaign_state(desk.db, campaign)
    assert state is CampaignState.PAUSED
    assert "2 of the last 20 addresses do not exist (10 %" in (why or "")
    assert await desk.claim(later(now, minutes=2)) == []


async def test_bounces_of_long_ago_are_forgotten(desk: Desk, now: datetime) -> None:
    campaign = await add_campaign(desk.db, await add_leads(desk.db, 75, now), now)
    await _bounce(desk, now, "s" * 20 + "b" + "s" * 50 + "bb")
    assert await campaign_state(desk.db, campaign) == (CampaignState.RUNNING, None)


async def test_a_campaign_of_one_step_that_is_refused_is_left_by_nobody(
    desk: Desk, now: datetime
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_campaign(desk.db, [lead], now)
    (claimed,) = await desk.claim(now)
    await desk.record(now, (claimed, Blocked("554 no")))
    assert await told(desk.db, lead) == [(EventKind.NOT_SENT, "mail refused: 554 no")]


async def test_a_single_mail_is_sent_and_stands_on_the_timeline(desk: Desk, now: datetime) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_single(desk.db, lead, now)
    await desk.send(now)
    assert await states(desk.db) == [(SENT, None)]
    assert await told(desk.db, lead) == [(EventKind.EMAIL_SENT, "mail: Your call")]


async def test_a_turn_without_anything_to_do_writes_nothing(desk: Desk, now: datetime) -> None:
    await _one_on_its_way(desk, now)
    await desk.send(now)
    before = await desk.db.data_version()
    await desk.turn(now)
    assert await desk.db.data_version() == before


async def test_tokens_of_mails_that_never_left_come_back_and_no_distance_is_kept_to_them(
    db: Database, now: datetime
) -> None:
    desk = Desk(db, a_claimer(an_account(limits=Limits(per_hour=10, per_day=40)), spread=True))
    await add_campaign(db, await add_leads(db, 2, now), now)
    (claimed,) = await desk.claim(now)
    await desk.record(now, (claimed, Unavailable("down")))
    async with db.read() as session:
        known = await standing.read_standing(session, "smtp", home="home")
    assert (known.bucket.today, known.bucket.minutes, known.bucket.last) == (0, (), None)
    assert len(await desk.claim(later(now, seconds=1))) == 1
