"""Bulk changes that are killed: chunks are whole, and the entry of undo holds what was done."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crm_tui.services.bulk import CHUNK
from tests.crash.crowd import fill, number, picture

if TYPE_CHECKING:
    from tests.conftest import Cli

LEADS = 20_000


@pytest.fixture
def big_store(store_path: Path, now: datetime) -> Path:
    """A store whose leads take seconds to change."""
    fill(store_path, LEADS, now)
    return store_path


def done(store: Path) -> int:
    return number(store, "SELECT count(*) FROM undo_change WHERE table_name = 'event'")


@pytest.fixture
def before(big_store: Path) -> list[list[tuple[Any, ...]]]:
    return picture(big_store)


@pytest.fixture
def changing(big_store: Path, before: object) -> Iterator[subprocess.Popen[str]]:
    """A bulk change that has done some of its chunks."""
    command = [sys.executable, "-m", "crm_tui", "--db", str(big_store)]
    command += ["leads", "bulk", "", "--set-status", "called", "--yes", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while done(big_store) < 2 * CHUNK:
            assert process.poll() is None
        yield process


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGHUP])
def test_a_killed_change_is_whole_chunks_and_its_entry_takes_them_back(
    cli: Cli,
    big_store: Path,
    before: list[list[tuple[Any, ...]]],
    changing: subprocess.Popen[str],
    deadly: signal.Signals,
) -> None:
    changing.send_signal(deadly)
    changing.communicate(timeout=60)
    changed = number(big_store, "SELECT count(*) FROM business WHERE contact_status = 'called'")
    assert 0 < changed < LEADS
    assert changed % CHUNK == 0
    assert changed == done(big_store)
    (entry,) = cli("undo", "--list", "--json").json["entries"]
    assert entry["words"] == f"set the status of {changed:,} leads to called"
    undone = cli("undo", "--json")
    assert (undone.code, undone.json["restored"], undone.json["left"]) == (0, changed, [])
    assert picture(big_store) == before
    assert cli("doctor").code == 0


@pytest.mark.parametrize("asking", [signal.SIGINT, signal.SIGTERM])
def test_a_change_that_is_asked_to_stop_finishes_its_chunk_and_says_how_far_it_came(
    cli: Cli, big_store: Path, changing: subprocess.Popen[str], asking: signal.Signals
) -> None:
    changing.send_signal(asking)
    out, err = changing.communicate(timeout=60)
    assert changing.returncode == 3
    document = json.loads(out)
    changed = document["changed"]
    assert document == {"matched": LEADS, "changed": changed, "unchanged": 0, "undo": 1}
    assert 0 < changed < LEADS
    assert f"Stopped after {changed:,} of 20,000 leads." in err
    (entry,) = cli("undo", "--list", "--json").json["entries"]
    assert entry["words"] == f"set the status of {changed:,} leads to called"
    assert changed == done(big_store)
