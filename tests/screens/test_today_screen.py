"""Today: what it lists, and the keys that deal with each line."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from textual.pilot import Pilot
from textual.widgets import Static

from crm_tui.app import CrmApp
from crm_tui.config import OperatorSettings, PublishingSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint, Site, SyncCursor, Task, Unmatched
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.lead_entry import EntryReader
from crm_tui.screens.settings import SettingsScreen
from crm_tui.screens.today import TodayScreen
from crm_tui.services import events, outcomes, tasks, timeline, undo
from crm_tui.services.events import NewEvent
from crm_tui.services.publishing import choosing, leftovers
from crm_tui.services.publishing.publish import publish_sites
from crm_tui.services.publishing.publisher import Publisher, open_publisher
from crm_tui.services.publishing.takedown import unpublish_sites
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.vocabulary import (
    CallOutcome,
    ContactState,
    ContactStatus,
    EventKind,
    Outcome,
    UnmatchedKind,
    WebsiteStatus,
)
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.screens.settling import settle

HOUR = timedelta(hours=1)
PAGE = "<h1>Ace Plumbing</h1><a href='tel:7185550101'>Call</a>"


class Desk:
    """The app in a test, on Today."""

    def __init__(self, pilot: Pilot[None], db: Database) -> None:
        self.pilot = pilot
        self.db = db
        assert isinstance(pilot.app, CrmApp)
        self.app = pilot.app

    @property
    def today(self) -> TodayScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, TodayScreen))

    @property
    def footer(self) -> Footer:
        return self.today.query_one(Footer)

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    def lines(self) -> list[str]:
        table = self.today.query_one("#today")
        lines = (table.render_line(y).text for y in range(1, self.today._table.total + 1))
        return [line[0] + " ".join(line[1:].split()) for line in lines if line.strip()]

    def text(self, name: str) -> str:
        return str(self.today.query_one(f"#{name}", Static).content)

    async def outcome(self, lead: int) -> tuple[Outcome, str | None]:
        async with self.db.read() as session:
            row = await session.execute(
                select(Business.outcome, Business.outcome_reason).where(Business.id == lead)
            )
        outcome, reason = row.one()
        return outcome, reason

    async def last_action(self) -> str:
        async with self.db.read() as session:
            return (await undo.entries(session, limit=1))[0].words


@pytest.fixture
async def leads(db: Database, add_lead: AddLead) -> list[int]:
    """Three leads: two follow-ups and an answer of the first, an answer of the second."""
    ids = [await add_lead(name) for name in ("Alder Plumbing", "Birch Hair", "Cedar Dental")]
    async with db.write() as session:
        await tasks.add(session, ids[0], "call back", NOW - 2 * HOUR, now=NOW - 50 * HOUR)
        await tasks.add(session, ids[0], "send the link", NOW + 5 * HOUR, now=NOW)
        await timeline.log_call(
            session, ids[0], CallOutcome.TALKED, note="send it", now=NOW - 3 * HOUR
        )
        await timeline.log_call(session, ids[1], CallOutcome.TALKED, now=NOW - HOUR)
    return ids


@pytest.fixture
async def desk(db: Database, store_path: Path) -> AsyncIterator[Desk]:
    settings = Settings(operator=OperatorSettings("UTC"))
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        desk = Desk(pilot, db)
        await desk.settle()
        await desk.press("2")
        yield desk


async def test_an_empty_day_says_what_to_do_next(desk: Desk) -> None:
    assert desk.text("date") == "Sunday 22 November"
    assert desk.text("count") == ""
    assert desk.text("empty") == (
        "Nothing is waiting for you.\n"
        "A follow-up is set (f) on a lead, or in the list of leads (1)."
    )


async def test_lines_stand_in_groups_the_most_pressing_first(leads: list[int], desk: Desk) -> None:
    assert desk.lines() == [
        " Follow-ups 2",
        "▸overdue 2h Alder Plumbing call back",
        " today 14:30 Alder Plumbing send the link",
        " Answers 2",
        " 1h Birch Hair call: talked",
        " 3h Alder Plumbing send it",
    ]
    assert desk.text("count") == "4 to deal with"


async def test_the_smallest_terminal_says_whom_a_line_is_about(
    leads: list[int], desk: Desk
) -> None:
    await desk.pilot.resize_terminal(40, 12)
    await desk.settle()
    assert desk.lines()[:2] == [" Follow-ups 2", "▸overdue 2h Alder Plumbing"]


async def test_the_cursor_passes_over_headings(leads: list[int], desk: Desk) -> None:
    for keys, at in (("jj", 4), ("k", 2), ("G", 5), ("gg", 1), ("k", 1), ("jjjjjj", 5)):
        await desk.press(*keys)
        assert [n for n, line in enumerate(desk.lines()) if line.startswith("▸")] == [at], keys


async def test_the_footer_has_the_keys_of_the_line(leads: list[int], desk: Desk) -> None:
    assert str(desk.footer.render()).startswith("x done with it   z put off   a call   enter open")
    await desk.press("G")
    assert str(desk.footer.render()).startswith("+ interested   = later   - no   w wrong person")
    await desk.press("x")
    assert desk.footer.words == (
        "This line is dealt with otherwise: + interested, = later, - no, w wrong person."
    )


async def test_a_follow_up_that_is_done_is_gone_and_the_cursor_stays(
    leads: list[int], desk: Desk
) -> None:
    await desk.press("x")
    assert desk.lines()[:2] == [" Follow-ups 1", "▸today 14:30 Alder Plumbing send the link"]
    assert desk.footer.words.startswith("Did call back, Alder Plumbing.")
    await desk.press("x")
    assert desk.lines()[:2] == [" Answers 2", "▸1h Birch Hair call: talked"]
    async with desk.db.write() as session:
        await session.execute(update(Business).values(archived_at=NOW))
    desk.today.data_changed()
    await desk.settle()
    assert desk.today.has_class("-empty")
    await desk.press("x", "z", "+", "a", "enter")
    assert isinstance(desk.app.screen, TodayScreen)


async def test_a_follow_up_is_put_off_in_two_keys(leads: list[int], desk: Desk) -> None:
    await desk.press("z", "enter")
    assert desk.lines()[:2] == [" Follow-ups 1", "▸today 14:30 Alder Plumbing send the link"]
    assert await desk.last_action() == "put off call back, Alder Plumbing, to Mon 23 Nov 9:00"
    async with desk.db.read() as session:
        due = await session.scalar(select(Task.due_at).where(Task.what == "call back"))
    assert due == NOW + timedelta(hours=23, minutes=30)


async def test_a_follow_up_is_put_off_as_one_says_it_and_in_other_words(
    leads: list[int], desk: Desk
) -> None:
    await desk.press("z", *"nox")
    form = desk.app.screen
    assert isinstance(form, Form)
    assert str(form.query_one(".reading", Static).content) == (
        '"nox" is no time this program reads'
    )
    await desk.press("enter")
    assert desk.app.screen is form
    await desk.press("backspace", "o", "n", "tab", *" Ann", "enter")
    assert desk.lines()[1] == "▸today 12:00 Alder Plumbing call back Ann"


@pytest.mark.parametrize(
    ("key", "outcome", "reason"),
    [
        ("+", Outcome.INTERESTED, "is interested"),
        ("-", Outcome.LOST, "said no"),
        ("w", Outcome.WRONG_CONTACT, "is the wrong person"),
    ],
)
async def test_an_answer_is_sorted_with_a_key(
    leads: list[int], desk: Desk, key: str, outcome: Outcome, reason: str
) -> None:
    await desk.press("j", "j", key)
    assert desk.lines()[3:] == [" Answers 1", "▸3h Alder Plumbing send it"]
    assert await desk.outcome(leads[1]) == (outcome, reason)
    assert await desk.last_action() == f"sorted the answer of Birch Hair: {reason}"


async def test_later_asks_when_and_sets_the_follow_up(leads: list[int], desk: Desk) -> None:
    await desk.press("j", "j", "=", *"noon", "enter")
    assert desk.lines() == [
        " Follow-ups 3",
        " overdue 2h Alder Plumbing call back",
        " today 12:00 Birch Hair call back",
        " today 14:30 Alder Plumbing send the link",
        " Answers 1",
        "▸3h Alder Plumbing send it",
    ]
    assert await desk.outcome(leads[1]) == (Outcome.LATER, "asked for later")
    await undo.undo(desk.db, settings=Settings(), now=NOW)
    assert await desk.outcome(leads[1]) == (Outcome.OPEN, None)


async def test_enter_opens_the_lead_and_the_brackets_go_on(leads: list[int], desk: Desk) -> None:
    await desk.press("enter")
    lead = desk.app.screen
    assert isinstance(lead, LeadScreen)
    assert lead.lead_id == leads[0]
    await desk.press("]", "]")
    assert lead.lead_id == leads[1]
    assert "3 of 4" in str(lead.query_one("#lead-position", Static).content)
    await desk.press("]", "]", "[", "q")
    assert desk.lines()[4].startswith("▸1h Birch Hair")


async def test_what_can_be_done_to_a_lead_can_be_done_to_a_line(
    leads: list[int], desk: Desk
) -> None:
    await desk.press("n", *"asks for Bo", "ctrl+s")
    async with desk.db.read() as session:
        (note, *_) = await timeline.entries(session, leads[0])
    assert (note.kind, note.body) == (EventKind.NOTE, "asks for Bo")


async def test_what_went_wrong_is_let_go_with_the_same_key(
    db: Database, add_lead: AddLead, desk: Desk
) -> None:
    mail = await add_lead("Alder Plumbing", email="ann@alder.example")
    failed = await add_lead("Birch Hair")
    event = NewEvent(failed, EventKind.SITE_FAILED, NOW, "not built", "you", body="no room")
    async with db.write() as session:
        await session.execute(update(ContactPoint).values(state=ContactState.BOUNCED))
        await events.record(session, event, now=NOW)
        session.add(
            Unmatched(
                key="old-1",
                kind=UnmatchedKind.SITE,
                title="Ace Plumbing",
                reason="its lead is gone",
                created_at=NOW,
                payload={"slug": "ace", "html": PAGE},
            )
        )
    desk.today.data_changed()
    await desk.settle()
    assert desk.lines() == [
        " Unreachable 1",
        "▸Alder Plumbing ann@alder.example: bounced",
        " Not built 1",
        " now Birch Hair no room",
        " No lead 1",
        " now Ace Plumbing its lead is gone",
    ]
    await desk.press("G", "r")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("escape", "enter")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("escape", "e")
    assert desk.footer.words == "There is no lead here."
    await desk.press("g", "g", "x", "x", "x")
    assert desk.today.has_class("-empty")
    async with db.read() as session:
        rows = await session.execute(select(Business.id, Business.email, Business.website_status))
        assert {tuple(row) for row in rows} == {
            (mail, None, WebsiteStatus.NONE),
            (failed, None, WebsiteStatus.NONE),
        }
    for _ in range(3):
        await undo.undo(db, settings=Settings(), now=NOW)
    desk.today.data_changed()
    await desk.settle()
    assert len(desk.lines()) == 6


async def test_what_a_customer_wrote_is_done_with_and_not_sorted(
    db: Database, add_lead: AddLead, desk: Desk
) -> None:
    lead = await add_lead("Alder Plumbing")
    wrote = NewEvent(
        lead,
        EventKind.REPLIED,
        NOW - HOUR,
        "answer: Hours",
        "mailbox",
        moves_to=ContactStatus.REPLIED,
        body="We close at 4 now.",
        data={"subject": "Hours"},
    )
    async with db.write() as session:
        await outcomes.set_outcome(session, [lead], Outcome.WON, now=NOW - 2 * HOUR)
        await events.record(session, wrote, now=NOW - HOUR)
    desk.today.data_changed()
    await desk.settle()
    assert desk.lines() == [" Customers 1", "▸1h Alder Plumbing Hours – We close at 4 now."]
    await desk.press("+")
    assert desk.footer.words == (
        "This line is dealt with otherwise: x done with it, m mail, a call."
    )
    await desk.press("x")
    assert desk.today.has_class("-empty")
    assert await desk.outcome(lead) == (Outcome.WON, None)
    assert await desk.last_action() == "dealt with what Alder Plumbing wrote"
    await desk.press("u")
    assert len(desk.lines()) == 2


async def test_a_provider_that_cannot_be_polled_leads_to_its_account(
    db: Database, desk: Desk
) -> None:
    async with db.write() as session:
        session.add_all(
            SyncCursor(
                provider=provider,
                account=account,
                stream="events",
                cursor={},
                failed_at=NOW - HOUR,
                problem=problem,
            )
            for provider, account, problem in (
                ("imap", "sam@mail.example", "The password is refused."),
                ("twilio", "AC1", "The token is refused."),
            )
        )
    desk.today.data_changed()
    await desk.settle()
    assert desk.lines() == [
        " Mailbox 1",
        "▸1h sam@mail.example The password is refused.",
        " Not polled 1",
        " 1h Twilio The token is refused.",
    ]
    await desk.press("j", "r")
    assert [type(each) for each in desk.app.screen_stack[-1:]] == [EntryReader]
    await desk.press("escape", "enter")
    (settings,) = (each for each in desk.app.screen_stack if isinstance(each, SettingsScreen))
    assert settings.account is not None
    assert settings.account.title == "Twilio"


class Host:
    """What the operator's command does, and a lead whose site is to be published."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self._desk = desk
        self.web = folder / "web"
        self._script = folder / "upload.py"

    def answers(self, words: str, *, status: int = 0) -> None:
        self._script.write_text(f"print({words!r}); raise SystemExit({status})")
        publishing = PublishingSettings(
            path=str(self.web),
            base_url="https://p.example.com",
            command=(sys.executable, str(self._script)),
        )
        self._desk.app.settings = Settings(publishing=publishing)

    async def publish(self, *names: str, add_lead: AddLead) -> list[int]:
        leads = [await add_lead(name) for name in names]
        db, clock = self._desk.db, lambda: NOW - HOUR
        await build_sites(db, leads, renderer=Renderer(load_themes()), clock=clock)
        async with db.read() as session:
            sites = await choosing.to_publish(session, leads)
        await publish_sites(db, sites, publisher=self.publisher, clock=clock)
        return sites

    @property
    def publisher(self) -> Publisher:
        return open_publisher(self._desk.app.settings.publishing)

    async def urls(self) -> list[str | None]:
        async with self._desk.db.read() as session:
            return list(await session.scalars(select(Site.published_url).order_by(Site.id)))


