"""What is ours but nobody's: mails and payments that wait until the operator says whose they are.

Linking one tells of the lead what would have been told had it been known at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import RawRecord, Unmatched
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import derived, leads, points, setting_aside, texts_in, undo
from crm_tui.services.contacts import email
from crm_tui.services.inbox.concerning import Whose, domain_of, look_up
from crm_tui.services.inbox.consequences import MAILBOX
from crm_tui.services.inbox.records import Kept, read
from crm_tui.services.inbox.telling import Telling, tell
from crm_tui.services.money import waiting
from crm_tui.services.sending.account import account
from crm_tui.services.texts_in import TextIn
from crm_tui.text import plain_line, visible
from crm_tui.vocabulary import ContactKind, UnmatchedKind, UnmatchedState

MAILS = (UnmatchedKind.REPLY, UnmatchedKind.BOUNCE, UnmatchedKind.UNSUBSCRIBE)
"""The kinds of what waits that came by mail."""

WAITING = (*MAILS, UnmatchedKind.PAYMENT)
"""The kinds that the inbox shows; sites are repaired elsewhere."""

SUGGESTED = 5
_SUMMARY = 200


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A lead it may be about, and what speaks for that."""

    id: int
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Item:
    """Something that waits.

    Attributes:
        title: what it is, in a line: who wrote, or what was paid by whom.
        sender: the address it came from, or "".
        author: the same with the name, for people.
        reason: why nobody knows whose it is.
        text: what it says.
    """

    id: int
    kind: UnmatchedKind
    title: str
    sender: str
    author: str
    subject: str
    reason: str
    text: str
    at: datetime
    suggestions: tuple[Suggestion, ...]

    @property
    def words(self) -> str:
        """What it is, within a sentence: "a mail of Jane"."""
        return (
            visible(self.title, 60) if self.is_payment else f"a mail of {visible(self.author, 60)}"
        )

    @property
    def is_payment(self) -> bool:
        """Whether it is money and not a mail."""
        return self.kind is UnmatchedKind.PAYMENT

    @property
    def summary(self) -> str:
        """What it says, in a line."""
        said = plain_line(self.text)
        line = " – ".join(filter(None, (self.subject, said))) or self.reason
        return line if len(line) <= _SUMMARY else line[: _SUMMARY - 1] + "…"


async def items(session: ReadSession) -> list[Item]:
    """What waits, the oldest first."""
    found = select(Unmatched.id).where(
        Unmatched.state == UnmatchedState.OPEN, Unmatched.kind.in_(WAITING)
    )
    ids = list(await session.scalars(found.order_by(Unmatched.id)))
    return [await item(session, each) for each in ids]


async def item(session: ReadSession, item_id: int) -> Item:
    """One that waits.

    Raises:
        NotFound: no such answer waits.
    """
    waits, mail = await _waiting(session, item_id)
    return Item(
        waits.id,
        waits.kind,
        waits.title,
        mail.sender,
        mail.author,
        mail.subject,
        waits.reason,
        mail.text,
        mail.occurred_at,
        await _suggestions(session, mail),
    )


async def count_sites(session: ReadSession) -> int:
    """How many sites wait for a lead; they are repaired elsewhere."""
    counted = select(func.count()).select_from(Unmatched)
    return (
        await session.execute(
            counted.where(
                Unmatched.state == UnmatchedState.OPEN, Unmatched.kind == UnmatchedKind.SITE
            )
        )
    ).scalar_one()


async def link(
    session: WriteSession,
    item_id: int,
    business_id: int,
    *,
    settings: Settings,
    now: datetime,
    state: UnmatchedState = UnmatchedState.LINKED,
) -> str:
    """Say whose it is; returns the lead's name. For the transaction of an action (services.undo).

    Whoever answered from an address that was not known is known by it from now on.

    Raises:
        NotFound: no such answer waits, or there is no such lead.
        BadInput: it is of a payment nobody told of yet.
    """
    name = await leads.require(session, business_id)
    waits, mail = await _waiting(session, item_id)
    raw = None if waits.raw_id is None else await session.get_one(RawRecord, waits.raw_id)
    waits.state, waits.business_id, waits.resolved_at = state, business_id, now
    if raw is not None:
        raw.business_id = business_id
    await session.flush()
    if waits.kind is UnmatchedKind.PAYMENT:
        await waiting.link(session, waits.payload, business_id, now=now)
        return name
    if text := texts_in.from_waiting(waits.payload, waits.raw_id):
        await _link_text(session, business_id, text, settings=settings, now=now)
        return name
    assert raw is not None
    if waits.kind is not UnmatchedKind.BOUNCE:
        await _remember(session, business_id, mail, settings=settings, now=now)
    entry = await undo.recorded_as(session)
    await tell(
        session,
        Telling(
            mail=mail,
            raw_id=raw.id,
            key=f"{raw.external_id}@{entry}",
            whose=Whose(business_id),
            account=account(settings),
            now=now,
            linked=True,
        ),
    )
    return name


