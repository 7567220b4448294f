"""How a row of a table looks: its cells, marks and scrollbar as one line of few styles.

Every change of style costs up to 40 bytes on the way to the terminal, so pieces of the same role
are joined and blank ones take the style of their neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from crm_tui.widgets.columns import Cell, Column, Placed, RowT, fit, place
from crm_tui.widgets.look import Role

GUTTER = 3
"""Cells before the first column: the cursor's mark, the selection's mark, a space."""

CURSOR_MARK, SELECTED_MARK, NOT_LOADED, THUMB = "▸", "*", "…", "▐"
DESCENDING, ASCENDING = "↓", "↑"

StyleOf = Callable[[str, bool], Style]
"""The style of a role (or "header", "thumb"), on the cursor's line or on any other."""


@dataclass(frozen=True, slots=True)
class Sort:
    """The column a table is sorted by."""

    key: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class LineLook(Generic[RowT]):
    """All that a line's look depends on, beside the clock: lines with equal looks look the same.

    Attributes:
        row: What is in the line; None for one that is not loaded.
        under_cursor: Whether the cursor is on it.
        selected: Whether it is selected.
        thumb: Whether the scrollbar's thumb is at its end.
        words: What stands there instead, for a line that is no row.
    """

    row: RowT | None = None
    under_cursor: bool = False
    selected: bool = False
    thumb: bool = False
    words: str | None = None


class RowPainter(Generic[RowT]):
    """Paints the lines of a table with these columns in a given width."""

    def __init__(self, columns: Sequence[Column[RowT]], style_of: StyleOf) -> None:
        self.columns = columns
        self._style_of = style_of
        self._width = 0
        self._placed: list[Placed] = []

    def resize(self, width: int) -> None:
        """Place the columns in another width, the last cell of which is the scrollbar's."""
        if width == self._width:
            return
        self._width = width
        self._placed = place(self.columns, width - 1, indent=GUTTER)

    @property
    def shown(self) -> list[str]:
        """The keys of the columns that fit."""
        return [self.columns[placed.index].key for placed in self._placed]

    def column_at(self, x: int) -> Column[RowT] | None:
        """The column that stands at a cell of the line."""
        for placed in self._placed:
            if placed.x <= x < placed.x + placed.width:
                return self.columns[placed.index]
        return None

    def header(self, sort: Sort | None) -> Strip:
        """The titles, the one the list is sorted by marked with the direction."""
        cells = []
        for placed in self._placed:
            column = self.columns[placed.index]
            if sort is not None and sort.key == column.key:
                mark = DESCENDING if sort.descending else ASCENDING
                cells.append(Cell(column.title + mark, Role.STRONG))
            else:
                cells.append(Cell(column.title, Role.QUIET))
        return self._line([(" " * GUTTER, Role.QUIET), *self._pieces(cells)], under_cursor=False)

    def row(self, look: LineLook[RowT], now: datetime) -> Strip:
        """A row, or the quiet place of one that is not loaded."""
        marks = (CURSOR_MARK if look.under_cursor else " ") + (
            SELECTED_MARK if look.selected else " "
        )
        columns = [self.columns[placed.index] for placed in self._placed]
        if look.row is None:
            cells = [Cell("" if column.rank else NOT_LOADED, Role.QUIET) for column in columns]
        else:
            cells = [column.cell(look.row, now) for column in columns]
        pieces = [(marks.ljust(GUTTER), Role.ACCENT), *self._pieces(cells)]
        return self._line(pieces, under_cursor=look.under_cursor, thumb=look.thumb)

    def words(self, text: str) -> Strip:
        """A line that is no row: empty, or words in place of rows."""
        shown = fit(text, max(self._width - 1 - GUTTER, 0))
        return self._line([(" " * GUTTER, Role.QUIET), (shown, Role.QUIET)], under_cursor=False)

    def _pieces(self, cells: Sequence[Cell]) -> Iterable[tuple[str, Role]]:
        end = GUTTER
        for placed, cell in zip(self._placed, cells, strict=True):
            align = self.columns[placed.index].align
            yield " " * (placed.x - end) + fit(cell.text, placed.width, align), cell.role
            end = placed.x + placed.width
        yield " " * (self._width - 1 - end), Role.TEXT

    def _line(
        self, pieces: Iterable[tuple[str, Role]], *, under_cursor: bool, thumb: bool = False
    ) -> Strip:
        joined: list[tuple[str, Role]] = []
        for text, role in pieces:
            if joined and (role == joined[-1][1] or text.isspace() or not text):
                joined[-1] = (joined[-1][0] + text, joined[-1][1])
            elif len(joined) == 1 and joined[0][0].isspace():
                joined[0] = (joined[0][0] + text, role)
            else:
                joined.append((text, role))
        segments = [Segment(text, self._style_of(role, under_cursor)) for text, role in joined]
        if thumb:
            segments.append(Segment(THUMB, self._style_of("thumb", under_cursor)))
        else:
            last = segments[-1]
            segments[-1] = Segment(last.text + " ", last.style)
        return Strip(segments, self._width)


def thumb_lines(top: int, page: int, total: int) -> range:
    """The lines of a page that the scrollbar's thumb takes; none where all rows are in sight."""
    if total <= page:
        return range(0)
    length = max(page * page // total, 1)
    start = round(top / (total - page) * (page - length))
    return range(start, start + length)
