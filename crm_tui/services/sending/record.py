"""Recording what became of a message that was on its way, in the same words for every provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, func, update

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import ContactPoint, Message
from crm_tui.db.types import utc_text
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
from crm_tui.services.erased import REASON
from crm_tui.services.events import NewEvent
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.ahead import Ahead
from crm_tui.services.sending.backoff import MESSAGE, failed, succeeded
from crm_tui.services.sending.bounces import Ends, learn, pause_if_bad
from crm_tui.services.sending.claim import Claimed, Claimer
from crm_tui.services.sending.ending import leave_out
from crm_tui.services.sending.pace import give_back
from crm_tui.services.sending.returned import Returned, look_up
from crm_tui.services.sending.standing import Standing
from crm_tui.text import visible
from crm_tui.vocabulary import (
    Channel,
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

CANCELED = "the campaign was canceled"

_WORD = {Channel.EMAIL: "mail", Channel.SMS: "text message"}
_BEGINS = 80
"""Characters of a text message that stand on the line of the timeline."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a provider made of one message; None if it was never asked. `at` is when."""

    message: Claimed
    answer: Sent | ProviderError | None
    at: datetime


@dataclass(slots=True)
class Tally:
    """How many messages ended how.

    Attributes:
        later: how many are tried again.
        problem: what is wrong with the provider, if anything.
        ended: the campaigns of which a message came to its end.
    """

    sent: int = 0
    failed: int = 0
    uncertain: int = 0
    later: int = 0
    problem: str = ""
    ended: set[int | None] = field(default_factory=set)


async def record(
    session: WriteSession,
    results: Sequence[Result],
    claimer: Claimer,
    known: Standing,
    *,
    ahead: Ahead,
    now: datetime,
) -> tuple[Tally, Standing]:
    """Write what became of messages, and what follows: the timeline, later steps, the breaker.

    Returns what is remembered from now on, which is the caller's to keep. What a message was
    claimed for may have changed: its lead was merged or erased, its campaign canceled.
    """
    recording = _Recording(claimer.account, known)
    if not results:
        return recording.tally, known
    ids = [result.message.id for result in results]
    rows = await ahead.returned(session, ids, owner=claimer.owner)
    for result in results:
        row = rows.get(result.message.id)
        if row is not None:
            recording.take(result, row)
    await recording.write(session, ahead, now=now)
    return recording.tally, recording.known


# What is written of every mail that goes is plain SQL: hundreds a second.
_SENT = (
    "UPDATE message SET claimed_by = NULL, state = 'sent', reason = NULL, sent_at = ?,"
    " provider_id = ? WHERE id = ?"
)
_FOLLOWING = (
    "UPDATE message SET due_at = ? WHERE step_id = ? AND origin_id = ? AND state = 'queued'"
)
_END = (
    update(Message)
    .where(Message.id == bindparam("message"))
    .values(
        claimed_by=None,
        state=bindparam("state_"),
        reason=bindparam("reason_"),
        due_at=func.coalesce(bindparam("due_", type_=Message.due_at.type), Message.due_at),
        attempts=bindparam("attempts_"),
        # A report that the address does not exist may have come before the answer.
        bounced_at=func.coalesce(
            bindparam("bounced_", type_=Message.bounced_at.type), Message.bounced_at
        ),
    )
)
_BOUNCED = (
    update(ContactPoint)
    .where(
        ContactPoint.business_id == bindparam("business"),
        ContactPoint.kind == bindparam("kind_"),
        ContactPoint.value == bindparam("address"),
    )
    .values(state=bindparam("state_"), state_reason=bindparam("why"))
)


