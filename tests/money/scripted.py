"""A payment provider's stream as a script: what is told is our own words, written as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import RawRecord, Unmatched
from crm_tui.providers.events import ProviderEvent, RawEvent, Unreadable
from crm_tui.providers.money import MoneyEvent, Payer
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.money.polling import MoneyPoller
from crm_tui.services.polling.collecting import Polled
from crm_tui.services.sending.account import account
from tests.polling.scripted import Scripted


@dataclass
class Till(Scripted):
    """Tells `records` in pages."""

    provider: str = "stripe"
    account: str = "test"

    def parse_money(self, raw: Mapping[str, Any]) -> Sequence[MoneyEvent]:
        """What a record says."""
        if "event" not in raw:
            raise Unreadable("it has no event")
        return [msgspec.convert(raw["event"], MoneyEvent)]

    def parse_event(self, raw: Mapping[str, Any]) -> Sequence[ProviderEvent]:
        """Nothing: it tells of no messages."""
        raise AssertionError(raw)


def record(event: MoneyEvent) -> RawEvent:
    """A record that tells of this."""
    return RawEvent(event.name, {"event": msgspec.to_builtins(event)})


def of(event: MoneyEvent, *ids: str, reference: str = "", **payer: Any) -> MoneyEvent:
    """The same of a payer that is known by these names."""
    return replace(event, payer=Payer(reference=reference, ids=ids, **payer))


def poller(db: Database, stream: Till, now: datetime) -> MoneyPoller:
    """Polls a till."""
    settings = Settings()
    mine = account(settings)
    return MoneyPoller(db, stream, Reader.of(mine, settings), mine, lambda: now)


async def poll(
    db: Database, *events: MoneyEvent, now: datetime, till: Till | None = None
) -> Polled:
    """Poll a till that tells of these events."""
    stream = till or Till(records=[record(each) for each in events], again=True)
    return await poller(db, stream, now).poll()


async def waiting(db: Database, *states: str) -> list[Unmatched]:
    """What waits in the inbox."""
    async with db.read() as session:
        rows = await session.scalars(
            select(Unmatched).where(Unmatched.state.in_(states or ("open",))).order_by(Unmatched.id)
        )
        return list(rows)


async def raws(db: Database) -> list[RawRecord]:
    """What is kept of what was told."""
    async with db.read() as session:
        return list(await session.scalars(select(RawRecord).order_by(RawRecord.id)))
