"""Every theme in every palette, opened from disk in headless Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from crm_tui.services.publishing.pages import Offer, public_page
from crm_tui.services.sites.facts import SiteFacts
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.texts import SiteTexts, default_texts
from crm_tui.services.sites.themes import load_themes
from tests.sites.businesses import EVERYBODY, HOSTILE, HOSTILE_TEXTS, ONLY_A_NAME, RICH

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
AXE = Path(str(files("axe_playwright_python") / "axe.min.js"))
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
THEMES = load_themes()
RENDERER = Renderer(THEMES)
OFFER = Offer(
    1,
    "https://buy.example.com/1?client_reference_id=k&prefilled_email=jo%40marsh.example",
    "49.00 USD a month, 99.00 USD at the beginning",
)
LOOKS = [(theme.name, palette) for theme in THEMES.values() for palette in theme.palettes]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it, or set CHROMIUM"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=[360, 1280])
def tab(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Tab]:
    context = browser.new_context(
        viewport={"width": request.param, "height": 800}, reduced_motion="reduce"
    )
    context.add_init_script(path=AXE)
    yield Tab(context.new_page())
    context.close()


class Tab:
    """One page of a browser, noting everything that should not happen in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.noise: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.noise.append(str(error)))
        page.on("dialog", lambda dialog: self.noise.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.noise.append(message.text)

    def open(self, file: Path, html: str) -> None:
        """Write the page to `file`, open it, and see that it is quiet, alone and not too wide."""
        file.write_text(html, encoding="utf-8")
        self.noise.clear()
        self.requests.clear()
        self.page.goto(file.as_uri())
        wide, room = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= room
        assert self.noise == []
        assert self.requests == [file.as_uri()]

    def violations(self) -> list[str]:
        """What axe-core finds under its default rules: rule, element and reason."""
        result = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {node['html']}: {node['failureSummary']}"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]


@pytest.mark.parametrize(("theme", "palette"), LOOKS, ids=[" ".join(look) for look in LOOKS])
@pytest.mark.parametrize(
    "facts", [RICH, ONLY_A_NAME, HOSTILE], ids=["rich", "only a name", "hostile"]
)
def test_a_page_is_quiet_alone_and_open_to_everybody(
    tab: Tab, tmp_path: Path, theme: str, palette: str, facts: SiteFacts
) -> None:
    texts = default_texts(facts, THEMES[theme])
    tab.open(tmp_path / "page.html", RENDERER.render(facts, texts, theme, palette=palette))
    assert tab.violations() == []


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_makes_a_page_too_wide(tab: Tab, tmp_path: Path, theme: str) -> None:
    for facts in EVERYBODY.values():
        texts: SiteTexts
        for texts in (default_texts(facts, THEMES[theme]), HOSTILE_TEXTS):
            tab.open(tmp_path / "page.html", RENDERER.render(facts, texts, theme))


@pytest.mark.parametrize("theme", THEMES)
def test_the_keyboard_reaches_the_content_first(tab: Tab, tmp_path: Path, theme: str) -> None:
    texts = default_texts(RICH, THEMES[theme])
    tab.open(tmp_path / "page.html", RENDERER.render(RICH, texts, theme))
    tab.page.keyboard.press("Tab")
    focused = tab.page.evaluate(
        "(() => { const a = document.activeElement, box = a.getBoundingClientRect();"
        " return [a.className, box.top >= 0, getComputedStyle(a).outlineStyle]; })()"
    )
    assert focused == ["skip", True, "solid"]


@pytest.mark.parametrize("theme", THEMES)
def test_the_offer_on_a_public_page_is_open_to_everybody_and_not_on_paper(
    tab: Tab, tmp_path: Path, theme: str
) -> None:
    made = RENDERER.render(RICH, default_texts(RICH, THEMES[theme]), theme)
    tab.open(tmp_path / "page.html", public_page(made, OFFER))
    assert tab.violations() == []
    link = tab.page.get_by_role("link", name="Keep it")
    assert link.get_attribute("href") == "https://buy.example.com/1?client_reference_id=k"
    box = link.bounding_box()
    assert box is not None
    assert box["height"] >= 40
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.textContent") == "Keep it"
    tab.page.emulate_media(media="print")
    assert not link.is_visible()
    tab.page.emulate_media(media="screen")
