from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.errors import UserError
from crm_tui.screens.base import Job
from crm_tui.screens.dialogs import Confirm, Picker
from crm_tui.screens.help import HelpScreen
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.leads import LeadsScreen
from crm_tui.screens.site_work import build_words
from crm_tui.services import lead_rows, leads
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import LeadRow
from crm_tui.services.sites.build import BuildReport, NotBuilt
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.frame import Footer, TopLine
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_table import RowTable
from crm_tui.widgets.welcome import Welcome
from tests.conftest import NOW, AddLead
from tests.screens.settling import settle

LEADS = {
    "Ada's Plumbing": {"city": "Queens", "category": "Plumber", "phone": "212 555 0101"},
    "Bo Roofing": {"city": "Brooklyn", "category": "Roofer", "email": "bo@roofing.example"},
    "Café Cy": {"city": "Queens", "category": "Bakery", "website": "cafe-cy.example"},
    "Dex Plumbing": {"city": "Albany", "category": "Plumber"},
}
BEST_FIRST = ["Ada's Plumbing", "Bo Roofing", "Dex Plumbing", "Café Cy"]


class Desk:
    """The app in a test, as somebody sits before it."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot
        assert isinstance(pilot.app, CrmApp)
        self.app = pilot.app

    @property
    def leads(self) -> LeadsScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, LeadsScreen))

    @property
    def table(self) -> RowTable[LeadRow]:
        return self.leads.query_one(RowTable)

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def type(self, words: str) -> None:
        await self.pilot.press(*words)
        await self.settle()

    async def changed_elsewhere(self) -> None:
        """What the app does every two seconds, done now."""
        await self.app.look_for_changes()
        await self.settle()

    def names(self) -> list[str]:
        lines = (self.table.render_line(y).text for y in range(1, self.table.total + 1))
        return [line[11:40].strip() for line in lines]

    def count(self) -> str:
        return str(self.leads.query_one(FilterLine).query_one("#count").render()).strip()

    def keys(self) -> str:
        """What the footer says."""
        return self.leads.query_one(Footer).render().plain

    def said(self) -> str:
        return self.app._front().query_one(Footer).words


@pytest.fixture
async def four_leads(add_lead: AddLead) -> dict[str, int]:
    return {name: await add_lead(name, **fields) for name, fields in LEADS.items()}


@pytest.fixture
async def desk(
    four_leads: dict[str, int], store_path: Path, settings: Settings
) -> AsyncIterator[Desk]:
    assert four_leads
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        desk = Desk(pilot)
        await desk.settle()
        await desk.changed_elsewhere()
        yield desk


async def test_the_best_leads_come_first(desk: Desk) -> None:
    assert desk.names() == BEST_FIRST
    assert desk.count() == "4 leads"
    assert desk.app.query_one(TopLine).render().plain.split() == [
        *("crm-tui", "Leads", "Today", "Campaigns", "Funnel", "Sites", "Settings", "crm.db")
    ]


async def test_the_list_narrows_as_one_types(desk: Desk) -> None:
    await desk.press("slash")
    await desk.type("plum")
    assert desk.names() == ["Ada's Plumbing", "Dex Plumbing"]
    assert desk.count() == "2 of 4"
    await desk.type(" alb")
    assert desk.names() == ["Dex Plumbing"]
    await desk.type("x")
    assert desk.names() == []
    assert desk.count() == "0 of 4"
    assert "No lead matches" in desk.table.render_line(1).text


async def test_esc_leaves_the_filter_then_clears_it_then_does_nothing(desk: Desk) -> None:
    await desk.press("slash")
    await desk.type("queens")
    await desk.press("escape")
    assert desk.table.has_focus
    assert desk.count() == "2 of 4"
    await desk.press("escape")
    assert desk.names() == BEST_FIRST
    await desk.press("escape", "escape")
    assert desk.app.is_running
    assert desk.leads.is_current


async def test_esc_lets_the_selection_go_before_the_filter(desk: Desk) -> None:
    await desk.press("slash")
    await desk.type("queens")
    await desk.press("enter", "space")
    assert desk.count() == "2 of 4"
    assert desk.keys().startswith("1 selected   ")
    await desk.press("escape")
    assert desk.count() == "2 of 4"
    assert desk.keys().startswith("enter open   ")


async def test_the_list_is_sorted_by_the_column_one_picks(desk: Desk) -> None:
    await desk.press("comma")
    assert isinstance(desk.app.screen, Picker)
    await desk.press(*"cit", "enter")
    assert desk.names() == ["Dex Plumbing", "Bo Roofing", "Ada's Plumbing", "Café Cy"]
    assert "City↑" in desk.table.render_line(0).text
    await desk.press("comma", "enter")
    assert desk.names() == ["Ada's Plumbing", "Café Cy", "Bo Roofing", "Dex Plumbing"]
    assert "City↓" in desk.table.render_line(0).text


async def test_a_click_on_a_header_sorts_too(desk: Desk) -> None:
    await desk.pilot.click(desk.table, offset=(14, 0))
    await desk.settle()
    assert desk.names() == sorted(LEADS)


async def test_a_lead_opens_and_its_neighbours_follow_the_list(desk: Desk) -> None:
    await desk.press("j", "enter")
    assert isinstance(desk.app.screen, LeadScreen)
    await desk.press("right_square_bracket")
    assert desk.table.cursor == 2
    await desk.press("q")
    assert desk.leads.is_current
    assert desk.table.cursor == 2


async def test_what_another_program_changes_appears_in_place(
    desk: Desk, db: Database, four_leads: dict[str, int], settings: Settings
) -> None:
    await desk.press("space", "j")
    async with db.write() as session:
        bo = four_leads["Bo Roofing"]
        await leads.edit(
            session, bo, {"name": "Bob Roofing"}, settings=settings, now=NOW + timedelta(hours=1)
        )
        await leads.add(session, {"name": "Aardvark"}, settings=settings, now=NOW)
    await desk.changed_elsewhere()
    assert "Bob Roofing" in desk.names()
    assert "Aardvark" in desk.names()
    assert desk.count() == "5 leads"
    assert desk.keys().startswith("1 selected   ")
    assert desk.table.cursor_id == four_leads["Dex Plumbing"]


async def test_nothing_is_read_again_while_nothing_changes(desk: Desk) -> None:
    before = desk.app.changes
    await desk.changed_elsewhere()
    await desk.changed_elsewhere()
    assert desk.app.changes == before


async def test_the_sites_of_the_selected_leads_are_built(desk: Desk) -> None:
    await desk.press("*", "b")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("enter")
    assert desk.said() == "Built 4 sites."
    await desk.changed_elsewhere()
    assert "◐ generated" in desk.table.render_line(1).text
    await desk.press("b", "enter")
    assert desk.said() == "4 sites up to date already."


async def test_without_a_selection_the_lead_under_the_cursor_gets_its_site(desk: Desk) -> None:
    await desk.press("o")
    assert desk.said() == "Ada's Plumbing has no site yet; b builds one."
    await desk.press("b")
    assert desk.said().startswith("Built adas-plumbing")
    assert desk.said().endswith(". o opens it.")


async def test_a_build_that_is_asked_to_stop_says_how_far_it_came(desk: Desk) -> None:
    await desk.press("*")
    desk.leads._build(desk.table.selected_ids())
    desk.app.action_stop()
    await desk.settle()
    assert desk.said() == "Stopped after 0 of 4."
    assert desk.app.status()[0] == "crm.db"


def test_what_failed_is_named() -> None:
    report = BuildReport(failures=[NotBuilt(7, "Bo Roofing", "its texts cannot be read")])
    assert build_words(report, 1) == (
        "1 failed, the first Bo Roofing: its texts cannot be read.",
        Role.BAD,
    )


async def test_one_long_piece_of_work_runs_at_a_time_and_shows_how_far_it_is(desk: Desk) -> None:
    go_on = asyncio.Event()

    async def body(job: Job) -> None:
        job.progress(12, 148)
        await go_on.wait()

    desk.app.start_job("Building sites", body)
    await desk.pilot.pause()
    assert "Building sites 12 of 148" in desk.app.query_one(TopLine).render().plain
    with pytest.raises(UserError, match="Building sites 12 of 148"):
        desk.app.start_job("Importing", body)
    await desk.pilot.press("q")
    assert isinstance(desk.app.screen, Confirm)
    await desk.pilot.press("escape", "ctrl+c")
    assert "stopping" in desk.app.query_one(TopLine).render().plain
    go_on.set()
    await desk.settle()
    assert "crm.db" in desk.app.query_one(TopLine).render().plain


@pytest.mark.parametrize("key", ["u", "ctrl+r"])
async def test_what_cannot_begin_beside_other_work_says_so_and_all_goes_on(
    desk: Desk, key: str
) -> None:
    go_on = asyncio.Event()

    async def body(job: Job) -> None:
        await go_on.wait()

    desk.app.start_job("Changing leads", body)
    await desk.pilot.press(key)
    assert desk.said() == "Changing leads. Wait for it, or cancel it with ctrl+c."
    await desk.pilot.press("j")
    assert (desk.said(), desk.table.cursor) == ("", 1)
    go_on.set()
    await desk.settle()
    await desk.press(key)
    assert desk.said() in {"There is nothing to undo.", "There is nothing to redo."}


async def test_an_error_for_people_in_what_a_screen_was_told_is_shown_and_it_goes_on(
    desk: Desk,
) -> None:
    def refuse() -> None:
        raise UserError("Another piece of work is running.")

    for told in (desk.app, desk.leads, desk.table):
        told.call_later(refuse)
        await desk.settle()
        assert desk.said() == "Another piece of work is running."
        await desk.press("j")
        assert desk.said() == ""
    assert desk.table.cursor == 3


async def test_work_is_cancelled_in_the_middle_of_a_text_too(desk: Desk) -> None:
    go_on = asyncio.Event()

    async def body(job: Job) -> None:
        await go_on.wait()
        assert job.cancelled

    desk.app.start_job("Changing leads", body)
    await desk.pilot.press("n", *"wants a quote", "ctrl+c")
    assert "stopping" in desk.app.query_one(TopLine).render().plain
    go_on.set()
    await desk.settle()
    assert desk.app.screen.query_one(TextArea).text == "wants a quote"


async def test_the_neighbours_of_a_lead_end_with_the_list(desk: Desk) -> None:
    assert desk.leads.place() == (1, 4)
    assert desk.leads.step(-1) is None
    assert desk.leads.step(1) == desk.table.order[1]


async def test_help_shows_every_key_and_closes(desk: Desk) -> None:
    await desk.press("question_mark")
    assert isinstance(desk.app.screen, HelpScreen)
    await desk.press("escape")
    assert desk.leads.is_current


async def test_the_palette_does_what_is_named(desk: Desk) -> None:
    await desk.press("colon", *"select all", "enter")
    assert desk.keys().startswith("4 selected   ")
    await desk.press("ctrl+p", *"choose a theme", "enter", *"light", "enter")
    assert desk.app.theme == "light"
    await desk.press("colon", *"no such thing", "enter", "escape")
    assert desk.leads.is_current


async def test_a_click_on_the_footer_presses_its_key(desk: Desk) -> None:
    footer = desk.app.query_one(Footer)
    assert footer.render().plain.startswith("enter open   space select")
    await desk.pilot.click(footer, offset=(18, 0))
    await desk.settle()
    assert desk.keys().startswith("1 selected   ")


async def test_an_error_for_people_is_shown_until_the_next_key(desk: Desk) -> None:
    async def fail() -> None:
        raise UserError("The disk is full. Make room.")

    desk.leads.work(fail(), group="test")
    await desk.settle()
    assert desk.said() == "The disk is full. Make room."
    await desk.press("j")
    assert desk.said() == ""


async def test_a_defect_is_logged_and_named_and_the_app_goes_on(desk: Desk, tmp_path: Path) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    desk.leads.work(fail(), group="test")
    await desk.settle()
    assert "Something went wrong inside crm-tui (ZeroDivisionError)" in desk.said()
    log = next((tmp_path / "home").rglob("crash.log"))
    assert "ZeroDivisionError" in log.read_text()
    await desk.press("j")
    assert desk.table.cursor == 1


async def test_q_quits_at_the_root_and_ctrl_c_asks(desk: Desk) -> None:
    await desk.press("ctrl+c")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("escape")
    assert desk.app.is_running
    await desk.pilot.press("q")
    await desk.pilot.pause()
    assert desk.app.return_code == 0


@pytest.fixture
async def empty_desk(store_path: Path, settings: Settings) -> AsyncIterator[Desk]:
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        desk = Desk(pilot)
        await desk.settle()
        yield desk


async def test_an_empty_store_says_what_to_do_next_until_there_is_a_lead(
    empty_desk: Desk, add_lead: AddLead
) -> None:
    welcome = empty_desk.app.query_one(Welcome)
    assert welcome.has_focus
    assert "Look around in a demo" in welcome.render().plain
    assert not empty_desk.table.display
    await add_lead("Ada's Plumbing")
    await empty_desk.changed_elsewhere()
    assert empty_desk.table.has_focus
    assert empty_desk.names() == ["Ada's Plumbing"]


async def test_the_demo_is_a_store_of_its_own_that_goes_with_the_app(
    store_path: Path, settings: Settings, db: Database
) -> None:
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        desk = Desk(pilot)
        await desk.settle()
        await desk.press("j", "k", "j", "enter")
        demo = app.store_path
        assert demo != store_path, desk.said()
        assert demo.exists()
        assert desk.table.total > 400
    assert not demo.parent.exists()
    async with db.read() as session:
        assert await lead_rows.count(session, LeadQuery()) == 0
