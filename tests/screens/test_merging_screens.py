"""Leads that may be the same: the list of them, two side by side, and erasing a lead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.widgets import Input, Static

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Distinct
from crm_tui.screens.duplicates import DuplicatesScreen
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.lead_finder import LeadFinder
from crm_tui.screens.leads import LeadsScreen
from crm_tui.screens.merging import MergeScreen
from crm_tui.services import leads
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.row_list import RowList
from tests.conftest import NOW
from tests.screens.settling import settle

LEADS = (
    {"name": "Ada Plumbing", "phone": "718 555 0142", "city": "Queens", "category": "Plumber"},
    {"name": "Ada Plumbing Inc", "phone": "718 555 0142", "email": "ada@gmail.com"},
    {"name": "Tavella Hair", "postal_code": "11416"},
    {"name": "Tavella Hair", "postal_code": "11416", "phone": "718 555 0150"},
    {"name": "Zoe Roofing", "phone": "718 555 0160"},
)
DUPLICATES = (":", *"may be the same", "enter")


class Desk:
    """The app in a test."""

    def __init__(self, pilot: Pilot[None], db: Database) -> None:
        self.pilot = pilot
        self.db = db
        assert isinstance(pilot.app, CrmApp)
        self.app = pilot.app

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    def shows(self, screen: type[object]) -> bool:
        return isinstance(self.app.screen, screen)

    def lines(self) -> list[str]:
        table = self.app.screen.query_one(RowList)
        lines = (table.render_line(y).text for y in range(1, table.total + 1))
        return [" ".join(line.split()) for line in lines]

    def text(self, name: str) -> str:
        return str(self.app.screen.query_one(f"#{name}", Static).content)

    def said(self) -> str:
        return self.app.screen.query_one(Footer).words

    async def names(self) -> list[str]:
        async with self.db.read() as session:
            return list(await session.scalars(select(Business.name).order_by(Business.id)))


@pytest.fixture
async def desk(db: Database, store_path: Path, settings: Settings) -> AsyncIterator[Desk]:
    """The app on a few leads, some of which may be the same."""
    async with db.write() as session:
        for fields in LEADS:
            await leads.add(session, fields, settings=settings, now=NOW, duplicate=True)
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as pilot:
        desk = Desk(pilot, db)
        await desk.settle()
        yield desk


async def test_the_palette_leads_to_the_leads_that_may_be_the_same(desk: Desk) -> None:
    await desk.press(*DUPLICATES)
    assert desk.shows(DuplicatesScreen)
    assert desk.lines() == [
        "▸ Ada Plumbing Ada Plumbing Inc same phone and a similar name",
        "Tavella Hair Tavella Hair same name and postcode",
    ]
    assert desk.text("count") == "2 pairs"


async def test_a_pair_is_merged_in_the_list_and_comes_back_with_undo(desk: Desk) -> None:
    await desk.press(*DUPLICATES, "M")
    assert len(desk.lines()) == 1
    assert desk.said().startswith("Merged Ada Plumbing Inc into Ada Plumbing. u takes it back")
    assert len(await desk.names()) == 4
    await desk.press("u")
    assert len(desk.lines()) == 2
    assert len(await desk.names()) == 5


async def test_two_that_are_not_the_same_leave_the_list_until_that_is_undone(desk: Desk) -> None:
    await desk.press(*DUPLICATES, "j", "minus")
    assert desk.lines() == ["▸ Ada Plumbing Ada Plumbing Inc same phone and a similar name"]
    async with desk.db.read() as session:
        pairs = await session.execute(select(Distinct.low_id, Distinct.high_id))
        assert [tuple(pair) for pair in pairs] == [(3, 4)]
    await desk.press("r")
    assert len(desk.lines()) == 1
    await desk.press("u", "r")
    assert len(desk.lines()) == 2


async def test_where_nothing_looks_the_same_the_list_says_so(desk: Desk) -> None:
    await desk.press(*DUPLICATES, "M", "M")
    assert "No two leads look the same" in desk.text("nothing")
    await desk.press("M")
    assert desk.said() == "There is no pair here."


async def test_two_leads_stand_side_by_side_and_what_is_chosen_is_taken(desk: Desk) -> None:
    await desk.press(*DUPLICATES, "enter")
    assert desk.shows(MergeScreen)
    assert desk.lines()[:5] == [
        "▸ Name ● Ada Plumbing ○ Ada Plumbing Inc",
        "Category ● Plumber",
        "Address ● Queens",
        "Phone +1 718-555-0142 +1 718-555-0142",
        "E-mail ● ada@gmail.com",
    ]
    await desk.press("space")
    assert desk.lines()[0] == "▸ Name ○ Ada Plumbing ● Ada Plumbing Inc"
    await desk.press("enter", "enter", "M")
    assert (await desk.names())[0] == "Ada Plumbing Inc"
    async with desk.db.read() as session:
        kept = (await session.execute(select(Business).where(Business.id == 1))).scalar_one()
        assert (kept.category, kept.email) == ("Plumber", "ada@gmail.com")


async def test_after_a_decision_the_next_pair_is_shown_and_after_the_last_the_list(
    desk: Desk,
) -> None:
    await desk.press(*DUPLICATES, "enter")
    assert desk.text("place") == "1 of 2"
    await desk.press("M")
    assert desk.text("why") == "Same name and postcode"
    await desk.press("x")
    assert desk.shows(DuplicatesScreen)
    assert desk.lines() == []
    assert "Tavella Hair and Tavella Hair are not the same" in desk.said()


async def test_keeping_the_other_lead_swaps_the_sides(desk: Desk) -> None:
    await desk.press(*DUPLICATES, "enter", "s")
    assert desk.lines()[0] == "▸ Name ● Ada Plumbing Inc ○ Ada Plumbing"
    await desk.press("M")
    assert await desk.names() == ["Ada Plumbing Inc", "Tavella Hair", "Tavella Hair", "Zoe Roofing"]
    async with desk.db.read() as session:
        assert list(await session.scalars(select(Business.id))) == [2, 3, 4, 5]


async def test_a_field_that_leaves_no_choice_says_why(desk: Desk) -> None:
    await desk.press(*DUPLICATES, "enter", "j", "space")
    assert "Only one of them says something as category" in desk.said()
    await desk.press("j", "j", "space")
    assert desk.said() == "Both say the same."
    await desk.press("G", "space")
    assert "of both is kept" in desk.said()


async def test_pairs_can_be_left_undecided(desk: Desk) -> None:
    await desk.press(*DUPLICATES, "enter", "right_square_bracket")
    assert desk.text("place") == "2 of 2"
    await desk.press("right_square_bracket")
    assert desk.text("place") == "1 of 2"
    await desk.press("left_square_bracket")
    assert desk.text("place") == "2 of 2"
    await desk.press("M", "right_square_bracket")
    assert desk.said() == "There is no other pair."


async def test_the_merge_key_shows_what_may_be_the_same_as_a_lead(desk: Desk) -> None:
    screen = desk.app.screen
    assert isinstance(screen, LeadsScreen)
    while screen.target is None or screen.target.name != "Ada Plumbing Inc":
        await desk.press("j")
    await desk.press("M")
    assert desk.shows(MergeScreen)
    assert desk.lines()[0] == "▸ Name ● Ada Plumbing ○ Ada Plumbing Inc"
    await desk.press("M")
    assert desk.shows(LeadsScreen)
    assert len(await desk.names()) == 4


async def test_the_page_of_a_lead_that_is_merged_away_shows_the_one_it_went_into(
    desk: Desk,
) -> None:
    await desk.app.push_screen(LeadScreen(2))
    await desk.settle()
    await desk.press("M", "M")
    assert desk.shows(LeadScreen)
    assert desk.text("lead-name") == "Ada Plumbing"


async def test_another_lead_is_found_by_name_where_none_looks_the_same(desk: Desk) -> None:
    screen = desk.app.screen
    assert isinstance(screen, LeadsScreen)
    while screen.target is None or screen.target.name != "Zoe Roofing":
        await desk.press("j")
    await desk.press("M")
    assert desk.shows(LeadFinder)
    await desk.press(*"nobody")
    await desk.settle()
    assert desk.app.screen.has_class("-nothing")
    desk.app.screen.query_one(Input).value = "ada"
    await desk.settle()
    await desk.press("down", "enter")
    assert desk.shows(MergeScreen)
    assert desk.text("why") == "Two leads side by side"
    assert "Zoe Roofing" in desk.lines()[0]


async def test_selected_leads_are_compared_one_after_the_other(desk: Desk) -> None:
    await desk.press("space", "space", "space", "M")
    assert desk.shows(MergeScreen)
    assert desk.text("place") == "1 of 2"
    await desk.press("M", "M")
    assert desk.shows(LeadsScreen)
    assert len(await desk.names()) == 3


async def test_a_lead_is_erased_once_the_word_is_typed(desk: Desk) -> None:
    screen = desk.app.screen
    assert isinstance(screen, LeadsScreen)
    assert screen.target is not None
    name = screen.target.name
    await desk.press(":", *"erase for good", "enter")
    assert desk.shows(Form)
    assert f"Erase {name}" in desk.text("form-title")
    assert "This cannot be undone." in desk.text("form-about")
    await desk.press(*"y", "enter")
    assert "Type the word erase" in desk.text("form-words")
    assert name in await desk.names()
    await desk.press("backspace", *"erase", "enter")
    assert desk.shows(LeadsScreen)
    assert desk.said().startswith("Erased for good.")
    assert (await desk.names()).count("erased") == 1
    assert "There is nothing to undo" in await said_by_undo(desk)


async def said_by_undo(desk: Desk) -> str:
    await desk.press("u")
    return desk.said()
