"""Builders that are killed, and builders that meet: real processes on a real store."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crm_tui.clock import utc_now
from crm_tui.db.engine import Database
from crm_tui.services.sites import claims
from crm_tui.services.sites.build import build_sites
from crm_tui.services.sites.files import DRAFT
from crm_tui.services.sites.render import Renderer
from crm_tui.services.sites.themes import load_themes
from crm_tui.vocabulary import WebsiteStatus

LEADS = 200
CHUNK = 20
CAPTURED_AT = "2026-11-22T09:30:00.000000Z"


@pytest.fixture
def store(store_path: Path) -> Path:
    """A store with leads and no site."""
    connection = sqlite3.connect(store_path)
    connection.executemany(
        "INSERT INTO business (key, name, sort_name, category, city, country, source, created_at,"
        " captured_at, updated_at) VALUES (?, ?, ?, 'Plumber', 'Queens', 'US', 'test', ?, ?, ?)",
        [
            (f"key-{number}", f"Business {number}", f"business {number}", *[CAPTURED_AT] * 3)
            for number in range(LEADS)
        ],
    )
    connection.commit()
    connection.close()
    return store_path


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(load_themes())


def start(store: Path, chunk: int = CHUNK) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crash.site_builder", str(store), str(chunk)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def ask(store: Path, question: str) -> int:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return int(connection.execute(question).fetchone()[0])
    finally:
        connection.close()


def generating(store: Path) -> int:
    return ask(store, "SELECT count(*) FROM business WHERE website_status = 'generating'")


def stored(store: Path) -> int:
    return ask(store, "SELECT count(*) FROM site")


def files(store: Path) -> list[Path]:
    return sorted(Path(f"{store}.sites").glob("*/index.html"))


def drafts(store: Path) -> list[Path]:
    return sorted(Path(f"{store}.sites").glob(f"*/{DRAFT}"))


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "as the first businesses are claimed": lambda store: generating(store) > 0,
    "as the first file is begun": lambda store: bool(drafts(store) or files(store)),
    "as a later chunk is claimed": lambda store: stored(store) >= 60 and generating(store) > 0,
    "in the middle of the files": lambda store: len(files(store)) >= 110,
    "near the end": lambda store: stored(store) >= 180,
}


def check_nothing_is_broken(store: Path) -> None:
    connection = sqlite3.connect(store)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    pages = dict(connection.execute("SELECT slug, html FROM site").fetchall())
    doubled = connection.execute(
        "SELECT business_id FROM site GROUP BY business_id HAVING count(*) > 1"
    ).fetchall()
    connection.close()
    assert doubled == []
    for file in files(store):
        assert file.read_text(encoding="utf-8") == pages[file.parent.name]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_builder_killed_at_any_point_leaves_nothing_broken_and_the_next_one_finishes(
    store: Path, renderer: Renderer, moment: str
) -> None:
    builder = start(store)
    while not MOMENTS[moment](store) and builder.poll() is None:
        pass
    builder.send_signal(signal.SIGKILL)
    builder.communicate()
    check_nothing_is_broken(store)

    db = Database(store)
    ids = range(1, LEADS + 1)
    report = await build_sites(db, ids, renderer=renderer, clock=utc_now)
    await db.close()
    assert (len(report.sites), report.failures) == (LEADS, [])
    check_nothing_is_broken(store)
    assert (generating(store), stored(store), len(files(store))) == (0, LEADS, LEADS)
    assert ask(store, "SELECT count(*) FROM business WHERE building_by IS NOT NULL") == 0
    statuses = ask(store, "SELECT count(*) FROM business WHERE website_status = 'generated'")
    assert statuses == LEADS
    assert drafts(store) == []


async def test_what_a_killed_builder_claimed_can_be_repaired_without_building(store: Path) -> None:
    builder = start(store)
    while not generating(store):
        pass
    builder.send_signal(signal.SIGSTOP)  # a builder that stands still is alive
    db = Database(store)
    claimed = generating(store)
    assert await claims.repair_stuck(db, now=utc_now()) == 0
    builder.send_signal(signal.SIGKILL)
    builder.communicate()
    repaired = await claims.repair_stuck(db, now=utc_now())
    await db.close()
    assert repaired == claimed
    assert generating(store) == 0
    without = f"SELECT count(*) FROM business WHERE website_status = '{WebsiteStatus.NONE}'"
    assert ask(store, without) == LEADS - stored(store)


def test_two_builders_at_once_share_the_work_and_undo_nothing(store: Path) -> None:
    with start(store, 10) as one, start(store, 10) as two:
        counts = [tuple(map(int, builder.communicate()[0].split())) for builder in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0)
    assert sum(built for built, _, _ in counts) == LEADS
    assert [built + unchanged for built, unchanged, _ in counts] == [LEADS, LEADS]
    check_nothing_is_broken(store)
    assert (generating(store), len(files(store))) == (0, LEADS)
    events = ask(store, "SELECT count(*) FROM event WHERE kind = 'site_built'")
    assert events == LEADS


def test_a_builder_killed_beside_another_one_takes_nothing_with_it(store: Path) -> None:
    with start(store, 10) as survivor:
        victim = start(store, 10)
        while stored(store) < 40:
            pass
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        built, unchanged, failed = map(int, survivor.communicate()[0].split())
    assert (survivor.returncode, built + unchanged, failed) == (0, LEADS, 0)
    check_nothing_is_broken(store)
    assert (generating(store), stored(store), len(files(store))) == (0, LEADS, LEADS)
