"""What the columns of an unknown table mean, changed one by one."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable

from textual import on
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.screens.base import AppScreen
from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.screens.import_tables import COLUMN_COLUMNS, ColumnRow, column_rows
from crm_tui.services.imports.mapping import CUSTOM, FIELDS, REPEATABLE
from crm_tui.services.imports.reading import Preview
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowOpened


class ColumnsScreen(AppScreen):
    """The columns of a table; enter changes what one means.

    Args:
        preview: The table.
        changed: Called with the whole mapping after every change.
    """

    CSS_PATH = "importer.tcss"
    AREA = "columns"
    FOOTER = ("columns.change", "columns.leave")
    TAB = "leads"
    AUTO_FOCUS = "RowList"

    def __init__(self, preview: Preview, changed: Callable[[dict[str, str]], None]) -> None:
        super().__init__()
        self._preview = preview
        self._rows = column_rows(preview)
        self._changed = changed

    def compose_body(self) -> Iterable[Widget]:
        """A line of help above the columns."""
        with Vertical(id="columns-head"):
            yield Static(styled(f"Columns of {self._preview.path.name}", Role.STRONG))
            yield Static(
                styled("What is chosen here is kept for the next list like it.", Role.QUIET)
            )
        self._table: RowList[ColumnRow] = RowList(COLUMN_COLUMNS, now=self.host.now)
        yield self._table

    def on_mount(self) -> None:
        """Show the columns."""
        self._show()

    def _show(self) -> None:
        order = array("q", (row.id for row in self._rows))
        self._table.show(order, self._rows, keep="place")

    @on(RowOpened)
    def action_change(self) -> None:
        """Choose what the column under the cursor means."""
        row = self._table.cursor_row
        if row is None:
            return
        taken = {each.field: each.header for each in self._rows if each.id != row.id}
        picks = [
            Pick(field, title, "" if field in REPEATABLE else taken.get(field, ""))
            for field, title in FIELDS.items()
        ]

        def choose(field: str | None) -> None:
            if field is not None and field != row.field:
                self._give(row, field)

        self.app.push_screen(Picker(f"{row.header} is", picks, current=row.field), choose)

    def _give(self, row: ColumnRow, field: str) -> None:
        """Give a column a meaning; one that can have it only once gives it up."""
        self._rows = [
            each._replace(field=field)
            if each.id == row.id
            else each._replace(field=CUSTOM)
            if each.field == field and field not in REPEATABLE
            else each
            for each in self._rows
        ]
        self._show()
        self._changed({each.header: each.field for each in self._rows})

    def action_leave(self) -> None:
        """Back to the list."""
        self.app.pop_screen()
