"""What hundreds of records lead to is written together, so that no transaction takes long."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Campaign, ContactPoint, Event, Message
from crm_tui.services.polling import applying
from crm_tui.services.texts_in import tell_answer
from crm_tui.vocabulary import CampaignState, ContactKind, EventKind, MessageState
from tests.polling.scripted import raw
from tests.polling.sent import sent_campaign
from tests.polling.test_applying import SENT, at, poll


@pytest.mark.parametrize("kind", ["bounced_hard", "unsubscribed", "complained"])
async def test_many_that_end_their_sequences_take_no_more_statements_than_few(
    db: Database, kind: str
) -> None:
    names = await sent_campaign(db, 60, at=SENT, steps=3)
    few = await _statements(db, [raw(name, kind, at(1), name) for name in names[:10]], "few")
    many = await _statements(db, [raw(name, kind, at(1), name) for name in names[10:]], "many")
    assert many <= few + 2
    async with db.read() as session:
        waiting = select(Message.id).where(Message.state == MessageState.QUEUED)
        assert await session.scalar(waiting) is None
        left = select(Event.business_id).where(Event.kind == EventKind.CAMPAIGN_LEFT)
        assert len(set(await session.scalars(left))) == 60
        campaign = (await session.scalars(select(Campaign))).one()
        assert campaign.state in {CampaignState.FINISHED, CampaignState.PAUSED}


async def test_many_answers_are_told_in_several_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await sent_campaign(db, 1, at=SENT)
    async with db.write() as session:
        business_id = await session.scalar(select(Message.business_id))
        session.add_all(
            ContactPoint(
                business_id=business_id, kind=ContactKind.PHONE, value=each, created_at=SENT
            )
            for each in _numbers(60)
        )
    largest = 0
    finish = applying._Applying.finish
    told = 0

    async def counted(*given: Any, **facts: Any) -> Any:
        nonlocal told
        told += 1
        return await tell_answer(*given, **facts)

    async def finished(this: applying._Applying, session: WriteSession) -> None:
        nonlocal told, largest
        largest, told = max(largest, told), 0
        await finish(this, session)

    monkeypatch.setattr(applying, "tell_answer", counted)
    monkeypatch.setattr(applying._Applying, "finish", finished)
    answers = [raw(each, "replied", at(9), sender=each, text="Yes") for each in _numbers(60)]
    opened = raw("last", "opened", at(30), names[0])
    polled = await poll(db, [*answers, opened])
    assert (polled.applied.events, largest) == (61, applying.ANSWERS_AT_ONCE)


def _numbers(count: int) -> list[str]:
    return [f"+1718555{each:04}" for each in range(count)]


async def test_each_is_left_out_for_its_own_reason_and_the_first_of_several(db: Database) -> None:
    one, two = await sent_campaign(db, 2, at=SENT, steps=2)
    await poll(
        db,
        [
            raw("1", "bounced_hard", at(1), one),
            raw("2", "complained", at(2), one),
            raw("3", "unsubscribed", at(3), two),
        ],
    )
    async with db.read() as session:
        skipped = select(Message.address, Message.reason).where(
            Message.state == MessageState.SKIPPED
        )
        assert sorted(tuple(row) for row in await session.execute(skipped)) == [
            ("lead1@acme.example", "a mail to lead1@acme.example came back"),
            ("lead2@acme.example", "they unsubscribed"),
        ]


async def _statements(db: Database, records: list[Any], name: str) -> int:
    """How many statements writing took."""
    count = 0

    def counted(*_told: Any) -> None:
        nonlocal count
        count += 1

    engine = db._writer.sync_engine
    event.listen(engine, "before_cursor_execute", counted)
    try:
        polled = await poll(db, records, name=name)
    finally:
        event.remove(engine, "before_cursor_execute", counted)
    assert polled.applied.events == len(records)
    return count
