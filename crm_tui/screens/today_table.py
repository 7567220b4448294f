"""The list of Today: lines under the headings of their kinds, which the cursor passes over."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from crm_tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from crm_tui.screens.today_columns import TodayRow
    from crm_tui.widgets.row_paint import Sort


class TodayTable(RowList["TodayRow"]):
    """A list whose rows with an id below zero are headings; each has a line below it."""

    def show(
        self,
        order: array[int],
        rows: Iterable[TodayRow] = (),
        *,
        total: int | None = None,
        keep: Literal["place", "selection", "nothing"] = "nothing",
        sort: Sort | None = None,
    ) -> None:
        """Show a list, the cursor on a line."""
        super().show(order, rows, total=total, keep=keep, sort=sort)
        self.move_to(self.cursor)

    def move_to(self, index: int) -> None:
        """Put the cursor on a line; where a heading stands, on the one beyond it."""
        index = max(min(index, self.total - 1), 0)
        if self._is_heading(index):
            index += -1 if 0 < index < self.cursor else 1
        super().move_to(index)
        if self.top == self.cursor and self._is_heading(self.cursor - 1):
            self.scroll_to(y=self.top - 1, animate=False)

    def next_line(self, by: int) -> int | None:
        """The place of the line so many further; None beyond the ends."""
        place = self.cursor + by
        if self._is_heading(place):
            place += 1 if by > 0 else -1
        return place if 0 <= place < self.total else None

    def _is_heading(self, index: int) -> bool:
        return 0 <= index < len(self.order) and self.order[index] < 0
