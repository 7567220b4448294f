"""From the raw records of a provider to events: hundreds in one transaction, thousands a second.

Every event has a key made of its account and its name there, so that the same happening told twice,
late or in any order is one. What follows from events is such that a repetition leaves it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from crm_tui.db.engine import WriteSession
from crm_tui.providers.base import said
from crm_tui.providers.events import Happening, ProviderEvent
from crm_tui.services import activity, events, statuses
from crm_tui.services.events import NewEvent
from crm_tui.services.inbox.consequences import proven
from crm_tui.services.polling import following, touches
from crm_tui.services.polling.concerning import Known, Ours, look_up
from crm_tui.services.polling.records import (
    STRANGE,
    Applied,
    Done,
    Named,
    Parsed,
    Raw,
    is_possible,
    put_away,
    say,
    source_of,
    unreadable,
)
from crm_tui.services.polling.words import told
from crm_tui.services.sending.account import Account
from crm_tui.services.texts_in import Concern, TextIn, tell_answer
from crm_tui.vocabulary import ContactStatus, EventKind, MessageState

AT_ONCE = 800
"""How many records one transaction applies at most, to be over in less than a quarter second."""

ANSWERS_AT_ONCE = 25
"""How many answers, which are told one by one."""

KINDS = {
    Happening.DELIVERED: EventKind.DELIVERED,
    Happening.DEFERRED: EventKind.DEFERRED,
    Happening.OPENED: EventKind.OPENED,
    Happening.CLICKED: EventKind.CLICKED,
    Happening.BOUNCED_HARD: EventKind.BOUNCED,
    Happening.BOUNCED_SOFT: EventKind.SOFT_BOUNCED,
    Happening.FAILED: EventKind.NOT_SENT,
    Happening.COMPLAINED: EventKind.COMPLAINED,
    Happening.UNSUBSCRIBED: EventKind.UNSUBSCRIBED,
}
"""What stands on the timeline. That a message was sent stands there since it was."""

_MOVES = {
    Happening.OPENED: ContactStatus.OPENED,
    Happening.CLICKED: ContactStatus.CLICKED,
}
_BY_MACHINES = frozenset(
    {Happening.DELIVERED, Happening.DEFERRED, Happening.BOUNCED_SOFT, Happening.FAILED}
)


class Reads(Named, Protocol):
    """What reads the records of one account: its stream."""

    def parse_event(self, raw: Any) -> Sequence[ProviderEvent]:
        """What a record says."""
        ...


def parse(stream: Reads, payload: Any) -> Parsed[ProviderEvent]:
    """Read a record, whatever it holds."""
    try:
        found = stream.parse_event(payload)
        possible = all(is_possible(each.occurred_at) for each in found)
    except STRANGE as error:
        return Parsed((), unreadable(error))
    if not possible:
        return Parsed((), "it cannot be read: it has no time that can be")
    unknown = next((each for each in found if each.kind is Happening.UNKNOWN), None)
    words = f"an unknown kind of event: {unknown.reason or 'unnamed'}" if unknown else ""
    return Parsed(found, said(words))


_DROP = "DELETE FROM raw_record WHERE id = ?"
_THERE = "SELECT key FROM event WHERE key IN (SELECT value FROM json_each(?))"


async def apply(
    session: WriteSession,
    stream: Reads,
    records: Sequence[Raw[ProviderEvent]],
    account: Account,
    *,
    now: datetime,
) -> Applied:
    """Tell of the leads what records say; those that turn out not to be ours are forgotten.

    Where many are answers the later ones are left for another transaction.
    """
    applying = _Applying(stream, account, now)
    for raw in records:
        applying.read(raw)
        if applying.answered >= ANSWERS_AT_ONCE:
            break
    known = await look_up(session, stream.provider, (event for _, event in applying.read_events))
    if await applying.prove(session, known):
        known = await look_up(
            session, stream.provider, (event for _, event in applying.read_events)
        )
    await applying.tell(session, known)
    await applying.answers(session)
    await applying.finish(session)
    return applying.applied


@dataclass(slots=True)
class _News:
    """An event of ours, and what it says."""

    event: ProviderEvent
    message: Ours
    new: NewEvent


@dataclass(slots=True)
class _Applying:
    """Some records, on their way into the store together."""

    stream: Reads
    account: Account
    now: datetime
    applied: Applied = field(default_factory=Applied)
    read_events: list[tuple[int, ProviderEvent]] = field(default_factory=list)
    answered: int = 0
    _problems: dict[int, str] = field(default_factory=dict)
    _of_business: dict[int, int] = field(default_factory=dict)
    _ours: set[int] = field(default_factory=set)
    _all: list[int] = field(default_factory=list)

    def read(self, raw: Raw[ProviderEvent]) -> None:
        """Take in a record; one that cannot be read is kept as it is, and said."""
        self._all.append(raw.id)
        parsed = raw.parsed
        if parsed.problem:
            self._problems[raw.id] = parsed.problem
            self._ours.add(raw.id)
            self.applied.unread += 1
        self.read_events += [(raw.id, event) for event in parsed.events]
        self.answered += any(each.kind is Happening.REPLIED for each in parsed.events)

    async def prove(self, session: WriteSession, known: Known) -> bool:
        """Note that messages nobody was sure of were sent, as the provider tells of them."""
        seen = set[int]()
        for _, event in self.read_events:
            message = known.message(event)
            if message is None or message.id in seen:
                continue
            if event.provider_id is None and event.key is None:
                continue  # the provider's lists say nothing of a certain message
            unnamed = message.provider_id is None and event.provider_id is not None
            if message.state not in {MessageState.UNCERTAIN, MessageState.QUEUED} and not unnamed:
                continue
            seen.add(message.id)
            await proven(session, message.id, self.account, at=event.occurred_at, now=self.now)
            if unnamed:
                connection = await session.connection()
                await connection.exec_driver_sql(
                    "UPDATE message SET provider_id = ? WHERE id = ? AND provider_id IS NULL"
                    " AND state <> 'sending'",
                    (event.provider_id, message.id),
                )
        return bool(seen)

    async def tell(self, session: WriteSession, known: Known) -> None:
        """Write what is new on the timelines, and what follows from it."""
        # What was told already may have come again with what it cost.
        facts = following.facts_of(self._about_ours(known))
        await following.write_facts(session, facts)
        delivered = {
            each.message.id: (each.message, each.times["delivered_at"])
            for each in facts
            if each.times["delivered_at"] != each.message.times["delivered_at"]
        }
        news = await self._news(session, known, {n: at for n, (_, at) in delivered.items()})
        if not news:
            return
        await following.write_names(session, ((each.event, each.message) for each in news))
        rows = [events.row(each.new, now=self.now) for each in news]
        await events.insert_rows(session, rows)
        self.applied.events += len(rows)
        await following.follow(session, [(each.event, each.message) for each in news], now=self.now)
        changed = await touches.settle(
            session,
            (
                touches.New(each.event, each.message, each.new.by_machine)
                for each in news
                if each.event.kind in touches.TOUCHES
            ),
            {number: message for number, (message, _) in delivered.items()},
        )
        await activity.note_activity(session, rows)
        await activity.renew_activity(session, changed)
        moved = {
            each.message.business_id
            for each in news
            if (to := each.new.moves_to)
            and not each.new.by_machine
            and to.rank > each.message.status.rank
        }
        await statuses.refold(session, sorted(moved | changed), sites=False)

    def _about_ours(self, known: Known) -> Iterator[following.Told]:
        """The events that are about a message of ours."""
        for _, event in self.read_events:
            message = known.message(event)
            if message is not None and not message.erased:
                yield event, message

    async def _news(
        self, session: WriteSession, known: Known, delivered: Mapping[int, str | None]
    ) -> list[_News]:
        """Those of the events that are about a message of ours and were not told yet."""
        about: dict[str, _News] = {}
        for raw_id, event in self.read_events:
            message = known.message(event)
            if message is None or message.erased:
                continue
            self._of_business[raw_id] = message.business_id
            self._ours.add(raw_id)
            if event.kind in KINDS:
                key = f"{source_of(self.stream)}:{event.name}"
                at = delivered.get(message.id, message.times["delivered_at"])
                about.setdefault(key, self._about(key, raw_id, event, message, at))
        connection = await session.connection()
        rows = await connection.exec_driver_sql(_THERE, (json.dumps(list(about)),))
        there = {key for (key,) in rows.all()}
        return [each for key, each in about.items() if key not in there]

    def _about(
        self,
        key: str,
        raw_id: int,
        event: ProviderEvent,
        message: Ours,
        delivered_at: str | None,
    ) -> _News:
        summary, data = told(event, message)
        reason = touches.reason_of(event, delivered_at) if event.kind in touches.TOUCHES else ""
        if reason:
            data["machine"] = reason
        new = NewEvent(
            message.business_id,
            KINDS[event.kind],
            event.occurred_at,
            summary,
            self.stream.provider,
            key=key,
            moves_to=_MOVES.get(event.kind),
            by_machine=bool(reason) or event.kind in _BY_MACHINES,
            data={"raw": raw_id} | data,
            message_id=message.id,
        )
        return _News(event, message, new)

    async def answers(self, session: WriteSession) -> None:
        """Tell of the leads what they answered by text message."""
        for raw_id, event in self.read_events:
            if event.kind is not Happening.REPLIED:
                continue
            incoming = TextIn(
                sender=event.sender,
                text=event.text,
                occurred_at=event.occurred_at,
                key=f"{source_of(self.stream)}:{event.name}",
                provider=self.stream.provider,
                raw_id=raw_id,
            )
            answered = await tell_answer(session, incoming, now=self.now)
            if answered.concern is not Concern.NOT_OURS:
                self._ours.add(raw_id)
            if answered.business_id is not None:
                self._of_business[raw_id] = answered.business_id
            self.applied.events += answered.concern is Concern.TOLD
            self.applied.unmatched += answered.concern is Concern.WAITS

    async def finish(self, session: WriteSession) -> None:
        """Note that the records were applied; forget those of messages that are not ours."""
        done = [
            Done(each, self._of_business.get(each), self._problems.get(each))
            for each in self._all
            if each in self._ours
        ]
        await put_away(session, done, now=self.now)
        dropped = [(each,) for each in self._all if each not in self._ours]
        if dropped:
            connection = await session.connection()
            await connection.exec_driver_sql(_DROP, dropped)
        for raw_id, words in self._problems.items():
            await say(session, self.stream.provider, raw_id, words, now=self.now)
