"""Whose a mail is: which message of ours it is about, or which lead wrote it.

A mail is ours if it cites a Message-ID or carries a token of ours, or if it comes from an address or
a domain of a lead that was contacted before. Only the first says surely whom it concerns. All other
mail is somebody else's, and nothing of it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select

from crm_tui.config import Settings
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, ContactPoint, Event, Message
from crm_tui.db.types import listed
from crm_tui.providers.incoming import Delivery, Heading, Kind
from crm_tui.services.contacts import email
from crm_tui.services.inbox.records import OWN, Kept
from crm_tui.services.sending.account import Account
from crm_tui.text import visible
from crm_tui.vocabulary import ContactKind, MessageState

_OUR_FORM = re.compile(r"<[0-9a-f]{32}@([^<>@\s]+)>")
_AHEAD = timedelta(minutes=10)
"""How far the clocks of the mailbox and of this machine may be apart."""
_FAILED = (Delivery.HARD, Delivery.SOFT)


class Ours(NamedTuple):
    """A message of ours that a mail may be about."""

    id: int
    business_id: int
    erased: bool
    message_id: str
    token: str
    address: str
    state: MessageState


class Lead(NamedTuple):
    """A lead that a mail may be from, and when it was contacted first, if it was."""

    id: int
    name: str
    contacted_at: datetime | None

    def contacted(self, by: datetime) -> bool:
        """Whether it was contacted before that time."""
        return self.contacted_at is not None and self.contacted_at <= by + _AHEAD


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of the Message-IDs, tokens and addresses of some mails."""

    messages: Mapping[str, Ours] = field(default_factory=dict)
    tokens: Mapping[str, Ours] = field(default_factory=dict)
    addresses: Mapping[str, Sequence[Lead]] = field(default_factory=dict)
    domains: Mapping[str, Sequence[Lead]] = field(default_factory=dict)

    def message(self, ids: Iterable[str], tokens: Iterable[str]) -> Ours | None:
        """The message that is named first."""
        named = (*map(self.messages.get, ids), *map(self.tokens.get, tokens))
        return next((each for each in named if each is not None), None)

    def at(self, address: str) -> Sequence[Lead]:
        """The leads that have this address."""
        return self.addresses.get(address, ())

    def of_domain(self, address: str) -> Sequence[Lead]:
        """The leads that have an address of the same domain, where that names an owner."""
        return self.domains.get(domain_of(address), ())


