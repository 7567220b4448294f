"""Builds that are taken back: first sites are archived, sites built again stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Site
from crm_tui.services import doctor, leads, timeline, undo
from crm_tui.services.sites.build import BuildReport, build_sites
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.vocabulary import SiteStatus, WebsiteStatus

if TYPE_CHECKING:
    from tests.conftest import AddLead, Cli

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(load_themes())


async def build(
    db: Database, ids: Sequence[int], renderer: Renderer, now: datetime = NOW
) -> BuildReport:
    return await build_sites(db, ids, renderer=renderer, clock=lambda: now, undoable=True)


async def statuses(db: Database) -> tuple[list[WebsiteStatus], list[SiteStatus]]:
    async with db.read() as session:
        of_leads = await session.scalars(select(Business.website_status).order_by(Business.id))
        of_sites = await session.scalars(select(Site.status).order_by(Site.id))
        return list(of_leads), list(of_sites)


async def words(db: Database) -> list[str]:
    async with db.read() as session:
        return [line.words for line in await undo.entries(session)]


async def test_first_sites_are_one_action_that_archives_them_when_it_is_undone(
    db: Database, add_lead: AddLead, renderer: Renderer, settings: Settings
) -> None:
    ids = [await add_lead(f"Business {number}") for number in range(60)]
    report = await build(db, ids, renderer)
    assert report.entry_id is not None
    assert await words(db) == ["built 60 sites"]
    undone = await undo.undo(db, settings=settings, now=NOW)
    assert (undone.restored, undone.left) == (60, [])
    of_leads, of_sites = await statuses(db)
    assert set(of_leads) == {WebsiteStatus.ARCHIVED}
    assert of_sites == [SiteStatus.ARCHIVED] * 60
    async with db.read() as session:
        told = await timeline.entries(session, ids[0])
    assert [entry.summary for entry in told] == ["captured by hand"]
    redone = await undo.redo(db, settings=settings, now=NOW)
    assert (redone.restored, redone.left) == (60, [])
    of_leads, of_sites = await statuses(db)
    assert set(of_leads) == {WebsiteStatus.GENERATED}
    assert set(of_sites) == {SiteStatus.PREVIEW}
    again = await build(db, ids, renderer)
    assert (again.built, again.unchanged, again.entry_id) == (0, 60, None)


async def test_a_site_that_is_built_again_is_no_action(
    db: Database, add_lead: AddLead, renderer: Renderer, settings: Settings
) -> None:
    old, new = await add_lead("Ace Plumbing"), await add_lead("Best Plumbing")
    await build(db, [old], renderer)
    assert await words(db) == ["built a site for Ace Plumbing"]
    async with db.write() as session:
        await leads.edit(session, old, {"city": "Queens"}, settings=settings, now=NOW)
    report = await build(db, [old, new], renderer, NOW + timedelta(hours=1))
    assert report.built == 2
    assert (await words(db))[0] == "built a site for Best Plumbing"
    await undo.undo(db, settings=settings, now=NOW + timedelta(hours=2))
    of_leads, of_sites = await statuses(db)
    assert of_leads == [WebsiteStatus.GENERATED, WebsiteStatus.ARCHIVED]
    assert of_sites == [SiteStatus.PREVIEW, SiteStatus.ARCHIVED]


async def test_a_build_that_was_undone_leaves_a_sound_store(
    db: Database, add_lead: AddLead, renderer: Renderer, settings: Settings
) -> None:
    lead = await add_lead("Ace Plumbing")
    await build(db, [lead], renderer)
    await undo.undo(db, settings=settings, now=NOW)
    rebuilt = await build(db, [lead], renderer, NOW + timedelta(hours=1))
    assert rebuilt.built == 1
    await db.close()
    report = await doctor.examine(db.path, settings=settings, now=NOW)
    assert report.findings == ()


def test_the_command_says_how_a_build_is_taken_back(cli: Cli) -> None:
    cli("leads", "add", "Ace Plumbing")
    ran = cli("sites", "build", "1", "--json")
    assert ran.json["undo"] == 2
    assert "First sites are archived again by: crm-tui undo.\n" in ran.err
    assert cli("undo", "--json").json == {
        "undone": "built a site for Ace Plumbing",
        "restored": 1,
        "left": [],
    }
    assert cli("sites", "list", "--json").json["sites"][0]["status"] == "archived"
