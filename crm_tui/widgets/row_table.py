"""A table of any number of rows: a list whose rows can be selected."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal

from crm_tui.widgets.columns import Column
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import SelectionChanged
from crm_tui.widgets.row_paint import Sort
from crm_tui.widgets.row_window import RowT
from crm_tui.widgets.selection import Selection


class RowTable(RowList[RowT]):
    """Rows with a cursor and a selection.

    What is selected is a set of ids; a range that is still being marked runs from where it was
    begun to the cursor.
    """

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        *,
        now: Callable[[], datetime],
        id: str | None = None,  # noqa: A002 - Textual's own name for it
    ) -> None:
        super().__init__(columns, now=now, id=id)
        self._selection = Selection()
        self._marked_from: int | None = None
        self._hidden: int | None = 0

    # What the owner does

    def show(
        self,
        order: array[int],
        rows: Iterable[RowT] = (),
        *,
        total: int | None = None,
        keep: Literal["place", "selection", "nothing"] = "nothing",
        sort: Sort | None = None,
    ) -> None:
        """Show a list; other rows (`keep="nothing"`) let go a selection made as "all" of them."""
        self._marked_from = None
        if keep == "nothing" and self._selection.open_ended:
            self._selection.clear()
        super().show(order, rows, total=total, keep=keep, sort=sort)
        self._count_hidden()

    def complete(self, order: array[int]) -> None:
        """All ids of the list that is shown; nothing moves."""
        super().complete(order)
        self._count_hidden()

    def selected_ids(self) -> array[int]:
        """The selected rows; a range being marked counts."""
        self._take_marked()
        return self._selection.of(self.order)

    def select(self, row_ids: array[int], *, all_but: bool = False) -> None:
        """Select these rows, or all but these, in place of what was selected."""
        self._marked_from = None
        self._selection.clear()
        self._selection.add(row_ids)
        if all_but:
            self._selection.invert()
        self._paint()
        self._count_hidden()

    def clear_selection(self) -> bool:
        """Let the selection go; False when there was none."""
        had = self._marked_from is not None or self.selected_count > 0
        self._marked_from = None
        self._selection.clear()
        self._hidden = 0
        if had:
            self._selection_changed()
        return had

    @property
    def selection(self) -> Selection:
        """What is selected, without a range being marked; not to be changed."""
        return self._selection

    @property
    def selected_count(self) -> int:
        """How many rows are selected, without a range being marked."""
        return self._selection.count(self.total, self._hidden or 0)

    @property
    def hidden_count(self) -> int | None:
        """How many of the selected rows are not in this list; None while that is not known."""
        return 0 if self._selection.open_ended else self._hidden

    @property
    def marking(self) -> int:
        """How many rows the range being marked has."""
        return len(self._marked())

    def is_selected(self, index: int) -> bool:
        """Whether the row at a place is selected or being marked."""
        row_id = self._window.id_at(index)
        return index in self._marked() or (row_id is not None and row_id in self._selection)

    def watch_cursor(self) -> None:
        """A range being marked follows the cursor."""
        super().watch_cursor()
        if self.marking:
            self._say_selection()

    # Keys

    def action_select(self) -> None:
        """Select the row (or end the range) and move on."""
        if self._marked_from is not None:
            self._take_marked()
        elif self.cursor_id is not None:
            self._selection.toggle(self.cursor_id)
            self._paint()
        self._say_selection()
        self.action_down()

    def action_range(self) -> None:
        """Begin a range at the cursor, or take the one begun into the selection."""
        if self._marked_from is None:
            self._marked_from = self.cursor
            self._paint()
        else:
            self._take_marked()
        self._say_selection()

    def action_all(self) -> None:
        """Select all rows of the list."""
        self._marked_from = None
        self._selection.everything()
        self._hidden = 0
        self._selection_changed()

    def action_invert(self) -> None:
        """Select exactly the rows that are not."""
        self._take_marked()
        self._selection.invert()
        self._selection_changed()

    def _marked(self) -> range:
        """The places of the range being marked, empty when none is."""
        if self._marked_from is None:
            return range(0)
        first, last = sorted((self._marked_from, self.cursor))
        return range(first, last + 1)

    def _take_marked(self) -> None:
        """End the range being marked and select its rows."""
        marked = self._marked()
        self._marked_from = None
        self._selection.add(self.order[marked.start : marked.stop])

    def _count_hidden(self) -> None:
        """What is picked here is in the list, so only another list changes this."""
        self._hidden = None
        if self.is_whole:
            self._hidden = self._selection.missing_from(self.order)
        self._say_selection()

    def _selection_changed(self) -> None:
        self._paint()
        self._say_selection()

    def _say_selection(self) -> None:
        self.post_message(SelectionChanged(self))
