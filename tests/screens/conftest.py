"""What the tests of screens share: a store in which there is something of everything."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from crm_tui.config import Settings
from crm_tui.services.demo import make_demo
from tests.conftest import NOW
from tests.screens.mailings import add_quietly
from tests.screens.settling import still
from tests.screens.ways import folder_with_list


@pytest.fixture(autouse=True)
def _told_by_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pilot waits for what the app has under way, where it would watch the clock."""

    async def press(pilot: Pilot[None], *keys: str) -> None:
        for key in keys:
            await pilot.app._press_keys([key])
            await still(pilot)

    async def pause(pilot: Pilot[None], delay: float | None = None) -> None:
        await asyncio.sleep(delay or 0)
        await still(pilot)

    async def at_once(_min_sleep: float = 0, _max_sleep: float = 0) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(Pilot, "press", press)
    monkeypatch.setattr(Pilot, "pause", pause)
    monkeypatch.setattr("textual.app.wait_for_idle", at_once)


@pytest.fixture(autouse=True)
def _keys_have_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys typed ahead wait for what they mean on the slowest machine, too."""
    monkeypatch.setattr("crm_tui.widgets.ordered_keys._PATIENCE", 30.0)
    monkeypatch.setattr("crm_tui.widgets.ordered_keys._LONGEST", 120.0)
    monkeypatch.setattr("crm_tui.screens.leads._READ_WITHIN", 30.0)


@pytest.fixture(autouse=True)
def _no_upkeep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upkeep has tests of its own; where a test takes long, it would change what is shown."""
    monkeypatch.setattr("crm_tui.app._UPKEEP_AFTER", 3600.0)


@pytest.fixture(scope="session")
def made_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's store, made once, to be copied."""
    path = tmp_path_factory.mktemp("demo") / "crm.db"
    asyncio.run(make_demo(path, now=NOW, settings=Settings()))
    asyncio.run(add_quietly(path, "has:email city:Queens"))
    return path


@pytest.fixture
def demo(made_demo: Path, tmp_path: Path) -> Path:
    """The demo's store."""
    (tmp_path / "demo").mkdir()
    return Path(shutil.copy(made_demo, tmp_path / "demo" / "crm.db"))


@pytest.fixture
def list_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the app is started in, with one list; nothing outside the app is opened."""
    folder = folder_with_list(tmp_path)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EDITOR", "true")
    return folder
