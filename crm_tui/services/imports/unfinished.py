"""Whether an import is unfinished: asked at every start, and so without loading what imports."""

from __future__ import annotations

from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import ImportBatch
from crm_tui.vocabulary import BatchState

WORKING = (BatchState.RUNNING, BatchState.UNDOING)
"""The states in which somebody works on a batch, or died over it."""


async def any_unfinished(db: Database) -> bool:
    """Whether some import is being worked on, or was cut off."""
    unfinished = select(ImportBatch.id).where(ImportBatch.state.in_(WORKING)).limit(1)
    async with db.read() as session:
        return await session.scalar(unfinished) is not None
