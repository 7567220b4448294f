"""What Mailgun tells is read whole: late, twice, in any order, and whatever breaks in between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tui.providers.base import LoginRefused, Unavailable
from crm_tui.providers.events import (
    Asked,
    Happening,
    Page,
    ProviderEvent,
    RawEvent,
    RawMail,
    Unreadable,
)
from crm_tui.providers.mailgun import MailgunStream
from crm_tui.providers.mailgun_api import api_of
from crm_tui.providers.mailgun_events import raw_event
from tests.world.mailgun import FakeMailgun
from tests.world.official import Checked, Official
from tests.world.world import Faults, World

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
By = Literal["logs", "events"]
both = pytest.mark.parametrize("by", ["logs", "events"])


class Watched(httpx.AsyncBaseTransport):
    """A transport that notes whom it was asked to reach."""

    def __init__(self, transport: httpx.AsyncBaseTransport, hosts: set[str]) -> None:
        self._transport, self._hosts = transport, hosts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._hosts.add(request.url.host)
        return await self._transport.handle_async_request(request)


class Reading:
    """Polls a stream as the worker does, and keeps what it was given."""

    def __init__(
        self,
        mailgun: FakeMailgun,
        by: By = "logs",
        *,
        keeps: timedelta = timedelta(days=1),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.world, self.mailgun = mailgun.world, mailgun
        self.hosts: set[str] = set()
        account = mailgun.settings(by)
        world = mailgun.world
        api = api_of(
            account,
            mailgun.lookup(),
            transport=Watched(transport or world.transport(), self.hosts),
            sleep=world.sleep,
            jitter=lambda: 1.0,
        )
        self.stream = MailgunStream(
            account, mailgun.lookup(), now=world.clock, api=api, keeps=keeps
        )
        self.since: datetime | None = world.now
        self.skew = timedelta()
        self.cursor: str = "{}"
        self.pages: list[Page] = []
        self.mails: list[RawMail] = []

    async def page(self) -> Page:
        """One page; its cursor is kept as the store keeps it."""
        asked = Asked(now=self.world.now + self.skew, since=self.since)
        page = await self.stream.fetch_events(json.loads(self.cursor), asked)
        self.cursor = json.dumps(page.cursor)
        self.pages.append(page)
        self.mails += page.mails
        return page

    async def poll(self) -> None:
        """To the end, or until something breaks."""
        for _ in range(1000):
            try:
                page = await self.page()
            except Unavailable:
                return
            if not page.more:
                return
        raise AssertionError("it does not come to an end")

    def events(self) -> dict[str, ProviderEvent]:
        """What was told, in our words, by its names."""
        raws = {raw.external_id: raw for page in self.pages for raw in page.events}
        return named(self.stream, list(raws.values()))

    def trusted(self) -> datetime:
        """Up to where all is known."""
        return datetime.fromisoformat(json.loads(self.cursor)["trusted"])

    def kinds(self) -> list[Happening]:
        """What happened, in the order of time."""
        return [e.kind for e in sorted(self.events().values(), key=lambda e: e.occurred_at)]


def names_of(mailgun: FakeMailgun) -> set[str]:
    """The names of all that happened."""
    return {raw_event(mailgun.event(each)).external_id for each in mailgun.log}


def named(stream: MailgunStream, raws: Sequence[RawEvent]) -> dict[str, ProviderEvent]:
    found = {}
    for raw in raws:
        for event in stream.parse_event(raw.payload):
            assert event.name == raw.external_id
            found[event.name] = event
    return found


@both
async def test_what_happened_to_a_mail_is_told_once(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    message = mailgun.accept("m-1")
    for word in ("delivered", "opened", "clicked"):
        world.pass_time(minutes=1)
        mailgun.happen(message, word)
    await reading.poll()
    kinds = [Happening.SENT, Happening.DELIVERED, Happening.OPENED, Happening.CLICKED]
    assert reading.kinds() == kinds
    assert {event.key for event in reading.events().values()} == {"m-1"}
    assert {event.provider_id for event in reading.events().values()} == {message}


@both
async def test_everything_is_told_whatever_goes_wrong(by: By) -> None:
    for seed in range(3):
        world = World(now=NOW, faults=Faults.all_at_once(), seed=seed)
        mailgun = FakeMailgun(world, "mailgun", page_limit=40)
        reading = Reading(mailgun, by)
        for number in range(60):
            message = mailgun.accept(f"m-{number}")
            for word in world.random.sample(["delivered", "opened", "clicked", "complained"], 2):
                mailgun.happen(message, word)
            world.pass_time(seconds=world.random.randrange(120))
            if number % 10 == 0:
                await reading.poll()
        for _ in range(6):
            world.pass_time(minutes=10)
            await reading.poll()
        assert sorted(reading.events()) == sorted(names_of(mailgun))
        assert len(reading.events()) == 180


@both
async def test_a_backlog_of_many_pages_is_read_in_one_go(by: By) -> None:
    world = World(now=NOW, faults=Faults(shuffled=True, same_second=0.5, twice=0.2))
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    for number in range(1000):
        mailgun.accept(f"m-{number}")
        world.pass_time(seconds=2)
    world.pass_time(hours=2)
    await reading.poll()
    assert set(reading.events()) == names_of(mailgun)
    assert len(reading.pages) <= (15 if by == "logs" else 6)
    world.pass_time(minutes=5)
    before = len(reading.pages)
    await reading.poll()
    assert [len(page.events) for page in reading.pages[before:]] == [0], "nothing is read twice"


@both
@pytest.mark.parametrize("changes", [False, True])
async def test_next_pages_that_bring_nothing_new_come_to_an_end(by: By, changes: bool) -> None:
    """Also where each of them has a name of its own."""
    mailgun = FakeMailgun(World(now=NOW), "mailgun")
    happened = mailgun.happen(mailgun.accept("m-1"), "opened")
    record = mailgun.log_entry(happened) if by == "logs" else mailgun.event(happened)
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += changes
        paging = {"next": f"t{asked}" if by == "logs" else f"{mailgun.base_url}/t{asked}"}
        return httpx.Response(200, json={"items": [record], "pagination": paging, "paging": paging})

    reading = Reading(mailgun, by, transport=httpx.MockTransport(answer))
    await reading.poll()
    assert len(reading.events()) == 1
    assert len(reading.pages) < (110 if changes else 30)
    assert "pass" not in json.loads(reading.cursor)
    why = "brings nothing new" if changes else "the same one again"
    assert why in reading.pages[-1].cut_short


@both
async def test_thousands_that_share_a_moment_are_read_to_the_last(by: By) -> None:
    world = World(now=NOW, faults=Faults(twice=0.2, shuffled=True, shifting=True))
    mailgun = FakeMailgun(world, "mailgun", page_limit=10)
    reading = Reading(mailgun, by)
    for number in range(800):
        mailgun.accept(f"m-{number}")
    world.pass_time(seconds=1)
    mailgun.accept("later")
    await reading.poll()
    assert len(reading.pages) > 110
    assert set(reading.events()) == names_of(mailgun)
    assert not any(page.cut_short for page in reading.pages)


@both
async def test_a_log_that_is_not_read_to_its_end_is_told_when_all_mails_are_fetched(by: By) -> None:
    world = World(now=NOW, faults=Faults(expired=1))
    mailgun = FakeMailgun(world, "mailgun", page_limit=20)
    reading = Reading(mailgun, by)
    for number in range(40):
        mailgun.happen(f"in-{number}", "stored", mail=b"Subject: hello\r\n\r\nHello")
    await reading.poll()
    assert len(reading.mails) == 20
    told = [page.cut_short for page in reading.pages]
    assert "does not give the next page (400)" in told[-1]
    assert not any(told[:-1]), "there is more to fetch until then"
    world.heal()
    await reading.poll()
    assert len(reading.mails) == 40
    assert not reading.pages[-1].cut_short


# -- what is complete --------------------------------------------------------------------------------


@both
async def test_what_is_new_is_told_at_once_and_counts_as_complete_when_it_is_old(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    message = mailgun.accept("m-1")
    await reading.poll()
    assert reading.kinds() == [Happening.SENT]
    assert reading.trusted() == NOW - timedelta(minutes=30)
    # This one happened before, and is told only now.
    world.pass_time(minutes=29)
    mailgun.happen(message, "delivered", at=NOW + timedelta(seconds=1))
    await reading.poll()
    assert reading.kinds() == [Happening.SENT, Happening.DELIVERED]
    assert reading.trusted() == NOW - timedelta(minutes=1)


@both
async def test_a_reading_that_is_cut_off_goes_on_and_trusts_nothing_too_early(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    for number in range(650):
        mailgun.accept(f"m-{number}")
        world.pass_time(seconds=1)
    began = world.now
    assert (await reading.page()).more
    # The worker is killed for forty minutes. Meanwhile something late comes to the page it had.
    world.pass_time(minutes=40)
    message = mailgun.accept("late")
    mailgun.happen(message, "delivered", at=NOW + timedelta(seconds=5))
    await reading.poll()
    assert reading.trusted() == began - timedelta(minutes=30)
    await reading.poll()
    assert set(reading.events()) == names_of(mailgun)


@both
async def test_a_page_that_cannot_be_had_any_more_is_asked_for_anew(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    for number in range(900):
        mailgun.accept(f"m-{number}")
        world.pass_time(seconds=1)
    assert (await reading.page()).more
    world.faults = Faults(expired=1)
    page = await reading.page()
    assert (len(page.events), page.more) == (0, True)
    assert "next" not in json.dumps(page.cursor) or page.cursor["pass"]["next"] is None
    await reading.poll()
    assert set(reading.events()) == names_of(mailgun), "each page can still be had as a first one"


@both
async def test_next_pages_that_never_come_end_the_reading_and_not_the_stream(by: By) -> None:
    world = World(now=NOW, faults=Faults(expired=1))
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    for number in range(700):
        mailgun.accept(f"m-{number}")  # all in one second: no page can begin after another
    await reading.poll()
    assert 0 < len(reading.events()) < 700
    assert len(reading.pages) < 30
    assert reading.trusted() <= NOW - timedelta(minutes=30)
    assert "does not give the next page (400)" in reading.pages[-1].cut_short
    world.heal()
    await reading.poll()
    assert len(reading.events()) == 700
    assert not reading.pages[-1].cut_short


async def test_a_next_page_at_somebody_elses_is_not_fetched_and_loses_nothing() -> None:
    world = World(now=NOW, faults=Faults(poisoned=1))
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, "events")
    for number in range(700):
        mailgun.accept(f"m-{number}")
        world.pass_time(seconds=1)
    mailgun.happen("in-1", "stored", mail=b"Subject: hello\r\n\r\nHello")
    await reading.poll()
    assert set(reading.events()) == names_of(mailgun)
    assert reading.hosts == {"127.0.0.1"}
    assert "not its own" in reading.pages[-1].cut_short
    world.heal()
    await reading.poll()
    assert len(reading.mails) == 1, "its URL is right now"


@both
async def test_a_cursor_of_the_other_api_keeps_what_is_complete(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    first = Reading(mailgun, by)
    for number in range(400):
        mailgun.accept(f"m-{number}")
        world.pass_time(seconds=1)
    await first.page()
    other = Reading(mailgun, "events" if by == "logs" else "logs")
    other.cursor = first.cursor
    await other.poll()
    assert set(first.events()) | set(other.events()) == names_of(mailgun)
    assert set(first.events()) <= set(other.events()), "what both tell has the same names"


WORDS = ("accepted", "delivered", "opened", "clicked", "failed")


@settings(max_examples=25, deadline=None)
@given(
    by=st.sampled_from(["logs", "events"]),
    seed=st.integers(0, 10**6),
    crashes=st.lists(st.booleans(), max_size=40),
    gaps=st.lists(st.integers(1, 40), min_size=2, max_size=8),
)
async def test_any_order_any_repetition_and_any_crash_come_to_the_same(
    by: By, seed: int, crashes: list[bool], gaps: list[int]
) -> None:
    """A crash is a page that was fetched and kept, or not, with a cursor that was not."""
    faults = Faults(late=0.5, twice=0.5, shuffled=True, same_second=0.5, shifting=True, expired=0.2)
    world = World(now=NOW, faults=faults, seed=seed)
    mailgun = FakeMailgun(world, "mailgun", page_limit=10)
    reading, crashing = Reading(mailgun, by), iter(crashes)
    for minutes in gaps:
        for _ in range(world.random.randrange(12)):
            message = mailgun.accept(f"m-{len(mailgun.log)}")
            mailgun.happen(message, world.random.choice(WORDS))
        world.pass_time(minutes=minutes)
        for _ in range(50):
            before = reading.cursor
            page = await reading.page()
            if next(crashing, False):
                reading.cursor = before
                if world.random.random() < 0.5:
                    reading.pages.pop()
            elif not page.more:
                break
    world.pass_time(minutes=30)
    world.heal()
    await reading.poll()
    assert set(reading.events()) == names_of(mailgun)


# -- clocks, and times that nothing is kept of -------------------------------------------------------


@pytest.mark.parametrize("hours", [-30, -3, 3, 30])
async def test_a_clock_that_is_wrong_loses_nothing(hours: float) -> None:
    """The machine's clock is ahead, or behind; it is set right later."""
    world = World(now=NOW, faults=Faults(skew=timedelta(0)))
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun)
    reading.skew = timedelta(hours=hours)
    reading.since = world.now + min(reading.skew, timedelta(hours=20))
    for number in range(8):
        message = mailgun.accept(f"m-{number}")
        await reading.poll()
        world.pass_time(minutes=20)
        mailgun.happen(message, "delivered", at=world.now - timedelta(minutes=19))
        if number == 5:
            reading.skew = timedelta()
    await reading.poll()
    assert set(reading.events()) == names_of(mailgun)


