"""Polling Resend: every state is seen once, bounces are decided, what came in is read whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from crm_tui.config.sections import ResendSettings
from crm_tui.providers.base import LoginRefused, OutgoingMail, ProviderError, Unavailable
from crm_tui.providers.events import (
    Asked,
    Cursor,
    Happening,
    Listed,
    Page,
    ProviderEvent,
    RawMail,
    Waiting,
)
from crm_tui.providers.incoming import Kind, classify
from crm_tui.providers.resend import POLLED, ResendSender, ResendStream, check
from crm_tui.providers.resend_api import api_of
from crm_tui.providers.resend_mail import rebuild
from crm_tui.providers.secrets import Lookup, Secret
from tests.world.official import Checked, Official
from tests.world.resend import DOMAIN, KEY, FakeResend
from tests.world.world import NO_FAULTS, Faults, World

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SEEN = "2026-11-22T09:30:00+00:00"


@dataclass
class Account:
    """An account, and what was polled of it, kept as the store keeps it.

    Attributes:
        sent: when each mail was sent.
        kept: the records by their names; a name that is known already is not kept again.
        told: the events by their names.
        mails: what came in.
        pages: how many pages were fetched.
    """

    faults: Faults = NO_FAULTS
    seed: int = 0
    official: bool = False
    sent: dict[str, datetime] = field(default_factory=dict)
    cursor: Cursor = field(default_factory=dict)
    kept: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    told: dict[str, ProviderEvent] = field(default_factory=dict)
    mails: list[RawMail] = field(default_factory=list)
    pages: int = 0
    cut_short: str = ""

    def __post_init__(self) -> None:
        self.world = World(NOW, faults=self.faults, seed=self.seed)
        self.resend = FakeResend(self.world, "resend")
        carried = self.world.transport()
        self.checked = Checked(carried, Official.of("resend")) if self.official else None
        settings, key = ResendSettings(base_url=self.resend.base_url), Lookup.of(Secret(KEY))
        api = api_of(settings, key, transport=self.checked or carried)
        api.sleep = self.world.sleep
        api.jitter = lambda: 0.5
        self.sender = ResendSender(settings, key, api=api)
        self.stream = ResendStream(settings, key, account=DOMAIN, now=self.world.clock, api=api)

    async def send(self, to: str = "owner@bakery.example") -> str:
        key = f"{len(self.sent):032x}"
        mail = OutgoingMail(
            key=key,
            message_id=f"<{key}@{DOMAIN}>",
            date=self.world.now,
            sender_name="Ann",
            sender=f"ann@{DOMAIN}",
            to=to,
            subject="Hello",
            text="Hello",
        )
        while True:
            try:
                sent = await self.sender.send(mail)
            except ProviderError:
                self.world.pass_time(seconds=30)
                continue
            assert sent.provider_id is not None
            self.sent[sent.provider_id] = self.world.now
            return sent.provider_id

    def asked(self, last: timedelta = POLLED) -> Asked:
        waiting = [
            Waiting(mail_id, at)
            for mail_id, at in reversed(self.sent.items())
            if at > self.world.now - last
        ]
        since = min(self.sent.values(), default=None)
        return Asked(now=self.world.now, since=since, waiting=waiting)

    async def fetch(self, asked: Asked) -> Page:
        """A page; asked again for as long as there is trouble, as the worker's next polls do."""
        while True:
            try:
                page = await self.stream.fetch_events(self.cursor, asked)
            except Unavailable:
                self.world.pass_time(seconds=30)
            else:
                self.pages += 1
                return page

    async def poll(self) -> list[ProviderEvent]:
        """Poll to the end; what is new."""
        asked, new = self.asked(), []
        while True:
            page = await self.fetch(asked)
            self.cursor = json.loads(json.dumps(page.cursor))
            new += self.keep(page)
            if not page.more:
                self.cut_short = page.cut_short
                return new

    def keep(self, page: Page) -> list[ProviderEvent]:
        new = []
        for raw in page.events:
            if raw.external_id not in self.kept:
                self.kept[raw.external_id] = json.loads(json.dumps(raw.payload))
                for event in self.stream.parse_event(self.kept[raw.external_id]):
                    if event.name not in self.told:
                        self.told[event.name] = event
                        new.append(event)
        self.mails += page.mails
        return new

    def of(self, mail_id: str) -> list[Happening]:
        return [each.kind for each in self.told.values() if each.provider_id == mail_id]


def kinds(events: list[ProviderEvent]) -> list[Happening]:
    return [each.kind for each in events]


