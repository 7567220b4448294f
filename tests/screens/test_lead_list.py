"""The lead list while one works in it: completion, problems, views, columns, pane, selection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from textual.events import Key, Paste
from textual.screen import Screen
from textual.widgets import OptionList, Static

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import SavedView
from crm_tui.screens.columns_chooser import ColumnsChooser
from crm_tui.screens.dialogs import Confirm, Picker
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.lead_views import ViewsDialog
from crm_tui.services import tags, tasks, timeline, undo, views
from crm_tui.services.filters.complete import complete
from crm_tui.session import Session
from crm_tui.vocabulary import CallOutcome
from crm_tui.widgets.completions import Completions
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.forms import Form
from crm_tui.widgets.lines import Lines
from tests.conftest import NOW, AddLead
from tests.screens.settling import settle
from tests.screens.test_leads import BEST_FIRST, LEADS, Desk

ADA, BO, DEX, CY = BEST_FIRST


class ListDesk(Desk):
    """The lead list in a test, and what stands around the rows."""

    @property
    def line(self) -> FilterLine:
        return self.leads.query_one(FilterLine)

    def front(self) -> Screen[Any]:
        return self.app.screen

    def in_table(self) -> bool:
        return self.table.has_focus

    def filter(self) -> str:
        return self.line.value

    def offered(self) -> list[str]:
        return [each.shown for each in self.leads.query_one(Completions).candidates]

    def problem(self) -> str:
        shown = self.leads.query_one("#problem")
        return str(shown.render()) if shown.display else ""

    def header(self) -> list[str]:
        return self.table.render_line(0).text.split()

    def lines(self) -> list[str]:
        return [self.table.render_line(y).text for y in range(1, self.table.total + 1)]

    def pane(self) -> str:
        pane = self.leads.pane
        if not pane.is_shown:
            return ""
        return "\n".join(str(each.render()) for each in pane.query("Static, Facts"))

    async def rest(self) -> None:
        """The cursor rests, and what one typed too."""
        await settle(self.pilot, within=0.6)


@pytest.fixture
async def ids(add_lead: AddLead) -> dict[str, int]:
    return {name: await add_lead(name, **fields) for name, fields in LEADS.items()}


@pytest.fixture
def width() -> int:
    return 80


@pytest.fixture
async def desk(
    ids: dict[str, int], store_path: Path, settings: Settings, width: int
) -> AsyncIterator[ListDesk]:
    assert ids
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(width, 24)) as pilot:
        desk = ListDesk(pilot)
        await desk.settle()
        await desk.changed_elsewhere()
        yield desk


# Half a value


async def test_the_list_keeps_its_rows_while_a_value_is_half_typed(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("category:")
    before = desk.lines()
    for letters in ("Pl", "umbe"):
        await desk.type(letters)
        await desk.rest()
        assert desk.offered() == ["Plumber"]
        assert desk.lines() == before
    await desk.type("r")
    await desk.rest()
    assert len(desk.lines()) < len(before)


async def test_what_no_value_goes_on_from_is_looked_for_as_it_stands(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("category:Px")
    await desk.rest()
    assert desk.table.total == 0


@pytest.mark.parametrize("keys", [("enter",), ("escape", "escape"), ("space",)])
async def test_half_a_value_is_taken_as_it_stands_when_one_leaves_it(
    desk: ListDesk, keys: tuple[str, ...]
) -> None:
    await desk.press("slash")
    await desk.type("category:Pl")
    await desk.rest()
    assert desk.table.total == 4
    await desk.press(*keys)
    await desk.rest()
    assert desk.table.total == 0


async def test_a_part_of_a_value_narrows_the_list_at_once(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("category:~Pl")
    await desk.rest()
    assert 0 < desk.table.total < 4


# What is pasted


async def test_lines_that_are_pasted_are_one_line(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("city:")
    desk.app.post_message(Paste("Queens\r\nplumber\n\tada\n"))
    await desk.settle()
    assert desk.filter() == "city:Queens plumber  ada"


async def test_ten_thousand_characters_do_not_hold_up_the_app(desk: ListDesk) -> None:
    await desk.press("slash")
    for letter in "x" * 10_000:
        desk.app.post_message(Key(letter, letter))
    await desk.settle()
    assert len(desk.filter()) == 10_000
    await desk.press("escape", "escape")
    assert desk.filter() == ""


# Completion


async def test_fields_are_offered_from_the_second_letter_and_tab_takes_the_first(
    desk: ListDesk,
) -> None:
    await desk.press("slash")
    await desk.type("c")
    assert desk.offered() == []
    await desk.type("i")
    assert desk.offered() == ["city"]
    await desk.press("tab")
    assert desk.filter() == "city:"
    await desk.rest()
    assert desk.offered() == ["Queens", "Albany", "Brooklyn"]


async def test_a_value_is_chosen_with_the_arrows_and_taken_with_enter(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("city:")
    await desk.rest()
    await desk.press("down", "down", "up", "enter")
    await desk.rest()
    assert desk.filter() == "city:Albany "
    assert desk.line.query_one("_Words").has_focus
    assert desk.names() == [DEX]
    await desk.press("enter")
    assert desk.in_table()


async def test_enter_without_choosing_goes_to_the_list_as_typed(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("ci")
    assert desk.offered() == ["city"]
    await desk.press("enter")
    assert (desk.filter(), desk.offered()) == ("ci", [])
    assert desk.in_table()


async def test_esc_closes_what_is_offered_before_it_leaves_the_line(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("ci")
    await desk.press("escape")
    assert desk.offered() == []
    assert not desk.in_table()
    await desk.press("escape")
    assert desk.in_table()
    assert desk.filter() == "ci"


async def test_keys_typed_ahead_of_what_is_offered_are_not_lost(desk: ListDesk) -> None:
    """A whole filter with two completions in it, without waiting for either."""
    await desk.pilot.press("slash", *"cit", "tab", *"bro", "tab", *"boro", "backspace", "enter")
    await desk.rest()
    assert desk.filter() == "city:Brooklyn bor"
    await desk.pilot.press("slash", "ctrl+u", *"cat", "tab", *"roo", "tab", "enter", "space")
    await desk.rest()
    assert desk.filter() == "category:Roofer "
    assert list(desk.table.selected_ids()) == [desk.table.cursor_id]


async def test_tab_in_an_empty_line_offers_every_field(desk: ListDesk) -> None:
    await desk.press("slash", "tab")
    assert desk.offered()[:3] == ["status", "site", "outcome"]
    await desk.press(*["down"] * 20)
    await desk.press("tab")
    assert desk.filter().endswith((":", ">=", "<"))


async def test_what_is_offered_narrows_at_once_and_goes_with_the_word(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("city:")
    await desk.rest()
    await desk.pilot.press("b")
    await desk.pilot.pause()
    assert "Queens" not in desk.offered()
    await desk.type("r")
    await desk.rest()
    assert desk.offered() == ["Brooklyn"]
    await desk.press("left", "left", "left")
    assert desk.offered() == []


# Problems


async def test_what_cannot_be_read_is_said_when_one_stops_typing_and_the_list_stays(
    desk: ListDesk,
) -> None:
    await desk.press("slash")
    await desk.type("city:Queens")
    assert desk.count() == "2 of 4"
    desk.line.put("city:Queens score>x")
    await desk.pilot.pause()
    assert desk.problem() == ""
    await desk.rest()
    assert desk.problem() == 'score>x: "x" is no number (column 19).'
    assert desk.names() == [ADA, CY]
    assert desk.count() == "2 of 4"
    words = desk.line.query_one("_Words")
    marked = [
        segment for segment in words.render_line(0) if segment.style and segment.style.underline
    ]
    assert [segment.text for segment in marked if segment.text.strip()] == ["x"]

    await desk.press("backspace", *"40")
    await desk.rest()
    assert desk.problem() == ""
    assert desk.names() == [ADA]


async def test_what_could_be_meant_takes_the_place_of_what_is_wrong(
    desk: ListDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow machine the values of a field are known only after it was said that one is missing."""
    may_count = asyncio.Event()

    async def counts(*asked: Any) -> Any:
        await may_count.wait()
        return await complete(*asked)

    monkeypatch.setattr("crm_tui.services.filters.complete.complete", counts)
    await desk.pilot.press("slash", *"city:")
    while not desk.problem():  # noqa: ASYNC110 - nothing tells when it is shown
        await asyncio.sleep(0.01)
    may_count.set()
    await desk.settle()
    assert desk.line.is_offering
    assert desk.problem() == ""


