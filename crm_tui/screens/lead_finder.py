"""Finding one lead by a few letters of its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from crm_tui.text import visible
from crm_tui.widgets.columns import fit
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.screens.base import AppScreen
    from crm_tui.services.lead_rows import LeadRow

_MOST = 12
_TYPING_PAUSE = 0.04
"""Seconds after a keystroke before leads are looked for."""
_NAME = 34


class LeadFinder(ModalScreen[int | None]):
    """Type a part of a name; enter takes the lead under the cursor, esc none.

    Args:
        hint: What the empty line says.
        front: The screen it is asked for on.
        but: A lead that is not offered.
    """

    DEFAULT_CSS = """
    LeadFinder {
        align-horizontal: center;
        background: $background 60%;
        & > Vertical {
            width: 64; max-width: 100%; height: auto; max-height: 100%;
            margin-top: 2; padding: 1 0;
            background: $surface;
            border-left: outer $accent;
        }
        & Input, & Input:focus {
            height: 1; border: none; padding: 0 2; background: $surface;
            background-tint: $surface 0%;
        }
        & OptionList, & OptionList:focus {
            height: auto; max-height: 14; margin-top: 1; padding: 0 1;
            border: none; background: $surface; scrollbar-size-vertical: 1;
            & > .option-list--option { padding: 0 1; }
            & > .option-list--option-highlighted { background: $panel; color: $foreground; }
        }
        & #nothing { padding: 0 2; margin-top: 1; color: $text-muted; display: none; }
        &.-nothing #nothing { display: block; }
        &.-nothing OptionList { display: none; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False),
        Binding("down,ctrl+n", "step('cursor_down')", "Next", show=False),
        Binding("up,ctrl+p", "step('cursor_up')", "Previous", show=False),
        Binding("pagedown", "step('page_down')", "Page down", show=False),
        Binding("pageup", "step('page_up')", "Page up", show=False),
    ]

    AUTO_FOCUS = "Input"

    def __init__(self, hint: str, front: AppScreen, *, but: int) -> None:
        super().__init__()
        self._hint = hint
        self._front = front
        self._but = but
        self._pause: Timer | None = None
        self._found = ""
        self._entered_early = False

    def compose(self) -> ComposeResult:
        """A line to type in, and the leads that match."""
        with Vertical():
            line = Input(placeholder=visible(self._hint), compact=True)
            line.cursor_blink = False
            yield line
            yield OptionList(markup=False)
            yield Static("No lead is called that.", id="nothing")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._entered_early = False
        if self._pause is not None:
            self._pause.stop()
        typed = event.value
        self._pause = self.set_timer(
            _TYPING_PAUSE, lambda: self._front.work(self._find(typed), group="finder")
        )

    async def _find(self, typed: str) -> None:
        db = await self._front.host.store()
        from crm_tui.services.finding import leads_named

        async with db.read() as session:
            rows = await leads_named(session, typed, limit=_MOST)
        if self.is_attached:
            self._show([row for row in rows if row.id != self._but], typed)

    def _show(self, rows: Sequence[LeadRow], typed: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(_line(row), id=str(row.id)) for row in rows])
        options.highlighted = 0 if rows else None
        self.set_class(not rows and bool(typed.strip()), "-nothing")
        self._found = typed
        if self._entered_early and typed == self.query_one(Input).value:
            self._entered()

    @on(Input.Submitted)
    def _entered(self) -> None:
        """Take the lead under the cursor; where what is typed is still looked for, once it is found."""
        self._entered_early = self._found != self.query_one(Input).value
        if self._entered_early:
            return
        # At once: a key typed ahead must not come to this line while it goes away.
        option = self.query_one(OptionList).highlighted_option
        if option is not None:
            self.dismiss(int(option.id or 0))

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(int(event.option_id or 0))

    def action_step(self, way: str) -> None:
        """Move in the list while the cursor stays in the line."""
        getattr(self.query_one(OptionList), f"action_{way}")()

    def action_leave(self) -> None:
        """Take none."""
        self.dismiss(None)


def _line(row: LeadRow) -> Content:
    where = visible(row.city or "", 20)
    return styled(fit(row.name, _NAME)) + styled(f"  {where}", Role.QUIET)
