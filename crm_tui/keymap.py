"""The registry as one operator has it: the actions with the keys that are in force.

In the configuration file, `[keys]` gives actions other keys, by the ids that docs/keys.md lists:

    [keys]
    "leads.sort" = "S"
    "list.down" = ["n", "down"]
    "list.first" = "z z"
    "sites.repair" = []

What cannot be (an id or a key that does not exist, a key that would mean two things on one screen)
is a warning, and that action keeps the keys of the registry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import combinations

from crm_tui.actions import ACTIONS, ANY_LETTER, SCREENS, Action, action, actions_in, key_words
from crm_tui.text import visible

Chosen = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Keymap:
    """The keys that are in force: the registry's, where the operator has not chosen others.

    Attributes:
        chosen: Keys by the id of their action.
    """

    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def action(self, action_id: str) -> Action:
        """The action of this id, with its keys."""
        return self._with_keys(action(action_id))

    def actions_in(self, *areas: str) -> Sequence[Action]:
        """The actions of these areas with their keys, area by area."""
        return [self._with_keys(each) for each in actions_in(*areas)]

    def _with_keys(self, of: Action) -> Action:
        keys = self.chosen.get(of.id)
        return of if keys is None else replace(of, keys=keys)


DEFAULT_KEYMAP = Keymap()
"""The keys of the registry."""


def read_keymap(wanted: Mapping[str, object]) -> tuple[Keymap, list[str]]:
    """The keymap an operator wants, as far as it can be, and a sentence for each wish that cannot.

    Args:
        wanted: A key or a list of keys by the id of their action, as the file has them.
    """
    ids = [each.id for each in ACTIONS]
    chosen: Chosen = {}
    warnings: list[str] = []
    for id_, keys in wanted.items():
        if id_ not in ids:
            near = get_close_matches(id_, ids, n=1)
            hint = f"; did you mean {near[0]}?" if near else ". docs/keys.md lists them."
            warnings.append(f"In [keys]: there is no action {visible(id_, 40)!r}{hint}")
            continue
        try:
            chosen[id_] = _read_keys(action(id_), keys)
        except ValueError as error:
            warnings.append(_kept(action(id_), str(error)))
    while clash := next(_clashes(Keymap(chosen)), None):
        loser, reason = clash
        del chosen[loser]
        warnings.append(_kept(action(loser), reason))
    return Keymap(chosen), warnings


def _kept(kept: Action, reason: str) -> str:
    shown = " ".join(map(key_words, kept.keys)) or "without a key"
    return f"In [keys]: {kept.id} stays {shown}, because {reason}."


# Clashes


def _clashes(keymap: Keymap) -> Iterator[tuple[str, str]]:
    """The actions whose chosen keys mean something else already, each with why in words."""
    for areas in SCREENS.values():
        for one, other in combinations(keymap.actions_in(*areas, "everywhere"), 2):
            if one.id in keymap.chosen or other.id in keymap.chosen:
                key = _shared_key(one, other)
                if key:
                    loser, keeper = (other, one) if other.id in keymap.chosen else (one, other)
                    yield loser.id, f"{key_words(key)} is {keeper.title} ({keeper.id}) there"


def _shared_key(one: Action, other: Action) -> str:
    """A key that would mean both, or both in part as the first of two keys; "" without one."""
    if other.id == one.instead_of or one.id == other.instead_of:
        return ""
    return next((a for a in one.keys for b in other.keys if _meets(a, b) or _meets(b, a)), "")


def _meets(one: str, other: str) -> bool:
    first, _, second = other.partition(" ")
    if one in {other, first}:
        return True
    return second == ANY_LETTER and one.partition(" ")[0] == first


# Keys in words

_NAMES = frozenset(
    "enter escape tab space backspace delete insert home end pageup pagedown up down left right".split()
) | {f"f{number}" for number in range(1, 25)}
_OTHER_NAMES = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown"}
_OTHER_NAMES |= {"del": "delete", "ins": "insert", "page_up": "pageup", "page_down": "pagedown"}
_SAME_AS = {"ctrl+m": "enter", "ctrl+i": "tab", "ctrl+h": "backspace", "ctrl+[": "escape"}
_MODIFIERS = ("ctrl", "alt", "shift")
_CONTROLS = re.compile(r"[a-z@\\\]^_]\Z")


def _read_keys(of: Action, written: object) -> tuple[str, ...]:
    listed = [written] if isinstance(written, str) else written
    if not isinstance(listed, Iterable) or not all(isinstance(each, str) for each in listed):
        raise ValueError('keys are written as "c" or ["c", "f2"]')
    return tuple(dict.fromkeys(_read_key(of, each) for each in map(str, listed)))


def _read_key(of: Action, written: str) -> str:
    """One key, or two in a row, as the registry writes them; a ValueError says what is wrong."""
    parts = written.split() or [""]
    if len(parts) > 2:
        raise ValueError(f"{visible(written, 40)!r} is more than two keys in a row")
    first, *second = parts
    if second == [ANY_LETTER]:
        if not any(key.endswith(f" {ANY_LETTER}") for key in of.keys):
            raise ValueError("it is not followed by a letter")
        return f"{_single(first)} {ANY_LETTER}"
    return " ".join(map(_single, parts))


def _single(written: str) -> str:
    if len(written) == 1 and written.isprintable():
        return written
    *modifiers, base = written.lower().split("+") if written[-1:] != "+" else [written]
    base = _OTHER_NAMES.get(base, base)
    ordered = [each for each in _MODIFIERS if each in modifiers]
    key = "+".join((*ordered, base))
    if key in _SAME_AS:
        raise ValueError(f"terminals send {key} as {key_words(_SAME_AS[key])}")
    if modifiers == ["shift"] and len(base) == 1:
        raise ValueError(f"{key} is written {base.upper()}")
    if len(ordered) != len(modifiers) or not (base in _NAMES or _is_letter(base, ordered)):
        raise ValueError(f"there is no key {visible(written, 40)!r}")
    return key


def _is_letter(base: str, modifiers: Sequence[str]) -> bool:
    """Whether a single character is a key together with these modifiers."""
    if len(base) != 1 or "shift" in modifiers:
        return False
    return bool(_CONTROLS.match(base)) if "ctrl" in modifiers else base.isprintable()
