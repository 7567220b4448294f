"""What became of texts, and what was answered, comes by polling alone: all of it, and once."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.providers.base import LoginRefused, Sent, Unavailable
from crm_tui.providers.events import Asked, Happening, Waiting
from crm_tui.providers.secrets import Lookup, Secret
from crm_tui.providers.twilio import TwilioStream
from tests.providers.twilio_drive import (
    KEY,
    LEAD,
    NOW,
    Kept,
    a_sender,
    a_stream,
    a_text,
    a_twilio,
    an_api,
    send_for_sure,
)
from tests.world.official import Checked, Official
from tests.world.twilio import ACCOUNT, ELSEWHERE, NUMBER, FakeTwilio
from tests.world.world import Faults

ENDS: Sequence[tuple[Sequence[str], int | None, Happening]] = (
    (("sent", "delivered"), None, Happening.DELIVERED),
    (("sent",), None, Happening.SENT),
    (("sent", "undelivered"), 30003, Happening.BOUNCED_SOFT),
    (("sent", "undelivered"), 30005, Happening.BOUNCED_HARD),
    (("sent", "undelivered"), 30006, Happening.BOUNCED_HARD),
    (("sent", "undelivered"), 30007, Happening.FAILED),
    (("failed",), 30034, Happening.FAILED),
    (("failed",), 21610, Happening.UNSUBSCRIBED),
    (("sending", "sent", "delivered"), None, Happening.DELIVERED),
    (("canceled",), None, Happening.FAILED),
)
"""What may become of a message: its statuses, the error code, and what we make of the last."""


async def test_a_message_is_followed_from_the_queue_to_the_phone() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        sid = kept.sent(await sender.send(a_text()), twilio.world.now)
        await _poll(twilio, stream, kept)
        twilio.happen(sid, "sent")
        await _poll(twilio, stream, kept, minutes=2)
        twilio.happen(sid, "delivered")
        await _poll(twilio, stream, kept, minutes=2)
    assert [(each.name, each.kind) for each in kept.events().values()] == [
        (f"{sid}:queued", Happening.IGNORED),
        (f"{sid}:sent", Happening.SENT),
        (f"{sid}:delivered", Happening.DELIVERED),
    ]
    assert {each.provider_id for each in kept.events().values()} == {sid}


async def test_a_poll_that_finds_nothing_new_keeps_nothing_new() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        sid = kept.sent(await sender.send(a_text()), twilio.world.now)
        twilio.happen(sid, "delivered")
        await _poll(twilio, stream, kept)
        before, asked = dict(kept.records), len(twilio.world.requests)
        await _poll(twilio, stream, kept)
    assert kept.records == before
    assert len(twilio.world.requests) == asked + 1


async def test_what_a_message_cost_is_told_once_it_is_known() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        sid = kept.sent(await sender.send(a_text("ß" * 100)), twilio.world.now)
        twilio.happen(sid, "delivered")
        await _poll(twilio, stream, kept)
        assert [each.cost for each in kept.events().values()] == [None]
        await _poll(twilio, stream, kept, minutes=10)
    assert list(kept.records) == [f"{sid}:delivered", f"{sid}:delivered:priced"]
    (event,) = stream.parse_event(kept.records[f"{sid}:delivered:priced"])
    assert (event.name, event.segments) == (f"{sid}:delivered", 1)
    assert (event.cost, event.currency) == (8300, "USD")


async def test_answers_come_in_the_same_listing() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_stream(twilio) as stream:
        inbound = twilio.arrive(LEAD, "Yes please 👍\nCall me")
        await _poll(twilio, stream, kept)
    (event,) = kept.events().values()
    assert event.kind is Happening.REPLIED
    assert (event.sender, event.recipient, event.text) == (LEAD, NUMBER, "Yes please 👍\nCall me")
    assert (event.name, event.provider_id) == (f"{inbound.sid}:received", None)
    assert event.occurred_at == NOW


async def test_requests_and_answers_are_as_the_official_description_has_them() -> None:
    twilio, kept = a_twilio(), Kept()
    checked = Checked(twilio.world.transport(), Official.of("twilio"))
    async with (
        a_sender(twilio, checked) as sender,
        a_stream(twilio, checked, page_size=2) as stream,
    ):
        for number in range(5):
            sms = a_text(to=f"+1555020000{number}")
            sid = kept.sent(await sender.send(sms), twilio.world.now)
            if number:
                twilio.happen(sid, "undelivered", error_code=30006, error_message="Landline")
        twilio.arrive(LEAD, "Hello", media=1)
        await _poll(twilio, stream, kept)
        await _poll(twilio, stream, kept, minutes=20)
    assert checked.checked == 5 + 2 * (3 + 1)
    checked.assert_clean()


async def test_pages_that_shift_while_they_are_fetched_lose_nothing() -> None:
    twilio, kept = a_twilio(Faults(shifting=True)), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio, page_size=3) as stream:
        sids = [
            kept.sent(await sender.send(a_text(to=f"+1555020{number:04}")), twilio.world.now)
            for number in range(20)
        ]
        for sid in sids:
            twilio.happen(sid, "delivered")
        await _poll(twilio, stream, kept)
    told = {each.provider_id for each in kept.events().values() if each.recipient != ELSEWHERE}
    assert told == set(sids)


async def test_a_message_that_is_queued_for_days_is_asked_for_by_name_for_three_of_them() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        sid = kept.sent(await sender.send(a_text()), twilio.world.now)
        fetched = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json"
        for _ in range(4):
            await _poll(twilio, stream, kept, hours=20)
        assert [path for _, path, _ in twilio.world.requests].count(fetched) == 3
        twilio.happen(sid, "delivered")
        await _poll(twilio, stream, kept, minutes=2)
    assert f"{sid}:delivered" in kept.events()


async def test_a_message_that_waits_for_long_is_asked_for_once_an_hour() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        sid = kept.sent(await sender.send(a_text()), twilio.world.now)
        fetched = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json"
        asked = []
        for _ in range(4):
            before = len(twilio.world.requests)
            for _ in range(30):
                await _poll(twilio, stream, kept, minutes=2)
            paths = [path for _, path, _ in twilio.world.requests[before:]]
            assert paths.count(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json") == 30
            asked.append(paths.count(fetched))
    assert asked == [30, 1, 1, 1]


async def test_a_message_that_was_sent_days_ago_is_asked_for_until_it_arrived() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        sid = kept.sent(await sender.send(a_text()), twilio.world.now)
        twilio.happen(sid, "sent")
        await _poll(twilio, stream, kept)
        await _poll(twilio, stream, kept, days=2, hours=22)
        twilio.happen(sid, "delivered")
        await _poll(twilio, stream, kept, minutes=61)
    assert f"{sid}:delivered" in kept.events()


async def test_of_many_that_wait_each_has_its_turn() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        for number in range(250):
            sms = a_text(to=f"+1555020{number:04}")
            kept.sent(await sender.send(sms), twilio.world.now)
        for polled, expected in ((1, 100), (2, 200), (3, 250)):
            before = len(twilio.world.requests)
            await _poll(twilio, stream, kept)
            assert len(twilio.world.requests) - before == 101, polled
            assert len(kept.records) == expected


async def test_one_message_that_cannot_be_had_holds_up_neither_the_others_nor_the_listing() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        for number in range(5):
            sms = a_text(to=f"+1555020{number:04}")
            kept.sent(await sender.send(sms), twilio.world.now)
        broken = sorted(kept.waiting)[1]
        twilio.broken = {broken}
        await _poll(twilio, stream, kept)
        assert len(kept.records) == 1
        await _poll(twilio, stream, kept)
    assert len(kept.records) == 4
    assert not kept.troubles


async def test_a_message_that_is_not_there_any_more_is_passed_over() -> None:
    twilio, kept = a_twilio(), Kept()
    kept.sent(Sent("k1", "SM" + "0" * 32, ""), twilio.world.now)
    kept.sent(Sent("k2", "../../nonsense?x=", ""), twilio.world.now)
    async with a_stream(twilio) as stream:
        await _poll(twilio, stream, kept)
    assert (kept.records, kept.troubles) == ({}, [])


async def test_after_a_long_sleep_everything_since_is_fetched() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_stream(twilio, page_size=5) as stream:
        await _poll(twilio, stream, kept)
        for _ in range(30):
            twilio.world.pass_time(days=1)
            twilio.arrive(LEAD, "Still there?")
        await _poll(twilio, stream, kept)
    assert len(kept.events()) == 30


async def test_the_first_poll_goes_back_to_the_first_message() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        kept.sent(await sender.send(a_text()), twilio.world.now)
        twilio.arrive(LEAD, "Yes")
        twilio.world.pass_time(days=20)
        await _poll(twilio, stream, kept)
    assert [each.kind for each in kept.events().values()] == [Happening.REPLIED]


async def test_what_is_older_than_twilio_keeps_is_a_gap() -> None:
    twilio = a_twilio()
    async with a_stream(twilio) as stream:
        first = await stream.fetch_events({}, Asked(now=NOW))
        assert first.gap is None
        twilio.world.pass_time(days=410)
        now = twilio.world.now
        page = await stream.fetch_events(first.cursor, Asked(now=now))
        assert page.gap == (NOW, now - timedelta(days=400))
        again = await stream.fetch_events(page.cursor, Asked(now=now))
        assert again.gap is None
        assert stream.keeps == timedelta(days=400)


async def test_a_clock_that_is_days_ahead_misses_nothing_after_the_first_poll() -> None:
    twilio, kept = a_twilio(), Kept()

    def ours() -> datetime:
        return twilio.world.now + timedelta(days=9)

    async with a_stream(twilio) as stream:
        await kept.poll(stream, ours)
        twilio.world.pass_time(hours=1)
        twilio.arrive(LEAD, "Yes")
        await kept.poll(stream, ours)
    assert len(kept.events()) == 1


@pytest.mark.parametrize(
    "uri",
    [
        "https://twilio.evil.example/2010-04-01/Accounts/{account}/Messages.json?Page=1",
        "//twilio.evil.example/2010-04-01/Accounts/{account}/Messages.json?Page=1",
        "@twilio.evil.example/2010-04-01/Accounts/{account}/Messages.json?Page=1",
        "/2010-04-01/Accounts/{account}/Messages.json@twilio.evil.example/?Page=1",
        "/2010-04-01/Accounts/{account}/Keys.json?Page=1",
        "http://127.0.0.1:1/2010-04-01/Accounts/{account}/Messages.json?Page=1",
    ],
)
async def test_a_next_page_that_is_not_twilios_is_not_followed(uri: str) -> None:
    twilio = a_twilio()
    body = {"messages": [], "next_page_uri": uri.format(account=ACCOUNT)}
    twilio.lists = json.dumps(body).encode()
    async with a_stream(twilio) as stream:
        with pytest.raises(Unavailable, match="not its own"):
            await stream.fetch_events({}, _now())
    assert len(twilio.world.requests) == 1


async def test_a_poisoned_page_is_fetched_again_and_nothing_is_missed() -> None:
    twilio, kept = a_twilio(Faults(poisoned=0.5)), Kept()
    for number in range(9):
        twilio.arrive(LEAD, f"Text {number}")
    async with a_stream(twilio, page_size=3) as stream:
        while "listed" not in kept.cursor:
            await _poll(twilio, stream, kept)
    assert len(kept.records) == 9
    assert any("not its own" in each for each in kept.troubles)


async def test_a_page_that_names_itself_as_the_next_one_is_not_followed_for_ever() -> None:
    twilio = a_twilio()
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageSize=1000&Page=1"
    twilio.lists = json.dumps({"messages": [], "next_page_uri": uri}).encode()
    async with a_stream(twilio) as stream:
        page = await stream.fetch_events({}, _now())
        with pytest.raises(Unavailable):
            await stream.fetch_events(page.cursor, _now())


async def test_a_page_that_is_not_there_any_more_begins_the_listing_anew() -> None:
    twilio, kept = a_twilio(Faults(expired=1)), Kept()
    for number in range(9):
        twilio.arrive(LEAD, f"Text {number}")
    async with a_stream(twilio, page_size=3) as stream:
        await _poll(twilio, stream, kept)
        assert len(kept.records) == 3
        assert "listed" not in kept.cursor
        assert len(twilio.world.requests) < 20
        assert "further pages are refused" in kept.troubles[-1]
        twilio.world.heal()
        kept.troubles.clear()
        await _poll(twilio, stream, kept)
    assert len(kept.records) == 9
    assert not kept.troubles
    assert "listed" in kept.cursor


async def test_a_wrong_token_stops_the_poll_with_the_fix() -> None:
    twilio = a_twilio()
    api = an_api(twilio, key=Lookup.of(Secret("wrong")))
    async with TwilioStream(twilio.settings, KEY, now=twilio.world.clock, api=api) as stream:
        with pytest.raises(LoginRefused, match="account_sid"):
            await stream.fetch_events({}, _now())


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"messages": 7}',
        b'{"messages": [], "next_page_uri": 7}',
        b'{"messages": [], "next_page_uri": ["x"]}',
    ],
)
async def test_a_page_that_is_none_moves_nothing(body: bytes) -> None:
    twilio = a_twilio()
    twilio.lists = body
    async with a_stream(twilio) as stream:
        with pytest.raises(Unavailable):
            await stream.fetch_events({}, _now())


async def test_records_that_cannot_be_read_do_not_stop_the_others() -> None:
    twilio = a_twilio()
    twilio.lists = (
        b'{"messages": [7, {}, {"sid": "SM1"}, {"status": "sent"}, {"sid": 1, "status": 2}],'
        b' "next_page_uri": null}'
    )
    async with a_stream(twilio) as stream:
        page = await stream.fetch_events({}, _now())
    assert len({each.external_id for each in page.events}) == 5


async def test_reconciling_asks_for_messages_by_name() -> None:
    twilio, kept = a_twilio(), Kept()
    async with a_sender(twilio) as sender, a_stream(twilio) as stream:
        sid = kept.sent(await sender.send(a_text()), twilio.world.now)
        twilio.happen(sid, "delivered")
        waiting = [*kept.waiting.values(), Waiting("SM" + "1" * 32, NOW - timedelta(days=500))]
        asked = Asked(now=NOW, since=NOW, waiting=waiting)
        found = await stream.reconcile(asked, NOW - timedelta(days=400))
    assert [each.external_id for each in found] == [f"{sid}:delivered"]


# -- everything going wrong ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
async def test_every_status_and_every_answer_is_found_with_everything_going_wrong(
    seed: int,
) -> None:
    twilio = a_twilio(Faults.all_at_once(), seed)
    dice = random.Random(seed)
    kept = Kept(dies=0.1, random=dice)
    expected: dict[str, Happening] = {}
    inbound: dict[str, str] = {}
    async with a_sender(twilio) as sender, a_stream(twilio, page_size=7) as stream:
        for number in range(50):
            sms = a_text(f"Text {number}", to=f"+1555020{number:04}", key=f"k{number}")
            at = twilio.world.now
            sid = kept.sent(await send_for_sure(twilio, sender, sms), at)
            expected[sid] = _go_on(twilio, sid, dice)
            if dice.random() < 0.4:
                text = f"Answer {number}"
                inbound[twilio.arrive(sms.to, text).sid] = text
            if dice.random() < 0.3:
                await _poll(twilio, stream, kept, minutes=dice.randrange(90))
        await _poll(twilio, stream, kept, minutes=30)
        twilio.world.heal()
        kept.dies = 0
        for _ in range(2):  # the rest of the one that was broken off, and a whole one
            await _poll(twilio, stream, kept, hours=1)
    assert len(twilio.accepted) == 50
    _assert_all_told(kept, expected, inbound)


@pytest.mark.parametrize("seed", range(10))
async def test_dying_before_any_page_is_kept_loses_and_doubles_nothing(seed: int) -> None:
    twilio = a_twilio(seed=seed)
    dice = random.Random(seed)
    kept = Kept(dies=0.6, random=dice)
    expected: dict[str, Happening] = {}
    inbound: dict[str, str] = {}
    async with a_sender(twilio) as sender, a_stream(twilio, page_size=4) as stream:
        for number in range(20):
            sms = a_text(to=f"+1555020{number:04}")
            sid = kept.sent(await sender.send(sms), twilio.world.now)
            expected[sid] = _go_on(twilio, sid, dice)
            inbound[twilio.arrive(sms.to, f"Answer {number}").sid] = f"Answer {number}"
            await _poll(twilio, stream, kept, minutes=1)
        kept.dies = 0
        for _ in range(2):  # the rest of the one that was broken off, and a whole one
            await _poll(twilio, stream, kept, hours=1)
    _assert_all_told(kept, expected, inbound)


async def test_what_is_asked_when_everything_goes_wrong_is_still_as_described() -> None:
    twilio = a_twilio(Faults.all_at_once(), 11)
    checked = Checked(twilio.world.transport(), Official.of("twilio"))
    dice, kept = random.Random(11), Kept()
    async with (
        a_sender(twilio, checked) as sender,
        a_stream(twilio, checked, page_size=4) as stream,
    ):
        for number in range(15):
            sms = a_text(to=f"+1555020{number:04}")
            sid = kept.sent(await send_for_sure(twilio, sender, sms), twilio.world.now)
            _go_on(twilio, sid, dice)
            await _poll(twilio, stream, kept, minutes=7)
    assert {status for _, _, status in twilio.world.requests} >= {200, 201, 429, 500}
    assert checked.cut
    checked.assert_clean()


_DOINGS = st.lists(
    st.sampled_from(["send", "go on", "answer", "poll", "die", "wait a minute", "wait a day"]),
    min_size=5,
    max_size=40,
)


@given(doings=_DOINGS, seed=st.integers(0, 1000), page_size=st.sampled_from([1, 3, 1000]))
@settings(max_examples=40)
async def test_in_whatever_order_things_happen_all_is_told_in_the_end(
    doings: list[str], seed: int, page_size: int
) -> None:
    twilio, kept, dice = a_twilio(seed=seed), Kept(), random.Random(seed)
    pending: list[str] = []
    expected: dict[str, Happening] = {}
    inbound: dict[str, str] = {}
    async with a_sender(twilio) as sender, a_stream(twilio, page_size=page_size) as stream:
        for number, doing in enumerate(doings):
            kept.dies = 1 if doing == "die" else 0
            match doing:
                case "send":
                    sms = a_text(to=f"+1555020{number:04}")
                    sid = kept.sent(await sender.send(sms), twilio.world.now)
                    pending.append(sid)
                    expected[sid] = Happening.IGNORED
                case "go on" if pending:
                    sid = pending.pop(dice.randrange(len(pending)))
                    expected[sid] = _go_on(twilio, sid, dice)
                case "answer":
                    inbound[twilio.arrive(LEAD, doing).sid] = doing
                case "wait a minute":
                    twilio.world.pass_time(minutes=1)
                case "wait a day":
                    # In the same three days all comes to its end: for longer nobody asks.
                    twilio.world.pass_time(days=1 if "wait a day" not in doings[:number] else 0)
                case _:
                    await _poll(twilio, stream, kept)
        kept.dies = 0
        for _ in range(2):
            await _poll(twilio, stream, kept, hours=1)
    _assert_all_told(kept, expected, inbound)


def _go_on(twilio: FakeTwilio, sid: str, dice: random.Random) -> Happening:
    """Something becomes of a message; gives what it comes to in the end."""
    statuses, code, kind = dice.choice(ENDS)
    at = twilio.world.now
    for status in statuses:
        facts: dict[str, Any] = {"error_code": code} if status == statuses[-1] else {}
        at += timedelta(seconds=dice.randrange(1, 60))
        twilio.happen(sid, status, at=at, **facts)
    return kind


def _assert_all_told(kept: Kept, expected: dict[str, Happening], inbound: dict[str, str]) -> None:
    """What Twilio knows is known, and each thing once."""
    events = kept.events().values()
    ours = [each for each in events if each.recipient != ELSEWHERE]
    last = {each.provider_id: each.kind for each in _in_order(ours) if each.provider_id}
    assert last == expected
    answers = {each.name: each.text for each in ours if each.kind is Happening.REPLIED}
    assert answers == {f"{sid}:received": text for sid, text in inbound.items()}


def _in_order(events: Sequence[Any]) -> list[Any]:
    """By how far a message has come."""
    settled = {Happening.IGNORED: 0, Happening.SENT: 1}
    return sorted(events, key=lambda each: settled.get(each.kind, 2))


async def _poll(twilio: FakeTwilio, stream: TwilioStream, kept: Kept, **passing: float) -> None:
    """Poll once, after some time."""
    twilio.world.pass_time(**passing)
    await kept.poll(stream, twilio.world.clock)


def _now() -> Asked:
    return Asked(now=NOW)
