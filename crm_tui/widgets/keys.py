"""Keys and actions: who does what on a screen, with which keys, and why not just now.

A `KeyArea` is a widget, a screen or the app that owns areas of the registry. It does those of
their actions for which it has a method `action_<name>`; all others are not at hand there. It
stands last among the bases of a class: Textual takes styles from the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, NamedTuple

from textual import events, on
from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen

from crm_tui.actions import ANY_LETTER, Action, key_words
from crm_tui.errors import UserError
from crm_tui.keymap import DEFAULT_KEYMAP, Keymap

_NAMES = {",": "comma"}
"""Keys that a binding cannot be given as themselves: a comma separates keys there."""


@dataclass
class Refused(Message):
    """An action was asked for that cannot be done just now, and this is why."""

    why: str


@dataclass
class FirstKey(Message):
    """The first of two keys was pressed, and whoever does their actions waits for the second."""

    owner: KeyArea
    key: str


class KeyArea(DOMNode):
    """Owns areas of the registry: presses of their keys run its methods `action_<name>`.

    Attributes:
        AREA: The area of its own.
        OWNS: All areas it owns, its own first; only AREA where nothing is said.
    """

    AREA: ClassVar[str]
    OWNS: ClassVar[tuple[str, ...]] = ()

    first_key = ""
    """The key that was pressed and waits for a second one, without a clock."""

    async def _dispatch_message(self, message: Message) -> None:
        """Handle what it was sent; whoever raises an error for people shows it and goes on.

        Textual would have the app show it, and hand this area no message any more: the screen
        would stand still, or the app would end without a word.
        """
        try:
            await super()._dispatch_message(message)
        except UserError as error:
            self.app._handle_exception(error)  # noqa: SLF001 - Textual's name for showing it

    @classmethod
    def owned(cls) -> tuple[str, ...]:
        """The areas it owns, its own first."""
        return cls.OWNS or (cls.AREA,)

    def why_not(self, action_id: str) -> str | None:
        """Why an action cannot be done just now, in a sentence; None when it can be."""
        del action_id
        return None

    def does(self, action: Action) -> bool:
        """Whether this is the one that does the action."""
        return action.area in self.owned() and hasattr(self, f"action_{action.name}")

    def actions(self) -> Iterator[Action]:
        """The actions that are done here, with the keys that are in force."""
        return filter(self.does, keymap_of(self).actions_in(*self.owned()))

    async def do(self, action: Action, *parameters: str) -> None:
        """Do an action, or say why it cannot be done."""
        why = self.why_not(action.id)
        if why is None:
            await self.app.run_action(("", action.name, parameters), self)
        else:
            self.post_message(Refused(why))

    async def action_press(self, action_id: str) -> None:
        """The key of an action was pressed."""
        await self.do(keymap_of(self).action(action_id))

    @on(events.Mount)
    def _take_keys(self) -> None:
        """Bind the single keys; those in force are known when there is an app."""
        own = [
            Binding(_NAMES.get(key, key), f"press({action.id!r})", action.title, show=False)
            for action in self.actions()
            for key in action.keys
            if " " not in key
        ]
        self._bindings = BindingsMap.merge([BindingsMap(own), self._bindings])

    async def on_key(self, event: events.Key) -> None:
        """Do the action of two keys in a row, or remember the first of them; esc forgets it."""
        if self._is_awaited_further_out():
            return
        pressed = key_as_written(event)
        before, self.first_key = self.first_key, ""
        if before and pressed == "escape":
            event.stop()
            return
        for action in self.actions():
            for keys in action.keys:
                first, _, second = keys.partition(" ")
                if second and before == first and _is(pressed, second):
                    event.stop()
                    await self.do(action, *([pressed] if second == ANY_LETTER else ()))
                    return
                if second and pressed == first:
                    self.first_key = first
        if self.first_key:
            event.stop()
            self.post_message(FirstKey(self, self.first_key))

    def second_keys(self) -> list[tuple[str, str]]:
        """The keys that can follow the first one, and what they do."""
        return [
            (key_words(second), action.title)
            for action in self.actions()
            for first, _, second in (keys.partition(" ") for keys in action.keys)
            if second and first == self.first_key
        ]

    def _is_awaited_further_out(self) -> bool:
        """Whether the key at hand is the second one of somebody around this."""
        return any(isinstance(node, KeyArea) and node.first_key for node in self.ancestors)


def key_as_written(event: events.Key) -> str:
    """A key that was pressed, as the registry writes it."""
    with_modifier = "+" in event.key
    if event.character is None or not event.is_printable or with_modifier or event.key == "space":
        return event.key
    return event.character


def _is(pressed: str, second: str) -> bool:
    if second == ANY_LETTER:
        return len(pressed) == 1 and pressed.isalnum()
    return pressed == second


def keymap_of(node: DOMNode) -> Keymap:
    """The keys in force in the app this belongs to."""
    keymap: Keymap = getattr(node.app, "keymap", DEFAULT_KEYMAP)
    return keymap


class AtHand(NamedTuple):
    """An action that can be asked for on a screen, and who does it."""

    action: Action
    owner: KeyArea

    @property
    def why_not(self) -> str | None:
        """Why it cannot be done just now, in a sentence; None when it can be."""
        return self.owner.why_not(self.action.id)


def at_hand(screen: Screen[Any]) -> list[AtHand]:
    """The actions at hand on a screen: its own, then those of its widgets, then the app's.

    Each is done by the first that does it, the widget with the focus before others; an action is
    left out where another takes over its key.
    """
    found: dict[str, AtHand] = {}
    for owner in _owners(screen):
        for action in owner.actions():
            found.setdefault(action.id, AtHand(action, owner))
    covered = {each.action.instead_of for each in found.values()}
    return [each for each in found.values() if each.action.id not in covered]


def _owners(screen: Screen[Any]) -> list[KeyArea]:
    focused = () if screen.focused is None else (screen.focused,)
    nodes = chain((screen,), focused, screen.query("*").results(), (screen.app,))
    return [node for node in dict.fromkeys(nodes) if isinstance(node, KeyArea) and node.display]
