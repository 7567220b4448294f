"""How the accounts stand: what is set, what sends, when each was polled, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Message, StreamGap, SyncCursor
from crm_tui.providers.catalog import IMAP, PAYMENTS, TITLES
from crm_tui.services.accounts.keys import needs_key
from crm_tui.services.accounts.known import (
    NAMES,
    TEXTS,
    account_of,
    does,
    is_told,
    key_title,
    where,
)
from crm_tui.services.inbox.collecting import WHOLE
from crm_tui.services.sending.standing import read_standing


class State(StrEnum):
    """How an account stands, the gravest first."""

    NOT_SET = "not set"
    WAITS = "waits for you"
    LEFT_ALONE = "left alone"
    FAILS = "fails"
    WORKS = "works"
    READY = "not used yet"


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of an account, as polling left it; times are aware UTC.

    Attributes:
        problem: what is wrong since `failed_at`, and what to do; "" while it works.
        skew_seconds: how far the provider's clock is ahead of ours.
    """

    account: str
    name: str
    last_ok_at: datetime | None
    last_event_at: datetime | None
    failed_at: datetime | None
    next_at: datetime | None
    failures: int
    skew_seconds: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of which the provider told nothing; `filled` is what was found of it since."""

    account: str
    stream: str
    since: datetime
    until: datetime
    filled: int
    filled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account, with all that is known of it.

    Attributes:
        account: what tells it from others of the provider in the store.
        where: its server, domain or number.
        is_set: whether it has been told all it needs, its key apart.
        needs_key: whether it cannot do without one.
        key: where that is found: keyring, environment, command or file; "" nowhere.
        does: what it does at present; "" where nothing.
        problem: what is wrong, and what to do about it; "" where nothing is.
        left_alone_until: when it is tried again; None where it may be at once.
        sent_at: when the last message went through it.
        streams: what is polled of it.
        gaps: the newest first.
        acknowledged: whether the operator confirmed to know its policy.
    """

    name: str
    title: str
    channel: str
    account: str
    where: str
    is_set: bool
    needs_key: bool
    key: str
    does: str
    state: State
    problem: str
    left_alone_until: datetime | None
    sent_at: datetime | None
    streams: Sequence[Stream]
    gaps: Sequence[Gap]
    acknowledged: bool

    @property
    def last_poll_at(self) -> datetime | None:
        """When it was last polled to its end; None before."""
        return max((each.last_ok_at for each in self.streams if each.last_ok_at), default=None)

    @property
    def last_event_at(self) -> datetime | None:
        """When the newest thing happened that it told of."""
        return max(
            (each.last_event_at for each in self.streams if each.last_event_at), default=None
        )

    @property
    def skew_seconds(self) -> int | None:
        """How far its clock is ahead of ours, as far as that is known."""
        known = [each.skew_seconds for each in self.streams if each.skew_seconds is not None]
        return max(known, key=abs, default=None)


async def accounts(
    session: ReadSession,
    settings: Settings,
    keys: Mapping[str, str],
    *,
    home: str,
    now: datetime,
) -> list[Account]:
    """Every account there can be.

    Args:
        session: the store.
        settings: what is set.
        keys: where the keys are found (`keys.places`).
        home: the store's place (`standing.home_of`).
        now: aware UTC.
    """
    cursors = (await session.execute(select(SyncCursor))).scalars().all()
    by_time = select(StreamGap).order_by(StreamGap.until.desc())
    gaps = (await session.execute(by_time)).scalars().all()
    return [
        await _account(
            session,
            settings,
            name,
            key=keys[name],
            streams=[_stream(each) for each in cursors if each.provider == name],
            gaps=[_gap(each) for each in gaps if each.provider == name],
            home=home,
            now=now,
        )
        for name in NAMES
    ]


def _stream(row: SyncCursor) -> Stream:
    return Stream(
        row.account,
        row.stream,
        row.last_ok_at,
        row.last_event_at,
        row.failed_at,
        row.next_at,
        row.failures,
        row.skew_seconds,
        row.problem or "",
    )


def _gap(row: StreamGap) -> Gap:
    return Gap(row.account, row.stream, row.since, row.until, row.filled, row.filled_at)


async def _account(
    session: ReadSession,
    settings: Settings,
    name: str,
    *,
    key: str,
    streams: Sequence[Stream],
    gaps: Sequence[Gap],
    home: str,
    now: datetime,
) -> Account:
    account = account_of(name, settings)
    streams = [each for each in streams if each.account == account]
    if name == IMAP:  # its folders are parts of one reading
        streams = [each for each in streams if each.name == WHOLE or each.problem]
    standing = await read_standing(session, name, home=home)
    sent_at = await session.scalar(
        select(Message.sent_at)
        .where(Message.provider == name, Message.sent_at.is_not(None))
        .order_by(Message.id.desc())
        .limit(1)
    )
    is_set = is_told(name, settings, key=key)
    needs = needs_key(name, settings)
    problem = standing.problem or next((each.problem for each in streams if each.problem), "")
    times = [standing.breaker.until, *(each.next_at for each in streams if each.failures)]
    until = max((each for each in times if each is not None and each > now), default=None)
    if not is_set:
        state, problem, until = State.NOT_SET, "", None
    elif needs and not key:
        state = State.WAITS
        problem = problem or f"No {key_title(name)} is found for it."
    elif problem:
        state = State.LEFT_ALONE if until else State.FAILS
    else:
        used = sent_at or any(each.last_ok_at for each in streams)
        state, until = State.WORKS if used else State.READY, None
    return Account(
        name=name,
        title=TITLES[name],
        channel=_channel(name),
        account=account,
        where=where(name, settings) if is_set else "",
        is_set=is_set,
        needs_key=needs,
        key=key,
        does=does(name, settings) if is_set else "",
        state=state,
        problem=problem,
        left_alone_until=until,
        sent_at=sent_at,
        streams=streams,
        gaps=gaps,
        acknowledged=name in settings.compliance.policies_acknowledged,
    )


def _channel(name: str) -> str:
    if name in PAYMENTS:
        return "payments"
    return "sms" if name in TEXTS else "email"
