"""Payments that nobody knows whose they are: one item in the inbox for a payer, however many records.

What shares a name at the provider waits together: a payment with its refunds, a customer's payments
with each other. As soon as one of them says whose it is, or the operator does, all of it is told.
What comes later of a payer that was let go is let go, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import delete, func, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import RawRecord, Unmatched
from crm_tui.db.types import listed
from crm_tui.errors import BadInput
from crm_tui.providers.money import MoneyEvent, Payer
from crm_tui.services.money.linking import names_of
from crm_tui.services.money.payments import Place
from crm_tui.services.money.telling import lacks_payment, tell
from crm_tui.services.money.waiting_words import text_of, title_of
from crm_tui.vocabulary import Mode, UnmatchedKind, UnmatchedState

NO_PAYMENT = "the payment it is of was not told yet"
_STATES = (UnmatchedState.OPEN, UnmatchedState.DISMISSED)


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What an item of the inbox holds of payments.

    Attributes:
        sender, name: who paid, as the provider says; "" where it does not.
        subject, text: what the list and the reader show.
        names: the provider's names by which other records belong to it.
        raws: the numbers of the records it was read from.
    """

    sender: str = msgspec.field(name="from", default="")
    name: str = ""
    subject: str = ""
    text: str = ""
    provider: str
    mode: Mode
    names: tuple[str, ...]
    raws: tuple[int, ...]
    events: tuple[MoneyEvent, ...]

    @property
    def place(self) -> Place:
        """Where the money comes from."""
        return Place(self.provider, self.mode)


def payload_of(stored: Any) -> Payload:
    """What waits, as it was kept."""
    return msgspec.convert(stored, Payload)


@dataclass(slots=True)
class _Item:
    id: int
    state: UnmatchedState
    payload: Payload


@dataclass(slots=True)
class Waiting:
    """All that waits of one provider's money, or was let go, by the names it is known by."""

    place: Place
    _items: dict[int, _Item] = field(default_factory=dict)
    _by_name: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def of(cls, session: ReadSession, place: Place) -> Waiting:
        """Read what waits."""
        waiting = cls(place)
        rows = await session.execute(
            select(Unmatched.id, Unmatched.state, Unmatched.payload)
            .where(
                Unmatched.kind == UnmatchedKind.PAYMENT,
                Unmatched.state.in_(_STATES),
                func.json_extract(Unmatched.payload, "$.provider") == place.provider,
                func.json_extract(Unmatched.payload, "$.mode") == place.mode.value,
            )
            .order_by(Unmatched.id)
        )
        for id_, state, payload in rows:
            waiting._put(_Item(id_, state, payload_of(payload)))
        return waiting

    def has(self, names: Collection[str]) -> bool:
        """Whether something waits that belongs to one of these names."""
        return any(name in self._by_name for name in names)

    async def add(
        self,
        session: WriteSession,
        raw_id: int | None,
        event: MoneyEvent,
        why: str,
    ) -> bool:
        """Have something wait, with what it belongs to; whether that is new to the operator."""
        found = self._of(names_of(event))
        events = [each for item in found for each in item.payload.events]
        known = {(each.name, each.kind) for each in events}
        events += [] if (event.name, event.kind) in known else [event]
        raws = {each for item in found for each in item.payload.raws}
        raws |= set() if raw_id is None else {raw_id}
        names = names_of(event).union(*(item.payload.names for item in found))
        payload = _payload(self.place, events, names, raws)
        if not found:
            await self._insert(session, raw_id, event, payload, why)
            return True
        # Who was let go stays so, whatever else turns out to be theirs.
        kept = min(found, key=lambda each: (each.state is UnmatchedState.OPEN, each.id))
        others = [each.id for each in found if each is not kept]
        for each in others:
            del self._items[each]
        if others:
            await session.execute(delete(Unmatched).where(Unmatched.id.in_(others)))
        kept.payload = payload
        await session.execute(
            update(Unmatched)
            .where(Unmatched.id == kept.id)
            .values(title=title_of(payload.events), payload=_stored(payload))
            .execution_options(synchronize_session=None)
        )
        self._put(kept)
        return False

    async def resolve(
        self, session: WriteSession, names: Collection[str], business_id: int, *, now: datetime
    ) -> int:
        """Tell of a lead what waits and belongs to one of these names; how much of it was new."""
        told = 0
        kept: list[_Item] = []
        lacking: list[MoneyEvent] = []
        while found := self._of(names):
            for item in found:
                self._drop(item)
                done = await tell_all(session, item.payload, business_id, now=now)
                if len(done.lacking) == len(item.payload.events):
                    kept.append(item)
                    continue
                told, lacking = told + done.new, lacking + done.lacking
                await session.execute(
                    update(Unmatched)
                    .where(Unmatched.id == item.id)
                    .values(state=UnmatchedState.LINKED, business_id=business_id, resolved_at=now)
                    .execution_options(synchronize_session=None)
                )
        for item in kept:
            self._put(item)
        for event in lacking:
            await self.add(session, None, event, NO_PAYMENT)
        return told

    async def forget_payers(self, session: WriteSession, names: Collection[str]) -> None:
        """Take who paid out of what waits and belongs to one of these names, and its records."""
        for item in self._of(names):
            events = [
                replace(each, payer=Payer(ids=each.payer.ids)) for each in item.payload.events
            ]
            raws = item.payload.raws
            item.payload = _payload(self.place, events, item.payload.names, ())
            await session.execute(
                update(Unmatched)
                .where(Unmatched.id == item.id)
                .values(title=title_of(events), payload=_stored(item.payload), raw_id=None)
                .execution_options(synchronize_session=None)
            )
            await session.execute(delete(RawRecord).where(RawRecord.id.in_(listed(raws))))

    async def _insert(
        self,
        session: WriteSession,
        raw_id: int | None,
        event: MoneyEvent,
        payload: Payload,
        why: str,
    ) -> None:
        row = Unmatched(
            key=f"payment:{self.place.key(event.name)}:{event.kind}:{uuid.uuid4().hex[:8]}",
            kind=UnmatchedKind.PAYMENT,
            title=title_of(payload.events),
            reason=why,
            raw_id=raw_id,
            created_at=event.occurred_at,
            payload=_stored(payload),
        )
        session.add(row)
        await session.flush()
        self._put(_Item(row.id, UnmatchedState.OPEN, payload))

    def _of(self, names: Collection[str]) -> list[_Item]:
        ids = {self._by_name[name] for name in names if name in self._by_name}
        return [self._items[each] for each in sorted(ids)]

    def _put(self, item: _Item) -> None:
        self._items[item.id] = item
        for name in item.payload.names:
            self._by_name[name] = item.id

    def _drop(self, item: _Item) -> None:
        del self._items[item.id]
        for name in item.payload.names:
            if self._by_name.get(name) == item.id:
                del self._by_name[name]


