"""Columns of a table: which fit, how wide they are, and text cut to fit a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, NamedTuple, TypeVar

from rich.cells import cell_len, split_text

from crm_tui.text import visible
from crm_tui.widgets.look import Role

RowT = TypeVar("RowT")

GAP = 2
"""Cells between two columns."""

_LONGEST = 400
"""Characters of outside text looked at for one cell; no cell is nearly as wide."""


class Cell(NamedTuple):
    """The text of one cell, still as it came, and what it means to the eye."""

    text: str
    role: Role = Role.TEXT


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """One column of a table over rows of one type.

    Attributes:
        key: What a sort by this column is called.
        title: The words of the header.
        cell: The cell of a row, at a time (relative times need it).
        width: The least width in cells; a column that does not get it is left out.
        widest: What it may grow to where there is room; `width` when None.
        align: Where the text stands in its cell.
        rank: At narrow widths the highest rank is left out first; rank 0 never is.
        sortable: Whether a click on the header asks for a sort.
    """

    key: str
    title: str
    cell: Callable[[RowT, datetime], Cell]
    width: int
    widest: int | None = None
    align: Literal["left", "right"] = "left"
    rank: int = 0
    sortable: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the column of this index stands: the cell it starts at and its width."""

    index: int
    x: int
    width: int


def place(columns: Sequence[Column[RowT]], width: int, *, indent: int = 0) -> list[Placed]:
    """The columns that fit in `width` cells, in their order.

    Columns are left out by rank. Rank 0 always stays, as wide as there is room for.
    Room left over goes to the columns that may grow, the most important first.
    """
    room = max(width - indent, 1)
    kept = sorted(range(len(columns)), key=lambda index: columns[index].rank)
    while len(kept) > 1 and _needs(columns, kept) > room:
        if columns[kept[-1]].rank == 0:
            break
        kept.pop()
    kept.sort()
    widths = {index: columns[index].width for index in kept}
    spare = room - _needs(columns, kept)
    for index in sorted(kept, key=lambda index: columns[index].rank):
        more = min(max((columns[index].widest or 0) - columns[index].width, 0), max(spare, 0))
        widths[index] += more
        spare -= more
    placed: list[Placed] = []
    x = indent
    for index in kept:
        fitting = max(min(widths[index], width - x), 0)
        placed.append(Placed(index, x, fitting))
        x += fitting + GAP
    return placed


def _needs(columns: Sequence[Column[RowT]], kept: Sequence[int]) -> int:
    return sum(columns[index].width for index in kept) + GAP * (len(kept) - 1)


def fit(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """Outside text made visible in exactly `width` cells; what is cut ends in "…".

    Wide and combining characters are measured as the terminal shows them and never split.
    """
    if width <= 0:
        return ""
    safe = visible(text, _LONGEST)
    length = cell_len(safe)
    if length > width:
        safe = split_text(safe, width - 1)[0].rstrip() + "…"
        length = cell_len(safe)
    padding = " " * (width - length)
    return padding + safe if align == "right" else safe + padding
