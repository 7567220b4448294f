"""Which messages of ours the records of a provider are about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from crm_tui.db.engine import ReadSession
from crm_tui.providers.events import Happening, ProviderEvent
from crm_tui.services.texts_in import known_numbers
from crm_tui.vocabulary import Channel, ContactStatus, MessageState


class Ours(NamedTuple):
    """A message of ours, as far as what became of it is concerned."""

    id: int
    key: str
    business_id: int
    campaign_id: int | None
    channel: Channel
    address: str
    subject: str | None
    state: MessageState
    provider_id: str | None
    times: Mapping[str, str | None]
    """The facts with times that are known, as stored."""
    segments: int | None
    cost: int | None
    erased: bool
    status: ContactStatus


TIMES = (
    "delivered_at",
    "bounced_at",
    "soft_bounced_at",
    "complained_at",
    "unsubscribed_at",
    "opened_at",
    "clicked_at",
    "machine_opened_at",
    "machine_clicked_at",
)

# Thousands a second are looked up: plain SQL.
_MESSAGES = (
    "SELECT m.id, m.key, m.business_id, m.campaign_id, m.channel, m.address, m.subject, m.state,"  # noqa: S608 - our own words
    " m.provider_id, m.segments, m.cost, b.erased_at IS NOT NULL, b.contact_status, "
    + ", ".join(f"m.{name}" for name in TIMES)
    + " FROM {given} JOIN business AS b ON b.id = m.business_id WHERE +m.provider = ?"
)
_BY_ID = _MESSAGES.format(
    given="json_each(?) AS g JOIN message AS m ON m.provider_id = g.value"
    " AND m.provider_id IS NOT NULL"
)
_BY_KEY = _MESSAGES.format(given="json_each(?) AS g JOIN message AS m ON m.key = g.value")
_BY_ADDRESS = (
    _MESSAGES.format(given="json_each(?) AS g JOIN message AS m ON m.address = g.value")
    + " AND m.state = 'sent' ORDER BY m.sent_at, m.id"
)


@dataclass(slots=True)
class Known:
    """Messages of ours by what a provider may call them."""

    by_id: dict[str, Ours] = field(default_factory=dict)
    by_key: dict[str, Ours] = field(default_factory=dict)
    by_address: dict[str, Ours] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    """Numbers of leads, and those that were texted."""

    def message(self, event: ProviderEvent) -> Ours | None:
        """The message an event is about: by the provider's name of it, or by our own key.

        What names only an address, as the provider's lists do, is about the last that went there.
        """
        if event.provider_id is not None and (found := self.by_id.get(event.provider_id)):
            return found
        if event.key is not None and (found := self.by_key.get(event.key)):
            return found
        if event.provider_id is None and event.key is None:
            return self.by_address.get(event.recipient)
        return None


async def look_up(session: ReadSession, provider: str, events: Iterable[ProviderEvent]) -> Known:
    """The messages that went through a provider and that events may be about."""
    known = Known()
    told = list(events)
    ids = sorted({each.provider_id for each in told if each.provider_id is not None})
    addresses = sorted(
        {each.recipient for each in told if each.provider_id is None and each.key is None} - {""}
    )
    for each in await _read(session, _BY_ID, ids, provider):
        known.by_id[each.provider_id or ""] = each
    unnamed = (each for each in told if each.provider_id not in known.by_id)
    keys = sorted({each.key for each in unnamed if each.key is not None})
    for each in await _read(session, _BY_KEY, keys, provider):
        known.by_key[each.key] = each
    for each in await _read(session, _BY_ADDRESS, addresses, provider):
        known.by_address[each.address] = each
    answered = {each.sender for each in told if each.kind is Happening.REPLIED}
    known.numbers = await known_numbers(session, answered)
    return known


async def _read(
    session: ReadSession, statement: str, values: Sequence[str], provider: str
) -> list[Ours]:
    if not values:
        return []
    connection = await session.connection()
    rows = await connection.exec_driver_sql(statement, (json.dumps(values), provider))
    return [_ours(row) for row in rows.all()]


def _ours(row: Any) -> Ours:
    number, key, business_id, campaign_id, channel, address, subject, state = row[:8]
    provider_id, segments, cost, erased, status = row[8:13]
    return Ours(
        number,
        key,
        business_id,
        campaign_id,
        Channel(channel),
        address,
        subject,
        MessageState(state),
        provider_id,
        dict(zip(TIMES, row[13:], strict=True)),
        segments,
        cost,
        bool(erased),
        ContactStatus(status),
    )


def may_concern(event: ProviderEvent, known: Known) -> bool:
    """Whether a record is to be kept: it is about a message of ours, or nobody can say it is not."""
    message = known.message(event)
    if message is not None:
        return not message.erased
    if event.kind is Happening.REPLIED:
        return event.sender in known.numbers
    nameless = event.provider_id is None and event.key is None and not event.recipient
    return nameless and event.kind is Happening.UNKNOWN


def moment(stored: str | None) -> datetime | None:
    """A stored time, aware UTC."""
    return None if stored is None else datetime.fromisoformat(stored)
