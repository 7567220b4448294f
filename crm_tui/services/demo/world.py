"""The demo's world: recipients who answer, bounce and opt out, as if mails had reached them.

Nothing is sent in the demo. What the outbox wrote is looked at here, and what people could have
made of it goes the way of mail that was read from a mailbox: kept as a record, then applied. A day
of waiting between two steps passes in ten seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business, Campaign, Message, RawRecord
from crm_tui.providers.bounces import Delivery
from crm_tui.providers.incoming import Kind
from crm_tui.services.demo.invent import load_words
from crm_tui.services.inbox import applying
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.inbox.records import SOURCE, Kept, KeptResult, payload
from crm_tui.services.sending.account import Account, account
from crm_tui.vocabulary import CampaignState, MessageState

DAY = timedelta(seconds=10)
"""How long a day of waiting takes."""

_BACK = timedelta(days=1)


class Reaction(StrEnum):
    """What somebody makes of a mail."""

    NOTHING = "nothing"
    ANSWERS = "answers"
    AWAY = "away"
    OPTS_OUT = "opts out"
    BOUNCES = "bounces"


# Of forty mails in their order, those that are reacted to; fewer bounce than would pause a campaign.
_OF_FORTY = {
    2: Reaction.ANSWERS,
    6: Reaction.BOUNCES,
    9: Reaction.AWAY,
    12: Reaction.ANSWERS,
    17: Reaction.OPTS_OUT,
    23: Reaction.ANSWERS,
    29: Reaction.ANSWERS,
    35: Reaction.AWAY,
}


class Came(NamedTuple):
    """What somebody made of a mail."""

    name: str
    reaction: Reaction


class Mailed(NamedTuple):
    """A mail that was written to the outbox, and the name of the lead it went to."""

    id: int
    lead: str
    key: str
    address: str
    person: str | None
    message_id: str
    token: str
    subject: str | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Course:
    """What becomes of a mail, and how long after it went."""

    reaction: Reaction
    after: timedelta


def course(mail_id: int, seed: int) -> Course:
    """What becomes of a mail: the same for the same numbers."""
    reaction = _OF_FORTY.get((mail_id + seed) % 40, Reaction.NOTHING)
    number = int.from_bytes(sha256(f"{seed} {mail_id}".encode()).digest()[:4])
    least, most = (1, 4) if reaction is Reaction.BOUNCES else (4, 20)
    return Course(reaction, timedelta(seconds=least + number % (most - least)))


def said(mail: Mailed, reaction: Reaction, replies: Sequence[str], *, at: datetime) -> Kept:
    """The mail that comes back, as the mailbox would have been read."""
    ours = mail.subject or ""
    subject = ours if ours.startswith("Re: ") else f"Re: {ours}"
    kind, text = Kind.REPLY, replies[mail.id % len(replies)]
    results: tuple[KeptResult, ...] = ()
    sender = mail.address
    match reaction:
        case Reaction.AWAY:
            kind = Kind.AUTO_REPLY
            subject, text = f"Away: {mail.subject}", "We are on holiday until Monday."
        case Reaction.OPTS_OUT:
            kind, subject, text = Kind.UNSUBSCRIBE, f"unsubscribe {mail.token}", "No more, please."
        case Reaction.BOUNCES:
            kind, sender = Kind.BOUNCE, "mailer-daemon@mail.example.com"
            subject, text = "Undelivered Mail Returned to Sender", "The mailbox does not exist."
            reason = "550 5.1.1 no such user here"
            results = (KeptResult(mail.address, Delivery.HARD, reason, "5.1.1", reason),)
    return Kept(
        kind=kind.value,
        why="the demo's world",
        message_id=f"<{reaction.name.lower()}.{mail.key}@example.com>",
        sender=sender,
        sender_name=mail.person or "",
        subject=subject,
        references=(mail.message_id,),
        cited=(mail.message_id,),
        tokens=(mail.token,) if reaction is Reaction.OPTS_OUT else (),
        results=results,
        text=text,
        received=at,
        occurred_at=at,
        automatic=reaction in {Reaction.AWAY, Reaction.BOUNCES},
        report=reaction is Reaction.BOUNCES,
    )


class World:
    """The recipients of one demo.

    Args:
        db: the demo's store.
        settings: those of the demo; of any other account nothing is invented.
        seed: another number, other reactions.
    """

    def __init__(self, db: Database, settings: Settings, *, seed: int = 7) -> None:
        self._db = db
        self._account: Account = account(settings)
        self._reader = Reader.of(self._account, settings)
        self._seed = seed
        self._replies: Sequence[str] = load_words()["mail"]["replies"]

    async def step(self, now: datetime) -> list[Came]:
        """Let come in what is due by now, and bring later steps near; returns what came."""
        await self._hurry(now)
        due: list[tuple[Mailed, Reaction, datetime]] = []
        for mail in await self._mailed(now):
            became = course(mail.id, self._seed)
            if became.reaction is Reaction.NOTHING or mail.sent_at is None:
                continue
            at = mail.sent_at + became.after
            if at <= now:
                due.append((mail, became.reaction, at))
        for mail, reaction, at in due:
            answer = said(mail, reaction, self._replies, at=at)
            async with self._db.write() as session:
                await self.receive(session, f"demo {mail.key}", answer, now=now)
        return [Came(mail.lead, reaction) for mail, reaction, _ in due]

    async def receive(
        self, session: WriteSession, external_id: str, mail: Kept, *, now: datetime
    ) -> None:
        """Keep a mail as one that was read, and apply it."""
        row = {
            "source": SOURCE,
            "external_id": external_id,
            "received_at": mail.received,
            "payload": payload(mail),
        }
        kept = await session.execute(
            insert(RawRecord).values(row).on_conflict_do_nothing().returning(RawRecord.id)
        )
        raw_id = kept.scalar_one_or_none()
        if raw_id is not None:
            await applying.apply(session, raw_id, self._reader, self._account, now=now)

    async def _mailed(self, now: datetime) -> list[Mailed]:
        """What went lately and was not reacted to."""
        reacted = select(RawRecord.id).where(
            RawRecord.source == SOURCE, RawRecord.external_id == "demo " + Message.key
        )
        async with self._db.read() as session:
            rows = await session.execute(
                select(
                    Message.id,
                    Business.name,
                    Message.key,
                    Message.address,
                    Message.person,
                    Message.message_id,
                    Message.token,
                    Message.subject,
                    Message.sent_at,
                )
                .join(Business, Business.id == Message.business_id)
                .where(
                    Message.state == MessageState.SENT,
                    Message.provider == "outbox",
                    Message.sent_at >= now - _BACK,
                    ~reacted.correlate(Message).exists(),
                )
                .order_by(Message.id)
            )
            return [Mailed(*row) for row in rows]

    async def _hurry(self, now: datetime) -> None:
        """Have steps that wait for days wait for seconds."""
        async with self._db.read() as session:
            rows = await session.execute(
                select(Message.id, Message.due_at)
                .join(Campaign, Campaign.id == Message.campaign_id)
                .where(
                    Message.state == MessageState.QUEUED,
                    Message.due_at > now + 3 * DAY,
                    Campaign.state == CampaignState.RUNNING,
                )
            )
            waits = [
                {"message": id_, "at": now + (due_at - now) / timedelta(days=1) * DAY}
                for id_, due_at in rows
                if due_at is not None
            ]
        if waits:
            async with self._db.write() as session:
                connection = await session.connection()
                await connection.execute(
                    update(Message)
                    .where(Message.id == bindparam("message"), Message.state == MessageState.QUEUED)
                    .values(due_at=bindparam("at")),
                    waits,
                )
