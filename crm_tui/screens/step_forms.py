"""The form in which a message is written: its subject, its text, its delay, with the merge fields.

The fields that could be meant are shown as soon as "{{" is typed, and tab puts in the first.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static, TextArea

from crm_tui.services.templating.fields import FIELDS, MergeField
from crm_tui.services.templating.files import Kind, Template, read_template
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Field, Form, Line, LineField, TextField
from crm_tui.widgets.look import Role

DELAY_HINT = "3d, 2 business days, 1 week"

_BEGUN = re.compile(r"\{\{\s*([\w.]*)\Z")
"""A merge field that is being typed, up to the cursor."""

_SHOWN = 3
"""Fields that are shown at once."""

_HOW = "{{ lists what can be said of each lead, tab puts it in"


class StepForm(Form):
    """A form for a mail: tall, and with the merge fields completed."""

    DEFAULT_CSS = """
    StepForm {
        & #form { width: 88; }
        & Fields TextBox { height: 12; }
        & .step-about { height: auto; }
        & #merge-fields { height: 3; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False, priority=True),
    ]

    @on(TextArea.SelectionChanged)
    @on(TextArea.Changed)
    def _say_fields(self) -> None:
        """Show which fields could be meant."""
        self.query_one("#merge-fields", Static).update(_fields_words(self._candidates()))

    def _begun(self) -> str | None:
        """What is typed of a merge field before the cursor; None where none is begun."""
        focused = self.focused
        if isinstance(focused, TextArea):
            row, column = focused.cursor_location
            before = focused.document.get_line(row)[:column]
        elif isinstance(focused, Line):
            before = focused.value[: focused.cursor_position]
        else:
            return None
        match = _BEGUN.search(before)
        return match[1] if match else None

    def _candidates(self) -> list[MergeField]:
        begun = self._begun()
        if begun is None:
            return []
        found = [each for each in FIELDS.values() if begun in each.name]
        return sorted(found, key=lambda each: not each.name.startswith(begun))

    def action_complete(self) -> None:
        """Put in the first field that could be meant; elsewhere tab goes to the next field."""
        candidates, focused = self._candidates(), self.focused
        if not candidates:
            self.focus_next()
            return
        rest = f"{candidates[0].name} }}}}"
        begun = self._begun() or ""
        if isinstance(focused, TextArea):
            row, column = focused.cursor_location
            focused.replace(rest, (row, column - len(begun)), (row, column))
        elif isinstance(focused, Line):
            at = focused.cursor_position
            focused.value = focused.value[: at - len(begun)] + rest + focused.value[at:]
            focused.cursor_position = at - len(begun) + len(rest)


def step_form(
    title: str,
    template: Template,
    delay: str | None,
    save: Callable[[Template, str | None], Awaitable[None]],
    *,
    about: str = "",
) -> Form:
    """A step of a campaign to be written.

    Args:
        title: What the form is called.
        template: What it says now.
        delay: How long after the step before; None for the first.
        save: Stores what it is to say and the delay; a UserError of it is shown.
        about: What to know before it is changed.
    """
    fields: list[Field] = [
        TextField("text", "HTML" if template.kind is Kind.HTML else "Text", template.body),
    ]
    if template.kind is not Kind.SMS:
        fields.insert(0, LineField("subject", "Subject", template.subject))
    if delay is not None:
        fields.append(LineField("delay", "After", delay, DELAY_HINT))

    async def store(values: Mapping[str, str]) -> None:
        await save(
            written(template, values.get("subject", ""), values["text"]), values.get("delay")
        )

    words = [Static(styled(about, Role.QUIET))] if about else []
    return StepForm(
        title,
        fields,
        save=store,
        verb="Save text",
        about=Vertical(*words, Static(_fields_words([]), id="merge-fields"), classes="step-about"),
    )


def written(template: Template, subject: str, text: str) -> Template:
    """The template with another subject and text."""
    header = "" if template.kind is Kind.SMS else f"subject: {subject.strip()}\n"
    source = f"---\n{header}---\n{text.strip()}\n"
    return read_template(source, name=template.name, kind=template.kind)


def _fields_words(candidates: list[MergeField]) -> Content:
    if not candidates:
        return styled(_HOW, Role.QUIET)
    lines = [
        styled(f"{each.name:<22}", Role.TEXT if number else Role.ACCENT)
        + styled(each.hint, Role.QUIET)
        for number, each in enumerate(candidates[:_SHOWN])
    ]
    return Content("\n").join(lines)
