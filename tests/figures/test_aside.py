"""Counting beside the program: on another thread, stopped when it is not wanted any more."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from crm_tui.db.engine import Database
from crm_tui.errors import NotFound
from crm_tui.services.figures.aside import Aside

_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


async def test_it_counts_on_another_thread_and_ends_with_it(store_path: Path) -> None:
    aside = Aside(store_path)

    async def count(db: Database) -> tuple[int, int]:
        async with db.read() as session:
            number = await session.scalar(text("SELECT count(*) FROM business"))
        return number or 0, threading.get_ident()

    number, thread = await aside.run(count)
    assert (number, thread != threading.get_ident()) == (0, True)
    await aside.close()
    assert "figures" not in {each.name for each in threading.enumerate()}


async def test_what_goes_wrong_there_is_told_here(store_path: Path) -> None:
    aside = Aside(store_path)

    async def count(_db: Database) -> int:
        raise NotFound("There is no such figure.")

    with pytest.raises(NotFound, match="no such figure"):
        await aside.run(count)
    await aside.close()


@pytest.mark.parametrize("by", ["cancelling", "closing"])
async def test_a_statement_without_an_end_is_stopped(by: str, store_path: Path) -> None:
    aside, begun, ended = Aside(store_path), threading.Event(), threading.Event()

    async def count(db: Database) -> None:
        async with db.read() as session:
            begun.set()
            try:
                await session.execute(text(_ENDLESS))
            finally:
                ended.set()

    counting = asyncio.create_task(aside.run(count))
    await asyncio.to_thread(begun.wait, 30)
    if by == "cancelling":
        counting.cancel()
        assert await asyncio.to_thread(ended.wait, 30)
    await aside.close()
    assert ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        await counting