@pytest.mark.parametrize("hours", [-5, 0, 5])
async def test_an_event_may_be_an_hour_late_whatever_mailguns_clock_says(hours: float) -> None:
    world = World(now=NOW, faults=Faults(skew=timedelta(hours=hours)))
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun)
    message = mailgun.accept("m-1")
    for _ in range(5):
        world.pass_time(minutes=11)
        await reading.poll()
    mailgun.happen(message, "delivered", at=NOW + timedelta(minutes=1))
    await reading.poll()
    assert reading.kinds() == [Happening.SENT, Happening.DELIVERED]


@both
async def test_what_is_kept_no_more_is_told_as_a_gap(by: By) -> None:
    world = World(now=NOW, faults=Faults(keeps=timedelta(days=1)))
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    message = mailgun.accept("m-1")
    world.pass_time(hours=1)
    await reading.poll()
    known = reading.trusted()
    world.pass_time(days=3)
    mailgun.happen(message, "opened", at=world.now - timedelta(hours=5))
    await reading.poll()
    gaps = [page.gap for page in reading.pages if page.gap]
    assert gaps == [(known, world.now - timedelta(days=1))]
    await reading.poll()
    assert len([page for page in reading.pages if page.gap]) == 1, "it is told once"
    assert Happening.OPENED in reading.kinds()


