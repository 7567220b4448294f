"""Bulk changes in the app that are cut off: whole chunks, one entry of undo, nothing left behind."""

from __future__ import annotations

import asyncio
import shutil
import signal
import termios
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from crm_tui.clock import utc_now
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services import rescoring
from crm_tui.services.bulk import CHUNK
from tests.crash.crowd import fill, number, picture
from tests.terminal_session import Terminal

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.pty

LEADS = 10_000


class Case(NamedTuple):
    """Something done to all leads at once: its keys, what tells how far it is, and its words."""

    keys: tuple[str, ...]
    question: str
    changed: str
    words: str


TAG = Case(
    ("t", "vip\r"),
    "Tag 10,000 leads vip?",
    "SELECT count(*) FROM business_tag",
    "tagged {} leads vip",
)
ARCHIVE = Case(
    ("A",),
    "Archive 10,000 leads?",
    "SELECT count(*) FROM business WHERE archived_at IS NOT NULL",
    "archived {} leads",
)
STATUS = Case(
    ("s", "4\x13"),
    "Set the status of 10,000 leads to called?",
    "SELECT count(*) FROM business WHERE contact_status = 'called'",
    "set the status of {} leads to called",
)


async def score(store: Path, now: datetime) -> None:
    db = Database(store)
    await rescoring.refresh(db, Settings().score, now=now)
    await db.close()


@pytest.fixture(scope="module")
def crowd(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose leads are scored as of now, so that the app finds nothing to bring up to date."""
    path = Path(shutil.copy(empty_store, tmp_path_factory.mktemp("crowd") / "crm.db"))
    now = utc_now()
    fill(path, LEADS, now)
    asyncio.run(score(path, now))
    return path


@pytest.fixture
def store(crowd: Path, store_path: Path) -> Path:
    return Path(shutil.copy(crowd, store_path))


def started(store: Path) -> Terminal:
    return Terminal(["-m", "crm_tui", "--db", str(store)], env={"TERM": "screen-256color"})


def begin(terminal: Terminal, case: Case) -> None:
    """Do it to all leads, up to the question."""
    terminal.until(lambda text: f"{LEADS:,} leads" in text)
    terminal.send("*")
    terminal.until(lambda text: f"{LEADS:,} selected" in text)
    for keys in case.keys:
        terminal.press(keys)
    terminal.until(lambda text: case.question in text)
    terminal.send("\r")


def until_some_are_changed(terminal: Terminal, store: Path, case: Case) -> None:
    """Wait until two chunks are done, as another process sees it."""
    deadline = time.monotonic() + 90
    while number(store, case.changed) < 2 * CHUNK:
        assert time.monotonic() < deadline, terminal.text
        terminal.read(0)


def who_holds(store: Path) -> set[str]:
    """The processes that have the store open."""
    holding = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # it is gone meanwhile
            if link.readlink().is_relative_to(store.parent):
                holding.add(link.parts[2])
    return holding


def undone_in_the_app(terminal: Terminal, case: Case, done: int) -> None:
    """One key takes back what was done, to the last lead, and there is nothing more to undo."""
    terminal.press("u")
    words = case.words.format(f"{done:,}")
    terminal.until(lambda text: f"Undone: {words}." in text)
    terminal.press("u")
    terminal.until(lambda text: "nothing to undo" in text)


def cut_off(store: Path, case: Case, deadly: signal.Signals) -> int:
    """Change all leads in the app, and end it by a signal on the way; returns how many it changed."""
    with started(store) as terminal:
        modes = termios.tcgetattr(terminal.fileno)
        begin(terminal, case)
        until_some_are_changed(terminal, store, case)
        terminal.signal(deadly)
        killed = deadly is signal.SIGKILL
        assert terminal.wait() == (-deadly if killed else 128 + deadly)
        assert killed or termios.tcgetattr(terminal.fileno) == modes
        assert b"Traceback" not in terminal.written
    assert who_holds(store) == set()
    done = number(store, case.changed)
    assert 0 < done < LEADS
    assert done % CHUNK == 0
    return done


@pytest.mark.parametrize(
    ("case", "deadly"),
    [(ARCHIVE, signal.SIGTERM), (STATUS, signal.SIGINT), (STATUS, signal.SIGKILL)],
    ids=["archiving, SIGTERM", "setting the status, SIGINT", "setting the status, SIGKILL"],
)
def test_an_app_killed_as_it_changes_leads_has_done_whole_chunks_and_undo_holds_exactly_those(
    cli: Cli, store: Path, case: Case, deadly: signal.Signals
) -> None:
    before = picture(store)
    done = cut_off(store, case, deadly)
    (entry,) = cli("undo", "--list", "--json").json["entries"]
    assert entry["words"] == case.words.format(f"{done:,}")
    undone = cli("undo", "--json")
    assert (undone.code, undone.json["restored"], undone.json["left"]) == (0, done, [])
    assert picture(store) == before
    assert cli("doctor").code == 0


def test_a_change_cut_off_by_a_hang_up_is_taken_back_at_the_next_start_with_all_still_selected(
    store: Path,
) -> None:
    before = picture(store)
    done = cut_off(store, TAG, signal.SIGHUP)
    with started(store) as terminal:
        terminal.until(lambda text: f"{LEADS:,} selected" in text)
        undone_in_the_app(terminal, TAG, done)
    assert picture(store) == before


def test_a_change_cancelled_in_a_window_that_changes_its_size_says_how_far_it_came(
    store: Path,
) -> None:
    before = picture(store)
    with started(store) as terminal:
        begin(terminal, STATUS)
        until_some_are_changed(terminal, store, STATUS)
        terminal.resize(60, 15)
        terminal.resize(120, 40)
        terminal.send("\x03")
        text = terminal.until(lambda text: "Stopped after" in text)
        done = number(store, STATUS.changed)
        words = STATUS.words.format(f"{done:,}").capitalize()
        assert f"Stopped after {done:,} of {LEADS:,}. {words}. u takes it back." in text
        undone_in_the_app(terminal, STATUS, done)
        terminal.press("q")
        assert terminal.wait() == 0
    assert picture(store) == before
