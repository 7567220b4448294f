"""The lines of a timeline that tell of money, kept as what is known by now has them.

A provider tells late and in any order, and one thing in several pieces. So the lines of a payment or
a subscription are worked out anew from all that was told of it, whenever something more is: a line
that is there is put right in place, one that says nothing any more is taken out by a void, and
comes back should it speak again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Event
from crm_tui.db.types import listed
from crm_tui.services import activity, events, statuses
from crm_tui.services.events import NewEvent
from crm_tui.services.voiding import void
from crm_tui.vocabulary import EventKind

_WHY = "told again, more exactly"
"""What a void says that takes out a line of money."""


async def show(
    session: WriteSession,
    business_id: int,
    lines: Sequence[NewEvent],
    *,
    begins: str,
    now: datetime,
) -> None:
    """Have a timeline hold these lines of one thing, and no others of it.

    Args:
        session: the transaction.
        business_id: whose timeline.
        lines: all that is to be told of the thing; each has a key.
        begins: how the keys of all its lines begin.
        now: aware UTC.
    """
    there = await _there(session, business_id, begins)
    new = [each for each in lines if each.key not in there]
    if new:
        await events.record(session, *new, now=now)
    moved = False
    for each in lines:
        known = there.get(each.key or "")
        if known is not None:
            moved |= _put_right(known, each)
    if moved:
        await session.flush()
        await activity.renew_activity(session, [business_id])
        await statuses.refold(session, [business_id])
    told = {each.key for each in lines}
    silent = [key for key, each in there.items() if key not in told and not each.is_voided]
    await take_out(session, business_id, silent, now=now)
    speaking = [key for key, each in there.items() if key in told and each.is_voided]
    if speaking:
        await bring_back(session, business_id, speaking, now=now)


async def standing(session: ReadSession, business_id: int, begins: str) -> list[str]:
    """The keys of the lines that stand of one thing."""
    found = await session.scalars(
        select(Event.key).where(
            Event.business_id == business_id,
            func.substr(Event.key, 1, len(begins)) == begins,
            Event.is_voided.is_(False),
        )
    )
    return list(found)


async def take_out(
    session: WriteSession, business_id: int, keys: Sequence[str], *, now: datetime
) -> None:
    """Take lines out that say nothing any more, each by a void of its own, as it may come back."""
    for key in keys:
        await void(session, business_id, [key], why=_WHY, now=now)


async def bring_back(
    session: WriteSession, business_id: int, keys: Collection[str], *, now: datetime
) -> None:
    """Bring back those of these lines that were taken out, as they speak again."""
    names = func.json_each(Event.data, "$.voids").table_valued("value")
    found = await session.scalars(
        select(Event.key)
        .join(names, names.c.value.in_(listed(keys)))
        .where(
            Event.business_id == business_id,
            Event.kind == EventKind.VOIDED,
            Event.is_voided.is_(False),
            Event.summary == _WHY,
        )
        .distinct()
    )
    voids = list(found)
    if voids:
        await void(session, business_id, voids, why=_WHY, now=now)


async def _there(session: WriteSession, business_id: int, begins: str) -> dict[str, Event]:
    """The lines of one thing that are written, by their keys; those that were taken out, too."""
    await session.flush()
    found = await session.scalars(
        select(Event)
        .where(
            Event.business_id == business_id,
            func.substr(Event.key, 1, len(begins)) == begins,
        )
        .execution_options(populate_existing=True)
    )
    return {each.key: each for each in found}


def _put_right(known: Event, line: NewEvent) -> bool:
    """Have a line say what is known by now; whether it said something else."""
    fields = ("kind", "occurred_at", "summary", "data", "moves_to")
    differing = [each for each in fields if getattr(known, each) != getattr(line, each)]
    for each in differing:
        setattr(known, each, getattr(line, each))
    return bool(differing)
