"""What follows from an answer, a bounce or an opt-out, besides the line on the timeline."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, ContactPoint, Event, Message, Suppression
from crm_tui.services import activity, events
from crm_tui.services.events import NewEvent
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.recover import was_sent
from crm_tui.services.sending.stopping import Stop, stop_all
from crm_tui.vocabulary import (
    ContactKind,
    ContactState,
    EventKind,
    MessageState,
    Outcome,
    SuppressionKind,
)

MAILBOX = "mailbox"
"""The source of what was read in the operator's mailbox."""

WORSE = (
    ContactState.UNKNOWN,
    ContactState.OK,
    ContactState.SOFT_BOUNCED,
    ContactState.BOUNCED,
    ContactState.STOPPED,
    ContactState.UNSUBSCRIBED,
    ContactState.COMPLAINED,
)
"""States of an address, the one that counts most last: whatever comes first, the last of them
stands. What the operator marked as invalid stays so."""


async def set_state(session: WriteSession, address: str, state: ContactState, reason: str) -> None:
    """Note how an address is reached, with every lead that has it, unless worse is known of it."""
    lesser = WORSE[: WORSE.index(state)]
    await session.execute(
        update(ContactPoint)
        .where(
            ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.value == address,
            ContactPoint.state.in_(lesser),
        )
        .values(state=state, state_reason=None if state is ContactState.OK else reason)
        .execution_options(synchronize_session=None)
    )


async def suppress(session: WriteSession, address: str, reason: str, *, now: datetime) -> None:
    """Have an address never be written to again, by any campaign."""
    if not address:
        return
    row = {
        "kind": SuppressionKind.EMAIL,
        "value": address,
        "reason": reason,
        "created_at": now,
    }
    await session.execute(
        insert(Suppression).values(row).on_conflict_do_nothing(index_elements=["kind", "value"])
    )


async def stop(
    session: WriteSession,
    business_id: int,
    why: str,
    *,
    address: str | None = None,
    now: datetime,
) -> None:
    """Leave a lead out of what its campaigns have still to send, or only what goes to an address."""
    await stop_all(session, [Stop(business_id, why, address)], now=now)


async def open_again(session: WriteSession, business_id: int, key: str, *, now: datetime) -> None:
    """Have a new answer come to the operator: who had been sorted, or put away, is open again.

    Who bought stays won.
    """
    lead = await session.get_one(Business, business_id, populate_existing=True)
    news = []
    if lead.outcome not in {Outcome.OPEN, Outcome.WON}:
        before = lead.outcome.replace("_", " ")
        news.append(
            NewEvent(
                business_id,
                EventKind.OUTCOME_SET,
                now,
                f"open again: they answered after {before}",
                MAILBOX,
                key=f"open-again:{key}",
                data={"outcome": Outcome.OPEN, "before": lead.outcome},
            )
        )
        lead.outcome, lead.outcome_reason = Outcome.OPEN, None
    if lead.archived_at is not None and lead.erased_at is None:
        lead.archived_at = None
        news.append(
            NewEvent(
                business_id,
                EventKind.UNARCHIVED,
                now,
                "brought back from the archive: they answered",
                MAILBOX,
                key=f"unarchived:{key}",
            )
        )
    if news:
        await session.flush()
        await events.record(session, *news, now=now)
        await activity.renew_activity(session, [business_id])


async def proven(
    session: WriteSession, message_id: int, account: Account, *, at: datetime, now: datetime
) -> bool:
    """A message was sent, as a mail in the mailbox shows; whether that was not known before.

    One that the operator has put back into the queue meanwhile is not sent again either.
    """
    message = await session.get(Message, message_id, populate_existing=True)
    if message is None:
        return False
    if (
        message.state is MessageState.QUEUED
        and message.claimed_at is not None
        and message.body is not None
    ):
        message.state, message.reason = MessageState.UNCERTAIN, "a copy of it was found"
        await session.flush()
    if message.state is not MessageState.UNCERTAIN:
        return False
    return await was_sent(session, message_id, account, at=message.claimed_at or at, now=now)


async def last_sent(session: WriteSession, business_id: int, *, by: datetime) -> Message | None:
    """The last message that went to a lead before a time."""
    found = await session.scalars(
        select(Message)
        .where(
            Message.business_id == business_id,
            Message.state == MessageState.SENT,
            Message.sent_at <= by,
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    return found.first()


async def is_told(session: WriteSession, key: str) -> bool:
    """Whether an event with this key is written already."""
    return await session.scalar(select(Event.id).where(Event.key == key)) is not None
