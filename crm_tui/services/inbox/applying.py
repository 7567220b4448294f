"""From what was read in the mailbox to events: the same record twice, late or in any order is one.

Every event has a key made of the record's, and every fact that follows is one that a repetition
leaves as it is.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import RawRecord, Unmatched
from crm_tui.providers.base import said
from crm_tui.providers.incoming import Kind
from crm_tui.services.inbox.concerning import Known, Reader, Whose, look_up, whose
from crm_tui.services.inbox.consequences import proven, set_state, suppress
from crm_tui.services.inbox.records import COPY, SOURCE, Kept, read
from crm_tui.services.inbox.telling import UNSUBSCRIBED, Telling, tell
from crm_tui.services.sending import worker_log
from crm_tui.services.sending.account import Account
from crm_tui.text import visible
from crm_tui.vocabulary import ContactState, UnmatchedKind

_UNMATCHED = {
    Kind.BOUNCE: UnmatchedKind.BOUNCE,
    Kind.COMPLAINT: UnmatchedKind.BOUNCE,
    Kind.UNSUBSCRIBE: UnmatchedKind.UNSUBSCRIBE,
}
_SUBJECT = 200


class Came(StrEnum):
    """What applying a record came to."""

    APPLIED = "applied"
    UNMATCHED = "unmatched"
    NOTHING = "nothing"


async def waiting(session: ReadSession) -> list[int]:
    """The records of the mailbox that wait to be applied, in the order they were kept."""
    found = await session.scalars(
        select(RawRecord.id)
        .where(
            RawRecord.applied_at.is_(None),
            RawRecord.batch_id.is_(None),
            RawRecord.source == SOURCE,
        )
        .order_by(RawRecord.id)
    )
    return list(found)


async def apply(
    session: WriteSession, raw_id: int, reader: Reader, account: Account, *, now: datetime
) -> Came:
    """Tell of one record what it says; one that turns out not to be ours is forgotten."""
    raw = await session.get(RawRecord, raw_id)
    if raw is None or raw.applied_at is not None:
        return Came.NOTHING
    mail = read(raw.payload)
    known = await known_of(session, mail)
    found = whose(mail, known, reader)
    if mail.kind == COPY:
        return await _copy(session, raw, known, account, now=now)
    if not found.is_ours:
        await session.execute(delete(RawRecord).where(RawRecord.id == raw_id))
        return Came.NOTHING
    raw.applied_at = now
    if found.business_id is None:
        await _set_aside(session, raw, mail, found, now=now)
        return Came.UNMATCHED
    raw.business_id = found.business_id
    await session.flush()
    telling = Telling(
        mail=mail, raw_id=raw_id, key=raw.external_id, whose=found, account=account, now=now
    )
    await tell(session, telling)
    return Came.APPLIED


async def give_up(session: WriteSession, raw_id: int, problem: str, *, now: datetime) -> None:
    """Note that a record cannot be applied, and say so in the worker's log; it stays as it is."""
    await session.execute(
        update(RawRecord)
        .where(RawRecord.id == raw_id)
        .values(applied_at=now, problem=said(problem))
    )
    words = f"Record {raw_id} of the mailbox cannot be read and was passed over: {said(problem)}"
    await worker_log.add(session, words, is_problem=True, now=now)


async def known_of(session: ReadSession, mail: Kept) -> Known:
    """What the store knows of what a mail names."""
    addresses = {mail.sender, *mail.recipients, *(each.recipient for each in mail.results)}
    ids = {*mail.cited, mail.message_id} if mail.kind == COPY else set(mail.cited)
    return await look_up(
        session,
        ids=[each for each in ids if each],
        tokens=mail.tokens,
        addresses=[each for each in addresses if each],
    )


async def _copy(
    session: WriteSession, raw: RawRecord, known: Known, account: Account, *, now: datetime
) -> Came:
    """A copy of a message of ours says that it was sent, and nothing else is kept of it."""
    mail = read(raw.payload)
    message = known.message([mail.message_id or ""], ())
    await session.delete(raw)
    await session.flush()
    if message is None:
        return Came.NOTHING
    sent = await proven(session, message.id, account, at=mail.occurred_at, now=now)
    return Came.APPLIED if sent else Came.NOTHING


async def _set_aside(
    session: WriteSession, raw: RawRecord, mail: Kept, found: Whose, *, now: datetime
) -> None:
    """Keep what is ours but nobody's for the operator. Who wants no more mail gets none from now."""
    if mail.kind == Kind.UNSUBSCRIBE and not mail.report:
        await suppress(session, mail.sender, UNSUBSCRIBED, now=now)
        await set_state(session, mail.sender, ContactState.UNSUBSCRIBED, UNSUBSCRIBED)
    row = {
        "key": f"{SOURCE}:{raw.external_id}",
        "kind": _UNMATCHED.get(Kind(mail.kind), UnmatchedKind.REPLY),
        "title": visible(mail.author, _SUBJECT),
        "reason": found.why_unknown,
        "raw_id": raw.id,
        "created_at": mail.occurred_at,
        "payload": {
            "from": mail.sender,
            "name": mail.sender_name,
            "subject": mail.subject,
            "text": mail.text[:_SUBJECT],
            "addresses": [each.recipient for each in mail.results if each.recipient],
        },
    }
    await session.flush()
    await session.execute(
        insert(Unmatched).values(row).on_conflict_do_nothing(index_elements=["key"])
    )
