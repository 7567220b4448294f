"""What follows from what a provider tells, besides the line on the timeline.

Facts with times keep the first time something happened, states of addresses only get worse: so
order and repetition do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.dialects.sqlite import insert

from crm_tui.db.engine import WriteSession
from crm_tui.db.models import Suppression
from crm_tui.db.types import utc_text
from crm_tui.providers.events import Happening, Listed, ProviderEvent
from crm_tui.services.inbox.consequences import WORSE
from crm_tui.services.polling.concerning import Ours
from crm_tui.services.sending.bounces import pause, pause_for_bounces
from crm_tui.services.sending.stopping import Stop, stop_all
from crm_tui.services.texts_in import STOPPED
from crm_tui.text import visible
from crm_tui.vocabulary import Channel, ContactKind, ContactState, SuppressionKind

Told = tuple[ProviderEvent, Ours]

COMPLAINED = "they reported a mail as spam"
UNSUBSCRIBED = "they unsubscribed"

_COLUMNS = {
    Happening.DELIVERED: "delivered_at",
    Happening.BOUNCED_HARD: "bounced_at",
    Happening.BOUNCED_SOFT: "soft_bounced_at",
    Happening.FAILED: "soft_bounced_at",
    Happening.COMPLAINED: "complained_at",
    Happening.UNSUBSCRIBED: "unsubscribed_at",
}
_KEPT = tuple(dict.fromkeys(_COLUMNS.values()))
_LISTED = {
    Listed.BOUNCE: ContactState.BOUNCED,
    Listed.COMPLAINT: ContactState.COMPLAINED,
    Listed.UNSUBSCRIBE: ContactState.UNSUBSCRIBED,
}
_STATES = {
    Happening.DELIVERED: ContactState.OK,
    Happening.BOUNCED_HARD: ContactState.BOUNCED,
    Happening.BOUNCED_SOFT: ContactState.SOFT_BOUNCED,
    Happening.COMPLAINED: ContactState.COMPLAINED,
    Happening.UNSUBSCRIBED: ContactState.UNSUBSCRIBED,
}
_WHY = {
    ContactState.COMPLAINED: COMPLAINED,
    ContactState.UNSUBSCRIBED: UNSUBSCRIBED,
    ContactState.STOPPED: STOPPED,
}
"""Why an address in such a state is never written to again."""

_FACTS = (
    "UPDATE message SET delivered_at = ?, bounced_at = ?, soft_bounced_at = ?, complained_at = ?,"
    " unsubscribed_at = ?, segments = ?, cost = ?, currency = coalesce(?, currency) WHERE id = ?"
)
_SENT_AS = "UPDATE message SET sent_as = ? WHERE id = ? AND sent_as IS NULL AND message_id <> ?"
_STATE = (
    "UPDATE contact_point SET state = ?, state_reason = ? WHERE value = ? AND kind = ?"
    " AND state IN ({lesser})"
)


@dataclass(slots=True)
class Facts:
    """What is known of one message, once something was told of it."""

    message: Ours
    times: dict[str, str | None]
    segments: int | None
    cost: int | None
    currency: str | None = None

    def note(self, event: ProviderEvent) -> None:
        """Take in what an event says."""
        column = _COLUMNS.get(event.kind)
        if column is not None:
            known, at = self.times[column], utc_text(event.occurred_at)
            self.times[column] = at if known is None else min(known, at)
        if event.segments is not None and event.segments > 0:
            self.segments = event.segments
        if event.cost is not None and event.currency:
            self.cost, self.currency = event.cost, event.currency

    @property
    def is_news(self) -> bool:
        """Whether it is something else than the store has."""
        message = self.message
        return (self.times, self.segments, self.cost) != (
            {name: message.times[name] for name in self.times},
            message.segments,
            message.cost,
        )


def facts_of(told: Iterable[Told]) -> list[Facts]:
    """What is known of messages by now, of those of which something new was told."""
    found: dict[int, Facts] = {}
    for event, message in told:
        if event.kind not in _COLUMNS and event.segments is None and event.cost is None:
            continue
        if message.id not in found:
            times = {name: message.times[name] for name in _KEPT}
            found[message.id] = Facts(message, times, message.segments, message.cost)
        found[message.id].note(event)
    return [each for each in found.values() if each.is_news]


async def write_facts(session: WriteSession, facts: Sequence[Facts]) -> None:
    """Write what is known of messages."""
    if not facts:
        return
    connection = await session.connection()
    await connection.exec_driver_sql(
        _FACTS,
        [
            (
                each.times["delivered_at"],
                each.times["bounced_at"],
                each.times["soft_bounced_at"],
                each.times["complained_at"],
                each.times["unsubscribed_at"],
                each.segments,
                each.cost,
                each.currency,
                each.message.id,
            )
            for each in facts
        ],
    )


async def write_names(session: WriteSession, told: Iterable[Told]) -> None:
    """Write the Message-IDs that mails went under, by which answers to them are known."""
    named = {message.id: event.message_id for event, message in told if event.message_id}
    if named:
        connection = await session.connection()
        await connection.exec_driver_sql(
            _SENT_AS, [(name, number, name) for number, name in named.items()]
        )


@dataclass(slots=True)
class _Following:
    """What follows from some events, gathered so that it is written together."""

    states: dict[ContactState, dict[tuple[str, str], str | None]] = field(default_factory=dict)
    barred: dict[tuple[SuppressionKind, str], str] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    bounced: set[int | None] = field(default_factory=set)
    paused: dict[int, str] = field(default_factory=dict)

    def take(self, event: ProviderEvent, message: Ours) -> None:
        """Sort out what follows from one event."""
        state = _STATES.get(event.kind)
        if event.listed is not None and event.kind is not Happening.DELIVERED:
            state = _LISTED[event.listed]
        is_sms = message.channel is Channel.SMS
        if is_sms and state is ContactState.UNSUBSCRIBED:
            state = ContactState.STOPPED
        if state is not None:
            kind = ContactKind.PHONE if is_sms else ContactKind.EMAIL
            reason = None if state is ContactState.OK else _WHY.get(state) or visible(event.reason)
            self.states.setdefault(state, {})[message.address, kind.value] = reason or None
        if state in _WHY:
            kind_barred = SuppressionKind.PHONE if is_sms else SuppressionKind.EMAIL
            self.barred.setdefault((kind_barred, message.address), _WHY[state])
            self.stops.append(Stop(message.business_id, _WHY[state]))
        elif state is ContactState.BOUNCED:
            why = f"a {'text' if is_sms else 'mail'} to {message.address} came back"
            self.stops.append(Stop(message.business_id, why, message.address))
            self.bounced.add(message.campaign_id)
        if event.pauses and message.campaign_id is not None:
            self.paused[message.campaign_id] = visible(event.pauses)


async def follow(session: WriteSession, told: Iterable[Told], *, now: datetime) -> None:
    """Do what follows: the states of addresses, the list of whom not to write to, the sequences."""
    following = _Following()
    for event, message in told:
        following.take(event, message)
    connection = await session.connection()
    for state, reasons in sorted(following.states.items(), key=lambda each: WORSE.index(each[0])):
        lesser = ", ".join(f"'{each}'" for each in WORSE[: WORSE.index(state)])
        rows = [(state.value, why, value, kind) for (value, kind), why in reasons.items()]
        await connection.exec_driver_sql(_STATE.format(lesser=lesser), rows)
    if following.barred:
        rows_barred = [
            {"kind": kind, "value": value, "reason": why, "created_at": now}
            for (kind, value), why in following.barred.items()
        ]
        await session.execute(
            insert(Suppression).on_conflict_do_nothing(index_elements=["kind", "value"]),
            rows_barred,
        )
    await stop_all(session, following.stops, now=now)
    if following.bounced - {None}:
        await pause_for_bounces(session, following.bounced, now=now)
    for campaign_id, why in following.paused.items():
        await pause(session, campaign_id, why, now=now)
