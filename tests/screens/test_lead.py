from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from crm_tui.app import CrmApp
from crm_tui.config import OperatorSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.lead_forms import Here, read_when
from crm_tui.screens.leads import LeadsScreen
from crm_tui.services import events, leads, timeline
from crm_tui.services.events import NewEvent
from crm_tui.services.leads import LeadPage
from crm_tui.services.timeline import TimelineEntry
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from tests.screens.settling import settle

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HOSTILE = "\x1b]52;c;aGk=\x07 [/] [red]red[/red] \u202eevil "


class Desk:
    """The app in a test, with one lead open, and the store behind it."""

    def __init__(self, pilot: Pilot[None], db: Database, settings: Settings) -> None:
        self.pilot = pilot
        self.db = db
        self.settings = settings

    @property
    def app(self) -> CrmApp:
        app = self.pilot.app
        assert isinstance(app, CrmApp)
        return app

    @property
    def screen(self) -> Screen[object]:
        return self.app.screen

    @property
    def lead(self) -> LeadScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, LeadScreen))

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def open(self, lead_id: int) -> None:
        await self.app.push_screen(LeadScreen(lead_id))
        await self.settle()

    def words(self, selector: str) -> str:
        return str(self.lead.query_one(selector, Static).content)

    def said(self) -> str:
        return self.lead.query_one(Footer).words

    def lines(self) -> list[str]:
        widget = self.lead.timeline
        return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]

    async def entries(self, lead_id: int) -> list[TimelineEntry]:
        async with self.db.read() as session:
            return await timeline.entries(session, lead_id)

    async def page(self, lead_id: int) -> LeadPage:
        async with self.db.read() as session:
            return await leads.page(session, lead_id, settings=self.settings, now=NOW)


@pytest.fixture
def settings() -> Settings:
    return Settings(operator=OperatorSettings(timezone="UTC"))


@pytest.fixture
async def desk(db: Database, store_path: Path, settings: Settings) -> AsyncIterator[Desk]:
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as pilot:
        desk = Desk(pilot, db, settings)
        await desk.settle()
        yield desk


@pytest.fixture
async def plumber(db: Database, settings: Settings) -> int:
    """A lead with a phone and a short history: captured, a note, a call."""
    fields = {
        "name": "Woodhaven Plumbing",
        "category": "Plumber",
        "city": "Ozone Park",
        "region": "NY",
        "country": "US",
        "phone": "718 555 0142",
        "email": "office@woodhaven.example",
        "timezone": "America/New_York",
    }
    async with db.write() as session:
        lead_id = await leads.add(
            session, fields, settings=settings, now=NOW - timedelta(days=20), source="outscraper"
        )
        day = NOW - timedelta(days=2)
        await timeline.add_note(session, lead_id, "Ask for Marco.", at=day, now=NOW)
        hour = NOW - timedelta(hours=1)
        await timeline.log_call(session, lead_id, CallOutcome.NO_ANSWER, at=hour, now=NOW)
    return lead_id


async def test_the_header_says_who_it_is_how_far_it_came_and_what_time_it_is_there(
    plumber: int, desk: Desk
) -> None:
    await desk.open(plumber)
    assert desk.words("#lead-name") == "Woodhaven Plumbing"
    assert "called" in desk.words("#lead-statuses")
    assert "no site" in desk.words("#lead-statuses")
    assert "score" in desk.words("#lead-statuses")
    assert "+1 718-555-0142" in desk.words("#lead-reach")
    assert "no website of its own" in desk.words("#lead-reach")
    assert desk.words("#lead-where") == "Ozone Park, NY, US   Sun 04:30 there"


async def test_a_note_is_written_and_the_cursor_stays_on_its_entry(
    plumber: int, desk: Desk
) -> None:
    await desk.open(plumber)
    await desk.press("j")
    before = desk.lead.timeline.entry
    await desk.press("n", *"He called back", "ctrl+s")
    assert (await desk.entries(plumber))[0].body == "He called back"
    assert desk.lead.timeline.entry == before
    assert any("He called back" in line for line in desk.lines())


