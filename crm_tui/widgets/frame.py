"""The top and bottom line of every screen: where one is, and what the keys do here.

Both repaint only when their words change.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from crm_tui.actions import Action, key_words
from crm_tui.text import visible
from crm_tui.widgets.facts import styled
from crm_tui.widgets.keys import keymap_of
from crm_tui.widgets.look import Role

_NAME = " crm-tui "
_TAB_GAP = 2
_KEY_GAP = 3
_HELP = "everywhere.help"


@dataclass
class ActionPressed(Message):
    """An action was chosen with the mouse."""

    action: Action


class TopLine(Widget):
    """The name, the areas as tabs, and what is going on at the right."""

    DEFAULT_CSS = """
    TopLine { height: 1; background: $surface; color: $foreground; }
    """

    def __init__(self, areas: Sequence[Action]) -> None:
        super().__init__()
        self._areas = areas
        self._current = ""
        self._status = ("", Role.QUIET)

    def show(self, current: str, status: str, role: Role = Role.QUIET) -> None:
        """Mark the area we are in and say what is going on; repaints only where words differ."""
        if (current, (status, role)) != (self._current, self._status):
            self._current, self._status = current, (status, role)
            self.refresh()

    def render(self) -> Content:
        """The line; where there is no room the name goes first, then the end of the status."""
        words, role = self._status
        right = styled(visible(words, self.size.width), role)
        left = self._left()
        space = self.size.width - left.cell_length - 1
        if right.cell_length > space:
            right = right.truncate(max(space, 0), ellipsis=True)
        gap = " " * max(space - right.cell_length, 0)
        return left + Content(gap) + right + Content(" ")

    def _left(self) -> Content:
        parts = [styled(self._program(), Role.QUIET), Content(" ")]
        for area in self._areas:
            role = Role.ACCENT if area.name == self._current else Role.QUIET
            tab = styled(area.title, role)
            parts.append(tab.stylize("bold") if role is Role.ACCENT else tab)
            parts.append(Content(" " * _TAB_GAP))
        return Content("").join(parts)

    def _program(self) -> str:
        """The program's name, where what goes on can be said beside it."""
        areas = sum(cell_len(area.title) + _TAB_GAP for area in self._areas)
        needed = len(_NAME) + 1 + areas + cell_len(visible(self._status[0], self.size.width)) + 1
        return _NAME if needed <= self.size.width else ""

    def on_click(self, event: events.Click) -> None:
        """A click on a tab goes there."""
        x = len(self._program()) + 1
        for area in self._areas:
            if x <= event.x < x + cell_len(area.title):
                self.post_message(ActionPressed(area))
            x += cell_len(area.title) + _TAB_GAP


class Footer(Widget):
    """The few keys that matter here; in their place, until the next key, what has to be said."""

    DEFAULT_CSS = """
    Footer { height: auto; max-height: 6; background: $surface; padding: 0 1; }
    """

    def __init__(self, action_ids: Sequence[str]) -> None:
        super().__init__()
        self._action_ids = action_ids
        self._not_now: frozenset[str] = frozenset()
        self._words: tuple[str, Role] | None = None
        self._about = ""

    def show(self, action_ids: Sequence[str], about: str = "") -> None:
        """Show other keys, after words about what they are for."""
        if (action_ids, about) != (self._action_ids, self._about):
            self._action_ids, self._about = action_ids, about
            self.refresh()

    def mark(self, not_now: Collection[str]) -> None:
        """Show these actions as ones that cannot be done just now."""
        not_now = frozenset(not_now).intersection(self._action_ids)
        if not_now != self._not_now:
            self._not_now = not_now
            self.refresh()

    def say(self, words: str, role: Role = Role.TEXT) -> None:
        """Show a sentence in place of the keys."""
        self._words = (words, role)
        self.refresh(layout=True)

    def say_too(self, words: str, role: Role = Role.TEXT) -> None:
        """Show a sentence after the one that is shown, if one is."""
        if self._words is None:
            self.say(words, role)
        else:
            before, its_role = self._words
            self.say(f"{before} {words}", role if its_role is Role.TEXT else its_role)

    def clear(self) -> None:
        """Show the keys again."""
        if self._words is not None:
            self._words = None
            self.refresh(layout=True)

    @property
    def words(self) -> str:
        """The sentence that is shown, if any."""
        return self._words[0] if self._words else ""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line of keys, or as many as the sentence takes."""
        del container, viewport
        return 1 if self._words is None else self._sentence().get_height({}, width)

    def render(self) -> Content:
        """The keys, the one for all keys at the right; or the sentence."""
        if self._words is not None:
            return self._sentence()
        help_key = self._help_key()
        left = self._lead_in()
        for each in self._actions():
            left += self._key(each) + Content(" " * _KEY_GAP)
        gap = self.size.width - left.cell_length - help_key.cell_length
        return left + Content(" " * gap) + help_key if gap >= 0 else left

    def on_click(self, event: events.Click) -> None:
        """A click on a key presses it."""
        x = self.styles.padding.left
        if self._words is not None:
            self.clear()
            return
        x += self._lead_in().cell_length
        for each in self._actions():
            length = self._key(each).cell_length
            if x <= event.x < x + length:
                self.post_message(ActionPressed(each))
                return
            x += length + _KEY_GAP
        if event.x >= self.size.width - self._help_key().cell_length:
            self.post_message(ActionPressed(keymap_of(self).action(_HELP)))

    def _lead_in(self) -> Content:
        return styled(self._about + " " * _KEY_GAP, Role.ACCENT) if self._about else Content("")

    def _actions(self) -> Sequence[Action]:
        """Those that have a key, as many as leave room for the one that shows all keys."""
        room = self.size.width - self._lead_in().cell_length - self._help_key().cell_length
        fitting = []
        for each in map(keymap_of(self).action, self._action_ids):
            room -= self._key(each).cell_length + _KEY_GAP if each.keys else 0
            if room < 0:
                break
            if each.keys:
                fitting.append(each)
        return fitting

    def _key(self, shown: Action) -> Content:
        title = shown.title.partition(",")[0]  # after a comma stands what else it can do
        title = title[0].lower() + title[1:]
        key = styled(key_words(shown.keys[0]))
        if shown.id in self._not_now:
            key = styled(key_words(shown.keys[0]), Role.QUIET).stylize("dim")
            return key + Content(" ") + styled(title, Role.QUIET).stylize("dim")
        return key + Content(" ") + styled(title, Role.QUIET)

    def _help_key(self) -> Content:
        keys = keymap_of(self).action(_HELP).keys
        shown = key_words(keys[0]) if keys else ""
        return styled(shown) + Content(" ") + styled("keys", Role.QUIET)

    def _sentence(self) -> Content:
        assert self._words is not None
        words, role = self._words
        return styled(words, role)
