"""Records of the mailbox, kept without one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.models import RawRecord
from crm_tui.services.inbox.records import SOURCE, Kept, payload
from tests.inbox.world import World

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


async def keep(world: World, *, number: int = 1, kind: str = "reply", **fields: Any) -> None:
    """Keep a mail as if it had been read; it waits to be applied."""
    known: dict[str, Any] = {
        "message_id": f"<mail-{number}@plumber.example>",
        "sender": "ann@plumber.example",
        "subject": "Re: A site",
        "received": AT,
        "occurred_at": AT,
    }
    mail = Kept(kind=kind, **(known | fields))
    async with world.db.write() as session:
        await session.execute(
            insert(RawRecord)
            .values(
                source=SOURCE,
                external_id=f"record-{number}",
                received_at=mail.received,
                payload=payload(mail),
            )
            .on_conflict_do_nothing(index_elements=["source", "external_id"])
        )
