"""One entry of the timeline in full: what does not fit in its line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from crm_tui import clock
from crm_tui.services.timeline import TimelineEntry
from crm_tui.text import visible_lines
from crm_tui.widgets.facts import Fact, Facts, styled
from crm_tui.widgets.look import Role

LONGEST = 100_000
"""The most characters of a text that are shown."""


class EntryReader(ModalScreen[None]):
    """Shows when an entry happened to the minute, who caused it, and all of its text."""

    DEFAULT_CSS = """
    EntryReader {
        align: center middle;
        background: $background 60%;

        & #entry {
            width: 90;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 1 2;
            background: $surface;
            border-left: outer $accent;
        }
        & #entry-title { text-style: bold; }
        & #entry-text {
            height: auto;
            margin: 1 0;
            scrollbar-size-vertical: 1;
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,h,q,enter", "dismiss", "Back", show=False),
    ]

    def __init__(self, entry: TimelineEntry, *, zone: tzinfo | None) -> None:
        super().__init__()
        self._entry = entry
        self._zone = zone

    def compose(self) -> ComposeResult:
        """Title, origin, the text or the changed fields, and the key that leads back."""
        entry = self._entry
        stamp = clock.local_stamp(entry.at, zone=self._zone)
        by = f"{entry.source}, by a machine" if entry.machine else entry.source
        with Vertical(id="entry"):
            yield Static(styled(entry.summary[:LONGEST]), id="entry-title")
            yield Static(styled(f"{stamp}   {by}", Role.QUIET))
            with VerticalScroll(id="entry-text"):
                if entry.body:
                    yield Static(Content(visible_lines(entry.body[:LONGEST])))
                changes = Facts()
                changes.set_facts(list(_changes(entry)))
                yield changes
            yield Static(Content("Back ") + styled("esc", Role.QUIET))

    def on_resize(self) -> None:
        """Let the text scroll where it does not fit, so that the key stays in sight."""
        self.query_one("#entry-text").styles.max_height = max(self.size.height - 7, 3)


def _changes(entry: TimelineEntry) -> Iterator[Fact]:
    """The fields an edit changed, before and after."""
    fields = entry.data.get("fields", {})
    for name, (before, after) in fields.items():
        was = f"was {before}" if before not in {None, ""} else "was empty"
        yield Fact(name.replace("_", " "), str(after) if after else "emptied", was)
