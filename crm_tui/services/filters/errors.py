from __future__ import annotations

from crm_tui.errors import WrongUsage


class QueryError(WrongUsage):
    """A query that cannot be read: what is wrong, and where.

    Attributes:
        column: where in the text, counted from 1.
        text: the whole query, as it was typed.
    """

    def __init__(self, problem: str, *, column: int, text: str) -> None:
        super().__init__(f"{problem} (column {column}).")
        self.column = column
        self.text = text
