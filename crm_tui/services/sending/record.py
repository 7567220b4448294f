"""Recording what became of a message that was on its way, in the same words for every provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Business, Campaign, CampaignStep, ContactPoint, Message
from crm_tui.providers.base import (
    Blocked,
    Misconfigured,
    ProviderError,
    Refused,
    Sent,
    TryLater,
    Unavailable,
    Unclear,
    Unsendable,
)
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.backoff import MESSAGE, failed, succeeded, too_many_bounces
from crm_tui.services.sending.claim import Claimed
from crm_tui.services.sending.ending import end_campaigns, leave_out
from crm_tui.services.sending.hours import after, read_delay
from crm_tui.services.zones import zone_of
from crm_tui.vocabulary import (
    CampaignState,
    ContactKind,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
)

REFUSED_BEFORE = "the mail before it was refused"
"""Why a step is skipped after one that failed."""

_MISCONFIGURED_FOR = timedelta(minutes=15)
"""How long a provider that waits for the operator is left alone before it is tried again."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a provider made of one message; `at` is when it answered."""

    message: Claimed
    answer: Sent | ProviderError
    at: datetime


@dataclass(slots=True)
class Tally:
    """How many messages ended how; `problem` is what is wrong with the provider, if anything."""

    sent: int = 0
    failed: int = 0
    uncertain: int = 0
    later: int = 0
    problem: str = ""


async def record(
    session: WriteSession, results: Sequence[Result], account: Account, *, home: str, now: datetime
) -> Tally:
    """Write what became of messages, and what follows: the timeline, later steps, the breaker."""
    tally = Tally()
    known = await standing.read_standing(session, account.provider, home=home)
    breaker, problem = known.breaker, known.problem
    for result in results:
        error = result.answer
        if isinstance(error, Unavailable | Misconfigured):
            asked = _asked(error)
            breaker = failed(breaker, result.at, key=account.provider, asked=asked)
            problem = tally.problem = str(error)
        elif not isinstance(error, Unclear):
            breaker, problem = succeeded(), ""
        await _one(session, result, account, tally, now=now)
    if (breaker, problem) != (known.breaker, known.problem):
        await standing.keep_breaker(session, account.provider, breaker, problem)
    campaigns = {result.message.campaign_id for result in results}
    await pause_for_bounces(session, campaigns - {None}, now=now)
    await end_campaigns(session, campaigns, now=now)
    return tally


def _asked(error: Unavailable | Misconfigured) -> timedelta | None:
    if isinstance(error, Misconfigured):
        return _MISCONFIGURED_FOR
    return timedelta(seconds=error.after) if error.after else None


async def _one(
    session: WriteSession, result: Result, account: Account, tally: Tally, *, now: datetime
) -> None:
    message, answer = result.message, result.answer
    match answer:
        case Sent():
            await _sent(session, message, answer.provider_id, account, at=result.at, now=now)
            tally.sent += 1
        case Refused() | Blocked() | Unsendable():
            await _failed(session, message, answer, at=result.at, now=now)
            tally.failed += 1
        case TryLater():
            tally.failed += await _later(session, message, answer, at=result.at, now=now)
            tally.later += 1
        case Unclear():
            await _set(
                session,
                message,
                state=MessageState.UNCERTAIN,
                reason=f"it may have been sent or not: {answer.words}",
            )
            tally.uncertain += 1
        case _:
            await _set(session, message, state=MessageState.QUEUED, due_at=result.at)
            tally.later += 1


async def _set(session: WriteSession, message: Claimed, **values: object) -> None:
    """Write the end of a claim."""
    await session.execute(
        update(Message)
        .where(Message.id == message.id, Message.state == MessageState.SENDING)
        .values(claimed_by=None, **values)
        .execution_options(synchronize_session=None)
    )


async def _sent(
    session: WriteSession,
    message: Claimed,
    provider_id: str | None,
    account: Account,
    *,
    at: datetime,
    now: datetime,
) -> None:
    await _set(
        session, message, state=MessageState.SENT, sent_at=at, provider_id=provider_id, reason=None
    )
    await tell_sent(session, message, message.mail.subject, message.mail.text, at=at, now=now)
    await queue_next(session, message.id, account, at=at)