# -- polling -------------------------------------------------------------------------------------------


async def test_each_state_is_told_once_and_a_repetition_says_nothing() -> None:
    account = Account(official=True)
    mail_id = await account.send()
    seen = [kinds(await account.poll())]
    for word in ("delivered", "opened", "clicked", "complained"):
        account.world.pass_time(minutes=2)
        account.resend.happen(mail_id, word)
        seen.append(kinds(await account.poll()))
        assert await account.poll() == []

    assert seen == [
        [Happening.SENT],
        [Happening.DELIVERED],
        [Happening.OPENED],
        [Happening.CLICKED],
        [Happening.COMPLAINED],
    ]
    assert account.checked is not None
    account.checked.assert_clean()


async def test_what_was_not_seen_is_inferred_at_the_time_it_was_seen() -> None:
    account = Account()
    mail_id = await account.send()
    account.resend.happen(mail_id, "clicked")
    account.world.pass_time(hours=2)

    new = await account.poll()

    assert kinds(new) == [Happening.DELIVERED, Happening.OPENED, Happening.CLICKED]
    assert {each.occurred_at for each in new} == {NOW + timedelta(hours=2)}
    assert all(each.seen for each in new)


async def test_a_quiet_poll_is_one_request_for_each_list_and_leaves_the_cursor_as_it_is() -> None:
    account = Account()
    await account.send()
    await account.poll()
    before, asked = account.cursor, len(account.world.requests)
    account.world.pass_time(minutes=2)

    assert await account.poll() == []

    assert account.cursor == before
    paths = [path for _, path, _ in account.world.requests[asked:]]
    assert paths == ["/emails", "/emails/receiving"]


async def test_without_mails_nothing_is_asked() -> None:
    account = Account()

    assert await account.poll() == []

    assert account.world.requests == []


async def test_mails_older_than_a_week_are_not_paged_back_to() -> None:
    account = Account()
    for _ in range(250):
        await account.send()
    account.world.pass_time(days=8)
    late = await account.send()

    await account.poll()

    assert account.of(late) == [Happening.SENT]
    assert account.pages == 1


async def test_a_poll_reads_a_list_of_thousands_to_its_end() -> None:
    account = Account()
    first = await account.send()
    for _ in range(2050):
        account.resend.stranger(DOMAIN)

    await account.poll()

    assert account.pages == 21
    assert account.of(first) == [Happening.SENT]
    assert account.cut_short == ""
    assert "after" not in account.cursor


async def test_a_poll_that_read_too_many_pages_says_so_and_the_next_goes_on_behind_them() -> None:
    account = Account()
    first = await account.send()
    for _ in range(250):
        account.resend.stranger(DOMAIN)
    account.cursor = {"pages": 198}

    await account.poll()
    told, seen = (account.pages, account.cut_short), account.of(first)
    await account.poll()

    assert told[0] == 2
    assert "goes on behind what was read" in told[1]
    assert seen == []
    assert account.of(first) == [Happening.SENT]
    assert account.cut_short == ""
    assert "after" not in account.cursor


async def test_a_run_that_was_cut_off_goes_on_where_it_was() -> None:
    account = Account()
    mails = [await account.send() for _ in range(350)]
    page = await account.fetch(account.asked())
    account.keep(page)
    account.cursor = json.loads(json.dumps(page.cursor))
    fetched = len(account.kept)

    await account.poll()

    assert (fetched, account.pages) == (100, 4)
    assert all(account.of(each) == [Happening.SENT] for each in mails)


async def test_a_place_that_is_not_known_any_more_is_taken_up_at_its_neighbour() -> None:
    account = Account()
    mails = [await account.send() for _ in range(150)]
    page = await account.fetch(account.asked())
    account.keep(page)
    account.cursor = page.cursor
    del account.resend.mails[page.cursor["after"]]

    await account.poll()

    assert len(account.kept) == 150
    assert account.pages == 2
    assert all(account.of(each) == [Happening.SENT] for each in mails)


async def test_a_place_that_is_lost_altogether_begins_anew() -> None:
    account = Account()
    await account.send()
    account.cursor = {"after": "gone", "spare": "gone too"}

    assert kinds(await account.poll()) == [Happening.SENT]


async def test_a_clock_that_is_days_ahead_hides_no_mails() -> None:
    account = Account(faults=Faults(skew=timedelta(days=-3)))
    mails = [await account.send() for _ in range(150)]
    for mail_id in mails:  # on Resend's clock
        account.resend.mails[mail_id]["created_at"] = "2026-11-19 09:30:00+00"

    await account.poll()

    assert all(account.of(each) == [Happening.SENT] for each in mails)


