"""What is behind a figure: what it is computed of, how, and every record that went into it."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, TypeVar

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from crm_tui.clock import ago
from crm_tui.screens import funnel_export
from crm_tui.screens.base import AppScreen
from crm_tui.screens.funnel_counting import Counting
from crm_tui.screens.funnel_sheet import Behind, Table
from crm_tui.screens.funnel_stages import (
    figure_table,
    number_words,
    title_of,
    value_words,
)
from crm_tui.text import plural
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.facts import Fact, Facts, styled
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_list import RowList
from crm_tui.widgets.row_messages import RowOpened

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.figures.base import Figure, Record, Scope

T = TypeVar("T")

_MOST = 500
"""Records that are listed."""


class CountsAside(Protocol):
    """Has something counted where it holds up no key."""

    async def __call__(self, count: Callable[[Database], Awaitable[T]]) -> T:
        """What it comes to."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A record, and its place in the list as its id."""

    id: int
    record: Record


class FigureScreen(AppScreen):
    """A figure on a page of its own, above the records behind it.

    Args:
        scope: What it is of.
        behind: The figure.
        words: The time and the filter, as the screen before says them.
        aside: Has it counted where that holds up no key.
    """

    AREA = "figure"
    FOOTER = ("list.open", "figure.export", "figure.leave")
    TAB = "funnel"
    AUTO_FOCUS = "#records"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-high")]  # noqa: RUF012 - Textual's own type
    DEFAULT_CSS = """
    FigureScreen {
        & #figure-title {
            height: 1; margin-top: 1; padding: 0 3;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        & Facts { padding: 1 3; max-height: 40%; }
        & #records { height: 1fr; }
        &.-low #figure-title { margin-top: 0; }
        &.-low Facts { padding: 0 3 1 3; }
    }
    """

    def __init__(self, scope: Scope, behind: Behind, words: str, aside: CountsAside) -> None:
        super().__init__()
        self._scope = scope
        self._behind = behind
        self._figure = behind.figure
        self._words = words
        self._aside = aside
        self._records: list[Record] = []

    def compose_body(self) -> Iterable[Widget]:
        """The figure, what it is made of, and the records."""
        yield Static(id="figure-title")
        self._facts = Facts()
        yield self._facts
        self._table: RowList[_Row] = RowList(self._columns(()), now=self._local_now, id="records")
        yield self._table

    def _local_now(self) -> datetime:
        return self.host.now().astimezone(self.host.settings.operator.zone)

    def on_mount(self) -> None:
        """Show what is known, and read the records."""
        self._counting = Counting(self, self._read, self._tell)
        self._show_head()
        self._counting.begin()

    def data_changed(self) -> None:
        """Tell it anew."""
        self._counting.again()

    def _tell(self, *, takes_long: bool) -> None:
        self._table.nothing = "reading …" if takes_long else self._table.nothing

    async def _read(self) -> None:
        from crm_tui.services.figures.behind import behind
        from crm_tui.services.figures.told import told

        name, currency = self._behind.name, self._behind.currency

        async def count(db: Database) -> tuple[list[Record], Sequence[Figure]]:
            async with db.read() as session:
                records = await behind(session, self._scope, name, currency=currency, limit=_MOST)
            return records, (await told(db, self._scope)).figures

        records, figures = await self._aside(count)
        found = [each for each in figures if (each.name, each.currency) == (name, currency)]
        self._figure = next(iter(found), self._figure)
        self._show(records)
        self._show_head()

    # Showing

    def _show_head(self) -> None:
        figure = self._figure
        if figure is None:
            return
        value = value_words(figure) if figure.value is not None else figure.lacks
        role = Role.ACCENT if figure.value is not None else Role.QUIET
        title = styled(title_of(figure.name), Role.STRONG) + "   " + styled(value, role)
        number = len(self._records)
        count = f"the first {number:,} records" if number == _MOST else plural(number, "record")
        told = "   ".join(filter(None, (self._words, count if number else "")))
        title += "   " + styled(told, Role.QUIET)
        line = self.query_one("#figure-title", Static)
        if line.content != title:
            line.update(title)
        self._facts.set_facts(
            [
                Fact("Formula", figure.formula),
                Fact("Numerator", _number(figure, figure.numerator)),
                Fact("Denominator", _number(figure, figure.denominator)),
                Fact("Note", figure.note),
            ]
        )

    def _show(self, records: list[Record]) -> None:
        parts = {each.part for each in records}
        if parts != {each.part for each in self._records} or not self._records:
            self._table.set_columns(self._columns(parts))
        self._records = records
        rows = [_Row(number, each) for number, each in enumerate(records, 1)]
        self._table.nothing = "There are no records behind it."
        self._table.show(array("q", (row.id for row in rows)), rows, keep="place")

    def _columns(self, parts: Iterable[str]) -> tuple[Column[_Row], ...]:
        zone = self.host.settings.operator.zone
        both = len(set(parts)) > 1
        part: Column[_Row] = Column(
            "part",
            "Counts",
            lambda row, _: Cell(row.record.part, Role.QUIET),
            width=11,
            rank=3,
            sortable=False,
        )
        return (
            Column(
                "title",
                "Record",
                lambda row, _: Cell(row.record.title, Role.STRONG),
                width=22,
                widest=40,
                sortable=False,
            ),
            Column(
                "detail",
                "What",
                lambda row, _: Cell(row.record.detail),
                width=24,
                widest=70,
                rank=1,
                sortable=False,
            ),
            *([part] if both else []),
            Column(
                "at",
                "When",
                lambda row, now: Cell(ago(row.record.at, now, zone=zone), Role.QUIET),
                width=10,
                rank=2,
                sortable=False,
            ),
        )

    # What is done

    @on(RowOpened)
    def _open(self) -> None:
        """Open the lead of the record."""
        row = self._table.cursor_row
        if row is None:
            return
        if row.record.business_id is None:
            self.host.say("This record belongs to no lead.")
            return
        from crm_tui.screens.lead import LeadScreen

        LeadScreen.open(self, row.record.business_id, neighbours=self)

    # The lead screen's way through the list

    def step(self, by: int) -> int | None:
        """Move the cursor to the next record of a lead; that lead, None at the list's end."""
        place = self._table.cursor + by
        while 0 <= place < len(self._records):
            if (lead := self._records[place].business_id) is not None:
                self._table.move_to(place)
                return lead
            place += by
        return None

    def place(self) -> tuple[int, int]:
        """Where the cursor stands, counted from 1, and how many records there are."""
        return self._table.cursor + 1, len(self._records)

    def action_leave(self) -> None:
        """Back to the funnel."""
        self.dismiss()

    def action_export(self) -> None:
        """Write the figure and its records to a file."""
        names = ("business_id", "title", "detail", "at", "part")
        rows = [
            (e.business_id, e.title, e.detail, e.at and e.at.isoformat(), e.part)
            for e in self._records
        ]
        told = [self._figure] if self._figure is not None else []
        tables = {"figure": figure_table(told), "records": Table(names, rows)}
        funnel_export.ask(self, tables, self._behind.name)


def _number(figure: Figure, number: float | Decimal | None) -> str:
    """A part of the quotient, with its currency where it is money."""
    if number is None:
        return ""
    words = number_words(number)
    return (
        f"{words} {figure.currency}" if isinstance(number, Decimal) and figure.currency else words
    )