async def tell_sent(
    session: WriteSession,
    message: Claimed | Message,
    subject: str,
    text: str,
    *,
    at: datetime,
    now: datetime,
) -> None:
    """Write on the timeline that a mail went, once."""
    await events.record(
        session,
        NewEvent(
            message.business_id,
            EventKind.EMAIL_SENT,
            at,
            f"mail: {subject}",
            message.provider or "crm-tui",
            key=f"sent:{message.id}",
            moves_to=ContactStatus.EMAILED,
            body=text,
            message_id=message.id,
        ),
        now=now,
    )


async def queue_next(
    session: WriteSession, message_id: int, account: Account, *, at: datetime
) -> None:
    """Give the step after a sent message its time."""
    row = (
        await session.execute(
            select(
                Message.campaign_id,
                Message.origin_id,
                CampaignStep.position,
                Business.timezone,
                Business.country,
                Business.region,
                Business.phone,
            )
            .join(CampaignStep, CampaignStep.id == Message.step_id)
            .join(Business, Business.id == Message.business_id)
            .where(Message.id == message_id)
        )
    ).first()
    if row is None:
        return
    following = (
        await session.execute(
            select(CampaignStep.id, CampaignStep.delay)
            .where(
                CampaignStep.campaign_id == row.campaign_id, CampaignStep.position > row.position
            )
            .order_by(CampaignStep.position)
            .limit(1)
        )
    ).first()
    if following is None:
        return
    known = {name: getattr(row, name) for name in ("timezone", "country", "region", "phone")}
    zone = zone_of(known, account.zone)
    due_at = after(at, read_delay(following.delay or "0h"), zone, account.rules)
    await session.execute(
        update(Message)
        .where(
            Message.step_id == following.id,
            Message.origin_id == row.origin_id,
            Message.state == MessageState.QUEUED,
        )
        .values(due_at=due_at)
        .execution_options(synchronize_session=None)
    )


async def _failed(
    session: WriteSession,
    message: Claimed,
    error: Refused | Blocked | Unsendable,
    *,
    at: datetime,
    now: datetime,
) -> None:
    hard = isinstance(error, Refused) and error.hard
    await _set(
        session,
        message,
        state=MessageState.FAILED,
        reason=error.words,
        bounced_at=at if hard else None,
    )
    if hard:
        await session.execute(
            update(ContactPoint)
            .where(
                ContactPoint.business_id == message.business_id,
                ContactPoint.kind == ContactKind.EMAIL,
                ContactPoint.value == message.mail.to,
            )
            .values(state=ContactState.BOUNCED, state_reason=error.words)
            .execution_options(synchronize_session=None)
        )
    await events.record(
        session,
        NewEvent(
            message.business_id,
            EventKind.BOUNCED if hard else EventKind.NOT_SENT,
            at,
            f"mail refused: {error.words}",
            message.provider,
            key=f"refused:{message.id}",
            message_id=message.id,
        ),
        now=now,
    )
    if message.campaign_id is not None:
        await leave_out(session, [message], REFUSED_BEFORE, now=now)


async def _later(
    session: WriteSession, message: Claimed, error: TryLater, *, at: datetime, now: datetime
) -> int:
    """Try again later, or give up; returns how many failed for good."""
    attempts = message.attempts + 1
    if MESSAGE.gives_up(attempts):
        words = f"given up after {attempts} attempts: {error.words}"
        await _failed(session, message, Blocked(words), at=at, now=now)
        return 1
    asked = timedelta(seconds=error.after) if error.after else None
    wait = MESSAGE.delay(attempts, message.mail.key, asked=asked)
    await _set(
        session,
        message,
        state=MessageState.QUEUED,
        attempts=attempts,
        due_at=at + wait,
        reason=f"tried again later: {error.words}",
    )
    return 0


async def pause_for_bounces(
    session: WriteSession, campaign_ids: set[int | None], *, now: datetime
) -> None:
    """Pause campaigns of which too many addresses do not exist."""
    for campaign_id in campaign_ids:
        last = await session.execute(
            select(Message.bounced_at.is_not(None))
            .where(
                Message.campaign_id == campaign_id,
                Message.state.in_((MessageState.SENT, MessageState.FAILED)),
                Message.claimed_at.is_not(None),
            )
            .order_by(Message.claimed_at.desc(), Message.id.desc())
            .limit(50)
        )
        why = too_many_bounces([bool(bounced) for (bounced,) in reversed(last.all())])
        if why:
            await session.execute(
                update(Campaign)
                .where(Campaign.id == campaign_id, Campaign.state == CampaignState.RUNNING)
                .values(state=CampaignState.PAUSED, pause_reason=why, updated_at=now)
                .execution_options(synchronize_session=None)
            )
