"""What is prepared ahead is believed as long as nobody else writes, and not a moment longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, update

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business, Campaign, CampaignStep, ContactPoint, Message, Suppression
from crm_tui.providers.base import ProviderError, Refused, Sent
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.sending import standing
from crm_tui.services.sending.ahead import Ahead
from crm_tui.services.sending.claim import Claimed, Claimer
from crm_tui.services.sending.hours import read_rules
from crm_tui.services.sending.record import Result
from crm_tui.services.sending.turn import Turn, take_turn
from crm_tui.vocabulary import (
    CampaignState,
    ContactState,
    ContactStatus,
    EventKind,
    MessageState,
    SuppressionKind,
)
from tests.sending.queue import (
    AGAIN,
    MONDAY,
    TEXT,
    a_claimer,
    accepted,
    add_campaign,
    add_leads,
    an_account,
    later,
    states,
)


@dataclass
class Sender:
    """Looks ahead and takes turns as the pump does: on one connection, remembering what it saw."""

    db: Database
    claimer: Claimer = field(default_factory=a_claimer)
    ahead: Ahead = field(default_factory=Ahead)
    due: list[int] = field(default_factory=list)

    async def look(self, now: datetime) -> None:
        account = self.claimer.account
        self.due = await self.db.read_at_once(
            lambda session: self.ahead.look(session, account, most=50, now=now)
        )

    async def turn(
        self, now: datetime, back: Sequence[Result] = (), *, most: int = 50
    ) -> list[Claimed]:
        def work(session: WriteSession) -> Any:
            return take_turn(
                session, self.claimer, back, self.due, most=most, ahead=self.ahead, now=now
            )

        turn: Turn = await self.db.write_at_once(work)
        self.due = turn.claims.untouched
        return turn.claims.messages


@pytest.fixture
def sender(db: Database) -> Sender:
    return Sender(db)


@contextmanager
def put_together() -> Iterator[list[str]]:
    """The statements that SQLAlchemy runs meanwhile; plain SQL is not among them."""
    run: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        run.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield run
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def number(db: Database, state: MessageState) -> int:
    async with db.read() as session:
        found = await session.scalar(
            select(func.count()).select_from(Message).where(Message.state == state)
        )
    return found or 0


def back(now: datetime, claimed: Claimed, answer: Sent | ProviderError | None = None) -> Result:
    return Result(claimed, answer or accepted(claimed.mail), now)


async def test_while_nobody_else_writes_nothing_is_looked_up_twice(
    sender: Sender, now: datetime
) -> None:
    await add_campaign(
        sender.db, await add_leads(sender.db, 6, now), now, steps=((TEXT, None), (AGAIN, "3d"))
    )
    await sender.look(now)
    first = await sender.turn(now, most=3)
    with put_together() as run:
        second = await sender.turn(now, [back(now, each) for each in first], most=3)
    assert run == []
    assert [each.mail.subject for each in second] == [f"A site for Shop {n}" for n in (4, 5, 6)]
    await sender.turn(now, [back(now, each) for each in second])
    assert await number(sender.db, MessageState.SENT) == 6
    async with sender.db.read() as session:
        waiting = await session.scalars(
            select(Message.due_at).where(Message.state == MessageState.QUEUED)
        )
        assert list(waiting) == [later(now, days=3)] * 6


async def _suppressed(session: WriteSession, lead: int, now: datetime) -> None:
    bar = {"kind": SuppressionKind.DOMAIN, "value": "shop.example", "reason": "asked"}
    session.add(Suppression(**bar, created_at=now))


async def _answered(session: WriteSession, lead: int, now: datetime) -> None:
    answer = NewEvent(
        lead, EventKind.REPLIED, now, "answer", "imap", moves_to=ContactStatus.REPLIED
    )
    await events.record(session, answer, now=now)


async def _bounced(session: WriteSession, lead: int, now: datetime) -> None:
    await session.execute(update(ContactPoint).values(state=ContactState.BOUNCED))


async def _archived(session: WriteSession, lead: int, now: datetime) -> None:
    await session.execute(update(Business).values(archived_at=now))


async def _paused(session: WriteSession, lead: int, now: datetime) -> None:
    paused = {"state": CampaignState.PAUSED, "pause_reason": "you paused it"}
    await session.execute(update(Campaign).values(paused))


async def _stopped(session: WriteSession, lead: int, now: datetime) -> None:
    await standing.stop(session, "it was restored")


async def _canceled(session: WriteSession, lead: int, now: datetime) -> None:
    await session.execute(update(Message).values(state=MessageState.CANCELED, reason="x"))


@pytest.mark.parametrize(
    "happened", [_suppressed, _answered, _bounced, _archived, _paused, _stopped, _canceled]
)
async def test_what_happens_after_the_look_and_before_the_claim_holds(
    sender: Sender, now: datetime, happened: Any
) -> None:
    (lead,) = await add_leads(sender.db, 1, now)
    await add_campaign(sender.db, [lead], now)
    await sender.look(now)
    assert len(sender.due) == 1
    async with sender.db.write() as session:
        await happened(session, lead, now)
    assert await sender.turn(now) == []
    assert await number(sender.db, MessageState.SENDING) == 0


async def test_a_mail_looked_at_in_quiet_hours_and_claimed_after_them_goes_with_the_next_look(
    db: Database,
) -> None:
    rules = read_rules("20:00-08:00", weekdays_only=False)
    sender = Sender(db, a_claimer(an_account(rules=rules)))
    before, after = (MONDAY.replace(hour=7, minute=59), MONDAY.replace(hour=8, minute=1))
    await add_campaign(db, await add_leads(db, 1, before), before)
    await sender.look(before)
    assert await sender.turn(after) == []
    assert await states(db) == [(MessageState.QUEUED, None)]
    await sender.look(after)
    assert len(await sender.turn(after)) == 1


async def test_words_that_were_changed_after_the_look_are_the_words_that_go(
    sender: Sender, now: datetime
) -> None:
    leads = await add_leads(sender.db, 1, now)
    await add_campaign(sender.db, leads, now)
    await sender.look(now)
    async with sender.db.write() as session:
        await session.execute(update(CampaignStep).values(source=AGAIN, version=2))
    (claimed,) = await sender.turn(now)
    assert claimed.mail.subject == "Second"


async def test_a_lead_merged_while_its_mail_is_on_its_way_has_it_on_the_timeline_of_the_other(
    sender: Sender, now: datetime
) -> None:
    kept, gone = await add_leads(sender.db, 2, now)
    await add_campaign(sender.db, [gone], now)
    await sender.look(now)
    (claimed,) = await sender.turn(now)
    async with sender.db.write() as session:
        await session.execute(update(Message).values(business_id=kept))
    await sender.turn(now, [back(now, claimed)])
    async with sender.db.read() as session:
        moved = await session.get_one(Business, kept)
        left = await session.get_one(Business, gone)
    assert (moved.contact_status, left.contact_status) == (
        ContactStatus.EMAILED,
        ContactStatus.PENDING,
    )


async def test_of_two_mails_to_one_lead_the_second_is_looked_at_again_after_the_first(
    sender: Sender, now: datetime
) -> None:
    leads = await add_leads(sender.db, 2, now)
    await add_campaign(sender.db, leads, now)
    async with sender.db.write() as session:  # as a merge does it
        await session.execute(update(Message).values(business_id=leads[0]))
        await session.execute(update(ContactPoint).values(business_id=leads[0], is_primary=False))
    await sender.look(now)
    (first,) = await sender.turn(now)
    assert await sender.turn(now, [back(now, first)]) == []
    assert await number(sender.db, MessageState.SENT) == 1
    assert await number(sender.db, MessageState.SKIPPED) == 1


async def test_after_a_refusal_what_was_prepared_for_the_same_address_does_not_go(
    sender: Sender, now: datetime
) -> None:
    leads = await add_leads(sender.db, 1, now)
    for _ in range(2):
        await add_campaign(sender.db, leads, now)
    await sender.look(now)
    (first, *_) = await sender.turn(now, most=1)
    refused = Refused("550 5.1.1 no such user", hard=True)
    assert await sender.turn(now, [back(now, first, refused)]) == []
    assert await number(sender.db, MessageState.FAILED) == 1
    assert await number(sender.db, MessageState.SKIPPED) == 1


async def test_what_a_turn_noted_that_was_not_kept_is_forgotten(
    sender: Sender, now: datetime
) -> None:
    """The pump throws away all it knew; the store is asked again and nobody is lost."""
    await add_campaign(sender.db, await add_leads(sender.db, 2, now), now)
    await sender.look(now)

    async def fails(session: WriteSession) -> None:
        await take_turn(
            session, sender.claimer, (), sender.due, most=2, ahead=sender.ahead, now=now
        )
        raise RuntimeError("the power failed")

    with pytest.raises(RuntimeError):
        await sender.db.write_at_once(fails)
    sender.ahead = Ahead()
    await sender.look(now)
    assert len(await sender.turn(now)) == 2
