"""No statement of a turn goes through all messages, leads or events: a campaign may be large."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from crm_tui.db.engine import Database
from crm_tui.providers.base import Refused, TryLater
from tests.sending.queue import AGAIN, TEXT, Desk, accepted, add_campaign, add_leads, later

LARGE = ("message", "business", "event", "contact_point", "suppression", "site")


@contextmanager
def heard() -> Iterator[dict[str, Any]]:
    """The statements that are executed meanwhile, each with parameters of its."""
    statements: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements[statement] = parameters[0] if isinstance(parameters, list) else parameters

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def scans(store: Path, statements: dict[str, Any]) -> list[tuple[str, str]]:
    """The steps of plans that go through the whole of a large table."""
    found = []
    with closing(sqlite3.connect(store)) as connection:
        for statement, parameters in statements.items():
            if statement.startswith(("BEGIN", "PRAGMA")):
                continue
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
                words = step.replace("_1", "").replace("_2", "").split()
                if words[0] == "SCAN" and words[1] in LARGE and "VIRTUAL" not in words:
                    found.append((step, statement))
    return found


async def test_no_statement_of_a_turn_goes_through_a_large_table(
    db: Database, store_path: Path, now: datetime
) -> None:
    leads = await add_leads(db, 6, now)
    steps = ((TEXT, None), (AGAIN, "1h"))
    await add_campaign(db, leads, now, steps=steps)
    desk = Desk(db)
    with heard() as statements:
        first, second, third, *others = await desk.claim(now)
        await desk.record(
            now,
            (first, Refused("550 no such user", hard=True)),
            (second, TryLater("451 later")),
            (third, accepted(third.mail)),
            *((each, accepted(each.mail)) for each in others),
        )
        assert await desk.send(later(now, hours=1))
    assert len(statements) > 15
    # Read once for each campaign while it is sent, and by nobody who writes.
    read = {
        each: these
        for each, these in statements.items()
        if "ORDER BY message.claimed_at" not in each
    }
    assert scans(store_path, read) == []
