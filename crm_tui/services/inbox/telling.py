"""Telling of a lead what a mail says, and doing what follows.

Every event has a key made of the record's, and every fact that follows is one that a repetition
leaves as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Message
from crm_tui.providers.incoming import Delivery, Kind
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.inbox.concerning import Whose
from crm_tui.services.inbox.consequences import (
    MAILBOX,
    is_told,
    last_sent,
    open_again,
    proven,
    set_state,
    stop,
    suppress,
)
from crm_tui.services.inbox.records import OWN, Kept, KeptResult
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.bounces import pause_for_bounces
from crm_tui.text import visible
from crm_tui.vocabulary import ContactState, ContactStatus, EventKind

ANSWERED = "they answered"
UNSUBSCRIBED = "they unsubscribed"
COMPLAINED = "they reported a mail as spam"

_SUBJECT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A record that is told of a lead.

    Attributes:
        key: what the keys of its events end in: the same record told again is the same event.
        whose: the lead, and the message it is about where it says so.
        linked: whether the operator said whose it is.
    """

    mail: Kept
    raw_id: int
    key: str
    whose: Whose
    account: Account
    now: datetime
    linked: bool = False

    @property
    def business_id(self) -> int:
        """The lead."""
        assert self.whose.business_id is not None
        return self.whose.business_id


async def tell(session: WriteSession, telling: Telling) -> None:
    """Write on the lead's timeline what a mail says, and do what follows."""
    mail, about = telling.mail, telling.whose.message
    if about is not None:
        at = mail.occurred_at
        await proven(session, about.id, telling.account, at=at, now=telling.now)
    message = await _message(session, telling)
    match mail.kind:
        case "own":
            await _own(session, telling, message)
        case Kind.BOUNCE:
            for number, result in enumerate(mail.results):
                await _result(session, telling, message, result, number)
        case Kind.COMPLAINT:
            await _complaint(session, telling, message)
        case Kind.UNSUBSCRIBE:
            await _unsubscribe(session, telling, message)
        case Kind.AUTO_REPLY:
            await _record(session, telling, EventKind.AUTO_REPLIED, message)
        case _:
            await _reply(session, telling, message)


async def _message(session: WriteSession, telling: Telling) -> Message | None:
    """The message a mail is about; where it does not say so, the last that went to the lead."""
    if telling.whose.message is not None:
        return await session.get(Message, telling.whose.message.id, populate_existing=True)
    if telling.mail.kind == OWN:
        return None
    return await last_sent(session, telling.business_id, by=telling.mail.received)


_TOLD = {
    EventKind.REPLIED: "answer",
    EventKind.UNSUBSCRIBED: "unsubscribed",
    EventKind.AUTO_REPLIED: "automatic answer",
    EventKind.COMPLAINED: "reported a mail as spam",
    EventKind.EMAIL_SENT: "mail",
}
_MOVES = {
    EventKind.REPLIED: ContactStatus.REPLIED,
    EventKind.UNSUBSCRIBED: ContactStatus.REPLIED,
    EventKind.EMAIL_SENT: ContactStatus.EMAILED,
}
_BY_MACHINES = frozenset(
    {EventKind.AUTO_REPLIED, EventKind.DELIVERED, EventKind.DEFERRED, EventKind.SOFT_BOUNCED}
)


async def _record(
    session: WriteSession,
    telling: Telling,
    kind: EventKind,
    message: Message | None,
    *,
    words: str = "",
    body: str = "",
    name: str = "",
    data: dict[str, Any] | None = None,
) -> bool:
    """Write an event, unless it is written; whether it was not."""
    mail = telling.mail
    key = f"{name or kind}:{telling.key}"
    if await is_told(session, key):
        return False
    subject = visible(mail.subject, _SUBJECT)
    told = words or (f"{_TOLD[kind]}: {subject}" if subject else _TOLD[kind])
    await events.record(
        session,
        NewEvent(
            telling.business_id,
            kind,
            mail.occurred_at,
            told,
            MAILBOX,
            key=key,
            moves_to=_MOVES.get(kind),
            by_machine=kind in _BY_MACHINES,
            body=(body or mail.text) or None,
            data=_facts(telling) | (data or {}),
            message_id=message.id if message is not None else None,
        ),
        now=telling.now,
    )
    return True


def _facts(telling: Telling) -> dict[str, Any]:
    """What an answer to a mail needs, and how surely it is the lead's."""
    mail = telling.mail
    sure = telling.whose.message is not None
    facts: dict[str, Any] = {
        "raw": telling.raw_id,
        "from": mail.sender,
        "subject": mail.subject,
        "link": "by hand" if telling.linked else "sure" if sure else "by address",
    }
    if mail.message_id:
        facts |= {"message_id": mail.message_id, "references": list(mail.references)}
    if not mail.whole:
        facts["cut"] = True
    return facts


