"""On the lead's page: its next follow-up, and what its answer came to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.widgets import Static

from crm_tui.app import CrmApp
from crm_tui.config import OperatorSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Task
from crm_tui.screens.lead import LeadScreen
from crm_tui.services import tasks, timeline
from crm_tui.vocabulary import CallOutcome, Outcome, TaskState
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.screens.settling import press, settle


class Desk:
    """The app in a test, on the page of a lead."""

    def __init__(self, pilot: Pilot[None], db: Database, lead: int) -> None:
        self.pilot = pilot
        self.db = db
        self.lead = lead

    async def press(self, *keys: str) -> None:
        await settle(self.pilot)
        await press(self.pilot, keys)

    @property
    def screen(self) -> LeadScreen:
        return next(s for s in self.pilot.app.screen_stack if isinstance(s, LeadScreen))

    @property
    def said(self) -> str:
        return self.screen.query_one(Footer).words

    @property
    def next_step(self) -> str:
        return str(self.screen.query_one("#lead-next", Static).content)

    async def outcome(self) -> Outcome:
        async with self.db.read() as session:
            return (
                await session.execute(select(Business.outcome).where(Business.id == self.lead))
            ).scalar_one()


@pytest.fixture
async def desk(db: Database, store_path: Path, add_lead: AddLead) -> AsyncIterator[Desk]:
    lead = await add_lead("Alder Plumbing")
    async with db.write() as session:
        for what, days in (("send the link", 3), ("call back", 1)):
            await tasks.add(session, lead, what, NOW + timedelta(days=days), now=NOW)
    app = CrmApp(store_path, Settings(operator=OperatorSettings("UTC")), now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        desk = Desk(pilot, db, lead)
        await desk.press("enter")
        yield desk


async def test_the_follow_up_that_is_due_first_is_ticked_off(desk: Desk) -> None:
    assert "call back" in desk.next_step
    await desk.press("x")
    assert desk.said.startswith("Did call back, Alder Plumbing.")
    assert "send the link" in desk.next_step
    await desk.press("x", "x")
    assert desk.said == "No follow-up is open here."
    async with desk.db.read() as session:
        states = set(await session.scalars(select(Task.state)))
    assert states == {TaskState.DONE}


async def test_the_follow_up_that_is_due_first_is_put_off(desk: Desk) -> None:
    await desk.press("z", *"in 5 days", "enter")
    assert "send the link" in desk.next_step


async def test_an_answer_is_sorted_once_there_is_one(desk: Desk) -> None:
    await desk.press("+")
    assert desk.said == "Nobody there has answered yet."
    assert await desk.outcome() is Outcome.OPEN
    async with desk.db.write() as session:
        await timeline.log_call(session, desk.lead, CallOutcome.TALKED, now=NOW)
    desk.screen.data_changed()
    await desk.press("+")
    assert await desk.outcome() is Outcome.INTERESTED
    await desk.press("=", "enter")
    assert await desk.outcome() is Outcome.LATER
    await desk.press("-")
    assert desk.said.startswith("Sorted the answer of Alder Plumbing: said no.")
    assert await desk.outcome() is Outcome.LOST
