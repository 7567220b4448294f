"""The line above a list: what it is filtered by, what could be meant, and how many rows it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.highlighter import Highlighter
from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from crm_tui.text import fold, visible
from crm_tui.widgets.completions import Candidate, Completions
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

_INDENT = 3
"""Cells before the words."""

_BREAKS = frozenset(' ,():<>="')
"""Characters with which something else begins to be typed."""


class _Wrong(Highlighter):
    """Marks the part of the words that cannot be read."""

    def __init__(self, start: int, style: Style) -> None:
        super().__init__()
        self._start = start
        self._style = style

    def highlight(self, text: Text) -> None:
        """From where it is wrong to the end of that word; the last word where it ends too early."""
        words = text.plain.rstrip()
        start = min(self._start, len(words))
        if start == len(words):
            start = words.rfind(" ") + 1
        end = words.find(" ", start + 1)
        text.stylize(self._style, start, len(words) if end < 0 else end)


class _Words(Input):
    """The words; leaving the line hands the keys back to the list."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"filter-line--wrong"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", "Close what is offered, or to the list", show=False),
        Binding("enter", "enter", "To the list", show=False),
        Binding("tab", "complete", "Complete", show=False),
        Binding("down,ctrl+n", "step(1)", "Next", show=False),
        Binding("up,ctrl+p", "step(-1)", "Previous", show=False),
        Binding("ctrl+b", "cursor_left", "Back", show=False),
        Binding("ctrl+f", "cursor_right", "Forward", show=False),
        Binding("alt+b", "cursor_left_word", "Back a word", show=False),
        Binding("alt+f", "cursor_right_word", "Forward a word", show=False),
    ]

    @property
    def line(self) -> FilterLine:
        """The line it is in."""
        assert isinstance(self.parent, FilterLine)
        return self.parent

    def action_escape(self) -> None:
        """Close what is offered, else leave the line."""
        if not self.line.withdraw():
            self.post_message(FilterLine.Left())

    def action_enter(self) -> None:
        """Take what was gone to among what is offered, else leave the line."""
        if not self.line.accept(only_moved=True):
            self.post_message(FilterLine.Entered())

    def action_complete(self) -> None:
        """Take what is offered, or ask for what there is."""
        self.post_message(FilterLine.CompletionWanted())

    def action_step(self, by: int) -> None:
        """Go through what is offered; without anything, down leaves the line."""
        if not self.line.step(by) and by > 0:
            self.post_message(FilterLine.Left())

    def on_paste(self, event: events.Paste) -> None:
        """Put in all that is pasted, several lines as one."""
        event.prevent_default()  # Textual's own takes the first line
        event.stop()
        self.replace(visible(" ".join(event.text.expandtabs(1).splitlines())), *self.selection)

    def on_blur(self) -> None:
        """Nothing is offered to who is not here."""
        self.line.withdraw()


