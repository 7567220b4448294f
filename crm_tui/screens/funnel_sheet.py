"""What a view of the funnel shows: lines under columns, and the same as a table to be exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.figures.base import Figure
    from crm_tui.widgets.chart import Chart

_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL = "█"


class Behind(NamedTuple):
    """What a line opens.

    Attributes:
        name: The figure, as `figures.behind` calls it ("cac").
        currency: In which it is told, where it is money.
        figure: It, where it is known already.
        campaign: The campaign, where the line is of one.
        query: The filter of the leads, where it is of leads; the period is added to it.
        leads: How many leads these are.
    """

    name: str = ""
    currency: str | None = None
    figure: Figure | None = None
    campaign: int | None = None
    query: str = ""
    leads: int = 0


NOTHING_BEHIND = Behind()


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        id: Below zero for a heading and for the space above it.
        cells: One for each column of the sheet; those left out are empty.
        share: How long its bar is, 0 to 1, where the column of bars has one.
        about: What is to be known of it, shown above while the cursor is on it.
        rule: How it is counted, shown below instead of the rule of the sheet.
        behind: What it opens.
        chart: What is drawn of it, where the view has charts.
    """

    id: int
    cells: Sequence[Cell]
    share: float | None = None
    about: str = ""
    rule: str = ""
    behind: Behind = NOTHING_BEHIND
    chart: Chart | None = None

    def cell(self, number: int) -> Cell:
        """The cell of a column."""
        return self.cells[number] if number < len(self.cells) else Cell("")


class Table(NamedTuple):
    """The same as it is exported: names of columns, and rows of plain values."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A view as it is shown.

    Attributes:
        columns: Those for a list so many cells wide.
        lines: In their order.
        tables: What is exported, by name.
        nothing: What is said where there are no lines.
        rule: How the lines are counted.
        count: What is said at the end of the filter: how many leads these figures are of.
        is_empty: Whether the store has nothing to tell figures of.
        shape: Tells columns of one kind from others, where a view has several.
    """

    columns: Callable[[int], Sequence[Column[Line]]]
    lines: Sequence[Line]
    tables: dict[str, Table] = field(default_factory=dict)
    nothing: str = ""
    rule: str = ""
    count: str = ""
    is_empty: bool = False
    shape: str = ""


def column(
    number: int,
    key: str,
    title: str,
    width: int,
    *,
    rank: int = 0,
    widest: int | None = None,
    right: bool = False,
) -> Column[Line]:
    """The column of the cells of this number."""
    return Column(
        key,
        title,
        lambda line, _: line.cell(number),
        width=width,
        widest=widest,
        align="right" if right else "left",
        rank=rank,
        sortable=False,
    )


def bar_column(number: int, key: str, title: str, width: int, *, rank: int = 0) -> Column[Line]:
    """A column of bars; a line that has none shows its cell."""

    def cell(line: Line, _now: object) -> Cell:
        if line.share is None:
            return line.cell(number)
        return Cell(bar(line.share, width), Role.QUIET)

    return Column(key, title, cell, width=width, rank=rank, sortable=False)


def bar(share: float, width: int) -> str:
    """A bar of that share of so many cells, to an eighth of a cell; what is not nothing is seen."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return _FULL * full + (_EIGHTHS[rest] if rest else "")


def heading(number: int, title: str, *others: str) -> list[Line]:
    """A space and a title, above the lines that follow; with titles of the other columns."""
    cells = (Cell(title, Role.QUIET), *(Cell(each, Role.QUIET) for each in others))
    return [Line(-2 * number - 1, ()), Line(-2 * number - 2, cells)]


def percent(rate: float | None) -> str:
    """A rate for people: "63%", "4.2%" where it is small; "" where there is none."""
    if rate is None:
        return ""
    return f"{rate:.1%}" if 0 < rate < 0.1 else f"{rate:.0%}"


def money(amount: Decimal | float, currency: str) -> str:
    """An amount in the major unit: "1,249.00 USD"."""
    return f"{amount:,} {currency}"
