"""Publishing and taking down, from the list of leads, a lead's page and the sites."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.widgets import Static

from crm_tui.app import CrmApp
from crm_tui.config import ClipboardSettings, PreviewSettings, PublishingSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Site
from crm_tui.screens.address import AddressScreen
from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.services.publishing import choosing
from crm_tui.services.publishing.publish import publish_sites
from crm_tui.services.publishing.publisher import open_publisher
from crm_tui.services.sending import worker_log
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.vocabulary import WebsiteStatus
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.row_table import RowTable
from tests.conftest import NOW, AddLead
from tests.screens.settling import settle

BASE = "https://p.example.com"


class Desk:
    """The app in a test, with a folder on the web and leads that have sites."""

    def __init__(self, pilot: Pilot[None], db: Database, web: Path) -> None:
        assert isinstance(pilot.app, CrmApp)
        self.app, self.pilot, self.db, self.web = pilot.app, pilot, db, web

    @property
    def said(self) -> str:
        front = next(s for s in reversed(self.app.screen_stack) if isinstance(s, AppScreen))
        return front.query_one(Footer).words

    @property
    def question(self) -> str:
        assert isinstance(self.app.screen, Confirm)
        return str(self.app.screen.query(Static).first().render())

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await settle(self.pilot)

    async def ask_to_take_down(self) -> None:
        """What the palette does by name."""
        await self.press(":", *"take", "space", *"the", "space", *"pub", "enter")

    def line(self, row: int) -> str:
        table = self.app.screen.query_one(RowTable)
        return " ".join(table.render_line(row + 1).text[3:].split())

    def pages(self) -> list[str]:
        return sorted(each.name for each in self.web.iterdir())

    async def urls(self) -> list[str | None]:
        async with self.db.read() as session:
            return list(await session.scalars(select(Site.published_url).order_by(Site.id)))

    async def statuses(self) -> list[WebsiteStatus]:
        async with self.db.read() as session:
            rows = await session.scalars(select(Business.website_status).order_by(Business.id))
            return list(rows)


@pytest.fixture
async def leads(db: Database, add_lead: AddLead) -> list[int]:
    ids = [await add_lead(name) for name in ("Ace Plumbing", "Best Hair", "Cut Above")]
    await build_sites(
        db, ids[:2], renderer=Renderer(load_themes()), clock=lambda: NOW - timedelta(days=1)
    )
    return ids


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    (tmp_path / "web").mkdir()
    copied = tmp_path / "copied"
    return Settings(
        preview=PreviewSettings(browser=False),
        publishing=PublishingSettings(path=str(tmp_path / "web"), base_url=BASE),
        clipboard=ClipboardSettings(
            command=(
                sys.executable, "-c",
                f"import sys; open({str(copied)!r}, 'w').write(sys.stdin.read())",
            )
        ),
    )  # fmt: skip


@pytest.fixture
async def desk(
    db: Database, store_path: Path, leads: list[int], config: Settings, tmp_path: Path
) -> AsyncIterator[Desk]:
    app = CrmApp(store_path, config, now=lambda: NOW)
    async with app.run_test(size=(160, 30)) as pilot:
        await settle(pilot)
        yield Desk(pilot, db, tmp_path / "web")


async def test_p_publishes_the_site_of_the_lead_at_hand_and_says_where(desk: Desk) -> None:
    await desk.press("P")
    (slug,) = desk.pages()
    assert desk.said == f"Published: {BASE}/{slug}/ . Undo cannot take it back."
    assert "published" in desk.line(0)
    await desk.press("P")
    assert desk.said == f"The public reads it as it is already: {BASE}/{slug}/"


async def test_many_are_published_after_a_question_that_says_there_is_no_way_back(
    desk: Desk,
) -> None:
    await desk.press("*", "P")
    assert desk.question == (
        "Publish 2 sites? Anybody with the address can read them then. Undo cannot take it back; "
        "they can be taken down."
    )
    await desk.press("escape")
    assert desk.pages() == []
    await desk.press("P", "enter")
    assert len(desk.pages()) == 2
    assert desk.said == "Published 2 sites."
    assert await desk.statuses() == [
        WebsiteStatus.PUBLISHED, WebsiteStatus.PUBLISHED, WebsiteStatus.NONE
    ]  # fmt: skip


async def test_a_lead_without_a_site_says_what_builds_one(desk: Desk) -> None:
    await desk.press("G", "P")
    assert desk.said == "Cut Above has no site yet; b builds one."


async def test_without_the_settings_the_key_says_what_is_missing(
    desk: Desk, config: Settings
) -> None:
    desk.app.settings = Settings(preview=config.preview)
    await desk.press("P")
    assert desk.said.startswith("Publishing is not set up: [publishing] in config.toml needs path")
    await desk.press("5", "P")
    assert desk.said.startswith("Publishing is not set up")


async def test_what_fails_is_said_shown_and_published_by_the_same_key(
    desk: Desk, config: Settings, tmp_path: Path
) -> None:
    slow = (sys.executable, "-c", "print('no \\x1b[31mroute'); raise SystemExit(1)")
    desk.app.settings = Settings(
        preview=config.preview,
        publishing=PublishingSettings(path=str(desk.web), base_url=BASE, command=slow),
    )
    await desk.press("5", "g", "g", "P")
    assert "was not published: python" in desk.said
    assert desk.said.endswith("failed: no route (exit status 1).")
    assert " failed: no route" in desk.line(0)
    assert "1 not published" in str(desk.app.screen.query_one("#count", Static).render())
    assert await desk.urls() == [None, None]
    desk.app.settings = config
    await desk.press("P")
    assert desk.said.startswith("Published: ")
    assert f"p.example.com/{desk.pages()[0]}/" in " ".join(filter(None, await desk.urls()))


async def test_a_lead_shows_its_public_address_and_copies_it(desk: Desk, tmp_path: Path) -> None:
    await desk.press("y", "u")
    assert (tmp_path / "copied").read_text().startswith("http://127.0.0.1:")
    await desk.press("P", "y", "u")
    url = f"{BASE}/{desk.pages()[0]}/"
    assert (tmp_path / "copied").read_text() == url
    assert desk.said.startswith("Public address of the site")
    await desk.press("o")
    assert isinstance(desk.app.screen, AddressScreen)
    assert str(desk.app.screen.query_one("#public", Static).render()) == url


async def test_taking_down_is_asked_on_the_safe_button(desk: Desk) -> None:
    await desk.press("P")
    await desk.ask_to_take_down()
    assert "Links to it in mails that were sent lead nowhere then" in desk.question
    await desk.press("enter")
    assert len(desk.pages()) == 1
    await desk.ask_to_take_down()
    await desk.press("left", "enter")
    assert desk.pages() == []
    assert desk.said == "Took down 1 site."
    await desk.ask_to_take_down()
    assert desk.said == "Nothing of Ace Plumbing is published."


async def test_the_sites_are_published_and_taken_down_by_selection(desk: Desk) -> None:
    await desk.press("5", "*", "P", "enter")
    assert desk.said == "Published 2 sites."
    assert all("● published" in desk.line(row) for row in (0, 1))
    assert "p.example.com/" in desk.line(0)
    await desk.ask_to_take_down()
    assert desk.question.startswith("Take 2 sites down?")
    await desk.press("left", "enter")
    assert desk.said == "Took down 2 sites."
    assert await desk.urls() == [None, None]


async def written_down(db: Database) -> Sequence[worker_log.LogLine]:
    """What the worker did, as its log has it."""
    async with db.read() as session:
        return await worker_log.lines(session)


async def test_what_failed_is_tried_again_while_the_app_runs_even_without_a_mailbox(
    db: Database,
    store_path: Path,
    leads: list[int],
    config: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 0.01)
    fails = PublishingSettings(
        path=str(tmp_path / "web"),
        base_url=BASE,
        command=(sys.executable, "-c", "raise SystemExit(1)"),
    )
    async with db.read() as session:
        sites = await choosing.to_publish(session, leads)
    await publish_sites(
        db, sites, publisher=open_publisher(fails), clock=lambda: NOW - timedelta(hours=1)
    )
    app = CrmApp(store_path, config, now=lambda: NOW)
    async with app.run_test(size=(160, 30)) as pilot:
        desk = Desk(pilot, db, tmp_path / "web")
        async with asyncio.timeout(90):
            while not (lines := await written_down(db)):
                await pilot.pause(0.02)
        await settle(pilot)
        assert None not in await desk.urls()
        assert not app.mail_work.has_account
        assert app.status()[0] == "crm.db"
    (line,) = lines
    assert line.words == "Tried again what had failed: 2 sites published."