async def _own(session: WriteSession, telling: Telling, message: Message | None) -> None:
    await _record(session, telling, EventKind.EMAIL_SENT, message, name=OWN)


async def _reply(session: WriteSession, telling: Telling, message: Message | None) -> None:
    if not await _record(session, telling, EventKind.REPLIED, message):
        return
    await _mark(session, message, "replied_at", telling.mail.occurred_at)
    await open_again(session, telling.business_id, telling.key, now=telling.now)
    await stop(session, telling.business_id, ANSWERED, now=telling.now)


async def _unsubscribe(session: WriteSession, telling: Telling, message: Message | None) -> None:
    """Who wants no more mail gets none, at the address we wrote to and at the one they write from.

    A report that their provider passes on comes from an address of the provider's.
    """
    if not await _record(session, telling, EventKind.UNSUBSCRIBED, message):
        return
    addresses = set[str]() if telling.mail.report else {telling.mail.sender}
    if message is not None:
        addresses.add(message.address)
    for address in sorted(addresses - {""}):
        await suppress(session, address, UNSUBSCRIBED, now=telling.now)
        await set_state(session, address, ContactState.UNSUBSCRIBED, UNSUBSCRIBED)
    await _mark(session, message, "unsubscribed_at", telling.mail.occurred_at)
    await _mark(session, message, "replied_at", telling.mail.occurred_at)
    await stop(session, telling.business_id, UNSUBSCRIBED, now=telling.now)


async def _complaint(session: WriteSession, telling: Telling, message: Message | None) -> None:
    if not await _record(session, telling, EventKind.COMPLAINED, message):
        return
    await _mark(session, message, "complained_at", telling.mail.occurred_at)
    if message is not None:
        await suppress(session, message.address, COMPLAINED, now=telling.now)
        await set_state(session, message.address, ContactState.COMPLAINED, COMPLAINED)
    await stop(session, telling.business_id, COMPLAINED, now=telling.now)


# -- what became of a mail -------------------------------------------------------------------------

_RESULTS = {
    Delivery.HARD: EventKind.BOUNCED,
    Delivery.SOFT: EventKind.SOFT_BOUNCED,
    Delivery.DEFERRED: EventKind.DEFERRED,
    Delivery.DELIVERED: EventKind.DELIVERED,
}
_COLUMNS = {
    EventKind.BOUNCED: "bounced_at",
    EventKind.SOFT_BOUNCED: "soft_bounced_at",
    EventKind.DELIVERED: "delivered_at",
}
_STATES = {
    EventKind.BOUNCED: ContactState.BOUNCED,
    EventKind.SOFT_BOUNCED: ContactState.SOFT_BOUNCED,
    EventKind.DELIVERED: ContactState.OK,
}


async def _result(
    session: WriteSession,
    telling: Telling,
    message: Message | None,
    result: KeptResult,
    number: int,
) -> None:
    """What a mail system says of an address: a line on the timeline, and the address's state."""
    address = message.address if message is not None else result.recipient
    kind, reason = _RESULTS[result.delivery], result.reason
    if result.recipient and result.recipient != address and kind is EventKind.BOUNCED:
        # Where they have their mail sent on to is gone; the address itself may reach others.
        reason = f"sent on to {visible(result.recipient, 100)}: {reason}"
        kind = EventKind.SOFT_BOUNCED
    words = {
        EventKind.BOUNCED: f"came back from {address}: {reason}",
        EventKind.SOFT_BOUNCED: f"not delivered to {address}: {reason}",
        EventKind.DEFERRED: f"not yet delivered to {address}: {reason}",
        EventKind.DELIVERED: f"delivered to {address}",
    }[kind]
    told = await _record(
        session,
        telling,
        kind,
        message,
        words=words,
        body=result.said or words,
        name=f"{kind}-{number}",
        data={"status": result.status, "address": address},
    )
    if not told:
        return
    if kind in _COLUMNS:
        await _mark(session, message, _COLUMNS[kind], telling.mail.occurred_at)
        await set_state(session, address, _STATES[kind], reason)
    if kind is EventKind.BOUNCED:
        await stop(
            session,
            telling.business_id,
            f"a mail to {address} came back",
            address=address,
            now=telling.now,
        )
        if message is not None:
            await pause_for_bounces(session, [message.campaign_id], now=telling.now)


async def _mark(session: WriteSession, message: Message | None, column: str, at: datetime) -> None:
    """Note when something came of a message, the first time it did."""
    if message is None:
        return
    known = getattr(message, column)
    if known is None or at < known:
        await session.execute(
            update(Message)
            .where(Message.id == message.id)
            .values({column: at})
            .execution_options(synchronize_session=None)
        )
