"""Claiming: what goes, what does not and why, what waits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Campaign, ContactPoint, Event, Message, Suppression
from crm_tui.providers.base import Unavailable
from crm_tui.services import events, voiding
from crm_tui.services.events import NewEvent
from crm_tui.services.sending.hours import Rules, read_rules
from crm_tui.services.sending.pace import Limits
from crm_tui.vocabulary import (
    CampaignState,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    Outcome,
    SuppressionKind,
)
from tests.sending.queue import (
    AGAIN,
    MONDAY,
    SUNDAY,
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
TWO_STEPS = ((TEXT, None), (AGAIN, "3d"))


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


async def test_a_due_message_is_rendered_claimed_and_on_its_way(desk: Desk, now: datetime) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_campaign(desk.db, [lead], now)
    (claimed,) = await desk.claim(now)
    mail = claimed.mail
    assert (mail.to, mail.subject) == ("lead1@shop.example", "A site for Shop 1")
    assert mail.text.startswith("Hello Springfield, If you do not want")
    (token,) = (await messages(desk.db, Message.token))[0]
    assert mail.list_unsubscribe == (f"mailto:anna@sender.example?subject=unsubscribe%20{token}",)
    ((state, owner, body, version),) = await messages(
        desk.db, Message.state, Message.claimed_by, Message.body, Message.version
    )
    assert (state, owner, body, version) == (SENDING, "this-sender", mail.text, 1)
    assert await desk.claim(now) == []


async def test_what_is_not_due_not_running_or_not_mail_does_not_go(
    desk: Desk, now: datetime
) -> None:
    leads = await add_leads(desk.db, 4, now)
    await add_campaign(desk.db, leads[:1], later(now, hours=1))
    await add_campaign(desk.db, leads[1:2], now, state=CampaignState.PAUSED)
    await add_campaign(desk.db, leads[2:3], now, state=CampaignState.DRAFT)
    await add_campaign(desk.db, leads[3:], now)
    async with desk.db.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "UPDATE message SET channel = 'sms' WHERE business_id = ?", (leads[3],)
        )
    assert await desk.claim(now) == []
    assert {state for state, _ in await states(desk.db)} == {QUEUED}


NOT_TO: dict[str, dict[str, dict[str, Any]]] = {
    "the lead was erased": {"business": {"erased_at": SUNDAY}},
    "never contact again: they rang and swore": {
        "business": {"do_not_contact": True, "do_not_contact_reason": "they rang and swore"}
    },
    "the address is no longer one of this lead's": {"point": {"value": "other@shop.example"}},
    "the address does not exist: a mail to it came back": {
        "point": {"state": ContactState.BOUNCED}
    },
    "the address is marked as wrong": {"point": {"state": ContactState.INVALID}},
    "they reported a mail as spam": {"point": {"state": ContactState.COMPLAINED}},
    "they unsubscribed": {"point": {"state": ContactState.UNSUBSCRIBED}},
    "they asked to stop": {"point": {"state": ContactState.STOPPED}},
}
NOT_IN_A_CAMPAIGN: dict[str, dict[str, dict[str, Any]]] = {
    "the lead was archived": {"business": {"archived_at": SUNDAY}},
    "they bought": {"business": {"contact_status": ContactStatus.PURCHASED}},
    "the lead was lost": {"business": {"outcome": Outcome.LOST}},
    "the lead was won": {"business": {"outcome": Outcome.WON}},
    "it is the wrong contact": {"business": {"outcome": Outcome.WRONG_CONTACT}},
}


async def _set(db: Database, changes: dict[str, dict[str, Any]]) -> None:
    for name, model in (("business", Business), ("point", ContactPoint)):
        if name in changes:
            await change(db, model, **changes[name])


@pytest.mark.parametrize("why", [*NOT_TO, *NOT_IN_A_CAMPAIGN])
async def test_who_must_not_be_written_to_is_skipped_with_all_later_steps(
    desk: Desk, now: datetime, why: str
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    campaign = await add_campaign(desk.db, [lead], now, steps=TWO_STEPS)
    await _set(desk.db, (NOT_TO | NOT_IN_A_CAMPAIGN)[why])
    turn = await desk.turn(now)
    assert (turn.claims.messages, turn.claims.skipped) == ([], 2)
    assert await states(desk.db) == [(SKIPPED, why), (SKIPPED, why)]
    assert await told(desk.db, lead) == [
        (EventKind.CAMPAIGN_LEFT, f"gets no more mail of the campaign: {why}")
    ]
    assert await campaign_state(desk.db, campaign) == (CampaignState.FINISHED, None)


@pytest.mark.parametrize("why", [*NOT_TO, *NOT_IN_A_CAMPAIGN])
async def test_a_single_mail_is_kept_back_only_where_nobody_may_write(
    desk: Desk, now: datetime, why: str
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_single(desk.db, lead, now)
    await _set(desk.db, (NOT_TO | NOT_IN_A_CAMPAIGN)[why])
    claimed = await desk.claim(now)
    if why in NOT_IN_A_CAMPAIGN:
        assert [each.mail.text for each in claimed] == ["As we said.\n"]
    else:
        assert claimed == []
        assert await states(desk.db) == [(SKIPPED, why)]
        assert await told(desk.db, lead) == [(EventKind.NOT_SENT, f"mail not sent: {why}")]


@pytest.mark.parametrize(
    ("kind", "value", "is_barred"),
    [
        (SuppressionKind.EMAIL, "lead1@shop.example", True),
        (SuppressionKind.EMAIL, "lead2@shop.example", False),
        (SuppressionKind.DOMAIN, "shop.example", True),
        (SuppressionKind.DOMAIN, "example", True),
        (SuppressionKind.DOMAIN, "hop.example", False),
        (SuppressionKind.DOMAIN, "sh_p.example", False),
        (SuppressionKind.DOMAIN, "%", False),
        (SuppressionKind.DOMAIN, "a.shop.example", False),
        (SuppressionKind.BUSINESS, "lead-1", True),
        (SuppressionKind.PHONE, "lead1@shop.example", False),
    ],
)
async def test_the_list_of_those_not_to_be_written_to_is_asked_at_the_last_moment(
    desk: Desk, now: datetime, kind: SuppressionKind, value: str, is_barred: bool
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_campaign(desk.db, [lead], now)
    async with desk.db.write() as session:
        row = {"kind": kind, "value": value, "reason": "asked by phone", "created_at": now}
        await session.execute(insert(Suppression).values(row))
    assert len(await desk.claim(now)) == (not is_barred)
    if is_barred:
        why = "on the list of those not to be written to: asked by phone"
        assert await states(desk.db) == [(SKIPPED, why)]


def _event(lead: int, kind: EventKind, at: datetime, **fields: Any) -> NewEvent:
    return NewEvent(lead, kind, at, "something", "mailbox", **fields)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"kind": EventKind.REPLIED, "moves_to": ContactStatus.REPLIED}, "they answered"),
        ({"kind": EventKind.CALL, "moves_to": ContactStatus.REPLIED}, "they answered"),
        ({"kind": EventKind.AUTO_REPLIED}, ""),
        ({"kind": EventKind.OPENED, "moves_to": ContactStatus.OPENED}, ""),
        ({"kind": EventKind.CLICKED, "moves_to": ContactStatus.CLICKED}, ""),
    ],
)
async def test_an_answer_ends_the_sequence_and_nothing_less_does(
    desk: Desk, now: datetime, event: dict[str, Any], why: str
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_campaign(desk.db, [lead], now, steps=TWO_STEPS)
    await desk.send(now)
    async with desk.db.write() as session:
        await events.record(session, _event(lead, at=later(now, days=1), **event), now=now)
    claimed = await desk.claim(later(now, days=3))
    assert bool(claimed) is not bool(why)
    if why:
        assert (await states(desk.db))[1] == (SKIPPED, why)


async def test_a_click_ends_the_sequence_where_the_campaign_wants_that(
    desk: Desk, now: datetime
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_campaign(desk.db, [lead], now, stop_on_click=True)
    click = _event(lead, EventKind.CLICKED, now, moves_to=ContactStatus.CLICKED)
    async with desk.db.write() as session:
        await events.record(session, click, now=now)
    assert await desk.claim(now) == []
    assert await states(desk.db) == [(SKIPPED, "they clicked")]


async def test_an_answer_of_before_the_campaign_and_one_taken_back_end_nothing(
    desk: Desk, now: datetime
) -> None:
    old, void = await add_leads(desk.db, 2, now)
    for lead in (old, void):
        reply = _event(lead, EventKind.REPLIED, now, moves_to=ContactStatus.REPLIED, key=f"r{lead}")
        async with desk.db.write() as session:
            await events.record(session, reply, now=now if lead == void else later(now, days=-9))
    async with desk.db.write() as session:
        await voiding.void(session, void, [f"r{void}"], why="no answer", now=now)
    await add_campaign(desk.db, [old, void], now)
    assert len(await desk.claim(now)) == 2


async def test_at_night_a_message_is_put_off_to_the_morning_of_its_recipient(
    db: Database, now: datetime
) -> None:
    desk = Desk(db, a_claimer(an_account(rules=read_rules("18:00-08:00", weekdays_only=True))))
    (tokyo,) = await add_leads(db, 1, now, timezone="Asia/Tokyo")
    (london,) = await add_leads(db, 1, now, timezone="Europe/London")
    await add_campaign(db, [tokyo, london], MONDAY)
    claimed = await desk.claim(MONDAY)  # 10:00 in London, 19:00 in Tokyo
    assert [each.business_id for each in claimed] == [london]
    due = await messages(db, Message.due_at, business_id=tokyo)
    assert due == [(datetime(2026, 11, 23, 23, tzinfo=UTC),)]
    assert len(await desk.claim(datetime(2026, 11, 23, 23, tzinfo=UTC))) == 1


async def test_on_a_sunday_everybody_waits_for_monday_eight_o_clock_but_an_answer_goes(
    db: Database, now: datetime
) -> None:
    desk = Desk(db, a_claimer(an_account(rules=read_rules("20:00-08:00", weekdays_only=True))))
    leads = await add_leads(db, 3, SUNDAY, timezone="America/New_York")
    await add_campaign(db, leads[:1], SUNDAY)
    await add_single(db, leads[1], SUNDAY)
    headers = {"In-Reply-To": "<1@shop.example>", "References": "<0@shop.example> <1@shop.example>"}
    await add_single(db, leads[2], SUNDAY, headers=headers)
    (claimed,) = await desk.claim(SUNDAY)
    assert claimed.mail.in_reply_to == "<1@shop.example>"
    assert claimed.mail.references == ("<0@shop.example>", "<1@shop.example>")
    assert claimed.mail.list_unsubscribe == ()
    due = [at for (at,) in await messages(db, Message.due_at)][:2]
    assert due == [datetime(2026, 11, 23, 13, tzinfo=UTC)] * 2


async def test_no_more_go_than_the_hour_and_the_day_allow(db: Database, now: datetime) -> None:
    desk = Desk(db, a_claimer(an_account(limits=Limits(per_hour=2, per_day=3))))
    await add_campaign(db, await add_leads(db, 5, now), now)
    assert len(await desk.send(now)) == 2
    turn = await desk.turn(now)
    assert turn.claims.messages == []
    assert turn.claims.wait_until == later(now, minutes=61)
    assert len(await desk.send(later(now, minutes=61))) == 1
    tomorrow = datetime(2026, 11, 23, tzinfo=UTC)
    assert (await desk.turn(later(now, hours=3))).claims.wait_until == tomorrow
    assert len(await desk.send(tomorrow)) == 2
    assert {state for state, _ in await states(db)} == {SENT}


async def test_who_spreads_sends_one_and_says_when_the_next_may_go(
    db: Database, now: datetime
) -> None:
    limits = Limits(per_hour=10, per_day=40)
    desk = Desk(db, a_claimer(an_account(limits=limits), spread=True))
    await add_campaign(db, await add_leads(db, 3, now), now)
    assert len(await desk.send(now)) == 1
    turn = await desk.turn(now)
    assert turn.claims.messages == []
    wait = turn.claims.wait_until
    assert wait is not None
    assert later(now, minutes=3) <= wait <= later(now, minutes=60)
    assert len(await desk.send(wait)) == 1


async def test_an_answer_waits_for_no_slot_and_goes_before_everything_that_does(
    db: Database, now: datetime
) -> None:
    limits = Limits(per_hour=10, per_day=40)
    desk = Desk(db, a_claimer(an_account(limits=limits), spread=True))
    leads = await add_leads(db, 60, now)
    await add_campaign(db, leads[:-1], now)
    await desk.send(now)
    await add_single(db, leads[-1], later(now, seconds=9), headers={"In-Reply-To": "<1@a.example>"})
    (mail,) = await desk.send(later(now, seconds=10))
    assert mail.in_reply_to == "<1@a.example>"


async def test_a_token_is_taken_for_what_goes_and_given_back_for_what_did_not(
    db: Database, now: datetime
) -> None:
    desk = Desk(db, a_claimer(an_account(limits=Limits(per_hour=1, per_day=1))))
    await add_campaign(db, await add_leads(db, 1, now), now)
    for attempt in range(4):
        at = later(now, seconds=attempt)
        (claimed,) = await desk.claim(at)
        await desk.record(at, (claimed, Unavailable("no route to the host")))
    assert len(await desk.send(later(now, seconds=9))) == 1


async def test_what_lacks_something_is_held_with_its_reason_and_takes_no_token(
    db: Database, now: datetime
) -> None:
    desk = Desk(db, a_claimer(an_account(limits=Limits(per_hour=1))))
    await add_leads(db, 1, now, city=None)
    await add_leads(db, 1, now)
    await add_campaign(db, [1, 2], now)
    (claimed,) = await desk.claim(now)
    assert claimed.business_id == 2
    (held, _) = await states(db)
    assert held[0] is QUEUED
    assert "business.city" in (held[1] or "")
    assert (await messages(db, Message.due_at))[0] == (None,)


async def test_a_step_with_the_site_is_held_until_the_site_is_published(
    desk: Desk, now: datetime
) -> None:
    source = "---\nsubject: Look\n---\n{{ site.url }} {{ unsubscribe }}\n"
    await add_campaign(desk.db, await add_leads(desk.db, 1, now), now, steps=((source, None),))
    assert await desk.claim(now) == []
    assert await states(desk.db) == [(QUEUED, "its site is not published")]


async def test_a_follow_up_goes_on_in_the_thread_of_the_first_after_its_delay(
    desk: Desk, now: datetime
) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    steps = ((TEXT, None), (AGAIN, "3d"), (AGAIN, "2h"))
    campaign = await add_campaign(desk.db, [lead], now, steps=steps)
    (first,) = await desk.send(now)
    assert await desk.claim(later(now, days=3, seconds=-1)) == []
    (second,) = await desk.send(later(now, days=3))
    assert second.subject == "Re: A site for Shop 1"
    assert (second.in_reply_to, second.references) == (first.message_id, (first.message_id,))
    assert await campaign_state(desk.db, campaign) == (CampaignState.RUNNING, None)
    (third,) = await desk.send(later(now, days=3, hours=2))
    assert third.in_reply_to == second.message_id
    assert third.references == (first.message_id, second.message_id)
    assert await campaign_state(desk.db, campaign) == (CampaignState.FINISHED, None)


async def test_a_step_without_a_delay_is_due_at_once(desk: Desk, now: datetime) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    await add_campaign(desk.db, [lead], now, steps=((TEXT, None), (AGAIN, None)))
    await desk.send(now)
    assert len(await desk.send(now)) == 1


async def test_after_a_merge_each_thread_goes_on_by_itself_and_no_step_goes_twice(
    desk: Desk, now: datetime
) -> None:
    one, other = await add_leads(desk.db, 2, now)
    await add_campaign(desk.db, [one, other], now, steps=TWO_STEPS)
    firsts = await desk.send(now)
    for model in (Message, ContactPoint, Event):
        async with desk.db.write() as session:
            connection = await session.connection()
            table = model.__tablename__
            primary = ", is_primary = 0" if model is ContactPoint else ""
            await connection.exec_driver_sql(
                f"UPDATE {table} SET business_id = ?{primary} WHERE business_id = ?",
                (one, other),
            )
    (second,) = await desk.send(later(now, days=3))
    assert second.in_reply_to == firsts[0].message_id
    assert await desk.claim(later(now, days=3)) == []
    assert (await states(desk.db))[3] == (SKIPPED, "the lead got this mail at another address")


async def test_the_person_greeted_is_the_one_behind_the_address(desk: Desk, now: datetime) -> None:
    (lead,) = await add_leads(desk.db, 1, now)
    source = "---\nsubject: Hi\n---\nHello {{ contact.first_name or 'there' }} {{ unsubscribe }}\n"
    await add_campaign(desk.db, [lead], now, steps=((source, None),))
    await change(desk.db, ContactPoint, person="Paula Prime")
    async with desk.db.write() as session:
        point = {"business_id": lead, "kind": "email", "value": "bob@shop.example"}
        await session.execute(
            insert(ContactPoint).values(point | {"person": "Bob Stone", "created_at": now})
        )
    await change(desk.db, Message, address="bob@shop.example")
    (claimed,) = await desk.claim(now)
    assert claimed.mail.text.startswith("Hello Bob")


async def test_nobody_is_claimed_beyond_the_number_asked_for(desk: Desk, now: datetime) -> None:
    await add_campaign(desk.db, await add_leads(desk.db, 5, now), now)
    turn = await desk.turn(now, most=2)
    assert len(turn.claims.messages) == 2
    assert len(turn.claims.untouched) == 3


async def test_a_paused_campaign_stops_before_the_next_claim(desk: Desk, now: datetime) -> None:
    campaign = await add_campaign(desk.db, await add_leads(desk.db, 2, now), now)
    (claimed,) = await desk.claim(now, most=1)
    await change(desk.db, Campaign, [campaign], state=CampaignState.PAUSED, pause_reason="enough")
    await desk.record(now, (claimed, accepted(claimed.mail)))
    assert await desk.claim(now) == []
    assert [state for state, _ in await states(desk.db)] == [SENT, QUEUED]


async def test_rules_that_never_end_are_no_reason_to_wait(db: Database, now: datetime) -> None:
    desk = Desk(db, a_claimer(an_account(rules=Rules())))
    await add_campaign(db, await add_leads(db, 1, now), now)
    assert len(await desk.claim(later(now, hours=13))) == 1
