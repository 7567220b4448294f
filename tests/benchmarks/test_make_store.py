"""A made store is what the services would have written."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from benchmarks import invented
from benchmarks.make_store import make_store
from crm_tui.config import ScoreSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, SearchDoc
from crm_tui.errors import UserError
from crm_tui.services import derived, doctor, rescoring, search, statuses, store
from crm_tui.vocabulary import ContactStatus, WebsiteStatus

LEADS = 3_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "crm.db"
    make_store(path, leads=LEADS, events=3)
    return path


@pytest.fixture
async def db(made: Path) -> AsyncIterator[Database]:
    db = await store.open_store(made, now=invented.NOW)
    yield db
    await db.close()


async def test_the_doctor_misses_nothing_but_a_backup(made: Path) -> None:
    report = await doctor.examine(made, settings=Settings(), now=invented.NOW)
    assert report.ok
    assert {finding.check for finding in report.findings} == {"backups"}


async def test_statuses_are_the_fold_of_the_events(db: Database) -> None:
    async with db.read() as session:
        folded = await statuses.fold(session, range(1, LEADS + 1))
        assert await statuses.differing(session, folded) == {}
    assert {status for status, _ in folded.values()} == set(ContactStatus)
    assert {status for _, status in folded.values()} > {
        WebsiteStatus.GENERATED,
        WebsiteStatus.NONE,
    }


async def test_nothing_derived_changes_when_it_is_computed_again(db: Database) -> None:
    columns = (Business.id, Business.phone, Business.email, Business.website)
    async with db.read() as session:
        before = (await session.execute(select(*columns))).all()
    async with db.write() as session:
        ids = range(1, LEADS + 1)
        assert await derived.rescore(session, ids, score=ScoreSettings(), now=invented.NOW) == []
        await derived.renew(session, ids, score=ScoreSettings(), now=invented.NOW)
    async with db.read() as session:
        assert (await session.execute(select(*columns))).all() == before


async def test_no_score_grows_old(db: Database) -> None:
    later = invented.NOW + timedelta(days=1_000)
    assert await rescoring.refresh(db, ScoreSettings(), now=later) == 0


async def test_the_search_index_holds_what_the_service_would_put_there(db: Database) -> None:
    async with db.read() as session:
        for start in range(1, LEADS + 1, 500):
            ids = range(start, start + 500)
            expected = await search.documents_of(session, ids)
            stored = await session.execute(
                select(SearchDoc.__table__).where(SearchDoc.business_id.in_(ids))
            )
            assert [dict(row) for row in stored.mappings()] == expected


def test_the_store_is_sound(made: Path) -> None:
    with closing(sqlite3.connect(made)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO search_index (search_index) VALUES ('integrity-check')")
        (events,) = connection.execute("SELECT count(*) FROM event").fetchone()
        assert 2.8 < events / LEADS < 3.2


def test_last_activity_is_the_newest_event_that_counts(made: Path) -> None:
    with closing(sqlite3.connect(made)) as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM business WHERE last_activity_at <> (SELECT max(occurred_at) "
            "FROM event WHERE business_id = business.id AND NOT by_machine)"
        ).fetchone()
    assert wrong == (0,)


def test_the_same_seed_makes_the_same_store(tmp_path: Path) -> None:
    dumps = []
    for name in ("one.db", "two.db"):
        make_store(tmp_path / name, leads=300)
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            dumps.append(list(connection.execute("SELECT * FROM event ORDER BY id")))
    assert dumps[0] == dumps[1]


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    path.write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        make_store(path, leads=1)
    assert path.read_text() == "mine"
