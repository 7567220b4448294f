"""Keeping every stored score what the settings and the day say it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.dialects.sqlite import insert

from crm_tui.clock import parse_time
from crm_tui.config import ScoreSettings
from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Business, Setting
from crm_tui.services import derived, scoring

_SETTING = "scores"
_CHUNK = 500


async def outdated(session: ReadSession, score: ScoreSettings) -> bool:
    """Whether leads were scored with other settings than these; a store without leads was not."""
    known = await _known(session)
    if known is None:
        return (await session.scalar(select(Business.id).limit(1))) is not None
    return bool(known["settings"] != _plain(score))


async def would_change(db: Database, score: ScoreSettings, *, now: datetime) -> int:
    """How many leads would be scored otherwise by these settings today."""
    changed = 0
    for ids in _chunks(await db.integers(select(Business.id))):
        async with db.read() as session:
            changed += len(await derived.outdated_scores(session, ids, score=score, now=now))
    return changed


async def refresh(db: Database, score: ScoreSettings, *, now: datetime) -> int:
    """Score again whatever needs it; returns how many scores changed.

    That is every lead when the settings are others than last time, else those that have grown
    older over one of the steps of freshness since.
    """
    async with db.read() as session:
        known = await _known(session)
    last = parse_time(known["at"]) if known else None
    same = known is not None and known["settings"] == _plain(score)
    statement = _aged(last, now) if same and last else select(Business.id)
    changed = 0
    for ids in _chunks(await db.integers(statement)):
        async with db.write() as session:
            changed += len(await derived.rescore(session, ids, score=score, now=now))
    async with db.write() as session:
        await _remember(session, score, now)
    return changed


def _aged(last: datetime, now: datetime) -> Select[int]:
    def crossed(age: timedelta) -> Any:
        return and_(Business.captured_at >= last - age, Business.captured_at < now - age)

    return select(Business.id).where(or_(crossed(scoring.FRESH), crossed(scoring.STALE)))


async def _known(session: ReadSession) -> dict[str, Any] | None:
    setting = await session.get(Setting, _SETTING)
    return None if setting is None else dict(setting.value)


async def _remember(session: WriteSession, score: ScoreSettings, now: datetime) -> None:
    value = {"settings": _plain(score), "at": now.isoformat()}
    statement = insert(Setting).values(name=_SETTING, value=value)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[Setting.name], set_={"value": statement.excluded.value}
        )
    )


def _plain(score: ScoreSettings) -> Any:
    # The threshold decides who is qualified when it is asked, not what a score is.
    weights = msgspec.to_builtins(score.weights)
    return {"weights": weights, "categories": list(score.categories)}


def _chunks(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