@both
async def test_a_plan_that_keeps_more_shows_it_and_there_is_no_gap(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    message = mailgun.accept("m-1")
    await reading.poll()
    world.pass_time(days=3)
    mailgun.happen(message, "opened")
    await reading.poll()
    assert [page.gap for page in reading.pages if page.gap] == []


async def test_where_the_plan_is_known_to_keep_more_the_gap_is_smaller() -> None:
    world = World(now=NOW, faults=Faults(keeps=timedelta(days=5)))
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, keeps=timedelta(days=5))
    mailgun.accept("m-1")
    world.pass_time(hours=1)
    await reading.poll()
    known = reading.trusted()
    world.pass_time(days=7)
    page = await reading.page()
    assert page.gap == (known, world.now - timedelta(days=5))


@pytest.mark.parametrize("days", [1, 3, 5, 30])
async def test_a_plan_that_refuses_old_beginnings_is_asked_for_what_it_keeps(days: int) -> None:
    world = World(now=NOW, faults=Faults(keeps=timedelta(days=days)))
    mailgun = FakeMailgun(world, "mailgun", refuses_old=True)
    reading = Reading(mailgun)
    message = mailgun.accept("m-1")
    await reading.poll()
    world.pass_time(days=40)
    mailgun.happen(message, "opened", at=world.now - timedelta(days=days, hours=-1))
    await reading.poll()
    assert Happening.OPENED in reading.kinds()
    (gap,) = [page.gap for page in reading.pages if page.gap]
    assert gap == (NOW, world.now - timedelta(days=days, hours=-1 if days > 1 else 0))


