"""Reading what came in since the last time, to its end.

Record first, interpret later: what concerns us of a page is kept together with the moved cursor in
one transaction, and applied in others. Whatever cuts this off, the next run goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, func, literal, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import IntegrityError

from crm_tui.config import ImapSettings, Settings
from crm_tui.db.engine import Database, ReadSession, WriteSession
from crm_tui.db.models import Message, RawRecord, SyncCursor
from crm_tui.db.types import listed
from crm_tui.providers.base import ProviderError
from crm_tui.providers.events import RawMail
from crm_tui.providers.imap import Cursor, Mailbox, Page
from crm_tui.providers.imap_folders import Folder
from crm_tui.providers.secrets import Lookup
from crm_tui.services.inbox import applying
from crm_tui.services.inbox.applying import Came
from crm_tui.services.inbox.concerning import Reader
from crm_tui.services.inbox.reading import Found, concerning, read_mail
from crm_tui.services.inbox.records import SOURCE, payload
from crm_tui.services.sending.account import Account

FIRST_SIGHT = timedelta(days=3)
"""How far back a mailbox is read that nothing was sent from yet."""

WHOLE = ""
"""The stream that stands for the mailbox as a whole, and says why it cannot be read."""

_ROUNDS = 5
"""How often the folders are gone through while there is something new in them."""
_SENT = "\\sent"


@dataclass(slots=True)
class Collected:
    """What was read.

    Attributes:
        polled: mails that were looked at.
        applied: records that became events.
        unmatched: records that wait for the operator.
        problem: why not all could be read, in a sentence; then nothing may be sent.
    """

    polled: int = 0
    applied: int = 0
    unmatched: int = 0
    problem: str = ""


async def collect(
    db: Database,
    settings: Settings,
    account: Account,
    *,
    environment: Mapping[str, str],
    now: Callable[[], datetime],
) -> Collected:
    """Read the mailbox to its end, keep what concerns us, and apply it.

    Where no mailbox is set there is nothing to read.
    """
    came_in = Collected()
    reader = Reader.of(account, settings)
    # What was kept before a run was cut off, or came in at a provider.
    await _apply(db, reader, account, came_in, now=now)
    imap = settings.providers.imap
    name = account_name(imap) if imap.host else ""
    await _forget(db, name)
    if not imap.host:
        return came_in
    try:
        async with Mailbox(imap, password=Lookup.by_settings(imap, environment)) as mailbox:
            collector = _Collector(db, mailbox, reader, account, name, now, came_in)
            await collector.read_all()
    except ProviderError as error:
        came_in.problem = f"The mailbox cannot be read: {error}"
        await _note(db, name, WHOLE, str(error), now=now())
    else:
        await _note(db, name, WHOLE, "", now=now())
    return came_in


async def apply_kept(
    db: Database, settings: Settings, account: Account, *, now: Callable[[], datetime]
) -> Collected:
    """Apply what came in at a provider meanwhile, without looking into the mailbox."""
    came_in = Collected()
    await _apply(db, Reader.of(account, settings), account, came_in, now=now)
    return came_in


def account_name(settings: ImapSettings) -> str:
    """What cursors are kept under: numbers of mails mean nothing in another mailbox."""
    server = f"{settings.host}:{settings.port}"
    return f"{settings.username} at {server}" if settings.username else server


async def _apply(
    db: Database,
    reader: Reader,
    account: Account,
    came_in: Collected,
    *,
    now: Callable[[], datetime],
) -> None:
    """Apply what waits, each record in a transaction of its own."""
    async with db.read() as session:
        waiting = await applying.waiting(session)
    for raw_id in waiting:
        try:
            async with db.write() as session:
                came = await applying.apply(session, raw_id, reader, account, now=now())
        except (msgspec.ValidationError, IntegrityError) as error:
            # One record that cannot be applied must not keep all others, and all mail, waiting.
            async with db.write() as session:
                await applying.give_up(session, raw_id, str(error), now=now())
            came = Came.NOTHING
        came_in.applied += came is Came.APPLIED
        came_in.unmatched += came is Came.UNMATCHED


async def _forget(db: Database, account: str, streams: Sequence[str] | None = None) -> None:
    """What was wrong with other accounts, or folders that are not read any more, does not matter."""
    other = SyncCursor.account != account
    if streams is not None:
        other |= SyncCursor.stream.not_in(streams)
    failing = (SyncCursor.provider == SOURCE, SyncCursor.problem.is_not(None), other)
    async with db.read() as session:
        any_of_them = await session.scalar(select(SyncCursor.account).where(*failing).limit(1))
    if any_of_them is not None:
        async with db.write() as session:
            await session.execute(delete(SyncCursor).where(*failing))


async def _note(db: Database, account: str, stream: str, problem: str, *, now: datetime) -> None:
    """Note that a stream was read to its end, or since when it cannot be read and why."""
    async with db.write() as session:
        await _put(session, account, stream, {}, problem, now=now)


async def _put(
    session: WriteSession,
    account: str,
    stream: str,
    written: dict[str, Any],
    problem: str = "",
    *,
    now: datetime,
) -> None:
    at = literal(now, SyncCursor.failed_at.type)
    if problem:
        since = func.coalesce(SyncCursor.failed_at, at)
        written = written | {"problem": problem, "failed_at": since}
    else:
        written = written | {"problem": None, "failed_at": None, "last_ok_at": now}
    new = {"cursor": {}} | written | ({"failed_at": now} if problem else {})
    await session.execute(
        insert(SyncCursor)
        .values(provider=SOURCE, account=account, stream=stream, **new)
        .on_conflict_do_update(index_elements=["provider", "account", "stream"], set_=written)
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the reading of a folder goes on; `failed`: it could not be opened the last time."""

    cursor: Cursor | None
    since: date
    failed: bool