async def test_what_could_not_be_published_is_tried_again_with_one_key(
    desk: Desk, add_lead: AddLead, tmp_path: Path
) -> None:
    host = Host(desk, tmp_path)
    host.answers("no \x1b[31mroute", status=255)
    await host.publish("Alder Plumbing", "Birch Hair", add_lead=add_lead)
    desk.today.data_changed()
    await desk.settle()
    assert [line.partition("python")[0] for line in desk.lines()] == [
        " Unpublished 2",
        "▸Alder Plumbing ",
        " Birch Hair ",
    ]
    assert str(desk.footer.render()).strip().startswith("P publish site   enter open")
    await desk.press("P")
    assert desk.footer.words.startswith("2 sites, the first Alder Plumbing, were not published: ")
    assert desk.footer.words.endswith("failed: no route (exit status 255).")
    host.answers("")
    await desk.press("x")
    assert desk.footer.words == "This line is dealt with otherwise: P publish site."
    await desk.press("P")
    assert desk.footer.words == "Tried again what had failed: 2 sites published."
    assert desk.today.has_class("-empty")
    assert None not in await host.urls()


async def test_what_is_still_public_is_taken_down_with_a_key(
    desk: Desk, add_lead: AddLead, tmp_path: Path
) -> None:
    host = Host(desk, tmp_path)
    host.answers("")
    sites = await host.publish("Alder Plumbing", add_lead=add_lead)
    async with desk.db.write() as session:
        await leftovers.note(session, {"erased-abc234"})
    host.answers("no route", status=255)
    await unpublish_sites(desk.db, sites, publisher=host.publisher, clock=lambda: NOW)
    desk.today.data_changed()
    await desk.settle()
    first, line, erased = desk.lines()
    assert first == " Still public 2"
    assert line.startswith("▸Alder Plumbing python")
    assert erased == " Erased leads 1 page may still be public"
    assert str(desk.footer.render()).strip().startswith("r sort out   enter open")
    await desk.press("j", "enter")
    assert desk.footer.words.startswith("Alder Plumbing was not taken down: python")
    host.answers("")
    await desk.press("r")
    assert desk.footer.words == (
        "Tried again what had failed: 1 site taken down, 1 page of erased leads taken down."
    )
    assert desk.today.has_class("-empty")


