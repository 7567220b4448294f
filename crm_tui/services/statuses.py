"""The status fold: two pure functions from what happened to what the statuses are, and their use.

Nothing else computes or writes `contact_status` and `website_status`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import (
    literal_column,
    or_,
    select,
)

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, Event, Site
from crm_tui.db.types import listed
from crm_tui.vocabulary import ContactStatus, EventKind, SiteStatus, WebsiteStatus

CHUNK = 500
"""How many businesses one statement names at most."""

SPEAKS = or_(Event.moves_to.is_not(None), Event.kind == literal_column(f"'{EventKind.VOIDED}'"))
"""Events that the contact status is folded from, in the words of the index."""


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """What the fold needs to know of an event.

    Args:
        key: never changes; the same key twice is one event.
        origin: the business it belonged to when it came.
        occurred_at: aware UTC.
        status: the contact status it speaks for; None for events that speak for none.
        by_hand: a status set by hand, which overrules the events it knew.
        by_machine: an open or click by a machine, which moves nothing.
        overrules: keys of the events known when the status was set by hand.
        voids: keys of the events this one takes out.
    """

    key: str
    origin: int
    occurred_at: datetime
    status: ContactStatus | None = None
    by_hand: bool = False
    by_machine: bool = False
    overrules: frozenset[str] = frozenset()
    voids: frozenset[str] = frozenset()


def fold_contact_status(events: Iterable[StatusEvent]) -> ContactStatus:
    """The contact status a set of events adds up to, whatever their order and repetition.

    The events no standing hand-set status knew count, and of each origin its latest hand-set
    status, unless another one knew it. The highest rank wins; at equal rank the latest, by
    (occurred_at, key), names the status.
    """
    standing = _standing({event.key: event for event in events}.values())
    by_hand = [event for event in standing if event.by_hand]
    overruled = frozenset[str]().union(*(event.overrules for event in by_hand))
    bases: dict[int, StatusEvent] = {}
    for event in by_hand:
        known = bases.get(event.origin)
        bases[event.origin] = event if known is None else max(known, event, key=_when)
    reported = (event for event in standing if not event.by_hand and not event.by_machine)
    spoken = [
        (event.status.rank, _when(event), event.status)
        for event in (*reported, *bases.values())
        if event.status and event.key not in overruled
    ]
    return max(spoken)[2] if spoken else ContactStatus.PENDING


def _when(event: StatusEvent) -> tuple[datetime, str]:
    return event.occurred_at, event.key


def _standing(events: Collection[StatusEvent]) -> list[StatusEvent]:
    """The events that are not voided."""
    voided = taken_out({event.key: event.voids for event in events if event.voids})
    return [event for event in events if event.key not in voided]


def taken_out(voids: Mapping[str, Collection[str]]) -> set[str]:
    """The keys of all events that are taken out at present.

    A voided event takes out what it names, unless it is taken out itself, which restores that. No
    clock decides: a void can only name what was written before it.

    Args:
        voids: the keys each voided event names, by its own key.
    """
    by_target: dict[str, list[str]] = {}
    for key, targets in voids.items():
        for target in targets:
            by_target.setdefault(target, []).append(key)
    stands: dict[str, bool] = {}
    waiting = list(voids)
    while waiting:
        key = waiting[-1]
        unknown = [each for each in by_target.get(key, ()) if each not in stands]
        if unknown and key not in stands:
            stands[key] = True  # until those that name it are known
            waiting += unknown
            continue
        stands[key] = not any(stands[each] for each in by_target.get(key, ()))
        waiting.pop()
    return {target for key, targets in voids.items() if stands[key] for target in targets}


class BuildEvent(NamedTuple):
    """A build of a site that began, failed or was given up; ordered by time, then key."""

    occurred_at: datetime
    key: str
    kind: EventKind


def fold_website_status(sites: Iterable[SiteStatus], builds: Iterable[BuildEvent]) -> WebsiteStatus:
    """The website status: sold, else published, else generated, over the sites that stand.

    Without one that stands, the latest build event speaks; else archived, or none.
    """
    states = set(sites)
    for state, status in (
        (SiteStatus.SOLD, WebsiteStatus.SOLD),
        (SiteStatus.PUBLISHED, WebsiteStatus.PUBLISHED),
        (SiteStatus.PREVIEW, WebsiteStatus.GENERATED),
    ):
        if state in states:
            return status
    latest = max(builds, default=None)
    if latest is not None and latest.kind is EventKind.SITE_BUILDING:
        return WebsiteStatus.GENERATING
    if latest is not None and latest.kind is EventKind.SITE_FAILED:
        return WebsiteStatus.FAILED
    # A site that was built and is not there any more was erased with its lead, whose figures stay.
    was_there = bool(states) or (latest is not None and latest.kind is EventKind.SITE_BUILT)
    return WebsiteStatus.ARCHIVED if was_there else WebsiteStatus.NONE


_STATUS = {status.value: status for status in ContactStatus}
_decode = msgspec.json.Decoder(list[str]).decode


class Folded(NamedTuple):
    """What a business's events and sites add up to."""

    contact_status: ContactStatus
    website_status: WebsiteStatus


async def fold(session: ReadSession, business_ids: Sequence[int]) -> dict[int, Folded]:
    """Fold the statuses of businesses from their events and sites, without writing anything."""
    contact = await _fold_contact(session, business_ids)
    website = await _fold_website(session, business_ids)
    return {each: Folded(contact[each], website[each]) for each in business_ids}


