"""What no provider should ever tell: none of it stops a stream, or the worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import RawRecord
from crm_tui.providers.answers import Answer
from crm_tui.providers.events import RawEvent
from crm_tui.services.polling import following
from crm_tui.vocabulary import EventKind
from tests.polling.scripted import raw
from tests.polling.sent import sent_campaign
from tests.polling.test_applying import PERSON, SENT, at, log, message, poll, told


@pytest.mark.parametrize(
    "number", ["NaN", "-Infinity", "1e999", "1" + "0" * 4000, '"\\ud800"', '"\\u0000"']
)
async def test_what_is_hardly_json_is_read_like_the_rest(db: Database, number: str) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    opened = raw("1", "opened", at(30), name, agent=PERSON)
    body = json.dumps(dict(opened.payload))[:-1] + f', "surplus": {number}}}'
    payload = Answer(200, {}, body.encode()).object()
    polled = await poll(db, [RawEvent("1", payload), raw("2", "clicked", at(31), name)])
    assert (polled.applied.events, polled.problem) == (2, "")


@pytest.mark.parametrize(
    "when", [datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
)
async def test_a_time_that_cannot_be_is_no_time(db: Database, when: datetime) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    strange = raw("1", "delivered", when, name)
    polled = await poll(db, [strange, raw("2", "opened", at(30), name, agent=PERSON)])
    assert (polled.applied.events, polled.applied.unread, polled.problem) == (1, 1, "")
    assert (await message(db, name)).delivered_at is None
    assert any("it has no time that can be" in line for line in await log(db))


async def test_a_record_that_cannot_be_applied_keeps_no_other_waiting(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await sent_campaign(db, 3, at=SENT)
    follow = following.follow

    async def stumbling(session: Any, news: Sequence[following.Told], **facts: Any) -> None:
        if any(each.url == "https://stumble.example" for each, _ in news):
            raise OverflowError("date value out of range")
        await follow(session, news, **facts)

    monkeypatch.setattr(following, "follow", stumbling)
    records = [raw(name, "opened", at(30), name, agent=PERSON) for name in names]
    records[1] = raw(names[1], "clicked", at(30), names[1], url="https://stumble.example")
    polled = await poll(db, records)
    assert (polled.applied.events, polled.applied.unread, polled.problem) == (2, 1, "")
    assert len(await told(db, EventKind.OPENED, EventKind.CLICKED)) == 2
    async with db.read() as session:
        kept = list(await session.scalars(select(RawRecord).order_by(RawRecord.id)))
    assert [each.problem for each in kept] == [
        None,
        "it cannot be applied: OverflowError",
        None,
    ]
    assert all(each.applied_at is not None for each in kept)
    again = await poll(db, records)
    assert (again.applied.events, again.problem) == (0, "")
