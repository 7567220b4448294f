"""A window over any number of rows that paints only what changed.

It holds the order of the list as an array of ids and the rows near the window; the owner
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
from textual.geometry import Region
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from crm_tui.widgets.columns import Column
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_messages import (
    RowHighlighted,
    RowsWanted,
)
from crm_tui.widgets.row_paint import LineLook, RowPainter, Sort, thumb_lines
from crm_tui.widgets.row_window import RowT, RowWindow

HEADER = 1
"""Lines of the header."""

_HOLD = 0.05
"""Seconds a jump waits for its rows before it is painted with placeholders: one paint, not two."""


class RowView(ScrollView, Generic[RowT], inherit_bindings=False):
    """Rows of one type under columns, with a cursor.

    Args:
        columns: All columns; the ones that fit are shown.
        now: The clock, for relative times.

    Attributes:
        sort: The column the list is sorted by.
        nothing: What an empty table says.
    """

    ALLOW_SELECT = False

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"row-view--{role}" for role in Role} | {
        "row-view--cursor",
        "row-view--thumb",
    }
    DEFAULT_CSS = """
    RowView {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size: 0 0;
        background: $background;
        color: $foreground;
        & > .row-view--strong { color: $foreground; text-style: bold; }
        & > .row-view--quiet { color: $text-muted; }
        & > .row-view--good { color: $success; }
        & > .row-view--attention { color: $warning; }
        & > .row-view--bad { color: $error; }
        & > .row-view--accent { color: $accent; text-style: bold; }
        & > .row-view--cursor { background: $surface; }
        &:focus > .row-view--cursor { background: $panel; }
        & > .row-view--thumb { color: $border; }
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
                rows.
            sort: The column the order follows, marked in the header.
        """
        above = self.cursor - self.top if keep == "place" else 0
        at = self._window.place_in(order, self.cursor) if keep == "place" else 0
        self._window.replace(order, rows, total)
        if sort != self.sort:
            self.sort = sort
            self.refresh(Region(0, 0, self.size.width, HEADER))
        self.set_reactive(RowView.cursor, self._clamp(at))
        self.scroll_to(y=self.cursor - above, animate=False)
        self._keep_cursor_visible()
        self._want_rows()
        self._paint_when_here()
        self._say_cursor()

    def set_columns(self, columns: Sequence[Column[RowT]]) -> None:
        """Show other columns; the rows stay."""
        self._painter = RowPainter(columns, self._style_of)
        self._painted.clear()
        self.refresh()

    @property
    def column_keys(self) -> list[str]:
        """The keys of all columns, those that do not fit included."""
        return [column.key for column in self._painter.columns]

    @property
    def fitting_keys(self) -> list[str]:
        """The keys of the columns that fit."""
        self._painter.resize(self.size.width)
        return self._painter.shown

    def read_rows_again(self) -> None:
        """Ask for the rows near the eye again, and forget the others."""
        near = self.near_ids_in(self.order)
        self._window.keep_only(near)
        self.post_message(RowsWanted(self, near))

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

    def go_to(self, row_id: int, *, above: int = 0) -> bool:
        """Put the cursor on a row, with so many rows above it; False if it is not in the list."""
        try:
            place = self.order.index(row_id)
        except ValueError:
            return False
        self.scroll_to(y=place - above, animate=False)
        self.move_to(place)
        return True

    def put_rows(self, rows: Iterable[RowT]) -> None:
        """Hand over rows that were wanted, or that changed."""
        self._window.put(rows)
        if self._hold is None or not self._missing_before_the_eye():
            self._paint()

    def near_ids_in(self, order: array[int]) -> list[int]:
        """The ids that will be near the eye when this order is shown in place of the old one."""
        top = self._window.place_in(order, self.cursor) - (self.cursor - self.top)
        return list(order[max(top - self.page, 0) : max(top, 0) + 2 * self.page])

    @property
    def total(self) -> int:
        """How many rows the list has."""
        return self._window.total

    @property
    def is_whole(self) -> bool:
        """Whether all ids of the list are known."""
        return len(self.order) == self.total

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
        return max(self.size.height - HEADER, 1)

    def is_selected(self, index: int) -> bool:
        """Whether the row at a place is marked as selected; here none is."""
        del index
        return False

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
        for y in range(HEADER, self.size.height):
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

    # Painting

    def notify_style_update(self) -> None:
        """Forget the styles of another theme."""
        super().notify_style_update()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """One line of the screen: the header, or a row."""
        self._painter.resize(self.size.width)
        if y < HEADER:
            return self._painter.header(self.sort)
        look = self._painted[y] = self._look_of(y)
        if look.words is not None:
            return self._painter.words(look.words)
        return self._painter.row(look, self._now())

    def _look_of(self, y: int) -> LineLook[RowT]:
        """All that a line's look depends on."""
        index = self.top + y - HEADER
        if index >= self.total:
            return LineLook(words="" if index else self.nothing)
        return LineLook(
            row=self._window.row_at(index),
            under_cursor=index == self.cursor,
            selected=self.is_selected(index),
            thumb=y - HEADER in thumb_lines(self.top, self.page, self.total),
        )

    def _style_of(self, name: str, under_cursor: bool) -> Style:  # noqa: FBT001 - as StyleOf has it
        style = self._styles.get((name, under_cursor))
        if style is None:
            style = self.get_component_rich_style(f"row-view--{name}")
            if under_cursor:
                ground = self.get_component_rich_style("row-view--cursor").bgcolor
                style += Style(bgcolor=ground)
            self._styles[name, under_cursor] = style
        return style
