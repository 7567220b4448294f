"""What an empty screen says: that there is nothing yet, and what one can do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from crm_tui.actions import Action, key_words
from crm_tui.widgets.facts import styled
from crm_tui.widgets.frame import ActionPressed
from crm_tui.widgets.keys import keymap_of
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_paint import CURSOR_MARK

_FIRST_LINE = 2
"""The line of the first offer, after the title and a blank one."""

_LINES_EACH = 3


class Offer(NamedTuple):
    """An action and what comes of it."""

    action_id: str
    about: str


class Welcome(Widget, can_focus=True):
    """A title and a few offers, chosen with the arrows, their keys, or the mouse."""

    DEFAULT_CSS = """
    Welcome { height: 1fr; padding: 2 4; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "step(1)", "Next", show=False),
        Binding("k,up", "step(-1)", "Previous", show=False),
        Binding("enter,l,space", "take", "Do it", show=False),
    ]

    cursor: reactive[int] = reactive(0)

    def __init__(self, title: str, offers: Sequence[Offer], *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._title = title
        self._offers = offers

    def action_step(self, step: int) -> None:
        """To the next offer or the one before."""
        self.cursor = max(0, min(self.cursor + step, len(self._offers) - 1))

    def action_take(self) -> None:
        """Take the offer under the cursor."""
        self.post_message(ActionPressed(self._action(self._offers[self.cursor])))

    def on_click(self, event: events.Click) -> None:
        """Take the offer that was clicked."""
        number, line = divmod(event.y - self.styles.padding.top - _FIRST_LINE, _LINES_EACH)
        if 0 <= number < len(self._offers) and line < _LINES_EACH - 1:
            self.cursor = number
            self.action_take()

    def render(self) -> Content:
        """Title, then each offer with what comes of it below."""
        lines = [styled(self._title), Content("")]
        for number, offer in enumerate(self._offers):
            lines += [
                self._heading(self._action(offer), under_cursor=number == self.cursor),
                Content("  ") + styled(offer.about, Role.QUIET),
                Content(""),
            ]
        return Content("\n").join(lines)

    def _action(self, offer: Offer) -> Action:
        return keymap_of(self).action(offer.action_id)

    @staticmethod
    def _heading(offer: Action, *, under_cursor: bool) -> Content:
        mark = styled(f"{CURSOR_MARK} " if under_cursor else "  ", Role.ACCENT)
        title = styled(offer.title, Role.ACCENT if under_cursor else Role.STRONG).stylize("bold")
        keys = "  ".join(map(key_words, offer.keys))
        return mark + title + Content("  ") + styled(keys, Role.QUIET)
