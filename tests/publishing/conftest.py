"""What tests of publishing share: a folder on the web, built sites, and what became of them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from crm_tui.config import PublishingSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event, Site
from crm_tui.services.publishing import choosing
from crm_tui.services.publishing.publish import PublishReport, publish_sites
from crm_tui.services.publishing.publisher import Publisher, open_publisher
from crm_tui.services.publishing.takedown import TakedownReport, unpublish_sites
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.public import PUBLIC, Public
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.vocabulary import EventKind, WebsiteStatus
from tests.conftest import NOW, AddLead

BASE = "https://previews.example.com"


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    return Renderer(load_themes())


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """The folder the public reads."""
    folder = tmp_path / "web"
    folder.mkdir()
    return folder


def within(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(each.name for each in folder.iterdir())


class Press:
    """Builds, publishes and takes down, with a clock that moves on."""

    def __init__(self, db: Database, web: Path, renderer: Renderer, add: AddLead) -> None:
        self.db = db
        self.web = web
        self.add = add
        self.now = NOW
        self._renderer = renderer
        self.command: Sequence[str] = ()
        self.timeout = 90
        self.base_url = BASE

    def tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    @property
    def settings(self) -> PublishingSettings:
        return PublishingSettings(
            path=str(self.web),
            base_url=self.base_url,
            command=tuple(self.command),
            timeout_seconds=self.timeout,
        )

    @property
    def publisher(self) -> Publisher:
        return open_publisher(self.settings)

    def run_before_the_public_sees_it(self, script: Path, program: str) -> None:
        """Have a small program of Python as the operator's command."""
        script.write_text(program)
        self.command = (sys.executable, str(script))

    async def lead_with_site(self, name: str = "Ace Plumbing", **fields: str) -> int:
        lead = await self.add(name, **fields)
        await self.build(lead)
        return lead

    async def build(self, *leads: int) -> None:
        await build_sites(self.db, leads, renderer=self._renderer, clock=self.tick)

    async def publish(self, *leads: int, **more: Any) -> PublishReport:
        async with self.db.read() as session:
            sites = await choosing.to_publish(session, leads)
        return await publish_sites(
            self.db, sites, publisher=self.publisher, clock=self.tick, **more
        )

    async def take_down(self, *leads: int, **more: Any) -> TakedownReport:
        async with self.db.read() as session:
            sites = await choosing.to_take_down(session, leads)
        return await unpublish_sites(
            self.db, sites, publisher=self.publisher, clock=self.tick, **more
        )

    async def site(self, lead: int) -> Site:
        async with self.db.read() as session:
            sites = await session.scalars(select(Site).where(Site.business_id == lead))
            return sites.one()

    async def public(self, lead: int) -> Public:
        async with self.db.read() as session:
            row = await session.execute(select(*PUBLIC).where(Site.business_id == lead))
            return Public.of(*row.one())

    async def website_status(self, lead: int) -> WebsiteStatus | None:
        async with self.db.read() as session:
            return await session.scalar(select(Business.website_status).where(Business.id == lead))

    async def told(self, lead: int) -> list[str]:
        """What the timeline says of publishing, oldest first."""
        kinds: Collection[EventKind] = (EventKind.SITE_PUBLISHED, EventKind.SITE_UNPUBLISHED)
        async with self.db.read() as session:
            lines = await session.scalars(
                select(Event.summary)
                .where(Event.business_id == lead, Event.kind.in_(kinds))
                .order_by(Event.id)
            )
            return list(lines)

    async def page(self, lead: int) -> Path:
        """Where the public's page of a lead is, if it is."""
        return self.web / (await self.site(lead)).slug / "index.html"

    async def change_texts(self, lead: int) -> None:
        """Let the site be built again with other words."""
        async with self.db.write() as session:
            await session.execute(
                update(Business).where(Business.id == lead).values(category="Bakery")
            )
        await self.build(lead)


@pytest.fixture
def press(db: Database, web: Path, renderer: Renderer, add_lead: AddLead) -> Press:
    return Press(db, web, renderer, add_lead)
