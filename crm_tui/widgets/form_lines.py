"""What a form is written into: a line of text, one with its reading and picks, several lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static, TextArea
from textual.widgets.text_area import Edit, EditResult

from crm_tui.errors import UserError
from crm_tui.text import visible, visible_lines
from crm_tui.widgets.editor import edit_suspended
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

Reading = Callable[[str], tuple[str, Role]]
"""What is understood of a text while it is typed, in words and what they mean to the eye."""


@dataclass(frozen=True, slots=True)
class LineField:
    """One line of text.

    Attributes:
        hint: What is shown while it is empty.
        picks: Texts often wanted, which the arrows go through.
        reading: Tells below the line what is understood of it.
        hidden: Whether what is typed is not shown, as of a password.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    picks: Sequence[str] = ()
    reading: Reading | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class TextField:
    """Several lines of text, which can also be written in $EDITOR."""

    name: str
    label: str
    value: str = ""


class Line(Input):
    """A line of text with readline's keys; up and down go to the fields around it.

    Where it has picks, up and down go through those first, and typing replaces the one it shows.
    What is shown and handed back is visible text: an input writes its value to the terminal.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "Field above", show=False),
        Binding("down", "step(1)", "Field below", show=False),
        Binding("ctrl+b", "cursor_left", "Back", show=False),
        Binding("ctrl+f", "cursor_right", "Forward", show=False),
        Binding("alt+b", "cursor_left_word", "Back a word", show=False),
        Binding("alt+f", "cursor_right_word", "Forward a word", show=False),
        Binding("alt+d", "delete_right_word", "Delete the next word", show=False),
    ]

    def __init__(self, field: LineField) -> None:
        super().__init__(
            field.value,
            placeholder=field.hint,
            id=field.name,
            select_on_focus=bool(field.picks),
            password=field.hidden,
        )
        self._picks = field.picks
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """Whatever was set, typed or pasted, as one safe line."""
        return visible(value)

    def action_step(self, by: int) -> None:
        """The next or previous pick; past the last, and from typed text, the next field."""
        place = -1
        if self.value in self._picks:
            place = self._picks.index(self.value)
        elif self.value:
            place = len(self._picks) if by > 0 else -1
        if 0 <= place + by < len(self._picks):
            self.value = self._picks[place + by]
            self.action_select_all()
        elif by > 0:
            self.app.action_focus_next()
        else:
            self.app.action_focus_previous()


class ReadLine(Vertical):
    """A line with its picks and what is understood of it below."""

    DEFAULT_CSS = """
    ReadLine { width: 1fr; height: auto; }
    ReadLine Static { height: auto; min-height: 1; padding: 0 1; }
    """

    def __init__(self, field: LineField) -> None:
        super().__init__()
        self._field = field
        self._told = ""

    def compose(self) -> ComposeResult:
        """The line, the reading, the picks."""
        yield Line(self._field)
        yield Static(classes="reading")
        if self._field.picks:
            yield Static(classes="picks")

    def on_mount(self) -> None:
        """Read what stands there at the beginning."""
        self._read(self._field.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._read(event.value)

    def _read(self, text: str) -> None:
        if self._field.reading is not None:
            self._told, role = self._field.reading(text)
            self.query_one(".reading", Static).update(styled(self._told, role))
        if self._field.picks:
            words = [
                styled(pick, Role.TEXT if pick == text else Role.QUIET)
                for pick in self._field.picks
            ]
            picks = Content(" · ").join(words)
            self.query_one(".picks", Static).update(styled("↑ ↓  ", Role.QUIET) + picks)

    def tell(self, problem: str) -> bool:
        """Say in full what the reading begins to say, and go there; False where it does not."""
        if not self._told or not problem.startswith(self._told):
            return False
        self.query_one(".reading", Static).update(styled(problem, Role.BAD))
        self.query_one(Line).focus()
        return True


class TextBox(TextArea):
    """Several lines of text; ctrl+e opens them in $EDITOR. Its text is visible text, as a line's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+e", "edit_outside", "Open in $EDITOR", show=False),
        Binding("ctrl+b", "cursor_left", "Back", show=False),
        Binding("ctrl+f", "cursor_right", "Forward", show=False),
        Binding("alt+b", "cursor_word_left", "Back a word", show=False),
        Binding("alt+f", "cursor_word_right", "Forward a word", show=False),
        Binding("alt+d", "delete_word_right", "Delete the next word", show=False),
    ]

    def __init__(self, field: TextField) -> None:
        text = visible_lines(field.value)
        super().__init__(text, id=field.name, compact=True, highlight_cursor_line=False)
        self.cursor_blink = False
        self.move_cursor(self.document.end)

    def load_text(self, text: str) -> None:
        """Take another text, made safe to show."""
        super().load_text(visible_lines(text))

    def edit(self, edit: Edit) -> EditResult:
        """Change the text; what was typed or pasted is made safe to show."""
        edit.text = visible_lines(edit.text)
        return super().edit(edit)

    def action_edit_outside(self) -> None:
        """Hand the text to $EDITOR and take back what it saved; say so when that failed."""
        try:
            edited = edit_suspended(self.app, self.text)
        except UserError as error:
            self.screen.query_one("#form-words", Static).update(styled(str(error), Role.BAD))
            return
        if edited != self.text:
            self.text = edited
            self.move_cursor(self.document.end)
