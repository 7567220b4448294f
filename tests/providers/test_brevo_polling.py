"""Polling Brevo: everything that happened is found, however late, in few enough requests."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.config.sections import BrevoSettings
from crm_tui.providers.base import LoginRefused, Unavailable
from crm_tui.providers.brevo_api import open_api
from crm_tui.providers.brevo_stream import EVERY, KEEPS, BrevoStream
from crm_tui.providers.events import Asked, Cursor, Happening, Listed, Page
from crm_tui.providers.secrets import Lookup, Secret
from tests.conftest import NOW
from tests.world.brevo import FakeBrevo, Refusal, oracle
from tests.world.official import Checked, Official
from tests.world.world import Faults, World

ASKED = Asked(now=NOW, since=NOW)


@dataclass
class Account:
    """An account, and what was polled of it: its records by their names, as the store has them.

    Attributes:
        cursor: where polling goes on.
        kept: what came, by its name.
        fetched: how many pages were fetched.
    """

    brevo: FakeBrevo
    page: int = 20
    transport: httpx.AsyncBaseTransport | None = None
    since: datetime = NOW
    cursor: Cursor = field(default_factory=dict)
    kept: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    fetched: int = 0
    stream: BrevoStream = field(init=False)

    def __post_init__(self) -> None:
        world = self.brevo.world
        transport = self.transport or world.transport()
        api = open_api(self.brevo.settings, self.brevo.key, transport=transport, sleep=world.sleep)
        self.stream = BrevoStream(
            self.brevo.settings,
            self.brevo.key,
            account="example.com",
            now=world.clock,
            api=api,
            page=self.page,
        )

    @property
    def asked(self) -> Asked:
        return Asked(now=self.brevo.world.now, since=self.since)

    async def fetch(self) -> Page:
        """Fetch a page, and keep it with its cursor."""
        page = await self.stream.fetch_events(self.cursor, self.asked)
        self.fetched += 1
        self.kept |= {each.external_id: each.payload for each in page.events}
        self.cursor = page.cursor
        return page

    async def poll(self) -> int:
        """Poll to the end; how many records were new."""
        before, asked, more = len(self.kept), self.asked, True
        while more:
            page = await self.stream.fetch_events(self.cursor, asked)
            self.fetched += 1
            self.kept |= {each.external_id: each.payload for each in page.events}
            self.cursor, more = page.cursor, page.more
        return len(self.kept) - before

    async def poll_through(self) -> int:
        """Poll to the end through whatever trouble there is, as the worker does: later again."""
        new = 0
        for _ in range(200):
            try:
                return new + await self.poll()
            except Unavailable as error:
                self.brevo.world.pass_time(seconds=error.after or 60)
        raise AssertionError("the trouble never ended")

    def told(self) -> Sequence[tuple[str, str, str, str]]:
        """What was polled of our mails, as the oracle has it."""
        found = []
        for payload in self.kept.values():
            (event,) = self.stream.parse_event(payload)
            if event.provider_id in self.brevo.mails:
                at = event.occurred_at.isoformat()
                found.append((event.provider_id, payload["event"], at, payload.get("link", "")))
        return sorted(found)

    def assert_complete(self) -> None:
        """See that everything that happened was found, once."""
        assert self.told() == oracle(self.brevo)


@pytest.fixture
def world() -> World:
    return World(now=NOW)


@pytest.fixture
def brevo(world: World) -> FakeBrevo:
    return FakeBrevo(world, "brevo")


def sent(brevo: FakeBrevo, number: int) -> str:
    """A mail that Brevo sent, without asking it to."""
    name = f"<{number}@smtp-relay.mailin.fr>"
    brevo.mails[name] = {
        "to": [{"email": f"info@lead{number}.example"}],
        "sender": {"email": "anna@example.com"},
        "subject": "Your website",
        "tags": [f"{number:032x}"],
    }
    brevo.sent_at[name] = brevo.world.now
    brevo.happen(name, "requests")
    return name


async def test_what_happened_is_told_in_our_words(brevo: FakeBrevo) -> None:
    name = sent(brevo, 1)
    brevo.world.pass_time(seconds=3)
    brevo.happen(name, "delivered")
    brevo.world.pass_time(minutes=2)
    brevo.happen(name, "loadedByProxy")
    brevo.happen(name, "clicks", link="https://example.com/site")
    account = Account(brevo)
    assert await account.poll() == 4
    events = [each for raw in account.kept.values() for each in account.stream.parse_event(raw)]
    assert [each.kind for each in events] == [
        Happening.SENT,
        Happening.DELIVERED,
        Happening.OPENED,
        Happening.CLICKED,
    ]
    assert {each.key for each in events} == {f"{1:032x}"}
    assert {each.recipient for each in events} == {"info@lead1.example"}
    assert [bool(each.machine) for each in events] == [False, False, True, False]
    assert events[3].url == "https://example.com/site"


async def test_a_mail_whose_answer_was_lost_is_proven_by_its_events(brevo: FakeBrevo) -> None:
    """They bring the key that it was sent under, however tags are written."""
    brevo.tag_as_json = True
    sent(brevo, 7)
    account = Account(brevo)
    await account.poll()
    (raw,) = account.kept.values()
    (event,) = account.stream.parse_event(raw)
    assert event.key == f"{7:032x}"


async def test_the_stream_says_what_it_is(brevo: FakeBrevo) -> None:
    stream = Account(brevo).stream
    assert (stream.provider, stream.account, stream.name) == ("brevo", "example.com", "events")
    assert (stream.every, stream.keeps) == (EVERY, KEEPS)
    page = await stream.fetch_events({}, ASKED)
    assert page.server_time == NOW


async def test_many_pages_come_in_one_poll(brevo: FakeBrevo) -> None:
    for number in range(100):
        sent(brevo, number)
        brevo.world.pass_time(seconds=1)
    account = Account(brevo)
    assert await account.poll() == 100
    assert account.fetched == 7  # 20 records each, 5 of them again
    account.assert_complete()


async def test_a_quiet_poll_is_one_request_and_changes_nothing(brevo: FakeBrevo) -> None:
    for number in range(50):
        sent(brevo, number)
    account = Account(brevo)
    await account.poll()
    cursor, kept = account.cursor, dict(account.kept)
    for _ in range(5):
        brevo.world.pass_time(seconds=90)
        account.fetched = 0
        assert await account.poll() == 0
        assert account.fetched == 1
        assert account.cursor == cursor
    assert account.kept == kept


async def test_a_page_that_is_fetched_again_is_the_same(brevo: FakeBrevo) -> None:
    """As after a crash between the page and its cursor."""
    for number in range(50):
        sent(brevo, number)
    account = Account(brevo)
    await account.fetch()
    for _ in range(3):
        first = await account.stream.fetch_events(account.cursor, account.asked)
        again = await account.stream.fetch_events(account.cursor, account.asked)
        assert first == again
        account.cursor = first.cursor


@pytest.mark.parametrize("hours", [-11, -5, 0, 5.5, 14])
async def test_days_of_any_zone_are_read_whole(brevo: FakeBrevo, hours: float) -> None:
    brevo.zone = timezone(timedelta(hours=hours))
    account = Account(brevo)
    for number in range(72):
        sent(brevo, number)
        assert await account.poll() == 1
        brevo.world.pass_time(minutes=40)
    account.assert_complete()


# -- what comes late -------------------------------------------------------------------------------


def late(brevo: FakeBrevo, name: str, word: str, *, at: datetime) -> None:
    """Something of the past is told only now."""
    brevo.happen(name, word, at=at)


@pytest.mark.parametrize("most", [1, 7, 19])
async def test_a_server_that_gives_fewer_than_were_asked_for_is_read_to_the_end(
    brevo: FakeBrevo, most: int
) -> None:
    def fewer(request: httpx.Request) -> httpx.Request:
        return httpx.Request(
            request.method, request.url.copy_set_param("limit", most), headers=request.headers
        )

    inner = brevo.world.transport()
    capped = httpx.MockTransport(lambda request: inner.handle_async_request(fewer(request)))
    for number in range(40):
        sent(brevo, number)
        brevo.world.pass_time(seconds=1)
    account = Account(brevo, transport=capped)
    assert await account.poll() == 40
    sent(brevo, 40)
    assert await account.poll() == 1
    account.assert_complete()
    assert await account.poll() == 0


async def test_a_server_that_gives_the_same_page_again_and_again_ends_a_poll() -> None:
    events = [
        {"event": "requests", "email": "a@b.c", "messageId": f"<{n}@b.c>", "date": NOW.isoformat()}
        for n in range(3)
    ]
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={"events": events}))
    at, key = BrevoSettings(), Lookup.of(Secret("xkeysib-1"))
    stream = BrevoStream(at, key, account="b.c", now=lambda: NOW, transport=transport)
    found, more, pages = set[str](), True, 0
    cursor: Cursor = {}
    while more:
        page = await stream.fetch_events(cursor, ASKED)
        cursor, more, pages = page.cursor, page.more, pages + 1
        found |= {each.external_id for each in page.events}
        assert bool(page.cut_short) != more
    assert len(found) == 3
    assert pages < 600


async def test_what_is_put_in_before_the_end_is_found_within_minutes(brevo: FakeBrevo) -> None:
    names = []
    for number in range(60):
        names.append(sent(brevo, number))
        brevo.world.pass_time(minutes=1)
    account = Account(brevo)
    await account.poll()
    brevo.world.pass_time(minutes=5)
    late(brevo, names[3], "delivered", at=NOW + timedelta(minutes=4))
    account.fetched = 0
    assert await account.poll() == 0  # it is noticed that the list has moved
    assert account.cursor["moved"]
    brevo.world.pass_time(minutes=7)  # 3 for each page it takes
    assert await account.poll() == 1
    account.assert_complete()
    assert account.fetched <= 6


async def test_what_is_put_in_while_pages_are_fetched_is_found(brevo: FakeBrevo) -> None:
    names = [sent(brevo, number) for number in range(40)]
    account = Account(brevo)
    while (await account.fetch()).more:
        late(brevo, names[0], "delivered", at=NOW - timedelta(minutes=5, seconds=account.fetched))
    assert account.told() != oracle(brevo)
    for _ in range(2):
        brevo.world.pass_time(minutes=6)
        await account.poll()
    account.assert_complete()


async def test_what_is_put_in_in_the_same_second_is_found_by_reading_anew(
    brevo: FakeBrevo,
) -> None:
    """All of one second: the place before the end holds the same before and after."""
    names = [sent(brevo, number) for number in range(60)]
    account = Account(brevo)
    await account.poll()
    late(brevo, names[0], "delivered", at=NOW - timedelta(minutes=1))
    brevo.world.pass_time(minutes=16)
    await account.poll()
    account.assert_complete()


@pytest.mark.parametrize("days", [1, 3, 6])
async def test_what_is_days_late_is_found_within_hours(brevo: FakeBrevo, days: int) -> None:
    names = [sent(brevo, number) for number in range(5)]
    account = Account(brevo)
    await account.poll()
    for _ in range(days):
        brevo.world.pass_time(days=1)
        await account.poll()
    late(brevo, names[0], "hardBounces", at=NOW + timedelta(minutes=1))
    for _ in range(25):
        brevo.world.pass_time(minutes=15)
        await account.poll()
    account.assert_complete()


async def test_after_days_away_everything_between_is_read(brevo: FakeBrevo) -> None:
    account = Account(brevo)
    name = sent(brevo, 1)
    await account.poll()
    for day in range(20):
        brevo.world.pass_time(days=1)
        brevo.happen(name, "opened", ip=f"192.0.2.{day}")
    page = await account.fetch()
    assert page.gap is None
    await account.poll()
    account.assert_complete()


async def test_being_cut_off_while_reading_what_was_missed_misses_nothing(
    brevo: FakeBrevo,
) -> None:
    account = Account(brevo)
    name = sent(brevo, 1)
    await account.poll()
    for _ in range(100):
        brevo.world.pass_time(hours=6)
        brevo.happen(name, "opened")
    await account.fetch()
    brevo.world.pass_time(days=3)
    await account.poll()
    account.assert_complete()


async def test_a_clock_that_was_wrong_for_a_while_misses_nothing(brevo: FakeBrevo) -> None:
    account = Account(brevo)
    name = sent(brevo, 1)
    brevo.world.pass_time(days=40)
    await account.poll()
    brevo.world.now = NOW + timedelta(hours=1)
    brevo.happen(name, "opened")
    for _ in range(2):
        await account.poll()
    account.assert_complete()


@pytest.mark.parametrize(
    "cursor", [{"first": "soon"}, {"page": 3}, {"first": None, "offset": "x"}, {"offset": {}}]
)
async def test_a_cursor_that_says_nothing_begins_anew(
    brevo: FakeBrevo, cursor: dict[str, Any]
) -> None:
    sent(brevo, 1)
    account = Account(brevo, cursor=cursor)
    assert await account.poll() == 1


# -- all faults ------------------------------------------------------------------------------------


async def live(account: Account, chance: random.Random, mails: int) -> None:
    """Mails are sent and things happen to them, while it is polled and cut off at any point."""
    brevo, world = account.brevo, account.brevo.world
    names: list[str] = []
    for number in range(mails):
        names.append(sent(brevo, number))
        for word in chance.choices(
            ["delivered", "opened", "clicks", "loadedByProxy", "softBounces"], k=chance.randrange(5)
        ):
            back = timedelta(seconds=chance.randrange(900))
            link = f"https://example.com/{chance.randrange(2)}"
            facts = {"link": link} if word == "clicks" else {}
            brevo.happen(chance.choice(names), word, at=world.now - back, **facts)
        world.pass_time(seconds=chance.randrange(400))
        if chance.random() < 0.4:
            cursor, kept = account.cursor, dict(account.kept)
            await account.poll_through()
            if chance.random() < 0.3:  # killed before this was kept
                account.cursor, account.kept = cursor, kept


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), hours=st.integers(-12, 14), page=st.sampled_from([10, 40, 200]))
async def test_all_is_found_once_under_all_faults_at_once(seed: int, hours: int, page: int) -> None:
    world = World(now=NOW, faults=Faults.all_at_once(), seed=seed)
    brevo = FakeBrevo(world, "brevo", zone=timezone(timedelta(hours=hours)))
    account = Account(brevo, page=page)
    await live(account, random.Random(seed), mails=40)
    for _ in range(8):  # what is late comes yet, under the same faults
        world.pass_time(minutes=45)
        await account.poll_through()
    assert world.faults.shifting
    account.assert_complete()


async def test_a_day_of_a_busy_account_stays_below_the_hourly_limit() -> None:
    world = World(now=NOW, faults=Faults(late=0.3, same_second=0.2), seed=3)
    brevo = FakeBrevo(world, "brevo", hourly=100)
    account = Account(brevo, page=500)
    chance = random.Random(3)
    names = [sent(brevo, 0)]
    while world.now < NOW + timedelta(days=1):
        for _ in range(chance.randrange(3)):
            names.append(sent(brevo, len(names)))
            brevo.happen(chance.choice(names), chance.choice(["delivered", "opened"]))
        world.pass_time(seconds=account.stream.every.total_seconds())
        await account.poll()
    world.pass_time(minutes=30)
    await account.poll()
    assert len(account.told()) > 1500
    account.assert_complete()
    assert max(brevo.asked.values()) <= 60
    assert 429 not in {status for _, _, status in world.requests}


async def test_an_account_that_others_ask_too_is_asked_less_often(brevo: FakeBrevo) -> None:
    brevo.hourly = 100
    account = Account(brevo)
    await account.poll()
    assert account.stream.every == EVERY
    hour = NOW.replace(minute=0)
    brevo.asked[hour] = 95
    await account.poll()
    assert account.stream.every > 5 * EVERY
    brevo.world.pass_time(hours=1)
    await account.poll()
    assert account.stream.every == EVERY


async def test_an_hour_that_is_used_up_is_waited_for(brevo: FakeBrevo) -> None:
    brevo.hourly = 100
    account = Account(brevo)
    sent(brevo, 1)
    brevo.asked[NOW.replace(minute=0)] = 100
    with pytest.raises(Unavailable) as caught:
        await account.poll()
    assert caught.value.after == 1800
    brevo.world.pass_time(seconds=1800)
    assert await account.poll() == 1


async def test_a_short_wait_is_waited_for_at_once(brevo: FakeBrevo) -> None:
    brevo.world.faults = Faults(too_many=0.5)
    brevo.world.random.seed(1)
    account = Account(brevo)
    sent(brevo, 1)
    started = brevo.world.now
    await account.poll()
    assert [status for _, _, status in brevo.world.requests][-1] == 200
    assert 429 in {status for _, _, status in brevo.world.requests}
    assert brevo.world.now - started >= timedelta(seconds=3)


# -- gaps, and what is left of them ----------------------------------------------------------------


async def test_a_gap_is_told_after_too_long_away(brevo: FakeBrevo) -> None:
    brevo.world.faults = Faults(keeps=KEEPS)
    account = Account(brevo)
    name = sent(brevo, 1)
    await account.poll()
    brevo.world.pass_time(days=5)
    brevo.happen(name, "delivered")
    brevo.world.pass_time(days=40)
    brevo.happen(name, "opened")
    page = await account.fetch()
    assert page.gap == (NOW, brevo.world.now - KEEPS)
    assert [each.payload["event"] for each in page.events] == ["opened"]
    assert (await account.fetch()).gap is None


async def test_the_first_poll_goes_back_to_the_first_mail(brevo: FakeBrevo) -> None:
    name = sent(brevo, 1)
    brevo.world.pass_time(days=20)
    brevo.happen(name, "opened")
    account = Account(brevo)
    assert (await account.fetch()).gap is None
    account.assert_complete()


async def test_being_killed_early_and_away_for_long_is_a_gap_from_where_it_was_read(
    brevo: FakeBrevo,
) -> None:
    sent(brevo, 1)
    for _ in range(60):
        brevo.world.pass_time(days=1)
        brevo.happen("<1@smtp-relay.mailin.fr>", "opened")
    account = Account(brevo)
    assert (await account.fetch()).more
    brevo.world.pass_time(days=100)
    page = await account.fetch()
    assert page.gap is not None
    assert page.gap[0].date() == NOW.date()
    await account.poll()
    brevo.world.pass_time(minutes=40)
    assert (await account.fetch()).gap is None


async def test_no_range_is_longer_than_brevo_takes(brevo: FakeBrevo) -> None:
    account = Account(brevo)
    await account.poll()
    brevo.world.pass_time(days=400)
    page = await account.fetch()
    assert page.gap == (NOW, brevo.world.now - KEEPS)
    assert {status for _, _, status in brevo.world.requests} == {200}


async def test_reconciling_tells_whom_brevo_sends_nothing_to(brevo: FakeBrevo) -> None:
    for number in range(230):
        brevo.block(f"{number}@x.example", "hardBounce", "Hard bounce", at=NOW)
    brevo.block("old@x.example", "hardBounce", "Hard bounce", at=NOW - timedelta(days=90))
    brevo.block("Anna@X.example", "unsubscribedViaEmail", "Unsubscribed", at=NOW)
    account = Account(brevo)
    found = await account.stream.reconcile(account.asked, NOW - timedelta(days=40))
    assert len(found) == 231
    (last,) = account.stream.parse_event(found[-1].payload)
    assert (last.kind, last.listed) == (Happening.UNSUBSCRIBED, Listed.UNSUBSCRIBE)
    assert last.recipient == "anna@x.example"
    assert brevo.asked.total() == 0  # these do not count towards the hourly limit
    again = await account.stream.reconcile(account.asked, NOW - timedelta(days=40))
    assert again == found


# -- answers that are none -------------------------------------------------------------------------


async def test_a_last_day_that_is_too_late_is_taken_back(brevo: FakeBrevo) -> None:
    brevo.takes_future = False
    brevo.zone = timezone(timedelta(hours=1))
    sent(brevo, 1)
    account = Account(brevo)
    assert await account.poll() == 1


async def test_a_key_that_is_no_longer_taken_is_said(brevo: FakeBrevo) -> None:
    account = Account(brevo)
    brevo.refuses_all = Refusal(401, "unauthorized", "Key not found")
    with pytest.raises(LoginRefused, match="Create an API key"):
        await account.poll()


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b'{"events": [{"email": "a@b'),
        (200, b"[]"),
        (200, b'{"events": 7}'),
        (200, b"<html>maintenance</html>"),
        (200, b"[" * 100_000),
        (400, b'{"code": "out_of_range", "message": "limit is too large"}'),
        (418, b""),
    ],
)
async def test_an_answer_that_is_none_loses_nothing(
    brevo: FakeBrevo, status: int, content: bytes
) -> None:
    sent(brevo, 1)
    account = Account(brevo)
    await account.poll()
    broken = Account(
        brevo,
        transport=httpx.MockTransport(lambda _: httpx.Response(status, content=content)),
        cursor=account.cursor,
    )
    with pytest.raises(Unavailable):
        await broken.poll()
    assert broken.cursor == account.cursor


async def test_records_that_are_none_are_kept_as_they_came(brevo: FakeBrevo) -> None:
    answer = {"events": [None, "x", {"event": "opened"}], "more": {"new": True}}
    account = Account(
        brevo, transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    )
    page = await account.fetch()
    assert [each.payload for each in page.events] == [
        {"unreadable": None},
        {"unreadable": "x"},
        {"event": "opened"},
    ]


async def test_halves_of_characters_are_replaced_so_that_what_comes_can_be_kept(
    brevo: FakeBrevo,
) -> None:
    answer = rb'{"events": [{"event": "\uD83D\ude00", "link": "\uD83D", "email": "\\ud800"}]}'
    account = Account(
        brevo, transport=httpx.MockTransport(lambda _: httpx.Response(200, content=answer))
    )
    page = await account.fetch()
    assert page.events[0].payload == {"event": "\U0001f600", "link": "?", "email": r"\ud800"}


async def test_nothing_at_all_is_an_empty_page(brevo: FakeBrevo) -> None:
    account = Account(
        brevo, transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"events": None}))
    )
    page = await account.fetch()
    assert (page.events, page.more) == ([], False)


# -- as the real thing -----------------------------------------------------------------------------


async def test_every_request_and_answer_is_as_brevo_describes_it() -> None:
    world = World(now=NOW, faults=Faults.all_at_once(), seed=5)
    brevo = FakeBrevo(world, "brevo", zone=timezone(timedelta(hours=2)))
    brevo.block("anna@x.example", "hardBounce", "Hard bounce", at=NOW)
    checked = Checked(world.transport(), Official.of("brevo"))
    account = Account(brevo, transport=checked)
    await live(account, random.Random(5), mails=20)
    world.heal()
    await account.stream.reconcile(account.asked, NOW)
    checked.assert_clean()


async def test_over_a_socket(brevo: FakeBrevo) -> None:
    for number in range(30):
        sent(brevo, number)
    with brevo.world.serve():
        account = Account(brevo, transport=httpx.AsyncHTTPTransport())
        async with account.stream:
            assert await account.poll() == 30
    account.assert_complete()


async def test_days_are_those_of_utc_whatever_zone_the_time_is_given_in(brevo: FakeBrevo) -> None:
    paths: list[tuple[str, str]] = []

    def note(request: httpx.Request) -> httpx.Response:
        paths.append((request.url.params["startDate"], request.url.params["endDate"]))
        return httpx.Response(200, json={})

    account = Account(brevo, transport=httpx.MockTransport(note))
    here = datetime(2026, 11, 23, 1, 0, tzinfo=timezone(timedelta(hours=9)))
    await account.stream.fetch_events({}, Asked(now=here, since=here.astimezone(UTC)))
    await account.stream.fetch_events({}, Asked(now=here))
    first, last = date(2026, 11, 15), date(2026, 11, 23)
    assert paths == [(first.isoformat(), last.isoformat())] * 2
