"""A mail to one lead: from a template or blank, changed, and queued."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.screens.dialogs import Picker
from crm_tui.screens.mail_texts import LetterForm
from crm_tui.vocabulary import MessageState
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.screens.looks import Look, SnapCompare, in_every_look
from tests.screens.mailings import SETTINGS
from tests.screens.settling import press, settle


def app_on(store: Path, settings: Settings = SETTINGS) -> CrmApp:
    return CrmApp(store, settings, now=lambda: NOW)


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)


@pytest.fixture
async def ada(add_lead: AddLead) -> int:
    return await add_lead("Ada Plumbing", city="Queens", email="jo@ada-plumbing.com")


@pytest.fixture
async def pilot(ada: int, store_path: Path) -> AsyncIterator[Pilot[None]]:
    del ada
    async with app_on(store_path).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        yield pilot


async def queued(db: Database) -> list[Message]:
    async with db.read() as session:
        return list(await session.scalars(select(Message)))


def said(pilot: Pilot[None]) -> str:
    return pilot.app.screen_stack[0].query_one(Footer).words


async def test_a_blank_mail_is_written_and_queued(pilot: Pilot[None], db: Database) -> None:
    await press(pilot, ("m", "enter"))
    assert isinstance(pilot.app.screen, LetterForm)
    pilot.app.screen.query_one("#subject", Input).value = "Your website"
    pilot.app.screen.query_one("#text", TextArea).text = "Hello Jo,\n\nhave a look."
    await press(pilot, ("ctrl+s",))
    (message,) = await queued(db)
    assert message.address == "jo@ada-plumbing.com"
    assert (message.subject, message.state) == ("Your website", MessageState.QUEUED)
    assert said(pilot) == "The mail to Ada Plumbing goes as soon as the limits let it."


async def test_a_mail_without_words_stays_in_the_form(pilot: Pilot[None], db: Database) -> None:
    await press(pilot, ("m", "enter", "ctrl+s"))
    assert isinstance(pilot.app.screen, LetterForm)
    assert await queued(db) == []


async def test_a_template_that_lacks_something_says_what(pilot: Pilot[None]) -> None:
    await press(pilot, ("m",))
    assert isinstance(pilot.app.screen, Picker)
    await press(pilot, ("down", "enter"))
    assert "site" in said(pilot)


async def test_what_was_typed_is_offered_again(
    pilot: Pilot[None], ada: int, store_path: Path
) -> None:
    await press(pilot, ("m", "enter"))
    pilot.app.screen.query_one("#text", TextArea).text = "Half a"
    pilot.app.exit()
    async with app_on(store_path).run_test(size=(80, 24)) as again:
        await settle(again)
        await press(again, ("enter",))
        assert isinstance(again.app.screen, LetterForm)
        assert again.app.screen.values()["text"] == "Half a"


async def test_without_a_sender_it_is_said_what_to_set(ada: int, store_path: Path) -> None:
    async with app_on(store_path, Settings()).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, ("m",))
        assert "[sender]" in said(pilot)


async def test_who_has_no_address_cannot_be_written_to(add_lead: AddLead, store_path: Path) -> None:
    await add_lead("Bo Roofing")
    async with app_on(store_path).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, ("m",))
        assert said(pilot) == "Bo Roofing has no e-mail address; e adds one."


@in_every_look
def test_the_form_looks_as_agreed(
    look: Look, ada: int, store_path: Path, snap_compare: SnapCompare
) -> None:
    async def write(pilot: Pilot[None]) -> None:
        await settle(pilot)
        assert isinstance(pilot.app, CrmApp)
        pilot.app.settings = SETTINGS
        await press(pilot, ("m", "enter"))
        pilot.app.screen.query_one("#subject", Input).value = "Your website"
        text = "Hello Jo,\n\nI made a website for Ada Plumbing.\n\nAnna"
        pilot.app.screen.query_one("#text", TextArea).text = text
        await settle(pilot)

    assert look.compare(snap_compare, store_path, run_before=write)
