"""The timeline of a lead: reading it, and what the operator writes on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint, Event
from crm_tui.db.types import listed
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import events, points, search, statuses, voiding
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.sites.gather import mark_out_of_date
from crm_tui.vocabulary import (
    CallOutcome,
    ContactKind,
    ContactState,
    ContactStatus,
    EventKind,
    Outcome,
)

CORRECTABLE = frozenset({EventKind.NOTE, EventKind.CALL})
"""Kinds the operator can correct and backdate."""

CALL_WORDS = {
    CallOutcome.NO_ANSWER: "no answer",
    CallOutcome.VOICEMAIL: "left a voicemail",
    CallOutcome.TALKED: "talked",
    CallOutcome.LATER: "asked to be called later",
    CallOutcome.NO: "said no",
    CallOutcome.WRONG_NUMBER: "wrong number",
}
"""How a call's outcome is told on the timeline."""

# In these somebody answered, which is as far as a reply: rank 4.
_ANSWERED = frozenset({CallOutcome.TALKED, CallOutcome.LATER, CallOutcome.NO})
_WRONG_NUMBER = "wrong number, found by a call"
_OUTCOME_OF_CALL = {CallOutcome.NO: Outcome.LOST, CallOutcome.LATER: Outcome.LATER}


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the timeline: when (aware UTC), what, its text, and who or what caused it.

    `machine` marks what no person did; the summary says why that is thought, where it is known.
    """

    id: int
    key: str
    at: datetime
    kind: EventKind
    summary: str
    body: str
    source: str
    machine: bool = False
    data: dict[str, Any] = field(default_factory=dict)


async def entries(
    session: ReadSession, business_id: int, *, limit: int | None = None
) -> list[TimelineEntry]:
    """The timeline of a lead, newest first, without what was taken out; at most `limit` of it."""
    rows = await session.execute(
        select(
            Event.id,
            Event.key,
            Event.occurred_at,
            Event.kind,
            Event.summary,
            Event.body,
            Event.source,
            Event.by_machine,
            Event.data,
        )
        .where(
            Event.business_id == business_id,
            Event.kind != EventKind.VOIDED,
            Event.is_voided.is_(False),
        )
        .order_by(Event.occurred_at.desc(), Event.id.desc())
        .limit(limit)
    )
    return [
        TimelineEntry(
            id_, key, at, kind, _told(summary, data, machine), body or "", source, machine, data
        )
        for id_, key, at, kind, summary, body, source, machine, data in rows
    ]


def _told(summary: str, data: Mapping[str, Any], machine: bool) -> str:  # noqa: FBT001 - a column
    """What happened; where a machine did it, why that is thought, before a subject of any length."""
    why = data.get("machine") if machine else None
    return f"by a machine ({why}): {summary}" if why else summary


async def add_note(
    session: WriteSession, business_id: int, text: str, *, at: datetime | None = None, now: datetime
) -> str:
    """Write a note, backdated to `at` where given; returns the event's key.

    Raises:
        BadInput: the note is empty, or lies in the future.
    """
    written = text.strip()
    if not written:
        raise BadInput("The note is empty; write something, or leave it with esc.")
    return await _write(session, _note(business_id, written, _past(at, now)), now=now)


async def log_call(
    session: WriteSession,
    business_id: int,
    outcome: CallOutcome,
    *,
    note: str = "",
    phone: str | None = None,
    at: datetime | None = None,
    now: datetime,
) -> str:
    """Write how a call went and what follows from it; returns the event's key.

    Any call is *called*; one in which somebody answered is as good as a reply. "No" loses the
    lead, "later" says so, a wrong number makes the phone called invalid, and another phone of the
    lead the primary one. What was bought stays won.

    Args:
        session: the transaction.
        business_id: the lead.
        outcome: how it went.
        note: what was said.
        phone: the number that was called (E.164); the one to call when None.
        at: when, where not now.
        now: the current time.

    Raises:
        BadInput: the call lies in the future.
    """
    numbers = await points.usable_phones(session, business_id)
    called = phone or next(iter(numbers), None)
    event = _call(business_id, outcome, note, called, _past(at, now))
    key = await _write(session, event, now=now)
    if outcome in _OUTCOME_OF_CALL:
        await session.execute(
            update(Business)
            .where(Business.id == business_id, Business.outcome != Outcome.WON)
            .values(outcome=_OUTCOME_OF_CALL[outcome], outcome_reason=CALL_WORDS[outcome])
        )
    if outcome is CallOutcome.WRONG_NUMBER and called:
        other = next((number for number in numbers if number != called), None)
        await _mark_phone(session, business_id, called, ContactState.INVALID, _WRONG_NUMBER)
        if other:
            await _call_instead(session, business_id, other)
    return key


async def _mark_phone(
    session: WriteSession,
    business_id: int,
    number: str,
    state: ContactState,
    reason: str | None,
) -> None:
    await session.execute(
        update(ContactPoint)
        .where(
            ContactPoint.business_id == business_id,
            ContactPoint.kind == ContactKind.PHONE,
            ContactPoint.value == number,
        )
        .values(state=state, state_reason=reason)
    )


async def _call_instead(session: WriteSession, business_id: int, number: str) -> None:
    """Make a number the one to call."""
    await points.make_primary(session, business_id, ContactKind.PHONE, number)
    await points.repeat_primaries(session, [business_id])
    await mark_out_of_date(session, [business_id])


async def _take_back(
    session: WriteSession, business_id: int, outcome: CallOutcome, phone: str | None
) -> None:
    """Undo what the outcome of a call said about the lead and its phone, where it still stands."""
    if outcome in _OUTCOME_OF_CALL:
        await session.execute(
            update(Business)
            .where(
                Business.id == business_id,
                Business.outcome == _OUTCOME_OF_CALL[outcome],
                Business.outcome_reason == CALL_WORDS[outcome],
            )
            .values(outcome=Outcome.OPEN, outcome_reason=None)
        )
    if outcome is CallOutcome.WRONG_NUMBER and phone:
        state = await session.scalar(
            select(ContactPoint.state_reason).where(
                ContactPoint.business_id == business_id,
                ContactPoint.kind == ContactKind.PHONE,
                ContactPoint.value == phone,
            )
        )
        if state == _WRONG_NUMBER:
            await _mark_phone(session, business_id, phone, ContactState.UNKNOWN, None)
            await _call_instead(session, business_id, phone)


async def correct(
    session: WriteSession,
    entry_id: int,
    *,
    text: str,
    outcome: CallOutcome | None = None,
    at: datetime | None = None,
    now: datetime,
) -> str:
    """Put a corrected note or call in the place of one that was written; returns its key.

    The old one is taken out of the timeline and the statuses, but stays in the store.

    Raises:
        NotFound: there is no such entry.
        BadInput: the entry is neither a note nor a call, or would be empty or in the future.
    """
    old = await session.get(Event, entry_id)
    if old is None:
        raise NotFound(f"There is no entry {entry_id} on any timeline.")
    if old.kind not in CORRECTABLE:
        raise BadInput("Only notes and calls can be corrected.")
    if old.kind is EventKind.NOTE and not text.strip():
        raise BadInput("The note is empty; write something, or leave it with esc.")
    when = _past(at or old.occurred_at, now)
    lead = old.business_id
    await voiding.void(session, lead, [old.key], why=f"corrected a {old.kind}", now=now)
    if old.kind is EventKind.NOTE:
        return await _write(session, _note(lead, text.strip(), when), now=now)
    went, phone = CallOutcome(old.data["outcome"]), old.data.get("phone")
    await _take_back(session, lead, went, phone)
    return await log_call(session, lead, outcome or went, note=text, phone=phone, at=when, now=now)


async def set_status(
    session: WriteSession, business_id: int, status: ContactStatus, *, now: datetime
) -> str:
    """Set the contact status by hand: it overrules what is known now, not what comes later.

    Returns the event's key.
    """
    known = await session.scalars(
        select(Event.key).where(Event.business_id == business_id, statuses.SPEAKS)
    )
    return await _write(
        session,
        NewEvent(
            business_id=business_id,
            kind=EventKind.STATUS_SET,
            occurred_at=now,
            summary=f"status set to {status}",
            source=OPERATOR,
            moves_to=status,
            data={"overrules": sorted(known)},
        ),
        now=now,
    )


async def other_than(
    session: ReadSession, business_ids: Collection[int], status: ContactStatus
) -> list[int]:
    """Those of the leads with another contact status; leads that are gone are left out."""
    found = await session.scalars(
        select(Business.id).where(
            Business.id.in_(listed(business_ids)),
            Business.erased_at.is_(None),
            Business.contact_status != status,
        )
    )
    return list(found)


async def set_status_of(
    session: WriteSession, business_ids: Sequence[int], status: ContactStatus, *, now: datetime
) -> list[int]:
    """As `set_status`, of at most 500 leads at once; returns those that had another status."""
    changed = await other_than(session, business_ids, status)
    if changed:
        known = (
            select(func.json_group_array(Event.key))
            .where(Event.business_id == Business.id, statuses.SPEAKS)
            .scalar_subquery()
        )
        await events.tell(
            session,
            changed,
            EventKind.STATUS_SET,
            f"status set to {status}",
            now=now,
            moves_to=status,
            data=func.json_object("overrules", func.json(known)),
        )
    return changed


def _note(business_id: int, text: str, at: datetime) -> NewEvent:
    return NewEvent(
        business_id=business_id,
        kind=EventKind.NOTE,
        occurred_at=at,
        summary="note",
        source=OPERATOR,
        body=text,
    )


def _call(
    business_id: int, outcome: CallOutcome, note: str, phone: str | None, at: datetime
) -> NewEvent:
    return NewEvent(
        business_id=business_id,
        kind=EventKind.CALL,
        occurred_at=at,
        summary=f"call: {CALL_WORDS[outcome]}",
        source=OPERATOR,
        moves_to=ContactStatus.REPLIED if outcome in _ANSWERED else ContactStatus.CALLED,
        body=note.strip() or None,
        data={"outcome": outcome, **({"phone": phone} if phone else {})},
    )


def _past(at: datetime | None, now: datetime) -> datetime:
    if at is not None and at > now:
        raise BadInput("That time is in the future; notes and calls lie in the past.")
    return at or now


async def _write(session: WriteSession, event: NewEvent, *, now: datetime) -> str:
    (key,) = await events.record(session, event, now=now)
    await session.execute(
        update(Business).where(Business.id == event.business_id).values(updated_at=now)
    )
    if event.kind in CORRECTABLE:
        await search.index(session, [event.business_id])
    return key
