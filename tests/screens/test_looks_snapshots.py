"""Every screen in every look; a changed picture is in snapshot_report.html."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.screens.looks import Look, SnapCompare, in_every_look
from tests.screens.settling import press, settle
from tests.screens.ways import WAYS

STOPS: dict[str, tuple[str, ...]] = {
    "leads": (*WAYS["leads"].keys, "j", "space", "V", "j", "j"),
    "lead": WAYS["lead"].keys,
    "note": (*WAYS["lead"].keys, "n"),
    "sites": (*WAYS["sites"].keys, "j"),
    "file": ("I",),
    "import": WAYS["import"].keys,
    "columns": WAYS["columns"].keys,
    "report": WAYS["report"].keys,
    "help": ("question_mark",),
    "palette": ("colon", "c", "a"),
    "themes": ("colon", *"theme", "enter"),
    "confirm": ("space", "space", "b"),
}
"""Where a picture is taken: the keys that lead there."""


@pytest.mark.parametrize("stop", STOPS)
@in_every_look
def test_a_screen_looks_as_agreed(
    look: Look, stop: str, demo: Path, list_folder: Path, snap_compare: SnapCompare
) -> None:
    async def go(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await press(pilot, STOPS[stop])

    assert look.compare(snap_compare, demo, run_before=go)


@pytest.mark.parametrize("theme", ["light", "high-contrast", "terminal"])
@pytest.mark.parametrize("stop", ["leads", "note"])
def test_a_theme_looks_as_agreed(
    theme: str, stop: str, demo: Path, list_folder: Path, snap_compare: SnapCompare
) -> None:
    async def go(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await press(pilot, STOPS[stop])

    assert Look(100, 30).compare(snap_compare, demo, run_before=go, theme=theme)
