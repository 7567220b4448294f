"""How merging and erasing look; a changed picture is shown in snapshot_report.html."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import backup, leads, tags, timeline
from tests.conftest import NOW
from tests.screens.looks import Look, SnapCompare, in_every_look, pressed

LEADS = (
    {
        "name": "Woodhaven Plumbing & Heating",
        "category": "Plumber",
        "street": "104-20 Jamaica Ave",
        "city": "Ozone Park",
        "postal_code": "11416",
        "region": "NY",
        "country": "US",
        "phone": "718 555 0142",
    },
    {
        "name": "Woodhaven Plumbing",
        "street": "104-20 Jamaica Avenue",
        "city": "Woodhaven",
        "phone": "718 555 0142",
        "email": "office@woodhaven.example",
        "website": "woodhaven-plumbing.com",
    },
    {"name": "Café Olé of the Seven Seas and All the Islands", "postal_code": "10451"},
    {"name": "Café Olé of the Seven Seas and All the Islands", "postal_code": "10451"},
    {"name": "Smith & Daughters", "street": "7 Oak St", "city": "Queens"},
    {"name": "Smith & Daughters Bakery", "street": "7 oak st", "city": "Queens"},
)
DUPLICATES = (":", *"may be the same", "enter")


@pytest.fixture
def store(store_path: Path, settings: Settings) -> Path:
    """Leads that may be the same, and the backup of the day, so that no other one is made."""

    async def fill() -> None:
        db = Database(store_path)
        async with db.write() as session:
            ids = [
                await leads.add(session, fields, settings=settings, now=NOW, duplicate=True)
                for fields in LEADS
            ]
            await tags.add(session, [ids[0]], "vip", now=NOW)
            await timeline.add_note(session, ids[1], "Ask for Ann.", now=NOW)
        await db.close()

    asyncio.run(fill())
    backup.backup_if_due(store_path, config_path=None, keep=settings.backup, now=NOW)
    return store_path


@in_every_look
def test_the_duplicates_look_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
    assert look.compare(snap_compare, store, run_before=pressed(*DUPLICATES, "j"))


@in_every_look
def test_two_leads_side_by_side_look_as_agreed(
    look: Look, store: Path, snap_compare: SnapCompare
) -> None:
    run = pressed(*DUPLICATES, "enter", "space", "j", "j")
    assert look.compare(snap_compare, store, run_before=run)


@in_every_look
def test_erasing_looks_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
    run = pressed(":", *"erase for good", "enter", "n", "enter")
    assert look.compare(snap_compare, store, run_before=run)


def test_finding_a_lead_to_compare_with_looks_as_agreed(
    store: Path, settings: Settings, snap_compare: SnapCompare
) -> None:
    run = pressed("/", *"cafe", "enter", "M", "x", "M", *"smi")
    assert Look(80, 24).compare(snap_compare, store, run_before=run)


def test_side_by_side_in_the_light_theme_looks_as_agreed(
    store: Path, snap_compare: SnapCompare
) -> None:
    run = pressed(*DUPLICATES, "enter")
    assert Look(120, 40).compare(snap_compare, store, run_before=run, theme="light")
