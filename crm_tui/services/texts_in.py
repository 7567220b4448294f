"""Text messages that come in: whose they are, and what follows from an answer or a STOP.

What mails are to services.inbox. The provider blocks a number only for single words such as STOP;
here any first word of stopping is enough, and holds for the person, whatever number we write from.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import (
    Business,
    Consent,
    ContactPoint,
    Event,
    Message,
    Suppression,
    Unmatched,
)
from crm_tui.db.types import listed
from crm_tui.providers.optout import wants_out
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.inbox.consequences import WORSE, is_told, open_again, stop
from crm_tui.services.inbox.telling import ANSWERED
from crm_tui.text import fold, visible
from crm_tui.vocabulary import (
    Channel,
    ContactKind,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    SuppressionKind,
    UnmatchedKind,
)

STOPPED = "they asked to stop"

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_STOP = frozenset(
    fold(word)
    for word in (
        # What providers take (Twilio's, and those its newer pages add)
        "stop stopall unsubscribe cancel end quit revoke optout opt-out stopp "
        # German, French, Spanish
        "abmelden abmeldung abbestellen austragen aufhören aufhoeren beenden ende widerruf "
        "arrêt arrêter arrêtez stopper désabonner désabonnement désinscrire désinscription "
        "baja cancelar parar alto detener basta"
    ).split()
)
_SPLIT = frozenset({("opt", "out"), ("stop", "all"), ("un", "subscribe")})
_OF = frozenset({"of", "des", "der", "dieser", "nachster"})
"""After "end" they make it a time: "end of March", "Ende des Monats"."""
_START = frozenset({"start", "unstop"})
_BEGINS = 80


def wants_no_more(text: str) -> bool:
    """Whether a text message asks for no more of them: by its first word, or in other words.

    "STOP", "Stop please", "stopall", "Opt out", "Abmelden", "Arrêt", "BAJA"; also "do not text me".
    "End of March" is a date.
    """
    words = [fold(word) for word in _WORD.findall(text[:200])[:4]]
    if not words:
        return False
    if words[0] in {"end", "ende"} and len(words) > 1 and words[1] in _OF:
        return False
    if words[0] in _STOP or tuple(words[:2]) in _SPLIT:
        return True
    return wants_out(re.sub(r"\btext(ing)?\b", r"email\1", text, flags=re.IGNORECASE))


def wants_them_again(text: str) -> bool:
    """Whether a text message is the single word that has the provider let messages through again."""
    return [fold(word) for word in _WORD.findall(text[:200])] in [[each] for each in _START]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextIn:
    """A text message that came in.

    Attributes:
        sender: E.164.
        key: what the key of its event ends in: the same message told again is the same event.
        provider: whose account it came to.
        raw_id: the record it was read from.
    """

    sender: str
    text: str
    occurred_at: datetime
    key: str
    provider: str
    raw_id: int | None = None

    @property
    def is_stop(self) -> bool:
        """Whether it asks for no more."""
        return wants_no_more(self.text)


class Concern(StrEnum):
    """What a text message that came in is to us."""

    TOLD = "told"
    """It stands on a lead's timeline."""
    KNOWN = "known"
    """It was told, or waits, since an earlier time."""
    WAITS = "waits"
    """The operator has to say whose it is."""
    NOT_OURS = "not_ours"
    """We never texted the number, and no lead has it."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a text message that came in; `business_id` is the lead it was told of."""

    concern: Concern
    business_id: int | None = None


async def tell_answer(session: WriteSession, incoming: TextIn, *, now: datetime) -> Answered:
    """Tell of a lead what came in, and do what follows; the same message again changes nothing.

    A STOP bars the number at once, whosever it is. A START is told, and frees nobody: only the
    operator takes somebody off the list.
    """
    known = await _known(session, incoming)
    if known is not None:
        return known
    leads = await _leads(session, incoming.sender)
    last = await _last_sent(session, incoming.sender, by=incoming.occurred_at)
    if not leads and last is None:
        return Answered(Concern.NOT_OURS)
    if incoming.is_stop:
        await bar(session, incoming.sender, now=now)
    whose = last.business_id if last is not None and last.business_id in leads else None
    if whose is None and len(leads) == 1:
        (whose,) = leads
    if whose is None:
        return await _wait(session, incoming, leads, now=now)
    told = await tell_lead(session, incoming, whose, last, now=now)
    return Answered(Concern.TOLD if told else Concern.KNOWN, whose)


async def _known(session: ReadSession, incoming: TextIn) -> Answered | None:
    """What became of a text message that came before, as of one that is told with its price now.

    Whatever the operator did since stands: a number freed, an answer linked or let go.
    """
    keys = [f"{kind}:{incoming.key}" for kind in (EventKind.UNSUBSCRIBED, EventKind.REPLIED)]
    told = await session.scalar(select(Event.business_id).where(Event.key.in_(keys)))
    if told is not None:
        return Answered(Concern.KNOWN, told)
    waits = select(Unmatched.business_id).where(Unmatched.key == _waiting_as(incoming))
    row = (await session.execute(waits)).first()
    return None if row is None else Answered(Concern.KNOWN, row.business_id)