@dataclass(slots=True)
class _Recording:
    """Everything that is to be written of some results, so that it is written together."""

    account: Account
    known: Standing
    tally: Tally = field(default_factory=Tally)
    _gone: list[tuple[object, ...]] = field(default_factory=list)
    _ends: list[dict[str, object]] = field(default_factory=list)
    _following: list[tuple[object, ...]] = field(default_factory=list)
    _bounced: list[dict[str, object]] = field(default_factory=list)
    _told: list[NewEvent] = field(default_factory=list)
    _refused: list[Returned] = field(default_factory=list)
    _hard: list[tuple[int | None, bool]] = field(default_factory=list)
    _opted_out: set[str] = field(default_factory=set)

    def take(self, result: Result, row: Returned) -> None:
        """Sort out one result."""
        message, answer, at = result.message, result.answer, result.at
        self._remember(message, answer, at)
        match answer:
            case Sent():
                self._sent(message, row, answer.provider_id, at)
            case Refused() | Blocked() | Unsendable():
                self._failed(message, row, answer, at)
            case TryLater():
                self._later(message, row, answer, at)
            case Unclear():
                words = f"it may have been sent or not: {answer.words}"
                self._end(row, MessageState.UNCERTAIN, reason=words)
                self.tally.uncertain += 1
            case _:
                self._again(row, due_at=at, attempts=row.attempts, reason=None)

    def _remember(
        self, message: Claimed, answer: Sent | ProviderError | None, at: datetime
    ) -> None:
        """Count what the answer says of the provider, and give back what was not sent."""
        known = self.known
        if answer is None or isinstance(answer, Unavailable | Misconfigured | Unsendable):
            bucket = give_back(
                known.bucket, message.claimed_at, message.last, zone=self.account.zone
            )
            known = replace(known, bucket=bucket)
        if isinstance(answer, Unavailable | Misconfigured):
            breaker = failed(known.breaker, at, key=self.account.provider, asked=_asked(answer))
            self.tally.problem = str(answer)
            known = replace(known, breaker=breaker, problem=self.tally.problem)
        elif isinstance(answer, Unclear):
            known = self._unclear(known, answer, at)
        elif not (answer is None or isinstance(answer, Unsendable)):
            known = known if known.works else replace(known, breaker=succeeded(), problem="")
        self.known = known

    def _unclear(self, known: Standing, answer: Unclear, at: datetime) -> Standing:
        """Count an answer that never came: after some in a row nothing more is handed over for now.

        Else one bad minute of a provider would make a whole campaign uncertain.
        """
        if answer.ours:
            return known
        breaker = failed(known.breaker, at, key=self.account.provider)
        known = replace(known, breaker=breaker)
        if breaker.until is not None:
            self.tally.problem = (
                f"Nothing more is sent for now: {breaker.failures} messages in a row may have been"
                f" sent or not. {answer.words}"
            )
            known = replace(known, problem=self.tally.problem)
        return known

    def _end(self, row: Returned, state: MessageState, **values: object) -> None:
        end = {
            "message": row.id,
            "state_": state,
            "reason_": values.get("reason"),
            "due_": values.get("due_at"),
            "attempts_": values.get("attempts", row.attempts),
            "bounced_": values.get("bounced_at"),
        }
        self._ends.append(end)

    def _sent(self, message: Claimed, row: Returned, provider_id: str | None, at: datetime) -> None:
        self._gone.append((utc_text(at), provider_id, row.id))
        mail = message.mail
        said = Said() if row.erased else Said(getattr(mail, "subject", ""), mail.text)
        self._told.append(
            _sent_event(
                message.id,
                row.business_id,
                message.provider,
                at,
                said=said,
                channel=self.account.channel,
            )
        )
        self._hard.append((row.campaign_id, False))
        self.tally.sent += 1
        self.tally.ended.add(row.campaign_id)
        if row.next_id is not None:
            due_at = row.next_due(at, self.account)
            self._following.append((utc_text(due_at), row.next_id, row.origin_id))

    def _failed(
        self, message: Claimed, row: Returned, error: Refused | Blocked | Unsendable, at: datetime
    ) -> None:
        hard = isinstance(error, Refused) and error.hard
        words = REASON if row.erased else error.words
        self._end(row, MessageState.FAILED, reason=words, bounced_at=at if hard else None)
        if hard:
            texts = self.account.channel is Channel.SMS
            self._bounced.append(
                {
                    "business": row.business_id,
                    "kind_": ContactKind.PHONE if texts else ContactKind.EMAIL,
                    "address": row.address,
                    "state_": ContactState.INVALID if texts else ContactState.BOUNCED,
                    "why": words,
                }
            )
        if isinstance(error, Refused) and error.opted_out and self.account.channel is Channel.SMS:
            self._opted_out.add(row.address)
        self._told.append(
            NewEvent(
                row.business_id,
                EventKind.BOUNCED if hard else EventKind.NOT_SENT,
                at,
                f"{_WORD[self.account.channel]} refused: {words}",
                message.provider,
                key=f"refused:{message.id}:{message.claimed_at.timestamp():.0f}",
                message_id=message.id,
            )
        )
        self._hard.append((row.campaign_id, hard))
        self.tally.failed += 1
        self.tally.ended.add(row.campaign_id)
        if row.campaign_id is not None:
            self._refused.append(row)

    def _later(self, message: Claimed, row: Returned, error: TryLater, at: datetime) -> None:
        """Try again later, or give up."""
        attempts = row.attempts + 1
        if MESSAGE.gives_up(attempts):
            words = f"given up after {attempts} attempts: {error.words}"
            self._failed(message, row._replace(attempts=attempts), Blocked(words), at)
            return
        asked = timedelta(seconds=error.after) if error.after else None
        wait = MESSAGE.delay(attempts, message.mail.key, asked=asked)
        words = f"tried again later: {error.words}"
        self._again(row, due_at=at + wait, attempts=attempts, reason=words)

    def _again(self, row: Returned, *, due_at: datetime, attempts: int, reason: str | None) -> None:
        """Back into the queue, or out of it where it ended meanwhile."""
        if row.canceled or row.erased:
            why = REASON if row.erased else CANCELED
            self._end(row, MessageState.CANCELED, reason=why, attempts=attempts)
            return
        self._end(row, MessageState.QUEUED, due_at=due_at, attempts=attempts, reason=reason)
        self.tally.later += 1

    async def write(self, session: WriteSession, ahead: Ahead, *, now: datetime) -> None:
        """Write it all."""
        connection = await session.connection()
        for plain, values in ((_SENT, self._gone), (_FOLLOWING, self._following)):
            if values:
                await connection.exec_driver_sql(plain, values)
        for statement, rows in ((_END, self._ends), (_BOUNCED, self._bounced)):
            if rows:
                await connection.execute(statement, rows)
        await events.record(session, *self._told, now=now)
        for number in sorted(self._opted_out):
            await _bar(session, number, now=now)
        if self._refused:
            await leave_out(session, self._refused, REFUSED_BEFORE, now=now)
        await self._pause(session, ahead.ends, now=now)
        if self._ends:
            ahead.forget()  # who was refused gets nothing more, and a campaign may have been paused

    async def _pause(self, session: WriteSession, ends: Ends, *, now: datetime) -> None:
        """Apply the rule about bounces to the campaigns of these messages."""
        unknown = {campaign_id for campaign_id, _ in self._hard} - ends.keys() - {None}
        await learn(session, unknown, ends)  # these messages included
        for campaign_id, hard in self._hard:
            if campaign_id is not None and campaign_id not in unknown:
                ends[campaign_id].append(hard)
        for campaign_id in {each for each, _ in self._hard if each is not None}:
            await pause_if_bad(session, campaign_id, ends[campaign_id], now=now)


