"""Taking addresses, numbers, domains and leads off the list of those not to be contacted.

What people asked for themselves is not the operator's to take back, unless they say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint, Message, Suppression
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import events, never
from crm_tui.services.barred import parents
from crm_tui.services.events import OPERATOR, NewEvent
from crm_tui.services.suppression.barring import DOMAIN, POINTS, at_domains, keyed, reasons_of
from crm_tui.services.suppression.values import Value
from crm_tui.text import visible
from crm_tui.vocabulary import ContactState, EventKind, SuppressionKind

_THEIR_WORD = {
    ContactState.UNSUBSCRIBED: "unsubscribed",
    ContactState.COMPLAINED: "reported a mail as spam",
    ContactState.STOPPED: "asked to stop",
}
"""What people ask for themselves, which is not the operator's to take back."""


_THEIR_REASONS = frozenset(
    {"they unsubscribed", "they reported a mail as spam", "they asked to stop"}
)
"""The reasons the inbox gives (services.inbox.telling); an address need not be of a lead."""


@dataclass(frozen=True, slots=True)
class Freed:
    """What was taken off the list, and the reason it was there for."""

    value: Value
    name: str
    was: str


async def free(
    session: WriteSession, value: Value, words: str, *, force: bool = False, now: datetime
) -> Freed:
    """Take a value off the list. Messages that were skipped because of it stay skipped.

    A lead may be contacted again with what was barred along with it, as services.never has it.

    Args:
        session: the transaction.
        value: as read_value has it.
        words: why, for the timelines.
        force: also what people asked for themselves: their address counts as unknown then.
        now: aware UTC.

    Raises:
        NotFound: it is not on the list, or there is no such lead.
        BadInput: they asked for it themselves; or it is barred along with a lead; or the words are
            no reason.
    """
    said = never.reason_words(words)
    value = await keyed(session, value)
    known = await reasons_of(session, [value])
    if value not in known:
        raise NotFound(await _why_not_there(session, value))
    asked = await asked_themselves(session, value, known[value])
    if asked and not force:
        raise BadInput(
            f"{asked} Only they can take that back. If they did, say so: --force --reason 'wrote on"
            " 3 May that they want our mails'."
        )
    if asked:
        await _forget_their_word(session, value, said)
    if value.kind is SuppressionKind.BUSINESS:
        name = await _free_lead(session, value, now=now)
        return Freed(value, name, known[value])
    await _refuse_barred_with_lead(session, value, known[value])
    await session.execute(
        delete(Suppression).where(Suppression.kind == value.kind, Suppression.value == value.value)
    )
    told = [
        NewEvent(
            lead,
            EventKind.CONTACT_ALLOWED,
            now,
            f"{value.value} may be used again: {said}",
            OPERATOR,
        )
        for lead in await _having(session, value)
    ]
    await events.record(session, *told, now=now)
    return Freed(value, value.value, known[value])


async def _why_not_there(session: ReadSession, value: Value) -> str:
    if value.kind is SuppressionKind.EMAIL:
        above = [Value(DOMAIN, each) for each in parents(value.value.rpartition("@")[2])]
        if found := await reasons_of(session, above):
            domain = next(iter(found)).value
            return f"{value.value} is not on the list itself; its domain is: {domain}."
    shown = "That lead" if value.kind is SuppressionKind.BUSINESS else visible(value.value, 60)
    return f"{shown} is not on the list of those not to be contacted."


async def asked_themselves(session: ReadSession, value: Value, reason: str) -> str:
    """A sentence on what people asked for themselves about a value; "" where they did not.

    Somebody may have asked from an address that no lead has: then the reason alone tells.
    """
    if reason in _THEIR_REASONS and value.kind in POINTS:
        return f"{value.value}: {reason}."
    points = select(ContactPoint.value, ContactPoint.state).where(
        ContactPoint.state.in_(_THEIR_WORD)
    )
    if value.kind is SuppressionKind.BUSINESS:
        lead = select(Business.id).where(Business.key == value.value)
        points = points.where(ContactPoint.business_id.in_(lead))
    elif value.kind in POINTS:
        points = points.where(
            ContactPoint.kind == POINTS[value.kind], ContactPoint.value == value.value
        )
    else:
        return ""
    row = (await session.execute(points.order_by(ContactPoint.id.desc()).limit(1))).first()
    if row is not None:
        return f"{row.value} {_THEIR_WORD[row.state]}."
    if value.kind is not SuppressionKind.EMAIL:
        return ""
    said = (
        await session.execute(
            select(Message.unsubscribed_at, Message.complained_at)
            .where(
                Message.address == value.value,
                or_(Message.unsubscribed_at.is_not(None), Message.complained_at.is_not(None)),
            )
            .limit(1)
        )
    ).first()
    if said is None:
        return ""
    how = ContactState.UNSUBSCRIBED if said.unsubscribed_at else ContactState.COMPLAINED
    return f"{value.value} {_THEIR_WORD[how]}."


async def _forget_their_word(session: WriteSession, value: Value, said: str) -> None:
    mine = ContactPoint.value == value.value
    if value.kind is SuppressionKind.BUSINESS:
        mine = ContactPoint.business_id.in_(select(Business.id).where(Business.key == value.value))
    await session.execute(
        update(ContactPoint)
        .where(mine, ContactPoint.state.in_(_THEIR_WORD))
        .values(state=ContactState.UNKNOWN, state_reason=said)
        .execution_options(synchronize_session=None)
    )


async def _free_lead(session: WriteSession, value: Value, *, now: datetime) -> str:
    lead, name = (
        await session.execute(select(Business.id, Business.name).where(Business.key == value.value))
    ).one()
    await never.allow(session, [lead], now=now)
    await session.execute(
        delete(Suppression).where(Suppression.kind == value.kind, Suppression.value == value.value)
    )
    return str(name)


async def _refuse_barred_with_lead(session: ReadSession, value: Value, reason: str) -> None:
    """An address that is barred because its lead is stays so: freeing it would change nothing."""
    if value.kind not in POINTS:
        return
    lead = (
        await session.execute(
            select(Business.id, Business.name)
            .join(ContactPoint, ContactPoint.business_id == Business.id)
            .where(
                ContactPoint.kind == POINTS[value.kind],
                ContactPoint.value == value.value,
                Business.do_not_contact.is_(True),
                Business.do_not_contact_reason == reason,
            )
            .limit(1)
        )
    ).first()
    if lead is not None:
        raise BadInput(
            f"{value.value} is barred with {visible(lead.name, 60)}, which is never to be contacted:"
            f" take lead:{lead.id} off the list instead."
        )


async def _having(session: ReadSession, value: Value) -> list[int]:
    if value.kind is DOMAIN:
        return sorted({lead for lead, _ in await at_domains(session, [value.value])})
    rows = await session.scalars(
        select(ContactPoint.business_id).where(
            ContactPoint.kind == POINTS[value.kind], ContactPoint.value == value.value
        )
    )
    return list(rows)
