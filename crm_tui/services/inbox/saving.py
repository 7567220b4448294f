"""Saving what was sent in the mailbox's folder of sent mail, for providers that do not do so themselves.

Every mail that was sent has a line on a timeline, and these lines are gone through in their order. How
far is kept as a cursor, like that of a folder that is read. A mail is put into the mailbox only if its
Message-ID is not found there, so that whatever cuts this off, it stands there once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Text, cast, delete, func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, Event, Message, SyncCursor
from crm_tui.providers.base import OutgoingMail, ProviderError, Unsendable
from crm_tui.providers.imap import Mailbox
from crm_tui.providers.imap_folders import folder_of_sent
from crm_tui.providers.message import build, needs_utf8
from crm_tui.providers.secrets import Lookup
from crm_tui.services.inbox.collecting import account_name
from crm_tui.services.sending.account import Account
from crm_tui.vocabulary import EventKind, MessageState

SAVING = "imap-sent"
"""What the cursor is kept under."""

_STREAM = ""
_SMTP = "smtp"
_CHUNK = 50
_AGAIN = timedelta(minutes=5)
"""When what could not be saved is tried again."""
_LONGEST = timedelta(seconds=30)
"""How long sending waits for this at most; the rest is saved after the next mails."""
_FAR = 1000
"""How many lines of timelines the cursor may lie behind where none of them is of a mail."""


class _Copy(NamedTuple):
    """A message that was sent, and the line that says so."""

    event_id: int
    mail: OutgoingMail


class Saver:
    """Saves what was sent, if the operator wants that; what cannot be saved is tried again later."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        now: Callable[[], datetime],
    ) -> None:
        self._db = db
        self._imap = settings.providers.imap
        self._name = account_name(self._imap)
        self._environment = environment
        self._now = now
        self._failed_at: datetime | None = None
        self._is_wanted = bool(
            self._imap.host and self._imap.save_sent and settings.email.provider == _SMTP
        )

    async def prepare(self) -> None:
        """Before anything is sent: have what is sent from now on be saved, where that is wanted."""
        wanted = [self._name] if self._is_wanted else []
        async with self._db.read() as session:
            known = await session.scalars(
                select(SyncCursor.account).where(SyncCursor.provider == SAVING)
            )
            if list(known) == wanted:
                return
            newest = await _newest(session)
        async with self._db.write() as session:
            await session.execute(
                delete(SyncCursor).where(
                    SyncCursor.provider == SAVING, SyncCursor.account.not_in(wanted)
                )
            )
            for name in wanted:
                row = {"provider": SAVING, "account": name, "stream": _STREAM}
                await session.execute(
                    insert(SyncCursor)
                    .values(**row, cursor={"event": newest})
                    .on_conflict_do_nothing()
                )

    async def save(self, account: Account, *, insist: bool = False) -> str:
        """Save what was sent since the last time; returns why not all of it could be, if so.

        Args:
            account: who sent it.
            insist: whether it is tried although it failed a moment ago.
        """
        now, failed_at = self._now(), self._failed_at
        if not self._is_wanted or not await self._next(account):
            return ""
        if failed_at is not None and not insist and timedelta() <= now - failed_at < _AGAIN:
            return ""
        try:
            await self._save_all(account, until=now + _LONGEST)
        except ProviderError as error:
            self._failed_at = now
            return f"What was sent cannot be saved in the mailbox: {error}"
        self._failed_at = None
        return ""

    async def _save_all(self, account: Account, *, until: datetime) -> None:
        lookup = Lookup.by_settings(self._imap, self._environment)
        async with Mailbox(self._imap, password=lookup, limit=120) as mailbox:
            folder = folder_of_sent(await mailbox.all_folders())
            while copies := await self._next(account):
                for copy in copies:
                    if self._now() >= until:
                        return
                    mail = copy.mail
                    raw = _built(mail)
                    if raw:
                        await mailbox.save(folder, raw, message_id=mail.message_id, at=mail.date)
                    await self._keep(copy.event_id)

    async def _next(self, account: Account) -> Sequence[_Copy]:
        """The next mails to be saved, in the order they were known to be sent."""
        async with self._db.read() as session:
            kept = await session.get(SyncCursor, (SAVING, self._name, _STREAM))
            if kept is None:
                return ()
            last = int(kept.cursor["event"])
            found = await _sent(session, account, after=last)
            newest = last if found else await _newest(session)
        if newest - last > _FAR:
            await self._keep(newest)
        return found

    async def _keep(self, event_id: int) -> None:
        async with self._db.write() as session:
            await session.execute(
                update(SyncCursor)
                .where(SyncCursor.provider == SAVING, SyncCursor.account == self._name)
                .values(cursor={"event": event_id})
            )


async def _newest(session: ReadSession) -> int:
    return await session.scalar(select(func.max(Event.id))) or 0


def _built(mail: OutgoingMail) -> bytes:
    """The mail as it travelled; nothing where the sender that is set now can no longer be written."""
    try:
        return build(mail, utf8=needs_utf8(mail))
    except Unsendable:
        return b""


async def _sent(session: ReadSession, account: Account, *, after: int) -> list[_Copy]:
    rows = await session.execute(
        select(Event.id, Message)
        .join(Message, Message.id == Event.message_id)
        .join(Business, Business.id == Message.business_id)
        .where(
            Event.id > after,
            Event.kind == EventKind.EMAIL_SENT,
            Event.key == literal("sent:").concat(cast(Message.id, Text)),
            Message.state == MessageState.SENT,
            Message.provider == _SMTP,
            Message.body.is_not(None),
            Business.erased_at.is_(None),
        )
        .order_by(Event.id)
        .limit(_CHUNK)
    )
    return [_Copy(event_id, _mail(message, account)) for event_id, message in rows]


def _mail(message: Message, account: Account) -> OutgoingMail:
    """A message as it was sent."""
    sent_at: datetime | None = message.claimed_at or message.sent_at
    assert sent_at is not None
    answered = message.headers.get("In-Reply-To")
    return OutgoingMail(
        key=message.key,
        message_id=message.message_id,
        date=sent_at.astimezone(account.zone),
        sender_name=account.name,
        sender=account.address,
        to=message.address,
        subject=message.subject or "",
        text=message.body or "",
        html=message.html,
        in_reply_to=answered,
        references=tuple(message.headers.get("References", answered or "").split()),
        list_unsubscribe=() if message.campaign_id is None else (account.opt_out(message.token),),
    )
