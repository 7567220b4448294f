"""Making one lead of several: one keeps its number, the others go into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from crm_tui.config import ScoreSettings
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, Merge
from crm_tui.errors import BadInput, NotFound, WrongUsage
from crm_tui.services import activity, derived, events, never, search, statuses, undo
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.merge.campaigns import send_once
from crm_tui.services.merge.children import add_keys, unite_children
from crm_tui.services.merge.contacts import unite_points
from crm_tui.services.merge.fields import FIELDS, Choices, united
from crm_tui.services.merged import why_missing
from crm_tui.services.sites import gather
from crm_tui.vocabulary import AliasKind, EventKind


async def merge(
    session: WriteSession,
    keep_id: int,
    other_ids: Sequence[int],
    choices: Choices | None = None,
    *,
    score: ScoreSettings,
    now: datetime,
) -> None:
    """Merge leads into the one that is kept; they can be split again for as long as it stands.

    Everything that belongs to the others goes to the kept one, and everything that led to them
    leads to it. It must not be contacted if any of them must not.

    Args:
        session: the transaction of an action (services.undo), which records what is written.
        keep_id: the lead that is kept.
        other_ids: the leads that go into it, in the order they fill what it lacks.
        choices: by the names in FIELDS, the lead whose value is taken instead of the kept one's.
        score: for the score that follows.
        now: aware UTC.

    Raises:
        NotFound: there is no such lead.
        WrongUsage: the leads are not two, or there is no such field to choose.
        BadInput: they cannot be merged; nothing was changed.
    """
    others = list(dict.fromkeys(other_ids))
    chosen = choices or {}
    rows = await _rows(session, keep_id, others, chosen)
    kept, losers = rows[keep_id], [rows[each] for each in others]
    changes = united(kept, losers, chosen)
    await unite_points(session, keep_id, others, _primaries(chosen))
    await unite_children(session, keep_id, others)
    await send_once(session, keep_id, now=now)
    await search.remove(session, others)
    await session.execute(delete(Business).where(Business.id.in_(others)))
    await session.execute(
        update(Business).where(Business.id == keep_id).values(**changes, updated_at=now)
    )
    await add_keys(session, keep_id, _keys(kept | changes, losers))
    entry_id = await undo.recorded_as(session)
    await _remember(session, keep_id, losers, entry_id, now=now)
    if reason := (kept | changes)["do_not_contact_reason"]:
        await never.bar(session, [keep_id], reason, now=now)
    await events.record(session, _merged(keep_id, losers, chosen, entry_id, now), now=now)
    await activity.mark_voided(session, [keep_id])
    await statuses.refold(session, [keep_id])
    await activity.renew_activity(session, [keep_id])
    await derived.renew(session, [keep_id], score=score, now=now)
    await gather.mark_out_of_date(session, [keep_id])


async def _rows(
    session: ReadSession, keep_id: int, other_ids: Sequence[int], choices: Choices
) -> dict[int, dict[str, Any]]:
    """The rows of the leads, once it is clear that they can be merged."""
    ids = [keep_id, *other_ids]
    if not other_ids or keep_id in other_ids:
        raise WrongUsage(
            "Name at least two different leads to merge: the one to keep, and another."
        )
    found = await session.execute(select(*Business.__table__.columns).where(Business.id.in_(ids)))
    rows = {row["id"]: dict(row) for row in found.mappings()}
    for lead_id in ids:
        if lead_id not in rows:
            raise NotFound(await why_missing(session, lead_id))
        if rows[lead_id]["erased_at"] is not None:
            raise BadInput(f"Lead {lead_id} was erased; there is nothing of it to merge.")
        if rows[lead_id]["building_by"] is not None:
            name = rows[lead_id]["name"]
            raise BadInput(f"The site of {name} is being built. Merge it when that is done.")
    for field, lead_id in choices.items():
        if field not in FIELDS:
            raise WrongUsage(f"{field!r} cannot be chosen; choose from {', '.join(FIELDS)}.")
        if lead_id not in rows:
            raise BadInput(f"Lead {lead_id} is none of those that are merged.")
    return rows


def _primaries(choices: Choices) -> dict[Any, int]:
    return {
        kind: lead_id
        for field, lead_id in choices.items()
        if (kind := FIELDS[field].point) is not None
    }


def _keys(
    kept: Mapping[str, Any], losers: Sequence[Mapping[str, Any]]
) -> list[tuple[AliasKind, str]]:
    """What led to the others as their own key or place id, and has to lead to the kept one."""
    keys = [(AliasKind.KEY, lead["key"]) for lead in losers]
    keys += [
        (AliasKind.PLACE_ID, lead["place_id"])
        for lead in losers
        if lead["place_id"] not in {None, kept["place_id"]}
    ]
    return keys


async def _remember(
    session: WriteSession,
    keep_id: int,
    losers: Sequence[Mapping[str, Any]],
    entry_id: int,
    *,
    now: datetime,
) -> None:
    """Note where each of the others went."""
    await session.execute(
        insert(Merge),
        [
            {
                "kept_id": keep_id,
                "merged_id": lead["id"],
                "merged_key": lead["key"],
                "merged_name": lead["name"],
                "entry_id": entry_id,
                "merged_at": now,
            }
            for lead in losers
        ],
    )


def event_key(entry_id: int, first_merged: int) -> str:
    """The key of the event that tells of a merge."""
    return f"merge-{entry_id}-{first_merged}"


def _merged(
    keep_id: int,
    losers: Sequence[Mapping[str, Any]],
    choices: Choices,
    entry_id: int,
    now: datetime,
) -> NewEvent:
    ids = [lead["id"] for lead in losers]
    names = ", ".join(f"{lead['name']} (lead {lead['id']})" for lead in losers)
    return NewEvent(
        keep_id,
        EventKind.MERGED,
        now,
        f"merged with {names}",
        OPERATOR,
        key=event_key(entry_id, ids[0]),
        data={"merged": ids, "choices": dict(choices)},
    )
