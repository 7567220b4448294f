"""Never contact again, and allowing it again.

Whoever must not be contacted is barred with every address and number that reaches them, so that
the same address under another business is barred too. What they asked of a provider themselves
(unsubscribed, complained, stopped) is not the operator's to take back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, delete, literal, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import Business, ContactPoint, Message, Suppression, Task
from crm_tui.db.types import listed
from crm_tui.errors import BadInput
from crm_tui.services import events, tasks
from crm_tui.services.sending.ending import end_campaigns
from crm_tui.vocabulary import (
    ContactKind,
    ContactState,
    EventKind,
    MessageState,
    SuppressionKind,
    TaskState,
)

REASONS = ("asked us to stop", "wrong person", "closed down", "competitor")
"""The reasons there mostly are."""

LONGEST = 300
"""Characters of a reason."""

_OPTED_OUT = (ContactState.UNSUBSCRIBED, ContactState.COMPLAINED, ContactState.STOPPED)
_BARRED = {
    ContactKind.EMAIL: SuppressionKind.EMAIL,
    ContactKind.PHONE: SuppressionKind.PHONE,
}


@dataclass(frozen=True, slots=True)
class OptedOut:
    """A lead that said itself that it wants nothing more, and through which address."""

    id: int
    name: str
    address: str
    state: ContactState

    def __str__(self) -> str:
        how = self.state.replace("_", " ")
        return (
            f"{self.name} said so themselves ({self.address}: {how}); only they can take that back."
        )


@dataclass(frozen=True, slots=True)
class Allowed:
    """Leads that may be contacted again, and those that may not because of what they said."""

    changed: list[int] = field(default_factory=list)
    kept: list[OptedOut] = field(default_factory=list)


def reason_words(reason: str) -> str:
    """A reason as it is kept, in a line.

    Raises:
        BadInput: there is none, or it is too long.
    """
    said = " ".join(reason.split()).rstrip(".")
    if not said:
        raise BadInput("Say why, such as: asked us to stop.")
    if len(said) > LONGEST:
        raise BadInput(f"A reason has {LONGEST} characters at most; write the rest into a note.")
    return said


async def contacted(
    session: ReadSession, business_ids: Collection[int], *, never: bool = False
) -> list[int]:
    """Those of the leads that may be contacted, or with `never` those that must not be."""
    found = await session.scalars(
        select(Business.id).where(
            Business.id.in_(listed(business_ids)),
            Business.erased_at.is_(None),
            Business.do_not_contact.is_(never),
        )
    )
    return list(found)


async def allowable(session: ReadSession, business_ids: Collection[int]) -> list[int]:
    """Those of the leads that must not be contacted, and did not say so themselves."""
    kept = {each.id for each in await _opted_out(session, business_ids)}
    barred = await contacted(session, business_ids, never=True)
    return [each for each in barred if each not in kept]


async def never(
    session: WriteSession, business_ids: Sequence[int], reason: str, *, now: datetime
) -> list[int]:
    """Never contact leads again, at most 500 at once; returns those that could be contacted.

    Their addresses and numbers are barred, and their open follow-ups are closed.

    Raises:
        BadInput: that is no reason.
    """
    said = reason_words(reason)
    changed = await contacted(session, business_ids)
    if not changed:
        return []
    await session.execute(
        update(Business)
        .where(Business.id.in_(listed(changed)))
        .values(do_not_contact=True, do_not_contact_reason=said)
        .execution_options(synchronize_session=None)
    )
    await bar(session, changed, said, now=now)
    summary = f"never contact again: {said}"
    await events.tell(session, changed, EventKind.DO_NOT_CONTACT, summary, now=now)
    return changed


async def bar(
    session: WriteSession, business_ids: Sequence[int], reason: str, *, now: datetime
) -> None:
    """Bar leads that must not be contacted with every address and number they have.

    Their open follow-ups are closed, and messages that wait to be sent are canceled.
    """
    for barred in (_keys(business_ids), *(_addresses(business_ids, kind) for kind in _BARRED)):
        columns = barred.add_columns(literal(reason), literal(now, Suppression.created_at.type))
        rows = insert(Suppression).from_select(["kind", "value", "reason", "created_at"], columns)
        await session.execute(rows.on_conflict_do_nothing(index_elements=["kind", "value"]))
    await session.execute(
        update(Task)
        .where(Task.business_id.in_(listed(business_ids)), tasks.OPEN)
        .values(state=TaskState.DONE, done_at=now)
        .execution_options(synchronize_session=None)
    )
    connection = await session.connection()
    canceled = await connection.execute(
        update(Message)
        .where(Message.business_id.in_(listed(business_ids)), Message.state == MessageState.QUEUED)
        .values(state=MessageState.CANCELED, reason=f"never contact again: {reason}")
        .returning(Message.campaign_id)
    )
    await end_campaigns(session, set(canceled.scalars().all()), now=now)


async def allow(session: WriteSession, business_ids: Sequence[int], *, now: datetime) -> Allowed:
    """Allow contact with leads again, at most 500 at once.

    What was barred with them is free again, unless another lead that must not be contacted has
    it, or it was barred for another reason.
    """
    kept = await _opted_out(session, business_ids)
    changed = await allowable(session, business_ids)
    if changed:
        await session.execute(delete(Suppression).where(_barred_by(changed)))
        await session.execute(
            update(Business)
            .where(Business.id.in_(listed(changed)))
            .values(do_not_contact=False, do_not_contact_reason=None)
            .execution_options(synchronize_session=None)
        )
        summary = "may be contacted again"
        await events.tell(session, changed, EventKind.CONTACT_ALLOWED, summary, now=now)
    return Allowed(changed, kept)


async def _opted_out(session: ReadSession, business_ids: Collection[int]) -> list[OptedOut]:
    """Those of the leads that said it themselves, each with the first address they did."""
    rows = await session.execute(
        select(Business.id, Business.name, ContactPoint.value, ContactPoint.state)
        .join(ContactPoint, ContactPoint.business_id == Business.id)
        .where(
            Business.id.in_(listed(business_ids)),
            Business.do_not_contact.is_(True),
            ContactPoint.state.in_(_OPTED_OUT),
        )
        .order_by(Business.id, ContactPoint.id.desc())
    )
    return list({row.id: OptedOut(*row) for row in rows}.values())


def _keys(business_ids: Sequence[int]) -> Select[str, str]:
    """The leads themselves, as what is barred."""
    return select(literal(SuppressionKind.BUSINESS, Suppression.kind.type), Business.key).where(
        Business.id.in_(listed(business_ids))
    )


def _addresses(business_ids: Sequence[int], kind: ContactKind) -> Select[str, str]:
    """Their addresses of a kind that are not known to be wrong, as what is barred."""
    return select(literal(_BARRED[kind], Suppression.kind.type), ContactPoint.value).where(
        ContactPoint.business_id.in_(listed(business_ids)),
        ContactPoint.kind == kind,
        ContactPoint.state != ContactState.INVALID,
    )


def _barred_by(business_ids: Sequence[int]) -> ColumnElement[bool]:
    """A suppression that is there because of these leads alone."""
    keys = select(Business.key).where(Business.id.in_(listed(business_ids)))
    by_key = and_(Suppression.kind == SuppressionKind.BUSINESS, Suppression.value.in_(keys))
    return or_(by_key, *(_barred_address(business_ids, kind) for kind in _BARRED))


def _barred_address(business_ids: Sequence[int], kind: ContactKind) -> ColumnElement[bool]:
    having = (
        select(ContactPoint.id)
        .join(Business, Business.id == ContactPoint.business_id)
        .where(ContactPoint.kind == kind, ContactPoint.value == Suppression.value)
    )
    own = having.where(
        Business.id.in_(listed(business_ids)), Business.do_not_contact_reason == Suppression.reason
    )
    others = having.where(Business.id.not_in(business_ids), Business.do_not_contact.is_(True))
    return and_(Suppression.kind == _BARRED[kind], own.exists(), ~others.exists())
