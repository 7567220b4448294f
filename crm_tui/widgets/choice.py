"""One of a few, picked with the arrows, its number or the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role


class Option(NamedTuple):
    """What can be picked: the value handed back, our word for it, and its colour."""

    value: str
    word: str
    role: Role = Role.TEXT


class Choice(Widget, can_focus=True):
    """A short list with one picked; enter on it is the form's own."""

    DEFAULT_CSS = """
    Choice { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "step(1)", "Next", show=False),
        Binding("k,up", "step(-1)", "Previous", show=False),
        *(Binding(str(n), f"pick({n - 1})", f"Number {n}", show=False) for n in range(1, 10)),
    ]

    picked: reactive[int] = reactive(0)

    class Entered(Message):
        """Enter was pressed: what is picked is meant."""

    class Picked(Message):
        """Another one is picked."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    def __init__(self, options: Sequence[Option], value: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._options = options
        values = [option.value for option in options]
        self.set_reactive(Choice.picked, values.index(value) if value in values else 0)

    @property
    def value(self) -> str:
        """The value that is picked."""
        return self._options[self.picked].value

    def watch_picked(self) -> None:
        """Say what is picked."""
        self.post_message(self.Picked(self.value))

    def pick(self, value: str) -> None:
        """Pick by value; one that is no longer offered changes nothing."""
        for number, option in enumerate(self._options):
            if option.value == value:
                self.picked = number

    def action_step(self, step: int) -> None:
        """Pick the next or the previous, without going round."""
        self.action_pick(max(0, min(self.picked + step, len(self._options) - 1)))

    def action_pick(self, number: int) -> None:
        """Pick by place; a number beyond the last does nothing."""
        if number < len(self._options):
            self.picked = number

    def on_click(self, event: events.Click) -> None:
        """Pick the line that was clicked."""
        self.action_pick(event.y)

    def on_key(self, event: events.Key) -> None:
        """Enter says that what is picked is meant."""
        if event.key == "enter":
            event.stop()
            self.post_message(self.Entered())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line each, cut where there is no room: what wrapped would push the last ones out."""
        del container, viewport, width
        return len(self._options)

    def render(self) -> Content:
        """The options under each other, the picked one marked with more than a colour.

        While the keys are for it, that one stands out: without colours all else is too loud.
        """
        lines = []
        for number, option in enumerate(self._options):
            picked = number == self.picked
            mark = styled("● " if picked else "○ ", Role.ACCENT if picked else Role.QUIET)
            digit = styled(f"{number + 1}  ", Role.QUIET)
            line = digit + mark + styled(option.word, option.role if picked else Role.QUIET)
            if picked and self.has_focus:
                rest = max(self.size.width - line.cell_length, 0)
                line = (line + " " * rest).stylize("on $panel")
            lines.append(line)
        return Content("\n").join(lines)