async def test_before_the_first_mail_there_is_no_gap() -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun)
    reading.since = None
    await reading.poll()
    world.pass_time(hours=2)
    await reading.poll()
    assert [page.gap for page in reading.pages] == [None] * len(reading.pages)


# -- mails that came in ------------------------------------------------------------------------------

MAIL = b"From: joe@customer.example\r\nSubject: Re: a website\r\n\r\nYes, please. Gr\xc3\xbc\xc3\x9fe\r\n"


@both
async def test_a_mail_that_came_in_is_fetched_once(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    mailgun.happen("in-1@customer.example", "stored", mail=MAIL, recipient="anna@mg.example.org")
    for _ in range(30):
        await reading.poll()
        world.pass_time(minutes=5)
    assert reading.mails == [RawMail(MAIL, NOW)]
    assert [path for _, path, _ in world.requests if "/messages/" in path] == [
        "/v3/domains/mg.example.org/messages/stored0"
    ]
    assert reading.kinds() == [Happening.IGNORED]
    assert set(json.loads(reading.cursor)) == {"trusted", "gap"}, "and nothing of it is left"


@both
async def test_a_mail_that_cannot_be_fetched_holds_nothing_up(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    for number in range(3):
        mailgun.happen(f"in-{number}", "stored", mail=b"Subject: %d\r\n\r\n" % number)
    mailgun.accept("m-1")
    mailgun.broken_storage = {"stored0": 500}
    await reading.poll()
    assert Happening.SENT in reading.kinds()
    assert reading.mails == []
    world.pass_time(hours=5)
    await reading.poll()
    assert [mail.raw[9:10] for mail in reading.mails] == [b"1", b"2"], "the others come first"
    mailgun.broken_storage = {}
    world.pass_time(minutes=5)
    await reading.poll()
    assert [mail.raw[9:10] for mail in reading.mails] == [b"1", b"2", b"0"]


async def test_a_mail_that_is_there_no_more_is_asked_for_once() -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun", broken_storage={"stored0": 404})
    reading = Reading(mailgun)
    mailgun.happen("in-1", "stored", mail=MAIL)
    for _ in range(3):
        await reading.poll()
    assert reading.mails == []
    assert len([path for _, path, _ in world.requests if "/messages/" in path]) == 1


async def test_a_mail_that_is_never_to_be_had_is_given_up_after_days() -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun", broken_storage={"stored0": 400})
    reading = Reading(mailgun)
    mailgun.happen("in-1", "stored", mail=MAIL)
    for _ in range(20):
        await reading.poll()
        world.pass_time(hours=4)
    assert "owed" not in json.loads(reading.cursor)
    assert reading.events(), "its event is kept"


@both
async def test_many_mails_are_fetched_a_few_at_a_time(by: By) -> None:
    world = World(now=NOW, faults=Faults(too_many=0.1, broken=0.1))
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun, by)
    mailgun.page_limit = 50
    for number in range(130):
        mailgun.happen(f"in-{number}", "stored", mail=b"Subject: %d\r\n\r\n" % number)
    for _ in range(20):
        await reading.poll()
    assert len({mail.raw for mail in reading.mails}) == 130 == len(reading.mails)
    assert len(reading.events()) == 130
    assert max(len(page.mails) for page in reading.pages) <= 5


# -- lists ------------------------------------------------------------------------------------------


async def test_the_lists_tell_who_bounced_complained_or_opted_out_since() -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun", list_limit=7)
    reading = Reading(mailgun)
    for number in range(60):
        message = mailgun.accept(f"m-{number}", to=f"Joe{number}@customer.example")
        mailgun.happen(message, ["failed", "complained", "unsubscribed"][number % 3])
        world.pass_time(hours=1)
    since = NOW + timedelta(hours=30)
    asked = Asked(now=world.now + timedelta(days=1))
    for faults in (Faults(), Faults(too_many=0.1, broken=0.1, cut=0.1)):
        world.faults = faults
        raws = await reading.stream.reconcile(asked, since)
        found = named(reading.stream, raws)
        assert {event.recipient for event in found.values()} == {
            f"joe{number}@customer.example" for number in range(30, 60)
        }
        kinds = [event.kind for event in found.values()]
        assert [kinds.count(kind) for kind in sorted(set(kinds))] == [10, 10, 10]
        assert all(event.seen and event.provider_id is None for event in found.values())


async def test_of_the_last_day_the_log_tells_and_not_the_lists() -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun)
    for number in range(3):
        mailgun.happen(mailgun.accept(f"m-{number}", to=f"joe{number}@x.example"), "failed")
        world.pass_time(days=1)
    raws = await reading.stream.reconcile(Asked(now=world.now - timedelta(hours=2)), NOW)
    found = named(reading.stream, raws).values()
    assert {event.recipient for event in found} == {"joe0@x.example", "joe1@x.example"}


