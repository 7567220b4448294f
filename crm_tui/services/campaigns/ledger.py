"""Every message of a campaign, with what became of it; filtered, and as a table."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    and_,
    case,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, CampaignExclusion, CampaignStep, Event, Message
from crm_tui.db.types import listed
from crm_tui.errors import WrongUsage
from crm_tui.services.campaigns.variants import LETTERS
from crm_tui.services.export import protected, replacing
from crm_tui.text import fold, visible
from crm_tui.vocabulary import Channel, EventKind, MessageState

_CHUNK = 1000
_TERM = re.compile(r'(-)?(?:([a-z]+):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)
_HELD = and_(
    Message.state == MessageState.QUEUED, Message.due_at.is_(None), Message.reason.is_not(None)
)
_BY_MACHINE = or_(Message.machine_opened_at.is_not(None), Message.machine_clicked_at.is_not(None))
_FACTS = {
    "held": _HELD,
    "delivered": Message.delivered_at.is_not(None),
    "opened": Message.opened_at.is_not(None),
    "clicked": Message.clicked_at.is_not(None),
    "machine": _BY_MACHINE,
    "answered": Message.replied_at.is_not(None),
    "bounced": Message.bounced_at.is_not(None),
    "unsubscribed": Message.unsubscribed_at.is_not(None),
    "complained": Message.complained_at.is_not(None),
}
"""What `is:` asks for."""
_FIELDS = "state:failed, step:2, text:b, is:held or a word of the name, the address or the reason"


class LedgerRow(NamedTuple):
    """One message: one step for one business. Times are aware UTC.

    `variant` is the letter of its text where several are tried; `machine` says why what was last
    opened or clicked by none of the people there is thought a machine's doing.
    """

    id: int
    business_id: int
    name: str
    step: int
    address: str
    state: MessageState
    reason: str | None
    due_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    machine_opened_at: datetime | None
    machine_clicked_at: datetime | None
    replied_at: datetime | None
    bounced_at: datetime | None
    unsubscribed_at: datetime | None
    complained_at: datetime | None
    message_id: str
    version: int | None
    variant: str | None
    machine: str | None
    channel: Channel
    segments: int | None

    @property
    def is_held(self) -> bool:
        """Whether it waits for something that is missing, which `reason` names."""
        return self.state is MessageState.QUEUED and self.due_at is None and self.reason is not None


class LeftOutRow(NamedTuple):
    """A lead that was asked for and left out."""

    business_id: int
    name: str
    email: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which messages; read from one line by `read_filter`."""

    text: str = ""
    terms: tuple[ColumnElement[bool], ...] = ()


def read_filter(text: str) -> LedgerFilter:
    """A filter as it is typed: `state:failed step:2 acme`, `is:held`; a minus negates.

    Raises:
        WrongUsage: it cannot be read; says what there is.
    """
    terms = []
    for minus, field, quoted, word in _TERM.findall(text):
        value = quoted or word
        term = _term(field.lower(), value)
        terms.append(not_(term) if minus else term)
    return LedgerFilter(text, tuple(terms))


def _term(field: str, value: str) -> ColumnElement[bool]:
    if not field:
        return _says(value)
    if field == "state":
        return or_(false(), *(_state(each) for each in value.lower().split(",") if each))
    if field == "step":
        if not value.isascii() or not value.isdigit() or len(value) > 6:
            raise WrongUsage(f'"{visible(value, 40)}" is no step; write step:2.')
        return CampaignStep.position == int(value)
    if field == "text":
        if value.lower() not in LETTERS:
            raise WrongUsage(f'"{visible(value, 40)}" is no text; write text:a or text:b.')
        return Message.variant == value.lower()
    if field == "is":
        if value.lower() not in _FACTS:
            raise WrongUsage(f"There is no is:{visible(value, 40)}; there are {', '.join(_FACTS)}.")
        return _FACTS[value.lower()]
    if field == "reason":
        return _contains(Message.reason, value)
    raise WrongUsage(f"The ledger has no field {visible(field, 40)}; ask for {_FIELDS}.")


def _state(word: str) -> ColumnElement[bool]:
    if word == "held":
        return _HELD
    if word not in set(MessageState):
        raise WrongUsage(
            f'There is no state "{visible(word, 40)}"; there are '
            f"{', '.join(MessageState)} and held."
        )
    return Message.state == MessageState(word)


def _says(word: str) -> ColumnElement[bool]:
    return or_(
        func.instr(Business.name_folded, fold(word)) > 0,
        _contains(Message.address, word),
        _contains(Message.reason, word),
    )


