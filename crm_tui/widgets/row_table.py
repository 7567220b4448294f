"""A table over any number of rows that paints only what changed.

The table holds the order of the list as an array of ids and the rows near the window; the owner
fetches rows when asked (`RowsWanted`) and hands them over (`put_rows`). Moving the cursor repaints
two lines; nothing repaints by itself. The scrollbar is drawn into the lines, not a widget of its
own, because repainting one with every scroll would cost a fifth of the bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar, Generic, Literal

from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from crm_tui.widgets.columns import Column
from crm_tui.widgets.keys import KeyArea
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_messages import (
    RowHighlighted,
    RowOpened,
    RowsWanted,
    SelectionChanged,
    SortRequested,
)
from crm_tui.widgets.row_paint import LineLook, RowPainter, Sort, thumb_lines
from crm_tui.widgets.row_window import RowT, RowWindow

_HEADER = 1
"""Lines of the header."""

_HOLD = 0.05
"""Seconds a jump waits for its rows before it is painted with placeholders: one paint, not two."""


class RowTable(ScrollView, KeyArea, Generic[RowT], can_focus=True, inherit_bindings=False):
    """Rows of one type under columns, with a cursor and a selection.

    Args:
        columns: All columns; the ones that fit are shown.
        now: The clock, for relative times.

    Attributes:
        sort: The column the list is sorted by.
        nothing: What an empty table says.
    """

    ALLOW_SELECT = False

    AREA = "list"
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"row-table--{role}" for role in Role} | {
        "row-table--cursor",
        "row-table--thumb",
    }
    DEFAULT_CSS = """
    RowTable {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size: 0 0;
        background: $background;
        color: $foreground;
        & > .row-table--strong { color: $foreground; text-style: bold; }
        & > .row-table--quiet { color: $text-muted; }
        & > .row-table--good { color: $success; }
        & > .row-table--attention { color: $warning; }
        & > .row-table--bad { color: $error; }
        & > .row-table--accent { color: $accent; text-style: bold; }
        & > .row-table--cursor { background: $surface; }
        &:focus > .row-table--cursor { background: $panel; }
        & > .row-table--thumb { color: $border; }
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False)

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        *,
        now: Callable[[], datetime],
        id: str | None = None,  # noqa: A002 - Textual's own name for it
    ) -> None:
        super().__init__(id=id)
        self.sort: Sort | None = None
        self.nothing = ""
        self._now = now
        self._window: RowWindow[RowT] = RowWindow()
        self._painter = RowPainter(columns, self._style_of)
        self._styles: dict[tuple[str, bool], Style] = {}
        self._painted: dict[int, LineLook[RowT]] = {}
        self._hold: Timer | None = None
        self._dragging = False

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
        """Show a list.

        Args:
            order: The ids, in order; may be only the beginning when `total` says so.
            rows: Rows to hold at once, at least those that will be visible; all others are
                fetched again when they are needed.
            total: The length of the list, where not all ids are known yet.
            keep: "place" for the same list read again: cursor, scroll and selection stay.
                "selection" for the same rows in another order, from the top. "nothing" for other
                rows: a selection made as "all" is let go too, because it meant others.
            sort: The column the order follows, marked in the header.
        """
        above = self.cursor - self.top if keep == "place" else 0
        at = self._window.place_in(order, self.cursor) if keep == "place" else 0
        self._window.replace(order, rows, total)
        if sort != self.sort:
            self.sort = sort
            self.refresh(Region(0, 0, self.size.width, _HEADER))
        if keep == "nothing" and self._window.selection.open_ended:
            self._window.selection.clear()
        self.set_reactive(RowTable.cursor, self._clamp(at))
        self.scroll_to(y=self.cursor - above, animate=False)
        self._keep_cursor_visible()
        self._want_rows()
        self._paint_when_here()
        self._say_cursor()
        self._say_selection()

    def expect(self, total: int) -> None:
        """The list that is shown is so long; its ids come later."""
        self._window.complete(self.order, total)
        self._paint()

    def complete(self, order: array[int]) -> None:
        """All ids of the list that is shown; nothing moves."""
        self._window.complete(order)
        self.move_to(self.cursor)
        self._want_rows()
        self._paint_when_here()

    def put_rows(self, rows: Iterable[RowT]) -> None:
        """Hand over rows that were wanted, or that changed."""
        self._window.put(rows)
        if self._hold is None or not self._missing_before_the_eye():
            self._paint()

    def near_ids_in(self, order: array[int]) -> list[int]:
        """The ids that will be near the eye when this order is shown in place of the old one."""
        top = self._window.place_in(order, self.cursor) - (self.cursor - self.top)
        return list(order[max(top - self.page, 0) : max(top, 0) + 2 * self.page])

    def selected_ids(self) -> array[int]:
        """The selected rows; a range being marked counts."""
        self._window.take_marked(self.cursor)
        return self._window.selection.of(self.order)

    def clear_selection(self) -> bool:
        """Let the selection go; False when there was none."""
        had = self._window.marked_from is not None or self.selected_count > 0
        self._window.marked_from = None
        self._window.selection.clear()
        if had:
            self._selection_changed()
        return had

    @property
    def selected_count(self) -> int:
        """How many rows are selected, without a range being marked."""
        return self._window.selection.count(self.total)

    @property
    def marking(self) -> int:
        """How many rows the range being marked has."""
        return len(self._window.marked(self.cursor))

    @property
    def total(self) -> int:
        """How many rows the list has."""
        return self._window.total

    @property
    def cursor_id(self) -> int | None:
        """The id under the cursor."""
        return self._window.id_at(self.cursor)

    @property
    def cursor_row(self) -> RowT | None:
        """The row under the cursor, if it is loaded."""
        return self._window.row_at(self.cursor)

    @property
    def order(self) -> array[int]:
        """The ids of the list, in order, as far as they are known; not to be changed."""
        return self._window.order

    @property
    def max_scroll_y(self) -> int:
        """The last place the window can begin at.

        Textual would have it from the virtual size; setting that paints the whole screen anew.
        """
        return max(self.total - self.page, 0)

    @property
    def top(self) -> int:
        """The place of the first visible row."""
        return round(self.scroll_y)

    @property
    def page(self) -> int:
        """How many rows are visible."""
        return max(self.size.height - _HEADER, 1)

    # The cursor and the window

    def move_to(self, index: int) -> None:
        """Put the cursor on a place of the list, scrolling as little as needed."""
        self.cursor = self._clamp(index)

    def watch_cursor(self) -> None:
        """Show the row the cursor came to."""
        self._keep_cursor_visible()
        if self._hold is None:
            self._paint()
        self._say_cursor()
        if self.marking:
            self._say_selection()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Repaint the rows."""
        if round(old_value) == round(new_value):
            return
        self._want_rows()
        self._paint_when_here()

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._keep_cursor_visible()
        self._want_rows()

    def _clamp(self, index: int) -> int:
        return max(min(index, self.total - 1), 0)

    def _keep_cursor_visible(self) -> None:
        highest, lowest = self.cursor - self.page + 1, self.cursor
        if not highest <= self.top <= lowest:
            self.scroll_to(y=min(max(self.top, highest), lowest), animate=False)

    def _missing_before_the_eye(self) -> bool:
        return bool(self._window.missing(self.top, self.top + self.page))

    def _want_rows(self) -> None:
        """Ask for rows well before they are seen, but not with every line scrolled."""
        top, page = self.top, self.page
        if self._window.missing(top - page // 2, top + page + page // 2):
            wanted = self._window.missing(top - 2 * page, top + 3 * page)
            self.post_message(RowsWanted(self, wanted))

    def _paint(self) -> None:
        """Repaint the lines that look different from how they were painted."""
        if self._hold is not None:
            self._hold.stop()
            self._hold = None
        for y in range(_HEADER, self.size.height):
            if self._painted.get(y) != self._look_of(y):
                self.refresh(Region(0, y, self.size.width, 1))

    def _paint_when_here(self) -> None:
        """Repaint the rows at once if they are here, else when they came or did not in time."""
        if not self._missing_before_the_eye():
            self._paint()
        elif self._hold is None:
            self._hold = self.set_timer(_HOLD, self._paint)

    def _say_cursor(self) -> None:
        self.post_message(RowHighlighted(self, self.cursor_id))

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

    # Selecting

    def action_select(self) -> None:
        """Select the row (or end the range) and move on."""
        if self._window.marked_from is not None:
            self._window.take_marked(self.cursor)
        elif self.cursor_id is not None:
            self._window.selection.toggle(self.cursor_id)
            self._paint()
        self._say_selection()
        self.action_down()

    def action_range(self) -> None:
        """Begin a range at the cursor, or take the one begun into the selection."""
        if self._window.marked_from is None:
            self._window.marked_from = self.cursor
            self._paint()
        else:
            self._window.take_marked(self.cursor)
        self._say_selection()

    def action_all(self) -> None:
        """Select all rows of the list."""
        self._window.marked_from = None
        self._window.selection.everything()
        self._selection_changed()

    def action_invert(self) -> None:
        """Select exactly the rows that are not."""
        self._window.take_marked(self.cursor)
        self._window.selection.invert()
        self._selection_changed()

    def _selection_changed(self) -> None:
        self._paint()
        self._say_selection()

    def _say_selection(self) -> None:
        self.post_message(SelectionChanged(self, self.selected_count, self.marking))

    # Mouse

    def on_click(self, event: events.Click) -> None:
        """A click on a header sorts, on a row moves the cursor, twice on a row opens it."""
        if event.y < _HEADER:
            column = self._painter.column_at(event.x)
            if column is not None and column.sortable:
                self.post_message(SortRequested(self, column.key))
            return
        index = self.top + event.y - _HEADER
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
        if event.x == self.size.width - 1 and event.y >= _HEADER:
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
        share = (y - _HEADER) / max(self.page - 1, 1)
        self.scroll_to(y=round(share * self.max_scroll_y), animate=False)
        self._bring_cursor()

    def _bring_cursor(self) -> None:
        self.move_to(min(max(self.cursor, self.top), self.top + self.page - 1))

    # Painting

    def notify_style_update(self) -> None:
        """Forget the styles of another theme."""
        super().notify_style_update()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """One line of the screen: the header, or a row."""
        self._painter.resize(self.size.width)
        if y < _HEADER:
            return self._painter.header(self.sort)
        look = self._painted[y] = self._look_of(y)
        if look.words is not None:
            return self._painter.words(look.words)
        return self._painter.row(look, self._now())

    def _look_of(self, y: int) -> LineLook[RowT]:
        """All that a line's look depends on."""
        index = self.top + y - _HEADER
        if index >= self.total:
            return LineLook(words="" if index else self.nothing)
        return LineLook(
            row=self._window.row_at(index),
            under_cursor=index == self.cursor,
            selected=self._window.selected(index, self.cursor),
            thumb=y - _HEADER in thumb_lines(self.top, self.page, self.total),
        )

    def _style_of(self, name: str, under_cursor: bool) -> Style:  # noqa: FBT001 - as StyleOf has it
        style = self._styles.get((name, under_cursor))
        if style is None:
            style = self.get_component_rich_style(f"row-table--{name}")
            if under_cursor:
                ground = self.get_component_rich_style("row-table--cursor").bgcolor
                style += Style(bgcolor=ground)
            self._styles[name, under_cursor] = style
        return style
