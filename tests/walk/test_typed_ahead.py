"""Keys that come faster than what they do: from a fast hand, over a slow line, in a busy store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.terminal_session import Terminal

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.pty

NAMES = ("Aster", "Birch", "Cedar", "Dogwood", "Twin", "Twin", "Ulmus", "Ulmus")
"""In the order of the list; two and two may be the same."""


@pytest.fixture
def store(store_path: Path, cli: Cli) -> Path:
    rows = [f"{name},718 555 01{number:02},11416" for number, name in enumerate(NAMES)]
    leads = store_path.with_name("leads.csv")
    leads.write_text("\n".join(("name,phone,postal_code", *rows)), encoding="utf-8")
    assert cli("import", str(leads)).code == 0
    return store_path


def started(store: Path) -> Terminal:
    terminal = Terminal(["-m", "crm_tui", "--db", str(store)])
    terminal.until(lambda text: f"{len(NAMES)} leads" in text and "Aster" in text)
    return terminal


def done(store: Path) -> list[str]:
    """What was done and not taken back, as undo has it, the oldest first."""
    asked = "SELECT words FROM undo_entry WHERE state = 'done' ORDER BY id"
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return [words for (words,) in connection.execute(asked)]


def test_what_is_typed_in_one_go_is_done_key_by_key_to_the_leads_it_was_meant_for(
    store: Path,
) -> None:
    with started(store) as terminal:
        terminal.send("tvip\rjtvip\rTvip\ruAu")
        terminal.until(lambda text: "Undone: archived Birch." in text)
    assert done(store) == ["tagged Aster vip", "tagged Birch vip"]


def test_a_lead_that_leaves_the_list_is_gone_before_the_next_key_is_done(store: Path) -> None:
    with started(store) as terminal:
        terminal.send("AAA")
        terminal.until(lambda text: f"{len(NAMES) - 3} leads" in text)
    assert done(store) == ["archived Aster", "archived Birch", "archived Cedar"]


def test_what_is_typed_as_a_lead_is_opened_is_for_its_page(store: Path) -> None:
    with started(store) as terminal:
        terminal.send("j\rnask for Bo\x13")
        terminal.until(lambda text: "Note on Birch. u takes it back." in text)
    assert done(store) == ["note on Birch"]


def test_enter_takes_the_lead_that_was_typed_and_not_the_one_found_before(store: Path) -> None:
    with started(store) as terminal:
        terminal.send("Mdog")
        terminal.until(lambda text: "▌  Dogwood" in text)
        terminal.send("\x15cedar\r")
        shown = terminal.until(lambda text: "Goes into it" in text and "Contacts" in text)
    assert "Cedar" in shown
    assert "Dogwood" not in shown


@pytest.mark.parametrize("where", ["the list", "side by side"])
def test_a_decision_typed_ahead_is_about_the_next_pair_and_takes_none_back(
    store: Path, where: str
) -> None:
    with started(store) as terminal:
        terminal.send(":may be the same\r")
        terminal.until(lambda text: "2 pairs" in text and "looking" not in text)
        if where == "side by side":
            terminal.send("\r")
            terminal.until(lambda text: "1 of 2" in text)
        terminal.send("Mx")
        terminal.until(lambda text: "are not the same. u takes it back." in text)
    assert done(store) == [
        "merged Twin into Twin",
        "said that Ulmus and Ulmus are not the same",
    ]


def test_a_call_that_waits_for_a_busy_store_is_not_lost_by_going_on_or_away(store: Path) -> None:
    with started(store) as terminal, closing(sqlite3.connect(store)) as busy:
        terminal.send("C")
        terminal.until(lambda text: "1 of 8" in text)
        busy.execute("BEGIN IMMEDIATE")
        terminal.send("3\r")
        terminal.send("]")
        terminal.until(lambda text: "is still being saved" in text)
        terminal.press("q")
        assert "1 of 8" in terminal.text
        busy.rollback()
        terminal.until(lambda text: "2 of 8 · 1 done today" in text)
    assert done(store) == ["call to Aster: talked"]
