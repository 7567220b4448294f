"""Text messages in the app: agreeing on a lead's page, and choosing them in the wizard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.widgets import TextArea

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import CampaignStep, Consent, Message
from crm_tui.screens.wizard import WizardScreen
from crm_tui.services import consent
from crm_tui.vocabulary import Channel
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.screens.settling import press, settle
from tests.texts.texting import settings_to_text

WITH_TEXTS = settings_to_text()


class Desk:
    """The app in a test."""

    def __init__(self, app: CrmApp, press_keys: object) -> None:
        self.app = app
        self._press = press_keys

    @property
    def said(self) -> str:
        return self.app._front().query_one(Footer).words

    @property
    def wizard(self) -> WizardScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, WizardScreen))

    async def press(self, *keys: str) -> None:
        await press(self._press, keys)  # type: ignore[arg-type]

    async def type(self, text: str) -> None:
        await self.press(*("space" if each == " " else each for each in text))

    def words(self, name: str) -> str:
        screen = self.app.screen
        place = screen.page if isinstance(screen, WizardScreen) else screen
        return " ".join(str(place.query_one(f"#{name}").render()).split())


@asynccontextmanager
async def at_desk(store: Path, settings: Settings) -> AsyncIterator[Desk]:
    app = CrmApp(store, settings, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        yield Desk(app, pilot)


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)
    monkeypatch.setattr("crm_tui.app._WATCH_EVERY", 3600.0)


async def test_consent_is_recorded_and_taken_back_with_one_key(
    db: Database, store_path: Path, add_lead: AddLead
) -> None:
    lead = await add_lead("Ada Plumbing", phone="+17185550142")
    async with at_desk(store_path, WITH_TEXTS) as desk:
        await desk.press("enter", "K")
        await desk.type("asked for it")
        await desk.press("ctrl+s")
        assert desk.said == "Recorded the consent of Ada Plumbing. u takes it back."
        async with db.read() as session:
            given = await consent.standing(session, lead)
        assert given is not None
        assert (given.number, given.how, given.given_at) == ("+17185550142", "asked for it", NOW)
        await desk.press("K")
        await desk.type("moved")
        await desk.press("ctrl+s")
        assert desk.said == "Took back the consent of Ada Plumbing. u takes it back."
        await desk.press("u", "u")
    async with db.read() as session:
        assert list(await session.scalars(select(Consent.id))) == []


async def test_a_lead_without_a_number_cannot_agree(store_path: Path, add_lead: AddLead) -> None:
    await add_lead("Ada Plumbing", email="jo@ada-plumbing.com")
    async with at_desk(store_path, WITH_TEXTS) as desk:
        await desk.press("enter", "K")
        assert desk.said == "Ada Plumbing has no phone; e adds one."


async def test_a_campaign_of_texts_is_made_for_leads_without_an_address(
    db: Database, store_path: Path, add_lead: AddLead
) -> None:
    agreed = await add_lead("Ada Plumbing", phone="+17185550142")
    await add_lead("Bo Roofing", phone="+17185550143")
    async with db.write() as session:
        await consent.give(session, [agreed], "asked for it", now=NOW)
    async with at_desk(store_path, WITH_TEXTS) as desk:
        await desk.press("3", "c")
        assert "Nobody gets it" in desk.words("who")
        await desk.press("enter")
        assert desk.said.endswith("c texts them instead of mailing.")
        await desk.press("c")
        assert "2 leads get it as a text message" in desk.words("who")
        assert "1 of 2 have no consent to text messages: held" in desk.words("who")
        await desk.press("enter", "t")
        await desk.type("text-1")
        await desk.press("enter", "e")
        assert not desk.app.screen.query("Input#subject")
        desk.app.screen.query_one(
            "#text", TextArea
        ).text = "Hi {{ business.name }}, {{ sender.name }} here. {{ unsubscribe }}"
        await desk.press("ctrl+s")
        assert "About 1 segment, " in desk.words("source")
        await desk.press("enter")
        assert "1 segment, cost not known" in desk.words("whose")
        assert "Held: no consent for text messages." in desk.words("whose")
        assert desk.words("mail") == "Hi Bo Roofing, Ann Berg here. Reply STOP to opt out."
        await desk.press("enter", "enter")
        assert "1 of 2 have no consent: held" in desk.words("chosen")
        assert "1 segment, cost not known" in desk.words("chosen")
        await desk.press("left_square_bracket")
    async with db.read() as session:
        (step,) = (await session.execute(select(CampaignStep.channel, CampaignStep.source))).all()
        assert step.channel is Channel.SMS
        assert "subject" not in step.source
        assert (await session.scalars(select(Message.id))).all() == []


async def test_where_texts_cannot_be_sent_the_choice_says_what_is_missing_and_the_law(
    store_path: Path, add_lead: AddLead
) -> None:
    await add_lead("Ada Plumbing", phone="+17185550142", email="jo@ada-plumbing.com")
    async with at_desk(store_path, Settings()) as desk:
        await desk.press("3", "c", "c")
        assert 'Set provider = "twilio" under [sms]' in desk.said
        assert "consent beforehand" in desk.said
        await desk.press("enter", "t")
        await desk.type("text-1")
        assert "A2P 10DLC" in " ".join(str(desk.wizard.query_one("#source").render()).split())
        await desk.press("enter")
        assert desk.wizard.plan.steps == ()
        assert isinstance(desk.app.screen, WizardScreen)
