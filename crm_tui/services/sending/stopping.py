"""Leaving leads out of what their campaigns have still to send: one or many, in a few statements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crm_tui.db.engine import WriteSession
from crm_tui.services.sending.ending import end_campaigns, leave_each_out

_WAITING = (  # CROSS JOIN: by the lead, and not by all that is queued
    "SELECT g.key, min(m.id), m.business_id, m.origin_id, m.campaign_id FROM json_each(?) AS g"
    " CROSS JOIN message AS m ON m.business_id = g.value ->> 0"
    " WHERE m.campaign_id IS NOT NULL AND m.state = 'queued'"
    " AND (g.value ->> 2 IS NULL OR m.address = g.value ->> 2)"
    " GROUP BY g.key, m.campaign_id, m.origin_id ORDER BY g.key"
)


class Stop(NamedTuple):
    """A lead that gets no more, or nothing more at an address, and why."""

    business_id: int
    why: str
    address: str | None = None


class _First(NamedTuple):
    """The first message that waits of a campaign, for a lead."""

    id: int
    business_id: int
    origin_id: int
    campaign_id: int | None


async def stop_all(session: WriteSession, stops: Sequence[Stop], *, now: datetime) -> None:
    """Leave leads out; where several things speak against one, the first is the reason."""
    if not stops:
        return
    await session.flush()
    connection = await session.connection()
    rows = await connection.exec_driver_sql(_WAITING, (json.dumps(stops),))
    found: Sequence[Any] = rows.all()
    waiting: dict[tuple[int, int], tuple[_First, str]] = {}
    for key, *first in found:
        message = _First(*first)
        assert message.campaign_id is not None
        of = (message.campaign_id, message.origin_id)
        waiting.setdefault(of, (message, stops[key].why))
    if waiting:
        await leave_each_out(session, list(waiting.values()), now=now)
        await end_campaigns(session, {campaign for campaign, _ in waiting}, now=now)
