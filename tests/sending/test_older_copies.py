"""Copies of a store, elsewhere and in its own place: nobody is written to twice from them."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import msgspec
import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services.mailing import Report
from crm_tui.services.sending import last_sent, standing
from crm_tui.services.store import open_store
from crm_tui.vocabulary import MessageState
from crm_tui.worker import Worker
from tests.campaigns.making import a_running, settings_to_send, through_smtp
from tests.campaigns.making import add_leads as add_plumbers
from tests.providers.mail_server import Post, mail_server
from tests.sending.queue import add_campaign, add_leads, states

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
COPIED = "this store was copied or moved: another one may have sent what is queued here"


async def a_pass(store: Path, post: Post, now: datetime, per_hour: int = 0) -> Report:
    """A worker on a store that is opened for it and closed again."""
    given = {
        "sender": {
            "name": "Anna Berg",
            "email": "anna@sender.example",
            "postal_address": "1 Main Street",
        },
        "providers": {"smtp": {"host": "127.0.0.1", "port": post.port, "security": "none"}},
        "sending": {
            "per_hour": per_hour,
            "per_day": 0,
            "quiet_hours": "",
            "weekdays_only": False,
        },
    }
    db = Database(store)
    try:
        worker = Worker(db, msgspec.convert(given, Settings), environment={}, now=lambda: now)
        return await worker.once()
    finally:
        await db.close()


def put_back(copy: Path, store: Path) -> None:
    """Write a copy over the store, as `cp` does: it is the same file afterwards."""
    for journal in ("-wal", "-shm"):
        store.with_name(f"{store.name}{journal}").unlink(missing_ok=True)
    number = store.stat().st_ino
    shutil.copyfile(copy, store)
    assert store.stat().st_ino == number


def got(post: Post) -> Counter[str]:
    """How many mails each recipient got."""
    return Counter(message_from_bytes(mail.content)["To"] for mail in post.mails)


async def a_queue(db: Database, number: int) -> Path:
    """A campaign in the store, which is closed then."""
    await add_campaign(db, await add_leads(db, number, NOW), NOW)
    await db.close()
    return db.path


@pytest.mark.parametrize("sent_before", [0, 2])
async def test_an_older_copy_in_the_place_of_the_store_sends_nothing_until_it_is_let_go(
    db: Database, tmp_path: Path, sent_before: int
) -> None:
    store, copy = await a_queue(db, 6), tmp_path / "aside.db"
    async with mail_server() as post:
        if sent_before:
            assert (await a_pass(store, post, NOW, per_hour=sent_before)).sent == sent_before
        shutil.copyfile(store, copy)
        assert (await a_pass(store, post, NOW + timedelta(hours=2), per_hour=2)).sent == 2
        put_back(copy, store)
        for hours in (4, 6):
            report = await a_pass(store, post, NOW + timedelta(hours=hours))
            assert (report.sent, report.stopped) == (0, last_sent.OLDER_COPY)
        assert set(got(post).values()) == {1}
        async with (again := Database(store)).write() as session:
            await standing.let_go(session, standing.home_of(store))
        await again.close()
        last_sent.forget(store)
        assert (await a_pass(store, post, NOW + timedelta(hours=8))).sent == 6 - sent_before


async def test_a_copy_that_is_older_by_one_mail_that_was_tried_again_is_known_too(
    db: Database, tmp_path: Path
) -> None:
    store, copy = await a_queue(db, 1), tmp_path / "aside.db"
    async with mail_server({"RCPT": ["451 4.7.1 Greylisted"]}) as post:
        assert (await a_pass(store, post, NOW)).due_later == 1
        shutil.copyfile(store, copy)
        assert (await a_pass(store, post, NOW + timedelta(hours=2))).sent == 1
        put_back(copy, store)
        report = await a_pass(store, post, NOW + timedelta(hours=4))
        assert (report.sent, report.stopped) == (0, last_sent.OLDER_COPY)
        assert len(post.mails) == 1


async def test_the_newest_copy_in_its_place_goes_on(db: Database, tmp_path: Path) -> None:
    store, copy = await a_queue(db, 4), tmp_path / "aside.db"
    async with mail_server({"RCPT": ["451 4.7.1 Greylisted"]}) as post:
        assert (await a_pass(store, post, NOW)).sent == 3
        shutil.copyfile(store, copy)
        put_back(copy, store)
        assert (await a_pass(store, post, NOW + timedelta(hours=2))).sent == 1
        assert set(got(post).values()) == {1}


async def test_a_new_store_in_the_place_of_an_old_one_is_no_copy_of_it(
    db: Database, tmp_path: Path
) -> None:
    store = await a_queue(db, 1)
    async with mail_server() as post:
        assert (await a_pass(store, post, NOW)).sent == 1
        for name in ("", "-wal", "-shm"):
            store.with_name(f"{store.name}{name}").unlink(missing_ok=True)
        await a_queue(await open_store(store, now=NOW), 1)
        assert (await a_pass(store, post, NOW)).sent == 1


async def test_a_note_that_cannot_be_read_stops_nothing_and_one_that_cannot_be_written_does(
    db: Database,
) -> None:
    store = await a_queue(db, 2)
    note = store.with_name(f"{store.name}.sent")
    async with mail_server() as post:
        note.write_bytes(b"\xff nonsense")
        assert (await a_pass(store, post, NOW, per_hour=1)).sent == 1
        note.unlink()
        note.mkdir()
        report = await a_pass(store, post, NOW + timedelta(hours=2))
        assert report.sent == 0
        assert report.problems == [f"{note} cannot be written: Is a directory."]
        assert len(post.mails) == 1
    found = Database(store)
    assert Counter(state for state, _ in await states(found)) == {
        MessageState.SENT: 1,
        MessageState.QUEUED: 1,
    }
    await found.close()


async def test_a_copy_that_is_made_after_the_start_knows_that_it_is_one_before_anything_was_sent(
    db: Database, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere.db"
    async with mail_server() as post:
        await add_plumbers(db, 3, NOW)
        await a_running(db, through_smtp(settings_to_send(), post.port), NOW)
        await db.close()
        shutil.copyfile(db.path, copy)
        assert (await a_pass(copy, post, NOW)).stopped == COPIED
        assert (await a_pass(db.path, post, NOW)).sent == 3
        assert set(got(post).values()) == {1}
