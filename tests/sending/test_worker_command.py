"""`crm-tui worker --once` as scripts run it: what it prints, and the exit codes."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from crm_tui.db.engine import Database
from crm_tui.vocabulary import MessageState
from tests.providers.mail_server import SAY_NOTHING, mail_server
from tests.sending.queue import add_campaign, add_leads, states

LONG_AGO = datetime(2026, 1, 5, 10, tzinfo=UTC)
CONFIG = """\
[sender]
name = "Anna Berg"
email = "anna@sender.example"
postal_address = "1 Main Street"
[providers.smtp]
host = "127.0.0.1"
port = {port}
security = "none"
[sending]
per_hour = 0
per_day = 0
quiet_hours = ""
weekdays_only = false
"""


class Said(NamedTuple):
    """How the command ended, and what it said."""

    code: int
    document: dict[str, int]
    words: str


class Command:
    """The command on a store, in processes of their own."""

    def __init__(self, store: Path, folder: Path) -> None:
        self._store, self._config = store, folder / "config.toml"

    async def start(self, port: int) -> asyncio.subprocess.Process:
        """A pass that begins."""
        self._config.write_text(CONFIG.format(port=port))
        command = ["-m", "crm_tui", "--db", str(self._store), "--config", str(self._config)]
        return await asyncio.create_subprocess_exec(
            sys.executable, *command, "worker", "--once", "--json", stdout=PIPE, stderr=PIPE
        )

    async def run(self, port: int) -> Said:
        """A pass to its end."""
        return await self.end(await self.start(port))

    async def end(self, process: asyncio.subprocess.Process) -> Said:
        """The end of a pass."""
        out, err = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, json.loads(out) if out else {}, err.decode())


@pytest.fixture
def command(store_path: Path, tmp_path: Path) -> Command:
    return Command(store_path, tmp_path)


def came_to(**figures: int) -> dict[str, int]:
    """The document of a pass; what is not named is 0."""
    names = ("sent", "failed", "uncertain", "polled", "applied", "unmatched", "due_later")
    return dict.fromkeys(names, 0) | figures


async def test_the_code_is_4_where_the_provider_failed_and_0_where_recipients_were_refused(
    db: Database, command: Command
) -> None:
    await add_campaign(db, await add_leads(db, 3, LONG_AGO), LONG_AGO)
    async with mail_server() as post:
        away = post.port
    said = await command.run(away)
    assert (said.code, said.document) == (4, came_to(due_later=3))
    assert "refuses connections" in said.words
    refused = ["550 5.1.1 no such user", "451 4.7.1 Greylisted"]
    async with mail_server({"RCPT": refused}) as post:
        said = await command.run(post.port)
    assert (said.code, said.document) == (0, came_to(sent=1, failed=1, due_later=1))
    assert (MessageState.FAILED, "550 5.1.1 no such user") in await states(db)


async def test_of_two_passes_at_once_one_sends_and_the_other_says_who_does(
    db: Database, command: Command
) -> None:
    await add_campaign(db, await add_leads(db, 3, LONG_AGO), LONG_AGO)
    async with mail_server({"DOT": [SAY_NOTHING]}) as post:
        first = await command.start(post.port)
        await asyncio.wait_for(post.reached.wait(), 60)  # a mail is on its way
        second = await command.run(post.port)
        assert (second.code, second.document) == (1, {})
        assert f"Another worker is at work for this store: process {first.pid}" in second.words
        first.kill()
        await first.communicate()
        # Nobody needs to wait for the lock of who is dead.
        third = await command.run(post.port)
        assert (third.code, third.document) == (0, came_to(sent=2, uncertain=1))
        assert len(post.mails) == 3
    assert sorted(state for state, _ in await states(db)) == sorted(
        [MessageState.UNCERTAIN, MessageState.SENT, MessageState.SENT]
    )
