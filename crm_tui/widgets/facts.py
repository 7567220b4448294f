"""Labels and values under each other: labels quiet, values wrapped, empty ones left out.

Also `styled`, which turns outside text and its meaning into content any widget can show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.style import Style
from textual.widget import Widget

from crm_tui.text import link_target, visible, visible_lines
from crm_tui.widgets.columns import fit
from crm_tui.widgets.look import Role
from crm_tui.widgets.wrap import wrap

VALUE_LENGTH = 2000
"""The most characters of a value that are shown."""

_COLOURS = {
    Role.TEXT: "$foreground",
    Role.STRONG: "bold $foreground",
    Role.QUIET: "$text-muted",
    Role.GOOD: "$text-success",
    Role.ATTENTION: "$text-warning",
    Role.BAD: "$text-error",
    Role.ACCENT: "$text-accent",
}
_GAP = 2


class Fact(NamedTuple):
    """A label and its value; one without a label goes on below the one before.

    Attributes:
        label: Our own words.
        value: Outside text, as it came; with neither value nor note the fact is not shown.
        note: A short remark after the value, such as its state.
        role: What the value means to the eye.
        note_role: What the note means to the eye.
        link: The address the value leads to, such as "tel:+1…".
    """

    label: str
    value: str
    note: str = ""
    role: Role = Role.TEXT
    note_role: Role = Role.QUIET
    link: str | None = None


def styled(text: str, role: Role = Role.TEXT, *, link: str | None = None) -> Content:
    """One line of outside text in the colour of its role; nothing in it is read as markup.

    A link is left out where its address is none that a terminal may be given.
    """
    content = Content.styled(visible(text), _COLOURS[role])
    if link and (target := link_target(link)):
        content = content.stylize(Style(link=target))
    return content


class Facts(Widget):
    """A list of labels and values, as high as it needs to be; `set_facts` fills it.

    Args:
        label_width: The cells of a label, so that several lists line up; the widest when None.
        id: The widget's id.
    """

    DEFAULT_CSS = """
    Facts {
        height: auto;
    }
    """

    def __init__(self, *, label_width: int | None = None, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._label_width = label_width
        self._facts: Sequence[Fact] = ()

    def set_facts(self, facts: Sequence[Fact]) -> None:
        """Show these; a label whose value is empty is not shown."""
        facts = [fact for fact in facts if fact.value.strip() or fact.note]
        self.display = bool(facts)
        if facts != self._facts:
            self._facts = facts
            self.refresh(layout=True)

    def render(self) -> Content:
        """The facts, wrapped to the width there is; where there are too few lines, the last ends in …."""
        lines = list(self._lines(self.size.width))
        shown = lines[: self.size.height]
        if len(shown) < len(lines) and shown:
            cut = shown[-1].truncate(max(self.size.width - 2, 0))
            shown[-1] = cut + styled(" …", Role.QUIET)
        return Content("\n").join(shown)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The lines the facts take at this width."""
        del container, viewport
        return sum(1 for _ in self._lines(width))

    def _lines(self, width: int) -> Iterator[Content]:
        longest = max((cell_len(visible(fact.label)) for fact in self._facts), default=0)
        indent = min((self._label_width or longest) + _GAP, max(width // 2, 1))
        room = max(width - indent, 1)
        for fact in self._facts:
            label = styled(fit(fact.label, indent - _GAP) + " " * _GAP, Role.QUIET)
            for line in _value_lines(fact, room):
                yield label + line
                label = Content(" " * indent)


def _value_lines(fact: Fact, room: int) -> Iterator[Content]:
    """The value wrapped to `room` cells, the note after it or, where it does not fit, below."""
    value = fact.value.rstrip()
    if len(value) > VALUE_LENGTH:
        value = value[: VALUE_LENGTH - 1] + "…"
    lines = wrap(visible_lines(value), room) if value else []
    for line in lines[:-1]:
        yield styled(line, fact.role, link=fact.link)
    last = lines[-1] if lines else ""
    if not fact.note:
        yield styled(last, fact.role, link=fact.link)
        return
    notes = wrap(visible(fact.note), room)
    if last and cell_len(last) + _GAP + cell_len(notes[0]) <= room:
        value_part = styled(last, fact.role, link=fact.link)
        yield value_part + " " * _GAP + styled(notes.pop(0), fact.note_role)
    elif last:
        yield styled(last, fact.role, link=fact.link)
    for note in notes:
        yield styled(note, fact.note_role)
