"""What the lead list is asked to show, and reading it: what is seen first is read first."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crm_tui.screens.lead_columns import DESCENDING_FIRST
from crm_tui.widgets.row_paint import Sort

if TYPE_CHECKING:
    from crm_tui.db.engine import ReadSession
    from crm_tui.screens.base import Host
    from crm_tui.services.lead_query import LeadQuery
    from crm_tui.services.lead_rows import LeadRow
    from crm_tui.widgets.row_table import RowTable

FIRST_ROWS = 100
"""Rows read for the first paint of a list; more than any screen shows."""

_NOTHING = "No lead matches. esc shows all of them again."

BEST_FIRST = Sort("score", descending=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list is asked to show.

    Attributes:
        text: The filter, as it was typed; it can be read.
        sort: The order.
    """

    text: str = ""
    sort: Sort = BEST_FIRST

    @property
    def sort_text(self) -> str | None:
        """The order as a view keeps it: "name" or "-rating"; None for the usual one."""
        if self.sort == BEST_FIRST:
            return None
        return ("-" if self.sort.descending else "") + self.sort.key

    @staticmethod
    def sort_of(text: str | None, known: Sequence[str]) -> Sort:
        """The order that was kept as text; the usual one where there is none, or none that is."""
        key = (text or "").removeprefix("-")
        return Sort(key, descending=(text or "").startswith("-")) if key in known else BEST_FIRST

    def sorted_by(self, key: str) -> Sort:
        """The order by a column; by the same one again, the other way round."""
        descending = key in DESCENDING_FIRST
        if self.sort.key == key:
            descending = not self.sort.descending
        return Sort(key, descending=descending)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the cursor is to go: to a row, with so many rows above it in the window."""

    row_id: int
    above: int = 0


class LeadListing:
    """Reads the list into its table. Every method is the body of a worker that may be cancelled.

    Args:
        host: The app.
        table: Where it is shown.
        told: Called when a count is known.

    Attributes:
        all: How many leads there are without a filter; None while that is not known.
        matching: How many the list has; None while that is not known.
        shown: Set while what was asked for last is on the screen.
        whole: Set while all ids of the list are known.
        spot: Where the cursor goes once the whole list is known.
    """

    def __init__(self, host: Host, table: RowTable[LeadRow], told: Callable[[], None]) -> None:
        self._host = host
        self._table = table
        self._told = told
        self._generation = 0
        self.all: int | None = None
        self.matching: int | None = None
        self.shown = asyncio.Event()
        self.whole = asyncio.Event()
        self.spot: Spot | None = None

    def query(self, asked: Asked) -> LeadQuery:
        """The question to the store.

        Raises:
            QueryError: the filter cannot be read.
        """
        from crm_tui.services.filters import Standpoint
        from crm_tui.services.lead_query import LeadQuery, Sort

        sort = None
        if asked.sort != BEST_FIRST:
            sort = Sort(asked.sort.key, descending=asked.sort.descending)
        standpoint = Standpoint.of(self._host.settings, self._host.now())
        return LeadQuery(asked.text, sort, standpoint)

    async def read_anew(self, asked: Asked, keep: Literal["selection", "nothing"]) -> None:
        """Another list: its first rows, then how many there are, then all ids."""
        self.whole.clear()
        db = await self._host.store()
        from crm_tui.services import lead_rows
        from crm_tui.services.lead_query import LeadQuery

        query = self.query(asked)
        async with db.read() as session:
            rows = await lead_rows.first_rows(session, query, limit=FIRST_ROWS)
            rows = await self._with_extras(session, rows)
            self.matching = len(rows) if len(rows) < FIRST_ROWS else None
            total = None if self.matching is not None else len(rows) + 1
            ids = array("q", (row.id for row in rows))
            self._show(ids, rows, asked, keep, total)
            if not query.is_filtered:
                self.all = self.matching = await lead_rows.count(session, query)
                self._table.expect(self.all)
            elif self.all is None:
                self.all = await lead_rows.count(session, LeadQuery())
        self._told()
        if len(rows) == FIRST_ROWS:
            self._table.complete(await lead_rows.order(db, query))
            self.matching = self._table.total
        self._end()

    async def read_again(self, asked: Asked) -> None:
        """The same list after a change: everything stays where it is."""
        self.whole.clear()
        db = await self._host.store()
        from crm_tui.services import lead_rows
        from crm_tui.services.lead_query import LeadQuery

        query = self.query(asked)
        order = await lead_rows.order(db, query)
        async with db.read() as session:
            near = await lead_rows.rows_by_id(session, self._table.near_ids_in(order))
            near = await self._with_extras(session, near)
            self.all = (
                await lead_rows.count(session, LeadQuery()) if query.is_filtered else len(order)
            )
        self.matching = len(order)
        self._show(order, near, asked, "place")
        self._end()

    async def fetch(self, ids: Sequence[int]) -> None:
        """Rows that are, or will soon be, before the eye."""
        generation = self._generation
        db = await self._host.store()
        from crm_tui.services import lead_rows

        async with db.read() as session:
            rows = await self._with_extras(session, await lead_rows.rows_by_id(session, ids))
        if generation == self._generation:
            self._table.put_rows(rows)

    def _show(
        self,
        order: array[int],
        rows: Sequence[LeadRow],
        asked: Asked,
        keep: Literal["place", "selection", "nothing"],
        total: int | None = None,
    ) -> None:
        self._generation += 1
        self._table.nothing = _NOTHING if asked.text.strip() else ""
        self._table.show(order, rows, total=total, keep=keep, sort=asked.sort)
        self.shown.set()

    def _end(self) -> None:
        """All ids are known. Who has not gone anywhere since the start goes back to the spot."""
        self.whole.set()
        spot, self.spot = self.spot, None
        if spot is not None and self._table.cursor == 0:
            self._table.go_to(spot.row_id, above=spot.above)
        self._told()

    async def _with_extras(self, session: ReadSession, rows: Sequence[LeadRow]) -> list[LeadRow]:
        from crm_tui.services.lead_extras import with_extras

        return await with_extras(session, rows, self._table.column_keys)
