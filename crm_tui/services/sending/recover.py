"""What is left of senders that died: nobody knows whether their mails went, so nobody sends them.

A message whose sender is dead becomes uncertain, and stays so until something tells: a copy of it
turns up in the mailbox, or the operator says so. Of the outbox its folder tells at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, literal_column, select, update

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.locks import is_held
from crm_tui.db.models import Campaign, Message
from crm_tui.errors import BadInput, NotFound
from crm_tui.providers.outbox import file_name
from crm_tui.services.sending import record
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.ending import end_campaigns
from crm_tui.vocabulary import CampaignState, MessageState

OUTBOX = "outbox"
_OPEN: tuple[ColumnElement[MessageState], ...] = (
    literal_column(f"'{MessageState.SENDING}'"),
    literal_column(f"'{MessageState.UNCERTAIN}'"),
)
CUT_OFF = "it may have been sent or not: sending was cut off"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What dead senders left: mails of which it can be told whether they went, and others."""

    told: int = 0
    uncertain: int = 0


async def recover(
    db: Database, account: Account, *, owner: str, outbox: Path, now: datetime
) -> Recovered:
    """See to the messages of senders that are dead, and to what this one has lost sight of.

    Args:
        db: the store.
        account: whose pace and hours the next steps keep to.
        owner: the name of this sender, which has nothing on its way.
        outbox: the folder the outbox writes to.
        now: aware UTC.
    """
    async with db.read() as session:
        rows = await session.execute(
            select(Message.id, Message.claimed_by, Message.provider, Message.message_id).where(
                Message.state == MessageState.SENDING,
                Message.state.in_(_OPEN),  # in the words of the index
            )
        )
        claims = rows.all()
    alive = {each for each in {each.claimed_by for each in claims} - {owner} if _is_alive(db, each)}
    dead = [each for each in claims if each.claimed_by not in alive]
    if not dead:
        return Recovered()
    written = [each for each in dead if each.provider == OUTBOX]
    unclear = [each.id for each in dead if each.provider != OUTBOX]
    async with db.write(durable=True) as session:
        await _end(
            session, [each.id for each in dead], state=MessageState.UNCERTAIN, reason=CUT_OFF
        )
        for each in written:
            if (outbox / file_name(each.message_id)).exists():
                await was_sent(session, each.id, account, at=now, now=now)
            else:
                await decide(session, each.id, sent=False, account=account, now=now)
    return Recovered(len(written), len(unclear))


def _is_alive(db: Database, owner: str | None) -> bool:
    return owner is not None and is_held(db.path, owner)


async def _end(session: WriteSession, ids: list[int], **values: object) -> None:
    await session.execute(
        update(Message)
        .where(Message.id.in_(ids), Message.state == MessageState.SENDING)
        .values(claimed_by=None, **values)
        .execution_options(synchronize_session=None)
    )


async def was_sent(
    session: WriteSession, message_id: int, account: Account, *, at: datetime, now: datetime
) -> bool:
    """An uncertain message turned out to have been sent; False where it was not uncertain."""
    message = await session.get(Message, message_id)
    if message is None or message.state is not MessageState.UNCERTAIN:
        return False
    message.state, message.sent_at, message.reason = MessageState.SENT, at, None
    await session.flush()
    await record.tell_sent(session, message, at=at, now=now)
    await record.queue_next(session, message_id, account, at=at)
    await end_campaigns(session, [message.campaign_id], now=now)
    return True


async def decide(
    session: WriteSession, message_id: int, *, sent: bool, account: Account, now: datetime
) -> None:
    """The operator says what became of an uncertain message: it was sent, or is to be sent again.

    Raises:
        NotFound: there is no such message.
        BadInput: it is not uncertain.
    """
    message = await session.get(Message, message_id)
    if message is None:
        raise NotFound(f"There is no message {message_id}.")
    if message.state is not MessageState.UNCERTAIN:
        raise BadInput(f"Message {message_id} is {message.state}, not uncertain.")
    if sent:
        at = message.claimed_at or now
        await was_sent(session, message_id, account, at=at, now=now)
        return
    campaign = await session.get(Campaign, message.campaign_id) if message.campaign_id else None
    if campaign is not None and campaign.state is CampaignState.CANCELED:
        message.state, message.reason = MessageState.CANCELED, record.CANCELED
    else:
        message.state, message.reason, message.due_at = MessageState.QUEUED, None, now
    await session.flush()
