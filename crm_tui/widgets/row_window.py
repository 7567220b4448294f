"""A window over a long list: the order of all ids, and the few rows that are near the eye."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar


class Row(Protocol):
    """What a table needs to know about a row."""

    @property
    def id(self) -> int:
        """What tells it from every other row, as long as it exists."""


RowT = TypeVar("RowT", bound=Row)

_NEAR = 5_000
"""How far from its old place a row is looked for before the whole list is."""

_HELD = 1_000
"""Rows kept in memory, least recently seen thrown out first; many times a screen."""


class RowWindow(Generic[RowT]):
    """The order of a list as ids (8 bytes each) and a bounded number of its rows.

    `total` may be more than the ids known so far: the first page is shown before all ids are read.
    """

    def __init__(self) -> None:
        self.order: array[int] = array("q")
        self.total = 0
        self._rows: dict[int, RowT] = {}

    def replace(self, order: array[int], rows: Iterable[RowT], total: int | None) -> None:
        """Another list, or the same one read again: rows not handed over are unknown again."""
        self._rows.clear()
        self.complete(order, total)
        self.put(rows)

    def complete(self, order: array[int], total: int | None = None) -> None:
        """The same list with more of its ids known; rows stay."""
        self.order = order
        self.total = max(len(order), total or 0)

    def put(self, rows: Iterable[RowT]) -> None:
        """Keep these rows, in place of what was known of them."""
        for row in rows:
            self._rows.pop(row.id, None)
            self._rows[row.id] = row
        while len(self._rows) > _HELD:
            del self._rows[next(iter(self._rows))]

    def keep_only(self, row_ids: Iterable[int]) -> None:
        """Forget all other rows."""
        self._rows = {each: self._rows[each] for each in row_ids if each in self._rows}

    def id_at(self, index: int) -> int | None:
        """The id at a place in the list, None where it is not known (yet)."""
        return self.order[index] if 0 <= index < len(self.order) else None

    def row_at(self, index: int) -> RowT | None:
        """The row at a place in the list, None where it is not known (yet)."""
        row_id = self.id_at(index)
        if row_id is None or (row := self._rows.pop(row_id, None)) is None:
            return None
        self._rows[row_id] = row
        return row

    def missing(self, start: int, stop: int) -> list[int]:
        """The ids from place `start` up to `stop` whose rows are not known."""
        known = self._rows
        return [row_id for row_id in self.order[max(start, 0) : stop] if row_id not in known]

    def place_in(self, order: array[int], index: int) -> int:
        """Where the row at a place stands in another order; the same place if it is gone."""
        row_id = self.id_at(index)
        if row_id is None:
            return index
        for begin, end in ((max(index - _NEAR, 0), index + _NEAR), (0, len(order))):
            with suppress(ValueError):
                return order.index(row_id, begin, end)
        return index
