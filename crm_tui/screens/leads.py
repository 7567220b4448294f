"""The leads: all of them, filtered as one types, in any order, with what can be done to many."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from textual import on
from textual.timer import Timer
from textual.widget import Widget

from crm_tui.screens.business_actions import BusinessScreen, Target
from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.screens.lead_columns import LEAD_COLUMNS
from crm_tui.text import plural
from crm_tui.widgets.filter_line import FilterLine
from crm_tui.widgets.frame import Footer
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_messages import (
    RowOpened,
    RowsWanted,
    SelectionChanged,
    SortRequested,
)
from crm_tui.widgets.row_paint import Sort
from crm_tui.widgets.row_table import RowTable
from crm_tui.widgets.welcome import Offer, Welcome

if TYPE_CHECKING:
    from crm_tui.services.lead_rows import LeadQuery, LeadRow

_FIRST_ROWS = 100
"""Rows read for the first paint of a list; more than any screen shows."""

_TYPING_PAUSE = 0.04
"""Seconds after a keystroke before the filter is applied."""

_OFFERS = (
    Offer("leads.import", "A list of businesses as CSV or JSON, from a scraper or a spreadsheet."),
    Offer("leads.demo", "500 invented businesses in a store of its own; yours stays as it is."),
)

_BEST_FIRST = Sort("score", descending=True)

_DESCENDING_FIRST = frozenset({"score", "rating", "reviews", "activity", "created"})
"""Columns of which one wants the highest first."""


class LeadsScreen(BusinessScreen):
    """The list of leads."""

    AREA = "leads"
    OWNS = (AREA, "business")
    FOOTER = ("list.open", "list.select", "business.call", "business.build", "leads.filter")
    TAB = "leads"
    AUTO_FOCUS = "#leads"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - Textual's own type
    DEFAULT_CSS = """
    LeadsScreen {
        &.-tall FilterLine { margin: 1 0; }
        & Welcome { display: none; }
        &.-empty Welcome { display: block; }
        &.-empty RowTable, &.-empty FilterLine { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._words = ""
        self._sort = _BEST_FIRST
        self._all: int | None = None
        self._matching: int | None = None
        self._pause: Timer | None = None
        self._up_to_date = asyncio.Event()

    def compose_body(self) -> Iterable[Widget]:
        """The filter above the table."""
        yield FilterLine()
        self._table: RowTable[LeadRow] = RowTable(LEAD_COLUMNS, now=self.host.now, id="leads")
        self._table.nothing = "No lead matches. esc shows all of them again."
        yield self._table
        yield Welcome("There are no leads yet.", _OFFERS)

    def on_mount(self) -> None:
        """Read the list as soon as the store is open."""
        self._read("nothing")

    # Reading

    def _read(self, keep: Literal["place", "selection", "nothing"]) -> None:
        """Read the list in the background; what was being read is stopped."""
        work = self._read_again() if keep == "place" else self._read_anew(keep)
        self.work(work, group="list")

    async def _read_anew(self, keep: Literal["selection", "nothing"]) -> None:
        """First what is seen first, then how many there are, then all ids."""
        db = await self.host.store()
        from crm_tui.services import lead_rows

        query, sort = self._query(), self._sort
        async with db.read() as session:
            rows = await lead_rows.first_rows(session, query, limit=_FIRST_ROWS)
            ids = array("q", (row.id for row in rows))
            self._matching = len(rows) if len(rows) < _FIRST_ROWS else None
            self._table.show(ids, rows, keep=keep, sort=sort)
            self._up_to_date.set()
            if not query.is_filtered:
                self._all = self._matching = await lead_rows.count(session, query)
                self._table.expect(self._all)
            elif self._all is None:
                self._all = await lead_rows.count(session, lead_rows.LeadQuery())
        self._show_count()
        self._welcome()
        if len(rows) == _FIRST_ROWS:
            self._table.complete(await lead_rows.order(db, query))
            self._matching = self._table.total
            self._show_count()

    async def _read_again(self) -> None:
        """The same list after a change: everything stays where it is."""
        db = await self.host.store()
        from crm_tui.services import lead_rows

        query, sort = self._query(), self._sort
        order = await lead_rows.order(db, query)
        async with db.read() as session:
            near = await lead_rows.rows_by_id(session, self._table.near_ids_in(order))
            self._all = (
                await lead_rows.count(session, lead_rows.LeadQuery())
                if query.is_filtered
                else len(order)
            )
        self._matching = len(order)
        self._table.show(order, near, keep="place", sort=sort)
        self._show_count()
        self._welcome()

    def _welcome(self) -> None:
        """Without a single lead, say what can be done about it in place of the list."""
        empty = self._all == 0
        if empty != self.has_class("-empty"):
            self.set_class(empty, "-empty")
            self.query_one(Footer).show(() if empty else self.FOOTER)
            self.set_focus(self.query_one(Welcome) if empty else self._table)

    @on(RowsWanted)
    def _fetch(self, message: RowsWanted) -> None:
        self.work(self._fetch_rows(message.ids), group="rows")

    async def _fetch_rows(self, ids: list[int]) -> None:
        db = await self.host.store()
        from crm_tui.services import lead_rows

        async with db.read() as session:
            rows = await lead_rows.rows_by_id(session, ids)
        self._table.put_rows(rows)

    def data_changed(self) -> None:
        """Read the list again; cursor, selection and scroll stay."""
        self._read("place")

    def _query(self) -> LeadQuery:
        from crm_tui.services import lead_rows
        from crm_tui.services.filters import Standpoint

        sort = None
        if self._sort != _BEST_FIRST:
            sort = lead_rows.Sort(self._sort.key, descending=self._sort.descending)
        standpoint = Standpoint.of(self.host.settings, self.host.now())
        return lead_rows.LeadQuery(self._words, sort, standpoint)

    # Filter, sort, open

    def action_filter(self) -> None:
        """Type what the leads should match."""
        self.query_one(FilterLine).edit()

    @on(FilterLine.Changed)
    def _typed(self, message: FilterLine.Changed) -> None:
        self._words = message.words
        self._up_to_date.clear()
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(_TYPING_PAUSE, lambda: self._read("nothing"))

    @on(FilterLine.Left)
    def _back_to_table(self) -> None:
        """The keys that follow are for the list as it is filtered now."""
        self.set_focus(self._table)
        if not self._up_to_date.is_set():
            self.host.keys_wait_for(self._up_to_date)

    def action_sort(self) -> None:
        """Choose the column to sort by; the same one again turns the order round."""
        picks = [
            Pick(column.key, column.title, self._direction(column.key))
            for column in LEAD_COLUMNS
            if column.sortable
        ]

        def sort(key: str | None) -> None:
            if key is not None:
                self._sort_by(key)

        self.app.push_screen(Picker("Sort by", picks, current=self._sort.key), sort)

    @on(SortRequested)
    def _header_clicked(self, message: SortRequested) -> None:
        self._sort_by(message.key)

    def _sort_by(self, key: str) -> None:
        turned = self._sort.key == key and not self._sort.descending
        again = self._sort.key == key
        descending = turned if again else key in _DESCENDING_FIRST
        self._sort = Sort(key, descending=descending)
        self._read("selection")

    def _direction(self, key: str) -> str:
        if self._sort.key != key:
            return ""
        return "descending" if self._sort.descending else "ascending"

    @on(RowOpened)
    def _open(self, message: RowOpened) -> None:
        from crm_tui.screens.lead import LeadScreen

        self.app.push_screen(LeadScreen(message.row_id, neighbours=self))

    # What actions are done to

    @property
    def target(self) -> Target | None:
        """The lead under the cursor."""
        row = self._table.cursor_row
        return None if row is None else Target.of(row)

    @property
    def selected_count(self) -> int:
        """How many leads are selected, a range being marked included."""
        return self._table.selected_count + self._table.marking

    def selected_ids(self) -> array[int]:
        """The selected leads, those included that the filter hides."""
        return self._table.selected_ids() if self.selected_count else array("q")

    def go_on_from(self, lead_id: int) -> None:
        """One row down, unless the cursor has left the lead already."""
        if self._table.cursor_id == lead_id:
            self.step(1)

    async def show_again(self, lead_ids: array[int], key: str | None = None) -> None:
        """Show the changed rows at once, and then the list as it is now."""
        del key
        db = await self.host.store()
        from crm_tui.services import lead_rows

        near = set(self._table.near_ids_in(self._table.order))
        async with db.read() as session:
            changed = [each for each in lead_ids if each in near]
            self._table.put_rows(await lead_rows.rows_by_id(session, changed))
        self._read("place")

    # Demo and import

    def action_demo(self) -> None:
        """Make a demo in a folder that goes with the app, and look at it instead."""
        self.host.start_job("Making the demo", self.host.open_demo)

    def action_import(self) -> None:
        """Choose a list to import."""
        from crm_tui.screens.import_file import choose_list

        self.work(choose_list(self), group="import")

    # The lead screen's way through the list

    def step(self, by: int) -> int | None:
        """Move the cursor by so many rows; the lead it came to, None at the list's end."""
        place = self._table.cursor + by
        if not 0 <= place < self._table.total:
            return None
        self._table.move_to(place)
        return self._table.cursor_id

    def place(self) -> tuple[int, int]:
        """Where the cursor stands, counted from 1, and how long the list is."""
        return self._table.cursor + 1, self._table.total

    def back(self) -> bool:
        """Let go what was selected, then the filter."""
        if self._table.clear_selection():
            return True
        if self._words:
            self.query_one(FilterLine).clear()
            return True
        return True

    # What the filter line says at the right

    @on(SelectionChanged)
    def _show_count(self, message: SelectionChanged | None = None) -> None:
        count = self._table.selected_count
        marking = message.marking if message is not None else 0
        parts: list[str] = []
        if marking:
            parts.append(f"marking {marking:,}")
        if count:
            parts.append(f"{count:,} selected")
        if self._all is not None:
            matching = "…" if self._matching is None else f"{self._matching:,}"
            filtered = f"{matching} of {self._all:,}"
            parts.append(filtered if self._words else plural(self._all, "lead"))
        role = Role.ACCENT if count or marking else Role.QUIET
        self.query_one(FilterLine).show_count(" · ".join(parts), role)
