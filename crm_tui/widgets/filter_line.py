"""The line above a list: what it is filtered by, and how many rows that leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role


class _Words(Input):
    """The words; leaving the line hands the keys back to the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,down", "leave", "To the list", show=False),
        Binding("ctrl+b", "cursor_left", "Back", show=False),
        Binding("ctrl+f", "cursor_right", "Forward", show=False),
        Binding("alt+b", "cursor_left_word", "Back a word", show=False),
        Binding("alt+f", "cursor_right_word", "Forward a word", show=False),
    ]

    def action_leave(self) -> None:
        """Say that the list has the keys again."""
        self.post_message(FilterLine.Left())


class FilterLine(Horizontal):
    """What is typed is sent as `Changed` with every keystroke; esc, enter and down leave."""

    DEFAULT_CSS = """
    FilterLine {
        height: 1;
        & > #slash { width: 3; padding: 0 1; color: $text-muted; }
        & > _Words, & > _Words:focus {
            width: 1fr; height: 1; padding: 0; border: none; background: $background;
            background-tint: $background 0%;
        }
        & > #count { width: 40; padding: 0 1; text-align: right; }
        &:focus-within > #slash { color: $accent; text-style: bold; }
    }
    """

    @dataclass
    class Changed(Message):
        """The filter is these words now."""

        words: str

    class Left(Message):
        """The operator left the line; the filter stays."""

    def compose(self) -> Iterable[Widget]:
        """A slash, the words, the count."""
        yield Static("/", id="slash")
        words = _Words(placeholder="name, phone, city, notes", compact=True)
        words.cursor_blink = False
        yield words
        yield Static(id="count")

    def edit(self) -> None:
        """Put the cursor into the line."""
        self.screen.set_focus(self.query_one(_Words))

    def clear(self) -> None:
        """Filter by nothing."""
        self.query_one(_Words).value = ""

    def show_count(self, text: str, role: Role = Role.QUIET) -> None:
        """Say at the right how many rows there are."""
        count, words = self.query_one("#count", Static), styled(text, role)
        if count.content != words:
            count.update(words, layout=False)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value.strip()))
