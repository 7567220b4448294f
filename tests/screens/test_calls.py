from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from crm_tui.app import CrmApp
from crm_tui.config import OperatorSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.leads import LeadsScreen
from crm_tui.services import points, tasks, timeline, undo
from crm_tui.services.timeline import TimelineEntry
from crm_tui.vocabulary import ContactKind, EventKind
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from tests.conftest import AddLead
from tests.screens.settling import settle

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
"""A Sunday."""

NAMES = ("Ada", "Bo", "Cy", "Di", "Ed", "Flo")


class Desk:
    """The app in a test, with six leads in the list, and the store behind it."""

    def __init__(self, pilot: Pilot[None], db: Database, leads: list[int]) -> None:
        self.pilot = pilot
        self.db = db
        self.leads = leads

    @property
    def app(self) -> CrmApp:
        app = self.pilot.app
        assert isinstance(app, CrmApp)
        return app

    @property
    def screen(self) -> Screen[object]:
        return self.app.screen

    @property
    def leads_list(self) -> LeadsScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, LeadsScreen))

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    def in_a_form(self) -> bool:
        return isinstance(self.screen, Form)

    def said(self) -> str:
        screens = [s for s in self.app.screen_stack if s.query(Footer)]
        return screens[-1].query_one(Footer).words

    def line(self, name: str) -> str:
        return self.screen.query_one(f"#{name}", Input).value

    def about(self) -> str:
        return str(self.screen.query_one("#form-about", Static).content)

    async def calls(self) -> list[tuple[int, str, str]]:
        found = []
        async with self.db.read() as session:
            for number, lead in enumerate(self.leads):
                entries: list[TimelineEntry] = await timeline.entries(session, lead)
                found += [
                    (number, str(each.data["outcome"]), each.body)
                    for each in entries
                    if each.kind is EventKind.CALL
                ]
        return found

    async def follow_ups(self) -> list[tuple[str, datetime]]:
        async with self.db.read() as session:
            return [(task.business, task.due_at) for task in await tasks.listed(session)]


@pytest.fixture
def settings() -> Settings:
    return Settings(operator=OperatorSettings(timezone="UTC"))


@pytest.fixture
async def desk(
    db: Database, store_path: Path, settings: Settings, add_lead: AddLead
) -> AsyncIterator[Desk]:
    leads = [
        await add_lead(name, phone=f"518-871-164{number}") for number, name in enumerate(NAMES)
    ]
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as pilot:
        desk = Desk(pilot, db, leads)
        await desk.settle()
        yield desk


async def test_five_calls_in_a_row_are_fifteen_keys(desk: Desk) -> None:
    for key in (*"a1", "enter") * 5:
        await desk.pilot.press(key)
    await desk.settle()
    assert await desk.calls() == [(number, "no_answer", "") for number in range(5)]
    assert len(await desk.follow_ups()) == 5
    assert desk.leads_list.target is not None
    assert desk.leads_list.target.name == "Flo"


async def test_calls_typed_ahead_are_for_one_lead_after_the_other(desk: Desk) -> None:
    for key in ("a", "1", "enter") * 3:
        desk.app.post_message(events.Key(key, key if len(key) == 1 else "\r"))
    while len(await desk.calls()) < 3 or desk.in_a_form():
        await desk.pilot.pause(0.05)
    assert await desk.calls() == [(number, "no_answer", "") for number in range(3)]


async def test_a_call_says_what_was_kept_and_is_taken_back_in_one_step(
    desk: Desk, settings: Settings
) -> None:
    await desk.press("a", "2", "enter")
    assert desk.said().startswith("Call to Ada: left a voicemail, again Wed 25 Nov 9:00.")
    await undo.undo(desk.db, settings=settings, now=NOW)
    assert await desk.calls() == []
    assert await desk.follow_ups() == []


async def test_a_note_and_a_time_of_ones_own_are_kept(desk: Desk) -> None:
    await desk.press("a", "3", "tab", *"wants a price", "tab", *"mon 14:30", "enter")
    assert await desk.calls() == [(0, "talked", "wants a price")]
    assert await desk.follow_ups() == [("Ada", datetime(2026, 11, 23, 14, 30, tzinfo=UTC))]


async def test_the_time_offered_fits_the_outcome_until_one_is_typed(desk: Desk) -> None:
    await desk.press("a")
    offered = []
    for key in "123456":
        await desk.press(key)
        offered.append(desk.line("again"))
    assert offered == ["tomorrow", "in 3 days", "", "", "", ""]
    await desk.press("1", "tab", "tab", "ctrl+u", *"tue", "shift+tab", "shift+tab", "2")
    assert desk.line("again") == "tue"


async def test_who_asks_to_be_called_later_is_asked_when(desk: Desk) -> None:
    await desk.press("a", "4", "enter")
    assert desk.in_a_form()
    assert desk.screen.focused is desk.screen.query_one("#again")
    await desk.press("enter")
    assert "Say when to call again" in str(desk.screen.query_one("#form-words", Static).content)
    await desk.press(*"in 2 weeks", "enter")
    assert await desk.follow_ups() == [("Ada", datetime(2026, 12, 6, 9, tzinfo=UTC))]


async def test_after_a_wrong_number_the_next_one_of_the_lead_is_offered(desk: Desk) -> None:
    async with desk.db.write() as session:
        await points.add(session, desk.leads[0], ContactKind.PHONE, "+15188712000", now=NOW)
    await desk.press("a", "6", "enter")
    assert "Ada has another" in desk.said()
    await desk.press("a")
    assert "(518) 871-2000" in desk.about()


async def test_a_lead_without_a_phone_says_what_to_do(desk: Desk, add_lead: AddLead) -> None:
    await add_lead("Woodhaven")
    desk.leads_list.data_changed()
    await desk.settle()
    await desk.press("G", "a")
    assert desk.said() == "Woodhaven has no phone; e adds one."
    assert desk.screen is desk.leads_list


async def test_the_page_of_a_lead_goes_on_to_the_next_one_after_a_call(desk: Desk) -> None:
    await desk.press("enter", "a", "3", "enter")
    assert isinstance(desk.screen, LeadScreen)
    assert desk.screen.lead_id == desk.leads[1]
    await desk.press("a", "5", "enter", "escape")
    assert await desk.calls() == [(0, "talked", ""), (1, "no", "")]
    assert desk.leads_list.target is not None
    assert desk.leads_list.target.name == "Cy"


async def test_what_is_typed_is_not_lost_by_a_slip_and_an_offered_time_is_not_typed(
    desk: Desk,
) -> None:
    await desk.press("a", "2", "escape")
    assert not desk.in_a_form()
    await desk.press("a", "tab", *"half", "escape")
    assert desk.in_a_form()
    await desk.press("escape")
    assert not desk.in_a_form()


async def test_the_form_says_whether_somebody_is_there(desk: Desk) -> None:
    async with desk.db.write() as session:
        ada = await session.get_one(Business, desk.leads[0])
        ada.timezone = "America/New_York"
        ada.hours = {"sun": [["08:00", "17:00"]]}
        ada.last_activity_at = NOW - timedelta(days=2)
        ada.last_activity = "no answer"
    await desk.press("a")
    assert desk.about() == (
        "(518) 871-1640   Sun 04:30 there   closed, opens 08:00\nlast 2d  no answer"
    )
