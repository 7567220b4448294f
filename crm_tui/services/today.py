"""What today asks for: follow-ups due, answers to sort, and what went wrong.

Every line is a record that is in a state somebody has to deal with; it is gone as soon as the
record is not in that state any more, however that came. Nothing is stored for this list.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import IntEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    func,
    literal_column,
    select,
)

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import (
    Business,
    ContactPoint,
    Event,
    Message,
    Site,
    SyncCursor,
    Task,
    Unmatched,
)
from crm_tui.providers.catalog import POLLED, TITLES
from crm_tui.services import today_money
from crm_tui.services.contacts import phone_words
from crm_tui.services.publishing import leftovers
from crm_tui.services.publishing.choosing import HALF_DOWN, UNSETTLED
from crm_tui.services.tasks import OPEN as TASK_OPEN
from crm_tui.services.today_answers import (
    ANSWERED,
    WROTE,
    customers_who_wrote,
    in_a_line,
    is_word,
    latest,
    unsorted,
)
from crm_tui.services.today_money import About
from crm_tui.text import plural
from crm_tui.vocabulary import (
    ContactKind,
    ContactState,
    EventKind,
    MessageState,
    Mode,
    Outcome,
    UnmatchedKind,
    UnmatchedState,
    WebsiteStatus,
)


class Kind(IntEnum):
    """Why a line is there."""

    FOLLOW_UP = 0
    ANSWER = 1
    BOUNCE = 2
    FAILED = 3
    UNMATCHED = 4
    UNCERTAIN = 5
    MAILBOX = 6
    NOT_PUBLISHED = 7
    STILL_PUBLIC = 8
    CUSTOMER = 9
    NOT_POLLED = 10
    PAID = 11
    NOT_PAID = 12
    ENDING = 13
    OVERDUE = 14
    DISPUTED = 15


_KINDS = 16
"""What tells the kinds apart in the id of a line: record times this, plus the kind."""

ERASED = 0
"""The record of the line about public pages whose leads were erased: no site has this number."""

_IN_MIND = 500
"""Answers that are put in order exactly; of more, those come first that something happened to."""

MONEY = {
    Kind.DISPUTED: About.DISPUTED,
    Kind.NOT_PAID: About.FAILED,
    Kind.OVERDUE: About.OVERDUE,
    Kind.ENDING: About.ENDING,
    Kind.PAID: About.PAID,
}
"""The kinds that are about money, in their order; see today_money."""

_IN_HAND = (Outcome.OPEN, Outcome.INTERESTED, Outcome.LATER)
_REACHED_BY = (ContactKind.EMAIL, ContactKind.PHONE)
_CURSOR_ID: ColumnElement[int] = literal_column("sync_cursor.rowid", Integer)
_FAILING = (ContactState.BOUNCED, ContactState.INVALID)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to deal with.

    Attributes:
        id: What tells it from every other line.
        lead: The lead it is about; None where there is none (yet).
        name: The lead's name, or what the record or the provider is called.
        at: When it is due (follow-ups) or happened, aware UTC; None where nobody knows.
        what: What is to be done, was said, or went wrong.
        is_mail: Whether it is a mail that waits for a lead, rather than a site.
    """

    id: int
    lead: int | None
    name: str
    at: datetime | None
    what: str
    is_mail: bool = False

    @property
    def kind(self) -> Kind:
        """Why it is there."""
        return Kind(self.id % _KINDS)

    @property
    def is_due(self) -> bool:
        """Whether its time is one to keep, rather than one at which something happened."""
        return self.kind is Kind.FOLLOW_UP

    @property
    def record(self) -> int:
        """The id of what it is about: a follow-up, lead, contact point, message, payment and so on."""
        return self.id // _KINDS


