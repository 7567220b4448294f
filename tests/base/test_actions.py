from __future__ import annotations

import importlib
import pkgutil
from collections import Counter

import pytest

from crm_tui import screens
from crm_tui.actions import ACTIONS, AREA_TITLES, SCREENS, Action, actions_in
from crm_tui.screens.base import AppScreen
from crm_tui.widgets.keys import KeyArea
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_table import RowTable
from crm_tui.widgets.timeline import Timeline

# What a plain terminal (TERM=linux) cannot send, or sends as another key.
UNSENDABLE = {"ctrl+m", "ctrl+i", "ctrl+h", "ctrl+j", "ctrl+s", "ctrl+q"}


for name in (
    "crm_tui.app",
    *(each.name for each in pkgutil.iter_modules(screens.__path__, f"{screens.__name__}.")),
):
    importlib.import_module(name)


def key_areas() -> list[type[KeyArea]]:
    """Everybody that has keys: the app, its screens, and widgets on them."""
    found: list[type[KeyArea]] = []
    waiting: list[type[KeyArea]] = [KeyArea]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        found += [area for area in below if hasattr(area, "AREA")]
    return [area for area in found if area.__module__.startswith("crm_tui.")]


def app_screens() -> list[type[AppScreen]]:
    return [area for area in key_areas() if issubclass(area, AppScreen)]


# Lists other than a table have nothing to select: they do a part of what lists do.
OWNERS = [
    area for area in key_areas() if area is RowTable or not issubclass(area, RowList | Timeline)
]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_done_by_every_owner_of_its_area(action: Action) -> None:
    assert action.area in AREA_TITLES
    owners = [owner for owner in OWNERS if action.area in owner.owned()]
    assert owners
    for owner in owners:
        assert callable(getattr(owner, f"action_{action.name}"))


def test_no_action_is_there_twice() -> None:
    assert [id_ for id_, n in Counter(action.id for action in ACTIONS).items() if n > 1] == []


def test_every_screen_says_which_areas_are_at_hand_on_it() -> None:
    assert {screen.AREA for screen in app_screens()} == set(SCREENS)
    for screen in app_screens():
        assert set(screen.owned()) <= set(SCREENS[screen.AREA])


@pytest.mark.parametrize("screen", SCREENS)
def test_no_key_means_two_things_on_one_screen(screen: str) -> None:
    actions = actions_in(*SCREENS[screen], "everywhere")
    taken_over = {action.instead_of for action in actions}
    keys = Counter(key for action in actions if action.id not in taken_over for key in action.keys)
    assert [key for key, n in keys.items() if n > 1] == []
    firsts = {key.split()[0] for key in keys if " " in key}
    assert firsts.isdisjoint(keys)


@pytest.mark.parametrize("screen", app_screens())
def test_the_footer_names_five_actions_at_most_and_all_of_them_are_at_hand(
    screen: type[AppScreen],
) -> None:
    at_hand = {action.id for action in actions_in(*SCREENS[screen.AREA], "everywhere")}
    assert 0 < len(screen.FOOTER) <= 5
    assert set(screen.FOOTER) <= at_hand


def test_every_key_can_be_sent_by_a_plain_terminal() -> None:
    for action in ACTIONS:
        for key in action.keys:
            assert key not in UNSENDABLE
            assert "shift+" not in key
            assert "alt+" not in key
