"""A few lines in a dialog, one of them under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_paint import CURSOR_MARK


class Lines(Widget, can_focus=True):
    """Lines of our own making, as many as there is room for around the cursor.

    Each begins with a blank, which is where the cursor's mark stands.
    """

    DEFAULT_CSS = """
    Lines { height: auto; max-height: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "step(1)", "Down", show=False),
        Binding("k,up", "step(-1)", "Up", show=False),
        Binding("g,home", "step(-9999)", "To the top", show=False),
        Binding("G,end", "step(9999)", "To the end", show=False),
        Binding("ctrl+d,pagedown", "step(8)", "Down", show=False),
        Binding("ctrl+u,pageup", "step(-8)", "Up", show=False),
    ]

    @dataclass
    class Clicked(Message):
        """A line was clicked; twice for what enter does."""

        twice: bool

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._lines: Sequence[Content] = ()
        self.cursor = 0

    def show(self, lines: Sequence[Content], cursor: int | None = None) -> None:
        """Show these lines; the cursor stays where it is unless it is told where to go."""
        resized = len(lines) != len(self._lines)
        self._lines = lines
        self.cursor = self._clamp(self.cursor if cursor is None else cursor)
        self.refresh(layout=resized)

    def action_step(self, by: int) -> None:
        """Move the cursor, not beyond the first and the last line."""
        self.cursor = self._clamp(self.cursor + by)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the line that was clicked."""
        self.cursor = self._clamp(self._first + event.y)
        self.refresh()
        self.post_message(self.Clicked(event.chain == 2))

    @property
    def _first(self) -> int:
        height = max(self.size.height, 1)
        return max(0, min(self.cursor - height // 2, len(self._lines) - height))

    def _clamp(self, cursor: int) -> int:
        return max(0, min(cursor, len(self._lines) - 1))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line each."""
        del container, viewport, width
        return max(len(self._lines), 1)

    def render(self) -> Content:
        """The lines around the cursor, the one under it on a ground of its own."""
        width, first = self.size.width, self._first
        shown = []
        for number, line in enumerate(self._lines[first : first + self.size.height], first):
            cut = line.truncate(width, ellipsis=True)
            full = cut + Content(" " * max(width - cut.cell_length, 0))
            if number == self.cursor:
                full = (styled(CURSOR_MARK, Role.ACCENT) + full[1:]).stylize("on $panel")
            shown.append(full)
        return Content("\n").join(shown)
