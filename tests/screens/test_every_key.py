"""Every key of the registry on every screen: whatever it does there, nothing breaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from crm_tui.actions import ACTIONS, ANY_LETTER, SCREENS
from crm_tui.app import CrmApp
from crm_tui.config import PreviewSettings, Settings
from crm_tui.defects import log_path
from crm_tui.screens.base import AppScreen
from crm_tui.widgets.keys import at_hand
from tests.conftest import NOW
from tests.screens.settling import press, settle
from tests.screens.ways import WAYS

ENDS_THE_APP = {"q"}
"""On the first screen; pressed where another one is on top of it."""

KEYS = sorted({key for action in ACTIONS for key in action.keys})
SIZES = ((80, 24), (100, 30), (160, 50), (240, 70), (40, 10))


def app_on(store: Path) -> CrmApp:
    return CrmApp(store, Settings(preview=PreviewSettings(browser=False)), now=lambda: NOW)


def parts(keys: str) -> list[str]:
    """The keys that are pressed one after the other."""
    return ["a" if part == ANY_LETTER else part for part in keys.split(" ")]


async def on_screen(pilot: Pilot[None], area: str) -> None:
    """Go to a screen, from wherever the last key has led."""
    app = pilot.app
    for _ in range(6):
        if shown(app) == area:
            return
        await pilot.press("escape")
        await pilot.pause()
    while len(app.screen_stack) > 1:
        await app.pop_screen()
    await app.switch_mode("leads")
    while len(app.screen_stack) > 1:
        await app.pop_screen()
    await settle(pilot)
    await press(pilot, WAYS[area].keys)
    assert shown(app) == area


def shown(app: App[None]) -> str:
    """The area of the screen in front; "" for a dialog."""
    return app.screen.AREA if isinstance(app.screen, AppScreen) else ""


def test_every_screen_has_a_way() -> None:
    assert WAYS.keys() == SCREENS.keys()


@pytest.mark.parametrize("area", WAYS)
async def test_every_key_can_be_pressed_on_every_screen(
    area: str, demo: Path, list_folder: Path
) -> None:
    await press_every_key(demo, area)


@pytest.mark.long
@pytest.mark.parametrize("area", [area for area, way in WAYS.items() if way.is_there_without_leads])
async def test_every_key_can_be_pressed_where_there_is_nothing(
    area: str, store_path: Path, list_folder: Path
) -> None:
    await press_every_key(store_path, area)


async def press_every_key(store: Path, area: str) -> None:
    app = app_on(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, WAYS[area].keys)
        for keys in KEYS:
            await on_screen(pilot, area)
            if keys in ENDS_THE_APP and len(app.screen_stack) == 1:
                continue
            await pilot.press(*parts(keys))
            await pilot.pause()
            assert app.return_code is None, f"{keys} ended the app"
            assert not log_path().exists(), f"{keys}: {log_path().read_text()}"
        await settle(pilot)
    assert not log_path().exists(), log_path().read_text()


@pytest.mark.parametrize("area", WAYS)
async def test_only_what_the_registry_names_is_at_hand_on_a_screen(
    area: str, demo: Path, list_folder: Path
) -> None:
    app = app_on(demo)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, WAYS[area].keys)
        assert isinstance(app.screen, AppScreen)
        areas = {each.action.area for each in at_hand(app.screen)}
        assert areas <= {*SCREENS[area], "everywhere"}
        assert set(app.screen.FOOTER) <= {each.action.id for each in at_hand(app.screen)}


@pytest.mark.parametrize("area", WAYS)
async def test_every_screen_can_be_shown_in_every_size(
    area: str, demo: Path, list_folder: Path
) -> None:
    app = app_on(demo)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, WAYS[area].keys)
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            await pilot.press("question_mark")
            await pilot.press("escape")
        await settle(pilot)
        assert shown(app) == area
    assert not log_path().exists()