async def test_the_name_of_a_field_on_its_way_empties_no_list(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("queens")
    await desk.type(" tag")
    assert desk.names() == []
    await desk.type(":")
    assert desk.names() == [ADA, CY]
    await desk.type("(")
    assert desk.names() == [ADA, CY]
    await desk.type('"')
    assert desk.count() == "2 of 4"


async def test_enter_on_what_cannot_be_read_goes_where_it_is_wrong(desk: ListDesk) -> None:
    await desk.pilot.press("slash", *"stauts:opened queens", "enter")
    await desk.settle()
    assert desk.problem().startswith("stauts: there is no such field; did you mean status?")
    assert desk.line.cursor == 0
    assert not desk.in_table()
    await desk.press("escape")
    assert desk.in_table()
    assert desk.problem() != ""
    await desk.press("escape")
    assert (desk.filter(), desk.problem()) == ("", "")
    assert desk.names() == BEST_FIRST


# Counting by a field


async def test_a_value_counted_in_the_list_narrows_it(desk: ListDesk) -> None:
    await desk.press("slash")
    await desk.type("plumbing or roofing")
    await desk.press("enter", "F")
    assert isinstance(desk.front(), Picker)
    await desk.press(*"cit", "enter")
    assert isinstance(desk.front(), Picker)
    await desk.press(*"alb", "enter")
    await desk.rest()
    assert desk.filter() == "(plumbing or roofing) city:Albany"
    assert desk.names() == [DEX]


async def test_a_field_nobody_has_is_said(desk: ListDesk) -> None:
    await desk.press("F", *"tag", "enter")
    assert desk.said() == "No lead of the list has a tag."


# Views


async def test_v_and_a_letter_show_a_view_at_once(desk: ListDesk) -> None:
    await desk.press("v", "e")
    assert desk.filter() == "-has:email"
    assert desk.count() == "3 of 4 · view No e-mail"
    await desk.press("slash", "end")
    await desk.type(" queens")
    assert desk.count() == "2 of 4 · view No e-mail, changed"
    await desk.press("enter", "escape")
    assert desk.count() == "4 leads"
    assert desk.filter() == ""


async def test_keys_typed_ahead_are_for_the_view(desk: ListDesk) -> None:
    await desk.pilot.press("v", "e", "j", "space")
    await desk.settle()
    assert desk.names() == [ADA, DEX, CY]
    assert [line[1] for line in (desk.table.render_line(y).text for y in (1, 2, 3))] == [
        *(" ", "*", " ")
    ]


async def test_who_waits_after_v_is_told_the_letters(desk: ListDesk) -> None:
    await desk.press("v")
    await desk.rest()
    assert desk.said().startswith("v …   h hot   c to call   ")
    assert desk.said().endswith("   v all views")
    await desk.press("e")
    assert desk.filter() == "-has:email"


async def test_a_letter_without_a_view_is_said(desk: ListDesk) -> None:
    await desk.press("v", "x")
    assert desk.said() == "No view has the letter x. v v shows all views."
    assert desk.names() == BEST_FIRST


async def test_the_list_is_saved_as_a_view_with_its_order_and_columns(
    desk: ListDesk, db: Database
) -> None:
    await desk.press("slash")
    await desk.type("queens")
    await desk.press("enter", "comma", *"name", "enter", "v", "v")
    assert isinstance(desk.front(), ViewsDialog)
    await desk.press("s")
    assert isinstance(desk.front(), Form)
    await desk.press(*"My queens", "down", "q", "enter")
    assert isinstance(desk.front(), ViewsDialog)
    await desk.press("escape")
    assert desk.count() == "2 of 4 · view My queens"
    async with db.read() as session:
        view = await views.named(session, "q")
    assert (view.query, view.sort) == ("queens", "name")
    assert view.columns is not None
    assert view.columns[0] == ("score", 0)

    await desk.press("escape", "v", "h", "v", "q")
    assert desk.count() == "2 of 4 · view My queens"
    assert "Name↑" in desk.header()
    await desk.press("comma", "enter")
    assert desk.count().endswith("view My queens, changed")


async def test_views_are_renamed_moved_and_deleted_and_all_of_it_can_be_undone(
    desk: ListDesk, db: Database, settings: Settings
) -> None:
    async def names() -> list[str]:
        async with db.read() as session:
            return [f"{view.letter} {view.name}" for view in await views.listed(session)]

    before = await names()
    await desk.press("v", "h", "v", "v", "e", *["backspace"] * 3, *"Warm")
    await desk.press("down", "backspace", "w", "enter")
    assert desk.count().endswith("view Warm")
    await desk.press("J")
    assert (await names())[:2] == ["c To call", "w Warm"]
    await desk.press("D")
    assert isinstance(desk.front(), Confirm)
    await desk.press("enter")
    assert (await names()) == before[1:]
    await desk.press("c")
    assert "To call" in str(desk.app.screen.query_one(Lines).render())
    await desk.press("escape")
    assert "view" not in desk.count()
    for _ in range(3):
        await undo.undo(db, settings=settings, now=NOW)
    assert await names() == before


async def test_a_view_of_another_version_says_what_it_cannot_be_read(
    desk: ListDesk, db: Database
) -> None:
    async with db.write() as session:
        view = await views.save(session, "Odd", "queens", sort="name", letter="z", now=NOW)
        odd = {"query": "height>3", "sort": "-height", "columns": [["height", 3], ["city", 2]]}
        await session.execute(update(SavedView).where(SavedView.id == view.id).values(odd))
    await desk.press("v", "z")
    assert desk.problem().startswith("height: there is no such field")
    assert [ADA in line for line in desk.lines()] == [True, False, False, False]
    assert desk.header() == ["Name", "City"]


# Columns


async def test_a_column_is_turned_on_moved_and_widened_and_the_list_shows_it_at_once(
    desk: ListDesk, db: Database, ids: dict[str, int], settings: Settings
) -> None:
    async with db.write() as session:
        await tags.add(session, [ids[ADA]], "vip", now=NOW)
        await tasks.add(session, ids[BO], "call", NOW + timedelta(hours=2), now=NOW)
        await timeline.log_call(session, ids[CY], CallOutcome.NO_ANSWER, now=NOW)
    assert desk.header() == ["Score↓", "Name", "City", "Contact", "Site"]
    await desk.press("vertical_line")
    assert isinstance(desk.front(), ColumnsChooser)
    await desk.press("G", *["k"] * 4, "space")
    assert "Tags" in desk.header()
    await desk.press("K", "K", "K", "K", "plus", "j", "enter")
    assert "vip" in next(line for line in desk.lines() if ADA in line)
    await desk.press("vertical_line", "r", "escape")
    assert "Tags" in desk.header()
    await desk.press("vertical_line", "r", "enter")
    assert desk.header() == ["Score↓", "Name", "City", "Contact", "Site"]


async def test_the_name_cannot_be_turned_off(desk: ListDesk) -> None:
    await desk.press("vertical_line", "j", "space", "enter")
    assert "Name" in desk.header()


async def test_every_extra_column_shows_what_it_says_and_sorts(
    desk: ListDesk, db: Database, ids: dict[str, int]
) -> None:
    async with db.write() as session:
        await tags.add(session, [ids[CY]], "vip", now=NOW)
        await tags.add(session, [ids[CY]], "Bakery", now=NOW)
        await tasks.add(session, ids[BO], "call", NOW + timedelta(days=1), now=NOW)
        await timeline.log_call(session, ids[DEX], CallOutcome.NO_ANSWER, now=NOW)
    for key, first, shown in (
        ("tags", CY, "Bakery, vip"),
        ("follow_up", BO, "tomorrow"),
        ("called", DEX, "now"),
    ):
        desk.leads.arrangement.show((("name", 20), (key, 20)))
        desk.leads._sort_by(key)
        await desk.settle()
        line = desk.table.render_line(1).text
        assert first in line
        assert shown in line


async def test_phones_are_shown_as_they_are_read_out(desk: ListDesk) -> None:
    desk.leads.arrangement.show((("name", 20), ("phone", 0)))
    desk.leads._sort_by("phone")
    await desk.settle()
    assert any("+1 212-555-0101" in line for line in desk.lines())
    await desk.press("colon")
    await desk.type("ada")
    await desk.rest()
    options = desk.front().query_one(OptionList)
    assert any("Queens, +1 212-555-0101" in str(each.prompt) for each in options.options)


# The lead under the cursor


async def test_without_room_the_pane_says_so(desk: ListDesk) -> None:
    await desk.press("p")
    assert desk.said() == "There is no room for the lead here: it takes 110 columns or 34 lines."
    assert desk.pane() == ""


@pytest.mark.parametrize("width", [120])
async def test_the_pane_follows_the_cursor_and_what_changes(
    desk: ListDesk, db: Database, ids: dict[str, int]
) -> None:
    await desk.press("p")
    await desk.rest()
    assert ADA in desk.pane()
    assert "+1 212-555-0101" in desk.pane()
    await desk.press("j")
    await desk.rest()
    assert BO in desk.pane()
    assert ADA not in desk.pane()
    async with db.write() as session:
        await timeline.add_note(session, ids[BO], "Likes blue.", now=NOW)
    await desk.changed_elsewhere()
    await desk.rest()
    assert "Likes blue." in desk.pane()
    await desk.pilot.resize_terminal(80, 24)
    await desk.settle()
    assert desk.pane() == ""
    await desk.pilot.resize_terminal(80, 40)
    await desk.rest()
    assert BO in desk.pane()
    await desk.press("p")
    assert desk.pane() == ""


@pytest.mark.parametrize("width", [120])
async def test_the_pane_says_tags_once_and_breaks_its_lines_between_what_it_says(
    desk: ListDesk, db: Database, ids: dict[str, int]
) -> None:
    async with db.write() as session:
        await tags.add(session, [ids[ADA]], "vip", now=NOW)
    await desk.press("p")
    await desk.rest()
    assert "tags vip" not in desk.pane()
    assert "Tags        vip" in desk.pane()
    said = desk.leads.query_one("#pane-statuses", Static)
    assert str(said.content) == "○ pending   ○ no site   score 60 qualified"
    await desk.press("s", "2", "enter", "O", "5", "tab", *"nephew", "enter")
    await desk.rest()
    assert len(str(said.content).splitlines()) == 2
    assert all(len(line) <= said.size.width for line in str(said.content).splitlines())


# Selection


async def test_selected_leads_that_the_filter_hides_are_counted(desk: ListDesk) -> None:
    await desk.press("space", "space", "slash")
    await desk.type("queens")
    await desk.press("enter")
    assert desk.keys().startswith("2 selected, 1 of them not in this list   ")
    assert len(desk.leads.selected_ids()) == 2
    await desk.press("~")
    assert desk.keys().startswith("1 selected   ")
    assert list(desk.leads.selected_ids()) == [desk.table.order[1]]
    await desk.press("~", "escape")
    assert desk.keys().startswith("enter open")
    assert desk.filter() == "queens"


async def test_a_range_being_marked_is_said(desk: ListDesk) -> None:
    await desk.press("V", "j", "j")
    assert desk.keys().startswith("marking 3   ")
    await desk.press("V", "*")
    assert desk.keys().startswith("4 selected   ")


# Beginning again


async def again(desk: ListDesk, size: tuple[int, int] = (80, 24)) -> AsyncIterator[ListDesk]:
    desk.app.keep()
    app = CrmApp(desk.app.store_path, Settings(), now=lambda: NOW)
    async with app.run_test(size=size) as pilot:
        second = ListDesk(pilot)
        await second.settle()
        await second.rest()
        yield second


async def test_the_next_start_begins_where_this_one_ended(
    desk: ListDesk, ids: dict[str, int], store_path: Path
) -> None:
    await desk.press("v", "e", "comma", *"name", "enter", "space", "j")
    await desk.press("vertical_line", "G", "space", "K", "plus", "enter")
    at = desk.table.cursor_id
    async for second in again(desk):
        assert second.filter() == "-has:email"
        assert second.count().endswith("view No e-mail, changed")
        assert second.table.cursor_id == at
        assert second.keys().startswith("1 selected   ")
        assert second.header() == desk.header()
    kept = Session.load(store_path).places["leads"]
    assert kept.selected.ids == (ids[ADA],)


async def test_the_page_that_was_open_is_opened_again(desk: ListDesk, ids: dict[str, int]) -> None:
    await desk.press("j", "enter")
    async for second in again(desk):
        front = second.front()
        assert isinstance(front, LeadScreen)
        assert front.lead_id == ids[BO]
        assert str(front.query_one("#lead-position", Static).render()) == "2 of 4"
