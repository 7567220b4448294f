"""Finding out of uncertain messages whether they were sent: asked of the provider, never guessed.

Where the store knows what became of a message, as the provider told that before its answer was
given up, it was sent. Else the provider is asked whether it has it. One that has not, but knows a
repetition by its key, gets the same mail again under the same key, if nothing speaks against that by
now. What neither can tell waits for a report of what became of it, or for the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, func, literal_column, or_, select

from crm_tui.db.engine import Database
from crm_tui.db.models import Message
from crm_tui.providers.base import (
    Blocked,
    EmailSender,
    Handed,
    OutgoingMail,
    ProviderError,
    Refused,
    Sent,
    Unsendable,
)
from crm_tui.services.inbox.consequences import proven
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.candidates import candidates
from crm_tui.services.sending.ending import end_campaigns, leave_out
from crm_tui.services.sending.record import REFUSED_BEFORE
from crm_tui.vocabulary import Channel, MessageState

REMEMBERS = frozenset({"resend"})
"""Providers that know a repeated mail by its key and do not send it twice."""

_REMEMBERED_FOR = timedelta(hours=23)
"""How long such a key is good; an hour less than the day that is promised."""

_ASKED_FOR = timedelta(days=2)
"""How long a provider is asked whether it has a message."""

_MOST = 50
"""How many messages are asked about in one pass: by chance, as some are never known of."""

_CAME = (
    Message.delivered_at,
    Message.bounced_at,
    Message.soft_bounced_at,
    Message.complained_at,
    Message.opened_at,
    Message.clicked_at,
    Message.machine_opened_at,
    Message.machine_clicked_at,
)
"""What becomes of messages that were sent, and of no others."""


class _Finds(Protocol):
    async def find(self, handed: Handed) -> Sent | None: ...


@dataclass(frozen=True, slots=True)
class _Uncertain:
    """A message of which nobody knows whether it was sent, as it was handed over."""

    id: int
    key: str
    message_id: str
    token: str
    campaign_id: int | None
    address: str
    subject: str
    body: str
    html: str | None
    headers: dict[str, str]
    claimed_at: datetime

    @property
    def handed(self) -> Handed:
        """What it can be found by."""
        return Handed(
            key=self.key,
            message_id=self.message_id,
            to=self.address,
            text=self.body,
            at=self.claimed_at,
        )

    def mail(self, account: Account) -> OutgoingMail:
        """The same mail again, byte for byte."""
        references = tuple(self.headers.get("References", "").split())
        return OutgoingMail(
            key=self.key,
            message_id=self.message_id,
            date=self.claimed_at.astimezone(account.zone),
            sender_name=account.name,
            sender=account.address,
            to=self.address,
            subject=self.subject,
            text=self.body,
            html=self.html,
            in_reply_to=self.headers.get("In-Reply-To"),
            references=references,
            list_unsubscribe=() if self.campaign_id is None else (account.opt_out(self.token),),
        )


async def find_out(
    db: Database,
    sender: object,
    account: Account,
    *,
    channel: Channel = Channel.EMAIL,
    now: Callable[[], datetime],
) -> int:
    """Find out about uncertain messages, by asking the provider; of how many it is known now.

    Args:
        db: the store.
        sender: what the provider is reached by; one that can tell has `find`.
        account: whose messages.
        channel: which messages.
        now: the clock.
    """
    settled = await _told(db, account, channel, now=now())
    for each in await _uncertain(db, account.provider, channel, since=now() - _ASKED_FOR):
        try:
            answer = await _ask(db, sender, each, account, now=now())
        except _RefusedAgain as refused:
            await _was_not_sent(db, each, refused.error, now=now())
            settled += 1
            continue
        except ProviderError:
            break  # nobody knows more; the pump says what is wrong with the provider
        if answer is not None:
            await _was_sent(db, each, answer, account, now=now())
            settled += 1
    return settled


async def _told(db: Database, account: Account, channel: Channel, *, now: datetime) -> int:
    """Note that those were sent of which is told already what became of them.

    That came while they were on their way: their answer was late, or the worker was killed.
    """
    uncertain = _are_uncertain(account.provider, channel)
    came = or_(*(each.is_not(None) for each in _CAME))
    async with db.read() as session:
        found = (await session.scalars(select(Message.id).where(*uncertain, came))).all()
    for message_id in found:
        async with db.write(durable=True) as session:
            await proven(session, message_id, account, at=now, now=now)
    return len(found)


class _RefusedAgain(Exception):
    """A provider that knows repetitions refuses a mail: it did not take it the first time either."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(str(error))
        self.error = error