async def _link_text(
    session: WriteSession, business_id: int, text: TextIn, *, settings: Settings, now: datetime
) -> None:
    """Tell of a lead what somebody answered by text message, whose number is its from now on."""
    added = await points.add(session, business_id, ContactKind.PHONE, text.sender, now=now)
    if added:
        await derived.renew(session, [business_id], score=settings.score, now=now)
    entry = await undo.recorded_as(session)
    again = replace(text, key=f"{text.key}@{entry}")
    await texts_in.tell_lead(session, again, business_id, linked=True, now=now)


async def create(
    session: WriteSession, item_id: int, name: str, *, settings: Settings, now: datetime
) -> int:
    """Make a lead of whoever wrote it, and link it; returns the lead's id.

    Raises:
        NotFound: no such answer waits.
        BadInput: it came back from a mail system, or the name cannot be used.
    """
    waits, mail = await _waiting(session, item_id)
    if waits.kind is UnmatchedKind.BOUNCE:
        raise BadInput("A mail that came back is not from anybody; link it to the lead, or let go.")
    if waits.kind is UnmatchedKind.PAYMENT:
        contact = email(mail.sender)
        reached = {"email": contact.value} if contact is not None and contact.valid else {}
        source, summary = "payment", "captured from a payment"
    else:
        kind = "phone" if texts_in.from_waiting(waits.payload, None) else "email"
        reached = {kind: mail.sender}
        source, summary = MAILBOX, "captured from a mail"
    business_id = await leads.add(
        session,
        {"name": name} | reached,
        settings=settings,
        now=now,
        source=source,
        summary=summary,
        duplicate=True,
    )
    await link(
        session, item_id, business_id, settings=settings, now=now, state=UnmatchedState.CREATED
    )
    return business_id


async def dismiss(session: WriteSession, item_id: int, *, now: datetime) -> str:
    """Let it go; returns what it was, as `Item.words` has it.

    Raises:
        NotFound: no such answer waits.
    """
    words = (await item(session, item_id)).words
    await setting_aside.unmatched(session, item_id, now=now)
    return words


async def _waiting(session: ReadSession, item_id: int) -> tuple[Unmatched, Kept]:
    row = await session.execute(
        select(Unmatched, RawRecord.payload)
        .outerjoin(RawRecord, RawRecord.id == Unmatched.raw_id)
        .where(
            Unmatched.id == item_id,
            Unmatched.state == UnmatchedState.OPEN,
            Unmatched.kind.in_(WAITING),
        )
    )
    found = row.first()
    if found is None:
        raise NotFound(f"Nothing with the number {item_id} waits in the inbox.")
    waits, payload = found
    if waits.kind is UnmatchedKind.PAYMENT:
        return waits, _as_mail(waits)
    if text := texts_in.from_waiting(waits.payload, waits.raw_id):
        at = text.occurred_at
        said = Kept(
            kind=waits.kind, sender=text.sender, text=text.text, received=at, occurred_at=at
        )
        return waits, said
    return waits, read(payload)


def _as_mail(waits: Unmatched) -> Kept:
    """A payment that waits, as a mail from the payer would stand in the inbox."""
    held = waiting.payload_of(waits.payload)
    return Kept(
        kind=waits.kind,
        sender=held.sender,
        sender_name=held.name,
        subject=waits.title,
        text=held.text,
        received=waits.created_at,
        occurred_at=waits.created_at,
    )


async def _suggestions(session: ReadSession, mail: Kept) -> tuple[Suggestion, ...]:
    """The leads it may be about: by its address, by those it names, by their domain."""
    addresses = [mail.sender, *(each.recipient for each in mail.results)]
    known = await look_up(session, addresses=[each for each in addresses if each])
    found: dict[int, Suggestion] = {}
    for address in filter(None, addresses):
        for lead in known.at(address):
            found.setdefault(lead.id, Suggestion(lead.id, lead.name, f"has {address}"))
    for address in filter(None, addresses):
        for lead in known.of_domain(address):
            why = f"has an address at {domain_of(address)}"
            found.setdefault(lead.id, Suggestion(lead.id, lead.name, why))
    return tuple(found.values())[:SUGGESTED]


async def _remember(
    session: WriteSession, business_id: int, mail: Kept, *, settings: Settings, now: datetime
) -> None:
    """Make the address it came from one of the lead's."""
    contact = email(mail.sender)
    if contact is None or not contact.valid or mail.report:
        return
    added = await points.add(
        session,
        business_id,
        ContactKind.EMAIL,
        contact.value,
        raw=contact.raw,
        domain=contact.domain or None,
        person=mail.sender_name or None,
        now=now,
    )
    if added:
        await derived.renew(session, [business_id], score=settings.score, now=now)


def document(one: Item) -> dict[str, Any]:
    """What waits, as the command line tells it; times are UTC."""
    return {
        "id": one.id,
        "kind": one.kind,
        "title": one.title,
        "from": one.sender,
        "summary": one.summary,
        "suggestions": [
            {"id": each.id, "name": each.name, "why": each.why} for each in one.suggestions
        ],
        "reason": one.reason,
        "at": one.at.isoformat(),
    }
