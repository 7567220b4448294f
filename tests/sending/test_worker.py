"""The worker and its pump: real mail over loopback, a real store, a clock that is told the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
from sqlalchemy import select

import crm_tui.services.mailing
import crm_tui.worker
from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Business, Campaign, Message, Setting, WorkerLog
from crm_tui.errors import StoreError
from crm_tui.providers.base import OutgoingMail, Sent
from crm_tui.providers.outbox import OutboxSender
from crm_tui.services.inbox.collecting import Collected
from crm_tui.services.sending import pump as pumping
from crm_tui.services.sending import standing
from crm_tui.services.sending.account import Account
from crm_tui.services.sending.claim import Claimer
from crm_tui.services.sending.pump import Pump
from crm_tui.vocabulary import CampaignState, MessageState
from crm_tui.worker import AtWork, Worker
from tests.providers.mail_server import HANG_UP, SAY_NOTHING, Post, mail_server
from tests.sending.queue import (
    AGAIN,
    TEXT,
    Desk,
    a_claimer,
    add_campaign,
    add_leads,
    add_single,
    an_account,
    change,
    later,
    messages,
    states,
)

QUEUED, SENDING, SENT = MessageState.QUEUED, MessageState.SENDING, MessageState.SENT
UNCERTAIN = MessageState.UNCERTAIN


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: datetime = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def settings_for(port: int, **sections: Any) -> Settings:
    """No limits, no quiet hours, a server of these tests."""
    given: dict[str, Any] = {
        "sender": {"name": "Anna Berg", "email": "anna@sender.example"},
        "providers": {"smtp": {"host": "127.0.0.1", "port": port, "security": "none"}},
        "sending": {"per_hour": 0, "per_day": 0, "quiet_hours": "", "weekdays_only": False},
    }
    return msgspec.convert(given | sections, Settings)


def a_worker(db: Database, port: int, clock: Callable[[], datetime], **sections: Any) -> Worker:
    return Worker(db, settings_for(port, **sections), environment={}, now=clock)


def _dead(db: Database, account: Account | None = None) -> Claimer:
    return a_claimer(account, owner="dead", home=standing.home_of(db.path))


async def test_one_pass_sends_everything_that_is_due(db: Database, clock: Clock) -> None:
    await add_campaign(db, await add_leads(db, 60, clock.now), clock.now)
    await add_single(db, 1, later(clock.now, hours=1))
    async with mail_server() as post:
        report = await a_worker(db, post.port, clock).once()
    assert (report.sent, report.failed, report.uncertain, report.due_later) == (60, 0, 0, 1)
    assert len({mail.to[0] for mail in post.mails}) == 60
    assert report.problems == []


async def test_hours_that_the_operator_changes_hold_for_what_waits_already(
    db: Database, clock: Clock
) -> None:
    leads = await add_leads(db, 3, clock.now)
    await add_campaign(db, leads[:2], clock.now)
    await add_campaign(db, leads[2:], clock.now, starts_at=later(clock.now, hours=1))
    await change(db, Message, [3], due_at=later(clock.now, hours=1))
    await add_single(db, 1, clock.now)
    quiet = {"per_hour": 0, "per_day": 0, "quiet_hours": "08:00-20:00", "weekdays_only": False}
    async with mail_server() as post:
        for _ in range(2):
            report = await a_worker(db, post.port, clock, sending=quiet).once()
            assert (report.sent, report.due_later) == (0, 4)
        report = await a_worker(db, post.port, clock).once()
    assert (report.sent, report.due_later) == (3, 1)


@pytest.mark.parametrize(
    ("quiet", "weekdays_only", "zone", "due"),
    [
        ("20:00-08:00", False, "UTC", "Sat 10:00"),
        ("20:00-12:00", False, "UTC", "Sat 12:00"),
        ("20:00-12:00", True, "UTC", "Mon 12:00"),
        ("20:00-12:00", True, "America/New_York", "Mon 17:00"),
        ("", False, "America/New_York", "Sat 10:00"),
    ],
)
async def test_the_time_of_a_mail_that_follows_is_counted_again_by_the_hours_of_now(
    db: Database, clock: Clock, quiet: str, weekdays_only: bool, zone: str, due: str
) -> None:
    leads = await add_leads(db, 2, clock.now, country=None)
    steps = ((TEXT, None), (AGAIN, "5d"))
    await add_campaign(db, leads, clock.now, steps=steps)
    usual = {"per_hour": 0, "per_day": 0, "quiet_hours": "20:00-08:00", "weekdays_only": True}
    changed = usual | {"quiet_hours": quiet, "weekdays_only": weekdays_only}
    async with mail_server({"RCPT": ["550 5.1.1 no such user"]}) as post:
        first = a_worker(db, post.port, clock, sending=usual, operator={"timezone": "UTC"})
        assert (await first.once()).sent == 1  # the other one's second mail is not sent at all
        assert await _second_is_due(db) == [None, "Mon 08:00"]
        clock.now = later(clock.now, days=1)
        again = a_worker(db, post.port, clock, sending=changed, operator={"timezone": zone})
        assert (await again.once()).due_later == 1
        assert await _second_is_due(db) == [None, due]
        assert (await first.once()).due_later == 1
        assert await _second_is_due(db) == [None, "Mon 08:00"]


async def _second_is_due(db: Database) -> list[str | None]:
    rows = await messages(db, Message.due_at, step_id=2)
    return [None if at is None else f"{at:%a %H:%M}" for (at,) in rows]


async def test_hours_that_did_not_change_move_nothing(db: Database, clock: Clock) -> None:
    await add_campaign(db, await add_leads(db, 1, clock.now), clock.now)
    async with mail_server() as post:
        await a_worker(db, post.port, clock).once()
        await add_single(db, 1, later(clock.now, hours=1))
        assert (await a_worker(db, post.port, clock).once()).due_later == 1


async def test_what_is_tried_again_after_a_refusal_keeps_its_time_when_the_hours_change(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 1, clock.now), clock.now)
    quiet = {"per_hour": 0, "per_day": 0, "quiet_hours": "01:00-02:00", "weekdays_only": False}
    async with mail_server({"RCPT": ["451 4.7.1 greylisted, come back"]}) as post:
        assert (await a_worker(db, post.port, clock).once()).due_later == 1
        before = await messages(db, Message.due_at)
        assert (await a_worker(db, post.port, clock, sending=quiet).once()).due_later == 1
    assert await messages(db, Message.due_at) == before


async def test_at_most_so_many_are_on_their_way_at_once(db: Database, clock: Clock) -> None:
    await add_campaign(db, await add_leads(db, 30, clock.now), clock.now)
    async with mail_server() as post:
        smtp = {"host": "127.0.0.1", "port": post.port, "security": "none", "connections": 4}
        report = await a_worker(db, post.port, clock, providers={"smtp": smtp}).once()
    assert report.sent == 30
    assert 1 < post.together <= 4


async def test_messages_that_do_not_go_keep_nobody_from_the_rest(
    db: Database, clock: Clock
) -> None:
    leads = await add_leads(db, 300, clock.now)
    await add_campaign(db, leads, clock.now)
    await change(db, Business, leads[:250], archived_at=clock.now)
    async with mail_server() as post:
        report = await a_worker(db, post.port, clock).once()
    assert report.sent == 50
    assert len(post.mails) == 50


async def test_a_dropped_connection_costs_one_problem_and_nobody_their_mail(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 5, clock.now), clock.now)
    async with mail_server({"RCPT": [HANG_UP]}) as post:
        report = await a_worker(db, post.port, clock).once()
    assert report.sent == 5
    assert len(report.problems) == 1
    assert len(post.mails) == 5


async def test_a_connection_lost_after_the_mail_leaves_it_uncertain(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 3, clock.now), clock.now)
    async with mail_server({"DOT": [HANG_UP]}) as post:
        report = await a_worker(db, post.port, clock).once()
    assert (report.sent, report.uncertain) == (2, 1)
    assert [state for state, _ in await states(db)] == [UNCERTAIN, SENT, SENT]


async def test_a_server_that_is_away_is_said_and_the_next_pass_tries_it_at_once(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 3, clock.now), clock.now)
    async with mail_server() as post:
        away = post.port
    report = await a_worker(db, away, clock).once()
    assert (report.sent, len(report.problems)) == (0, 1)
    assert {state for state, _ in await states(db)} == {QUEUED}
    again = await a_worker(db, away, clock).once()
    assert len(again.problems) == 1  # it is left alone, and that is said
    async with mail_server() as post:
        assert (await a_worker(db, post.port, clock).once()).sent == 3


async def test_a_store_that_was_stopped_sends_nothing_and_says_why(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 1, clock.now), clock.now)
    async with db.write() as session:
        await standing.stop(session, "restored from a backup")
    async with mail_server() as post:
        report = await a_worker(db, post.port, clock).once()
        assert (report.sent, report.stopped) == (0, "restored from a backup")
        async with db.write() as session:
            await standing.let_go(session, standing.home_of(db.path))
        assert (await a_worker(db, post.port, clock).once()).sent == 1


async def test_stopping_the_store_takes_effect_before_the_next_claim(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 5, clock.now), clock.now)

    class Stopper:
        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None: ...

        def give_up(self) -> None: ...

        async def send(self, mail: OutgoingMail) -> Sent:
            async with db.write() as session:
                await standing.stop(session, "enough")
            return Sent(mail.message_id, None, "250 Ok")

    pump = Pump(db, a_claimer(), Stopper(), clock, asyncio.Event())
    pumped = await pump.run()
    assert (pumped.sent, pumped.stopped) == (1, "enough")


async def test_a_store_knows_its_place_as_soon_as_something_waits_in_it(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 1, clock.now), later(clock.now, days=1))
    async with mail_server() as post:
        await a_worker(db, post.port, clock).once()
    async with db.read() as session:
        elsewhere = await standing.read_standing(session, "smtp", home="another place")
        here = await standing.read_standing(session, "smtp", home=standing.home_of(db.path))
    assert "copied or moved" in elsewhere.stopped
    assert here.stopped == ""


async def test_two_workers_of_one_store_do_not_work_at_once(db: Database, clock: Clock) -> None:
    worker, other = a_worker(db, 1, clock), a_worker(db, 1, clock)
    async with worker.at_work():
        with pytest.raises(
            AtWork, match=r"Another worker is at work for this store: process \d+ on"
        ):
            await other.once()


async def test_what_a_dead_worker_left_is_uncertain_and_the_rest_goes(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 3, clock.now), clock.now)
    await Desk(db, _dead(db)).claim(clock.now, most=1)
    async with mail_server() as post:
        report = await a_worker(db, post.port, clock).once()
    assert (report.sent, report.uncertain) == (2, 1)
    assert (await states(db))[0] == (
        UNCERTAIN,
        "it may have been sent or not: sending was cut off",
    )


@pytest.mark.parametrize("written", [True, False])
async def test_of_the_outbox_its_folder_tells_what_a_dead_worker_sent(
    db: Database, clock: Clock, tmp_path: Path, written: bool
) -> None:
    await add_campaign(db, await add_leads(db, 1, clock.now), clock.now)
    account = an_account(provider="outbox")
    (claimed,) = await Desk(db, _dead(db, account)).claim(clock.now)
    folder = tmp_path / "outbox"
    email = {"provider": "outbox", "outbox": str(folder)}
    if written:
        await OutboxSender(folder).send(claimed.mail)
    report = await a_worker(db, 1, clock, email=email).once()
    assert (report.sent, report.uncertain) == (0 if written else 1, 0)
    assert await states(db) == [(SENT, None)]
    assert len(list(folder.glob("*.eml"))) == 1


async def test_results_outlive_a_store_that_cannot_be_written_for_a_while(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_campaign(db, await add_leads(db, 2, clock.now), clock.now)
    real, turns = db.write_at_once, iter(range(99))

    async def sometimes(work: Callable[[WriteSession], Any]) -> Any:
        if next(turns) == 1:
            raise StoreError("The store is locked by another program.")
        return await real(work)

    monkeypatch.setattr(db, "write_at_once", sometimes)
    async with mail_server() as post:
        with pytest.raises(StoreError, match="locked"):
            await a_worker(db, post.port, clock).once()
        assert [state for state, _ in await states(db)] == [SENT, QUEUED]
        assert len(post.mails) == 1


async def test_what_could_not_be_recorded_at_all_is_uncertain_and_not_sent_again(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_campaign(db, await add_leads(db, 1, clock.now), clock.now)
    real, turns = db.write_at_once, iter(range(99))

    async def once(work: Callable[[WriteSession], Any]) -> Any:
        if next(turns):
            raise StoreError("The disk is full.")
        return await real(work)

    async with mail_server() as post:
        with monkeypatch.context() as patch:
            patch.setattr(db, "write_at_once", once)
            with pytest.raises(StoreError, match="full"):
                await a_worker(db, post.port, clock).once()
        assert [state for state, _ in await states(db)] == [SENDING]
        report = await a_worker(db, post.port, clock).once()
    assert (report.sent, report.uncertain, len(post.mails)) == (0, 1, 1)


# Running on ----------------------------------------------------------------------------------


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    """A worker at work."""
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        worker.stop()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 90)


@dataclass
class Passes:
    """Counts the passes of a worker, and waits for them."""

    worker: Worker
    number: int = 0
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    def of(cls, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Passes:
        """Count them from now on."""
        passes, real = cls(worker), worker._rest

        async def rest(*arguments: Any) -> None:
            async with passes._more:
                passes.number += 1
                passes._more.notify_all()
            await real(*arguments)

        monkeypatch.setattr(worker, "_rest", rest)
        return passes

    async def reach(self, number: int) -> None:
        """Wait until there were so many."""
        async with self._more:
            await asyncio.wait_for(self._more.wait_for(lambda: self.number >= number), 90)


async def test_a_worker_with_nothing_to_do_changes_nothing(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = await add_leads(db, 2, clock.now)
    await add_campaign(db, leads[:1], clock.now, state=CampaignState.PAUSED)
    await add_campaign(db, leads[1:], later(clock.now, days=1))
    worker = a_worker(db, 1, clock)
    passes = Passes.of(worker, monkeypatch)
    async with running(worker):
        await passes.reach(2)  # the first one wrote who works
        before = await db.data_version()
        for number in range(3, 6):
            worker.wake()
            await passes.reach(number)
        assert await db.data_version() == before


async def test_a_worker_sees_what_another_program_queues_and_is_woken_at_once(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm_tui.worker, "_LOOK_EVERY", 0.05)
    await add_leads(db, 2, clock.now)
    async with mail_server() as post:
        worker = a_worker(db, post.port, clock)
        passes = Passes.of(worker, monkeypatch)
        async with running(worker):
            await passes.reach(1)
            await add_single(db, 1, clock.now)
            await _until(lambda: len(post.mails) == 1)
            monkeypatch.setattr(crm_tui.worker, "_LOOK_EVERY", 60.0)
            await add_single(db, 2, clock.now)
            worker.wake()
            await _until(lambda: len(post.mails) == 2)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        for _ in count():
            if condition():
                return
            await asyncio.sleep(0.005)


async def test_a_worker_keeps_the_distance_between_two_mails(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm_tui.worker, "_LOOK_EVERY", 0.02)
    await add_campaign(db, await add_leads(db, 2, clock.now), clock.now)
    pace = {"per_hour": 10, "per_day": 40, "quiet_hours": "", "weekdays_only": False}
    async with mail_server() as post:
        worker = a_worker(db, post.port, clock, sending=pace)
        passes = Passes.of(worker, monkeypatch)
        async with running(worker):
            await passes.reach(2)  # one that sent, and one that saw what it wrote
            assert len(post.mails) == 1
            clock.now = later(clock.now, minutes=2)
            worker.wake()
            await passes.reach(3)
            assert len(post.mails) == 1
            clock.now = later(clock.now, hours=5)
            await _until(lambda: len(post.mails) == 2)


async def test_a_clock_that_was_set_back_keeps_the_mailbox_from_nothing(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls: list[datetime] = []

    async def collect(*_: Any, **__: Any) -> Collected:
        polls.append(clock.now)
        return Collected()

    monkeypatch.setattr(crm_tui.services.mailing, "collect", collect)
    imap = {"imap": {"host": "mail.example", "poll_seconds": 60}}
    worker = a_worker(db, 1, clock, providers=imap)
    passes = Passes.of(worker, monkeypatch)
    async with running(worker):
        await passes.reach(1)
        clock.now -= timedelta(days=2)
        worker.wake()
        await passes.reach(2)
    assert len(polls) == 2


async def test_a_long_run_stops_to_read_the_mailbox(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_campaign(db, await add_leads(db, 9, clock.now), clock.now)
    polls: list[int] = []

    async with mail_server() as post:

        async def collect(*_: Any, **__: Any) -> Collected:
            polls.append(len(post.mails))
            return Collected()

        def now() -> datetime:
            return later(clock.now, seconds=25 * len(post.mails))

        monkeypatch.setattr(crm_tui.services.mailing, "collect", collect)
        smtp = {"host": "127.0.0.1", "port": post.port, "security": "none"}
        providers = {"smtp": smtp, "imap": {"host": "mail.example", "poll_seconds": 60}}
        report = await a_worker(db, post.port, now, providers=providers).once()
    assert report.sent == 9
    assert polls == [0, 3, 6, 9]


async def test_a_mailbox_that_cannot_be_read_keeps_everything_back(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_campaign(db, await add_leads(db, 1, clock.now), clock.now)

    async def collect(*_: Any, **__: Any) -> Collected:
        return Collected(problem="the mailbox cannot be reached")

    monkeypatch.setattr(crm_tui.services.mailing, "collect", collect)
    async with mail_server() as post:
        report = await a_worker(db, post.port, clock).once()
    assert (report.sent, report.problems) == (0, ["the mailbox cannot be reached"])


async def test_a_problem_that_lasts_is_not_written_down_each_time(
    db: Database, clock: Clock
) -> None:
    await add_campaign(db, await add_leads(db, 1, clock.now), clock.now)
    async with mail_server() as post:
        away = post.port
    worker = a_worker(db, away, clock)
    await worker.once()
    clock.now = later(clock.now, minutes=2)
    await worker.once()
    async with db.read() as session:
        lines = (await session.scalars(select(WorkerLog.at))).all()
    assert lines == [datetime(2026, 11, 23, 10, 0, tzinfo=UTC)]


# Held ----------------------------------------------------------------------------------------


async def test_a_held_message_goes_when_its_lead_was_mended_and_is_left_alone_until_then(
    db: Database, clock: Clock
) -> None:
    (lead,) = await add_leads(db, 1, clock.now, city=None)
    await add_campaign(db, [lead], clock.now)
    async with mail_server() as post:
        assert (await a_worker(db, post.port, clock).once()).sent == 0
        held = await messages(db, Message.reason, Message.claimed_at)
        clock.now = later(clock.now, minutes=20)
        assert (await a_worker(db, post.port, clock).once()).sent == 0
        assert await messages(db, Message.reason, Message.claimed_at) == held
        await change(db, Business, city="Springfield", updated_at=clock.now)
        clock.now = later(clock.now, minutes=20)
        assert (await a_worker(db, post.port, clock).once()).sent == 1


# Ending --------------------------------------------------------------------------------------


async def _sending(post: Post) -> None:
    await asyncio.wait_for(post.reached.wait(), 90)


async def test_a_worker_that_is_stopped_gives_what_is_on_its_way_a_moment_and_no_more(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pumping, "_GOODBYE", 0.1)
    await add_campaign(db, await add_leads(db, 2, clock.now), clock.now)
    async with mail_server({"DOT": [SAY_NOTHING]}) as post:
        worker = a_worker(db, post.port, clock)
        task = asyncio.create_task(worker.once())
        await _sending(post)
        worker.stop()
        report = await asyncio.wait_for(task, 90)
    assert (report.sent, report.uncertain) == (0, 1)
    assert [state for state, _ in await states(db)] == [UNCERTAIN, QUEUED]


@pytest.mark.parametrize("times", [1, 3])
async def test_a_worker_that_is_cancelled_records_what_is_on_its_way(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(pumping, "_GOODBYE", 0.2)
    await add_campaign(db, await add_leads(db, 2, clock.now), clock.now)
    async with mail_server({"DOT": [SAY_NOTHING]}) as post:
        task = asyncio.create_task(a_worker(db, post.port, clock).once())
        await _sending(post)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0.02)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 90)
    assert [state for state, _ in await states(db)] == [UNCERTAIN, QUEUED]


@pytest.mark.parametrize("turns", range(12))
async def test_wherever_a_worker_is_cancelled_nothing_is_left_on_its_way(
    db: Database, clock: Clock, turns: int
) -> None:
    await add_campaign(db, await add_leads(db, 4, clock.now), clock.now)
    async with mail_server() as post:
        task = asyncio.create_task(a_worker(db, post.port, clock).once())
        for _ in range(turns * 9):
            await asyncio.sleep(0.0005)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        counts = [state for state, _ in await states(db)]
        assert SENDING not in counts
        assert counts.count(SENT) == len(post.mails)
        report = await a_worker(db, post.port, clock).once()
        assert len(post.mails) == 4
        assert report.sent == 4 - counts.count(SENT)


async def test_what_waits_for_paused_campaigns_is_passed_without_holding_up_writers(
    db: Database, clock: Clock
) -> None:
    (lead,) = await add_leads(db, 1, clock.now)
    paused = await add_campaign(db, [], clock.now, state=CampaignState.PAUSED)
    async with db.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO message (key, business_id, origin_id, campaign_id, step_id, address,"
            " message_id, token, due_at, created_at)"
            " SELECT 'p' || i, ?, -i, ?, (SELECT max(id) FROM campaign_step), 'p' || i || '@x.example',"
            " '<p' || i || '@x>', 'p' || i, '2020-01-01T00:00:00.000000Z',"
            " '2020-01-01T00:00:00.000000Z' FROM n",
            (lead, paused),
        )
    await add_campaign(db, [lead], clock.now)
    async with mail_server() as post:
        assert (await a_worker(db, post.port, clock).once()).sent == 1


async def test_the_setting_of_who_works_names_the_process(db: Database, clock: Clock) -> None:
    async with a_worker(db, 1, clock).at_work(), db.read() as session:
        who = await session.scalar(select(Setting.value).where(Setting.name == "worker"))
        assert set(who or ()) == {"host", "pid", "since"}


async def test_pausing_while_a_mail_is_on_its_way_lets_that_one_go_and_no_other(
    db: Database, clock: Clock
) -> None:
    campaign = await add_campaign(db, await add_leads(db, 4, clock.now), clock.now)

    class Pauser:
        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_error: object) -> None: ...

        def give_up(self) -> None: ...

        async def send(self, mail: OutgoingMail) -> Sent:
            await change(
                db, Campaign, [campaign], state=CampaignState.PAUSED, pause_reason="you paused it"
            )
            return Sent(mail.message_id, None, "250 Ok")

    pumped = await Pump(db, a_claimer(), Pauser(), clock, asyncio.Event()).run()
    assert pumped.sent == 1
    assert [state for state, _ in await states(db)] == [SENT, QUEUED, QUEUED, QUEUED]
