"""The ways to look at the same thing, in one line: which there are, which one it is, and what it is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

_GAP = 2


class ViewLine(Widget):
    """The titles of the views, the one that is shown among them, and words at the right.

    Args:
        titles: What the views are called.
    """

    DEFAULT_CSS = """
    ViewLine { height: 1; padding: 0 1 0 3; }
    """

    @dataclass
    class Chosen(Message):
        """A title was clicked."""

        place: int

    def __init__(self, titles: Sequence[str]) -> None:
        super().__init__()
        self._titles = titles
        self._shown: tuple[int, str, Role] = (0, "", Role.QUIET)

    def show(self, place: int, words: str, role: Role = Role.QUIET) -> None:
        """Mark the view that is shown, and say what it is of; repaints only what differs."""
        if (place, words, role) != self._shown:
            self._shown = place, words, role
            self.refresh()

    def render(self) -> Content:
        """The titles at the left, the words at the right, cut where there is no room for them."""
        place, words, role = self._shown
        begin = self._begin()
        parts = [
            styled(title, Role.STRONG if number == place else Role.QUIET)
            for number, title in enumerate(self._titles[begin:], begin)
        ]
        left = Content(" " * _GAP).join(parts)
        right = styled(words, role)
        room = max(self.size.width - left.cell_length - _GAP, 0)
        if right.cell_length > room:
            right = right.truncate(room, ellipsis=True)
        return left + Content(" " * (room + _GAP - right.cell_length)) + right

    def _begin(self) -> int:
        """The first title: those before it give way where the one that is shown had no room."""
        place, begin = self._shown[0], 0
        while begin < place and self._width(begin, place + 1) > self.size.width:
            begin += 1
        return begin

    def _width(self, begin: int, end: int) -> int:
        return sum(cell_len(title) + _GAP for title in self._titles[begin:end]) - _GAP

    def on_click(self, event: events.Click) -> None:
        """A click on a title asks for its view."""
        x, begin = self.styles.padding.left, self._begin()
        for place, title in enumerate(self._titles[begin:], begin):
            if x <= event.x < x + cell_len(title):
                self.post_message(self.Chosen(place))
            x += cell_len(title) + _GAP
