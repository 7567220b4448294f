"""The list of campaigns and their ledgers: what they show, and what their keys do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.widgets import Input, Static

from crm_tui.app import CrmApp
from crm_tui.db.engine import Database
from crm_tui.db.models import Campaign, Message
from crm_tui.screens.campaign import CampaignScreen
from crm_tui.screens.campaign_columns import rates_line
from crm_tui.screens.campaigns import CampaignsScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.left_out import LeftOutScreen
from crm_tui.services.campaigns import drafts
from crm_tui.services.campaigns.figures import Rate
from crm_tui.vocabulary import CampaignState, MessageState
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.row_list import RowList
from tests.conftest import NOW, AddLead
from tests.screens.mailings import (
    OFFER,
    SETTINGS,
    TWO_STEPS,
    add_campaign,
    add_draft,
    mark,
    step,
)
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

    async def type(self, text: str) -> None:
        await press(self.pilot, ["space" if each == " " else each for each in text])

    def lines(self) -> list[str]:
        table = self.app.screen.query_one(RowList)
        lines = (table.render_line(y).text for y in range(1, table.total + 1))
        return [" ".join(line[3:].replace("▐", "").split()) for line in lines]

    def words(self, name: str) -> str:
        return str(self.app.screen.query_one(f"#{name}", Static).render())

    async def state(self, campaign: int) -> CampaignState | None:
        async with self.db.read() as session:
            return await session.scalar(select(Campaign.state).where(Campaign.id == campaign))

    async def messages(self, state: MessageState) -> int:
        async with self.db.read() as session:
            return len(
                (await session.scalars(select(Message.id).where(Message.state == state))).all()
            )


@pytest.fixture
async def desk(
    db: Database, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)  # nothing is to be sent meanwhile
    app = CrmApp(store_path, SETTINGS, now=lambda: NOW)
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        yield Desk(pilot, db)


@pytest.fixture
async def leads(add_lead: AddLead) -> list[int]:
    return [
        await add_lead("Ada Plumbing", email="jo@ada-plumbing.com"),
        await add_lead("Bo Roofing", email="bo@bo-roofing.com"),
        await add_lead("Cy Glass", email="cy@cy-glass.com"),
    ]


async def test_without_a_campaign_the_list_says_what_to_do(desk: Desk) -> None:
    await desk.press("3")
    assert isinstance(desk.app.screen, CampaignsScreen)
    assert "There are no campaigns yet." in desk.words("empty")


async def test_the_list_shows_how_far_each_campaign_is(desk: Desk, leads: list[int]) -> None:
    campaign = await add_campaign(desk.db, leads)
    await mark(desk.db, campaign, leads[0], state=MessageState.SENT, replied_at=NOW)
    await add_draft(desk.db, leads, name="For later")
    await desk.press("3")
    running, draft = desk.lines()
    assert running.startswith("Plumbers in Queens ◐ running")
    assert "1 of 6" in running
    assert draft.startswith("For later ○ draft")
    assert "answered 1 of 1, 100.0%" in desk.words("standing")
    assert "opens, clicks not measured" in desk.words("standing")


async def test_a_campaign_is_paused_and_goes_on_with_one_key(desk: Desk, leads: list[int]) -> None:
    campaign = await add_campaign(desk.db, leads)
    await desk.press("3", "S")
    assert await desk.state(campaign) is CampaignState.PAUSED
    assert desk.words("standing").startswith("Paused: ")
    await desk.press("S")
    assert await desk.state(campaign) is CampaignState.RUNNING


async def test_cancelling_says_that_there_is_no_way_back_and_begins_on_the_safe_button(
    desk: Desk, leads: list[int]
) -> None:
    campaign = await add_campaign(desk.db, leads)
    await desk.press("3", "X")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("enter")
    assert await desk.state(campaign) is CampaignState.RUNNING
    await desk.press("X", "left", "enter")
    assert await desk.state(campaign) is CampaignState.CANCELED
    assert "6 messages will not be sent" in desk.said
    await desk.press("S")
    assert desk.said == "Plumbers in Queens is canceled."


async def test_a_draft_is_deleted(desk: Desk, leads: list[int]) -> None:
    campaign = await add_draft(desk.db, leads)
    await desk.press("3", "X", "left", "enter")
    assert await desk.state(campaign) is None
    assert "There are no campaigns yet." in desk.words("empty")


async def test_the_ledger_accounts_for_every_recipient(desk: Desk, leads: list[int]) -> None:
    campaign = await add_campaign(desk.db, leads)
    ada, bo, cy = leads
    await mark(desk.db, campaign, ada, state=MessageState.SENT, bounced_at=NOW - timedelta(hours=1))
    await mark(desk.db, campaign, bo, state=MessageState.FAILED, reason="no such user", due_at=None)
    await mark(desk.db, campaign, cy, due_at=None, reason="no published site")
    await desk.press("3", "enter")
    assert isinstance(desk.app.screen, CampaignScreen)
    assert desk.lines()[0] == "Ada Plumbing 1 ● sent 2h came back 1h jo@ada-plumbing.com"
    assert desk.lines()[2] == "Bo Roofing 1 ▲ failed no such user bo@bo-roofing.com"
    assert desk.lines()[4].startswith("Cy Glass 1 ▲ held no published site")
    assert desk.lines()[5].startswith("Cy Glass 2 ○ queued waits for step 1")
    assert desk.words("campaign-counts") == (
        "3 recipients · 1 of 6 sent · 4 queued (1 held) · 1 failed"
    )
    assert "came back 1 of 1, 100.0%" in desk.words("campaign-rates")
    assert "1 of 3 sent" in desk.words("campaign-steps")


async def test_the_ledger_is_filtered_as_one_types_and_says_what_it_cannot_read(
    desk: Desk, leads: list[int]
) -> None:
    campaign = await add_campaign(desk.db, leads)
    await mark(desk.db, campaign, leads[1], state=MessageState.FAILED, reason="no", due_at=None)
    await desk.press("3", "enter", "slash")
    await desk.type("state:failed")
    assert [line.split(" 1 ")[0] for line in desk.lines()] == ["Bo Roofing"]
    await desk.type("x")
    await desk.press("enter")
    assert "There is no state" in desk.words("problem")
    assert len(desk.lines()) == 1
    await desk.press("escape")
    assert len(desk.lines()) == 6


async def test_what_failed_is_sent_again(desk: Desk, leads: list[int]) -> None:
    campaign = await add_campaign(desk.db, leads)
    for lead in leads[:2]:
        await mark(desk.db, campaign, lead, state=MessageState.FAILED, reason="no", due_at=None)
    await desk.press("3", "enter", "space", "R")
    assert await desk.messages(MessageState.FAILED) == 1
    assert desk.said == "1 message waits to be sent again."
    await desk.press("escape", "R")
    assert await desk.messages(MessageState.FAILED) == 0
    await desk.press("R")
    assert desk.said == "No message of it failed or is held."


async def test_only_what_matches_the_filter_is_sent_again(desk: Desk, leads: list[int]) -> None:
    campaign = await add_campaign(desk.db, leads)
    for lead in leads[:2]:
        await mark(desk.db, campaign, lead, state=MessageState.FAILED, reason="no", due_at=None)
    await desk.press("3", "enter", "slash", *"roofing", "enter", "R")
    assert desk.said == "1 message waits to be sent again."
    assert await desk.messages(MessageState.FAILED) == 1
    await desk.press("slash", "ctrl+u", *"nobody", "enter", "R")
    assert desk.said == "No message matches the filter. esc shows everything again."


async def test_enter_opens_the_lead_and_its_neighbours_are_those_of_the_ledger(
    desk: Desk, leads: list[int]
) -> None:
    await add_campaign(desk.db, leads)
    await desk.press("3", "enter", "enter")
    assert isinstance(desk.app.screen, LeadScreen)
    assert desk.app.screen.lead_id == leads[0]
    await desk.press("right_square_bracket", "right_square_bracket")
    assert desk.app.screen.lead_id == leads[1]


async def test_a_step_is_edited_while_the_campaign_is_paused(desk: Desk, leads: list[int]) -> None:
    campaign = await add_campaign(desk.db, leads)
    await desk.press("3", "enter", "e")
    assert desk.said == "Steps are edited while the campaign is paused: S pauses it."
    await desk.press("S", "e", "down", "enter")
    subject = desk.app.screen.query_one("#subject", Input)
    subject.value = "A last word"
    await desk.press("ctrl+s")
    assert "Step 2 is changed" in desk.said
    async with desk.db.read() as session:
        kept = await drafts.load(session, campaign)
    assert kept.draft.steps[1].subject == "A last word"
    assert kept.draft.steps[1].version == 2


async def test_one_of_two_texts_is_edited_and_what_they_came_to_is_shown(
    desk: Desk, leads: list[int]
) -> None:
    second = step(OFFER.replace("A website", "See a website"), name="other")
    texts = [TWO_STEPS[0].with_text("b", second), TWO_STEPS[1]]
    campaign = await add_campaign(desk.db, leads, steps=texts)
    await mark(desk.db, campaign, leads[0], variant="a", state=MessageState.SENT)
    for lead in leads[1:]:
        await mark(desk.db, campaign, lead, variant="b")
    await desk.press("3", "enter")
    told = desk.words("campaign-texts").splitlines()
    assert told[0].split("   ")[:2] == ["1A", "1 of 1 sent"]
    assert told[2] == "Not enough data yet: about 59 more recipients needed."
    await desk.press("slash")
    await desk.type("text:a")
    await desk.press("enter")
    assert len(desk.lines()) == 1
    await desk.press("S", "e", "down", "enter")
    desk.app.screen.query_one("#subject", Input).value = "See for yourself"
    await desk.press("ctrl+s")
    assert "Step 1, text B is changed" in desk.said
    async with desk.db.read() as session:
        (first, _) = (await drafts.load(session, campaign)).draft.steps
    assert first.subject == TWO_STEPS[0].subject
    assert first.texts["b"].subject == "See for yourself"
    assert first.texts["b"].version == 2


async def test_who_was_left_out_is_listed_with_the_reason(
    desk: Desk, leads: list[int], add_lead: AddLead
) -> None:
    silent = await add_lead("Dee Drains")
    await add_campaign(desk.db, [*leads, silent])
    await desk.press("3", "enter", "o")
    assert isinstance(desk.app.screen, LeftOutScreen)
    assert desk.words("left-out-count") == "1 lead left out"
    assert desk.lines()[0].startswith("Dee Drains")


async def test_the_ledger_is_written_to_a_file_as_it_is_filtered(
    desk: Desk, leads: list[int], tmp_path: Path
) -> None:
    await add_campaign(desk.db, leads)
    target = tmp_path / "ledger.csv"
    await desk.press("3", "enter", "E")
    desk.app.screen.query_one("#path", Input).value = str(target)
    await desk.press("enter")
    assert desk.said == f"Exported 6 messages to {target}."
    assert len(target.read_text().splitlines()) == 7
    await desk.press("E")
    desk.app.screen.query_one("#path", Input).value = str(target)
    await desk.press("enter")
    assert "is there already" in desk.words("form-words")


async def test_the_list_follows_what_the_worker_writes(desk: Desk, leads: list[int]) -> None:
    campaign = await add_campaign(desk.db, leads)
    await desk.press("3", "enter")
    await mark(desk.db, campaign, leads[0], state=MessageState.SENT)
    await desk.app.look_for_changes()
    await settle(desk.pilot)
    assert desk.words("campaign-counts").startswith("3 recipients · 1 of 6 sent")


def test_the_rates_take_as_many_words_as_there_is_room_for() -> None:
    rates = [
        Rate("delivery", 128, 131),
        Rate("reply", 12, 128),
        Rate("bounce", 3, 131),
        Rate("unsubscribe", 2, 128),
        Rate("click", None, 0),
    ]
    assert rates_line(rates, 200) == (
        "delivered 128 of 131, 97.7% · answered 12 of 128, 9.4% · came back 3 of 131, 2.3% · "
        "opted out 2 of 128, 1.6% · clicks not measured"
    )
    assert rates_line(rates, 110) == (
        "delivered 128 (97.7%) · answered 12 (9.4%) · came back 3 (2.3%) · opted out 2 (1.6%) · "
        "clicks not measured"
    )
    assert rates_line(rates, 66) == "answered 12 (9.4%) · came back 3 (2.3%) · opted out 2 (1.6%)"