async def test_a_list_that_leads_elsewhere_is_an_error_and_not_a_short_list() -> None:
    world = World(now=NOW, faults=Faults(poisoned=1))
    mailgun = FakeMailgun(world, "mailgun")
    mailgun.happen(mailgun.accept("m-1"), "failed")
    reading = Reading(mailgun)
    with pytest.raises(Unavailable, match="not its own"):
        await reading.stream.reconcile(Asked(now=world.now), NOW)
    assert reading.hosts == {"127.0.0.1"}


# -- what else may come -----------------------------------------------------------------------------


async def test_strange_records_are_kept_and_the_rest_is_read() -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun)
    message = mailgun.accept("m-1")
    mailgun.happen(message, "teleported")
    mailgun.happen(message, "opened", extra={"mood": {"deep": ["new"]}, "log-level": "glad"})
    mailgun.happen(message, "delivered", without=("@timestamp", "timestamp"))
    page = await reading.page()
    assert len(page.events) == 4
    unreadable = 0
    for raw in page.events:
        try:
            reading.stream.parse_event(raw.payload)
        except Unreadable:
            unreadable += 1
    assert unreadable == 1


@pytest.mark.parametrize(
    "body", ["[]", '{"items": 5}', "{}", '{"items": {}}', '{"items": [', "<html>", "7"]
)
async def test_an_answer_that_is_none_is_trouble_and_moves_nothing(body: str) -> None:
    answer = httpx.MockTransport(lambda request: httpx.Response(200, text=body))
    mailgun = FakeMailgun(World(now=NOW), "mailgun")
    async with MailgunStream(
        mailgun.settings(), mailgun.lookup(), now=mailgun.world.clock, transport=answer
    ) as stream:
        with pytest.raises(Unavailable):
            await stream.fetch_events({}, Asked(now=NOW))


