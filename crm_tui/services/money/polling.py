"""Polling a payment provider: all it tells is kept and told of the leads, or waits for the operator."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_tui.db.engine import ReadSession
from crm_tui.providers.events import Asked, RawEvent
from crm_tui.providers.money import MoneyStream
from crm_tui.services.money import applying
from crm_tui.services.money.applying import AT_ONCE, Raw
from crm_tui.services.polling.applying import Applied, waiting
from crm_tui.services.polling.collecting import Polling


@dataclass(slots=True)
class MoneyPoller(Polling[Raw]):
    """Polls a stream that tells of payments and subscriptions."""

    stream: MoneyStream

    async def _asked(self) -> Asked:
        return Asked(now=self.now())

    async def _concerning(
        self,
        session: ReadSession,  # noqa: ARG002 - other streams ask the store
        fresh: Mapping[str, RawEvent],
    ) -> list[RawEvent]:
        """Whatever says something: an account for payments is the operator's own."""
        kept = []
        for raw in fresh.values():
            parsed = applying.parse(self.stream, raw.payload)
            for event in parsed.events:
                self._saw(event.occurred_at)
            if parsed.events or parsed.problem:
                kept.append(raw)
        return kept

    async def _waiting(self, *, after: int = 0) -> list[Raw]:
        async with self.db.read() as session:
            kept = await waiting(session, self.stream, after=after, most=AT_ONCE)
        return await asyncio.to_thread(applying.read, self.stream, kept) if kept else []

    async def _apply(self, records: Sequence[Raw]) -> Applied:
        async with self.db.write() as session:
            return await applying.apply(session, self.stream, records, now=self.now())

    async def _give_up(self, record: Raw, error: Exception) -> Applied:
        async with self.db.write() as session:
            return await applying.give_up(session, self.stream, record.id, error, now=self.now())
