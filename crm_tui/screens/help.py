"""All keys, grouped, those of the screen one comes from first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from crm_tui.actions import AREA_TITLES, Action, key_words
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

_KEYS_WIDTH = 16


class HelpScreen(ModalScreen[None]):
    """The keys of these actions, which come area by area."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        background: $background 60%;
        & > Vertical {
            width: 60; max-width: 100%; height: auto; max-height: 100%;
            background: $surface;
            border-left: outer $accent;
            padding: 1 0 1 2;
        }
        & VerticalScroll {
            height: auto; max-height: 100%;
            scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Close", show=False),
        Binding("j", "scroll('down')", "Down", show=False),
        Binding("k", "scroll('up')", "Up", show=False),
    ]

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = [each for each in actions if each.keys]

    def compose(self) -> ComposeResult:
        """One text that scrolls."""
        with Vertical(), VerticalScroll():
            yield Static(self._text())

    def action_scroll(self, way: str) -> None:
        """Scroll by a line."""
        body = self.query_one(VerticalScroll)
        body.scroll_relative(y=1 if way == "down" else -1, animate=False)

    def _text(self) -> Content:
        lines: list[Content] = []
        for area, actions in groupby(self._actions, key=lambda each: each.area):
            if lines:
                lines.append(Content(""))
            lines.append(styled(AREA_TITLES[area], Role.ACCENT))
            for each in actions:
                keys = "  ".join(map(key_words, each.keys)).ljust(_KEYS_WIDTH)
                lines.append(styled(keys) + styled(each.title, Role.QUIET))
        return Content("\n").join(lines)
