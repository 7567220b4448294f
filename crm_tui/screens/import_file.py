"""Choosing the list to import: a path with completion, and the files imported lately."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from crm_tui.screens.base import AppScreen
from crm_tui.screens.import_tables import size_words
from crm_tui.services.imports.finding import Entry, entries, file_at, recent_files
from crm_tui.widgets.facts import styled
from crm_tui.widgets.forms import Line, LineField
from crm_tui.widgets.look import Role

_NAME_WIDTH = 44


async def choose_list(screen: AppScreen) -> None:
    """Ask for a file, and go on to the import of it."""
    db = await screen.host.store()
    async with db.read() as session:
        recent = await recent_files(session)

    def go_on(path: Path | None) -> None:
        if path is not None:
            from crm_tui.screens.importer import ImportScreen

            screen.app.push_screen(ImportScreen(path))

    await screen.app.push_screen(FileDialog(start=Path.cwd(), recent=recent), go_on)


class FileDialog(ModalScreen[Path | None]):
    """A line for a path, and what completes it. enter takes what is marked, tab completes to it.

    Args:
        start: The folder that paths begin in.
        recent: Files to offer before anything is typed.
    """

    DEFAULT_CSS = """
    FileDialog {
        align-horizontal: center;
        background: $background 60%;
        & > Vertical {
            width: 72; max-width: 100%; height: auto; max-height: 100%;
            margin-top: 2;
            padding: 1 0;
            background: $surface;
            border-left: outer $accent;
        }
        & Static { padding: 0 2; height: 1; }
        & #file-title { text-style: bold; }
        & Line, & Line:focus {
            height: 1; border: none; padding: 0 2; margin-top: 1; background: $surface;
            background-tint: $surface 0%;
        }
        & OptionList, & OptionList:focus {
            height: auto; max-height: 12; margin-top: 1; padding: 0 1;
            border: none; background: $surface; scrollbar-size-vertical: 1;
            & > .option-list--option { padding: 0 1; }
            & > .option-list--option-highlighted { background: $panel; color: $foreground; }
        }
        & #file-words { margin-top: 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False),
        Binding("tab", "complete", "Complete", show=False, priority=True),
        Binding("down,ctrl+n", "step('cursor_down')", "Next", show=False, priority=True),
        Binding("up,ctrl+p", "step('cursor_up')", "Previous", show=False, priority=True),
        Binding("pagedown", "step('page_down')", "Page down", show=False),
        Binding("pageup", "step('page_up')", "Page up", show=False),
    ]
    AUTO_FOCUS = "Line"

    def __init__(self, *, start: Path, recent: Sequence[Path]) -> None:
        super().__init__()
        self._start = start
        self._recent = [Entry(path, is_folder=False) for path in recent]
        self._choices: list[Entry] = []

    def compose(self) -> ComposeResult:
        """A title, the line, what completes it, and what the keys do."""
        with Vertical():
            yield Static("Import a list", id="file-title")
            line = Line(LineField("path", "File", hint="a CSV or JSON file, or an old .db"))
            line.cursor_blink = False
            yield line
            yield OptionList(markup=False)
            yield Static(id="file-words")

    async def on_mount(self) -> None:
        """Offer what is there before anything is typed."""
        await self._list("")

    @on(Input.Changed)
    async def _typed(self, event: Input.Changed) -> None:
        if event.value == self.query_one(Line).value:  # else more was typed since
            await self._list(event.value)

    async def _list(self, typed: str) -> None:
        found = await asyncio.to_thread(entries, typed, start=self._start)
        self._choices = found if typed else self._recent + found
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(self._words(entry)) for entry in self._choices])
        options.highlighted = 0 if self._choices else None
        options.display = bool(self._choices)
        self._say_keys()

    def _words(self, entry: Entry) -> Content:
        if entry in self._recent:
            folder = str(entry.path.parent).replace(str(Path.home()), "~", 1)
            return _spread(entry.path.name, f"imported before, in {folder}")
        if entry.is_folder:
            return _spread(f"{entry.path.name}/", "")
        return _spread(entry.path.name, size_words(entry.size))

    def _say_keys(self) -> None:
        if self._choices:
            words = styled("Take it ") + styled("enter", Role.QUIET)
            words += styled("   Complete ") + styled("tab", Role.QUIET)
            words += styled("   Leave ") + styled("esc", Role.QUIET)
        else:
            words = styled("No list begins like that here.", Role.QUIET)
        self.query_one("#file-words", Static).update(words)

    @property
    def _marked(self) -> Entry | None:
        at = self.query_one(OptionList).highlighted
        return None if at is None or at >= len(self._choices) else self._choices[at]

    @on(Input.Submitted)
    async def _entered(self, event: Input.Submitted) -> None:
        typed = await asyncio.to_thread(file_at, event.value, start=self._start)
        if typed is not None:
            self.dismiss(typed)
        elif self._marked is not None:
            self._take(self._marked)
        else:
            words = styled(f"There is no file {event.value}.", Role.BAD)
            self.query_one("#file-words", Static).update(words)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self._take(self._choices[event.option_index])

    def _take(self, entry: Entry) -> None:
        if entry.is_folder:
            self._type(entry)
        else:
            self.dismiss(entry.path)

    def action_complete(self) -> None:
        """Type the rest of what is marked."""
        if self._marked is not None:
            self._type(self._marked)

    def _type(self, entry: Entry) -> None:
        line = self.query_one(Line)
        folder = line.value.rpartition("/")[0]
        inside = entry.path if entry in self._recent else Path(folder or ".") / entry.path.name
        line.value = ("/" if line.value.startswith("/") and not folder else "") + str(inside)
        if entry.is_folder:
            line.value += "/"
        line.cursor_position = len(line.value)
        line.focus()

    def action_step(self, way: str) -> None:
        """Move in the list while the cursor stays in the line."""
        getattr(self.query_one(OptionList), f"action_{way}")()

    def action_leave(self) -> None:
        """Import nothing."""
        self.dismiss(None)


def _spread(name: str, remark: str) -> Content:
    shown = styled(name)
    gap = " " * max(_NAME_WIDTH - shown.cell_length, 2)
    return shown + Content(gap) + styled(remark, Role.QUIET)