async def test_a_note_can_be_backdated_and_what_is_no_time_is_refused(
    plumber: int, desk: Desk
) -> None:
    await desk.open(plumber)
    await desk.press("n", *"Met him", "tab", "ctrl+u", *"some day", "ctrl+s")
    assert "no time" in str(desk.screen.query_one("#form-words", Static).content)
    await desk.press("ctrl+u", *"2026-11-20 14:30", "ctrl+s")
    note = next(e for e in await desk.entries(plumber) if e.body == "Met him")
    assert note.at == datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


async def test_a_call_is_logged_with_its_outcome(plumber: int, desk: Desk) -> None:
    await desk.open(plumber)
    await desk.press("a")
    about = str(desk.screen.query_one("#form-about", Static).content)
    assert "(718) 555-0142" in about
    assert "04:30 there" in about
    await desk.press("3", "tab", *"wants a price", "enter")
    call = (await desk.entries(plumber))[0]
    assert (call.kind, call.data["outcome"], call.body) == ("call", "talked", "wants a price")
    assert "replied" in desk.words("#lead-statuses")


async def test_the_number_to_call_is_a_tel_link(plumber: int, desk: Desk) -> None:
    await desk.open(plumber)
    await desk.press("a")
    content = desk.screen.query_one("#form-about", Static).content
    assert "tel:+17185550142" in repr(content.spans)  # type: ignore[union-attr]


async def test_a_status_is_set_by_hand(plumber: int, desk: Desk) -> None:
    await desk.open(plumber)
    await desk.press("s", "8", "enter")
    assert (await desk.page(plumber)).business["contact_status"] is ContactStatus.PURCHASED
    assert "purchased" in desk.words("#lead-statuses")
    assert "status set to purchased" in desk.lines()[0]


async def test_fields_are_edited_and_a_bad_value_is_refused_in_a_sentence(
    plumber: int, desk: Desk
) -> None:
    await desk.open(plumber)
    await desk.press("e", "ctrl+u", *"Woodhaven & Sons", *["down"] * 7, "ctrl+u", *"123", "ctrl+s")
    assert "phone" in str(desk.screen.query_one("#form-words", Static).content)
    assert (await desk.page(plumber)).business["name"] == "Woodhaven Plumbing"
    await desk.press("ctrl+u", *"718 555 0199", "ctrl+s")
    business = (await desk.page(plumber)).business
    assert (business["name"], business["phone"]) == ("Woodhaven & Sons", "+17185550199")
    assert desk.words("#lead-name") == "Woodhaven & Sons"


async def test_enter_corrects_a_note_and_keeps_its_time(plumber: int, desk: Desk) -> None:
    await desk.open(plumber)
    old = next(e for e in await desk.entries(plumber) if e.kind == "note")
    await desk.press("j", "enter", "ctrl+u", *"Ask for Maria.", "ctrl+s")
    notes = [e for e in await desk.entries(plumber) if e.kind == "note"]
    assert [(e.body, e.at) for e in notes] == [("Ask for Maria.", old.at)]
    assert desk.lead.timeline.entry == notes[0]


async def test_enter_corrects_a_call_and_its_time(plumber: int, desk: Desk) -> None:
    await desk.open(plumber)
    await desk.press("enter", "2", "tab", "tab", "ctrl+u", *"yesterday 9:05", "enter")
    (call,) = [e for e in await desk.entries(plumber) if e.kind == "call"]
    assert call.data["outcome"] == "voicemail"
    assert call.at == datetime(2026, 11, 21, 9, 5, tzinfo=UTC)


async def test_enter_on_anything_else_shows_all_of_it(
    plumber: int, desk: Desk, db: Database
) -> None:
    reply = NewEvent(
        plumber, EventKind.REPLIED, NOW, "answered", "mail", body="line\n" * 50 + "the end"
    )
    async with db.write() as session:
        await events.record(session, reply, now=NOW)
    await desk.open(plumber)
    await desk.press("enter")
    shown = desk.screen.query_one("#entry-text Static", Static)
    assert str(shown.content).endswith("the end")
    await desk.press("escape")
    assert desk.screen is desk.lead


