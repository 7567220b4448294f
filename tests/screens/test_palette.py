"""The palette, help, undo and redo, and the keys of one's own, as the operator meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.screens.help import HelpScreen
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.leads import LeadsScreen
from crm_tui.screens.palette import Palette
from crm_tui.services import leads, timeline, undo
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.screens.settling import SOON, settle


class Desk:
    """The app on a store with three leads, and what it shows."""

    def __init__(self, pilot: Pilot[None], db: Database) -> None:
        self.pilot = pilot
        self.app = pilot.app
        self.db = db

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    async def settle(self) -> None:
        await settle(self.pilot)

    @property
    def front(self) -> str:
        return type(self.app.screen).__name__

    @property
    def said(self) -> str:
        under = next(screen for screen in self.app.screen_stack[::-1] if screen.query(Footer))
        return under.query_one(Footer).words

    def shown(self) -> list[str]:
        options = self.app.screen.query_one(OptionList).options
        return [str(option.prompt).strip() for option in options]

    async def notes(self, lead_id: int) -> int:
        async with self.db.read() as session:
            return len(await timeline.entries(session, lead_id)) - 1


@pytest.fixture
async def desk(add_lead: AddLead, db: Database, store_path: Path) -> AsyncIterator[Desk]:
    for name, city in (("Ada's Plumbing", "Queens"), ("Bo Roofing", ""), ("Zoë Bakery", "Albany")):
        await add_lead(name, city=city)
    app = CrmApp(store_path, Settings(), now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as pilot:
        found = Desk(pilot, db)
        await found.settle()
        yield found


async def note(db: Database, lead_id: int, words: str) -> None:
    async with undo.action(db, words, now=NOW) as session:
        await timeline.add_note(session, lead_id, "Rang.", at=None, now=NOW)


# The palette


async def test_the_palette_shows_what_can_be_done_here_with_its_keys(desk: Desk) -> None:
    await desk.press("colon")
    assert desk.front == Palette.__name__
    assert any(line.split() == ["Select", "space"] for line in desk.shown())
    assert not any(line.startswith("Do something by name") for line in desk.shown())


async def test_the_palette_finds_leads_by_any_words_of_their_names(desk: Desk) -> None:
    await desk.press("colon", *"zoe")
    assert desk.shown() == ["Leads", "Zoë Bakery" + desk.shown()[1][10:]]
    assert desk.shown()[1].endswith("Albany")
    await desk.press("enter")
    assert desk.front == LeadScreen.__name__


async def test_what_is_typed_into_the_palette_is_not_read_as_a_query(desk: Desk) -> None:
    await desk.press("colon")
    for typed in ('"', "(", "-has:", "score>", "or", "ada or"):
        desk.app.screen.query_one(Input).value = typed
        await desk.settle()
        assert desk.front == Palette.__name__
        assert desk.said == ""


async def test_what_was_done_stands_in_the_palette_in_words(desk: Desk) -> None:
    await note(desk.db, 1, "note on Ada's Plumbing")
    await note(desk.db, 2, "note on Bo Roofing")
    await desk.press("colon", *"undo: note")
    assert desk.shown() == [
        "What was done",
        "Undo: note on Bo Roofing",
        "Undo: note on Ada's Plumbing",
    ]
    await desk.press("down", "enter")
    assert desk.said == "Undone: note on Ada's Plumbing."
    assert await desk.notes(1) == 0
    assert await desk.notes(2) == 1
    await desk.press("colon", *"again: note", "enter")
    assert desk.said == "Done again: note on Ada's Plumbing."
    assert await desk.notes(1) == 1


async def test_the_palette_says_what_cannot_be_done_and_why(desk: Desk) -> None:
    await desk.press("colon", *"open preview")
    (line,) = desk.shown()
    assert line.startswith("Open preview")
    assert "no site" in line
    await desk.press("enter")
    assert desk.front == LeadsScreen.__name__
    assert "no site" in desk.said


async def test_the_palette_is_left_with_esc_and_with_nothing_found(desk: Desk) -> None:
    await desk.press("ctrl+p", *"no such thing at all", "enter")
    assert desk.front == Palette.__name__
    await desk.press("escape")
    assert desk.front == LeadsScreen.__name__


# Undo and redo


async def test_u_takes_the_last_action_back_and_ctrl_r_does_it_again(desk: Desk) -> None:
    await note(desk.db, 1, "note on Ada's Plumbing")
    await desk.press("u")
    assert desk.said == "Undone: note on Ada's Plumbing."
    assert await desk.notes(1) == 0
    await desk.press("ctrl+r")
    assert desk.said == "Done again: note on Ada's Plumbing."
    assert await desk.notes(1) == 1


async def test_u_pressed_often_takes_as_many_actions_back(desk: Desk) -> None:
    for number in range(3):
        await note(desk.db, 1, f"note {number}")
    await desk.pilot.press("u", "u", "u")
    await desk.settle()
    assert await desk.notes(1) == 0
    await desk.press("u")
    assert desk.said == "There is nothing to undo."


async def test_what_was_changed_since_is_left_and_named(desk: Desk) -> None:
    async def move_to(city: str) -> None:
        async with undo.action(desk.db, f"city {city}", now=NOW) as session:
            await leads.edit(session, 2, {"city": city}, settings=Settings(), now=NOW)

    await move_to("Bronx")
    async with desk.db.write() as session:
        await leads.edit(session, 2, {"city": "Yonkers"}, settings=Settings(), now=NOW)
    await desk.press("u")
    assert desk.said.startswith("Undone: city Bronx. Bo Roofing was left as it is: ")


# Help


async def test_help_shows_the_keys_of_what_is_at_hand_and_no_others(desk: Desk) -> None:
    await desk.press("j", "enter", "question_mark")
    assert desk.front == HelpScreen.__name__
    text = str(desk.app.screen.query_one(Static).content)
    assert "Select all that match" not in text
    assert "Half a page down" in text
    assert text.index("Previous lead") < text.index("Half a page down") < text.index("Undo")


async def test_help_is_narrowed_by_typing_and_esc_widens_it_again(desk: Desk) -> None:
    await desk.press("question_mark", "slash", *"invert")
    text = desk.app.screen.query_one(Static)
    assert str(text.content) == "Lists\n~               Invert the selection"
    await desk.press("escape")
    assert "Select a range" in str(text.content)
    await desk.press("slash", "~")
    assert str(text.content).endswith("Invert the selection")
    await desk.press("escape", "escape")
    assert desk.front == LeadsScreen.__name__


# Keys of one's own


async def test_a_key_of_ones_own_works_and_is_shown(store_path: Path, add_lead: AddLead) -> None:
    for number in range(9):
        await add_lead(f"Lead {number}")
    keys = {"list.down": "n", "list.first": "f4 f4", "business.note": "f2", "list.open": ["f3"]}
    app = CrmApp(store_path, Settings(keys=keys), now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as pilot:
        desk = Desk(pilot, Database(store_path))
        await desk.settle()
        table = app.screen.query_one("#leads")
        await desk.press("n", "n", "down", "j")
        assert table.cursor == 2  # type: ignore[attr-defined]
        await desk.press("f4", "f4")
        assert table.cursor == 0  # type: ignore[attr-defined]
        assert app.screen.query_one(Footer).render().plain.startswith("f3 open")
        await desk.press("question_mark")
        assert "f4 f4  " in str(app.screen.query_one(Static).content)


async def test_a_text_field_wins_over_every_key_of_ones_own(store_path: Path) -> None:
    keys = {"everywhere.sites": "x", "everywhere.undo": "ctrl+a", "everywhere.redo": "x y"}
    app = CrmApp(store_path, Settings(keys=keys), now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as pilot:
        desk = Desk(pilot, Database(store_path))
        await desk.settle()
        await desk.press("colon", *"axy", "ctrl+a", "b")
        assert app.screen.query_one(Input).value == "baxy"


async def test_a_key_that_cannot_be_is_one_sentence_in_the_footer(
    store_path: Path, add_lead: AddLead
) -> None:
    await add_lead("Ada's Plumbing")
    app = CrmApp(store_path, Settings(keys={"leads.sort": "j"}), now=lambda: NOW)
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        assert app.screen.query_one(Footer).words == (
            "In [keys]: leads.sort stays ,, because j is Down (list.down) there."
        )


async def test_who_waits_with_the_second_of_two_keys_is_told_which_there_are(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_tui.screens.base._HINT_AFTER", 3600.0)
    await desk.press("g")
    assert desk.said == ""
    await desk.press("escape")
    monkeypatch.setattr("crm_tui.screens.base._HINT_AFTER", SOON)
    await desk.press("g")
    assert desk.said == "g …   g to the top"
    await desk.press("space", "g", "escape")
    assert desk.app.screen.query_one("#leads").selected_count == 1  # type: ignore[attr-defined]
    await desk.press("j", "g", "k")
    assert desk.said == ""


async def test_what_cannot_be_done_just_now_comes_after_what_can(desk: Desk) -> None:
    await desk.press("enter", "colon")
    shown = desk.shown()
    refused = [i for i, line in enumerate(shown) if line.endswith("No follow-up is open here.")]
    assert refused
    assert min(refused) > shown.index(next(line for line in shown if line.startswith("Note")))


@pytest.mark.parametrize("length", range(62, 70))
async def test_what_was_done_takes_one_line_however_long_it_is(
    desk: Desk, db: Database, length: int
) -> None:
    await note(db, 1, "n" * (length - len("Undo: ")))
    await desk.press("colon")
    options = desk.app.screen.query_one(OptionList)
    assert options.virtual_size.height == options.option_count
