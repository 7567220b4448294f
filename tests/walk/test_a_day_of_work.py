"""A new user's first day, key by key, in the real program in a pseudo-terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.terminal_session import Terminal

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.pty

LIST = """\
name,phone,email,city,region,postal_code,street,category
Aster Plumbing,718 555 0101,,Queens,NY,11416,1 First St,Plumber
Birch Plumbing,718 555 0102,,Queens,NY,11416,2 First St,Plumber
Cedar Plumbing,718 555 0103,hello@cedar-plumbing.com,Brooklyn,NY,11201,3 First St,Plumber
Dogwood Heating,718 555 0104,,Brooklyn,NY,11201,4 First St,Plumber
Elm Heating,718 555 0105,,Bronx,NY,10451,5 First St,Plumber
Fir Drains,718 555 0106,,Queens,NY,11417,6 First St,Plumber
Fir Drains,718 555 0107,,Queens,NY,11417,6 First St,Plumber
"""


class Store:
    """The store of the day, asked by the command line."""

    def __init__(self, path: Path, cli: Cli) -> None:
        self.path = path
        self._cli = cli

    def open(self) -> Terminal:
        return Terminal(["-m", "crm_tui", "--db", str(self.path)], columns=100, lines=30)

    def run(self, *arguments: str) -> Any:
        ran = self._cli(*arguments, "--json")
        assert ran.code == 0, ran.err
        return ran.json

    def names(self, query: str) -> list[str]:
        found = self.run("leads", "list", query, "--sort", "name")
        return [lead["name"] for lead in found["leads"]]


@pytest.fixture
def store(store_path: Path, cli: Cli) -> Store:
    store_path.with_name("leads.csv").write_text(LIST, encoding="utf-8")
    store_path.unlink()  # the first start makes it
    return Store(store_path, cli)


def test_a_new_user_gets_through_a_day(store: Store) -> None:
    with store.open() as terminal:
        import_list(terminal, store.path.with_name("leads.csv"))
        filter_and_tag(terminal, store)
        undo_and_redo(terminal, store)
        call_five(terminal, store)
        merge_and_split(terminal, store)
        follow_up(terminal, store)
        terminal.press("/city:brooklyn")
        terminal.until(lambda text: "2 of 7" in text)
        terminal.press("\r")
        terminal.press("q")
        assert terminal.wait() == 0
    with store.open() as terminal:
        shown = terminal.until(lambda text: "2 of 7" in text)
        assert "/ city:brooklyn" in shown
        assert "Aster" not in shown
        terminal.press("\x1b")
        terminal.until(lambda text: "7 leads" in text)
        terminal.press("q")
        assert terminal.wait() == 0
    assert store.run("doctor")["ok"] is True


def import_list(terminal: Terminal, path: Path) -> None:
    terminal.until(lambda text: "There are no leads yet" in text)
    terminal.press("I")
    terminal.until(lambda text: "a CSV or JSON file" in text)
    terminal.press(f"{path}\r")
    terminal.until(lambda text: "Aster Plumbing" in text)
    terminal.press("i")
    terminal.until(lambda text: "can be taken back" in text)
    terminal.press("\r")
    terminal.until(lambda text: "7 new" in text)
    terminal.press("q")
    terminal.until(lambda text: "7 leads" in text and "Aster Plumbing" in text)


def filter_and_tag(terminal: Terminal, store: Store) -> None:
    terminal.press("/city:queens")
    terminal.until(lambda text: "4 of 7" in text)
    terminal.press("\r")
    terminal.press("*")
    terminal.until(lambda text: "4 selected" in text)
    terminal.press("t")
    terminal.until(lambda text: "Tag 4 leads" in text)
    terminal.press("near\r")
    terminal.until(lambda text: "tagged 4 leads near" in text.lower())
    assert len(store.names("tag:near")) == 4


def undo_and_redo(terminal: Terminal, store: Store) -> None:
    terminal.press("u")
    terminal.until(lambda text: "ndone: tagged 4 leads near" in text)
    assert store.names("tag:near") == []
    terminal.press("\x12")
    terminal.until(lambda text: "one again: tagged 4 leads near" in text)
    assert len(store.names("tag:near")) == 4
    terminal.press("\x1b")
    terminal.press("\x1b")
    terminal.until(lambda text: "7 leads" in text and "selected" not in text)


def call_five(terminal: Terminal, store: Store) -> None:
    terminal.press("g")
    terminal.press("g")
    for outcome in "12334":
        terminal.press("a")
        terminal.until(lambda text: "Outcome" in text and "wrong number" in text)
        terminal.press(outcome)
        if outcome == "4":
            terminal.press("\r")
            terminal.press("in 2 weeks")
        terminal.press("\r")
        terminal.until(lambda text: "wrong number" not in text)
    assert len(store.names("called:today")) == 5
    assert len(store.names("status:replied")) == 3
    assert len(store.names("outcome:later")) == 1


def merge_and_split(terminal: Terminal, store: Store) -> None:
    terminal.press("/drains")
    terminal.until(lambda text: "2 of 7" in text)
    terminal.press("\r*M")
    terminal.until(lambda text: "718" in text and "0106" in text and "0107" in text)
    terminal.press("M")
    terminal.until(lambda text: "1 of 6" in text or "6 leads" in text)
    assert store.names("drains") == ["Fir Drains"]
    assert (
        len(store.run("leads", "show", str(lead_id(store, "drains")))["lead"]["contact_points"])
        == 2
    )
    terminal.press("\x1b\x1b")
    terminal.until(lambda text: "6 leads" in text)
    terminal.press("u")
    terminal.until(lambda text: "7 leads" in text)
    assert store.names("drains") == ["Fir Drains", "Fir Drains"]


def lead_id(store: Store, query: str) -> int:
    (lead,) = store.run("leads", "list", query)["leads"]
    return int(lead["id"])


def follow_up(terminal: Terminal, store: Store) -> None:
    terminal.press("/aster")
    terminal.until(lambda text: "1 of 7" in text)
    terminal.press("\rf")
    terminal.until(lambda text: "Follow up with Aster" in text or "Follow-up" in text)
    terminal.press("in 2 weeks\t")
    terminal.press("\x15Send the preview")
    terminal.press("\x13")
    terminal.until(lambda text: "Save follow-up" not in text)
    tasks = store.run("tasks", "list")["tasks"]
    assert "Send the preview" in [
        task["what"] for task in tasks if task["name"] == "Aster Plumbing"
    ]
    terminal.press("\x1b\x1b")
    terminal.until(lambda text: "7 leads" in text)
