"""How the lead list and the app's dialogs look; a changed picture is in snapshot_report.html."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import events, leads, timeline
from crm_tui.services.events import NewEvent
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind
from tests.conftest import NOW
from tests.screens.looks import Look, SnapCompare, in_every_look
from tests.screens.settling import press, settle

SIZES = ((80, 24), (120, 40))
SIZE_IDS = [f"{width}x{height}" for width, height in SIZES]

NAMES = {
    "Woodhaven Plumbing & Heating": "Ozone Park",
    "Tavella Plumbing & Heating": "Jamaica",
    "Ada's Hair and Nails": "Queens",
    "Παντοπωλείο Γωνιά": "Λεμεσός",
    "東京ラーメン 神田店": "Flushing",
    "Brown Bros. Roofing, Siding, Gutters and General Contracting LLC": "Brooklyn",
    "Café Cy": "Queens",
    "Dex Drains": "Albany",
    "[red]Evil[/] \x1b]52;c;eA==\x07 & Sons": "Queens",
    "Finnegan's Bakery": "New York",
    "Green Thumb Lawn Care": "Staten Island",
    "Harbor Auto Glass": "Bronx",
}
STATUSES = (
    ContactStatus.REPLIED,
    ContactStatus.CALLED,
    ContactStatus.OPENED,
    ContactStatus.PENDING,
    ContactStatus.CLICKED,
    ContactStatus.PURCHASED,
)


@pytest.fixture
def store(store_path: Path, settings: Settings) -> Path:
    """A dozen leads, each as far as another."""

    async def fill() -> None:
        db = Database(store_path)
        async with db.write() as session:
            for number, (name, city) in enumerate(NAMES.items()):
                fields = {"name": name, "city": city, "category": "Plumber", "country": "US"}
                if number % 3:
                    fields["phone"] = f"718 555 01{number:02}"
                if number % 4 == 0:
                    fields["email"] = f"office{number}@business.example"
                if number % 5 == 3:
                    fields["website"] = f"business{number}.example"
                captured = NOW - timedelta(days=9, hours=number)
                lead = await leads.add(session, fields, settings=settings, now=captured)
                status, at = STATUSES[number % len(STATUSES)], NOW - timedelta(hours=7 * number)
                if status is ContactStatus.CALLED:
                    await timeline.log_call(session, lead, CallOutcome.NO_ANSWER, at=at, now=NOW)
                elif status is not ContactStatus.PENDING:
                    opened = NewEvent(
                        lead,
                        EventKind.OPENED,
                        at,
                        "opened the mail",
                        "brevo",
                        moves_to=status,
                    )
                    await events.record(session, opened, now=NOW)
        await db.close()

    asyncio.run(fill())
    return store_path


def pressed(*keys: str, theme: str = "dark") -> Callable[[Pilot[None]], object]:
    """Wait for the list, then press keys."""

    async def run(pilot: Pilot[None]) -> None:
        pilot.app.theme = theme
        await settle(pilot)
        await press(pilot, keys)

    return run


def rested(*keys: str) -> Callable[[Pilot[None]], object]:
    """Press keys, and let what comes a moment later come too."""

    async def run(pilot: Pilot[None]) -> None:
        result = pressed(*keys)(pilot)
        assert isinstance(result, Coroutine)
        await result
        await settle(pilot, within=0.5)

    return run


@pytest.mark.parametrize("size", SIZES, ids=SIZE_IDS)
@pytest.mark.parametrize(
    "keys",
    [
        ("j", "j"),
        ("space", "space", "j", "space"),
        ("slash", *"queens"),
        ("slash", *"nobody", "enter"),
        ("comma",),
        ("colon", *"se"),
        ("question_mark",),
        ("asterisk", "b"),
        ("o",),
    ],
    ids=["leads", "selected", "filtered", "nobody", "sort", "palette", "help", "confirm", "said"],
)
def test_the_lead_list_looks_as_agreed(
    store: Path,
    settings: Settings,
    snap_compare: Callable[..., bool],
    keys: tuple[str, ...],
    size: tuple[int, int],
) -> None:
    app = CrmApp(store, settings, now=lambda: NOW)
    assert snap_compare(app, terminal_size=size, run_before=pressed(*keys))


@pytest.mark.parametrize("size", SIZES, ids=SIZE_IDS)
def test_the_light_theme_looks_as_agreed(
    store: Path, settings: Settings, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    app = CrmApp(store, settings, now=lambda: NOW)
    run = pressed("space", "j", theme="light")
    assert snap_compare(app, terminal_size=size, run_before=run)


@in_every_look
@pytest.mark.parametrize(
    "keys",
    [
        ("slash", *"city:"),
        ("slash", *"score>x", "enter"),
        ("v", "v", "c"),
        ("vertical_line", "j", "j", "plus"),
        ("space", "j", "space", "slash", *"queens", "enter"),
    ],
    ids=["completing", "problem", "views", "columns", "hidden"],
)
def test_what_helps_with_the_list_looks_as_agreed(
    look: Look, store: Path, snap_compare: SnapCompare, keys: tuple[str, ...]
) -> None:
    assert look.compare(snap_compare, store, run_before=rested(*keys))


@pytest.mark.parametrize(
    "size", [(80, 40), (120, 40), (160, 50)], ids=["80x40", "120x40", "160x50"]
)
def test_the_lead_beside_the_list_looks_as_agreed(
    store: Path, settings: Settings, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    app = CrmApp(store, settings, now=lambda: NOW)
    assert snap_compare(app, terminal_size=size, run_before=rested("p", "j"))


def test_the_list_uses_the_room_of_a_wide_window(
    store: Path, settings: Settings, snap_compare: Callable[..., bool]
) -> None:
    app = CrmApp(store, settings, now=lambda: NOW)
    assert snap_compare(app, terminal_size=(160, 50), run_before=pressed("j"))


@pytest.mark.parametrize("size", SIZES, ids=SIZE_IDS)
def test_an_empty_store_looks_as_agreed(
    store_path: Path, settings: Settings, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    app = CrmApp(store_path, settings, now=lambda: NOW)
    assert snap_compare(app, terminal_size=size, run_before=pressed())
