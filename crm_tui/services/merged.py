"""Where merged leads went: their numbers keep leading somewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Merge


@dataclass(frozen=True, slots=True)
class Merged:
    """A lead that went into another, under the name it had, and when (aware UTC)."""

    id: int
    name: str
    kept_id: int
    entry_id: int
    merged_at: datetime


_LINE = (Merge.merged_id, Merge.merged_name, Merge.kept_id, Merge.entry_id, Merge.merged_at)


async def merged_into(session: ReadSession, lead_id: int) -> list[Merged]:
    """The leads that are part of this one by now, the last first."""
    rows = await session.execute(
        select(*_LINE).where(Merge.kept_id == lead_id).order_by(Merge.id.desc())
    )
    return [Merged(*row) for row in rows]


async def led_to(session: ReadSession, lead_id: int) -> Merged | None:
    """Where a lead went that was merged into another; None where it was not."""
    row = (await session.execute(select(*_LINE).where(Merge.merged_id == lead_id))).first()
    return None if row is None else Merged(*row)


async def standing(session: ReadSession, lead_id: int) -> int:
    """The lead a number leads to: its own, or the one it went into."""
    merged = await led_to(session, lead_id)
    return lead_id if merged is None else merged.kept_id


async def why_missing(session: ReadSession, lead_id: int) -> str:
    """A sentence on why there is no lead of this number: erased, or gone into which other."""
    erased_at = await session.scalar(select(Business.erased_at).where(Business.id == lead_id))
    if erased_at is not None:
        return f"Lead {lead_id} was erased on {erased_at:%Y-%m-%d}; nothing of it is left."
    merged = await led_to(session, lead_id)
    if merged is None:
        return f"There is no lead {lead_id}."
    name = await session.scalar(select(Business.name).where(Business.id == merged.kept_id))
    return f"Lead {lead_id} ({merged.name}) was merged into lead {merged.kept_id} ({name})."
