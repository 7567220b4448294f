"""What of a page of mails concerns us: decided by their headers, then by the mails themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import RawRecord
from crm_tui.db.types import listed
from crm_tui.providers.imap import Arrived, Cursor, Mailbox, Page
from crm_tui.providers.imap_folders import Folder
from crm_tui.providers.incoming import Heading, Incoming, classify
from crm_tui.services.inbox.concerning import (
    Known,
    Ours,
    Reader,
    look_up,
    may_concern,
    whose,
)
from crm_tui.services.inbox.records import (
    COPY,
    OWN,
    SOURCE,
    Kept,
    external_id,
    external_id_of,
    kept,
)
from crm_tui.vocabulary import MessageState

_UNSETTLED = (MessageState.UNCERTAIN, MessageState.QUEUED)
"""States of a message of which a copy in the mailbox is news."""


@dataclass(frozen=True, slots=True)
class Found:
    """A mail that concerns us, and what it is known by."""

    external_id: str
    mail: Kept


async def concerning(
    db: Database, mailbox: Mailbox, folder: Folder, page: Page, reader: Reader
) -> tuple[list[Found], Page]:
    """What is to be kept of a page; of other mails nothing but the header was read.

    The page ends where the operator wrote to somebody who answered within it: whether that is an
    answer is known when the mail before it was applied. The rest is another page then.

    Raises:
        ProviderError: the mailbox cannot be read any further.
    """
    async with db.read() as session:
        known = await _known(session, page, reader)
        there = await _there(session, page)
    found: list[Found] = []
    for arrived in page.mails:
        heading = arrived.heading
        message = known.messages.get(heading.message_id or "")
        if message is not None and _is_copy(heading, message, reader):
            if message.state in _UNSETTLED:
                found.append(_copy(arrived))
            continue
        if external_id(heading) in there:
            continue
        if not may_concern(heading, known, reader, received=arrived.received):
            continue
        body = await mailbox.body(folder, arrived)
        if body is not None:
            of_mail = await read_mail(
                db, body.raw, reader, received=arrived.received, whole=body.whole
            )
            found += of_mail
            if _is_answered(of_mail, page, arrived):
                return found, _until(page, arrived)
    return found, page


def _is_copy(heading: Heading, message: Ours, reader: Reader) -> bool:
    """Whether a mail with the Message-ID of one of ours is that; the operator's address may change."""
    return heading.sender in reader.addresses or message.address in heading.recipients


def _is_answered(found: list[Found], page: Page, arrived: Arrived) -> bool:
    """Whether it is a mail of the operator's own to somebody of whom there is a later one."""
    written_to = {
        _host(to) for each in found if each.mail.kind == OWN for to in each.mail.recipients
    }
    later = (each.heading.sender for each in page.mails if each.uid > arrived.uid)
    return any(_host(sender) in written_to for sender in later)


def _host(address: str) -> str:
    return address.rpartition("@")[2]


def _until(page: Page, last: Arrived) -> Page:
    """A page up to a mail."""
    return Page(
        tuple(each for each in page.mails if each.uid <= last.uid),
        Cursor(uidvalidity=last.uidvalidity, last_uid=last.uid),
        more=True,
        anew=page.anew,
    )


async def _known(session: ReadSession, page: Page, reader: Reader) -> Known:
    headings = [arrived.heading for arrived in page.mails]
    return await look_up(
        session,
        ids={id_ for each in headings for id_ in (*each.cited, each.message_id) if id_},
        tokens={token.value.lower() for each in headings for token in each.tokens},
        addresses={address for each in headings for address in _addresses(each, reader)},
    )


def _addresses(heading: Heading, reader: Reader) -> Iterator[str]:
    """Who wrote a mail; of the operator's own, whom it was written to."""
    if heading.sender in reader.addresses:
        yield from heading.recipients
    elif heading.sender:
        yield heading.sender


async def _there(session: ReadSession, page: Page) -> Collection[str]:
    """Those mails of a page that are kept already."""
    ids = [each for arrived in page.mails if (each := external_id(arrived.heading))]
    found = await session.scalars(
        select(RawRecord.external_id).where(
            RawRecord.source == SOURCE, RawRecord.external_id.in_(listed(ids))
        )
    )
    return set(found)


def _copy(arrived: Arrived) -> Found:
    heading = arrived.heading
    mail = Kept(
        kind=COPY,
        message_id=heading.message_id,
        received=arrived.received,
        occurred_at=min(heading.date or arrived.received, arrived.received),
    )
    return Found(f"{COPY}:{external_id(heading)}", mail)


async def read_mail(
    db: Database, raw: bytes, reader: Reader, *, received: datetime, whole: bool = True
) -> list[Found]:
    """What is to be kept of a mail that was fetched."""
    read = await asyncio.to_thread(classify, raw, received=received)
    async with db.read() as session:
        known = await look_up(
            session,
            ids=set(read.cited),
            tokens={token.value.lower() for token in read.tokens},
            addresses={
                *_addresses(read.heading, reader),
                *(each.recipient.lower() for each in read.results if each.recipient),
            },
        )
    mail = kept(
        read,
        cited=reader.of_interest(read.cited, known),
        received=received,
        whole=whole,
    )
    name = external_id_of(read.heading, raw)
    if reader.wrote(mail.sender, known.message(mail.cited, mail.tokens)):
        return list(_own(name, mail, read, known, reader))
    return [Found(name, mail)] if whose(mail, known, reader).is_ours else []


def _own(name: str, mail: Kept, read: Incoming, known: Known, reader: Reader) -> Iterator[Found]:
    """A mail of the operator's own, once for every lead it was written to.

    An address that several leads have does not say which of them was meant.
    """
    written_to = {
        leads[0].id: address
        for address in read.heading.recipients
        if len(leads := known.at(address)) == 1
    }
    mail = _as_own(mail)
    for lead_id, address in written_to.items():
        yield Found(f"{name}:{lead_id}", _as_own(mail, recipients=(address,)))
    to_others = set(read.heading.recipients) - reader.addresses
    if not written_to and to_others and whose(mail, known, reader).is_ours:
        yield Found(name, mail)


def _as_own(mail: Kept, *, recipients: tuple[str, ...] = ()) -> Kept:
    return replace(mail, kind=OWN, recipients=recipients)