async def test_a_domain_is_the_same_however_it_is_written() -> None:
    body = {"id": "a", "from": "Jo <jo@Käse.example>", "last_event": "sent", "to": ["x@y.example"]}
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={"data": [body]}))
    settings, key = ResendSettings(), Lookup.of(Secret(KEY))
    for account in ("xn--kse-qla.example", "käse.example"):
        stream = ResendStream(settings, key, account=account, now=lambda: NOW, transport=transport)
        page = await stream.fetch_events({}, Asked(now=NOW, waiting=[Waiting("a", NOW)]))

        assert [each.external_id for each in page.events] == ["a:sent"]


async def test_a_list_that_never_ends_is_not_read_for_ever() -> None:
    item = {"id": "a", "from": f"ann@{DOMAIN}", "last_event": "sent", "created_at": SEEN}
    body = {"data": [item], "has_more": True}
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=body))
    settings, key = ResendSettings(), Lookup.of(Secret(KEY))
    stream = ResendStream(settings, key, account=DOMAIN, now=lambda: NOW, transport=transport)
    asked = Asked(now=NOW, waiting=[Waiting("a", NOW)])

    found = await stream.reconcile(asked, NOW - timedelta(days=9))
    pages = [await stream.fetch_events({}, asked)]
    while pages[-1].more and len(pages) < 300:
        pages.append(await stream.fetch_events(pages[-1].cursor, asked))

    assert len(pages) == 200
    assert pages[-1].cut_short
    assert {each.external_id for each in found} == {"a:sent"}
    assert (await check(settings, key, sender=f"ann@{DOMAIN}", transport=transport))[0].ok


async def test_mails_of_another_domain_of_the_team_are_left_alone() -> None:
    account = Account()
    await account.send()
    account.resend.stranger("elsewhere.example")
    account.resend.stranger(f"sub.{DOMAIN}")

    await account.poll()

    assert len(account.kept) == 1


# -- bounces -------------------------------------------------------------------------------------------


async def test_a_bounce_with_a_listed_address_is_for_good_at_once() -> None:
    account = Account(official=True)
    mail_id = await account.send()
    await account.poll()
    account.resend.bounce(mail_id, hard=True)

    (bounced,) = await account.poll()

    assert bounced.kind is Happening.BOUNCED_HARD
    assert bounced.listed is Listed.BOUNCE
    assert account.checked is not None
    account.checked.assert_clean()


async def test_a_bounce_that_is_listed_a_little_later_is_for_good_and_told_once() -> None:
    account = Account()
    mail_id = await account.send()
    account.resend.bounce(mail_id, hard=True, listed_after=timedelta(minutes=20))
    seen = []
    for _ in range(60):
        seen += kinds(await account.poll())
        account.world.pass_time(minutes=2)

    assert seen == [Happening.BOUNCED_HARD]


async def test_a_bounce_that_is_not_listed_within_an_hour_passes_and_is_told_once() -> None:
    account = Account()
    mail_id = await account.send()
    account.resend.bounce(mail_id, hard=False)
    when = []
    for _ in range(60):
        when += [(each.kind, each.occurred_at) for each in await account.poll()]
        account.world.pass_time(minutes=2)

    assert when == [(Happening.BOUNCED_SOFT, NOW + timedelta(hours=1))]
    looked_up = [path for _, path, _ in account.world.requests if "suppressions" in path]
    assert len(looked_up) == 31


async def test_a_bounced_address_that_is_listed_for_another_reason_is_not_a_bad_one() -> None:
    account = Account()
    mail_id = await account.send()
    account.resend.list_address("owner@bakery.example", "manual")
    account.resend.bounce(mail_id, hard=False)
    await account.poll()
    account.world.pass_time(hours=1)

    (bounced,) = await account.poll()

    assert (bounced.kind, bounced.listed) == (Happening.BOUNCED_SOFT, None)


async def test_a_suppressed_mail_says_which_list_its_address_is_on() -> None:
    account = Account(official=True)
    account.resend.list_address("owner@bakery.example", "complaint")
    await account.send()

    (failed,) = await account.poll()

    assert (failed.kind, failed.listed) == (Happening.FAILED, Listed.COMPLAINT)
    assert "list of whom it sends nothing to" in failed.reason
    assert await account.poll() == []
    assert account.checked is not None
    account.checked.assert_clean()


