from __future__ import annotations

from collections.abc import Mapping

import pytest

from crm_tui.actions import ACTIONS, SCREENS, actions_in
from crm_tui.keymap import Keymap, read_keymap


def one_warning(wanted: Mapping[str, object]) -> str:
    """The only warning of a keymap of which nothing is taken."""
    keymap, warnings = read_keymap(wanted)
    assert keymap == Keymap()
    assert len(warnings) == 1
    return warnings[0]


def test_nothing_wanted_is_the_registry() -> None:
    keymap, warnings = read_keymap({})
    assert warnings == []
    assert [keymap.action(each.id) for each in ACTIONS] == list(ACTIONS)


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("S", ("S",)),
        (["S", "f2"], ("S", "f2")),
        ("Ctrl+X", ("ctrl+x",)),
        ("F2 Esc", ("f2 escape",)),
        ("z  z", ("z z",)),
        ("shift+ctrl+F2", ("ctrl+shift+f2",)),
        ("alt+s", ("alt+s",)),
        ("+", ("+",)),
        ("é", ("é",)),
        ([], ()),
    ],
)
def test_keys_are_written_as_people_write_them(written: object, keys: tuple[str, ...]) -> None:
    keymap, warnings = read_keymap({"leads.sort": written})
    assert warnings == []
    assert keymap.action("leads.sort").keys == keys


@pytest.mark.parametrize(
    ("written", "because"),
    [
        ("ctrl+m", "terminals send ctrl+m as enter"),
        ("ctrl+[", "terminals send ctrl+[ as esc"),
        ("shift+s", "shift+s is written S"),
        ("cmd+s", "there is no key 'cmd+s'"),
        ("ctrl+1", "there is no key 'ctrl+1'"),
        ("f25", "there is no key 'f25'"),
        ("", "there is no key ''"),
        ("a b c", "'a b c' is more than two keys in a row"),
        ("v letter", "it is not followed by a letter"),
        (5, 'keys are written as "c" or ["c", "f2"]'),
        (["c", 5], 'keys are written as "c" or ["c", "f2"]'),
        ({"key": 5}, "there is no key 'key'"),
        ("\x1b]52", "there is no key '␛]52'"),
    ],
)
def test_a_key_that_cannot_be_is_a_warning_and_the_action_keeps_its_own(
    written: object, because: str
) -> None:
    assert one_warning({"leads.sort": written}) == (
        f"In [keys]: leads.sort stays ,, because {because}."
    )


def test_an_unknown_action_is_a_warning_that_names_the_nearest() -> None:
    assert one_warning({"leads.sotr": "S"}) == (
        "In [keys]: there is no action 'leads.sotr'; did you mean leads.sort?"
    )
    assert "docs/keys.md" in one_warning({"xyzzy": "S"})


def test_a_key_that_means_something_else_on_the_same_screen_is_a_warning() -> None:
    assert one_warning({"leads.sort": "j"}) == (
        "In [keys]: leads.sort stays ,, because j is Down (list.down) there."
    )
    assert "(list.first)" in one_warning({"leads.sort": "g"})
    assert "(everywhere.help)" in one_warning({"leads.sort": "? s"})


def test_two_actions_that_are_never_at_hand_together_may_share_a_key() -> None:
    _, warnings = read_keymap({"leads.sort": "f2", "sites.repair": "f2"})
    assert warnings == []


def test_keys_can_be_swapped() -> None:
    keymap, warnings = read_keymap({"list.down": "k", "list.up": "j"})
    assert warnings == []
    assert keymap.action("list.down").keys == ("k",)


def test_of_two_actions_that_want_one_key_the_later_one_keeps_its_own() -> None:
    keymap, warnings = read_keymap({"list.down": "f2", "list.up": "f2"})
    assert keymap.action("list.down").keys == ("f2",)
    assert keymap.action("list.up").keys == ("k", "up")
    assert len(warnings) == 1


def test_an_action_that_falls_back_on_its_own_key_gets_it_even_where_another_wanted_it() -> None:
    keymap, warnings = read_keymap({"list.down": "k", "list.up": "ctrl+m"})
    assert keymap == Keymap()
    assert len(warnings) == 2


def test_a_screen_keeps_the_key_it_takes_over() -> None:
    keymap, warnings = read_keymap({"columns.change": ["enter", "f2"]})
    assert warnings == []
    assert keymap.action("columns.change").keys == ("enter", "f2")


def test_whatever_is_wanted_no_key_means_two_things_on_one_screen() -> None:
    every_key = {action.id: [f"f{1 + number % 3}", "j"] for number, action in enumerate(ACTIONS)}
    keymap, warnings = read_keymap(every_key)
    assert warnings
    for areas in SCREENS.values():
        at_hand = [keymap.action(action.id) for action in actions_in(*areas, "everywhere")]
        over = {action.instead_of for action in at_hand}
        keys = [key for action in at_hand if action.id not in over for key in action.keys]
        assert len(keys) == len(set(keys))
