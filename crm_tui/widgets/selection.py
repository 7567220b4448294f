"""Which rows of a long list are selected, cheap for one row and for a million."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, compress
from operator import not_

_FLAGGED = 4_000_000
"""Ids below this have a flag, a byte each up to the highest one picked; others are in a set."""

_LONG = 10_000
"""Rows for which it pays to look whether all of them have flags."""


class Selection:
    """A set of ids, or all but a set of ids.

    Everything is one flag, so selecting or inverting a million rows takes no time and no memory.
    Picking half a million of them sets as many bytes, a tenth of the time that a set of them takes.
    """

    def __init__(self) -> None:
        self._flags = bytearray()
        self._others: set[int] = set()
        self._all_but = False

    def __contains__(self, row_id: int) -> bool:
        return self._picked(row_id) is not self._all_but

    @property
    def open_ended(self) -> bool:
        """Whether it was made as "all (but …)", and so means whatever the list holds."""
        return self._all_but

    @property
    def picked(self) -> array[int]:
        """The ids that are selected one by one or, of "all but", left out; in their order."""
        flagged = compress(range(len(self._flags)), self._flags)
        return array("q", chain(sorted(self._others), flagged) if self._others else flagged)

    def count(self, total: int, missing: int = 0) -> int:
        """How many are selected, in a list of `total` rows that has `missing` of the picked not."""
        picked = self._flags.count(1) + len(self._others)
        return total - (picked - missing) if self._all_but else picked

    def missing_from(self, order: array[int]) -> int:
        """How many of the rows that were picked one by one are not in this list."""
        picked = self._flags.count(1) + len(self._others)
        return picked - sum(self._picked_of(order)) if picked else 0

    def toggle(self, row_id: int) -> None:
        """Select the row if it is not, and the other way round."""
        self._put((row_id,), picked=not self._picked(row_id))

    def add(self, row_ids: Sequence[int]) -> None:
        """Select these rows too."""
        self._put(row_ids, picked=not self._all_but)

    def invert(self) -> None:
        """Select exactly the rows that were not."""
        self._all_but = not self._all_but

    def everything(self) -> None:
        """Select all rows of the list, whatever it holds."""
        self.clear()
        self._all_but = True

    def clear(self) -> None:
        """Select nothing."""
        self._flags, self._others = bytearray(), set()
        self._all_but = False

    def of(self, order: array[int]) -> array[int]:
        """The selected ids: all of the list but the excepted ones, in its order; or those picked.

        Rows picked one by one stay selected while another filter hides them, and so come too.
        """
        if not self._all_but:
            return self.picked
        return array("q", compress(order, map(not_, self._picked_of(order))))

    def _picked(self, row_id: int) -> bool:
        if 0 <= row_id < len(self._flags):
            return self._flags[row_id] == 1
        return row_id in self._others

    def _picked_of(self, order: array[int]) -> Iterable[int]:
        """For each row of a list, whether it was picked."""
        if self._others or len(order) < _LONG or not _have_flags(order):
            return map(self._picked, order)
        self._flags.extend(bytes(max(max(order) + 1 - len(self._flags), 0)))
        return map(self._flags.__getitem__, order)

    def _put(self, row_ids: Sequence[int], *, picked: bool) -> None:
        if not row_ids:
            return
        if not _have_flags(row_ids):
            self._put_others([each for each in row_ids if not 0 <= each < _FLAGGED], picked)
            self._put([each for each in row_ids if 0 <= each < _FLAGGED], picked=picked)
            return
        flags = self._flags
        flags.extend(bytes(max(max(row_ids) + 1 - len(flags), 0)))
        flag = int(picked)
        for row_id in row_ids:
            flags[row_id] = flag

    def _put_others(self, row_ids: Iterable[int], picked: bool) -> None:  # noqa: FBT001 - as above
        if picked:
            self._others.update(row_ids)
        else:
            self._others.difference_update(row_ids)


def _have_flags(row_ids: Sequence[int]) -> bool:
    return min(row_ids) >= 0 and max(row_ids) < _FLAGGED
