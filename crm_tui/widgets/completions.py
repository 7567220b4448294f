"""What could be meant by what is being typed: a few lines that float under the line one types in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from crm_tui.text import visible
from crm_tui.widgets.columns import fit
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_paint import CURSOR_MARK

_LINES = 8
"""Lines that are shown at once: what is below them is what one is looking for."""

_NAME, _REMARK, _GAP = 32, 28, 2
"""The most cells of a name and of a remark, and those between them."""


class Candidate(NamedTuple):
    """One thing that could be meant.

    Attributes:
        insert: What takes the place of what was typed.
        shown: Its name; outside text.
        remark: What stands at the right of it.
    """

    insert: str
    shown: str
    remark: str = ""


class Completions(Widget):
    """Candidates under each other, one of them chosen; hidden while there are none."""

    DEFAULT_CSS = """
    Completions {
        display: none;
        overlay: screen;
        position: absolute;
        width: auto; height: auto;
        background: $surface;
    }
    """

    class Picked(Message):
        """A candidate was clicked."""

    def __init__(self) -> None:
        super().__init__()
        self._candidates: Sequence[Candidate] = ()
        self._chosen = 0
        self.moved = False

    @property
    def is_open(self) -> bool:
        """Whether there is anything to choose from."""
        return bool(self._candidates)

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that is meant when one accepts."""
        return self._candidates[self._chosen] if self._candidates else None

    @property
    def candidates(self) -> Sequence[Candidate]:
        """All of them."""
        return self._candidates

    def offer(self, candidates: Sequence[Candidate], *, x: int) -> None:
        """Show these, beginning at a cell of the line; none of them hides the list."""
        before = self.chosen
        if candidates == self._candidates:
            return
        self._candidates = candidates
        self._chosen = 0
        if self.moved and before in candidates:
            self._chosen = candidates.index(before)
        else:
            self.moved = False
        x = max(min(x, self.screen.size.width - self._width), 0)
        self.styles.offset = (x, 1)
        self.display = bool(candidates)
        self.refresh(layout=True)

    def step(self, by: int) -> None:
        """Choose the next or the previous one."""
        chosen = max(0, min(self._chosen + by, len(self._candidates) - 1))
        self.moved = True
        if chosen != self._chosen:
            self._chosen = chosen
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Pick the line that was clicked."""
        self._chosen = min(self._first + event.y, len(self._candidates) - 1)
        self.post_message(self.Picked())

    @property
    def _first(self) -> int:
        """The first line that is shown."""
        return max(0, min(self._chosen - _LINES // 2, len(self._candidates) - _LINES))

    @property
    def _name_width(self) -> int:
        longest = max((cell_len(visible(each.shown)) for each in self._candidates), default=0)
        return min(longest, _NAME)

    @property
    def _remark_width(self) -> int:
        longest = max((cell_len(each.remark) for each in self._candidates), default=0)
        return min(longest, _REMARK)

    @property
    def _width(self) -> int:
        remarks = self._remark_width
        return self._name_width + (_GAP + remarks if remarks else 0) + 2

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as the longest line."""
        del container, viewport
        return self._width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line each, up to a few."""
        del container, viewport, width
        return min(len(self._candidates), _LINES)

    def render(self) -> Content:
        """The lines, the chosen one marked."""
        shown = list(enumerate(self._candidates))[self._first :][:_LINES]
        return Content("\n").join(self._line(each, number) for number, each in shown)

    def _line(self, candidate: Candidate, number: int) -> Content:
        chosen = number == self._chosen
        counted = candidate.remark[:1].isdigit()
        name = fit(candidate.shown, self._name_width)
        remark = fit(candidate.remark, self._remark_width, "right" if counted else "left")
        gap = " " * _GAP if self._remark_width else ""
        mark = CURSOR_MARK if chosen else " "
        line = styled(f"{mark}{name}{gap}", Role.STRONG if chosen else Role.TEXT)
        line += styled(f"{remark} ", Role.QUIET)
        return line.stylize("on $panel") if chosen else line
