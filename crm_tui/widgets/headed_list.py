"""A list whose lines stand under headings, which the cursor passes over."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Literal

from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_paint import Sort
from crm_tui.widgets.row_window import RowT


class HeadedList(RowList[RowT]):
    """A list whose rows with an id below zero are headings and spaces, with lines below them."""

    def show(
        self,
        order: array[int],
        rows: Iterable[RowT] = (),
        *,
        total: int | None = None,
        keep: Literal["place", "selection", "nothing"] = "nothing",
        sort: Sort | None = None,
    ) -> None:
        """Show a list, the cursor on a line."""
        super().show(order, rows, total=total, keep=keep, sort=sort)
        self.move_to(self.cursor)

    def move_to(self, index: int) -> None:
        """Put the cursor on a line; where there is none, on the one beyond it."""
        index = max(min(index, self.total - 1), 0)
        ways = (-1, 1) if index < self.cursor else (1, -1)
        found = (self._line_from(index, way) for way in ways)
        super().move_to(next((each for each in found if each is not None), 0))
        if 0 < self.cursor == self.top and self.order[self.cursor - 1] < 0:
            self.scroll_to(y=self.cursor - 1, animate=False)  # its heading belongs to it

    def next_line(self, by: int) -> int | None:
        """The place of the next line that way; None beyond the ends."""
        return self._line_from(self.cursor + by, by)

    def _line_from(self, index: int, way: int) -> int | None:
        """The place of the first line from a place on, that way."""
        while 0 <= index < len(self.order) and self.order[index] < 0:
            index += way
        return index if 0 <= index < len(self.order) else None
