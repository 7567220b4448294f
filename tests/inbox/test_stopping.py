"""A worker that is asked to stop leaves a mailbox that hangs, and a mail server that hangs, at once."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from crm_tui.db.models import WorkerLog
from crm_tui.vocabulary import MessageState
from crm_tui.worker import Worker
from tests.inbox.world import World
from tests.providers.imap_script import Script, usual
from tests.providers.imap_servers import Server
from tests.providers.mail_server import WAIT, mail_server, settings_for

ANN = "ann@plumber.example"


def a_worker(world: World) -> Worker:
    return Worker(world.db, world.settings, environment=world.environment, now=lambda: world.now)


@pytest.mark.parametrize("command", ["LOGIN", "LIST", "EXAMINE", "SEARCH", "FETCH"])
async def test_a_mailbox_that_falls_silent_is_left_at_once(offline: World, command: str) -> None:
    asked = threading.Event()

    def answer(tag: str, said: str) -> bytes:
        if command in said:
            asked.set()
            return b"* OK still here\r\n"
        return usual(tag, said)

    offline.server = Server(Script(answer).port, username="u")
    worker = a_worker(offline)
    running = asyncio.create_task(worker.run())
    await asyncio.to_thread(asked.wait)
    worker.stop()
    await running
    # Had it waited for the server, it would say that it does not answer.
    assert [line.words for line in await offline.rows(WorkerLog)] == []


async def test_stopping_twice_and_before_it_begins_is_stopping(offline: World) -> None:
    offline.server = Server(Script(usual).port, username="u")
    worker = a_worker(offline)
    worker.stop()
    worker.stop()
    await worker.run()
    assert (await worker.once()).polled == 0


async def test_a_mail_that_was_handed_over_is_told_of_and_answered_for(offline: World) -> None:
    lead = await offline.lead("Ace", ANN)
    await offline.campaign(lead, steps=1)
    async with mail_server({"DOT": [WAIT]}) as post:
        offline.post = settings_for(post.port)
        worker = a_worker(offline)
        running = asyncio.create_task(worker.run())
        await post.reached.wait()
        assert worker.unanswered == 1
        worker.stop()
        post.go.set()
        await running
    assert worker.unanswered == 0
    assert await offline.states(lead) == [MessageState.SENT]
    offline.now += timedelta(days=1)
    assert (await offline.work()).sent == 0
