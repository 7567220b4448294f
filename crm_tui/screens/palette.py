"""The command palette: what can be done here, leads by their name, and what can be undone."""

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

from crm_tui.actions import key_words
from crm_tui.screens.base import AppScreen
from crm_tui.screens.undoing import turn_back
from crm_tui.text import fold
from crm_tui.vocabulary import UndoState
from crm_tui.widgets.facts import styled
from crm_tui.widgets.keys import AtHand, at_hand
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.lead_rows import LeadRow
    from crm_tui.services.undo import EntryLine

_SELF = "everywhere.palette"
_LEADS = 8
_ENTRIES = 100
_ENTRIES_AT_FIRST = 5
_TYPING_PAUSE = 0.04
"""Seconds after a keystroke before leads are looked for."""

_WIDTH = 72
_ROOM = _WIDTH - 6
"""Cells of a line, beside border, padding and scrollbar."""
_NAME_ROOM = 40
"""Cells a name may take where there is a remark to be seen."""


_PLACES = {"business": 0, "list": 2}
"""What one comes for stands first, what a key does sooner last; all else between them."""


class Palette(ModalScreen[str | None]):
    """Type a part of what you want; enter does it, or opens the lead.

    Args:
        front: The screen it is asked for on.
    """

    DEFAULT_CSS = f"""
    Palette {{
        align-horizontal: center;
        background: $background 60%;
        & > Vertical {{
            width: {_WIDTH}; max-width: 100%; height: auto; max-height: 100%;
            margin-top: 2;
            padding: 1 0;
            background: $surface;
            border-left: outer $accent;
        }}
        & Input, & Input:focus {{
            height: 1; border: none; padding: 0 2; background: $surface;
            background-tint: $surface 0%;
        }}
        & OptionList, & OptionList:focus {{
            height: auto; max-height: 16; margin-top: 1; padding: 0 1;
            border: none; background: $surface; scrollbar-size-vertical: 1;
            & > .option-list--option {{ padding: 0 1; }}
            & > .option-list--option-disabled {{ color: $text-muted; }}
            & > .option-list--option-highlighted {{ background: $panel; color: $foreground; }}
        }}
        & #nothing {{ padding: 0 2; margin-top: 1; color: $text-muted; display: none; }}
        &.-nothing #nothing {{ display: block; }}
        &.-nothing OptionList {{ display: none; }}
    }}
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False),
        Binding("down,ctrl+n", "step('cursor_down')", "Next", show=False),
        Binding("up,ctrl+p", "step('cursor_up')", "Previous", show=False),
        Binding("pagedown", "step('page_down')", "Page down", show=False),
        Binding("pageup", "step('page_up')", "Page up", show=False),
    ]

    AUTO_FOCUS = "Input"

    def __init__(self, front: AppScreen) -> None:
        super().__init__()
        self._front = front
        there = [each for each in at_hand(front) if each.action.id != _SELF]
        there.sort(key=lambda each: _PLACES.get(each.action.area, 1))
        self._actions = {each.action.id: each for each in there}
        self._entries: Sequence[EntryLine] = ()
        self._leads: Sequence[LeadRow] = ()
        self._typed = ""
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        """A line to type in, and what matches."""
        with Vertical():
            line = Input(placeholder="An action, or the name of a lead", compact=True)
            line.cursor_blink = False
            yield line
            yield OptionList(markup=False)
            yield Static("Nothing is called that.", id="nothing")

    def on_mount(self) -> None:
        """Show what can be done here; what can be undone follows when it is read."""
        self._show()
        self._front.work(self._read_entries(), group="palette entries")

    # Reading

    async def _read_entries(self) -> None:
        db = await self._front.host.store()
        from crm_tui.services import undo

        async with db.read() as session:
            self._entries = await undo.entries(session, limit=_ENTRIES)
        self._show()

    async def _find(self, typed: str) -> None:
        db = await self._front.host.store()
        from crm_tui.services.finding import leads_named

        async with db.read() as session:
            self._leads = await leads_named(session, typed, limit=_LEADS)
        self._show()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._typed = event.value
        self._leads = [row for row in self._leads if self._matches(row.name)]
        self._show()
        if self._pause is not None:
            self._pause.stop()
        typed = self._typed
        self._pause = self.set_timer(
            _TYPING_PAUSE, lambda: self._front.work(self._find(typed), group="palette leads")
        )

    # Showing

    def _matches(self, name: str) -> bool:
        return all(word in fold(name) for word in fold(self._typed).split())

    def _begins(self, name: str) -> bool:
        """Whether what is typed begins a word of the name, rather than being within one."""
        return f" {fold(self._typed).strip()}" in f" {fold(name)}"

    def _show(self) -> None:
        """List what matches, the cursor on the same thing if it is still there."""
        options = next(iter(self.query(OptionList)), None)
        if options is None:  # the palette is gone meanwhile
            return
        before = options.highlighted_option.id if options.highlighted_option else None
        moved = before is not None and options.highlighted != self._first(options)
        shown = self._options()
        options.clear_options()
        options.add_options(shown)
        ids = [option.id for option in shown]
        options.highlighted = ids.index(before) if moved and before in ids else self._first(options)
        self.set_class(not shown, "-nothing")

    @staticmethod
    def _first(options: OptionList) -> int | None:
        return next((i for i, each in enumerate(options.options) if not each.disabled), None)

    def _options(self) -> list[Option]:
        actions = [each for each in self._actions.values() if self._matches(each.action.title)]
        actions.sort(key=lambda each: (bool(each.why_not), not self._begins(each.action.title)))
        entries = [each for each in self._entries if self._matches(_entry_words(each))]
        if not self._typed.strip():
            entries = entries[:_ENTRIES_AT_FIRST]
        shown = [Option(_action_line(each), id=f"action {each.action.id}") for each in actions]
        if self._leads:
            shown.append(_heading("Leads"))
            shown += [Option(_lead_line(row), id=f"lead {row.id}") for row in self._leads]
        if entries:
            shown.append(_heading("What was done"))
            shown += [Option(_line(_entry_words(each)), id=f"entry {each.id}") for each in entries]
        return shown

    # Choosing

    @on(Input.Submitted)
    def _entered(self) -> None:
        # At once: a key typed ahead must not come to this line while it goes away.
        option = self.query_one(OptionList).highlighted_option
        if option is not None:
            self.dismiss(option.id)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    async def do(self, chosen: str | None) -> None:
        """Do what was chosen, once the palette is gone."""
        kind, _, id_ = (chosen or "").partition(" ")
        if kind == "action":
            each = self._actions[id_]
            await each.owner.do(each.action)
        elif kind == "lead":
            from crm_tui.screens.lead import LeadScreen

            LeadScreen.open(self._front, int(id_))
        elif kind == "entry":
            entry = next(each for each in self._entries if each.id == int(id_))
            turn_back(self._front.host, again=_is_undone(entry), entry_id=entry.id)

    def action_step(self, way: str) -> None:
        """Move in the list while the cursor stays in the line."""
        getattr(self.query_one(OptionList), f"action_{way}")()

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)


def _heading(words: str) -> Option:
    return Option(styled(words, Role.ACCENT).stylize("bold"), disabled=True)


def _is_undone(entry: EntryLine) -> bool:
    return entry.state in {UndoState.UNDONE, UndoState.REDOING}


def _entry_words(entry: EntryLine) -> str:
    return f"{'Do again' if _is_undone(entry) else 'Undo'}: {entry.words}"


def _action_line(each: AtHand) -> Content:
    if why := each.why_not:
        return _line(each.action.title, why, Role.QUIET)
    return _line(each.action.title, "  ".join(map(key_words, each.action.keys)))


def _lead_line(row: LeadRow) -> Content:
    from crm_tui.services.contacts import phone_words  # read with the leads, after the first paint

    reached = phone_words(row.phone) if row.phone else row.email
    return _line(row.name, ", ".join(filter(None, (row.city, reached))))


def _line(name: str, remark: str = "", role: Role = Role.TEXT) -> Content:
    """A name at the left, a remark at the right, both cut where there is no room for them."""
    if not remark:
        return styled(name, role).truncate(_ROOM, ellipsis=True)
    left = styled(name, role).truncate(_NAME_ROOM, ellipsis=True)
    right = styled(remark, Role.QUIET).truncate(_ROOM - left.cell_length - 2, ellipsis=True)
    return left + " " * (_ROOM - left.cell_length - right.cell_length) + right