# -- everything going wrong ----------------------------------------------------------------------------

STORIES = (
    ("sent", "delivered"),
    ("sent", "delivered", "opened"),
    ("sent", "delivered", "opened", "clicked"),
    ("sent", "delivery_delayed", "delivered", "opened"),
    ("sent", "delivered", "opened", "complained"),
    ("sent", "delivery_delayed", "failed"),
    ("sent", "bounced"),
)
BEFORE = {
    "delivered": {"delivered"},
    "opened": {"delivered", "opened"},
    "clicked": {"delivered", "opened", "clicked"},
    "complained": {"delivered", "complained"},
    "failed": {"failed"},
}


@pytest.mark.parametrize("seed", range(3))
async def test_with_everything_going_wrong_all_states_are_seen_and_nothing_is_told_twice(
    seed: int,
) -> None:
    account = Account(faults=Faults.all_at_once(), seed=seed, official=seed == 0)
    world, resend = account.world, account.resend
    stories = {}
    for number in range(230):
        story = STORIES[number % len(STORIES)]
        stories[await account.send(f"owner{number}@bakery.example")] = story
    hard = {each: number % 2 == 0 for number, each in enumerate(stories)}
    told: Counter[str] = Counter()
    for step in range(1, 4):
        for mail_id, story in stories.items():
            if step < len(story) and story[step] == "bounced":
                resend.bounce(mail_id, hard=hard[mail_id], listed_after=timedelta(minutes=10))
            elif step < len(story):
                resend.happen(mail_id, story[step])
        for _ in range(2):
            world.pass_time(minutes=15)
            told.update(each.name for each in await account.poll())
    for _ in range(8):
        world.pass_time(minutes=30)
        told.update(each.name for each in await account.poll())

    assert set(told.values()) == {1}
    assert len([each for each in resend.mails.values() if DOMAIN in each["from"]]) == 230
    for mail_id, story in stories.items():
        last = story[-1]
        expected = BEFORE.get(last) or {"bounced_hard" if hard[mail_id] else "bounced_soft"}
        found = set(map(str, account.of(mail_id))) - {"ignored", "sent", "deferred"}
        assert expected <= found, (mail_id, story)
        assert found <= set(story) | expected, (mail_id, story)
    if account.checked is not None:
        account.checked.assert_clean()
        assert account.checked.cut > 0


async def test_a_key_that_may_only_send_is_told_and_keeps_the_place() -> None:
    account = Account()
    await account.send()
    account.resend.send_only = True

    with pytest.raises(LoginRefused, match="full access"):
        await account.stream.fetch_events({}, account.asked())


@pytest.mark.parametrize(
    "answer",
    [
        {"object": "list"},
        {"object": "list", "data": None, "has_more": True},
        {"object": "list", "data": "x"},
        [],
    ],
)
async def test_an_answer_that_is_no_list_is_trouble_and_not_the_end(answer: object) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=answer))
    settings, key = ResendSettings(), Lookup.of(Secret(KEY))
    stream = ResendStream(
        settings,
        key,
        account=DOMAIN,
        now=lambda: NOW,
        api=api_of(settings, key, transport=transport),
    )

    with pytest.raises(Unavailable):
        await stream.fetch_events({}, Asked(now=NOW, since=NOW, waiting=[Waiting("a", NOW)]))


async def test_records_of_any_shape_do_not_stop_a_page() -> None:
    items: list[object] = [
        {"id": "a", "from": f"ann@{DOMAIN}", "last_event": ["x"], "created_at": 7, "to": None},
        {"id": "b", "from": f"ann@{DOMAIN}", "last_event": "bounced", "to": [7]},
        {"id": "c", "from": ["x"], "last_event": "sent"},
        {"id": "d", "from": f"Ann <ANN@{DOMAIN.upper()}>", "last_event": "sent", "to": []},
        {"id": 5, "from": f"ann@{DOMAIN}", "last_event": "sent"},
        "x",
        None,
    ]
    body = {"object": "list", "data": items, "has_more": False}
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=body))
    settings, key = ResendSettings(), Lookup.of(Secret(KEY))
    stream = ResendStream(
        settings,
        key,
        account=DOMAIN,
        now=lambda: NOW,
        api=api_of(settings, key, transport=transport),
    )
    waiting = [Waiting(each, NOW) for each in "abcd"]

    page = await stream.fetch_events({}, Asked(now=NOW, waiting=waiting))

    # Whose the third is cannot be told by its sender; it is waited for.
    assert [each.external_id for each in page.events] == ["a:['x']", "c:sent", "d:sent"]
    assert page.cursor["bounced"] == {"b": NOW.isoformat()}