class Done(NamedTuple):
    """How much of what waited was new; and what is of a payment nobody told of, and waits on."""

    new: int
    lacking: list[MoneyEvent]


async def link(session: WriteSession, stored: Any, business_id: int, *, now: datetime) -> None:
    """Tell of a lead what waited as this payload, as the operator says that it is theirs.

    Raises:
        BadInput: all of it is of a payment nobody told of.
    """
    payload = payload_of(stored)
    done = await tell_all(session, payload, business_id, now=now)
    if len(done.lacking) == len(payload.events):
        raise BadInput(
            f"{payload.provider.capitalize()} has not told of the payment this is of: it is linked "
            "by itself once that is told. Let it go if you do not wait for it."
        )
    apart = Waiting(payload.place)
    for event in done.lacking:
        await apart.add(session, None, event, NO_PAYMENT)


async def tell_all(
    session: WriteSession, payload: Payload, business_id: int, *, now: datetime
) -> Done:
    """Tell of a lead all that waited of a payer, as far as it can be told."""
    new, lacking = 0, list[MoneyEvent]()
    for event in _payments_first(payload.events):
        if await lacks_payment(session, business_id, event, payload.place):
            lacking.append(event)
            continue
        new += await tell(
            session,
            business_id,
            event,
            provider=payload.provider,
            mode=payload.mode,
            source=payload.provider,
            now=now,
        )
    if len(lacking) < len(payload.events):
        await session.execute(
            update(RawRecord)
            .where(RawRecord.id.in_(listed(payload.raws)))
            .values(business_id=business_id)
            .execution_options(synchronize_session=None)
        )
    return Done(new, lacking)


def _payments_first(events: Sequence[MoneyEvent]) -> Iterator[MoneyEvent]:
    """What goes back comes after what it goes back of."""
    yield from sorted(events, key=lambda each: (each.payment is None, each.occurred_at, each.name))


def _payload(
    place: Place, events: Sequence[MoneyEvent], names: Collection[str], raws: Collection[int]
) -> Payload:
    in_order = sorted(events, key=lambda each: (each.occurred_at, each.name))
    payers = [each.payer for each in in_order]
    return Payload(
        sender=next((each.email for each in reversed(payers) if each.email), "").strip().lower(),
        name=next((each.name for each in reversed(payers) if each.name), "").strip(),
        text=text_of(in_order),
        provider=place.provider,
        mode=place.mode,
        names=tuple(sorted(names)),
        raws=tuple(sorted(raws)),
        events=tuple(in_order),
    )


def _stored(payload: Payload) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(payload)
    return plain
