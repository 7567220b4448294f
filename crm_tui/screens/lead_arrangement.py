"""How the lead list is arranged: its order, its columns and the saved view it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App

from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.screens.lead_columns import LEAD_COLUMNS, USUAL, arranged, readable
from crm_tui.text import visible
from crm_tui.widgets.row_paint import Sort

if TYPE_CHECKING:
    from crm_tui.screens.lead_listing import Asked
    from crm_tui.services.lead_rows import LeadRow
    from crm_tui.services.views import Columns, View
    from crm_tui.widgets.row_table import RowTable


def choose_sort(app: App[Any], sort: Sort, use: Callable[[str], None]) -> None:
    """Ask for the column to sort by; the same one again turns the order round."""
    direction = "descending" if sort.descending else "ascending"
    picks = [
        Pick(column.key, column.title, direction if column.key == sort.key else "")
        for column in LEAD_COLUMNS
    ]

    def picked(key: str | None) -> None:
        if key is not None:
            use(key)

    app.push_screen(Picker("Sort by", picks, current=sort.key), picked)


class Arrangement:
    """The columns that are shown, and where they come from.

    A view that has columns of its own shows those; what is changed then is a change to the view,
    and gone with it unless it is saved. Everywhere else the columns are the operator's usual ones.

    Args:
        table: Where they are shown.

    Attributes:
        view: The saved view the list shows, if it shows one.
        views: All views, as far as they have been read.
        usual: The columns outside of views that have their own.
        columns: The columns that are shown.
    """

    def __init__(self, table: RowTable[LeadRow]) -> None:
        self._table = table
        self.view: View | None = None
        self.views: list[View] = []
        self.usual: Columns = USUAL
        self.columns: Columns = USUAL

    @property
    def fitting_keys(self) -> list[str]:
        """The keys of the columns that fit."""
        return self._table.fitting_keys

    def show(self, columns: Columns) -> list[str]:
        """Show these columns for now; the keys of those that fit."""
        if columns != self.columns:
            self.columns = columns
            self._table.set_columns(arranged(columns))
            self._table.read_rows_again()
        return self.fitting_keys

    def keep(self) -> None:
        """Go on with the columns as they are shown now."""
        if self.view is None or self.view.columns is None:
            self.usual = self.columns

    def begin_with(self, usual: Columns, columns: Columns) -> None:
        """Begin as it was at the last end, before anything is shown."""
        self.usual = readable(usual) if usual else USUAL
        self.show(readable(columns) if columns else self.usual)

    def enter(self, view: View) -> None:
        """Show the columns of a view."""
        self.view = view
        self.show(self.usual if view.columns is None else readable(view.columns))

    def leave(self) -> None:
        """Show no view any more."""
        self.view = None
        self.show(self.usual)

    def letters(self) -> list[tuple[str, str]]:
        """The letters that lead to views, and the names of those."""
        return [(view.letter, visible(view.name)) for view in self.views if view.letter]

    def words(self, asked: Asked) -> str:
        """The view that is shown: "view Hot", or "view Hot, changed"."""
        if self.view is None:
            return ""
        changed = (
            asked.text.strip() != self.view.query.strip()
            or asked.sort_text != self.view.sort
            or (self.view.columns is not None and readable(self.view.columns) != self.columns)
        )
        return f"view {visible(self.view.name)}{', changed' if changed else ''}"
