"""A list of any number of rows: what the operator does in one, with the keys and the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from textual import events

from crm_tui.widgets.columns import Column
from crm_tui.widgets.keys import KeyArea
from crm_tui.widgets.row_messages import RowOpened, SortRequested
from crm_tui.widgets.row_view import HEADER, RowView
from crm_tui.widgets.row_window import RowT


class RowList(RowView[RowT], KeyArea, can_focus=True, inherit_bindings=False):
    """Rows of one type under columns, to move in and to open."""

    AREA = "list"

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        *,
        now: Callable[[], datetime],
        id: str | None = None,  # noqa: A002 - Textual's own name for it
    ) -> None:
        super().__init__(columns, now=now, id=id)
        self._dragging = False

    # Keys

    def action_down(self) -> None:
        """One row down."""
        self.move_to(self.cursor + 1)

    def action_up(self) -> None:
        """One row up."""
        self.move_to(self.cursor - 1)

    def action_half_down(self) -> None:
        """Half a page down."""
        self._move_window(self.page // 2)

    def action_half_up(self) -> None:
        """Half a page up."""
        self._move_window(-(self.page // 2))

    def action_page_down(self) -> None:
        """A page down, one row of the old page still in sight."""
        self._move_window(max(self.page - 1, 1))

    def action_page_up(self) -> None:
        """A page up."""
        self._move_window(-max(self.page - 1, 1))

    def action_first(self) -> None:
        """To the first row."""
        self.move_to(0)

    def action_last(self) -> None:
        """To the last row."""
        self.move_to(self.total - 1)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.cursor_id is not None:
            self.post_message(RowOpened(self, self.cursor_id))

    def _move_window(self, rows: int) -> None:
        """Cursor and window move together, so that the eye finds the cursor where it was."""
        top = self.top
        self.scroll_to(y=top + rows, animate=False)
        self.move_to(self.cursor + rows)

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """A click on a header sorts, on a row moves the cursor, twice on a row opens it."""
        if event.y < HEADER:
            column = self._painter.column_at(event.x)
            if column is not None and column.sortable:
                self.post_message(SortRequested(self, column.key))
            return
        index = self.top + event.y - HEADER
        if event.x < self.size.width - 1 and index < self.total:
            self.move_to(index)
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down; the cursor stays in sight."""
        self._scroll_by(3, event)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up; the cursor stays in sight."""
        self._scroll_by(-3, event)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the scrollbar."""
        if event.x == self.size.width - 1 and event.y >= HEADER:
            self._dragging = True
            self.capture_mouse()
            self._drag_to(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the scrollbar."""
        if self._dragging:
            self._drag_to(event.y)

    def on_mouse_up(self) -> None:
        """Let the scrollbar go."""
        self._dragging = False
        self.release_mouse()

    def _scroll_by(self, rows: int, event: events.MouseEvent) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_to(y=self.top + rows, animate=False)
        self._bring_cursor()

    def _drag_to(self, y: int) -> None:
        share = (y - HEADER) / max(self.page - 1, 1)
        self.scroll_to(y=round(share * self.max_scroll_y), animate=False)
        self._bring_cursor()

    def _bring_cursor(self) -> None:
        self.move_to(min(max(self.cursor, self.top), self.top + self.page - 1))