async def _ask(
    db: Database, sender: object, message: _Uncertain, account: Account, *, now: datetime
) -> Sent | None:
    """What the provider knows of a message; where it knows nothing it may get it again."""
    found: Sent | None = None
    if hasattr(sender, "find"):
        finder: _Finds = sender
        found = await finder.find(message.handed)
    repeats = account.provider in REMEMBERS and message.claimed_at > now - _REMEMBERED_FOR
    if found is not None or not repeats or not await _may_go(db, message, account, now=now):
        return found
    mail_sender: EmailSender = sender  # type: ignore[assignment]  # what repeats sends mails
    try:
        return await mail_sender.send(message.mail(account))
    except (Refused, Blocked, Unsendable) as error:
        raise _RefusedAgain(error) from error


async def _may_go(db: Database, message: _Uncertain, account: Account, *, now: datetime) -> bool:
    """Whether a message that perhaps never arrived may still go: nobody opted out meanwhile."""
    async with db.read() as session:
        there = await candidates(session, [message.id], now=now, state=MessageState.UNCERTAIN)
    return all(
        not each.why_not() and each.not_before(now, account.rules, account.zone) <= now
        for each in there
    ) and bool(there)


def _are_uncertain(provider: str, channel: Channel) -> Sequence[ColumnElement[bool]]:
    return (
        Message.state == literal_column(f"'{MessageState.UNCERTAIN}'"),
        Message.provider == provider,
        Message.channel == channel,
    )


async def _uncertain(
    db: Database, provider: str, channel: Channel, *, since: datetime
) -> Sequence[_Uncertain]:
    async with db.read() as session:
        rows = await session.scalars(
            select(Message)
            .where(*_are_uncertain(provider, channel), Message.claimed_at > since)
            .order_by(func.random())
            .limit(_MOST)
        )
        return [
            _Uncertain(
                each.id,
                each.key,
                each.message_id,
                each.token,
                each.campaign_id,
                each.address,
                each.subject or "",
                each.body or "",
                each.html,
                each.headers,
                each.claimed_at,
            )
            for each in rows
            if each.claimed_at is not None
        ]


async def _was_sent(
    db: Database, message: _Uncertain, answer: Sent, account: Account, *, now: datetime
) -> None:
    """It was sent, though the operator may have put it back into the queue meanwhile."""
    async with db.write(durable=True) as session:
        await proven(session, message.id, account, at=message.claimed_at, now=now)
        row = await session.get_one(Message, message.id, populate_existing=True)
        if row.state is MessageState.SENT:  # and not erased meanwhile
            row.provider_id = answer.provider_id or row.provider_id
        await session.flush()


async def _was_not_sent(
    db: Database, message: _Uncertain, error: ProviderError, *, now: datetime
) -> None:
    """The provider refuses it: it was not sent, and will not be."""
    async with db.write(durable=True) as session:
        row = await session.get_one(Message, message.id, populate_existing=True)
        if row.state is MessageState.UNCERTAIN:
            row.state, row.reason = MessageState.FAILED, error.words
            await session.flush()
            if row.campaign_id is not None:
                await leave_out(session, [row], REFUSED_BEFORE, now=now)
            await end_campaigns(session, [row.campaign_id], now=now)
