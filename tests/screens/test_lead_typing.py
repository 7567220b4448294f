"""Typing into the filter of a long list: what was asked before does not go on running."""

from __future__ import annotations

import asyncio
import linecache
import sys
import time
from pathlib import Path

import pytest
from textual import events

from benchmarks.make_store import make_store
from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db import engine
from crm_tui.screens.leads import LeadsScreen
from tests.conftest import NOW

LEADS = 30_000
EVERY = 0.03
"""Seconds between two keys."""

SLOW = "name:~b city:~r zz"
"""A filter that makes the store read every lead, over and over as it is typed."""


@pytest.fixture(scope="module")
def long_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "crm.db"
    make_store(path, leads=LEADS)
    return path


def running() -> int:
    """How many statements the store works on at this moment, whoever has given them up."""
    count = 0
    for frame in sys._current_frames().values():
        code = frame.f_code
        if code.co_name == "_connection_worker_thread":
            line = linecache.getline(code.co_filename, frame.f_lineno)
            count += "tx.get()" not in line
        elif code.co_filename == engine.__file__:
            count += 1
    return count


async def type_fast(app: CrmApp, words: str) -> int:
    """Type as an operator in a hurry; the most statements there were at a time."""
    most = 0
    for letter in words:
        until = time.perf_counter() + EVERY
        app.post_message(events.Key(letter, letter))
        while time.perf_counter() < until:
            most = max(most, running())
            await asyncio.sleep(0.002)
    return most


async def shows(screen: LeadsScreen, words: str) -> None:
    """Wait until the list is the one of a filter, to its end."""
    async with asyncio.timeout(90):
        while screen.asked.text != words or not screen.listing.whole.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("words", [SLOW, "springfield plumbing"])
async def test_typing_leaves_no_statement_behind(long_list: Path, words: str) -> None:
    app = CrmApp(long_list, Settings(), now=lambda: NOW, throw_away=True)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = next(each for each in app.screen_stack if isinstance(each, LeadsScreen))
        await screen.listing.whole.wait()
        await pilot.press("slash")
        most = await type_fast(app, words)
        # The list and what could be meant; one given up may just be coming to its end.
        assert most <= 3
        await shows(screen, words)
        assert screen.listing.matching == screen.table.total
        async with asyncio.timeout(90):
            while running():  # noqa: ASYNC110 - what was given up may take a moment to end
                await asyncio.sleep(0.01)


async def test_a_slow_filter_is_given_up_when_another_one_is_typed(long_list: Path) -> None:
    app = CrmApp(long_list, Settings(), now=lambda: NOW, throw_away=True)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = next(each for each in app.screen_stack if isinstance(each, LeadsScreen))
        await screen.listing.whole.wait()
        await pilot.press("slash")
        await type_fast(app, SLOW)
        await pilot.press("ctrl+u", *"springfield", "enter")
        await shows(screen, "springfield")
        row = screen.table.cursor_row
        assert row is not None
        assert row.city == "Springfield" or "pringfield" in row.name
