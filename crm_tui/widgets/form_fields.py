"""The fields of a form under each other, with their labels: read, filled and gone through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from crm_tui.widgets.choice import Choice, Option
from crm_tui.widgets.facts import styled
from crm_tui.widgets.form_lines import Line, LineField, ReadLine, TextBox, TextField
from crm_tui.widgets.look import Role


@dataclass(frozen=True, slots=True)
class ChoiceField:
    """One of a few."""

    name: str
    label: str
    options: Sequence[Option]
    value: str = ""


Field = LineField | TextField | ChoiceField


class Fields(VerticalScroll, can_focus=False):
    """Fields with their labels; those that are written in one line stand close together."""

    DEFAULT_CSS = """
    Fields {
        height: auto;
        scrollbar-size-vertical: 1;

        & .field { height: auto; }
        & .field.-apart { margin-top: 1; }
        & .label { width: 15; color: $text-muted; }
        & Line, & TextBox, & Choice { width: 1fr; padding: 0 1; background: $background; }
        & Line, & Line:focus { height: 1; border: none; }
        & Line:focus, & TextBox:focus { background: $panel; background-tint: $panel 0%; }
        & Line:focus:ansi, & TextBox:focus:ansi { background: $surface; }
        & TextBox { height: 6; }
    }
    """

    def __init__(self, fields: Sequence[Field], *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._fields = fields

    def compose(self) -> ComposeResult:
        """Each with its label."""
        before: Field | None = None
        for field in self._fields:
            apart = before is not None and not (
                isinstance(before, LineField) and isinstance(field, LineField)
            )
            with Horizontal(classes="field -apart" if apart else "field"):
                yield Static(styled(field.label, Role.QUIET), classes="label")
                yield _widget(field)
            before = field

    @property
    def has_text(self) -> bool:
        """Whether there is one of several lines, to be written in $EDITOR."""
        return any(isinstance(field, TextField) for field in self._fields)

    def of(self, name: str) -> Widget:
        """What a field is written into."""
        return self.query_one(f"#{name}")

    def values(self) -> dict[str, str]:
        """What stands in the fields now, by name."""
        return {field.name: _value(self.of(field.name)) for field in self._fields}

    def fill(self, values: Mapping[str, str]) -> None:
        """Put these values into the fields of these names; other names are none of ours."""
        for field in self._fields:
            if field.name in values:
                _set_value(self.of(field.name), values[field.name])

    def tell(self, problem: str) -> bool:
        """Say why it cannot be saved at the field that says so already, and go there.

        Returns:
            Whether there is one.
        """
        return any(line.tell(problem) for line in self.query(ReadLine))

    def go_to(self, name: str) -> None:
        """Put the focus on the field of this name; where there is none, it stays."""
        if any(field.name == name for field in self._fields):
            self.of(name).focus()

    def typed(self, before: Mapping[str, str]) -> bool:
        """Whether a text was typed that would be lost, compared with the values before."""
        now = self.values()
        return any(
            now[field.name].strip() and now[field.name] != before[field.name]
            for field in self._fields
            if not isinstance(field, ChoiceField)
        )


def _widget(field: Field) -> Widget:
    if isinstance(field, LineField):
        return ReadLine(field) if field.reading or field.picks else Line(field)
    if isinstance(field, TextField):
        return TextBox(field)
    return Choice(field.options, field.value, id=field.name)


def _value(widget: Widget) -> str:
    if isinstance(widget, TextArea):
        return widget.text
    if isinstance(widget, (Input, Choice)):
        return widget.value
    raise TypeError(widget)


def _set_value(widget: Widget, value: str) -> None:
    if isinstance(widget, TextArea):
        widget.text = value
        widget.move_cursor(widget.document.end)
    elif isinstance(widget, Input):
        widget.value = value
    elif isinstance(widget, Choice):
        widget.pick(value)
    else:
        raise TypeError(widget)
