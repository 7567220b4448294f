"""Twice, late and in any order: what came in adds up to the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from crm_tui.db.engine import Database
from crm_tui.db.models import ContactPoint, Event, Message, RawRecord, Suppression
from crm_tui.providers.incoming import Delivery
from crm_tui.services import events
from crm_tui.services.events import NewEvent
from crm_tui.services.inbox.records import OWN, KeptResult
from crm_tui.vocabulary import ContactStatus, EventKind, MessageState
from tests.inbox.offline import keep
from tests.inbox.world import ME, World

ANN = "ann@plumber.example"
SENT_AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ANSWERS = ("reply", "weak reply", "unsubscribe")
OPENED = "opened"


def result(delivery: Delivery) -> tuple[KeptResult, ...]:
    return (KeptResult(recipient=ANN, delivery=delivery, reason="so it is"),)


def happenings(message_id: str) -> dict[str, dict[str, Any]]:
    """What can come in about one mail, by name."""
    cited = (message_id,)
    return {
        "reply": {"kind": "reply", "cited": cited, "text": "Yes."},
        "weak reply": {"kind": "other", "text": "About the site."},
        "automatic answer": {"kind": "auto_reply", "cited": cited, "automatic": True},
        "unsubscribe": {"kind": "unsubscribe", "cited": cited, "text": "stop"},
        "complaint": {"kind": "complaint", "cited": cited, "report": True},
        "hard bounce": {"kind": "bounce", "cited": cited, "results": result(Delivery.HARD)},
        "soft bounce": {"kind": "bounce", "cited": cited, "results": result(Delivery.SOFT)},
        "delay": {"kind": "bounce", "cited": cited, "results": result(Delivery.DEFERRED)},
        "delivered": {"kind": "bounce", "cited": cited, "results": result(Delivery.DELIVERED)},
        "own mail": {"kind": OWN, "sender": ME, "recipients": (ANN,), "text": "By the way."},
        OPENED: {},
    }


NAMES = tuple(happenings("<x@y>"))


@pytest.fixture(scope="module")
def mailed_store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a lead got the first of two mails."""
    path = Path(shutil.copy(empty_store, tmp_path_factory.mktemp("mailed") / "crm.db"))

    async def fill() -> None:
        db = Database(path)
        await World(db, SENT_AT).mailed("Ace", ANN)
        await db.close()

    asyncio.run(fill())
    return path


async def lived(store: Path, order: Sequence[str]) -> dict[str, Any]:
    """What a store says after things came in this order."""
    db = Database(store)
    try:
        world = World(db, SENT_AT)
        async with db.read() as session:
            first, second = await session.scalars(select(Message).order_by(Message.id))
        for name in order:
            await come(world, name, first)
        async with db.read() as session:
            business = await world.business(first.business_id)
            now = await session.get_one(Message, first.id, populate_existing=True)
            later = await session.get_one(Message, second.id, populate_existing=True)
            points = await session.scalars(select(ContactPoint))
            keys = await session.scalars(
                select(Event.key).where(Event.kind != EventKind.SITE_BUILT)
            )
            barred = await session.scalars(select(Suppression.value))
            return {
                "status": business.contact_status,
                "outcome": business.outcome,
                "point": [point.state for point in points],
                "facts": (
                    now.state,
                    now.replied_at,
                    now.bounced_at,
                    now.soft_bounced_at,
                    now.delivered_at,
                    now.complained_at,
                    now.unsubscribed_at,
                ),
                "next": later.state,
                "events": {key for key in keys if not key.startswith(("left:", "sent:"))},
                "barred": set(barred),
            }
    finally:
        await db.close()


async def come(world: World, name: str, mail: Message) -> None:
    """One thing comes in; what came before comes in again."""
    number = NAMES.index(name)
    at = SENT_AT + timedelta(minutes=7 * (number + 1))
    world.now += timedelta(minutes=1)
    if name == OPENED:
        event = NewEvent(
            mail.business_id,
            EventKind.OPENED,
            at,
            "opened",
            "somebody",
            key="opened:1",
            moves_to=ContactStatus.OPENED,
        )
        async with world.db.write() as session:
            await events.record(session, event, now=world.now)
        return
    fields = happenings(mail.message_id)[name]
    async with world.db.write() as session:
        known = RawRecord.external_id == f"record-{number}"
        await session.execute(update(RawRecord).where(known).values(applied_at=None))
    await keep(world, number=number, **{"received": at, "occurred_at": at, **fields})
    await world.collect()


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(data=st.data())
def test_any_order_and_repetition_adds_up_to_the_same(
    mailed_store: Path, data: st.DataObject
) -> None:
    came = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    again = data.draw(st.lists(st.sampled_from(came), max_size=3))
    other = data.draw(st.permutations([*came, *again]))
    with tempfile.TemporaryDirectory() as place:
        one = Path(shutil.copy(mailed_store, Path(place) / "one.db"))
        two = Path(shutil.copy(mailed_store, Path(place) / "two.db"))
        said = asyncio.run(lived(one, came))
        assert asyncio.run(lived(two, other)) == said
    answered = any(name in came for name in ANSWERS)
    # An open never beats an answer, and a bounce never hides one.
    expected = (
        ContactStatus.REPLIED
        if answered
        else ContactStatus.OPENED
        if OPENED in came
        else ContactStatus.EMAILED
    )
    assert said["status"] is expected
    stops = {*ANSWERS, "hard bounce", "complaint"} & set(came)
    assert said["next"] is (MessageState.SKIPPED if stops else MessageState.QUEUED)
