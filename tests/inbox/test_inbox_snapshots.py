"""How mail in Today looks; a changed picture is shown in snapshot_report.html."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from textual.pilot import Pilot

from crm_tui.app import CrmApp
from crm_tui.db.engine import Database
from crm_tui.db.models import Message, SyncCursor
from crm_tui.providers.incoming import Delivery
from crm_tui.services.inbox.records import KeptResult
from crm_tui.vocabulary import MessageState
from tests.conftest import NOW
from tests.inbox.conftest import SENT_AT
from tests.inbox.offline import AT, keep
from tests.inbox.world import World
from tests.screens.looks import Look, SnapCompare, in_every_look
from tests.screens.settling import settle


@pytest.fixture(autouse=True)
def _machine_in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The hours in the pictures are the same wherever they are taken."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def store(store_path: Path) -> Path:
    """An answer, a bounce, a mail that is nobody's, a message that may be sent, no mailbox."""

    async def fill() -> None:
        world = World(Database(store_path), SENT_AT)
        _, one = await world.mailed("Woodhaven Plumbing & Heating", "ann@woodhaven.example")
        _, two = await world.mailed("Tavella Hair", "joe@tavella.example")
        _, three = await world.mailed("Harbour Dental", "desk@harbour.example")
        text = "Hi Mo,\n\nyes, I like it. What does it cost a month?\n\nAnn"
        await keep(world, number=1, cited=(one.message_id,), text=text)
        gone = KeptResult(
            recipient=two.address, delivery=Delivery.HARD, reason="there is no such mailbox"
        )
        await keep(world, number=2, kind="bounce", cited=(two.message_id,), results=(gone,))
        await keep(
            world,
            number=3,
            kind="other",
            sender="bo@tavella.example",
            sender_name="Bo Tavella",
            subject="Your mail to my brother",
            text="He does not read mails. Call me at 718 555 0199.",
        )
        await world.collect()
        async with world.db.write() as session:
            await session.execute(
                update(Message)
                .where(Message.id == three.id)
                .values(
                    state=MessageState.UNCERTAIN,
                    reason="it may have been sent or not: sending was cut off",
                    sent_at=None,
                )
            )
            session.add(
                SyncCursor(
                    provider="imap",
                    account="mo@studio.example at imap.example:993",
                    stream="",
                    cursor={},
                    failed_at=AT,
                    problem="imap.example cannot be reached: no network.",
                )
            )
        await world.db.close()

    asyncio.run(fill())
    return store_path


def looked(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Keys, and then the wait until the app has looked at how sending stands."""

    async def run(pilot: Pilot[None]) -> None:
        assert isinstance(pilot.app, CrmApp)
        while pilot.app.mail_work.known is None:  # noqa: ASYNC110 - it tells only the screen
            await asyncio.sleep(0.01)
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    return run


@in_every_look
def test_mail_in_today_looks_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
    assert AT < NOW
    assert look.compare(snap_compare, store, run_before=looked("2", "j", "j"))


@pytest.mark.parametrize("keys", [("r",), ("enter",)], ids=["asking", "reading"])
def test_sorting_out_a_mail_looks_as_agreed(
    keys: tuple[str, ...], store: Path, snap_compare: SnapCompare
) -> None:
    run = looked("2", "G", *keys)
    assert Look(80, 24).compare(snap_compare, store, run_before=run)
