"""Calling: what a call leaves behind, and which leads of a list are still to be called."""

from __future__ import annotations

import asyncio
from array import array
from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo
from typing import Any

from sqlalchemy import Select, literal_column, select
from sqlalchemy.orm import aliased

from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint, Event, Task
from crm_tui.db.types import listed
from crm_tui.services import leads, points, tasks, timeline
from crm_tui.services.when import end_of_day
from crm_tui.text import fold
from crm_tui.vocabulary import CallOutcome, ContactKind, ContactState, EventKind

CALL_BACK = "call back"
"""What a follow-up set with a call says."""

_FEW = 20_000
"""So many leads are looked up one by one sooner than all leads are gone through."""

_A_CALL = "call"
"""How the words of a follow-up begin that a call settles."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What a call left behind.

    Attributes:
        key: of the event on the timeline.
        follow_up: the id of the follow-up that was set.
        settled: the follow-ups that the call was meant for.
        next_phone: after a wrong number, the lead's number to call instead (E.164).
    """

    key: str
    follow_up: int | None = None
    settled: tuple[int, ...] = ()
    next_phone: str | None = None


async def log(
    session: WriteSession,
    business_id: int,
    outcome: CallOutcome,
    *,
    note: str = "",
    follow_up_at: datetime | None = None,
    phone: str | None = None,
    at: datetime | None = None,
    now: datetime,
    zone: tzinfo | None = None,
) -> Logged:
    """Log a call and all that comes of it.

    What it says about the lead is told at `timeline.log_call`. Follow-ups that say to call and
    were due by the end of the day are done with it, because this was the call.

    Args:
        session: the transaction.
        business_id: the lead.
        outcome: how it went.
        note: what was said, in a line.
        follow_up_at: when to call again, aware UTC; never when None.
        phone: the number that was called (E.164); the lead's first when None.
        at: when it was, where not now.
        now: the current time.
        zone: the operator's, in which the day ends; the machine's own when None.

    Raises:
        NotFound: there is no such lead.
        BadInput: the call lies in the future.
    """
    await leads.require(session, business_id)
    key = await timeline.log_call(
        session, business_id, outcome, note=note, phone=phone, at=at, now=now
    )
    settled = await _settle(session, business_id, now=now, zone=zone)
    follow_up = None
    if follow_up_at is not None:
        follow_up = await tasks.add(
            session, business_id, CALL_BACK, follow_up_at, now=now, zone=zone
        )
    others = []
    if outcome is CallOutcome.WRONG_NUMBER:
        others = await points.usable_phones(session, business_id)
    return Logged(key, follow_up, tuple(settled), next(iter(others), None))


async def _settle(
    session: WriteSession, business_id: int, *, now: datetime, zone: tzinfo | None
) -> list[int]:
    due = await session.execute(
        select(Task.id, Task.what).where(
            Task.business_id == business_id,
            tasks.OPEN,
            Task.due_at <= end_of_day(now, zone=zone),
        )
    )
    calls = [task_id for task_id, what in due if fold(what).startswith(_A_CALL)]
    return await tasks.done(session, calls, now=now) if calls else []


@dataclass(slots=True)
class Round:
    """The leads of a list that can be called, in its order, and those called today.

    Attributes:
        ids: leads with a number to call that may be contacted.
        done: those of them that were called since the operator's midnight.
    """

    ids: array[int] = field(default_factory=lambda: array("q"))
    done: set[int] = field(default_factory=set)

    @property
    def left(self) -> int:
        """How many were not called today."""
        return len(self.ids) - len(self.done)

    def following(self, lead_id: int | None, by: int = 1) -> int | None:
        """The next lead that was not called today, after this one or from the top; None at the end.

        Args:
            lead_id: where to go on from.
            by: 1 to go on, -1 to go back, which leads to those called today too.
        """
        before = -1 if by > 0 else len(self.ids)
        if lead_id is not None and lead_id in self.ids:
            before = self.ids.index(lead_id)
        place = before + by
        while 0 <= place < len(self.ids):
            if by < 0 or self.ids[place] not in self.done:
                return self.ids[place]
            place += by
        return None

    def without(self, lead_id: int) -> Round:
        """The round without a lead that cannot be called any more."""
        return Round(array("q", (i for i in self.ids if i != lead_id)), self.done - {lead_id})

    def place(self, lead_id: int) -> int:
        """Where a lead stands in the round, counted from 1."""
        return self.ids.index(lead_id) + 1


async def round_of(
    db: Database, ids: array[int], *, now: datetime, zone: tzinfo | None = None
) -> Round:
    """Which of the leads can be called, and which of them were called today.

    Args:
        db: the store.
        ids: the leads of a list, in its order.
        now: the current time.
        zone: the operator's, in which the day began; the machine's own when None.
    """
    may_be_called = select(Business.id).where(
        Business.do_not_contact.is_(False), Business.erased_at.is_(None)
    )
    if len(ids) <= _FEW:
        may_be_called = may_be_called.where(
            Business.id.in_(listed(ids)), _usable_phone(Business.id).exists()
        )
    else:
        may_be_called = may_be_called.where(
            Business.phone.is_not(None), Business.id.not_in(_only_wrong_numbers())
        )
    wanted = await asyncio.to_thread(_in_order, ids, await db.integers(may_be_called))
    async with db.read() as session:
        called = await called_today(session, now=now, zone=zone)
    return Round(wanted, called.intersection(wanted))


def _usable_phone(lead: Any) -> Select[int]:
    point = aliased(ContactPoint)
    return select(point.id).where(
        point.business_id == lead,
        point.kind == ContactKind.PHONE,
        point.state != ContactState.INVALID,
    )


def _only_wrong_numbers() -> Select[int]:
    """The leads all of whose numbers are wrong: few, and the index of states tells them."""
    return select(ContactPoint.business_id).where(
        # Word for word what the index says, or it is not used.
        ContactPoint.state != literal_column("'unknown'"),
        ContactPoint.state == ContactState.INVALID,
        ContactPoint.kind == ContactKind.PHONE,
        ~_usable_phone(ContactPoint.business_id).exists(),
    )


def _in_order(ids: array[int], among: array[int]) -> array[int]:
    """The ids that are among others, in their order; a byte each, however many there are."""
    there = bytearray(max(max(ids, default=0), max(among, default=0)) + 1)
    for each in among:
        there[each] = 1
    return array("q", (each for each in ids if there[each]))


async def called_today(
    session: ReadSession, *, now: datetime, zone: tzinfo | None = None
) -> set[int]:
    """The leads that were called since the operator's midnight."""
    today = now.astimezone(zone).date()
    midnight = datetime.combine(today, time(), tzinfo=zone).astimezone(now.tzinfo)
    called = await session.scalars(
        select(Event.business_id).where(
            Event.kind == EventKind.CALL,
            Event.occurred_at >= midnight,
            Event.is_voided.is_(False),
        )
    )
    return set(called)
