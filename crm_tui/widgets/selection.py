"""Which rows of a long list are selected, cheap for one row and for a million."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import filterfalse


class Selection:
    """A set of ids, or all but a set of ids.

    Everything is one flag, so selecting or inverting a million rows takes no time and no memory.
    """

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._all_but = False

    def __contains__(self, row_id: int) -> bool:
        return (row_id in self._ids) is not self._all_but

    @property
    def open_ended(self) -> bool:
        """Whether it was made as "all (but …)", and so means whatever the list holds."""
        return self._all_but

    def count(self, total: int) -> int:
        """How many are selected in a list of `total`."""
        return total - len(self._ids) if self._all_but else len(self._ids)

    def toggle(self, row_id: int) -> None:
        """Select the row if it is not, and the other way round."""
        self._ids.symmetric_difference_update((row_id,))

    def add(self, row_ids: Iterable[int]) -> None:
        """Select these rows too."""
        if self._all_but:
            self._ids.difference_update(row_ids)
        else:
            self._ids.update(row_ids)

    def invert(self) -> None:
        """Select exactly the rows that were not."""
        self._all_but = not self._all_but

    def everything(self) -> None:
        """Select all rows of the list, whatever it holds."""
        self._ids.clear()
        self._all_but = True

    def clear(self) -> None:
        """Select nothing."""
        self._ids.clear()
        self._all_but = False

    def of(self, order: array[int]) -> array[int]:
        """The selected ids: all of the list but the excepted ones, in its order; or those picked.

        Rows picked one by one stay selected while another filter hides them, and so come too.
        """
        if not self._all_but:
            return array("q", sorted(self._ids))
        return array("q", filterfalse(self._ids.__contains__, order)) if self._ids else order[:]