# -- what came in --------------------------------------------------------------------------------------


async def test_pages_that_do_not_say_whether_there_are_more_are_read_to_the_end() -> None:
    def page_of(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params.get("after", "-1"))
        which = [after + 1] if after < 4 and request.url.path == "/emails" else []
        body = [{"id": str(each), "last_event": "delivered"} for each in which]
        return httpx.Response(200, json={"data": body})

    stream = _stream_of(page_of)
    waiting = [Waiting(str(each), NOW) for each in range(5)]
    found, more = list[str](), True
    cursor: Cursor = {}
    while more:
        page = await stream.fetch_events(cursor, Asked(now=NOW, since=NOW, waiting=waiting))
        found += [each.external_id for each in page.events]
        cursor, more = page.cursor, page.more
    assert found == [f"{each}:delivered" for each in range(5)]


async def test_an_inbox_that_gives_the_same_page_again_and_again_ends_a_poll() -> None:
    def page_of(request: httpx.Request) -> httpx.Response:
        item = {"id": "in", "created_at": NOW.isoformat(), "from": "a@b.c", "text": "Hello"}
        if request.url.path == "/emails/receiving/in":
            return httpx.Response(200, json=item)
        return httpx.Response(200, json={"data": [item], "has_more": True})

    stream = _stream_of(page_of)
    mails, more = 0, True
    cursor: Cursor = {}
    while more:
        page = await stream.fetch_events(cursor, Asked(now=NOW, since=NOW))
        mails += len(page.mails)
        cursor, more = page.cursor, page.more
    assert mails == 1


def _stream_of(answer: Callable[[httpx.Request], httpx.Response]) -> ResendStream:
    settings, key = ResendSettings(), Lookup.of(Secret(KEY))
    api = api_of(settings, key, transport=httpx.MockTransport(answer))
    return ResendStream(settings, key, account=DOMAIN, now=lambda: NOW, api=api)


async def test_an_answer_that_came_in_is_read_as_an_answer() -> None:
    account = Account(official=True)
    await account.send()
    account.resend.receive(
        "Bob <bob@bakery.example>",
        f"ann@{DOMAIN}",
        "Re: Hello",
        "Yes please, Grüße\n\n> Hello",
        in_reply_to=f"<{'0' * 32}@{DOMAIN}>",
    )

    await account.poll()

    (mail,) = account.mails
    found = classify(mail.raw, received=mail.received)
    assert found.kind is Kind.REPLY
    assert found.cited == (f"<{'0' * 32}@{DOMAIN}>",)
    assert found.heading.sender == "bob@bakery.example"
    assert found.text == "Yes please, Grüße"
    assert mail.received == NOW
    assert account.checked is not None
    account.checked.assert_clean()


async def test_an_automatic_answer_and_an_opt_out_are_told_apart() -> None:
    account = Account()
    await account.send()
    to = f"ann@{DOMAIN}"
    account.resend.receive(
        "bob@bakery.example", to, "Out of office", "Away", auto_submitted="auto-replied"
    )
    account.resend.receive("bob@bakery.example", to, "Re: Hello", "unsubscribe")

    await account.poll()

    found = {classify(each.raw, received=each.received).kind for each in account.mails}
    assert found == {Kind.AUTO_REPLY, Kind.UNSUBSCRIBE}


async def test_mails_come_once_however_many_and_however_late_they_turn_up() -> None:
    account = Account(faults=Faults(too_many=0.1, broken=0.1, cut=0.1, expired=0.1))
    await account.send()
    for number in range(130):
        account.resend.receive("bob@bakery.example", f"ann@{DOMAIN}", f"Mail {number}", "Hi")
        account.world.pass_time(minutes=1)
        if number % 40 == 0:
            await account.poll()
    late = account.resend.inbox.pop(60)
    await account.poll()
    account.resend.inbox.insert(60, late)
    for _ in range(3):
        account.world.pass_time(minutes=30)
        await account.poll()

    subjects = Counter(
        classify(each.raw, received=each.received).heading.subject for each in account.mails
    )
    assert len(subjects) == 130
    assert set(subjects.values()) == {1}


async def test_mails_from_before_anything_was_sent_are_not_read() -> None:
    account = Account()
    account.resend.receive("bob@bakery.example", f"ann@{DOMAIN}", "Old", "Hi")
    account.world.pass_time(days=3)
    await account.send()

    await account.poll()

    assert account.mails == []


