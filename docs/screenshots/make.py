"""Make the pictures of the README from the demo: `make screenshots`.

The clock stands still, so that the same program makes the same pictures. Those of a site need
Chromium; without it they stay as they are.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.async_api import async_playwright
from textual.pilot import Pilot

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.services.demo import make_demo

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 20, 15, 4, tzinfo=UTC)
SIZE, LARGE = (120, 34), (160, 50)
_REST = 0.2
"""Seconds after a key until what waits for the operator to rest is there: the lead beside the list."""


async def pictures(pilot: Pilot[None]) -> None:
    """Walk through the app as a reader would, taking a picture at each stop."""
    await _settle(pilot)
    _take(pilot, "leads")
    await _press(pilot, "down", "down", "down", "enter")
    _take(pilot, "lead")
    await _press(pilot, "escape", "v", "c", "C")
    _take(pilot, "calls")
    await _press(pilot, "escape", "2")
    _take(pilot, "today")
    await _press(pilot, "5")
    _take(pilot, "sites")


async def large_pictures(pilot: Pilot[None]) -> None:
    """What a large window has room for: a filtered list with the lead under the cursor beside it."""
    await _settle(pilot)
    await _press(pilot, "/", *"score>=70 -has:website", "enter", "p", "down", "down")
    _take(pilot, "leads-pane")


async def _press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await _settle(pilot)


async def _settle(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause(_REST)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def site_pictures(store: Path) -> None:
    """Take the first site of the demo as a desktop and a phone show it."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        print("No Chromium here: the pictures of a site stay as they are.")
        return
    page = next(store.with_name(f"{store.name}.sites").glob("delgado-*/index.html"))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        for name, (width, height) in {"site": (1280, 860), "site-phone": (390, 860)}.items():
            tab = await browser.new_page(viewport={"width": width, "height": height})
            await tab.goto(page.as_uri())
            await tab.screenshot(path=HERE / f"{name}.png")
        await browser.close()


def _take(pilot: Pilot[None], name: str) -> None:
    (HERE / f"{name}.svg").write_text(
        pilot.app.export_screenshot(title="crm-tui"), encoding="utf-8"
    )


async def main() -> None:
    """Make the demo in a folder that is thrown away, and the pictures beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "crm.db"
        await make_demo(store, now=NOW)
        for size, walk in ((SIZE, pictures), (LARGE, large_pictures)):
            app = CrmApp(store, Settings(), now=lambda: NOW, environ={})
            async with app.run_test(size=size) as pilot:
                await walk(pilot)
            store.with_name(f"{store.name}.session.json").unlink(missing_ok=True)
        await site_pictures(store)


if __name__ == "__main__":
    asyncio.run(main())
