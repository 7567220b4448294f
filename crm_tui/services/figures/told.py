"""The funnel and every figure at once, as fast as a large store allows, and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from crm_tui.db.engine import Database
from crm_tui.services.figures import customers, funnel, messages
from crm_tui.services.figures.base import Figure, Scope, StageCount
from crm_tui.services.figures.kpis import (
    Counted,
    churn_of_period,
    count,
    earning_at_end,
    figures_of,
    rows_kept,
    spent_on,
)

_KEPT = 16
_FRESH = timedelta(minutes=1)
"""How long what "now" and "today" mean may lie back."""


@dataclass(frozen=True, slots=True)
class Told:
    """The funnel and the figures of one scope, of one state of the store."""

    stages: tuple[StageCount, ...]
    figures: tuple[Figure, ...]


_told: WeakKeyDictionary[Database, dict[Hashable, tuple[datetime, Told]]] = WeakKeyDictionary()


async def told(db: Database, scope: Scope) -> Told:
    """The funnel and the figures; at once where the store has not changed since they were asked for.

    Raises:
        StoreError: the store cannot be read.
    """
    version = await db.data_version()
    kept = _told.setdefault(db, {})
    key, now = _key(scope, version), scope.standpoint.now
    if key in kept and abs(now - kept[key][0]) < _FRESH:
        return kept[key][1]
    counted = await _at_once(db, scope)
    if await db.data_version() != version:
        # What was counted beside each other may be of two states of the store.
        async with db.read() as session:
            return _of(scope, await count(session, scope))
    found = _of(scope, counted)
    kept[key] = now, found
    while len(kept) > _KEPT:
        del kept[next(iter(kept))]
    return found


def _key(scope: Scope, version: int) -> Hashable:
    at = scope.standpoint
    prices = tuple(sorted(scope.prices.items()))
    of = (scope.period, scope.query, at.zone, at.threshold, scope.mode, scope.money, prices)
    return version, of


def _of(scope: Scope, counted: Counted) -> Told:
    return Told(tuple(funnel.stage_counts(counted.leads)), tuple(figures_of(scope, counted)))


async def _at_once(db: Database, scope: Scope) -> Counted:
    """Count with three connections side by side, each with a part of about the same size."""

    async def some(part: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
        async with db.read() as session:
            return {name: await counts(session, scope) for name, counts in part}

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(some(part)) for part in _PARTS]
    return Counted(**{name: value for task in tasks for name, value in task.result().items()})


_PARTS: tuple[tuple[tuple[str, Any], ...], ...] = (
    (("messages", messages.reach),),
    (("leads", funnel.tally), ("earning", earning_at_end), ("rows", rows_kept)),
    (("waits", customers.waits), ("churn", churn_of_period), ("spent", spent_on)),
)