@pytest.mark.parametrize("broken", ["/emails/receiving", "/emails/receiving/"])
async def test_an_inbox_that_cannot_be_read_holds_up_no_states(broken: str) -> None:
    account = Account()
    mail_id = await account.send()
    account.resend.receive("bob@bakery.example", f"ann@{DOMAIN}", "Re: Hello", "Yes")
    account.resend.breaks = broken

    assert kinds(await account.poll()) == [Happening.SENT]
    account.resend.happen(mail_id, "delivered")
    assert kinds(await account.poll()) == [Happening.DELIVERED]
    assert account.mails == []
    assert "came in at Resend could not all be read" in account.cut_short

    account.resend.breaks = ""
    await account.poll()
    assert len(account.mails) == 1
    assert account.cut_short == ""


async def test_a_mail_that_cannot_be_read_keeps_no_others_back() -> None:
    account = Account()
    await account.send()
    ids = [
        account.resend.receive("bob@bakery.example", f"ann@{DOMAIN}", f"Mail {number}", "Yes")
        for number in range(30)
    ]
    account.resend.breaks = f"/emails/receiving/{ids[17]}"
    await account.poll()
    before = len(account.mails)
    account.resend.breaks = ""
    await account.poll()

    assert before == 12  # the newest come first
    assert len(account.mails) == 30


@pytest.mark.parametrize(
    "received",
    [
        {},
        {"headers": None, "text": None, "html": None, "to": None, "from": None, "subject": None},
        {"headers": {"X\r\nBcc": "a@b.example", "Subject": "a\r\nBcc: b@c.example"}, "text": "Hi"},
        {"headers": {"Content-Type": "multipart/mixed; boundary=x"}, "text": "Hi", "html": "<p>x"},
        {"headers": {"received": ["one", "two"], "x": None}, "text": "a\ud800b"},
        {"headers": [1], "text": ["x"], "subject": 7, "to": [7]},
        {"text": "--=_crm-tui\r\nX", "html": "<p>--=_crm-tui--"},
    ],
)
def test_whatever_came_in_is_a_mail_without_headers_of_its_author_s_making(
    received: dict[str, Any],
) -> None:
    raw = rebuild(received)

    found = classify(raw, received=NOW)
    assert b"\nBcc" not in raw
    assert found.heading.recipients == () or "7" not in found.heading.recipients
    if received.get("text") == "--=_crm-tui\r\nX":
        assert found.text == "--=_crm-tui\nX"


# -- gaps ----------------------------------------------------------------------------------------------


async def test_after_weeks_away_the_states_of_that_time_are_read_back() -> None:
    account = Account(official=True)
    opened, bounced, gone = [await account.send(f"o{n}@bakery.example") for n in range(3)]
    await account.poll()
    since = account.world.now
    account.world.pass_time(days=1)
    account.resend.happen(opened, "opened")
    account.resend.bounce(bounced, hard=True)
    account.resend.bounce(gone, hard=False)
    account.world.pass_time(days=20)
    assert await account.poll() == []

    found = await account.stream.reconcile(account.asked(), since)
    account.keep(Page(events=found, cursor={}, more=False))

    assert account.of(opened) == [Happening.SENT, Happening.DELIVERED, Happening.OPENED]
    assert account.of(bounced) == [Happening.SENT, Happening.BOUNCED_HARD]
    assert account.of(gone) == [Happening.SENT, Happening.BOUNCED_SOFT]
    assert account.checked is not None
    account.checked.assert_clean()


async def test_reading_back_leaves_bounces_of_this_week_to_polling() -> None:
    account = Account()
    mail_id = await account.send()
    account.resend.bounce(mail_id, hard=False)

    assert await account.stream.reconcile(account.asked(), NOW) == []


async def test_addresses_that_were_listed_meanwhile_are_told_by_their_addresses() -> None:
    account = Account()
    account.resend.list_address("Owner@bakery.example", "complaint", source="an older mail")
    account.resend.list_address("hand@bakery.example", "manual")

    found = await account.stream.reconcile(account.asked(), NOW - timedelta(days=30))
    account.keep(Page(events=found, cursor={}, more=False))

    (told,) = account.told.values()
    assert (told.kind, told.recipient) == (Happening.COMPLAINED, "owner@bakery.example")
    assert (told.provider_id, told.listed) == (None, Listed.COMPLAINT)