async def _bar(session: WriteSession, number: str, *, now: datetime) -> None:
    from crm_tui.services.texts_in import bar  # noqa: PLC0415 - it needs what is said here

    await bar(session, number, now=now)


def _asked(error: Unavailable | Misconfigured) -> timedelta | None:
    if isinstance(error, Misconfigured):
        return _MISCONFIGURED_FOR
    return timedelta(seconds=error.after) if error.after else None


class Said(NamedTuple):
    """The words of a mail that stand on the timeline; none of an erased lead."""

    subject: str = ""
    text: str | None = None


def _sent_event(
    message_id: int,
    business_id: int,
    provider: str | None,
    at: datetime,
    *,
    said: Said,
    channel: Channel,
) -> NewEvent:
    texts, word = channel is Channel.SMS, _WORD[channel]
    begins = visible(said.text or "", _BEGINS) if texts else said.subject
    return NewEvent(
        business_id,
        EventKind.SMS_SENT if texts else EventKind.EMAIL_SENT,
        at,
        f"{word}: {begins}" if begins else word,
        provider or "crm-tui",
        key=f"sent:{message_id}",
        moves_to=ContactStatus.TEXTED if texts else ContactStatus.EMAILED,
        body=said.text,
        message_id=message_id,
    )


async def tell_sent(
    session: WriteSession, message: Message, *, at: datetime, now: datetime
) -> None:
    """Write on the timeline that a message went, once."""
    event = _sent_event(
        message.id,
        message.business_id,
        message.provider,
        at,
        said=Said(message.subject or "", message.body),
        channel=message.channel,
    )
    await events.record(session, event, now=now)


async def queue_next(
    session: WriteSession, message_id: int, account: Account, *, at: datetime
) -> None:
    """Give the step after a sent message its time."""
    row = await look_up(session, message_id)
    if row is not None and row.next_id is not None:
        connection = await session.connection()
        due_at = utc_text(row.next_due(at, account))
        await connection.exec_driver_sql(_FOLLOWING, (due_at, row.next_id, row.origin_id))
