"""All keys, grouped, those of the screen one comes from first; `/` narrows them by their words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from crm_tui.actions import AREA_TITLES, key_words
from crm_tui.text import fold
from crm_tui.widgets.facts import styled
from crm_tui.widgets.keys import AtHand
from crm_tui.widgets.look import Role

_KEYS_WIDTH = 16


class HelpScreen(ModalScreen[None]):
    """The keys of what is at hand, which comes area by area."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 72; max-width: 100%; height: auto; max-height: 100%;
            background: $surface;
            border-left: outer $accent;
            padding: 1 0 1 2;
        }
        & VerticalScroll {
            height: auto; max-height: 100%;
            scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        }
        & Input, & Input:focus {
            display: none; height: 1; border: none; padding: 0; margin-bottom: 1;
            background: $surface; background-tint: $surface 0%;
        }
        &.-filtered Input { display: block; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("q,question_mark", "dismiss", "Close", show=False),
        Binding("slash", "filter", "Filter", show=False),
        Binding("j,down", "scroll('down')", "Down", show=False),
        Binding("k,up", "scroll('up')", "Up", show=False),
        Binding("ctrl+d,pagedown", "scroll('page_down')", "Page down", show=False),
        Binding("ctrl+u,pageup", "scroll('page_up')", "Page up", show=False),
        Binding("G,end", "scroll('end')", "To the end", show=False),
        Binding("home", "scroll('home')", "To the top", show=False),
    ]
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, actions: Sequence[AtHand]) -> None:
        super().__init__()
        self._actions = [each for each in actions if each.action.keys]

    def compose(self) -> ComposeResult:
        """One text that scrolls, under the line that narrows it."""
        with Vertical():
            line = Input(placeholder="A part of what it does, or its key", compact=True)
            line.cursor_blink = False
            yield line
            with VerticalScroll(can_focus=True):
                yield Static(self._text(""))

    def action_scroll(self, way: str) -> None:
        """Scroll by a line or a page."""
        getattr(self.query_one(VerticalScroll), f"scroll_{way}")(animate=False)

    def action_filter(self) -> None:
        """Type what is looked for."""
        self.add_class("-filtered")
        self.query_one(Input).focus()

    def action_back(self) -> None:
        """All keys again, then back to where one came from."""
        if self.has_class("-filtered"):
            self.query_one(Input).value = ""
            self.remove_class("-filtered")
            self.query_one(VerticalScroll).focus()
        else:
            self.dismiss()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self.query_one(Static).update(self._text(event.value))

    @on(Input.Submitted)
    def _leave_line(self) -> None:
        self.query_one(VerticalScroll).focus()

    def _text(self, typed: str) -> Content:
        lines: list[Content] = []
        found = [each for each in self._actions if _matches(each, typed)]
        for area, actions in groupby(found, key=lambda each: each.action.area):
            if lines:
                lines.append(Content(""))
            lines.append(styled(AREA_TITLES[area], Role.ACCENT).stylize("bold"))
            lines += map(_line, actions)
        return Content("\n").join(lines or [styled("No key does that here.", Role.QUIET)])


def _matches(each: AtHand, typed: str) -> bool:
    if typed.strip() in each.action.keys:
        return True
    return all(word in fold(each.action.title) for word in fold(typed).split())


def _line(each: AtHand) -> Content:
    keys = "  ".join(map(key_words, each.action.keys)).ljust(_KEYS_WIDTH)
    why = each.why_not
    if why is None:
        return styled(keys) + styled(each.action.title, Role.QUIET)
    return styled(f"{keys}{each.action.title}  {why}", Role.QUIET).stylize("dim")