async def test_an_edit_read_in_full_says_what_was_there_before(plumber: int, desk: Desk) -> None:
    await desk.open(plumber)
    await desk.press("e", *["down"] * 3, "ctrl+u", *"Queens", "ctrl+s")
    await desk.press("home", "enter")
    shown = "\n".join(desk.screen.query_one("Facts").render_line(y).text.rstrip() for y in range(1))
    assert shown == "city  Queens  was Ozone Park"


async def test_the_site_is_built_and_built_again_only_when_something_changed(
    plumber: int, desk: Desk, store_path: Path
) -> None:
    await desk.open(plumber)
    await desk.press("o")
    assert "no site" in desk.said()
    await desk.press("b")
    assert "Built woodhaven-plumbing" in desk.said()
    (site,) = (await desk.page(plumber)).sites
    assert (desk.db.site_folder / site.slug / "index.html").is_file()
    assert "site generated" in desk.words("#lead-statuses")
    await desk.press("b")
    assert "up to date" in desk.said()
    await desk.press("e", "ctrl+e", *" Co", "ctrl+s")
    assert "out of date" in desk.words("#lead-statuses")


async def test_looking_at_the_site_over_ssh_shows_the_address_and_the_tunnel(
    plumber: int, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.5 50000 203.0.113.9 22")
    await desk.open(plumber)
    await desk.press("b", "o")
    words = "\n".join(str(each.content) for each in desk.screen.query(Static))
    assert "ssh -L" in words
    assert "http://127.0.0.1:" in words
    await desk.press("escape")
    assert any(e.kind == "previewed" for e in await desk.entries(plumber))


async def test_the_keys_to_the_neighbours_follow_the_list(
    plumber: int, desk: Desk, db: Database, settings: Settings
) -> None:
    async with db.write() as session:
        for name in ("Alpha Bakery", "Beta Bakery"):
            await leads.add(session, {"name": name}, settings=settings, now=NOW)
    await desk.press("escape")
    desk.app.screen.data_changed()  # type: ignore[attr-defined]
    await desk.settle()
    await desk.press("enter")
    names = [desk.words("#lead-name")]
    for key in ("]", "]", "["):
        await desk.press(key)
        names.append(desk.words("#lead-name"))
    assert names == ["Woodhaven Plumbing", "Alpha Bakery", "Beta Bakery", "Alpha Bakery"]
    assert desk.words("#lead-position") == "2 of 3"
    await desk.press("[", "[")
    assert desk.said() == "This is the first lead of the list."
    await desk.press("]", "h")
    assert isinstance(desk.screen, LeadsScreen)
    assert desk.screen.place() == (2, 3)


async def test_the_timeline_is_narrowed_by_kind_and_esc_takes_it_back(
    plumber: int, desk: Desk
) -> None:
    await desk.open(plumber)
    assert "everything 3" in desk.words("#lead-kinds")
    assert "notes and calls 2" in desk.words("#lead-kinds")
    await desk.press("/")
    assert "captured" not in " ".join(desk.lines())
    await desk.press("/")
    assert "No" in desk.lines()[0]
    await desk.press("escape")
    assert "captured" in " ".join(desk.lines())
    await desk.press("escape")
    assert isinstance(desk.screen, LeadsScreen)


async def test_a_narrow_screen_has_the_facts_behind_a_key_and_a_wide_one_shows_both(
    plumber: int, desk: Desk
) -> None:
    await desk.open(plumber)
    facts, history = desk.lead.query_one("#lead-facts"), desk.lead.query_one("#lead-history")
    assert (facts.display, history.display) == (False, True)
    await desk.press("p")
    assert (facts.display, history.display) == (True, False)
    await desk.press("escape")
    assert (facts.display, history.display) == (False, True)
    await desk.pilot.resize_terminal(160, 50)
    await desk.settle()
    assert (facts.display, history.display) == (True, True)
    assert not desk.lead.query_one("#lead-reach").display


async def test_what_another_program_changed_is_shown_in_place(
    plumber: int, desk: Desk, db: Database
) -> None:
    await desk.open(plumber)
    await desk.press("j", "j")
    before = desk.lead.timeline.entry
    async with db.write() as session:
        await timeline.add_note(session, plumber, "written elsewhere", now=NOW)
    desk.lead.data_changed()
    await desk.settle()
    assert "written elsewhere" in " ".join(desk.lines())
    assert desk.lead.timeline.entry == before


async def test_a_resize_while_a_dialog_is_open_keeps_what_was_typed(
    plumber: int, desk: Desk
) -> None:
    await desk.open(plumber)
    await desk.press("n", *"half a thought")
    for size in ((60, 16), (160, 50), (80, 24)):
        await desk.pilot.resize_terminal(*size)
        await desk.settle()
        form = desk.screen.query_one("#form").region
        assert 0 <= form.x < form.right <= size[0]
        assert 0 <= form.y < form.bottom <= size[1]
    await desk.press("ctrl+s")
    assert (await desk.entries(plumber))[0].body == "half a thought"


async def test_outside_text_is_visible_text_everywhere_and_writes_no_control_byte(
    desk: Desk, db: Database, settings: Settings
) -> None:
    long = HOSTILE + "x" * 10_000
    async with db.write() as session:
        fields = {"name": long, "category": HOSTILE, "city": HOSTILE, "phone": "718 555 0142"}
        lead_id = await leads.add(session, fields, settings=settings, now=NOW, source=HOSTILE)
        await session.execute(update(Business).values(timezone=HOSTILE))
        await timeline.add_note(session, lead_id, long + "\n" + HOSTILE, now=NOW)
    await desk.pilot.resize_terminal(140, 40)
    await desk.open(lead_id)
    for keys in (
        (),
        ("n",),
        ("escape", "a"),
        ("escape", "s"),
        ("escape", "e"),
        ("escape", "enter"),
    ):
        await desk.press(*keys)
        shown = screen_text(desk.app)
        assert "[red]red[/red]" in shown, keys
        assert "⟨U+202E⟩" in shown, keys
        assert not [c for c in shown if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e"], keys


def screen_text(app: CrmApp) -> str:
    """Everything the terminal shows, each line after the other."""
    lines = app.screen._compositor.render_strips()
    return "".join(strip.text for strip in lines)


async def test_a_lead_that_is_gone_is_said_and_nothing_breaks(desk: Desk) -> None:
    await desk.open(4711)
    assert "4711" in desk.said()
    await desk.press("n", "e", "b", "o", "escape")
    assert isinstance(desk.screen, LeadsScreen)
    assert not any(isinstance(screen, Form) for screen in desk.app.screen_stack)


def test_times_are_read_in_the_operators_zone() -> None:
    here = Here(lambda: NOW, UTC)
    was = datetime(2026, 11, 1, 8, 15, 42, tzinfo=UTC)
    assert read_when("now", here) is None
    assert read_when(" 8:05 ", here) == datetime(2026, 11, 22, 8, 5, tzinfo=UTC)
    assert read_when("Yesterday 23:00", here) == datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
    assert read_when("2026-11-01 08:15", here, was=was) == was
    assert read_when("2026-11-01 08:16", here, was=was) == datetime(2026, 11, 1, 8, 16, tzinfo=UTC)


async def test_an_open_by_a_machine_is_said_to_be_a_persons_with_a_key(
    desk: Desk, plumber: int
) -> None:
    opened = NewEvent(
        plumber,
        EventKind.OPENED,
        NOW - timedelta(minutes=5),
        "opened: Hello",
        "mailgun",
        key="m:1",
        moves_to=ContactStatus.OPENED,
        by_machine=True,
        data={"machine": "a link scanner"},
    )
    async with desk.db.write() as session:
        await events.record(session, opened, now=NOW)
    await desk.open(plumber)
    assert "by a machine (a link scanner" in " ".join(desk.lines())
    await desk.press("down", "H")
    assert "The cursor is on no open or click by a machine." in desk.said()
    await desk.press("up", "H")
    marked, machine, *_ = await desk.entries(plumber)
    assert (marked.machine, marked.source, machine.machine) == (False, "you", True)
    assert (await desk.page(plumber)).business["contact_status"] is ContactStatus.OPENED
    await desk.press("down", "H")
    assert "That counts as a person's already" in desk.said()
    await desk.press("u")
    assert [each.machine for each in (await desk.entries(plumber))[:1]] == [True]