@dataclass(slots=True)
class _Collector:
    """Reads one mailbox."""

    db: Database
    mailbox: Mailbox
    reader: Reader
    account: Account
    name: str
    now: Callable[[], datetime]
    came_in: Collected

    async def read_all(self) -> None:
        """Go through the folders until nothing is new in any of them."""
        folders = await self.mailbox.folders()
        # What the operator wrote comes before the answers to it, which are known by it.
        folders.sort(key=lambda folder: _SENT not in folder.uses)
        await _forget(self.db, self.name, [WHOLE, *(each.raw for each in folders)])
        for _ in range(_ROUNDS):
            looked_at = self.came_in.polled
            for folder in folders:
                await self._folder(folder)
            if self.came_in.polled == looked_at:
                return

    async def _folder(self, folder: Folder) -> None:
        place = await self._place(folder)
        cursor, failed, more = place.cursor, place.failed, True
        while more:
            page = await self.mailbox.new(folder, cursor, since=place.since)
            if page.refused:
                await self._refused(folder, page.refused)
                return
            found, page = await concerning(self.db, self.mailbox, folder, page, self.reader)
            if found or failed or page.cursor != cursor:
                await self._keep(folder, page, found)
            self.came_in.polled += len(page.mails)
            cursor, failed, more = page.cursor, False, page.more
            if found:
                await _apply(self.db, self.reader, self.account, self.came_in, now=self.now)

    async def _refused(self, folder: Folder, why: str) -> None:
        """Note that a folder cannot be read; without the inbox nothing is known of answers."""
        words = f"The folder {folder.name} of the mailbox cannot be opened: {why}"
        await _note(self.db, self.name, folder.raw, words, now=self.now())
        if folder.name == "INBOX":
            self.came_in.problem = words

    async def _place(self, folder: Folder) -> _Place:
        """How far the folder was read, and from which day on its mails can concern us."""
        async with self.db.read() as session:
            whole = await session.get(SyncCursor, (SOURCE, self.name, WHOLE))
            known = await session.get(SyncCursor, (SOURCE, self.name, folder.raw))
            failed = known is not None and known.problem is not None
            read = known if failed else whole
            cursor: Cursor | None = (known.cursor or None) if known is not None else None
            if cursor is not None and read is not None and read.last_ok_at is not None:
                return _Place(cursor, read.last_ok_at.date(), failed=failed)
            began = await _began(session, now=self.now())
            return _Place(cursor, began.date(), failed=failed)

    async def _keep(self, folder: Folder, page: Page, found: Sequence[Found]) -> None:
        """Keep what concerns us together with how far the folder was read."""
        now = self.now()
        async with self.db.write() as session:
            await _keep(session, found)
            written = {"cursor": dict(page.cursor or {})}
            await _put(session, self.name, folder.raw, written, now=now)


async def _keep(session: WriteSession, found: Sequence[Found]) -> None:
    rows = [
        {
            "source": SOURCE,
            "external_id": each.external_id,
            "received_at": each.mail.received,
            "payload": payload(each.mail),
        }
        for each in found
    ]
    if rows:
        await session.execute(
            insert(RawRecord).on_conflict_do_nothing(index_elements=["source", "external_id"]),
            rows,
        )


async def keep_mails(db: Database, mails: Sequence[RawMail], reader: Reader) -> int:
    """Keep what concerns us of mails that came in at a provider, to be applied with the others.

    Returns how many are new and concern us. A mail that is also in the mailbox counts once.
    """
    found = [
        each
        for mail in mails
        for each in await read_mail(db, mail.raw, reader, received=mail.received)
    ]
    async with db.read() as session:
        there = await _there(session, [each.external_id for each in found])
    new = [each for each in found if each.external_id not in there]
    if new:
        async with db.write() as session:
            await _keep(session, new)
    return len(new)


async def _there(session: ReadSession, ids: Sequence[str]) -> set[str]:
    found = await session.scalars(
        select(RawRecord.external_id).where(
            RawRecord.source == SOURCE, RawRecord.external_id.in_(listed(ids))
        )
    )
    return set(found)


async def _began(session: ReadSession, *, now: datetime) -> datetime:
    """Since when there can be answers: since the first message, or a few days."""
    first = await session.scalar(select(func.min(Message.claimed_at)))
    return min(first or now, now - FIRST_SIGHT)
