"""Leads that join a campaign which was started: from its page, from the list, and out again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static

from crm_tui.app import CrmApp
from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.screens.campaign import CampaignScreen
from crm_tui.screens.campaign_adding import AddingScreen
from crm_tui.screens.dialogs import Confirm, Picker
from crm_tui.screens.left_out import LeftOutScreen
from crm_tui.vocabulary import MessageState
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.screens.mailings import SETTINGS, add_campaign, add_draft, mark, step
from tests.screens.settling import press, settle


class Desk:
    """The app in a test."""

    def __init__(self, pilot: Pilot[None], db: Database) -> None:
        self.pilot = pilot
        self.db = db
        assert isinstance(pilot.app, CrmApp)
        self.app = pilot.app

    @property
    def said(self) -> str:
        return self.app._front().query_one(Footer).words

    async def press(self, *keys: str) -> None:
        await press(self.pilot, keys)

    async def filter(self, text: str) -> None:
        """Type another filter, and leave the line."""
        await self.press("slash", "ctrl+u", *("space" if each == " " else each for each in text))
        await self.press("enter")

    def is_on(self, screen: type[Screen[Any]]) -> bool:
        return isinstance(self.app.screen, screen)

    def words(self, name: str) -> str:
        return " ".join(str(self.app.screen.query_one(f"#{name}", Static).render()).split())

    async def states(self, lead: int) -> list[str]:
        async with self.db.read() as session:
            found = await session.scalars(
                select(Message.state).where(Message.business_id == lead).order_by(Message.id)
            )
            return [each.value for each in found]


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)
    monkeypatch.setattr("crm_tui.app._WATCH_EVERY", 3600.0)  # the store is looked at when told
    monkeypatch.setattr("crm_tui.screens.wizard_audience._TYPING_PAUSE", 0.01)


@pytest.fixture
async def leads(add_lead: AddLead) -> list[int]:
    return [
        await add_lead("Ada Plumbing", city="Queens", email="jo@ada-plumbing.com"),
        await add_lead("Bo Roofing", city="Queens", email="bo@bo-roofing.com"),
        await add_lead("Cy Glass", city="Jamaica", email="cy@cy-glass.com"),
        await add_lead("Dee Drains", city="Jamaica"),
    ]


@pytest.fixture
async def desk(db: Database, leads: list[int], store_path: Path) -> AsyncIterator[Desk]:
    del leads
    app = CrmApp(store_path, SETTINGS, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        yield Desk(pilot, db)


async def test_leads_join_a_campaign_while_it_runs_and_undo_takes_them_out(
    desk: Desk, leads: list[int]
) -> None:
    ada, bo, cy, dee = leads
    await add_campaign(desk.db, [ada])
    await desk.press("3", "enter", "a")
    assert desk.is_on(AddingScreen)
    await desk.filter("city:Jamaica")
    assert desk.words("who") == "1 lead is new 1 lead left out: 1 no e-mail address"
    await desk.press("enter")
    assert desk.is_on(Confirm)
    await desk.press("left", "enter")
    assert desk.is_on(CampaignScreen)
    assert desk.said == "1 lead added."
    assert desk.words("campaign-counts").startswith("2 recipients")
    assert await desk.states(cy) == ["queued", "queued"]
    await desk.press("u")
    assert await desk.states(cy) == []
    assert await desk.states(ada) == ["queued", "queued"]
    assert await desk.states(bo) == await desk.states(dee) == []


async def test_who_matches_the_filter_of_the_campaign_by_now_is_offered_first(
    desk: Desk, leads: list[int], add_lead: AddLead
) -> None:
    await desk.press("3")
    await desk.press("1", "slash", *"city:Queens", "enter", "c", "enter", "t", "enter")
    await desk.press("enter", "enter", "enter", "enter", "left", "enter")
    assert desk.is_on(CampaignScreen)
    late = await add_lead("Late Locks", city="Queens", email="jo@late-locks.com")
    await desk.press("a")
    assert desk.words("who").startswith("1 lead is new")
    assert "2 already in this campaign" in desk.words("who")
    await desk.press("o")
    assert desk.is_on(LeftOutScreen)
    await desk.press("h", "enter", "left", "enter")
    assert await desk.states(late) == ["queued"]
    assert await desk.states(leads[0]) == ["queued"]


async def test_the_selection_joins_a_campaign_from_the_list(desk: Desk, leads: list[int]) -> None:
    ada, bo, cy, _ = leads
    await add_draft(desk.db, [ada], name="For later")
    await add_campaign(desk.db, [ada], name="In spring")
    await add_campaign(desk.db, [bo], name="In summer", steps=[step()])
    await desk.press("*", "J")
    assert desk.is_on(Picker)
    assert desk.app.screen.query_one(OptionList).option_count == 2
    await desk.press(*"spring", "enter")
    assert desk.words("chosen") == "4 leads chosen one by one."
    assert desk.words("who").startswith("2 leads are new 1 of them got mail")
    await desk.press("f")
    assert "1 in another campaign that is not over f takes them in" in desk.words("who")
    await desk.press("enter", "left", "enter")
    assert desk.is_on(CampaignScreen)
    assert desk.said == "1 lead added."
    assert await desk.states(cy) == ["queued", "queued"]
    assert await desk.states(bo) == ["queued"]


async def test_without_a_campaign_to_join_that_is_said(desk: Desk, leads: list[int]) -> None:
    await add_draft(desk.db, leads)
    await desk.press("J")
    assert desk.said == "No campaign runs or is paused. c makes one."
    await desk.press("3", "a")
    assert desk.said == "Plumbers in Queens was not started yet."


async def test_nobody_joins_where_nobody_is_new(desk: Desk, leads: list[int]) -> None:
    await add_campaign(desk.db, leads)
    await desk.press("3", "a")
    assert desk.words("who").startswith("Nobody is new")
    await desk.press("enter")
    assert desk.said.startswith("Nobody is new.")
    await desk.press("h")
    assert not desk.is_on(AddingScreen)


async def test_more_than_fifty_join_when_the_number_is_typed(
    desk: Desk, leads: list[int], add_lead: AddLead
) -> None:
    for number in range(51):
        await add_lead(f"Lead {number}", city="Bronx", email=f"jo@lead-{number}.com")
    await add_campaign(desk.db, leads[:1], steps=[step()])
    await desk.press("3", "a")
    await desk.filter("city:Bronx")
    await desk.press("enter")
    desk.app.screen.query_one("#number", Input).value = "50"
    await desk.press("enter")
    assert "That is not the number" in desk.words("form-words")
    desk.app.screen.query_one("#number", Input).value = "51"
    await desk.press("enter")
    assert desk.said == "51 leads added."


async def test_a_lead_imported_meanwhile_is_looked_at_without_a_key(
    desk: Desk, leads: list[int], add_lead: AddLead
) -> None:
    await add_campaign(desk.db, leads[:1])
    await desk.press("3", "a")
    assert desk.words("who").startswith("2 leads are new")
    await add_lead("Late Locks", email="jo@late-locks.com")
    await desk.app.look_for_changes()
    await settle(desk.pilot)
    assert desk.words("who").startswith("3 leads are new")


async def test_leads_are_taken_out_of_a_campaign_and_wait_again_after_undo(
    desk: Desk, leads: list[int]
) -> None:
    ada, bo, cy, _ = leads
    campaign = await add_campaign(desk.db, leads)
    await mark(desk.db, campaign, ada, state=MessageState.SENT)
    await desk.press("3", "enter", "x")
    assert desk.said == "1 lead taken out: 1 message skipped. u takes it back."
    assert await desk.states(ada) == ["sent", "skipped"]
    await desk.press("u")
    assert await desk.states(ada) == ["sent", "queued"]
    await desk.press("down", "down", "space", "down", "space", "x")
    assert desk.said.startswith("2 leads taken out: 4 messages skipped.")
    assert await desk.states(bo) == await desk.states(cy) == ["skipped", "skipped"]
    await desk.press("g", "g", "x", "x")
    assert desk.said == "The campaign is finished: nobody waits."
