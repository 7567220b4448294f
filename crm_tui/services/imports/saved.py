"""How the columns of lists were mapped, kept for the next list with the same columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import ImportMapping
from crm_tui.services.imports.mapping import signature
from crm_tui.text import fold


async def saved_mapping(session: ReadSession, headers: Sequence[str]) -> dict[str, str] | None:
    """The mapping a list with these columns was last imported with, by these headers."""
    saved = await session.get(ImportMapping, signature(headers))
    if saved is None:
        return None
    by_fold = {fold(header): field for header, field in saved.mapping.items()}
    return {header: by_fold[fold(header)] for header in headers if fold(header) in by_fold}


async def save_mapping(
    session: WriteSession, headers: Sequence[str], mapping: Mapping[str, str], *, now: datetime
) -> None:
    """Keep a mapping for the next list with these columns."""
    statement = insert(ImportMapping).values(
        signature=signature(headers), mapping=dict(mapping), used_at=now
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[ImportMapping.signature],
            set_={"mapping": statement.excluded.mapping, "used_at": statement.excluded.used_at},
        )
    )