@pytest.mark.parametrize(
    "body",
    [
        {"items": None},
        {"items": [], "pagination": 5},
        {"items": [5, None, "x"], "pagination": {"next": 7}},
        {"items": [{"event": "stored", "storage": {"url": [3]}}], "pagination": {}},
    ],
)
async def test_a_strange_answer_is_read_as_far_as_it_goes(body: dict[str, Any]) -> None:
    answer = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    mailgun = FakeMailgun(World(now=NOW), "mailgun")
    async with MailgunStream(
        mailgun.settings(), mailgun.lookup(), now=mailgun.world.clock, transport=answer
    ) as stream:
        page = await stream.fetch_events({}, Asked(now=NOW))
    assert len(page.events) == len(body["items"] or [])
    assert not page.more


async def test_a_wrong_key_stops_the_stream_with_a_sentence() -> None:
    mailgun = FakeMailgun(World(now=NOW), "mailgun")
    reading = Reading(mailgun)
    mailgun.key = "another"
    with pytest.raises(LoginRefused, match="does not take the key"):
        await reading.page()


TIMES = st.sampled_from(["2026-11-22T11:00:00+00:00", "2026-11-22T13:00:00Z", "soon", "", "2026"])
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | TIMES
    | st.sampled_from(["logs", "http://x.example"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
READINGS = st.dictionaries(
    st.sampled_from(
        [
            "by",
            "opened",
            "began",
            "start",
            "reached",
            "resumed",
            "next",
            "walked",
            "stuck",
            "stalled",
        ]
    ),
    ANYTHING,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["trusted", "gap", "owed", "kept", "pass"]), ANYTHING | READINGS
    )
)
async def test_a_cursor_that_is_broken_is_as_good_as_it_can_be(cursor: dict[str, Any]) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    reading = Reading(mailgun)
    mailgun.accept("m-1")
    reading.cursor = json.dumps(cursor)
    await reading.poll()
    world.pass_time(minutes=1)
    await reading.poll()
    assert set(reading.events()) == names_of(mailgun)
    assert set(json.loads(reading.cursor)) <= {"trusted", "gap", "owed"}


