"""The sites screen: what it lists, and what its keys do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.pilot import Pilot
from textual.widgets import Static

from crm_tui.app import CrmApp
from crm_tui.config import PreviewSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event, Site, Unmatched
from crm_tui.errors import BadInput
from crm_tui.screens.address import AddressScreen
from crm_tui.screens.dialogs import Confirm
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.sites import SitesScreen
from crm_tui.services import leads
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.vocabulary import EventKind, UnmatchedKind, WebsiteStatus
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.row_table import RowTable
from tests.conftest import NOW, AddLead
from tests.screens.settling import settle

PAGE = "<h1>Ace Plumbing</h1><a href='tel:7185550101'>Call</a>"


class Desk:
    """The app in a test, on the sites."""

    def __init__(self, pilot: Pilot[None], db: Database) -> None:
        self.pilot = pilot
        self.db = db
        assert isinstance(pilot.app, CrmApp)
        self.app = pilot.app

    @property
    def sites(self) -> SitesScreen:
        return next(s for s in self.app.screen_stack if isinstance(s, SitesScreen))

    def in_front(self) -> object:
        return self.app.screen

    @property
    def said(self) -> str:
        return self.sites.query_one(Footer).words

    async def settle(self) -> None:
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    def lines(self) -> list[str]:
        table = self.sites.query_one(RowTable)
        lines = (table.render_line(y).text for y in range(1, table.total + 1))
        return [" ".join(line[3:].split()) for line in lines]

    def about(self) -> tuple[str, str]:
        waiting, count = (self.sites.query_one(f"#{each}", Static) for each in ("waiting", "count"))
        return str(waiting.render()), str(count.render())


@pytest.fixture
async def desk(db: Database, store_path: Path) -> AsyncIterator[Desk]:
    settings = Settings(preview=PreviewSettings(browser=False))
    app = CrmApp(store_path, settings, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        desk = Desk(pilot, db)
        await desk.settle()
        yield desk


@pytest.fixture
async def two_sites(db: Database, add_lead: AddLead, settings: Settings) -> list[int]:
    """Two leads with sites, of which the older one is out of date."""
    ids = [
        await add_lead("Best Hair", category="Hair salon"),
        await add_lead("Woodhaven Plumbing", category="Plumber"),
    ]
    renderer = Renderer(load_themes())
    for days, lead in zip((3, 2), ids, strict=True):
        clock = partial(ago, days)
        await build_sites(db, [lead], renderer=renderer, clock=clock)
    async with db.write() as session:
        await leads.edit(session, ids[0], {"city": "Queens"}, settings=settings, now=NOW)
    return ids


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days, hours=1)


async def orphan(db: Database, title: str = "Ace Plumbing", html: str = PAGE) -> None:
    async with db.write() as session:
        session.add(
            Unmatched(
                key=title,
                kind=UnmatchedKind.SITE,
                title=title,
                reason="it named no business",
                created_at=NOW,
                payload={"slug": title.lower().replace(" ", "-"), "html": html},
            )
        )


async def status_of(db: Database, name: str) -> WebsiteStatus | None:
    async with db.read() as session:
        return await session.scalar(select(Business.website_status).where(Business.name == name))


async def test_sites_without_a_lead_stand_on_top_then_the_ones_built_last(
    two_sites: list[int], desk: Desk
) -> None:
    await orphan(desk.db)
    await desk.press("5")
    assert desk.lines() == [
        "Ace Plumbing ▲ no lead now",
        "Woodhaven Plumbing ◐ preview up to date 2d",
        "Best Hair ◐ preview out of date 3d",
    ]
    assert desk.about() == (
        "1 site without a lead: r repairs one, R all",
        "1 out of date · 2 sites",
    )


async def test_an_empty_list_says_what_to_do_next(desk: Desk) -> None:
    await desk.press("5")
    empty = desk.sites.query_one("#empty", Static)
    assert empty.display
    assert "build with b" in str(empty.render())
    await desk.press("o", "b", "e", "enter", "r")
    assert desk.said == "Every site has its lead."


async def test_a_hostile_title_is_shown_as_text(desk: Desk) -> None:
    await orphan(desk.db, "Evil \x1b]52;c;x\x07 [red] \u202e")
    await desk.press("5")
    assert "\x1b" not in desk.lines()[0]
    assert "[red]" in desk.lines()[0]
    await desk.press("r")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("enter")
    assert "\x1b" not in desk.said


async def test_enter_opens_the_lead_and_esc_comes_back(two_sites: list[int], desk: Desk) -> None:
    await desk.press("5", "enter")
    assert isinstance(desk.app.screen, LeadScreen)
    await desk.press("escape")
    assert desk.in_front() is desk.sites
    await desk.press("1")
    assert desk.app.current_mode == "leads"


async def test_a_proposal_is_shown_and_accepting_it_gives_the_site_its_lead(desk: Desk) -> None:
    await orphan(desk.db)
    await desk.press("5", "r")
    assert isinstance(desk.app.screen, Confirm)
    question = str(desk.app.screen.query(Static).first().render())
    assert "came without a lead: it named no business" in question
    assert "Ace Plumbing, +17185550101" in question
    await desk.press("enter")
    assert desk.said == "ace-plumbing has its lead: a new lead was created."
    assert await status_of(desk.db, "Ace Plumbing") is WebsiteStatus.GENERATED
    assert desk.about() == ("", "1 site")


async def test_leaving_a_proposal_changes_nothing(desk: Desk) -> None:
    await orphan(desk.db)
    await desk.press("5", "enter", "escape")
    assert desk.app.screen is desk.sites
    async with desk.db.read() as session:
        assert (await session.scalars(select(Business.id))).all() == []


async def test_all_proposals_can_be_accepted_at_once(desk: Desk, add_lead: AddLead) -> None:
    lead = await add_lead("Somebody", phone="718 555 0101")
    await orphan(desk.db)
    await orphan(desk.db, "Other", "<h1>Other</h1>")
    await desk.press("5", "R")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("enter")
    assert desk.said == "Repaired 2 sites: 1 lead created, 1 linked."
    async with desk.db.read() as session:
        owners = set(await session.scalars(select(Site.business_id)))
    assert lead in owners
    assert len(owners) == 2


async def test_the_site_under_the_cursor_is_built_again(two_sites: list[int], desk: Desk) -> None:
    await desk.press("5", "G", "b")
    assert desk.said.startswith("Built ")
    assert desk.about() == ("", "2 sites")
    assert desk.lines()[0] == "Best Hair ◐ preview up to date now"


async def test_selected_sites_are_built_again_after_asking(
    two_sites: list[int], desk: Desk
) -> None:
    await orphan(desk.db)
    await desk.press("5", "*", "b")
    assert isinstance(desk.app.screen, Confirm)
    await desk.press("enter")
    assert desk.said == "Built 1 site, 1 site up to date already."


async def test_looking_at_a_site_serves_it_and_says_where(two_sites: list[int], desk: Desk) -> None:
    await desk.press("5", "o")
    assert isinstance(desk.app.screen, AddressScreen)
    async with desk.db.read() as session:
        seen = await session.scalar(
            select(Event.business_id).where(Event.kind == EventKind.PREVIEWED)
        )
    assert seen == two_sites[1]


async def test_what_needs_a_lead_says_so_on_a_site_without_one(desk: Desk) -> None:
    await orphan(desk.db)
    await desk.press("5")
    for key in ("o", "b", "e"):
        await desk.press(key)
        assert desk.said == "This site has no lead yet. r repairs it."


async def test_texts_of_an_imported_page_are_not_offered(desk: Desk) -> None:
    await orphan(desk.db)
    await desk.press("5", "r", "enter", "e")
    assert desk.said == "This page was imported as it is; it has no texts to edit."


async def test_texts_are_read_and_kept_for_the_screens(two_sites: list[int], desk: Desk) -> None:
    async with desk.db.read() as session:
        site_id = await session.scalar(select(Site.id).where(Site.business_id == two_sites[1]))
    assert site_id is not None
    work = desk.app.site_work
    text = await work.read_texts(site_id)
    assert not await work.save_texts(site_id, text)
    with pytest.raises(BadInput, match="The texts, line"):
        await work.save_texts(site_id, text.replace('headline = "', 'headline = "{nope} '))
    assert await work.save_texts(site_id, text.replace('headline = "', 'headline = "Now: '))
    await desk.press("5")
    assert desk.about()[1] == "2 out of date · 2 sites"


async def test_what_another_program_changed_is_seen_in_place(
    two_sites: list[int], desk: Desk
) -> None:
    await desk.press("5", "j")
    await orphan(desk.db)
    await desk.app.look_for_changes()
    await desk.settle()
    await desk.app.look_for_changes()
    await desk.settle()
    assert len(desk.lines()) == 3
    assert desk.sites.query_one(RowTable).cursor == 2
