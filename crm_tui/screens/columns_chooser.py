"""Choosing the columns of the lead list: which, in which order, how wide; seen at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from crm_tui.screens.lead_columns import LEAD_COLUMNS, NARROWEST, USUAL, WIDEST
from crm_tui.widgets.columns import fit
from crm_tui.widgets.facts import styled
from crm_tui.widgets.lines import Lines
from crm_tui.widgets.look import BEGUN, NOTHING, REACHED, Role

if TYPE_CHECKING:
    from textual.content import Content

    from crm_tui.services.views import Columns

_TITLES = {column.key: column.title for column in LEAD_COLUMNS}
_WIDTHS = {column.key: column.width for column in LEAD_COLUMNS}
_HELP = (
    "space   on or off",
    "J K     down, up in the order",
    "+ -     wider, narrower",
    "=       usual width",
    "r       usual columns",
    "enter   keep",
    "esc     as before",
)


class ColumnsChooser(ModalScreen[bool]):
    """All columns under each other; what one changes shows in the list at once.

    Args:
        columns: The columns that are shown, in their order, each with its width or 0.
        show: Shows the list with other columns; returns the keys of those that fit.
    """

    DEFAULT_CSS = """
    ColumnsChooser {
        align: right middle;
        background: $background 0%;
        & > Vertical {
            width: 36; max-width: 100%; height: auto; max-height: 100%;
            padding: 1 2;
            background: $surface;
            border-left: outer $accent;
        }
        & #title { text-style: bold; margin-bottom: 1; }
        & #help { margin-top: 1; color: $text-muted; }
    }
    """

    AUTO_FOCUS = "Lines"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "As before", show=False),
        Binding("enter,q", "keep", "Keep", show=False),
        Binding("space,x", "turn", "On or off", show=False),
        Binding("J,greater_than_sign", "move(1)", "Down", show=False),
        Binding("K,less_than_sign", "move(-1)", "Up", show=False),
        Binding("plus,right,l", "widen(1)", "Wider", show=False),
        Binding("minus,left,h", "widen(-1)", "Narrower", show=False),
        Binding("equals_sign", "usual_width", "Usual width", show=False),
        Binding("r", "usual", "Usual columns", show=False),
    ]

    def __init__(self, columns: Columns, show: Callable[[Columns], list[str]]) -> None:
        super().__init__()
        self._before = columns
        self._show = show
        self._on: dict[str, bool] = {}
        self._width: dict[str, int] = {}
        self._order: list[str] = []
        self._begin_with(columns)

    def compose(self) -> ComposeResult:
        """The columns, and the keys."""
        with Vertical():
            yield Static("Columns", id="title")
            yield Lines()
            yield Static("\n".join(_HELP), id="help", markup=False)

    def on_mount(self) -> None:
        """Begin with the first column."""
        self._show_all()

    def on_resize(self) -> None:
        """Let the columns scroll where they do not fit, so that the keys stay in sight."""
        self.query_one(Lines).styles.max_height = max(self.size.height - len(_HELP) - 5, 3)

    def _begin_with(self, columns: Columns) -> None:
        shown = dict(columns)
        self._order = [*shown, *(key for key in _TITLES if key not in shown)]
        self._on = {key: key in shown for key in self._order}
        self._width = {key: shown.get(key, 0) for key in self._order}

    def _show_all(self) -> None:
        chosen = tuple((key, self._width[key]) for key in self._order if self._on[key])
        fitting = self._show(chosen)
        self.query_one(Lines).show([self._line(key, fitting) for key in self._order])

    def _line(self, key: str, fitting: list[str]) -> Content:
        on, fits = self._on[key], key in fitting
        mark = (REACHED if fits else BEGUN) if on else NOTHING
        width = str(self._width[key] or "") if on else ""
        remark = "no room" if on and not fits else width
        role = Role.TEXT if on and fits else Role.QUIET
        name = styled(f"  {mark} {fit(_TITLES[key], 18)}", role)
        return name + styled(remark.rjust(9), Role.QUIET)

    @property
    def _key(self) -> str:
        return self._order[self.query_one(Lines).cursor]

    def action_turn(self) -> None:
        """Show the column, or leave it out; the name always is there."""
        if self._key != "name":
            self._on[self._key] = not self._on[self._key]
        self._show_all()

    def action_move(self, by: int) -> None:
        """Move the column in the order, the cursor with it."""
        lines = self.query_one(Lines)
        place = lines.cursor + by
        if 0 <= place < len(self._order):
            key = self._order.pop(lines.cursor)
            self._order.insert(place, key)
            lines.cursor = place
            self._show_all()

    def action_widen(self, by: int) -> None:
        """Make the column wider or narrower."""
        width = self._width[self._key] or _WIDTHS[self._key]
        self._width[self._key] = min(max(width + by, NARROWEST), WIDEST)
        self._on[self._key] = True
        self._show_all()

    def action_usual_width(self) -> None:
        """Let the column be as wide as it is by itself."""
        self._width[self._key] = 0
        self._show_all()

    def action_usual(self) -> None:
        """Begin with the columns a new store has."""
        self._begin_with(USUAL)
        self._show_all()

    def action_keep(self) -> None:
        """Go on with the columns as they are now."""
        self.dismiss(result=True)

    def action_leave(self) -> None:
        """Everything as it was before."""
        self._show(self._before)
        self.dismiss(result=False)
