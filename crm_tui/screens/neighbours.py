"""The list a lead was opened from, as far as the lead's own screen needs it."""

from __future__ import annotations

from typing import Any, Protocol

from crm_tui.widgets.row_table import RowTable


class Neighbours(Protocol):
    """A list with an order and a cursor of its own."""

    def step(self, by: int) -> int | None:
        """Move the list's cursor by so many rows; the lead it came to, None at the list's end."""

    def place(self) -> tuple[int, int]:
        """Where the cursor stands, counted from 1, and how long the list is."""


class TableNeighbours:
    """The table a lead was opened from; going on to the next lead moves its cursor along."""

    def __init__(self, table: RowTable[Any]) -> None:
        self._table = table

    def step(self, by: int) -> int | None:
        """Move the table's cursor; None at the table's end."""
        target = self._table.cursor + by
        if not 0 <= target < self._table.total:
            return None
        self._table.move_to(target)
        return self._table.cursor_id

    def place(self) -> tuple[int, int]:
        """The cursor's place, counted from 1, and the number of rows."""
        return self._table.cursor + 1, self._table.total
