"""Keys from the registry of actions: single ones as bindings, two in a row as sequences."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.keys import key_to_character
from textual.widget import Widget

from crm_tui.actions import actions_in

_NAMES = {",": "comma"}
"""Keys that a binding cannot be given as themselves: a comma separates keys there."""


def bindings(area: str) -> list[Binding]:
    """The bindings of an area, for `BINDINGS`; each carries the action's id for the keymap."""
    return [
        Binding(_NAMES.get(key, key), action.name, action.title, show=False, id=action.id)
        for action in actions_in(area)
        for key in action.keys
        if " " not in key
    ]


class KeyArea(Widget):
    """A widget or screen that owns an area of the registry.

    Its single keys come from `BINDINGS = bindings(AREA)`; this adds the keys pressed one after
    the other. A first key waits for its second without a clock; any other key takes its place.
    """

    AREA: ClassVar[str]

    _first_key = ""

    async def on_key(self, event: events.Key) -> None:
        """Run the action of two keys in a row, or remember the first of them."""
        pressed = _said(event)
        before, self._first_key = self._first_key, ""
        for action in actions_in(self.AREA):
            for keys in action.keys:
                first, _, second = keys.partition(" ")
                if second and (first, second) == (before, pressed):
                    event.stop()
                    await self.run_action(action.name)
                    return
                if second and first == pressed:
                    self._first_key = first
        if self._first_key:
            event.stop()


def _said(event: events.Key) -> str:
    return key_to_character(event.key) or event.key