@dataclass(frozen=True, slots=True)
class Whose:
    """Whom a mail concerns.

    Attributes:
        business_id: the lead; None where that is not known, or where it is not ours at all.
        message: the message of ours it is about, where it says so.
        why_unknown: why it is ours although nobody knows whose it is; "" where it is not ours.
        candidates: the leads it may concern then.
    """

    business_id: int | None = None
    message: Ours | None = None
    why_unknown: str = ""
    candidates: tuple[Lead, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether it concerns us at all."""
        return self.business_id is not None or bool(self.why_unknown)


_NOT_OURS = Whose()


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the mailbox.

    Attributes:
        domain: what our Message-IDs end in.
        addresses: what the operator writes from, in lower case.
    """

    domain: str
    addresses: frozenset[str]

    @classmethod
    def of(cls, account: Account, settings: Settings) -> Reader:
        """Who the settings say."""
        logins = (settings.providers.imap.username, settings.providers.smtp.username)
        named = (account.address, *(each for each in logins if "@" in each))
        return cls(account.domain, frozenset(each.strip().lower() for each in named if each))

    def looks_ours(self, message_id: str) -> bool:
        """Whether a Message-ID has the form of those we make."""
        match = _OUR_FORM.fullmatch(message_id)
        return match is not None and match[1].lower() == self.domain

    def of_interest(self, cited: Iterable[str], known: Known) -> tuple[str, ...]:
        """Those of the Message-IDs a mail cites that are, or may be, ours."""
        return tuple(each for each in cited if each in known.messages or self.looks_ours(each))

    def wrote(self, sender: str, message: Ours | None) -> bool:
        """Whether the operator wrote it; who tries out a mail to themselves answers as the lead."""
        return sender in self.addresses and (message is None or message.address != sender)


def domain_of(address: str) -> str:
    """The registrable domain of an address, where businesses can be told apart by it, else ""."""
    read = email(address)
    return read.domain if read is not None and read.valid else ""


# -- looking up -----------------------------------------------------------------------------------


async def look_up(
    session: ReadSession,
    *,
    ids: Collection[str] = (),
    tokens: Collection[str] = (),
    addresses: Collection[str] = (),
) -> Known:
    """Ask the store about Message-IDs, tokens and addresses, however many."""
    by_id = await _by_ids(session, ids) if ids else {}
    by_token = await _messages(session, Message.token.in_(listed(tokens))) if tokens else []
    domains = {each: domain_of(each) for each in addresses}
    named = sorted({domain for domain in domains.values() if domain})
    return Known(
        by_id,
        {each.token: each for each in by_token},
        await _leads(session, ContactPoint.value, sorted(domains)) if domains else {},
        await _leads(session, ContactPoint.domain, named) if named else {},
    )


async def _by_ids(session: ReadSession, ids: Collection[str]) -> dict[str, Ours]:
    """Messages by the Message-IDs they went under: ours, or one that their provider put in its place."""
    found = {
        each.message_id: each
        for each in await _messages(session, Message.message_id.in_(listed(ids)))
    }
    others = {form: each for each in ids if each not in found for form in (each, each.strip("<>"))}
    named: dict[str, str] = {}
    for column in (Message.provider_id, Message.sent_as):
        rows = await session.execute(
            select(column, Message.message_id).where(
                column.is_not(None), column.in_(listed(others))
            )
        )
        named |= {name: message_id for name, message_id in rows if name is not None}
    ours = await _messages(session, Message.message_id.in_(listed(named.values())))
    by_own = {each.message_id: each for each in ours}
    return found | {others[name]: by_own[own] for name, own in named.items()}


async def _messages(session: ReadSession, which: ColumnElement[bool]) -> list[Ours]:
    rows = await session.execute(
        select(
            Message.id,
            Message.business_id,
            Business.erased_at.is_not(None),
            Message.message_id,
            Message.token,
            Message.address,
            Message.state,
        )
        .join(Business, Business.id == Message.business_id)
        .where(which)
    )
    return [Ours._make(row) for row in rows]


async def _leads(
    session: ReadSession, column: ColumnElement[str | None] | object, values: Sequence[str]
) -> dict[str, list[Lead]]:
    """The leads that have an address of which this column is one of the values, by the value."""
    asked: ColumnElement[str | None] = column  # type: ignore[assignment]
    first = (
        select(func.min(Event.occurred_at))
        .where(
            Event.business_id == Business.id,
            Event.moves_to.is_not(None),
            Event.is_voided.is_(False),
        )
        .correlate(Business)
        .scalar_subquery()
    )
    rows = await session.execute(
        select(asked, Business.id, Business.name, first)
        .join(Business, Business.id == ContactPoint.business_id)
        .where(
            ContactPoint.kind == ContactKind.EMAIL,
            asked.in_(listed(values)),
            Business.erased_at.is_(None),
        )
        .order_by(Business.id)
        .distinct()
    )
    found: dict[str, list[Lead]] = {}
    for value, lead_id, name, contacted_at in rows:
        found.setdefault(str(value), []).append(Lead(lead_id, name, contacted_at))
    return found


# -- deciding -------------------------------------------------------------------------------------


def may_concern(heading: Heading, known: Known, reader: Reader, *, received: datetime) -> bool:
    """Whether a mail may be ours, by its header: only of such is the rest fetched."""
    message = known.message(heading.cited, (token.value.lower() for token in heading.tokens))
    if reader.wrote(heading.sender, message):
        return message is not None or any(map(known.at, heading.recipients))
    if message is not None or heading.report or any(map(reader.looks_ours, heading.cited)):
        return True
    leads = known.at(heading.sender)
    if not leads and heading.automatic is None:
        leads = known.of_domain(heading.sender)
    return any(each.contacted(received) for each in leads)


def whose(mail: Kept, known: Known, reader: Reader) -> Whose:
    """Whom a mail concerns, as far as it says."""
    message = known.message(mail.cited, mail.tokens)
    if mail.kind == OWN:
        return _to_whom(mail, message, known)
    if message is not None:
        return _NOT_OURS if message.erased else Whose(message.business_id, message)
    if mail.kind in {Kind.BOUNCE, Kind.COMPLAINT}:
        return _came_back(mail, known, reader)
    leads = [each for each in known.at(mail.sender) if each.contacted(mail.received)]
    if len(leads) == 1:
        return Whose(leads[0].id)
    if mail.kind == Kind.AUTO_REPLY or mail.automatic:
        return _NOT_OURS
    return _from_somebody(mail, leads, known, reader)


def _from_somebody(mail: Kept, leads: Sequence[Lead], known: Known, reader: Reader) -> Whose:
    """Whom an answer may concern that says too little."""
    if leads:
        return _unknown("several leads have the address it comes from", leads)
    near = known.of_domain(mail.sender)
    if any(map(reader.looks_ours, mail.cited)):
        near = known.at(mail.sender) or near
        return _unknown("it answers a mail of ours that is not in this store", near)
    colleagues = [each for each in near if each.contacted(mail.received)]
    if colleagues:
        return _unknown("it comes from a lead's domain, from an address of nobody's", colleagues)
    return _NOT_OURS


def _to_whom(mail: Kept, message: Ours | None, known: Known) -> Whose:
    """The lead that the operator wrote to."""
    leads = {each.id for address in mail.recipients for each in known.at(address)}
    if len(leads) == 1:
        return Whose(leads.pop(), message)
    if message is None or message.erased:
        return _NOT_OURS
    return Whose(message.business_id, message)


def _came_back(mail: Kept, known: Known, reader: Reader) -> Whose:
    """A report that does not say which mail it is about: anybody could have written it."""
    failed = [each.recipient for each in mail.results if each.delivery in _FAILED]
    leads = [
        lead for address in failed for lead in known.at(address) if lead.contacted(mail.received)
    ]
    if leads:
        address = next(each for each in failed if known.at(each))
        return _unknown(
            f"a mail to {visible(address, 100)} came back; it does not say which", leads
        )
    if any(map(reader.looks_ours, mail.cited)):
        return _unknown("it is about a mail of ours that is not in this store", ())
    return _NOT_OURS


def _unknown(why: str, leads: Iterable[Lead]) -> Whose:
    return Whose(why_unknown=why, candidates=tuple(dict.fromkeys(leads)))
