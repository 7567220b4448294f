"""Saying that a person opened or clicked what was taken for a machine's doing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Event, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.timeline import TimelineEntry
from crm_tui.vocabulary import ContactStatus, EventKind

MOVES_TO = {
    EventKind.OPENED: ContactStatus.OPENED,
    EventKind.CLICKED: ContactStatus.CLICKED,
}
"""The kinds machines do too, and what they mean where a person did it."""

OF = "machine_event"
"""Under this the event by which it is said names the one it is about."""

_SAID = "human:"
_TIMES = {EventKind.OPENED: Message.opened_at, EventKind.CLICKED: Message.clicked_at}


def why_not(entry: TimelineEntry | None, timeline: Sequence[TimelineEntry]) -> str | None:
    """Why an entry of a timeline cannot be said to be a person's; None where it can."""
    if entry is None or not entry.machine or entry.kind not in MOVES_TO:
        return "The cursor is on no open or click by a machine."
    if any(each.data.get(OF) == entry.key for each in timeline):
        return "That counts as a person's already: you said so."
    return None


async def mark_human(
    session: WriteSession, business_id: int, event_id: int, *, now: datetime
) -> str:
    """Say that an open or click of a machine was a person's; returns the new event's key.

    What the machine is said to have done stays on the timeline. The new event happened when that
    one did and moves the statuses; the message counts as opened or clicked by a person since then.

    Args:
        session: the transaction of an action (services.undo), which takes it back.
        business_id: whose timeline it is on.
        event_id: the open or click.
        now: aware UTC.

    Raises:
        NotFound: there is no such entry on that timeline.
        BadInput: it is no open or click of a machine, or it was said already.
    """
    machine = await session.scalar(
        select(Event).where(
            Event.id == event_id,
            Event.business_id == business_id,
            Event.kind != EventKind.VOIDED,
            Event.is_voided.is_(False),
        )
    )
    if machine is None:
        raise NotFound(f"There is no entry {event_id} on the timeline of lead {business_id}.")
    moves_to = MOVES_TO.get(machine.kind)
    if moves_to is None or not machine.by_machine:
        raise BadInput(
            f"Entry {event_id} of lead {business_id} is no open or click by a machine: "
            f"{machine.summary}."
        )
    why = machine.data.get("machine", "")
    event = NewEvent(
        business_id,
        machine.kind,
        machine.occurred_at,
        machine.summary,
        OPERATOR,
        key=await _new_key(session, machine),
        moves_to=moves_to,
        body=f"You said that it was a person. It was taken for a machine{f': {why}' if why else ''}.",
        data={OF: machine.key, **{k: v for k, v in machine.data.items() if k == "url"}},
        message_id=machine.message_id,
    )
    (key,) = await events.record(session, event, now=now)
    if machine.message_id is not None:
        await _date(session, machine.message_id, machine.kind, machine.occurred_at)
    return key


async def _new_key(session: WriteSession, machine: Event) -> str:
    """A key for saying so, a further one where it was said and taken back."""
    times = 1
    while True:
        key = f"{_SAID}{machine.key}" if times == 1 else f"{_SAID}{times}:{machine.key}"
        voided = await session.scalar(select(Event.is_voided).where(Event.key == key))
        if voided is None:
            return key
        if not voided:
            raise BadInput(f"Entry {machine.id} counts as a person's already: you said so.")
        times += 1


async def _date(session: WriteSession, message_id: int, kind: EventKind, at: datetime) -> None:
    """Have a message be opened or clicked by a person since then, if not before."""
    column = _TIMES[kind]
    await session.execute(
        update(Message)
        .where(Message.id == message_id, or_(column.is_(None), column > at))
        .values({column: at})
        .execution_options(synchronize_session=None)
    )
