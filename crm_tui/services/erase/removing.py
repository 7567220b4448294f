"""Taking a lead's personal data out of the store, in one transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Text, bindparam, case, cast, delete, func, literal, select, update

from crm_tui.config import ScoreSettings
from crm_tui.db.engine import WriteSession
from crm_tui.db.models import (
    Business,
    BusinessAlias,
    BusinessTag,
    CampaignExclusion,
    Consent,
    ContactPoint,
    Distinct,
    DomainCheck,
    Event,
    ImportRow,
    Merge,
    Message,
    RawRecord,
    Site,
    Suppression,
    Task,
    UndoChange,
    UndoEntry,
    Unmatched,
    WorkerLog,
)
from crm_tui.services import activity, derived, events, statuses
from crm_tui.services.erase import money
from crm_tui.services.erase.extent import Extent, without_names
from crm_tui.services.erased import REASON
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.search import folded
from crm_tui.services.sending.settling import settle
from crm_tui.vocabulary import EventKind, MessageState

NAME = "erased"
"""What an erased lead is called."""

_BLANKED = (
    "street", "postal_code", "email", "phone", "website", "place_id", "latitude", "longitude",
    "rating", "review_count", "photo_count", "hours", "outcome_reason", "building_by",
)  # fmt: skip
"""Columns that may tell who it was; figures need none of them."""

_STRUCTURE = ("overrules", "voids", "outcome")
"""What the status fold needs of an event, and what says nothing about a person."""

_OWNED: tuple[Any, ...] = (
    ContactPoint,
    BusinessAlias,
    BusinessTag,
    Task,
    CampaignExclusion,
    Consent,
)


async def remove(
    session: WriteSession, found: Extent, *, score: ScoreSettings, now: datetime
) -> None:
    """Remove what was found; the row and bare events stay."""
    await _book(session, found)
    await session.execute(delete(Merge).where(Merge.kept_id.in_(found.ids)))
    await session.execute(
        delete(Distinct).where(Distinct.low_id.in_(found.ids) | Distinct.high_id.in_(found.ids))
    )
    await _captured(session, found)
    await _timeline(session, found)
    await _messages(session, found, now=now)
    await _sites(session, found)
    await money.remove(session, found, now=now)
    for model in _OWNED:
        await session.execute(delete(model).where(model.business_id.in_(found.ids)))
    await session.execute(delete(Suppression).where(Suppression.id.in_(_json(found.suppressions))))
    await session.execute(delete(WorkerLog).where(WorkerLog.id.in_(_json(found.logged))))
    await session.execute(delete(DomainCheck).where(DomainCheck.domain.in_(found.domains)))
    await _business(session, found.lead_id, now=now)
    event = NewEvent(found.lead_id, EventKind.ERASED, now, REASON, OPERATOR)
    await events.record(session, event, now=now)
    await statuses.refold(session, [found.lead_id])
    await activity.renew_activity(session, [found.lead_id, *found.told])
    await derived.renew(session, [found.lead_id], score=score, now=now)


async def _business(session: WriteSession, lead_id: int, *, now: datetime) -> None:
    """Blank the row: category, city, source and times stay for the figures."""
    blank: dict[str, Any] = dict.fromkeys(_BLANKED)
    await session.execute(
        update(Business)
        .where(Business.id == lead_id)
        .values(
            **blank,
            name=NAME,
            sort_name=NAME,
            **folded({"name": NAME}),
            key=str(uuid.uuid4()),
            custom={},
            do_not_contact=True,
            do_not_contact_reason=REASON,
            archived_at=func.coalesce(
                Business.archived_at, literal(now, Business.archived_at.type)
            ),
            erased_at=now,
            updated_at=now,
        )
    )


async def _timeline(session: WriteSession, found: Extent) -> None:
    """Leave of its timeline what happened and when, and of other timelines all but its name."""
    rows = await session.execute(
        select(Event.id, Event.kind, Event.data).where(Event.business_id.in_(found.ids))
    )
    bare = [
        {
            "event": event_id,
            "said": kind.replace("_", " "),
            "kept": {name: data[name] for name in _STRUCTURE if name in data},
        }
        for event_id, kind, data in rows
    ]
    connection = await session.connection()
    if bare:
        await connection.execute(
            update(Event)
            .where(Event.id == bindparam("event"))
            .values(summary=bindparam("said"), data=bindparam("kept"), body=None, site_id=None),
            bare,
        )
    if found.lines:
        await connection.execute(
            update(Event).where(Event.id == bindparam("event")).values(summary=bindparam("said")),
            [{"event": event_id, "said": words} for event_id, words in found.lines.items()],
        )


async def _messages(session: WriteSession, found: Extent, *, now: datetime) -> None:
    """Leave of its messages that they were sent, and when; what was not sent is not sent."""
    waiting = Message.state.in_((MessageState.QUEUED, MessageState.UNCERTAIN))
    connection = await session.connection()
    written = await connection.execute(
        update(Message)
        .where(Message.business_id.in_(found.ids))
        .values(
            address=literal("erased ") + cast(Message.id, Text),
            person=None,
            subject=None,
            headers={},
            body=case((Message.body.is_not(None), "")),
            html=None,
            provider_id=None,
            state=case((waiting, MessageState.CANCELED), else_=Message.state),
            reason=case((waiting, REASON), (Message.reason.is_not(None), REASON)),
        )
        .returning(Message.id)
    )
    await settle(session, written.scalars().all(), now=now)


async def _sites(session: WriteSession, found: Extent) -> None:
    sites = select(Site.id).where(Site.business_id.in_(found.ids))
    for model in (Event, Unmatched):
        await session.execute(
            update(model)
            .where(model.site_id.in_(sites))
            .values(site_id=None)
            .execution_options(synchronize_session=None)
        )
    await session.execute(
        delete(Site)
        .where(Site.business_id.in_(found.ids))
        .execution_options(synchronize_session=None)
    )


async def _captured(session: WriteSession, found: Extent) -> None:
    await session.execute(delete(Unmatched).where(Unmatched.id.in_(_json(found.unmatched))))
    await session.execute(delete(RawRecord).where(RawRecord.id.in_(_json(found.raw))))
    if found.rows:
        connection = await session.connection()
        await connection.execute(
            update(ImportRow)
            .where(
                ImportRow.batch_id == bindparam("of_batch"), ImportRow.row == bindparam("of_row")
            )
            .values(name=None, reason=REASON, filled=None),
            [{"of_batch": batch, "of_row": row} for batch, row in found.rows],
        )


async def _book(session: WriteSession, found: Extent) -> None:
    """Forget what actions wrote of it; entries that have nothing left go."""
    await session.execute(
        delete(UndoChange)
        .where(UndoChange.id.in_(_json(found.changes)))
        .execution_options(synchronize_session=None)
    )
    await session.execute(delete(Merge).where(Merge.kept_id.in_(found.ids)))
    bare = select(UndoEntry.id).where(
        ~select(UndoChange.id).where(UndoChange.entry_id == UndoEntry.id).exists(),
        ~select(Merge.id).where(Merge.entry_id == UndoEntry.id).exists(),
    )
    await session.execute(
        delete(UndoEntry).where(UndoEntry.id.in_(bare)).execution_options(synchronize_session=None)
    )
    rows = await session.execute(select(UndoEntry.id, UndoEntry.words))
    for entry_id, words in rows.all():
        without = without_names(words, found.names | found.own | found.domains)
        if without != words:
            await session.execute(
                update(UndoEntry).where(UndoEntry.id == entry_id).values(words=without)
            )


def _json(ids: Sequence[int]) -> Select[Any]:
    """Ids as one parameter, however many there are."""
    return select(func.json_each(json.dumps(list(ids))).table_valued("value").c.value)