async def tell_lead(
    session: WriteSession,
    incoming: TextIn,
    business_id: int,
    last: Message | None = None,
    *,
    linked: bool = False,
    now: datetime,
) -> bool:
    """Write on a lead's timeline what it answered, and do what follows; False where it was told."""
    kind = EventKind.UNSUBSCRIBED if incoming.is_stop else EventKind.REPLIED
    key = f"{kind}:{incoming.key}"
    if await is_told(session, key):
        return False
    word = "answer by text message"
    if incoming.is_stop:
        word = "wants no more text messages"
    elif wants_them_again(incoming.text):
        word = "wants text messages again; take the number off the list to allow it"
    await events.record(
        session,
        NewEvent(
            business_id,
            kind,
            incoming.occurred_at,
            f"{word}: {visible(' '.join(incoming.text.split()), _BEGINS)}",
            incoming.provider,
            key=key,
            moves_to=ContactStatus.REPLIED,
            body=incoming.text or None,
            data={
                "raw": incoming.raw_id,
                "channel": Channel.SMS,
                "number": incoming.sender,
                "link": "by hand" if linked else "sure" if last is not None else "by address",
            },
            message_id=last.id if last is not None else None,
        ),
        now=now,
    )
    if last is not None:
        await _mark(session, last, incoming)
    if incoming.is_stop:
        await bar(session, incoming.sender, now=now)
        await stop(session, business_id, STOPPED, now=now)
        return True
    await open_again(session, business_id, incoming.key, now=now)
    await stop(session, business_id, ANSWERED, now=now)
    return True


async def _mark(session: WriteSession, message: Message, incoming: TextIn) -> None:
    """Note on the message it answers when it was answered, the first time it was."""
    at = incoming.occurred_at
    columns = {"replied_at": message.replied_at}
    if incoming.is_stop:
        columns["unsubscribed_at"] = message.unsubscribed_at
    values = {name: at for name, known in columns.items() if known is None or at < known}
    if values:
        await session.execute(
            update(Message)
            .where(Message.id == message.id)
            .values(**values)
            .execution_options(synchronize_session=None)
        )


async def bar(session: WriteSession, number: str, *, now: datetime) -> None:
    """Have a number never be texted again; whoever agreed to be does not any more."""
    row = {
        "kind": SuppressionKind.PHONE,
        "value": number,
        "reason": STOPPED,
        "created_at": now,
    }
    await session.execute(
        insert(Suppression).values(row).on_conflict_do_nothing(index_elements=["kind", "value"])
    )
    await session.execute(
        update(ContactPoint)
        .where(
            ContactPoint.kind == ContactKind.PHONE,
            ContactPoint.value == number,
            ContactPoint.state.in_(WORSE[: WORSE.index(ContactState.STOPPED)]),
        )
        .values(state=ContactState.STOPPED, state_reason=STOPPED)
        .execution_options(synchronize_session=None)
    )
    await session.execute(
        update(Consent)
        .where(
            Consent.channel == Channel.SMS,
            Consent.value == number,
            Consent.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
        .execution_options(synchronize_session=None)
    )


def from_waiting(payload: Mapping[str, Any], raw_id: int | None) -> TextIn | None:
    """The text message that waits in the inbox as this payload; None of a mail."""
    if payload.get("channel") != Channel.SMS:
        return None
    return TextIn(
        sender=payload["sender"],
        text=payload["text"],
        occurred_at=datetime.fromisoformat(payload["occurred_at"]),
        key=payload["key"],
        provider=payload["provider"],
        raw_id=raw_id,
    )


async def known_numbers(session: ReadSession, numbers: Collection[str]) -> set[str]:
    """Those of some numbers that a lead has or that we texted: what comes from others is not ours."""
    if not numbers:
        return set()
    of_leads = await session.scalars(
        select(ContactPoint.value)
        .join(Business, Business.id == ContactPoint.business_id)
        .where(
            ContactPoint.kind == ContactKind.PHONE,
            ContactPoint.value.in_(listed(numbers)),
            Business.erased_at.is_(None),
        )
    )
    texted = await session.scalars(
        select(Message.address).where(
            Message.address.in_(listed(numbers)),
            Message.channel == Channel.SMS,
            Message.state.in_((MessageState.SENT, MessageState.UNCERTAIN)),
        )
    )
    return {*of_leads, *texted}


async def _leads(session: ReadSession, number: str) -> set[int]:
    """The leads that have a number."""
    found = await session.scalars(
        select(ContactPoint.business_id)
        .join(Business, Business.id == ContactPoint.business_id)
        .where(
            ContactPoint.kind == ContactKind.PHONE,
            ContactPoint.value == number,
            Business.erased_at.is_(None),
        )
    )
    return set(found)


async def _last_sent(session: ReadSession, number: str, *, by: datetime) -> Message | None:
    """The last text that went to a number before a time; else the first after, as clocks differ."""
    found = await session.scalars(
        select(Message)
        .where(
            Message.address == number,
            Message.channel == Channel.SMS,
            Message.state.in_((MessageState.SENT, MessageState.UNCERTAIN)),
        )
        .order_by((Message.sent_at <= by).desc(), Message.sent_at.desc(), Message.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return found.first()


def _waiting_as(incoming: TextIn) -> str:
    """The key of what waits for the operator."""
    return f"text:{incoming.key}"


async def _wait(
    session: WriteSession, incoming: TextIn, leads: set[int], *, now: datetime
) -> Answered:
    """Have the operator say whose it is."""
    reason = "no lead has this number any more" if not leads else f"{len(leads)} leads have it"
    kind = UnmatchedKind.UNSUBSCRIBE if incoming.is_stop else UnmatchedKind.REPLY
    row = {
        "key": _waiting_as(incoming),
        "kind": kind,
        "title": visible(" ".join(incoming.text.split()), _BEGINS) or incoming.sender,
        "reason": reason,
        "raw_id": incoming.raw_id,
        "created_at": now,
        "payload": {
            "channel": Channel.SMS,
            "sender": incoming.sender,
            "text": incoming.text,
            "occurred_at": incoming.occurred_at.isoformat(),
            "key": incoming.key,
            "provider": incoming.provider,
        },
    }
    added = await session.execute(
        insert(Unmatched)
        .values(row)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(Unmatched.id)
    )
    return Answered(Concern.WAITS if added.first() is not None else Concern.KNOWN)