async def refold(session: WriteSession, business_ids: Sequence[int], *, sites: bool = True) -> int:
    """Write the folded statuses of businesses where they differ; returns how many did.

    Args:
        session: the transaction.
        business_ids: which businesses.
        sites: whether their sites or builds have changed; otherwise the website status stands.
    """
    changed: set[int] = set()
    await session.flush()
    for start in range(0, len(business_ids), CHUNK):
        ids = business_ids[start : start + CHUNK]
        contact = await _fold_contact(session, ids)
        changed |= await _write(session, "contact_status", contact)
        if sites:
            website = await _fold_website(session, ids)
            changed |= await _write(session, "website_status", website)
    return len(changed)


async def differing(session: ReadSession, folded: Mapping[int, Folded]) -> dict[int, Folded]:
    """Those of the folded statuses that the stored ones differ from."""
    stored = await session.execute(
        select(Business.id, Business.contact_status, Business.website_status).where(
            Business.id.in_(folded)
        )
    )
    return {
        business_id: folded[business_id]
        for business_id, contact, website in stored
        if (contact, website) != folded[business_id]
    }


# Statements of which hundreds a second are asked for are plain SQL.
_GIVEN = "IN (SELECT value FROM json_each(?))"
_SPOKEN = (
    "SELECT business_id, key, origin_id, occurred_at, moves_to, kind = 'status_set', by_machine,"  # noqa: S608 - our own words
    " CASE kind WHEN 'status_set' THEN data ->> '$.overrules' END"
    f" FROM event WHERE business_id {_GIVEN} AND moves_to IS NOT NULL AND is_voided = 0"
    # In the words of the index, which says the same.
    f" AND (moves_to IS NOT NULL OR kind = '{EventKind.VOIDED}')"
)
_Column = Literal["contact_status", "website_status"]


async def _write(
    session: WriteSession,
    column: _Column,
    folded: Mapping[int, ContactStatus] | Mapping[int, WebsiteStatus],
) -> set[int]:
    """Write a status where it differs, a statement for each status; returns where that was."""
    connection = await session.connection()
    stored = await connection.exec_driver_sql(
        f"SELECT id, {column} FROM business WHERE id {_GIVEN}",  # noqa: S608 - our own words
        (json.dumps(list(folded)),),
    )
    rows: Sequence[Any] = stored.all()
    by_status: dict[str, list[int]] = {}
    for business_id, status in rows:
        if status != folded[business_id]:
            by_status.setdefault(folded[business_id].value, []).append(business_id)
    for status, ids in by_status.items():
        await connection.exec_driver_sql(
            f"UPDATE business SET {column} = ? WHERE id {_GIVEN}",  # noqa: S608 - our own words
            (status, json.dumps(ids)),
        )
    return {each for ids in by_status.values() for each in ids}


async def _fold_contact(
    session: ReadSession, business_ids: Sequence[int]
) -> dict[int, ContactStatus]:
    """The contact statuses from the events that stand, whichever void took the others out."""
    connection = await session.connection()
    spoken = await connection.exec_driver_sql(_SPOKEN, (json.dumps(list(business_ids)),))
    rows: Sequence[Any] = spoken.all()
    events: dict[int, list[StatusEvent]] = {}
    for business_id, key, origin, at, moves_to, hand, machine, overrules in rows:
        event = StatusEvent(
            key=key,
            origin=origin,
            occurred_at=datetime.fromisoformat(at),
            status=_STATUS[moves_to],
            by_hand=bool(hand),
            by_machine=bool(machine),
            overrules=frozenset(_decode(overrules)) if overrules else frozenset(),
        )
        events.setdefault(business_id, []).append(event)
    return {each: fold_contact_status(events.get(each, ())) for each in business_ids}


async def _fold_website(
    session: ReadSession, business_ids: Sequence[int]
) -> dict[int, WebsiteStatus]:
    sites: dict[int, list[SiteStatus]] = {}
    for business_id, status in await session.execute(
        select(Site.business_id, Site.status).where(Site.business_id.in_(listed(business_ids)))
    ):
        sites.setdefault(business_id, []).append(status)
    builds = await _build_events(session, [i for i in business_ids if not _stands(sites.get(i))])
    return {
        each: fold_website_status(sites.get(each, ()), builds.get(each, ()))
        for each in business_ids
    }


def _stands(states: Iterable[SiteStatus] | None) -> bool:
    return any(state is not SiteStatus.ARCHIVED for state in states or ())


async def _build_events(
    session: ReadSession, business_ids: Sequence[int]
) -> dict[int, list[BuildEvent]]:
    rows = await session.execute(
        select(Event.business_id, Event.occurred_at, Event.key, Event.kind).where(
            Event.business_id.in_(listed(business_ids)),
            Event.kind.in_(
                (
                    EventKind.SITE_BUILDING,
                    EventKind.SITE_BUILT,
                    EventKind.SITE_FAILED,
                    EventKind.SITE_ABANDONED,
                )
            ),
            Event.is_voided.is_(False),
        )
    )
    builds: dict[int, list[BuildEvent]] = {}
    for business_id, occurred_at, key, kind in rows:
        builds.setdefault(business_id, []).append(BuildEvent(occurred_at, key, kind))
    return builds
