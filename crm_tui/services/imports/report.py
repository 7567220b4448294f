"""What became of the rows of an import, as a list that can be any length."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import ImportRow
from crm_tui.vocabulary import RowAction


class ReportRow(NamedTuple):
    """What became of one row of a file; `id` is its number there."""

    id: int
    action: RowAction
    name: str
    reason: str
    business_id: int | None


async def order(
    db: Database, batch_id: int, *, actions: Sequence[RowAction] = tuple(RowAction)
) -> array[int]:
    """The numbers of the rows with which one of these things was done, in the file's order."""
    return await db.integers(
        select(ImportRow.row)
        .where(ImportRow.batch_id == batch_id, ImportRow.action.in_(actions))
        .order_by(ImportRow.row)
    )


async def rows(session: ReadSession, batch_id: int, numbers: Sequence[int]) -> list[ReportRow]:
    """What became of these rows."""
    found = await session.execute(
        select(
            ImportRow.row,
            ImportRow.action,
            ImportRow.name,
            ImportRow.reason,
            ImportRow.business_id,
        ).where(ImportRow.batch_id == batch_id, ImportRow.row.in_(numbers))
    )
    return [
        ReportRow(row, action, name or "", reason or "", business_id)
        for row, action, name, reason, business_id in found
    ]
