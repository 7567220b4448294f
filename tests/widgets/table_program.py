"""A program that shows a table of made-up leads: for tests through the Pilot and through a pty.

Run as `python -m tests.widgets.table_program COUNT [NAME]`; NAME is the name of the first lead.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from textual import on
from textual.app import App, ComposeResult

from crm_tui.clock import ago
from crm_tui.vocabulary import ContactStatus, WebsiteStatus
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import DARK, Role, status_mark
from crm_tui.widgets.row_messages import RowOpened, RowsWanted, SortRequested
from crm_tui.widgets.row_paint import Sort
from crm_tui.widgets.row_table import RowTable
from crm_tui.widgets.terminal import LeanDriver

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
TRADES = ("Plumber", "Hair salon", "Bakery", "Law firm")
CITIES = ("Ozone Park", "Jamaica", "New York", "Λεμεσός")


@dataclass(frozen=True, slots=True)
class MadeUpLead:
    id: int
    name: str
    score: int
    city: str
    contact: str
    site: str
    at: datetime


def made_up(row_id: int, name: str = "") -> MadeUpLead:
    contacts, sites = list(ContactStatus), list(WebsiteStatus)
    return MadeUpLead(
        id=row_id,
        name=name or f"{TRADES[row_id % 4]} number {row_id}",
        score=99 - row_id % 60,
        city=CITIES[row_id % 4],
        contact=contacts[row_id * 7 % len(contacts)],
        site=sites[row_id * 5 % len(sites)],
        at=NOW - timedelta(hours=row_id * 3 % 400),
    )


def status_cell(word: str) -> Cell:
    mark = status_mark(word)
    return Cell(mark.label, mark.role)


COLUMNS: list[Column[MadeUpLead]] = [
    Column("score", "Score", lambda row, _: Cell(str(row.score)), width=6, align="right", rank=1),
    Column("name", "Name", lambda row, _: Cell(row.name, Role.STRONG), width=24, widest=40),
    Column("city", "City", lambda row, _: Cell(row.city), width=11, widest=18, rank=4),
    Column("contact", "Contact", lambda row, _: status_cell(row.contact), width=11, rank=2),
    Column("site", "Site", lambda row, _: status_cell(row.site), width=12, rank=3),
    Column("last", "Last", lambda row, now: Cell(ago(row.at, now), Role.QUIET), width=10, rank=5),
]


class TableProgram(App[None]):
    """One table; ids are 1 to `count`, in the order of the list."""

    def __init__(self, count: int, first_name: str = "") -> None:
        super().__init__(driver_class=LeanDriver)
        self.count = count
        self.first_name = first_name
        self.table: RowTable[MadeUpLead] = RowTable(COLUMNS, now=lambda: NOW, id="table")
        self.opened: list[int] = []
        self.sorts: list[str] = []
        self.asked: list[list[int]] = []
        self.answering = True
        self.register_theme(DARK)
        self.theme = DARK.name

    def row(self, row_id: int) -> MadeUpLead:
        return made_up(row_id, self.first_name if row_id == 1 else "")

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        order = array("q", range(1, self.count + 1))
        first = [self.row(row_id) for row_id in order[:60]]
        self.table.show(order, first, sort=Sort("score", descending=True))

    @on(RowsWanted)
    def fetch(self, message: RowsWanted) -> None:
        self.asked.append(message.ids)
        if self.answering:
            message.table.put_rows([self.row(row_id) for row_id in message.ids])

    @on(RowOpened)
    def note_opened(self, message: RowOpened) -> None:
        self.opened.append(message.row_id)

    @on(SortRequested)
    def note_sort(self, message: SortRequested) -> None:
        self.sorts.append(message.key)


if __name__ == "__main__":
    TableProgram(int(sys.argv[1]), *sys.argv[2:3]).run()
