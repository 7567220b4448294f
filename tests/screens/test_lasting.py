"""What the app keeps when it ends, and how it begins again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from crm_tui.app import CrmApp
from crm_tui.config import AppearanceSettings, ClipboardSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.sites import SitesScreen
from crm_tui.session import Draft, Place, Session, session_path
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.screens.settling import settle


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await settle(pilot)


@asynccontextmanager
async def started(
    store: Path, settings: Settings | None = None
) -> AsyncIterator[tuple[CrmApp, Pilot[None]]]:
    app = CrmApp(store, settings or Settings(), now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        yield app, pilot


def said(app: CrmApp) -> str:
    return app._front().query_one(Footer).words


def kept(store: Path, *drafts: Draft, **fields: str) -> None:
    """A session as an earlier run left it."""
    session = Session.load(store)
    for name, value in fields.items():
        setattr(session, name, value)
    for draft in drafts:
        session.keep(draft)
    session.save()


def note(lead: int, text: str, *, minutes_ago: int = 30) -> Draft:
    at = NOW - timedelta(minutes=minutes_ago)
    return Draft(NOTE, lead, f"Note about lead {lead}", {"text": text, "when": ""}, at)


NOTE = "business.note"


@pytest.fixture
async def lead(add_lead: AddLead) -> int:
    return await add_lead("Woodhaven Plumbing")


async def test_a_defect_that_ends_the_app_keeps_what_was_typed(
    lead: int, store_path: Path, tmp_path: Path
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async def fail_in_a_note() -> None:
        async with started(store_path) as (app, pilot):
            await press(pilot, "enter", "n", *"half")
            app.call_later(fail)
            await pilot.pause()

    with pytest.raises(ZeroDivisionError):
        await fail_in_a_note()
    (draft,) = Session.load(store_path).drafts.values()
    assert (draft.lead, draft.values["text"], draft.at) == (lead, "half", NOW)
    assert "ZeroDivisionError" in next((tmp_path / "home").rglob("crash.log")).read_text()


async def test_quitting_keeps_what_was_typed_and_where_one_was(lead: int, store_path: Path) -> None:
    async with started(store_path) as (app, pilot):
        await press(pilot, "enter", "n", *"half")
        app.exit()
    session = Session.load(store_path)
    assert [draft.values["text"] for draft in session.drafts.values()] == ["half"]
    assert session.area == "leads"


async def test_a_text_that_cannot_be_kept_is_said_at_the_end(lead: int, store_path: Path) -> None:
    async with started(store_path) as (app, pilot):
        session_path(store_path).mkdir()
        await press(pilot, "enter", "n", *"half")
        app.exit()
        (said_last,) = map(str, app._exit_renderables)
        app._exit_renderables.clear()
    assert said_last.startswith("What was not saved is lost. Where you were could not be kept in ")


async def test_a_form_nothing_was_typed_into_is_not_kept(lead: int, store_path: Path) -> None:
    async with started(store_path) as (app, pilot):
        await press(pilot, "enter", "n")
        app.exit()
    assert Session.load(store_path).drafts == {}


async def test_texts_are_offered_one_after_the_other_the_newest_first(
    lead: int, add_lead: AddLead, db: Database, store_path: Path
) -> None:
    other = await add_lead("Ace Roofing")
    kept(store_path, note(lead, "older", minutes_ago=60), note(other, "newer"))
    async with started(store_path) as (app, pilot):
        for lead_id, text in ((other, "newer"), (lead, "older")):
            assert isinstance(app.screen, Confirm)
            await press(pilot, "enter")
            assert isinstance(app.screen, Form)
            assert app.screen.query_one(TextArea).text == text
            assert isinstance(app.screen_stack[-2], LeadScreen)
            assert app.screen_stack[-2].lead_id == lead_id
            await press(pilot, "ctrl+s")
        assert isinstance(app.screen, LeadScreen)
        assert app.session.drafts == {}
    assert Session.load(store_path).drafts == {}


async def test_a_text_taken_up_and_left_unsaved_once_more_is_kept_once_more(
    lead: int, store_path: Path
) -> None:
    kept(store_path, note(lead, "half"))
    async with started(store_path) as (app, pilot):
        await press(pilot, "enter", *" more")
        app.exit()
    (draft,) = Session.load(store_path).drafts.values()
    assert draft.values["text"] == "half more"


async def test_a_text_about_a_lead_that_is_gone_is_let_go_with_a_sentence(
    lead: int, store_path: Path
) -> None:
    kept(store_path, note(lead + 1, "half"))
    async with started(store_path) as (app, pilot):
        await press(pilot, "enter")
        assert said(app) == f"There is no lead {lead + 1}."
    assert Session.load(store_path).drafts == {}


async def test_a_session_that_cannot_be_read_is_a_sentence(lead: int, store_path: Path) -> None:
    session_path(store_path).write_text("{")
    async with started(store_path) as (app, _):
        assert said(app).startswith("Where you were is not known any more:")


async def test_all_that_is_to_be_said_at_the_start_is_said(lead: int, store_path: Path) -> None:
    session_path(store_path).write_text("{")
    settings = Settings(
        appearance=AppearanceSettings(theme="dusk"), keys={"business.call": "not a key"}
    )
    async with started(store_path, settings) as (app, _):
        words = said(app)
        app.say_too("Saved the backup of the day.")
        assert said(app) == f"{words} Saved the backup of the day."
    for each in ("business.call", "1 more", "Where you were is not known any more:"):
        assert each in words


async def test_the_app_begins_in_the_area_it_was_left_in(lead: int, store_path: Path) -> None:
    kept(store_path, area="sites")
    async with started(store_path) as (app, pilot):
        assert isinstance(app.screen, SitesScreen)
        await press(pilot, "1")
        assert app.current_mode == "leads"


async def test_an_area_that_is_no_more_is_passed_over(lead: int, store_path: Path) -> None:
    kept(store_path, area="wizard")
    async with started(store_path) as (app, _):
        assert app.current_mode == "leads"


async def test_a_place_is_handed_to_its_screen_once(lead: int, store_path: Path) -> None:
    session = Session.load(store_path)
    session.places["sites"] = Place(cursor=5)
    session.save()
    taken: list[Place] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SitesScreen, "restore", lambda self, place: taken.append(place))
        async with started(store_path) as (_, pilot):
            await press(pilot, "5")
            await press(pilot, "1", "5")
    assert taken == [Place(cursor=5)]


async def test_copying_says_what_is_known_of_it(
    lead: int, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)
    async with started(store_path) as (app, pilot):
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        app.copy("+1 518", "Phone")
        await settle(pilot)
        assert said(app) == "Phone sent to the terminal's clipboard; not every terminal takes it."
        assert [text for text in written if "]52;" in text] == ["\x1b]52;c;KzEgNTE4\x07"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("sh", "-c", "cat > /dev/null"), "Phone copied with sh."),
        (("sh", "-c", "exit 4"), "Not copied: sh failed (code 4)."),
    ],
)
async def test_the_operators_own_command_copies_instead(
    lead: int, store_path: Path, command: tuple[str, ...], words: str
) -> None:
    settings = Settings(clipboard=ClipboardSettings(command))
    async with started(store_path, settings) as (app, pilot):
        app.copy("+1 518", "Phone")
        await settle(pilot)
        assert said(app) == words


async def test_a_worker_that_fails_unseen_is_said_once(lead: int, store_path: Path) -> None:
    async def fail(on: int) -> None:
        assert on // 0

    async with started(store_path) as (app, pilot):
        heard = []
        for _ in range(3):
            app.run_worker(fail(1), exit_on_error=False)
            for _ in range(3):
                await pilot.pause()
            heard.append("ZeroDivisionError" in said(app))
            app._front().query_one(Footer).clear()
        assert heard == [True, False, False]
