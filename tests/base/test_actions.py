from __future__ import annotations

import importlib
import pkgutil
from collections import Counter

import pytest
from textual.dom import DOMNode

from crm_tui import screens
from crm_tui.actions import ACTIONS, AREA_TITLES, Action, actions_in
from crm_tui.app import CrmApp
from crm_tui.screens.base import AppScreen
from crm_tui.widgets.keys import KeyArea
from crm_tui.widgets.row_table import RowTable

# What a plain terminal (TERM=linux) cannot send, or sends as another key.
UNSENDABLE = {"ctrl+m", "ctrl+i", "ctrl+h", "ctrl+j", "ctrl+s", "ctrl+q"}


for module in pkgutil.iter_modules(screens.__path__, f"{screens.__name__}."):
    importlib.import_module(module.name)


def owners() -> dict[str, type[DOMNode]]:
    found: dict[str, type[DOMNode]] = {"everywhere": CrmApp, "list": RowTable}
    waiting: list[type[KeyArea]] = [AppScreen]
    while waiting:
        for screen in waiting.pop().__subclasses__():
            waiting.append(screen)
            found[screen.AREA] = screen
    return found


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_done_by_the_owner_of_its_area(action: Action) -> None:
    assert action.area in AREA_TITLES
    assert callable(getattr(owners()[action.area], f"action_{action.name}"))


def test_no_action_is_there_twice() -> None:
    assert [id_ for id_, n in Counter(action.id for action in ACTIONS).items() if n > 1] == []


@pytest.mark.parametrize("screen", [s for s in owners().values() if issubclass(s, AppScreen)])
def test_no_key_means_two_things_on_one_screen(screen: type[AppScreen]) -> None:
    areas = {screen.AREA, *screen.AREAS, "everywhere"}
    keys = Counter(key for action in actions_in(*areas) for key in action.keys)
    keys.pop("enter", None)  # opens the row; a screen may say what that means there
    assert [key for key, n in keys.items() if n > 1] == []
    firsts = {key.split()[0] for key in keys if " " in key}
    assert firsts.isdisjoint(keys)


@pytest.mark.parametrize("screen", [s for s in owners().values() if issubclass(s, AppScreen)])
def test_the_footer_names_five_actions_at_most_and_all_of_them_are_at_hand(
    screen: type[AppScreen],
) -> None:
    at_hand = {action.id for action in actions_in(*screen.AREAS, "everywhere")}
    assert 0 < len(screen.FOOTER) <= 5
    assert set(screen.FOOTER) <= at_hand


def test_every_key_can_be_sent_by_a_plain_terminal() -> None:
    for action in ACTIONS:
        for key in action.keys:
            assert key not in UNSENDABLE
            assert "shift+" not in key
            assert "alt+" not in key
