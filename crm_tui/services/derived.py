"""What follows from a business's own facts: primary contacts, score, search index.

Call `renew` at the end of every transaction that changed facts or contact points. Statuses follow
from events (services.statuses), and last activity too (services.events).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select, update

from crm_tui.config import ScoreSettings
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business
from crm_tui.db.types import listed
from crm_tui.services import points, scoring, search

CHUNK = 2_000

_SCORED = frozenset({"rating", "review_count", "photo_count", "category", "captured_at"})
_SEARCHED = frozenset({"category", "street", "postal_code", "region", "country", "city"})


async def renew(
    session: WriteSession, business_ids: Sequence[int], *, score: ScoreSettings, now: datetime
) -> None:
    """Bring everything derived of these businesses up to date."""
    for start in range(0, len(business_ids), CHUNK):
        ids = business_ids[start : start + CHUNK]
        await points.choose_primaries(session, ids)
        await points.repeat_primaries(session, ids)
        await rescore(session, ids, score=score, now=now)
        await search.index(session, ids)


async def renew_after(
    session: WriteSession,
    business_ids: Sequence[int],
    columns: Collection[str],
    *,
    score: ScoreSettings,
    now: datetime,
) -> None:
    """Bring up to date what follows from these columns of businesses; no contact points changed."""
    for start in range(0, len(business_ids), CHUNK):
        ids = business_ids[start : start + CHUNK]
        if not _SCORED.isdisjoint(columns):
            await rescore(session, ids, score=score, now=now)
        if "name" in columns:
            await search.index(session, ids)
        elif not _SEARCHED.isdisjoint(columns):
            await search.index_address(session, ids)


async def rescore(
    session: WriteSession, business_ids: Sequence[int], *, score: ScoreSettings, now: datetime
) -> list[int]:
    """Score businesses again; returns those whose score changed."""
    fresh = await outdated_scores(session, business_ids, score=score, now=now)
    if fresh:
        given = func.json_each(json.dumps(list(fresh.items()))).table_valued("value")
        await session.execute(
            update(Business)
            .where(Business.id == func.json_extract(given.c.value, "$[0]"))
            .values(qualification_score=func.json_extract(given.c.value, "$[1]"))
            .execution_options(synchronize_session=None)
        )
    return list(fresh)


async def outdated_scores(
    session: ReadSession, business_ids: Sequence[int], *, score: ScoreSettings, now: datetime
) -> dict[int, int]:
    """Those of the businesses whose stored score is not what it should be, with what it should."""
    points = scoring.scorer(score, now=now)
    return {
        business_id: fresh
        for business_id, old, facts in await _facts(session, business_ids)
        if (fresh := points(facts)) != old
    }


async def score_facts(
    session: ReadSession, business_ids: Sequence[int]
) -> dict[int, scoring.ScoreFacts]:
    """What the score of each of these businesses is made from."""
    return {business_id: facts for business_id, _, facts in await _facts(session, business_ids)}


async def _facts(
    session: ReadSession, business_ids: Sequence[int]
) -> list[tuple[int, int, scoring.ScoreFacts]]:
    """Each business with its stored score and what its score is made from."""
    await session.flush()
    connection = await session.connection()  # whose rows come quicker than the session's
    rows = await connection.execute(
        select(
            Business.id,
            Business.qualification_score,
            Business.website,
            Business.rating,
            Business.review_count,
            Business.photo_count,
            Business.email,
            Business.phone,
            Business.category,
            Business.captured_at,
        ).where(Business.id.in_(listed(business_ids)))
    )
    return [(id_, stored, scoring.ScoreFacts(*facts)) for id_, stored, *facts in rows.all()]
