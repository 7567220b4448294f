"""Who agreed to be sent text messages: when, how, and who says so; without it a text waits.

Consent is a lead's for one number: another number of theirs was not agreed to. Withdrawing it keeps
the record, with when it ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, Consent, Message
from crm_tui.db.types import listed
from crm_tui.errors import BadInput
from crm_tui.services import events
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.leads import require
from crm_tui.services.texting import NO_CONSENT
from crm_tui.text import visible
from crm_tui.vocabulary import Channel, EventKind, MessageState

LONGEST = 300
"""Characters of how somebody agreed."""

_SOME = 500
_TEXTS = (Message.channel == Channel.SMS, Message.state == MessageState.QUEUED)


@dataclass(frozen=True, slots=True)
class Given:
    """A consent as it is kept; times are aware UTC.

    Attributes:
        number: E.164.
        how: how they agreed, in the words of who recorded it.
        by: who recorded it.
        withdrawn_at: None while it stands.
    """

    id: int
    business_id: int
    number: str
    given_at: datetime
    how: str
    by: str
    recorded_at: datetime
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class Told:
    """What came of recording consent for some leads.

    Attributes:
        changed: the leads of whom something is different now.
        unchanged: those that had agreed, or had not, already.
        no_number: those that have no number.
    """

    changed: list[int]
    unchanged: list[int]
    no_number: list[int]


async def of_lead(session: ReadSession, business_id: int) -> list[Given]:
    """What a lead agreed to, the newest first, what was withdrawn included."""
    rows = await session.execute(
        select(
            Consent.id,
            Consent.business_id,
            Consent.value,
            Consent.given_at,
            Consent.how,
            Consent.recorded_by,
            Consent.recorded_at,
            Consent.withdrawn_at,
        )
        .where(Consent.business_id == business_id, Consent.channel == Channel.SMS)
        .order_by(Consent.given_at.desc(), Consent.id.desc())
    )
    return [Given(*row) for row in rows]


async def standing(session: ReadSession, business_id: int) -> Given | None:
    """The consent of a lead for its main number; None where it gave none, or withdrew it."""
    number = await session.scalar(select(Business.phone).where(Business.id == business_id))
    found = await of_lead(session, business_id)
    return next((each for each in found if each.number == number and not each.withdrawn_at), None)


async def agreed(session: ReadSession, numbers: Mapping[int, str]) -> set[int]:
    """Which of these leads agreed to text messages at these numbers."""
    found: set[int] = set()
    ids = list(numbers)
    for start in range(0, len(ids), _SOME):
        rows = await session.execute(
            select(Consent.business_id, Consent.value).where(
                Consent.business_id.in_(listed(ids[start : start + _SOME])),
                Consent.channel == Channel.SMS,
                Consent.withdrawn_at.is_(None),
            )
        )
        found |= {business_id for business_id, value in rows if numbers[business_id] == value}
    return found


async def missing(session: ReadSession, campaign_id: int) -> int:
    """How many leads of a campaign wait for a text message they have not agreed to."""
    given = exists().where(
        Consent.business_id == Message.business_id,
        Consent.channel == Channel.SMS,
        Consent.value == Message.address,
        Consent.withdrawn_at.is_(None),
    )
    counted = select(func.count(Message.business_id.distinct())).where(
        Message.campaign_id == campaign_id, *_TEXTS, ~given
    )
    return (await session.execute(counted)).scalar_one()


def how_words(how: str) -> str:
    """How somebody agreed, as it is kept, in a line.

    Raises:
        BadInput: nothing is said, or too much.
    """
    said = " ".join(how.split()).rstrip(".")
    if not said:
        raise BadInput("Say how they agreed, such as: asked for it on the phone.")
    if len(said) > LONGEST:
        raise BadInput(f"How they agreed has {LONGEST} characters at most; write a note for more.")
    return said


async def give(
    session: WriteSession,
    business_ids: Collection[int],
    how: str,
    *,
    given_at: datetime | None = None,
    now: datetime,
) -> Told:
    """Record that leads agreed to text messages at their main numbers; at most 500 at once.

    Texts that wait for it are looked at again. Who had agreed already is left as it is.

    Raises:
        BadInput: it is not said how, or it lies in the future.
    """
    said, at = how_words(how), given_at or now
    if at > now:
        raise BadInput("That lies in the future; say when they agreed.")
    numbers = await _numbers(session, business_ids)
    there = await agreed(session, numbers)
    new = {each: number for each, number in numbers.items() if each not in there}
    session.add_all(
        Consent(
            business_id=business_id,
            channel=Channel.SMS,
            value=number,
            given_at=at,
            how=said,
            recorded_by=OPERATOR,
            recorded_at=now,
        )
        for business_id, number in new.items()
    )
    await session.flush()
    words = f"agreed to text messages: {said}"
    await _tell(session, new, EventKind.CONSENT_GIVEN, words, at=at, now=now)
    await _look_again(session, new, now=now)
    return Told(list(new), sorted(there), [e for e in business_ids if e not in numbers])


async def may_agree(session: ReadSession, business_ids: Collection[int]) -> list[int]:
    """Those of the leads that have a number and have not agreed to text messages at it."""
    numbers = await _numbers(session, business_ids)
    there = await agreed(session, numbers)
    return [each for each in business_ids if each in numbers and each not in there]


async def withdraw(
    session: WriteSession, business_ids: Collection[int], why: str = "", *, now: datetime
) -> Told:
    """Record that leads take their consent back, for all their numbers; at most 500 at once.

    What waits for them waits until they agree again.
    """
    said = " ".join(why.split()).rstrip(".")[:LONGEST]
    numbers = await _numbers(session, business_ids)
    gone = await session.scalars(
        update(Consent)
        .where(
            Consent.business_id.in_(listed(business_ids)),
            Consent.channel == Channel.SMS,
            Consent.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
        .returning(Consent.business_id)
        .execution_options(synchronize_session=None)
    )
    changed = dict.fromkeys(gone.all(), "")
    words = "no more text messages" + (f": {said}" if said else "")
    await _tell(session, changed, EventKind.CONSENT_WITHDRAWN, words, at=now, now=now)
    await _hold(session, changed, now=now)
    unchanged = [each for each in business_ids if each not in changed]
    return Told(
        list(changed),
        [each for each in unchanged if each in numbers],
        [each for each in unchanged if each not in numbers],
    )


async def _numbers(session: ReadSession, business_ids: Collection[int]) -> dict[int, str]:
    rows = await session.execute(
        select(Business.id, Business.phone).where(
            Business.id.in_(listed(business_ids)),
            Business.erased_at.is_(None),
            Business.phone.is_not(None),
        )
    )
    return {business_id: number for business_id, number in rows if number}


async def _tell(
    session: WriteSession,
    leads: Collection[int],
    kind: EventKind,
    words: str,
    *,
    at: datetime,
    now: datetime,
) -> None:
    await events.record(
        session,
        *(NewEvent(each, kind, at, words, OPERATOR) for each in leads),
        now=now,
    )


async def _look_again(session: WriteSession, leads: Collection[int], *, now: datetime) -> None:
    """Have texts that wait for consent be looked at again."""
    await session.execute(
        update(Message)
        .where(
            *_TEXTS,
            Message.business_id.in_(listed(leads)),
            Message.reason == NO_CONSENT,
            Message.due_at.is_(None),
        )
        .values(due_at=now)
        .execution_options(synchronize_session=None)
    )


async def _hold(session: WriteSession, leads: Collection[int], *, now: datetime) -> None:
    """Have texts whose time has come wait for consent; the others will as theirs comes."""
    await session.execute(
        update(Message)
        .where(
            *_TEXTS,
            Message.business_id.in_(listed(leads)),
            Message.due_at <= now,
        )
        .values(due_at=None, reason=NO_CONSENT)
        .execution_options(synchronize_session=None)
    )


async def for_lead(
    session: WriteSession,
    business_id: int,
    how: str,
    *,
    withdraw_it: bool = False,
    given_at: datetime | None = None,
    now: datetime,
) -> Told:
    """Record that one lead agreed, or with `withdraw_it` that it does not any more.

    Raises:
        NotFound: there is no such lead.
        BadInput: it has no number, nothing changes, or it is not said how.
    """
    name = visible(await require(session, business_id), 60)
    if withdraw_it:
        told = await withdraw(session, [business_id], how, now=now)
        if not told.changed:
            raise BadInput(f"{name} has not agreed to text messages; there is nothing to withdraw.")
        return told
    told = await give(session, [business_id], how, given_at=given_at, now=now)
    if told.no_number:
        raise BadInput(f"{name} has no phone number that could be sent text messages.")
    if told.unchanged:
        raise BadInput(f"{name} has agreed to text messages at this number already.")
    return told
