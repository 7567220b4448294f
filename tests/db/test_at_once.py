"""Transactions that run in one go."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import Setting
from crm_tui.errors import StoreError


def kept(store: Path) -> list[str]:
    connection = sqlite3.connect(store)
    try:
        return [name for (name,) in connection.execute("SELECT name FROM setting ORDER BY name")]
    finally:
        connection.close()


async def put_one(session: WriteSession) -> str:
    session.add(Setting(name="one", value=1))
    return "one"


async def put_and_fail(session: WriteSession) -> None:
    session.add(Setting(name="other", value=1))
    await session.flush()
    raise ValueError("no")


async def test_it_is_kept_when_it_ends_and_gives_back_what_it_came_to(
    db: Database, store_path: Path
) -> None:
    before = kept(store_path)
    assert await db.write_at_once(put_one) == "one"
    assert kept(store_path) == sorted([*before, "one"])


async def test_nothing_is_kept_when_it_raises_and_the_next_one_goes_on(
    db: Database, store_path: Path
) -> None:
    before = kept(store_path)
    with pytest.raises(ValueError, match="no"):
        await db.write_at_once(put_and_fail)
    assert kept(store_path) == before
    await db.write_at_once(put_one)
    assert "one" in kept(store_path)


async def test_it_waits_for_other_writers_of_this_program(db: Database, store_path: Path) -> None:
    async with db.write() as session:
        session.add(Setting(name="first", value=1))
        waiting = asyncio.create_task(db.write_at_once(put_one))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    await waiting
    assert {"first", "one"} <= set(kept(store_path))


async def test_a_cancelled_task_lets_it_come_to_its_end_before_others_write(
    db: Database, store_path: Path
) -> None:
    task = asyncio.create_task(db.write_at_once(put_one))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.write() as session:
        session.add(Setting(name="after", value=1))
    assert "after" in kept(store_path)


async def test_what_awaits_more_than_its_session_is_refused(db: Database, store_path: Path) -> None:
    async def sleepy(session: WriteSession) -> None:
        session.add(Setting(name="sleepy", value=1))
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaited more than its session"):
        await db.write_at_once(sleepy)
    assert "sleepy" not in kept(store_path)


async def test_a_store_that_another_program_holds_says_so(db: Database, store_path: Path) -> None:
    await db.write_at_once(put_one)
    other = sqlite3.connect(store_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreError, match="locked by another program"):
            await db.write_at_once(put_and_fail)
    finally:
        other.close()
