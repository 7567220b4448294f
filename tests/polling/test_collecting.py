"""Polling a stream: pages and cursors, what goes wrong, what is missing, and who is left alone."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from crm_tui.db.engine import Database
from crm_tui.db.models import Event, RawRecord, StreamGap, SyncCursor
from crm_tui.providers.base import LoginRefused, Misconfigured, ProviderError, Unavailable
from crm_tui.providers.events import RawMail
from crm_tui.services.polling.collecting import Poller
from crm_tui.services.sending import worker_log
from crm_tui.services.store import prepare
from crm_tui.vocabulary import EventKind
from tests.conftest import NOW
from tests.polling.scripted import Scripted, raw
from tests.polling.sent import mine, reader, sent_campaign

SENT = NOW - timedelta(hours=2)


def poller(db: Database, stream: Scripted, now: Callable[[], datetime] = lambda: NOW) -> Poller:
    return Poller(db, stream, reader(), mine(), now)


def opens(names: list[str], *, each: int = 1) -> list[Any]:
    return [
        raw(f"{name}-{number}", "opened", SENT + timedelta(minutes=30 + number), name)
        for name in names
        for number in range(each)
    ]


async def place(db: Database) -> SyncCursor:
    async with db.read() as session:
        return (await session.scalars(select(SyncCursor))).one()


async def count(db: Database, what: Any) -> int:
    async with db.read() as session:
        return int((await session.execute(select(func.count()).select_from(what))).scalar_one())


async def log(db: Database) -> list[str]:
    async with db.read() as session:
        return [line.words for line in await worker_log.lines(session)]


async def test_polling_goes_on_where_the_last_page_ended(db: Database) -> None:
    names = await sent_campaign(db, 5, at=SENT)
    stream = Scripted(opens(names)[:4], size=2)
    await poller(db, stream).poll()
    stream.records = opens(names)
    polled = await poller(db, stream).poll()
    assert polled.polled == 1
    assert stream.asked == [{}, {"told": 2}, {"told": 4}]
    known = await place(db)
    assert (known.cursor, known.last_ok_at) == ({"told": 5}, NOW)
    assert known.last_event_at == SENT + timedelta(minutes=30)


async def test_a_stream_that_ends_before_all_is_read_is_not_taken_for_read(db: Database) -> None:
    names = await sent_campaign(db, 3, at=SENT)
    why = "Mailgun's log could not be read to its end."
    stream = Scripted(opens(names)[:2], cut_short=why)
    polled = await poller(db, stream).poll()
    assert (polled.polled, polled.applied.events, polled.problem) == (2, 2, why)
    known = await place(db)
    assert (known.cursor, known.last_ok_at, known.problem) == ({"told": 2}, None, why)
    assert await log(db) == [why]
    stream.cut_short, stream.records = "", opens(names)
    assert (await poller(db, stream).poll(insist=True)).problem == ""
    known = await place(db)
    assert (known.last_ok_at, known.problem, known.next_at) == (NOW, None, None)


@given(cut=st.integers(0, 5), size=st.integers(1, 4))
@settings(max_examples=8)
def test_a_crash_at_any_page_loses_nothing_and_doubles_nothing(cut: int, size: int) -> None:
    asyncio.run(_crash(cut, size))


async def _crash(cut: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crm.db"
        prepare(path, now=NOW)
        db = Database(path)
        try:
            names = await sent_campaign(db, 3, at=SENT)

            class Crash(BaseException):
                """The end of the program."""

            def crash(told: int) -> ProviderError | None:
                if told >= cut:
                    raise Crash
                return None

            stream = Scripted(opens(names, each=3), size=size, trouble=crash)
            with pytest.raises(Crash):
                await poller(db, stream).poll()
            stream.trouble = lambda _told: None
            await poller(db, stream).poll()
            assert await count(db, Event) == 3 + 9
            assert await count(db, RawRecord) == 9
        finally:
            await db.close()


async def test_what_was_kept_before_a_crash_is_applied_though_the_provider_is_gone(
    db: Database,
) -> None:
    names = await sent_campaign(db, 2, at=SENT)
    async with db.write() as session:
        record = opens(names)[0]
        session.add(
            RawRecord(
                source="mailgun:mg.example.com",
                external_id=record.external_id,
                received_at=NOW,
                payload=dict(record.payload),
            )
        )
    stream = Scripted(trouble=lambda _told: Unavailable("Mailgun cannot be reached"))
    polled = await poller(db, stream).poll()
    assert (polled.applied.events, polled.problem) == (1, "Mailgun cannot be reached")


async def test_a_provider_that_fails_is_left_alone_ever_longer_and_says_so_once(
    db: Database,
) -> None:
    await sent_campaign(db, 1, at=SENT)
    stream = Scripted(trouble=lambda _told: Unavailable("Mailgun cannot be reached"))
    await poller(db, stream).poll()
    first = await place(db)
    assert (first.problem, first.failures, first.failed_at) == ("Mailgun cannot be reached", 1, NOW)
    assert first.next_at is not None
    assert first.next_at > NOW
    again = await poller(db, stream).poll()
    assert again.problem == "Mailgun cannot be reached"
    assert len(stream.asked) == 1  # it was not asked again
    await poller(db, stream, lambda: NOW + timedelta(hours=1)).poll()
    assert (await place(db)).failures == 2
    assert (await place(db)).failed_at == NOW
    assert await log(db) == ["Mailgun cannot be reached"]


async def test_who_insists_has_it_asked_all_the_same(db: Database) -> None:
    stream = Scripted(trouble=lambda _told: Unavailable("gone", after=3600))
    await poller(db, stream).poll()
    stream.trouble = lambda _told: None
    polled = await poller(db, stream).poll(insist=True)
    assert polled.problem == ""
    known = await place(db)
    assert (known.problem, known.failures, known.next_at) == (None, 0, None)
    assert (await log(db))[0] == "mailgun is polled again."


async def test_a_provider_is_left_alone_for_as_long_as_it_asks(db: Database) -> None:
    stream = Scripted(trouble=lambda _told: Unavailable("too often", after=900))
    await poller(db, stream).poll()
    next_at = (await place(db)).next_at
    assert next_at is not None
    assert next_at >= NOW + timedelta(minutes=15)


@pytest.mark.parametrize(
    "error",
    [
        LoginRefused("The key is not taken.", fix="Make a new one."),
        Misconfigured("The domain is unknown.", fix="Correct it."),
    ],
)
async def test_what_waits_for_the_operator_names_the_fix_and_is_tried_rarely(
    db: Database, error: Misconfigured
) -> None:
    polled = await poller(db, Scripted(trouble=lambda _told: error)).poll()
    assert polled.problem == str(error)
    known = await place(db)
    assert known.problem == str(error)
    assert known.next_at is not None
    assert known.next_at >= NOW + timedelta(minutes=15)


async def test_an_answer_nobody_foresaw_stops_neither_the_stream_nor_the_program(
    db: Database,
) -> None:
    def strange(_told: int) -> ProviderError | None:
        raise KeyError("items")

    stream = Scripted(trouble=strange)
    polled = await poller(db, stream).poll()
    assert polled.problem == "mailgun answered what nobody can read: KeyError 'items'"
    stream.trouble = lambda _told: None
    assert (await poller(db, stream).poll(insist=True)).problem == ""


async def test_a_gap_is_noted_shown_and_filled_as_far_as_can_be(db: Database) -> None:
    names = await sent_campaign(db, 2, at=SENT - timedelta(days=4))
    gap = (NOW - timedelta(days=4), NOW - timedelta(days=1))
    listed = raw("list-1", "bounced_hard", gap[0], to="lead1@acme.example", seen=True)
    stream = Scripted(opens(names), gap=gap, reconciled=[listed])
    polled = await poller(db, stream).poll()
    assert polled.applied.events == 3
    async with db.read() as session:
        known = (await session.scalars(select(StreamGap))).one()
        assert ((known.since, known.until), known.filled, known.filled_at) == (gap, 1, NOW)
        bounced = (
            await session.scalars(select(Event).where(Event.kind == EventKind.BOUNCED))
        ).one()
        assert bounced.summary == "came back from lead1@acme.example"
    lines = await log(db)
    assert any("no longer tells what happened between" in line for line in lines)
    assert any("1 event could be found out otherwise" in line for line in lines)


async def test_who_was_away_for_longer_than_events_are_kept_has_a_gap(db: Database) -> None:
    stream = Scripted(keeps=timedelta(days=1))
    await poller(db, stream).poll()
    await poller(db, stream, lambda: NOW + timedelta(days=3)).poll()
    async with db.read() as session:
        known = (await session.scalars(select(StreamGap))).one()
    assert (known.since, known.until) == (NOW, NOW + timedelta(days=2))
    await poller(db, stream, lambda: NOW + timedelta(days=3, hours=1)).poll()
    assert await count(db, StreamGap) == 1


async def test_a_gap_that_could_not_be_filled_is_tried_again(db: Database) -> None:
    gap = (NOW - timedelta(days=4), NOW - timedelta(days=1))
    stream = Scripted(gap=gap)

    async def fails(*_asked: object) -> Any:
        raise Unavailable("Mailgun cannot be reached")

    works, stream.reconcile = stream.reconcile, fails  # type: ignore[method-assign, assignment]
    polled = await poller(db, stream).poll()
    assert polled.problem == "Mailgun cannot be reached"
    stream.gap, stream.reconcile = None, works  # type: ignore[method-assign]
    await poller(db, stream).poll(insist=True)
    async with db.read() as session:
        assert (await session.scalars(select(StreamGap.filled_at))).one() == NOW


async def test_a_clock_that_is_off_is_noted_and_said_once(db: Database) -> None:
    stream = Scripted(server_time=NOW + timedelta(minutes=7))
    await poller(db, stream).poll()
    await poller(db, stream).poll()
    assert (await place(db)).skew_seconds == 420
    assert await log(db) == ["The clock of mailgun is 420 seconds ahead of this machine's."]


@pytest.mark.parametrize("cited", ["<mailgun-1-1@sender.example>", "<mailgun-1>"])
async def test_a_mail_that_came_in_at_the_provider_is_read_like_one_of_the_mailbox(
    db: Database, cited: str
) -> None:
    """Some providers put a Message-ID of their own in the place of ours, and answers cite that."""
    await sent_campaign(db, 1, at=SENT)
    answer = EmailMessage()
    answer["From"], answer["To"] = "ann@elsewhere.example", "anna@sender.example"
    answer["Message-ID"], answer["Subject"] = "<a1@acme.example>", "Re: Hello"
    answer["In-Reply-To"] = cited
    answer.set_content("Yes, please call me.")
    other = EmailMessage()
    other["From"], other["Message-ID"] = "news@elsewhere.example", "<n1@elsewhere.example>"
    other.set_content("Buy now!")
    mails = [RawMail(each.as_bytes(), NOW) for each in (answer, other)]
    polled = await poller(db, Scripted(mails=mails, again=True)).poll()
    again = await poller(db, Scripted(mails=mails, again=True)).poll()
    assert (polled.mails, again.mails) == (1, 0)
    async with db.read() as session:
        kept = (await session.scalars(select(RawRecord))).one()
    assert (kept.source, kept.payload["text"].strip()) == ("imap", "Yes, please call me.")


async def test_an_answer_that_cites_the_id_a_provider_put_in_place_of_ours_is_known(
    db: Database,
) -> None:
    (name,) = await sent_campaign(db, 1, at=SENT)
    delivered = raw("1", "delivered", SENT, name, message_id="<0100@mail.example>")
    await poller(db, Scripted([delivered])).poll()
    answer = EmailMessage()
    answer["From"], answer["Message-ID"] = "ann@elsewhere.example", "<a1@elsewhere.example>"
    answer["In-Reply-To"] = "<0100@mail.example>"
    answer.set_content("Yes, please call me.")
    mails = [RawMail(answer.as_bytes(), NOW)]
    assert (await poller(db, Scripted(mails=mails, name="inbound")).poll()).mails == 1


async def test_what_else_a_page_says_stands_in_the_log(db: Database) -> None:
    stream = Scripted(notes=["A mail that came in could not be fetched."])
    await poller(db, stream).poll()
    assert await log(db) == ["A mail that came in could not be fetched."]


async def test_who_is_told_to_stop_ends_after_the_page_at_hand(db: Database) -> None:
    names = await sent_campaign(db, 4, at=SENT)
    stream = Scripted(opens(names), size=1)
    stopping = Poller(
        db, stream, reader(), mine(), lambda: NOW, stopped=lambda: len(stream.asked) >= 2
    )
    polled = await stopping.poll()
    assert polled.polled == 2
    assert (await place(db)).last_ok_at is None