async def order(
    db: Database, *, due_by: datetime, modes: Collection[Mode] = tuple(Mode)
) -> dict[Kind, array[int]]:
    """The ids of the lines, by kind, each in the order to deal with them.

    Args:
        db: the store.
        due_by: follow-ups due later than this are left out.
        modes: the money that counts.
    """
    groups = {kind: await db.integers(ids) for kind, ids in _orders(due_by, modes).items()}
    async with db.read() as session:
        if await leftovers.left(session):
            groups[Kind.STILL_PUBLIC].append(_line_id(Kind.STILL_PUBLIC, ERASED))
    if len(groups[Kind.ANSWER]) <= _IN_MIND:
        groups[Kind.ANSWER] = await _newest_answer_first(db, groups[Kind.ANSWER])
    return groups


async def _newest_answer_first(db: Database, ids: array[int]) -> array[int]:
    """In the order in which they answered, rather than in that of what happened to them since."""
    leads = [line_id // _KINDS for line_id in ids]
    async with db.read() as session:
        said = await latest(session, leads, *ANSWERED)
    newest = sorted(said, key=lambda lead: said[lead][0], reverse=True)
    rest = (lead for lead in leads if lead not in said)
    return array("q", (_line_id(Kind.ANSWER, lead) for lead in (*newest, *rest)))


async def lines(
    session: ReadSession, ids: Sequence[int], *, zone: tzinfo | None = UTC
) -> list[Line]:
    """The lines of these ids, in no particular order; those that are gone are left out.

    Days in their words are those of the zone; None is the machine's own.
    """
    records: dict[Kind, list[int]] = {kind: [] for kind in Kind}
    for line_id in ids:
        records[Kind(line_id % _KINDS)].append(line_id // _KINDS)
    return [
        *await _follow_ups(session, records[Kind.FOLLOW_UP]),
        *await _customers(session, records[Kind.CUSTOMER]),
        *await _answers(session, records[Kind.ANSWER]),
        *await _pages(session, Kind.NOT_PUBLISHED, records[Kind.NOT_PUBLISHED], *UNSETTLED),
        *await _pages(session, Kind.STILL_PUBLIC, records[Kind.STILL_PUBLIC], *HALF_DOWN),
        *await _of_erased(session, records[Kind.STILL_PUBLIC]),
        *await _bounces(session, records[Kind.BOUNCE]),
        *await _failed(session, records[Kind.FAILED]),
        *await _unmatched(session, records[Kind.UNMATCHED]),
        *await _uncertain(session, records[Kind.UNCERTAIN]),
        *await _unread(session, Kind.MAILBOX, records[Kind.MAILBOX]),
        *await _unread(session, Kind.NOT_POLLED, records[Kind.NOT_POLLED]),
        *[
            Line(_line_id(kind, each.record), each.lead, each.name, each.at, each.what)
            for kind, about in MONEY.items()
            for each in await today_money.lines(session, about, records[kind], zone=zone)
        ],
    ]


async def next_due(session: ReadSession, *, after: datetime) -> datetime | None:
    """When the first follow-up after this time is due; None where there is none."""
    return await session.scalar(
        select(Task.due_at)
        .join(Business, Business.id == Task.business_id)
        .where(TASK_OPEN, Task.due_at > after, Business.archived_at.is_(None))
        .order_by(Task.due_at)
        .limit(1)
    )


def _orders(due_by: datetime, modes: Collection[Mode] = tuple(Mode)) -> Mapping[Kind, Select[int]]:
    best = (Business.qualification_score.desc(), Business.sort_name, Business.id)
    return {
        Kind.MAILBOX: _ids(_CURSOR_ID, Kind.MAILBOX)
        .select_from(SyncCursor)
        .where(SyncCursor.problem.is_not(None), SyncCursor.provider.not_in(POLLED))
        .order_by(SyncCursor.stream),
        Kind.NOT_POLLED: _ids(_CURSOR_ID, Kind.NOT_POLLED)
        .select_from(SyncCursor)
        .where(SyncCursor.problem.is_not(None), SyncCursor.provider.in_(POLLED))
        .order_by(SyncCursor.provider, SyncCursor.account),
        Kind.UNCERTAIN: _ids(Message.id, Kind.UNCERTAIN)
        .where(_is_uncertain())
        .order_by(Message.id),
        Kind.FOLLOW_UP: _ids(Task.id, Kind.FOLLOW_UP)
        .join(Business, Business.id == Task.business_id)
        .where(TASK_OPEN, Task.due_at <= due_by, Business.archived_at.is_(None))
        .order_by(Task.due_at, Task.id),
        **{
            kind: _of_money(today_money.order(about, due_by=due_by, modes=modes), kind)
            for kind, about in MONEY.items()
        },
        Kind.CUSTOMER: _ids(Business.id, Kind.CUSTOMER)
        .where(*customers_who_wrote())
        .order_by(Business.last_activity_at.desc(), Business.id),
        Kind.ANSWER: _ids(Business.id, Kind.ANSWER)
        .where(*unsorted())
        .order_by(Business.last_activity_at.desc(), Business.id),
        Kind.NOT_PUBLISHED: _ids(Site.id, Kind.NOT_PUBLISHED)
        .join(Business, Business.id == Site.business_id)
        .where(*UNSETTLED)
        .order_by(*best, Site.id),
        Kind.STILL_PUBLIC: _ids(Site.id, Kind.STILL_PUBLIC).where(*HALF_DOWN).order_by(Site.id),
        Kind.BOUNCE: _ids(ContactPoint.id, Kind.BOUNCE)
        .join(Business, Business.id == ContactPoint.business_id)
        .where(*_bouncing())
        .order_by(*best, ContactPoint.id),
        Kind.FAILED: _ids(Business.id, Kind.FAILED).where(*_has_failed()).order_by(*best),
        Kind.UNMATCHED: _ids(Unmatched.id, Kind.UNMATCHED)
        .where(*_waiting())
        .order_by(Unmatched.id),
    }


def _ids(record: ColumnElement[int] | Any, kind: Kind) -> Select[int]:
    return select(record * _KINDS + int(kind))


def _of_money(records: Select[int], kind: Kind) -> Select[int]:
    (record,) = records.selected_columns
    return records.with_only_columns(record * _KINDS + int(kind))


def _bouncing() -> tuple[ColumnElement[bool], ...]:
    return (
        ContactPoint.state != literal_column(f"'{ContactState.UNKNOWN}'"),
        ContactPoint.state.in_(_FAILING),
        ContactPoint.kind.in_(_REACHED_BY),
        ContactPoint.is_primary.is_(True),
        Business.archived_at.is_(None),
        Business.do_not_contact.is_(False),
        Business.outcome.in_(_IN_HAND),
    )


def _has_failed() -> tuple[ColumnElement[bool], ...]:
    return (
        is_word(Business.__table__.c.website_status, WebsiteStatus.FAILED),
        Business.archived_at.is_(None),
    )


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return (is_word(Unmatched.__table__.c.state, UnmatchedState.OPEN),)


def _is_uncertain() -> ColumnElement[bool]:
    sending = (MessageState.SENDING, MessageState.UNCERTAIN)
    of_index = Message.__table__.c.state.in_([literal_column(f"'{each}'") for each in sending])
    return and_(of_index, Message.state == MessageState.UNCERTAIN)


async def _follow_ups(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    rows = await session.execute(
        select(Task.id, Task.business_id, Business.name, Task.due_at, Task.what)
        .join(Business, Business.id == Task.business_id)
        .where(Task.id.in_(ids), TASK_OPEN)
    )
    return [
        Line(_line_id(Kind.FOLLOW_UP, id_), lead, name, due, what)
        for id_, lead, name, due, what in rows
    ]


async def _answers(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    """What was said last by those who answered."""
    rows = await session.execute(
        select(Business.id, Business.name).where(Business.id.in_(ids), *unsorted())
    )
    said = await latest(session, ids, *ANSWERED)
    return [
        Line(_line_id(Kind.ANSWER, id_), id_, name, *said.get(id_, (None, "")))
        for id_, name in rows
    ]


async def _customers(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    """What was written last by customers who wrote."""
    rows = await session.execute(
        select(Business.id, Business.name).where(Business.id.in_(ids), *customers_who_wrote())
    )
    said = await latest(session, ids, *ANSWERED, Event.kind.in_(WROTE))
    return [
        Line(_line_id(Kind.CUSTOMER, id_), id_, name, *said.get(id_, (None, "")))
        for id_, name in rows
    ]


async def _pages(
    session: ReadSession, kind: Kind, ids: Sequence[int], *which: ColumnElement[bool]
) -> list[Line]:
    """Sites that could not be published or taken down, and why."""
    rows = await session.execute(
        select(Site.id, Site.business_id, Business.name, Site.publish_problem)
        .join(Business, Business.id == Site.business_id)
        .where(Site.id.in_(ids), *which)
    )
    return [Line(_line_id(kind, id_), lead, name, None, why or "") for id_, lead, name, why in rows]


async def _of_erased(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    """Pages of leads that are gone, of which nothing is known but that they may still be public."""
    if ERASED not in ids or not (left := await leftovers.left(session)):
        return []
    what = f"{plural(len(left), 'page')} may still be public"
    return [Line(_line_id(Kind.STILL_PUBLIC, ERASED), None, "Erased leads", None, what)]


async def _bounces(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    rows = await session.execute(
        select(
            ContactPoint.id,
            ContactPoint.business_id,
            Business.name,
            ContactPoint.value,
            ContactPoint.state,
            ContactPoint.state_reason,
        )
        .join(Business, Business.id == ContactPoint.business_id)
        .where(ContactPoint.id.in_(ids), *_bouncing())
    )
    return [
        Line(
            _line_id(Kind.BOUNCE, id_), lead, name, None, f"{phone_words(value)}: {reason or state}"
        )
        for id_, lead, name, value, state, reason in rows
    ]


async def _failed(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    rows = await session.execute(
        select(Business.id, Business.name).where(Business.id.in_(ids), *_has_failed())
    )
    why = await latest(session, ids, Event.kind == EventKind.SITE_FAILED)
    return [
        Line(_line_id(Kind.FAILED, id_), id_, name, *why.get(id_, (None, ""))) for id_, name in rows
    ]


async def _unmatched(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    rows = await session.execute(
        select(
            Unmatched.id,
            Unmatched.kind,
            Unmatched.title,
            Unmatched.created_at,
            Unmatched.reason,
            func.json_extract(Unmatched.payload, "$.subject"),
            func.json_extract(Unmatched.payload, "$.text"),
        ).where(Unmatched.id.in_(ids), *_waiting())
    )
    return [
        Line(_line_id(Kind.UNMATCHED, id_), None, title, at, reason)
        if kind is UnmatchedKind.SITE
        else Line(
            _line_id(Kind.UNMATCHED, id_),
            None,
            title,
            at,
            in_a_line(subject, text) or reason,
            is_mail=True,
        )
        for id_, kind, title, at, reason, subject, text in rows
    ]


async def _uncertain(session: ReadSession, ids: Sequence[int]) -> list[Line]:
    rows = await session.execute(
        select(
            Message.id,
            Message.business_id,
            Business.name,
            Message.claimed_at,
            Message.address,
            Message.reason,
        )
        .join(Business, Business.id == Message.business_id)
        .where(Message.id.in_(ids), Message.state == MessageState.UNCERTAIN)
    )
    return [
        Line(_line_id(Kind.UNCERTAIN, id_), lead, name, at, f"a mail to {address}: {reason}")
        for id_, lead, name, at, address, reason in rows
    ]


async def _unread(session: ReadSession, kind: Kind, ids: Sequence[int]) -> list[Line]:
    """Mailboxes that cannot be read, or providers that cannot be polled, and why."""
    rows = await session.execute(
        select(
            _CURSOR_ID,
            SyncCursor.provider,
            SyncCursor.account,
            SyncCursor.failed_at,
            SyncCursor.problem,
        ).where(_CURSOR_ID.in_(ids), SyncCursor.problem.is_not(None))
    )
    return [
        Line(_line_id(kind, id_), None, name, at, problem or "")
        for id_, provider, account, at, problem in rows
        for name in [account if kind is Kind.MAILBOX else TITLES[provider]]
    ]


def _line_id(kind: Kind, record: int) -> int:
    return record * _KINDS + kind
