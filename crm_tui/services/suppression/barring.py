"""Barring addresses, numbers, domains and leads from being contacted.

Whoever is on the list gets nothing more from the moment the transaction ends: every claim of a
message looks at it (services.sending.candidates). What waits is skipped right after, so that the
queue says so too, and says why.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, BusinessAlias, ContactPoint, Message, Suppression
from crm_tui.db.types import listed
from crm_tui.errors import NotFound
from crm_tui.services import events, never
from crm_tui.services.barred import parents
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.merged import why_missing
from crm_tui.services.sending.ending import end_campaigns, leave_out
from crm_tui.services.suppression.values import Value
from crm_tui.text import visible
from crm_tui.vocabulary import (
    AliasKind,
    ContactKind,
    EventKind,
    MessageState,
    SuppressionKind,
)

BY_HAND = "put there by hand"
OFF_BY_HAND = "taken off by hand"
"""The reason where none is said."""

SKIPPED = "on the list of those not to be written to"
"""How the reason of a skipped message begins."""

DOMAIN = SuppressionKind.DOMAIN
POINTS = {SuppressionKind.EMAIL: ContactKind.EMAIL, SuppressionKind.PHONE: ContactKind.PHONE}


class Entry(NamedTuple):
    """One line of the list: what is barred, and why."""

    value: Value
    reason: str


@dataclass(slots=True)
class Barred:
    """What barring came to.

    Attributes:
        added: what is on the list now and was not.
        known: what was on it already, with the reason that stands.
        canceled: how many messages waited for leads that were barred.
    """

    added: list[Entry] = field(default_factory=list)
    known: list[Entry] = field(default_factory=list)
    canceled: int = 0


class _Waiting(NamedTuple):
    """A message that waits, as far as leaving it out needs it."""

    id: int
    business_id: int
    origin_id: int
    campaign_id: int | None
    address: str


async def bar(session: WriteSession, entries: Sequence[Entry], *, now: datetime) -> Barred:
    """Put values on the list, at most 500 at once; what waits for them is for `skip` to see to.

    A lead is barred with every address and number it has (services.never), and what waits for it is
    canceled. What is on the list already keeps its reason.

    Raises:
        NotFound: there is no lead of that number.
        BadInput: that is no reason.
    """
    wanted: dict[Value, str] = {}
    for each in entries:
        value = await keyed(session, each.value)
        wanted.setdefault(value, never.reason_words(each.reason))
    known = await reasons_of(session, wanted)
    new = {value: why for value, why in wanted.items() if value not in known}
    by_reason: dict[str, list[str]] = {}
    for value, why in new.items():
        if value.kind is SuppressionKind.BUSINESS:
            by_reason.setdefault(why, []).append(value.value)
    canceled = 0
    for why, keys in by_reason.items():
        canceled += await _bar_leads(session, keys, why, now=now)
    rows = [
        {"kind": each.kind, "value": each.value, "reason": why, "created_at": now}
        for each, why in new.items()
    ]
    if rows:
        connection = await session.connection()
        await connection.execute(insert(Suppression).on_conflict_do_nothing(), rows)
        await _tell(session, new, now=now)
    added = [Entry(value, why) for value, why in new.items()]
    return Barred(added, [Entry(value, why) for value, why in known.items()], canceled)


async def keyed(session: ReadSession, value: Value) -> Value:
    """A value as it is kept: a lead that was named by its number, or a former key, by its key.

    Raises:
        NotFound: there is no such lead.
    """
    if value.kind is not SuppressionKind.BUSINESS:
        return value
    if value.lead_id is not None:
        found = await session.scalar(
            select(Business.key).where(Business.id == value.lead_id, Business.erased_at.is_(None))
        )
        if found is None:
            raise NotFound(await why_missing(session, value.lead_id))
        return Value(value.kind, found)
    alias = select(BusinessAlias.business_id).where(
        BusinessAlias.kind == AliasKind.KEY, BusinessAlias.value == value.value
    )
    found = await session.scalar(
        select(Business.key).where(or_(Business.key == value.value, Business.id.in_(alias)))
    )
    if found is None:
        raise NotFound(f"There is no lead with the key {visible(value.value, 40)}.")
    return Value(value.kind, found)


async def reasons_of(session: ReadSession, values: Collection[Value]) -> dict[Value, str]:
    """Those of the values that are on the list, with their reasons."""
    rows = await session.execute(
        select(Suppression.kind, Suppression.value, Suppression.reason).where(
            Suppression.value.in_(listed({each.value for each in values}))
        )
    )
    found = {Value(kind, value): reason for kind, value, reason in rows}
    return {each: found[each] for each in values if each in found}


async def _bar_leads(session: WriteSession, keys: Sequence[str], why: str, *, now: datetime) -> int:
    """Never contact leads again; returns how many messages waited for them."""
    leads = list(await session.scalars(select(Business.id).where(Business.key.in_(keys))))
    waiting = await _queued(session, Message.business_id.in_(leads))
    await never.never(session, leads, why, now=now)
    return len(waiting)


async def _tell(session: WriteSession, new: dict[Value, str], *, now: datetime) -> None:
    """Write on the timelines of leads which of their addresses and numbers nothing goes to."""
    by_kind = {
        kind: [each.value for each in new if each.kind is kind] for kind in (*POINTS, DOMAIN)
    }
    told: list[NewEvent] = []
    for kind, point in POINTS.items():
        if not by_kind[kind]:
            continue
        rows = await session.execute(
            select(ContactPoint.business_id, ContactPoint.value).where(
                ContactPoint.kind == point, ContactPoint.value.in_(listed(by_kind[kind]))
            )
        )
        told += [_event(lead, at, new[Value(kind, at)], now) for lead, at in rows]
    if by_kind[DOMAIN]:
        for lead, host in await at_domains(session, by_kind[DOMAIN]):
            barred = next(each for each in parents(host) if Value(DOMAIN, each) in new)
            told.append(_event(lead, f"@{barred}", new[Value(DOMAIN, barred)], now))
    await events.record(session, *told, now=now)


def _event(lead: int, address: str, why: str, now: datetime) -> NewEvent:
    said = f"nothing goes to {address} any more: {why}"
    return NewEvent(lead, EventKind.DO_NOT_CONTACT, now, said, OPERATOR)


async def at_domains(session: ReadSession, domains: Sequence[str]) -> set[tuple[int, str]]:
    """The leads that have an address at one of these domains or below, with where it is.

    Those at domains where anybody can have an address are not looked for: they have no domain that
    an index knows, and would be many.
    """
    from crm_tui.services.hosts import registrable_domain  # noqa: PLC0415 - its list takes time

    rows = await session.execute(
        select(ContactPoint.business_id, ContactPoint.value).where(
            ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.domain.in_(listed({registrable_domain(each) for each in domains})),
        )
    )
    barred = set(domains)
    hosts = {(lead, address.rpartition("@")[2]) for lead, address in rows}
    return {(lead, host) for lead, host in hosts if not barred.isdisjoint(parents(host))}


async def waiting_for(
    session: ReadSession, entries: Sequence[Entry]
) -> list[tuple[str, list[int]]]:
    """The messages that wait for somebody barred by an address, number or domain, by the reason.

    It looks at every message that waits: to be asked once, with all that was barred.
    """
    why = {each.value: each.reason for each in entries}
    out: dict[str, list[int]] = {}
    if any(value.kind is not SuppressionKind.BUSINESS for value in why):
        for message in await _queued(session):
            if reason := _barred_for(message.address, why):
                out.setdefault(f"{SKIPPED}: {reason}", []).append(message.id)
    return list(out.items())


async def skip(session: WriteSession, ids: Collection[int], why: str, *, now: datetime) -> int:
    """Skip messages that wait still, at most 200 at once, and the later steps to the same leads.

    Returns how many were skipped. What was claimed meanwhile is on its way.
    """
    messages = await _queued(session, Message.id.in_(listed(ids)))
    if not messages:
        return 0
    skipped = await leave_out(session, messages, why, now=now)
    await end_campaigns(session, {each.campaign_id for each in messages}, now=now)
    return skipped


def _barred_for(address: str, why: dict[Value, str]) -> str:
    """Why an address or number is barred, itself or by its domain; "" where it is not."""
    for kind in (SuppressionKind.EMAIL, SuppressionKind.PHONE):
        if reason := why.get(Value(kind, address)):
            return reason
    hosts = parents(address.rpartition("@")[2])
    return next((why[Value(DOMAIN, host)] for host in hosts if Value(DOMAIN, host) in why), "")


async def _queued(session: ReadSession, *where: ColumnElement[bool]) -> list[_Waiting]:
    rows = await session.execute(
        select(
            Message.id,
            Message.business_id,
            Message.origin_id,
            Message.campaign_id,
            Message.address,
        )
        .where(Message.state == MessageState.QUEUED, *where)
        .order_by(Message.id)
    )
    return [_Waiting._make(row) for row in rows]