async def test_a_site_without_a_lead_gets_one(db: Database, desk: Desk) -> None:
    async with db.write() as session:
        session.add(
            Unmatched(
                key="old-1",
                kind=UnmatchedKind.SITE,
                title="Ace Plumbing",
                reason="its lead is gone",
                created_at=NOW,
                payload={"slug": "ace", "html": PAGE},
            )
        )
    desk.today.data_changed()
    await desk.settle()
    await desk.press("r", "enter")
    assert desk.today.has_class("-empty")
    assert desk.footer.words == "ace has its lead: a new lead was created."


async def test_follow_ups_ahead_are_announced_when_nothing_is_due(
    db: Database, add_lead: AddLead, desk: Desk
) -> None:
    lead = await add_lead("Alder Plumbing")
    async with db.write() as session:
        await tasks.add(session, lead, "call", NOW + 48 * HOUR, now=NOW)
    desk.today.data_changed()
    await desk.settle()
    assert "The next follow-up is due Tue 24 Nov 9:30." in desk.text("empty")


async def test_the_next_start_begins_at_the_same_line(leads: list[int], desk: Desk) -> None:
    await desk.press("j", "j")
    place = desk.today.keep()
    again = TodayScreen()
    again.restore(place)
    desk.app.push_screen(again)
    await desk.settle()
    assert again._table.cursor_id == place.cursor
    assert again._table.cursor == 5


async def test_the_lead_of_the_line_stands_beside_it_where_there_is_room(
    leads: list[int], desk: Desk
) -> None:
    await desk.press("p")
    assert desk.footer.words.startswith("There is no room for the lead here")
    await desk.pilot.resize_terminal(160, 50)
    await desk.press("p", "j", "j")
    await desk.pilot.pause(0.2)
    await desk.settle()
    name = desk.today.query_one("#pane-name", Static)
    assert str(name.content) == "Birch Hair"
    assert desk.today.keep().pane