class FilterLine(Horizontal):
    """What is typed is sent as `Changed` with every keystroke; esc, enter and down leave.

    Args:
        hint: What can be typed.
        pause: Seconds without a keystroke after which `Rested` is sent; none is sent without.
    """

    DEFAULT_CSS = """
    FilterLine {
        height: 1;
        & > #slash { width: 3; padding: 0 1; color: $text-muted; }
        & > _Words, & > _Words:focus {
            width: 1fr; height: 1; padding: 0; border: none; background: $background;
            background-tint: $background 0%;
            & > .filter-line--wrong { color: $text-error; text-style: underline; }
        }
        & > #count { width: auto; max-width: 50%; padding: 0 1 0 2; text-align: right; }
        & > #problem {
            display: none; overlay: screen; position: absolute; offset: 0 1;
            width: 100%; height: auto; max-height: 4; padding: 0 3; background: $background;
        }
        &:focus-within > #slash { color: $accent; text-style: bold; }
    }
    """

    @dataclass
    class Changed(Message):
        """The filter is these words now, and the cursor stands before this one of them."""

        words: str
        cursor: int

    class Rested(Message):
        """Nothing was typed for a while: time to look for these words."""

    class Left(Message):
        """The operator left the line; the filter stays."""

    class Entered(Message):
        """The operator wants the list of the filter as it is."""

    class CompletionWanted(Message):
        """Tab was pressed: answer with `accept`, once what is offered is up to date."""

    def __init__(self, hint: str = "name, phone, city, notes", *, pause: float = 0) -> None:
        super().__init__()
        self._hint = hint
        self._pause = pause
        self._resting: Timer | None = None
        self._basis = ("", 0, 0)

    def compose(self) -> Iterable[Widget]:
        """A slash, the words, the count; under them what is offered, or what is wrong."""
        yield Static("/", id="slash")
        words = _Words(placeholder=self._hint, compact=True)
        words.cursor_blink = False
        yield words
        yield Static(id="count")
        yield Completions()
        yield Static(id="problem")

    @property
    def value(self) -> str:
        """The words as they stand there."""
        return self.query_one(_Words).value

    @property
    def cursor(self) -> int:
        """Before which character of the words the cursor stands."""
        return self.query_one(_Words).cursor_position

    def edit(self) -> None:
        """Put the cursor into the line."""
        self.screen.set_focus(self.query_one(_Words))

    def go_to(self, place: int) -> None:
        """Put the cursor before a character of the words."""
        self.query_one(_Words).cursor_position = place

    def put(self, words: str, *, quietly: bool = False) -> None:
        """Filter by these words; quietly for who knows already."""
        line = self.query_one(_Words)
        if quietly:
            with line.prevent(Input.Changed):
                line.value = words
        else:
            line.value = words
        line.cursor_position = len(words)

    def end_pause(self) -> bool:
        """Wait for no more keystrokes; whether `Rested` was still to come."""
        waited, self._resting = self._resting, None
        if waited is not None:
            waited.stop()
        return waited is not None

    def _rest(self) -> None:
        self._resting = None
        self.post_message(self.Rested())

    def show_count(self, text: str, role: Role = Role.QUIET) -> None:
        """Say at the right how many rows there are."""
        count, words = self.query_one("#count", Static), styled(text, role)
        if count.content != words:
            count.update(words)

    # What is wrong

    def show_problem(self, sentence: str, column: int) -> None:
        """Say under the line what cannot be read, and mark where (counted from 1)."""
        words = self.query_one(_Words)
        style = words.get_component_rich_style("filter-line--wrong", partial=True)
        words.highlighter = _Wrong(column - 1, style)
        problem = self.query_one("#problem", Static)
        problem.update(styled(sentence, Role.BAD))
        problem.display = True

    def clear_problem(self) -> None:
        """All of it can be read."""
        self.query_one(_Words).highlighter = None
        self.query_one("#problem", Static).display = False

    # What is offered

    @property
    def is_offering(self) -> bool:
        """Whether there is something to choose from."""
        return self.query_one(Completions).is_open

    @property
    def offered(self) -> list[str]:
        """The names of what is offered."""
        return [each.shown for each in self.query_one(Completions).candidates]

    def offer(self, candidates: Sequence[Candidate], start: int, end: int) -> None:
        """Offer these in the place of `value[start:end]`, unless the operator has left."""
        words = self.query_one(_Words)
        if not words.has_focus:
            return
        self._basis = (words.value, start, end)
        x = _INDENT + cell_len(words.value[:start]) - round(words.scroll_offset.x)
        self.query_one(Completions).offer(list(candidates), x=x - 1)

    def withdraw(self) -> bool:
        """Offer nothing any more; False if nothing was."""
        completions = self.query_one(Completions)
        was_open = completions.is_open
        completions.offer((), x=0)
        completions.moved = False
        return was_open

    def step(self, by: int) -> bool:
        """Choose the next or the previous of what is offered; False if nothing is."""
        completions = self.query_one(Completions)
        if completions.is_open:
            completions.step(by)
        return completions.is_open

    def accept(self, *, only_moved: bool = False) -> bool:
        """Take what is chosen; False if there is nothing, or nothing was gone to."""
        completions = self.query_one(Completions)
        chosen = completions.chosen
        if chosen is None or (only_moved and not completions.moved):
            return False
        words = self.query_one(_Words)
        _, start, end = self._basis
        after = words.value[end:]
        insert = chosen.insert
        if not after and insert[-1:] not in _BREAKS - {'"'}:
            insert += " "
        self.withdraw()
        words.value = words.value[:start] + insert + after
        words.cursor_position = start + len(insert)
        return True

    @on(Completions.Picked)
    def _clicked(self) -> None:
        self.accept()

    def on_mount(self) -> None:
        """See where the cursor goes."""
        self.watch(self.query_one(_Words), "selection", self._moved, init=False)

    def _moved(self) -> None:
        """Narrow what is offered by what was typed since, or offer it no more."""
        completions = self.query_one(Completions)
        if not completions.is_open:
            return
        words = self.query_one(_Words)
        before, start, end = self._basis
        end += len(words.value) - len(before)
        typed = words.value[start : words.cursor_position]
        if (
            words.value[:start] != before[:start]
            or words.cursor_position < start
            or end < words.cursor_position
            or _BREAKS.intersection(typed)
        ):
            self.withdraw()
            return
        key = fold(typed)
        self.offer([each for each in completions.candidates if key in fold(each.shown)], start, end)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value.rstrip(), self.cursor))
        if self._pause:
            self.end_pause()
            self.clear_problem()
            self._resting = self.set_timer(self._pause, self._rest)

    def on_click(self, event: events.Click) -> None:
        """A click on the slash or the count begins to edit."""
        if not self.query_one(_Words).has_focus and event.y == 0:
            self.edit()
