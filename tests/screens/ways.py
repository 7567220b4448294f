"""The way to every screen: the keys that lead there from the start, in a folder with one list.

Whoever adds a screen adds its way; the tests of keys, looks and sizes then take it along.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

LIST = """\
Firma;Ansprechpartner;Telefon;E-Mail;Ort;Bemerkung
Tavella Plumbing;Marco Tavella;718 555 0142;marco@tavella.example;Queens;Called once
Woodhaven Heating;;718 555 0143;office@woodhaven.example;Ozone Park;
Best Roofing;Ann Bee;718 555 0144;;Jamaica;
"""


class Way(NamedTuple):
    """How a screen is reached.

    Attributes:
        keys: Pressed one after the other.
        is_there_without_leads: Whether it is there in an empty store, and says so.
    """

    keys: tuple[str, ...]
    is_there_without_leads: bool = False


_LIST = ("I", "down", "enter")

WAYS: dict[str, Way] = {
    "leads": Way((), is_there_without_leads=True),
    "lead": Way(("enter",)),
    "calls": Way(("C",)),
    "today": Way(("2",), is_there_without_leads=True),
    "campaigns": Way(("3",), is_there_without_leads=True),
    "wizard": Way(("3", "c"), is_there_without_leads=True),
    "ledger": Way(("3", "enter")),
    "adding": Way(("3", "enter", "a")),
    "left_out": Way(("3", "enter", "o")),
    "funnel": Way(("4",), is_there_without_leads=True),
    "figure": Way(("4", "h", "h", "G", "enter")),  # from a page that is open there, too
    "sites": Way(("5",), is_there_without_leads=True),
    "duplicates": Way((":", *"may be the same", "enter"), is_there_without_leads=True),
    "suppression": Way((":", *"suppression", "enter"), is_there_without_leads=True),
    "worker": Way((":", *"worker log", "enter"), is_there_without_leads=True),
    "plans": Way((":", *"plans and", "enter"), is_there_without_leads=True),
    "settings": Way(("6",), is_there_without_leads=True),
    "merge": Way(("space", "space", "M")),
    "import": Way(_LIST),
    "columns": Way((*_LIST, "m")),
    "report": Way((*_LIST, "i", "enter")),
}
"""The ways by the area of their screen (crm_tui.actions.SCREENS)."""


def folder_with_list(parent: Path) -> Path:
    """Make a folder with nothing but the list, to be the current one."""
    folder = parent / "lists"
    folder.mkdir()
    (folder / "a-list.csv").write_text(LIST, encoding="utf-8")
    return folder