# -- Mailgun's own description -----------------------------------------------------------------------


@both
async def test_requests_and_answers_are_as_mailgun_describes_them(by: By) -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    checked = Checked(world.transport(), Official.of("mailgun"))
    reading = Reading(mailgun, by, transport=checked)
    for number in range(350):
        message = mailgun.accept(f"m-{number}")
        if number % 50 == 0:
            for word in ("delivered", "opened", "clicked", "failed", "complained", "rejected"):
                mailgun.happen(message, word)
            mailgun.happen(message, "stored", mail=MAIL)
            mailgun.happen(message, "unsubscribed")
    await reading.poll()
    found = await reading.stream.reconcile(Asked(now=world.now + timedelta(days=1)), NOW)
    assert len(found) == 3
    assert len(reading.mails) == 7
    checked.assert_clean()


async def test_over_a_socket_it_is_the_same() -> None:
    world = World(now=NOW)
    mailgun = FakeMailgun(world, "mailgun")
    message = mailgun.accept("m-1")
    mailgun.happen(message, "opened")
    with world.serve():
        async with MailgunStream(mailgun.settings(), mailgun.lookup(), now=world.clock) as stream:
            page = await stream.fetch_events({}, Asked(now=world.now, since=NOW))
    assert {raw.external_id for raw in page.events} == names_of(mailgun)
    assert page.server_time == NOW
    assert (stream.provider, stream.account, stream.name) == ("mailgun", mailgun.domain, "events")
