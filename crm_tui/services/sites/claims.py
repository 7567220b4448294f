"""Who is building what: claims that die with their builder.

A builder holds a lock beside the store for as long as it works, and writes the lock's name into
the businesses it builds. The kernel releases the lock when the process ends, however it ends; from
then on its claims count for nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, update

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.locks import held, is_held
from crm_tui.db.models import Business, Event
from crm_tui.errors import StoreError
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.vocabulary import EventKind

CHUNK = 100
TICK = timedelta(microseconds=1)
"""What a build's later events are set off by, so that their order is never left to chance."""


@contextmanager
def builder(store: Path) -> Iterator[str]:
    """The name of a new builder, alive until the block ends.

    Raises:
        StoreError: the folder of locks cannot be written.
    """
    name = uuid.uuid4().hex
    with ExitStack() as stack:
        try:
            stack.enter_context(held(store, name))
        except OSError as error:
            raise StoreError(
                f"Nothing was built: the folder of locks beside {store} cannot be written "
                f"({error.strerror}). Check that you may write there."
            ) from error
        yield name


async def claim(
    session: WriteSession, store: Path, business_ids: Sequence[int], name: str, *, now: datetime
) -> set[int]:
    """Claim these businesses for a builder; returns those claimed.

    The others are being built by another builder that is alive, or are gone.
    """
    rows = await session.execute(
        select(Business.id, Business.building_by).where(Business.id.in_(business_ids))
    )
    claims = {row.id: row.building_by for row in rows}
    alive = {other for other in set(claims.values()) if other and is_held(store, other)}
    free = sorted(business_id for business_id, other in claims.items() if other not in alive)
    await session.execute(
        update(Business)
        .where(Business.id.in_(free))
        .values(building_by=name)
        .execution_options(synchronize_session=None)
    )
    await events.record(
        session,
        *(
            NewEvent(each, EventKind.SITE_BUILDING, now, "building a site", OPERATOR)
            for each in free
        ),
        now=now,
    )
    return set(free)


async def release(session: WriteSession, business_ids: Sequence[int], name: str) -> set[int]:
    """End a builder's claims; returns those that were still its own."""
    return set(
        await session.scalars(
            update(Business)
            .where(Business.id.in_(business_ids), Business.building_by == name)
            .values(building_by=None)
            .returning(Business.id)
            .execution_options(synchronize_session=None)
        )
    )


async def abandon(
    session: WriteSession, business_ids: Sequence[int], names: Collection[str], *, now: datetime
) -> int:
    """Give back what these builders have claimed and will not finish; returns how many it was.

    The website status returns to what the sites say; the timeline says what happened.
    """
    freed: set[int] = set()
    for name in names:
        freed |= await release(session, business_ids, name)
    began = await session.execute(
        select(Event.business_id, func.max(Event.occurred_at))
        .where(Event.business_id.in_(freed), Event.kind == EventKind.SITE_BUILDING)
        .group_by(Event.business_id)
    )
    # Later than what it ends, even if the clock was set back meanwhile.
    ended = {business_id: max(now, at + TICK) for business_id, at in began}
    await events.record(
        session,
        *(
            NewEvent(
                business_id,
                EventKind.SITE_ABANDONED,
                ended.get(business_id, now),
                "building the site was cut off",
                "crm-tui",
            )
            for business_id in sorted(freed)
        ),
        now=now,
    )
    return len(freed)


async def repair_stuck(db: Database, *, now: datetime) -> int:
    """Give back the businesses claimed by builders that are dead; returns how many."""
    async with db.read() as session:
        rows = await session.execute(
            select(Business.id, Business.building_by).where(Business.building_by.is_not(None))
        )
        claims = [(business_id, name) for business_id, name in rows]
    dead = {name for _, name in claims if name and not is_held(db.path, name)}
    stuck = [business_id for business_id, name in claims if name in dead]
    repaired = 0
    for start in range(0, len(stuck), CHUNK):
        async with db.write() as session:
            repaired += await abandon(session, stuck[start : start + CHUNK], dead, now=now)
    return repaired
