"""Polling a payment provider: all it tells is kept and told of the leads, or waits for the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_tui.db.engine import ReadSession
from crm_tui.providers.events import Asked, RawEvent
from crm_tui.providers.money import MoneyEvent, MoneyStream
from crm_tui.services.money import applying
from crm_tui.services.polling.collecting import Polling
from crm_tui.services.polling.records import Applied, Parsed, Raw


@dataclass(slots=True)
class MoneyPoller(Polling[MoneyEvent]):
    """Polls a stream that tells of payments and subscriptions."""

    at_once = applying.AT_ONCE
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
            parsed = self._parse(raw.payload)
            for event in parsed.events:
                self._saw(event.occurred_at)
            if parsed.events or parsed.problem:
                kept.append(raw)
        return kept

    def _parse(self, payload: Any) -> Parsed[MoneyEvent]:
        return applying.parse(self.stream, payload)

    async def _apply(self, raws: Sequence[Raw[MoneyEvent]]) -> Applied:
        async with self.db.write() as session:
            return await applying.apply(session, self.stream, raws, now=self.now())
