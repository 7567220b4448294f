"""How calling, and what else is done to a lead, looks; a changed picture is shown in the report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business
from crm_tui.services import calling, leads, tags, tasks, timeline
from crm_tui.vocabulary import CallOutcome
from tests.conftest import NOW
from tests.screens.looks import Look, SnapCompare, in_every_look, pressed

DAY = timedelta(days=1)
WEEKDAYS = {day: [["08:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
LEADS = (
    ("Woodhaven Plumbing & Heating", "718 555 0142", "Ozone Park"),
    ("Tavella Plumbing & Heating", "718 555 0143", "Jamaica"),
    ("Best Roofing", "718 555 0144", "Queens"),
    ("Harbour Dental", "718 555 0145", "Brooklyn"),
)


@pytest.fixture(autouse=True)
def _machine_in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The hours in the pictures are the same wherever they are taken."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def store(store_path: Path, settings: Settings) -> Path:
    """Four plumbers and others; the third was called today, the first has a history."""

    async def fill() -> None:
        db = Database(store_path)
        async with db.write() as session:
            ids = []
            for name, phone, city in LEADS:
                fields = {"name": name, "phone": phone, "city": city, "region": "NY"}
                fields |= {"street": "103-16 Liberty Avenue", "country": "US"}
                fields |= {"category": "Plumber", "timezone": "America/New_York"}
                ids.append(await leads.add(session, fields, settings=settings, now=NOW - 9 * DAY))
            first = ids[0]
            await session.execute(
                update(Business).values(
                    hours={**WEEKDAYS, "sat": [], "sun": []}, rating=4.6, review_count=87
                )
            )
            await tags.add(session, [first], "vip", now=NOW - 5 * DAY)
            await timeline.add_note(
                session,
                first,
                "Ask for Maria, she decides; not before ten.",
                at=NOW - 5 * DAY,
                now=NOW - 5 * DAY,
            )
            await calling.log(session, first, CallOutcome.VOICEMAIL, now=NOW - 2 * DAY)
            await tasks.add(session, first, "call back", NOW - DAY / 24, now=NOW - 2 * DAY)
            await calling.log(session, ids[2], CallOutcome.NO_ANSWER, now=NOW)
        await db.close()

    asyncio.run(fill())
    return store_path


@in_every_look
def test_the_call_sheet_looks_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
    keys = ("slash", *"woodhaven", "enter", "C", "3", "tab", *"wants a price", "tab", *"tue 10")
    assert look.compare(snap_compare, store, run_before=pressed(*keys))


def test_the_call_sheet_uses_the_room_of_a_wide_window(
    store: Path, snap_compare: SnapCompare
) -> None:
    keys = ("slash", *"woodhaven", "enter", "C", "4")
    assert Look(160, 50).compare(snap_compare, store, run_before=pressed(*keys))


def test_the_call_sheet_in_the_light_theme_looks_as_agreed(
    store: Path, snap_compare: SnapCompare
) -> None:
    run = pressed("C", "1", "enter")
    assert Look(80, 24).compare(snap_compare, store, run_before=run, theme="light")


def test_the_end_of_a_call_sheet_looks_as_agreed(store: Path, snap_compare: SnapCompare) -> None:
    run = pressed("C", *["right_square_bracket"] * 3)
    assert Look(80, 24).compare(snap_compare, store, run_before=run)


@in_every_look
def test_a_call_looks_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
    keys = ("slash", *"woodhaven", "enter", "a", "2")
    assert look.compare(snap_compare, store, run_before=pressed(*keys))


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(("D",), id="never"),
        pytest.param(("O", "5", "tab"), id="outcome"),
        pytest.param(("t", "v"), id="tag"),
        pytest.param(("asterisk", "E"), id="export"),
        pytest.param(("asterisk", "e", "2"), id="field"),
        pytest.param(("j", "D", "1", "enter", "D"), id="allow"),
    ],
)
def test_what_is_done_to_leads_looks_as_agreed(
    keys: tuple[str, ...], store: Path, snap_compare: SnapCompare
) -> None:
    assert Look(80, 24).compare(snap_compare, store, run_before=pressed(*keys))
