"""Pages as the preview server hands them to a browser: its rules forbid nothing a page needs."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from crm_tui.services.sites.files import write_page
from crm_tui.services.sites.imported import whole_page
from crm_tui.services.sites.preview import Preview
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.texts import default_texts
from crm_tui.services.sites.themes import load_themes
from tests.sites.businesses import RICH

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
THEMES = load_themes()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it, or set CHROMIUM"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def preview(tmp_path: Path) -> Iterator[Preview]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    preview = Preview(tmp_path / "crm.db", tmp_path / "sites", port=port)
    yield preview
    preview.close()


def look(browser: Browser, url: str) -> tuple[list[str], list[str], str]:
    """What a page says in the console, what it asks for, and its background colour."""
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url, wait_until="networkidle")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.close()
    return said, asked, colour


@pytest.mark.parametrize("theme", THEMES)
def test_a_served_page_is_styled_quiet_and_alone(
    browser: Browser, preview: Preview, tmp_path: Path, theme: str
) -> None:
    html = Renderer(THEMES).render(RICH, default_texts(RICH, THEMES[theme]), theme)
    write_page(tmp_path / "sites", "ace", html)
    url = preview.address("ace")
    said, asked, colour = look(browser, url)
    assert said == []
    assert asked == [url]
    assert colour != "rgba(0, 0, 0, 0)"


def test_the_script_of_an_imported_page_does_not_run_and_nothing_is_loaded(
    browser: Browser, preview: Preview, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
        html = whole_page(
            f"<h1>Ace</h1><img src='{address}/x.png'>",
            f"@import '{address}/x.css'; body {{ background: rgb(1, 2, 3) }}",
            f"document.body.style.background = 'red'; fetch('{address}')",
            title="Ace",
        )
        write_page(tmp_path / "sites", "ace", html)
        said, _, colour = look(browser, preview.address("ace"))
        assert colour == "rgb(1, 2, 3)"
        assert any("Content Security Policy" in words for words in said)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
