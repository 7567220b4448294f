"""A small modal form: labelled fields, keyboard first, that saves through the caller.

The caller hands over what saving means. While that fails for a reason the operator can mend (a
`UserError`), the form stays open with everything that was typed, shows the sentence, and goes to
the field that was refused (`asked_as`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static, TextArea

from crm_tui.errors import BadInput, UserError
from crm_tui.session import Draft
from crm_tui.widgets.choice import Choice
from crm_tui.widgets.facts import styled
from crm_tui.widgets.form_fields import ChoiceField, Field, Fields
from crm_tui.widgets.form_lines import Line, LineField, TextBox, TextField
from crm_tui.widgets.look import Role

__all__ = ["ChoiceField", "Field", "Fields", "Form", "Line", "LineField", "TextBox", "TextField"]

_LOW = 16
"""Lines below which a form leaves out what it is about, and the space between its parts."""

Save = Callable[[Mapping[str, str]], Awaitable[None]]
"""Stores the values of a form, by the names of its fields.

Raises:
    UserError: The values cannot be stored; its sentence says what to change.
"""


class Form(ModalScreen[bool]):
    """Asks for the values of its fields and has them saved; dismissed with whether they were.

    ctrl+s saves from anywhere, enter from a line or a choice. esc leaves; when typed text would
    be lost it says so first, and leaves on the second time.
    """

    DEFAULT_CSS = """
    Form {
        align: center middle;
        background: $background 60%;

        & #form {
            width: 76;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 1 2;
            background: $surface;
            border-left: outer $accent;
        }
        & #form-title { text-style: bold; }
        & #form-about { margin-top: 1; }
        & Fields { margin-top: 1; }
        & #form-words { margin-top: 1; min-height: 1; height: auto; }
        & #form-keys { height: 1; offset-x: -1; }
        & #form-keys Button {
            min-width: 0;
            margin-right: 2;
            padding: 0;
            color: $foreground;
            background: $surface;
            text-style: none;

            &:hover, &:focus { background: $panel; text-style: bold; }
        }
        & #form-keys #save { color: $text-accent; }
        &.-low {
            & #form { padding: 0 2; }
            & #form-title { text-wrap: nowrap; text-overflow: ellipsis; }
            & #form-about { display: none; }
            & Fields, & #form-words { margin-top: 0; }
        }
    }
    """

    VERTICAL_BREAKPOINTS = [(0, "-low"), (_LOW, "-high")]  # noqa: RUF012 - Textual's own type

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", show=False, priority=True),
        Binding("escape", "leave", "Leave", show=False),
    ]

    def __init__(
        self,
        title: str,
        fields: Sequence[Field] | Fields,
        *,
        save: Save,
        verb: str = "Save",
        about: Content | Widget | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self._fields = fields if isinstance(fields, Fields) else Fields(fields)
        self._save = save
        self._verb = verb
        self._about = about
        self._warned = False
        self._refused = False
        self._before: Mapping[str, str] = {}
        self._purpose: tuple[str, int] | None = None
        self._taken_up: tuple[Mapping[str, str], str] = ({}, "")

    def keep_for(self, action: str, lead: int) -> None:
        """Have what is typed kept as a `draft` of this action on this lead."""
        self._purpose = action, lead

    def take_up(self, draft: Draft, words: str) -> None:
        """Begin with the text of a draft, and say what it is; before the form is shown."""
        self._taken_up = draft.values, words

    def draft(self, now: datetime) -> Draft | None:
        """What is typed and would be lost now; None where nothing is, or it is not to be kept."""
        if self._purpose is None or not self._before or not self._fields.typed(self._before):
            return None
        return Draft(*self._purpose, self._title, self.values(), now)

    def on_mount(self) -> None:
        """Remember what the fields say before anything is typed."""
        self._before = self.values()
        values, words = self._taken_up
        self._fields.fill(values)
        if words:
            self._say(words, Role.ATTENTION)

    def compose(self) -> ComposeResult:
        """Title, what it is about, the fields, a line for words, and what the keys do."""
        with Vertical(id="form"):
            yield Static(styled(self._title), id="form-title")
            if isinstance(self._about, Widget):
                yield self._about
            elif self._about is not None:
                yield Static(self._about, id="form-about")
            yield self._fields
            yield Static(id="form-words")
            with Horizontal(id="form-keys"):
                yield Button(_key(self._verb, "ctrl+s"), id="save", compact=True)
                yield Button(_key("Leave", "esc"), id="leave", compact=True)
                if self._fields.has_text:
                    yield Static(_key("Write in $EDITOR", "ctrl+e"), id="form-editor")

    def on_resize(self) -> None:
        """Let the fields scroll where they do not fit, so that the words and keys stay in sight."""
        rest = 10 if self._about is not None else 8
        self._fit(rest if self.size.height >= _LOW else 5)
        if isinstance(self._about, Widget):
            self.call_after_refresh(self._fit_about, self._about)

    def _fit_about(self, about: Widget) -> None:
        """What it is about may take more lines than most."""
        self._fit(max(7 + about.outer_size.height, 10))

    def _fit(self, rest: int) -> None:
        self._fields.styles.max_height = max(self.size.height - rest, 3)

    def values(self) -> dict[str, str]:
        """What stands in the fields now, by name."""
        return self._fields.values()

    def _say(self, words: str, role: Role) -> None:
        self.query_one("#form-words", Static).update(styled(words, role))

    @on(Input.Submitted)
    @on(Choice.Entered)
    @on(Button.Pressed, "#save")
    async def action_save(self) -> None:
        """Save, and leave if that worked."""
        try:
            await self._save(self.values())
        except UserError as error:
            self._refused = True
            told = self._fields.tell(str(error))
            self._say("" if told else str(error), Role.BAD)
            if not told and isinstance(error, BadInput):
                self._fields.go_to(error.at)
        else:
            self.dismiss(result=True)

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        """Leave without saving, asking once when typed text would be lost."""
        if self._fields.typed(self._before) and not self._warned:
            self._warned = True
            self._say(
                "This is not saved. esc again leaves without it, ctrl+s saves it.",
                Role.ATTENTION,
            )
        else:
            self.dismiss(result=False)

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Choice.Picked)
    def _typed_on(self) -> None:
        """Typing on takes the question back, and what was wrong before."""
        if self._warned or self._refused:
            self._warned = self._refused = False
            self._say("", Role.QUIET)


def _key(words: str, key: str) -> Content:
    return Content(words) + " " + styled(key, Role.QUIET)
