"""What a table says to its owner. A later message of a kind replaces one not yet handled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from crm_tui.widgets.row_view import RowView


@dataclass
class TableMessage(Message):
    """Something a table says."""

    table: RowView[Any]

    @property
    def control(self) -> RowView[Any]:
        """The table, for handlers that select by id."""
        return self.table

    def can_replace(self, message: Message) -> bool:
        """Only the last of these matters, except where a message says otherwise."""
        return isinstance(message, type(self)) and message.table is self.table


@dataclass
class RowsWanted(TableMessage):
    """These rows are, or will soon be, before the eye; answer with `put_rows`."""

    ids: list[int]


@dataclass
class RowHighlighted(TableMessage):
    """The cursor came to this row (None while its id is not known)."""

    row_id: int | None


@dataclass
class RowOpened(TableMessage):
    """The operator opened this row."""

    row_id: int


@dataclass
class SortRequested(TableMessage):
    """The operator asked for the list sorted by this column."""

    key: str


@dataclass
class SelectionChanged(TableMessage):
    """Other rows are selected, or the range being marked is another."""