def _contains(column: ColumnElement[str | None] | object, word: str) -> ColumnElement[bool]:
    return func.instr(func.lower(func.coalesce(column, "")), word.lower()) > 0


async def order(db: Database, campaign_id: int, wanted: LedgerFilter) -> array[int]:
    """The ids of the messages, by name and step; eight bytes each."""
    return await db.integers(
        select(Message.id)
        .join(CampaignStep, CampaignStep.id == Message.step_id)
        .join(Business, Business.id == Message.business_id)
        .where(Message.campaign_id == campaign_id, true(), *wanted.terms)
        .order_by(Business.sort_name, Message.origin_id, CampaignStep.position)
    )


async def rows(session: ReadSession, ids: Sequence[int]) -> list[LedgerRow]:
    """The rows of these messages, in the order of the ids."""
    found = await session.execute(
        select(
            Message.id,
            Message.business_id,
            Business.name,
            CampaignStep.position,
            Message.address,
            Message.state,
            Message.reason,
            Message.due_at,
            Message.sent_at,
            Message.delivered_at,
            Message.opened_at,
            Message.clicked_at,
            Message.machine_opened_at,
            Message.machine_clicked_at,
            Message.replied_at,
            Message.bounced_at,
            Message.unsubscribed_at,
            Message.complained_at,
            Message.message_id,
            Message.version,
            Message.variant,
            case((_BY_MACHINE, _why_machine())),
            Message.channel,
            Message.segments,
        )
        .join(CampaignStep, CampaignStep.id == Message.step_id)
        .join(Business, Business.id == Message.business_id)
        .where(Message.id.in_(listed(ids)))
    )
    known = {row.id: LedgerRow._make(row) for row in found}
    return [known[each] for each in ids if each in known]


def _why_machine() -> ScalarSelect[str | None]:
    """Why the newest open or click of a message by a machine is thought to be one."""
    return (
        select(func.json_extract(Event.data, "$.machine"))
        .where(
            Event.message_id == Message.id,
            Event.message_id.is_not(None),  # in the words of the index
            Event.kind.in_((EventKind.OPENED, EventKind.CLICKED)),
            Event.by_machine.is_(True),
            Event.is_voided.is_(False),
        )
        .order_by(Event.occurred_at.desc(), Event.id.desc())
        .limit(1)
        .correlate(Message)
        .scalar_subquery()
    )


async def leads_of(session: ReadSession, ids: Sequence[int]) -> list[int]:
    """The leads these messages are for, each once."""
    found = await session.scalars(
        select(Message.business_id).where(Message.id.in_(listed(ids))).distinct()
    )
    return list(found)


async def left_out(
    session: ReadSession, campaign_id: int, *, most: int = 1000, offset: int = 0
) -> list[LeftOutRow]:
    """Who was left out, by reason and name."""
    found = await session.execute(
        select(Business.id, Business.name, Business.email, CampaignExclusion.reason)
        .join(Business, Business.id == CampaignExclusion.business_id)
        .where(CampaignExclusion.campaign_id == campaign_id)
        .order_by(CampaignExclusion.reason, Business.sort_name, Business.id)
        .limit(most)
        .offset(offset)
    )
    return [LeftOutRow._make(row) for row in found]


async def first_lead(session: ReadSession, campaign_id: int) -> int | None:
    """The lead a campaign writes to first; None where it writes to nobody."""
    return await session.scalar(
        select(Message.business_id)
        .where(Message.campaign_id == campaign_id)
        .order_by(Message.id)
        .limit(1)
    )


_COLUMNS = (
    "business_id name step to state reason due_at sent_at replied_at bounced_at unsubscribed_at "
    "complained_at message_id version variant delivered_at opened_at clicked_at machine_opened_at "
    "machine_clicked_at machine"
).split()


async def export(db: Database, campaign_id: int, wanted: LedgerFilter, target: Path) -> int:
    """Write the ledger as CSV; returns how many rows. A file that is there is replaced.

    Raises:
        BadInput: the file cannot be written; what was there before stands.
    """
    ids = await order(db, campaign_id, wanted)
    written = 0
    async with replacing(target) as file:
        await asyncio.to_thread(file.write, _table([_COLUMNS]))
        for start in range(0, len(ids), _CHUNK):
            async with db.read() as session:
                found = await rows(session, ids[start : start + _CHUNK])
            await asyncio.to_thread(file.write, _table([_cells(row) for row in found]))
            written += len(found)
    return written


def _cells(row: LedgerRow) -> list[str]:
    named = row._asdict() | {"to": row.address}
    return [_cell(named[column]) for column in _COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return protected(str(value))


def _table(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue()
