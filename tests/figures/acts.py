"""Whole histories of a store as lists of what happened, done one after the other through the services.

What is told may have happened long before: acts come in any order of their own times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import insert, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business, ImportBatch, Message, Site, Spend
from crm_tui.errors import BadInput, NotFound
from crm_tui.providers.money import (
    MoneyEvent,
    MoneyKind,
    PaymentTold,
    RefundTold,
    SubscriptionTold,
)
from crm_tui.services import events, leads, timeline, undo
from crm_tui.services.erase import erasing
from crm_tui.services.events import NewEvent
from crm_tui.services.merge import merging
from crm_tui.services.money import by_hand, telling
from crm_tui.vocabulary import (
    BatchState,
    CallOutcome,
    Channel,
    ContactStatus,
    EventKind,
    Interval,
    MessageState,
    Mode,
    PaymentState,
    RefundState,
    SiteStatus,
    SubscriptionState,
)

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SETTINGS = Settings()
SOURCES = ("maps", "list")
MAIL_MARKS = ("opened", "machine_opened", "clicked", "machine_clicked", "replied")


@dataclass(frozen=True)
class Mail:
    """A message that was sent, and what came of it."""

    lead: int
    at: datetime
    provider: str
    delivered: bool
    bounced: bool
    marks: frozenset[str]
    cost: int | None


@dataclass(frozen=True)
class Call:
    lead: int
    at: datetime
    outcome: CallOutcome
    undone: bool


@dataclass(frozen=True)
class Pay:
    """A payment a provider tells of; refunded in part or whole."""

    lead: int
    at: datetime
    amount: int
    currency: str
    mode: Mode
    state: PaymentState
    refunded: int


@dataclass(frozen=True)
class Cash:
    """A payment recorded by hand, and perhaps taken back."""

    lead: int
    at: datetime
    amount: int
    currency: str
    undone: bool


@dataclass(frozen=True)
class Subscribe:
    """What a provider tells of one subscription, one change after the other."""

    lead: int
    mode: Mode
    changes: tuple[tuple[datetime, SubscriptionState, int, str, Interval, int], ...]

    @property
    def standing(self) -> tuple[tuple[datetime, SubscriptionState, int, str, Interval, int], ...]:
        """The changes that count: what has ended never runs again."""
        ends = [each[0] for each in self.changes if each[1] is SubscriptionState.ENDED]
        return tuple(each for each in self.changes if not ends or each[0] <= min(ends))


@dataclass(frozen=True)
class SetStatus:
    lead: int
    status: ContactStatus


@dataclass(frozen=True)
class Build:
    """A site of a lead."""

    lead: int
    status: SiteStatus


@dataclass(frozen=True)
class Merge:
    lead: int
    other: int


@dataclass(frozen=True)
class Archive:
    """A lead goes out of the list, and perhaps comes back."""

    lead: int
    restored: bool


@dataclass(frozen=True)
class Erase:
    lead: int


@dataclass(frozen=True)
class Spent:
    day: date
    amount: int
    currency: str


@dataclass(frozen=True)
class Imported:
    at: datetime
    state: BatchState
    created: int
    merged: int
    rejected: int


Act = (
    Mail
    | Call
    | Pay
    | Cash
    | Subscribe
    | SetStatus
    | Build
    | Merge
    | Archive
    | Erase
    | Spent
    | Imported
)


@dataclass
class Done:
    """A store after its history.

    Attributes:
        captured: when each lead was captured, by its place.
        acts: those that were done; what was refused is left out.
        went_to: of each lead that was merged into another, that one.
        ids: the number of each lead in the store.
    """

    captured: Sequence[datetime]
    acts: list[Act] = field(default_factory=list)
    went_to: dict[int, int] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)

    def lead(self, place: int) -> int:
        """The lead that has what belonged to this one."""
        return root(self.went_to, place)


def root(went_to: Mapping[int, int], place: int) -> int:
    """The lead that another is part of in the end, by what went to what."""
    while place in went_to:
        place = went_to[place]
    return place


_times = st.integers(0, 264 * 24 * 2).map(lambda half: BEGIN + timedelta(minutes=30 * half))
_currencies = st.sampled_from(["USD", "USD", "EUR", "JPY"])
_amounts = st.integers(1, 30_000)
_modes = st.sampled_from([Mode.LIVE, Mode.LIVE, Mode.TEST, Mode.MANUAL])


def _subscribing(lead: st.SearchStrategy[int]) -> st.SearchStrategy[Subscribe]:
    change = st.tuples(
        _times,
        st.sampled_from([SubscriptionState.ACTIVE, SubscriptionState.ENDED, *SubscriptionState]),
        _amounts,
        _currencies,
        st.sampled_from([Interval.MONTH, Interval.YEAR, Interval.WEEK]),
        st.integers(1, 3),
    )
    changes = st.lists(change, min_size=1, max_size=4, unique_by=lambda each: each[0])
    return st.builds(Subscribe, lead, _modes, changes.map(tuple))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[datetime], list[Act]]:
    """When leads were captured, and what happened then."""
    captured = draw(st.lists(_times, min_size=1, max_size=5))
    lead = st.sampled_from(range(len(captured)))
    each = st.one_of(
        st.builds(
            Mail,
            lead,
            _times,
            st.sampled_from(["smtp", "mailgun", "mailgun", "twilio"]),
            st.booleans(),
            st.sampled_from([False, False, True]),
            st.frozensets(st.sampled_from(MAIL_MARKS), max_size=3),
            st.none() | st.integers(1, 90_000),
        ),
        st.builds(
            Call,
            lead,
            _times,
            st.sampled_from([CallOutcome.NO_ANSWER, CallOutcome.TALKED]),
            st.sampled_from([False, False, True]),
        ),
        st.builds(
            Pay,
            lead,
            _times,
            _amounts,
            _currencies,
            _modes,
            st.sampled_from([PaymentState.SUCCEEDED, PaymentState.SUCCEEDED, PaymentState.FAILED]),
            st.sampled_from([0, 0, 1, 30_000]),
        ),
        st.builds(Cash, lead, _times, _amounts, _currencies, st.booleans()),
        _subscribing(lead),
        _subscribing(lead),
        st.builds(SetStatus, lead, st.sampled_from([ContactStatus.PENDING, *ContactStatus])),
        st.builds(Build, lead, st.sampled_from([SiteStatus.PREVIEW, SiteStatus.ARCHIVED])),
        st.builds(Merge, lead, lead),
        st.builds(Archive, lead, st.booleans()),
        st.builds(Spent, _times.map(datetime.date), _amounts, _currencies),
        st.builds(
            Imported,
            _times,
            st.sampled_from([BatchState.DONE, BatchState.CANCELLED, BatchState.UNDONE]),
            *[st.integers(0, 50)] * 3,
        ),
    )
    acts = draw(st.lists(each, min_size=2, max_size=14))
    if draw(st.integers(0, 7)) == 0:  # it takes as long as all the rest
        acts.insert(draw(st.integers(0, len(acts))), Erase(draw(lead)))
    return captured, acts


async def do(db: Database, captured: Sequence[datetime], acts: Sequence[Act]) -> Done:
    """Have it happen."""
    done = Done(captured)
    for place, at in enumerate(captured):
        # Some can be reached in one way or two, and are worth more for it.
        facts = {"phone": f"+1718555014{place}"} if place % 3 else {}
        facts |= {"email": f"joe@b{place}.example"} if place % 3 == 2 else {}
        name, source = f"Lead {place}", SOURCES[place % 2]
        async with db.write() as session:
            lead = await leads.add(
                session, {"name": name, **facts}, settings=SETTINGS, now=at, source=source
            )
        done.ids.append(lead)
    for number, act in enumerate(acts):
        try:
            await _do(db, done, act, number)
        except (BadInput, NotFound):
            continue
        if isinstance(act, Erase):
            _end_what_runs(done, done.lead(act.lead), NOW - timedelta(days=1, minutes=-number))
        done.acts.append(act)
        if isinstance(act, Merge):
            done.went_to[done.lead(act.other)] = done.lead(act.lead)
    return done


def _end_what_runs(done: Done, lead: int, at: datetime) -> None:
    """What runs of a lead that is erased has ended with it."""
    for place, act in enumerate(done.acts):
        if isinstance(act, Subscribe) and done.lead(act.lead) == lead:
            latest = max(act.standing)
            if latest[1] is not SubscriptionState.ENDED:
                last = (at, SubscriptionState.ENDED, *latest[2:])
                done.acts[place] = replace(act, changes=(*act.changes, last))


async def _do(db: Database, done: Done, act: Act, number: int) -> None:
    at = NOW - timedelta(days=1, minutes=-number)
    match act:
        case Merge():
            keep, other = done.lead(act.lead), done.lead(act.other)
            if keep == other:
                raise BadInput("they are one")
            async with undo.action(db, "merged", now=at) as session:
                ids = done.ids[keep], [done.ids[other]]
                await merging.merge(session, *ids, score=SETTINGS.score, now=at)
        case Erase():
            await erasing.erase(db, done.ids[done.lead(act.lead)], settings=SETTINGS, now=at)
        case Cash() | Call():
            async with undo.action(db, "recorded", now=at) as session:
                await _record(session, done.ids[done.lead(act.lead)], act, at)
            if act.undone:
                await undo.undo(db, settings=SETTINGS, now=at)
        case Spent():
            async with db.write() as session:
                await session.execute(insert(Spend).values(**_spend(act, number)))
        case Imported():
            async with db.write() as session:
                session.add(_batch(act))
        case _:
            lead = done.ids[done.lead(act.lead)]
            async with db.write() as session:
                await _happen(session, lead, act, number, at)


async def _record(session: WriteSession, lead: int, act: Cash | Call, now: datetime) -> None:
    if isinstance(act, Call):
        await timeline.log_call(session, lead, act.outcome, at=act.at, now=now)
    else:
        await by_hand.pay(session, lead, act.amount, act.currency, paid_at=act.at, now=now)


async def _happen(session: WriteSession, lead: int, act: Any, number: int, now: datetime) -> None:
    match act:
        case Mail():
            await _send(session, lead, act, number, now)
        case Pay() | Subscribe():
            provider = "manual" if act.mode is Mode.MANUAL else "stripe"
            for told in _told(act, number):
                await telling.tell(
                    session, lead, told, provider=provider, mode=act.mode, source=provider, now=now
                )
        case SetStatus():
            await timeline.set_status(session, lead, act.status, now=now)
        case Build():
            session.add(_site(act, lead, number))
            built = NewEvent(lead, EventKind.SITE_BUILT, now, "site built", "you")
            await events.record(session, built, now=now)
        case Archive():
            await session.execute(
                update(Business)
                .where(Business.id == lead)
                .values(archived_at=None if act.restored else now)
            )


async def _send(session: WriteSession, lead: int, mail: Mail, number: int, now: datetime) -> None:
    text = mail.provider == "twilio"
    marks = {f"{mark}_at": mail.at for mark in mail.marks}
    session.add(
        Message(
            key=f"message-{number}",
            business_id=lead,
            origin_id=lead,
            channel=Channel.SMS if text else Channel.EMAIL,
            address=f"a{number}@b.example",
            message_id=f"<{number}@b.example>",
            token=f"token-{number}",
            state=MessageState.SENT,
            provider=mail.provider,
            created_at=mail.at,
            sent_at=mail.at,
            delivered_at=mail.at if mail.delivered else None,
            bounced_at=mail.at if mail.bounced else None,
            body="text",
            cost=mail.cost,
            currency=None if mail.cost is None else "EUR",
            **marks,
        )
    )
    kind = EventKind.SMS_SENT if text else EventKind.EMAIL_SENT
    status = ContactStatus.TEXTED if text else ContactStatus.EMAILED
    known = [NewEvent(lead, kind, mail.at, "sent", "you", moves_to=status)]
    for mark in sorted(mail.marks):
        plain = mark.removeprefix("machine_")
        known.append(
            NewEvent(
                lead,
                EventKind(plain),
                mail.at,
                plain,
                mail.provider,
                moves_to=ContactStatus(plain),
                by_machine=plain != mark,
            )
        )
    await events.record(session, *known, now=now)


def _told(act: Pay | Subscribe, number: int) -> list[MoneyEvent]:
    if isinstance(act, Pay):
        told = PaymentTold(
            state=act.state,
            amount=act.amount,
            currency=act.currency,
            at=act.at,
            payment_intent=f"pi_{number}",
        )
        payment = MoneyEvent(
            name=f"evt_{number}",
            kind=MoneyKind.PAYMENT,
            occurred_at=act.at,
            live=act.mode is Mode.LIVE,
            payment=told,
        )
        if not act.refunded or act.state is not PaymentState.SUCCEEDED:
            return [payment]
        back = RefundTold(
            id=f"re_{number}",
            amount=min(act.refunded, act.amount),
            state=RefundState.SUCCEEDED,
            at=act.at + timedelta(hours=1),
        )
        refund = replace(payment, name=f"re_{number}", kind=MoneyKind.REFUND, refund=back)
        return [payment, refund]
    return [
        MoneyEvent(
            name=f"sub_{number}_{place}",
            kind=MoneyKind.SUBSCRIPTION,
            occurred_at=at,
            live=act.mode is Mode.LIVE,
            subscription=SubscriptionTold(
                id=f"sub_{number}",
                state=state,
                amount=amount,
                currency=currency,
                interval=interval,
                interval_count=every,
                started_at=min(each[0] for each in act.changes),
                ended_at=at if state is SubscriptionState.ENDED else None,
            ),
        )
        for place, (at, state, amount, currency, interval, every) in enumerate(act.changes)
    ]


def _site(act: Build, lead: int, number: int) -> Site:
    return Site(
        business_id=lead,
        slug=f"site-{number}",
        theme="trades",
        status=act.status,
        content_hash="0",
        created_at=NOW,
        built_at=NOW,
        html="<!doctype html>",
    )


def _spend(act: Spent, number: int) -> dict[str, Any]:
    return {
        "key": f"spend-{number}",
        "spent_on": act.day,
        "kind": "ads",
        "amount": act.amount,
        "currency": act.currency,
        "created_at": NOW,
    }


def _batch(act: Imported) -> ImportBatch:
    return ImportBatch(
        file_name="leads.csv",
        format="csv",
        state=act.state,
        seen=act.created + act.merged + act.rejected,
        created=act.created,
        merged=act.merged,
        rejected=act.rejected,
        started_at=act.at,
    )
