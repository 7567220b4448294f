"""How the sites screen looks; a changed picture is shown in snapshot_report.html."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from crm_tui.app import CrmApp
from crm_tui.config import PublishingSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Site, Unmatched
from crm_tui.services import leads
from crm_tui.vocabulary import SiteStatus, UnmatchedKind
from tests.conftest import NOW
from tests.screens.settling import press, settle

SIZES = ((80, 24), (120, 40))
SITES = (
    ("Woodhaven Plumbing & Heating", "trades", SiteStatus.PREVIEW, True, False),
    ("Tavella Hair", "beauty", SiteStatus.PUBLISHED, False, True),
    ("Café Olé of the Seven Seas and All the Islands", "food", SiteStatus.PREVIEW, False, False),
    ("Smith & Daughters", "professional", SiteStatus.SOLD, False, False),
    ("Old Mill Garage", "imported", SiteStatus.PREVIEW, False, False),
    ("Harbour Dental", "professional", SiteStatus.ARCHIVED, False, False),
)
BASE = "https://previews.example.com"
PUBLIC = {
    "Tavella Hair": {"published_url": f"{BASE}/tavella-hair-z8ziaq/", "published_hash": "older"},
    "Smith & Daughters": {"published_url": f"{BASE}/smith-b2h4ka/", "published_hash": ""},
    "Woodhaven Plumbing & Heating": {
        "publish_problem": "rsync failed: no route to host (exit status 255)"
    },
}
PAGE = """<title>Ace Plumbing | Queens</title><a href="tel:7185550101">Call</a>
<a href="mailto:joe@aceplumbing.com">Write</a><address>12 Main St, Queens, NY 11416</address>"""


@pytest.fixture
def settings() -> Settings:
    return Settings(publishing=PublishingSettings(path="/srv/previews", base_url=BASE))


@pytest.fixture
def store(store_path: Path, settings: Settings) -> Path:
    """Sites of every state, and two without a lead."""

    async def fill() -> None:
        db = Database(store_path)
        async with db.write() as session:
            for days, (name, theme, status, out_of_date, own) in enumerate(SITES):
                lead = await leads.add(session, {"name": name}, settings=settings, now=NOW)
                session.add(
                    Site(
                        business_id=lead,
                        slug=name.lower().replace(" ", "-").replace("é", "e").replace("&", "and"),
                        theme=theme,
                        status=status,
                        out_of_date=out_of_date,
                        texts="headline = 'x'" if own else None,
                        content_hash="",
                        created_at=NOW - timedelta(days=40),
                        built_at=NOW - timedelta(days=2 * days, hours=1),
                        html="",
                        **PUBLIC.get(name, {}),
                    )
                )
            for title in ("Ace Plumbing", "best-pipes-of-queens"):
                session.add(
                    Unmatched(
                        key=title,
                        kind=UnmatchedKind.SITE,
                        title=title,
                        reason="its business 17 is not in the old store",
                        created_at=NOW - timedelta(hours=2),
                        payload={"slug": title.lower().replace(" ", "-"), "html": PAGE},
                    )
                )
        await db.close()

    asyncio.run(fill())
    return store_path


def pressed(*keys: str, theme: str = "dark") -> Callable[[Pilot[None]], object]:
    """Go to the sites, then press keys."""

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        pilot.app.theme = theme
        await press(pilot, ("5", *keys))

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("keys", [("j",), ("r",), ("R",)], ids=["sites", "repair", "repair-all"])
def test_the_sites_look_as_agreed(
    store: Path,
    settings: Settings,
    snap_compare: Callable[..., bool],
    keys: tuple[str, ...],
    size: tuple[int, int],
) -> None:
    app = CrmApp(store, settings, now=lambda: NOW)
    assert snap_compare(app, terminal_size=size, run_before=pressed(*keys))


def test_sites_in_the_light_theme_look_as_agreed(
    store: Path, settings: Settings, snap_compare: Callable[..., bool]
) -> None:
    app = CrmApp(store, settings, now=lambda: NOW)
    run = pressed("j", theme="light")
    assert snap_compare(app, terminal_size=(120, 40), run_before=run)


def test_no_sites_look_as_agreed(
    store_path: Path, settings: Settings, snap_compare: Callable[..., bool]
) -> None:
    app = CrmApp(store_path, settings, now=lambda: NOW)
    assert snap_compare(app, terminal_size=(80, 24), run_before=pressed())
