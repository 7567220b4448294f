"""A mailbox at a real server, and the world around it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest

from crm_tui.db.engine import Database
from tests.inbox.world import World
from tests.providers.imap_servers import Server, dovecot, has_dovecot, pymap

SENT_AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
_numbers = count(1)


@pytest.fixture(
    scope="session",
    params=[
        "pymap",
        pytest.param(
            "dovecot",
            marks=pytest.mark.skipif(not has_dovecot(), reason="Dovecot is not installed"),
        ),
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    running = pymap() if request.param == "pymap" else dovecot()
    with running as server:
        yield server


def new_folder(server: Server) -> str:
    """A folder of the test's own."""
    name = f"Folder {next(_numbers)}"
    with server.other_program() as client:
        assert client.create(f'"{name}"')[0] == "OK"
    return name


@pytest.fixture
def world(db: Database, server: Server) -> World:
    """A world whose mailbox is one empty folder."""
    return World(db, SENT_AT, server, new_folder(server))


@pytest.fixture
def offline(db: Database) -> World:
    """A world without a mailbox."""
    return World(db, SENT_AT)
