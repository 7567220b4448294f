"""Themes, no colour, ASCII and motion, in the app and in a real terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.color import Color
from textual.widgets import Input

from crm_tui.app import CrmApp
from crm_tui.config import AppearanceSettings, Settings, default_config_path
from crm_tui.palettes import FOLDER
from crm_tui.session import Session
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.terminal_session import Terminal

COLOUR = re.compile(rb"\x1b\[[0-9;]*?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")


def dressed(store: Path, *, environ: dict[str, str] | None = None, **wanted: object) -> CrmApp:
    appearance = AppearanceSettings(**wanted)  # type: ignore[arg-type]
    return CrmApp(store, Settings(appearance=appearance), now=lambda: NOW, environ=environ or {})


def own_theme(name: str, text: str) -> None:
    folder = default_config_path().with_name(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


async def test_the_settings_choose_the_theme(store_path: Path) -> None:
    async with dressed(store_path, theme="high-contrast").run_test() as pilot:
        assert pilot.app.theme == "high-contrast"
        assert pilot.app.screen.styles.background == Color.parse("#000000")


async def test_a_theme_of_ones_own_is_worn_like_any_other(store_path: Path) -> None:
    own_theme("dusk", 'background = "#221133"')
    async with dressed(store_path, theme="dusk").run_test() as pilot:
        assert pilot.app.screen.styles.background == Color.parse("#221133")


async def test_what_cannot_be_worn_is_one_sentence_and_the_app_starts(store_path: Path) -> None:
    own_theme("dusk", "background = 5")
    async with dressed(store_path, theme="dusk").run_test() as pilot:
        await pilot.pause()
        assert pilot.app.theme == "dark"
        words = pilot.app.screen.query_one(Footer).words
        assert "dusk.toml cannot be used: background must be a colour" in words
        assert "1 more" in words


async def test_a_chosen_theme_is_shown_at_once_and_kept_for_the_next_start(
    store_path: Path,
) -> None:
    async with dressed(store_path).run_test() as pilot:
        await pilot.press("colon", *"choose a theme", "enter", "down")
        await pilot.pause()
        assert pilot.app.theme == "light"
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.theme == "dark"
        await pilot.press("colon", *"choose a theme", "enter", "down", "down", "enter")
        await pilot.pause()
        assert pilot.app.theme == "high-contrast"
    assert Session.load(store_path).theme == "high-contrast"
    async with dressed(store_path).run_test() as pilot:
        assert pilot.app.theme == "high-contrast"


@pytest.mark.parametrize("environ", [{"SSH_CONNECTION": "1 2 3 4"}, {"SSH_TTY": "/dev/pts/1"}])
async def test_nothing_glides_over_ssh(store_path: Path, environ: dict[str, str]) -> None:
    async with dressed(store_path, environ=environ).run_test() as pilot:
        assert pilot.app.animation_level == "none"


async def test_nothing_glides_where_that_is_not_wanted(store_path: Path) -> None:
    async with dressed(store_path, motion=False).run_test() as pilot:
        assert pilot.app.animation_level == "none"


@pytest.mark.parametrize("key", ["slash", "colon", "comma"])
async def test_no_cursor_blinks(store_path: Path, add_lead: AddLead, key: str) -> None:
    await add_lead("Ada's Plumbing")
    async with dressed(store_path).run_test() as pilot:
        await pilot.app.workers.wait_for_complete()
        await pilot.press(key)
        await pilot.pause()
        for line in pilot.app.screen.query(Input):
            assert not line.cursor_blink


@pytest.mark.pty
async def test_without_colour_not_one_colour_is_written(
    store_path: Path, add_lead: AddLead
) -> None:
    for name in ("Ada's Plumbing", "Bo Roofing"):
        await add_lead(name)
    args = ["-m", "crm_tui", "--db", str(store_path)]
    with Terminal(args, env={"NO_COLOR": "1"}) as terminal:
        terminal.until(lambda text: "Bo Roofing" in text)
        for keys in (" ", "j", "\r", "n", "\x1b", "q", "?", "q", ":", "\x1b", "/bo", "\r", "5"):
            terminal.press(keys)
        assert COLOUR.findall(terminal.written) == []
        assert b"\x1b[7" in terminal.written.replace(b";7", b"\x1b[7")


@pytest.mark.pty
async def test_an_empty_no_color_asks_for_nothing(store_path: Path, add_lead: AddLead) -> None:
    await add_lead("Bo Roofing")
    args = ["-m", "crm_tui", "--db", str(store_path)]
    with Terminal(args, env={"NO_COLOR": ""}) as terminal:
        terminal.until(lambda text: "Bo Roofing" in text)
        assert COLOUR.findall(terminal.written) != []


@pytest.mark.pty
async def test_with_ascii_nothing_else_is_written(store_path: Path, add_lead: AddLead) -> None:
    await add_lead("Ada's Plumbing", phone="718 555 0100")
    await add_lead("Bo Roofing")
    args = ["-m", "crm_tui", "--db", str(store_path), "--ascii"]
    with Terminal(args) as terminal:
        terminal.until(lambda text: "Bo Roofing" in text)
        for keys in (" ", "j", "\r", "n", "\x1b", "q", "?", "q", ":", "\x1b", "/bo", "\r", "5"):
            terminal.press(keys)
        assert terminal.written.isascii()
