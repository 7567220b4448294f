from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crm_tui.config import ScoreSettings, Settings
from crm_tui.db.engine import Database, beside
from crm_tui.db.locks import held
from crm_tui.errors import StoreError
from crm_tui.services import backup, bulk, timeline, undo
from crm_tui.services.doctor import Report, Severity, examine
from crm_tui.services.events import NewEvent, record
from crm_tui.services.sites import files
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind

if TYPE_CHECKING:
    from tests.conftest import Cli

SITE = (
    (
        "INSERT INTO site (business_id, slug, theme, content_hash, created_at, built_at, html) VALUES"
        " (1, 'ada-queens', 'trades', 'x', '2026-11-01T00:00:00.000000Z',"
        " '2026-11-01T00:00:00.000000Z', '<!doctype html>Ada')"
    ),
    "UPDATE business SET website_status = 'generated' WHERE id = 1",
)


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def value(path: Path, query: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchone()[0]


class Doctor:
    """Examines one store, with the same settings and time."""

    def __init__(self, path: Path, now: datetime) -> None:
        self.path = path
        self.now = now

    async def __call__(self, *, fix: bool = False, settings: Settings | None = None) -> Report:
        return await examine(self.path, settings=settings or Settings(), now=self.now, fix=fix)


@pytest.fixture
def doctor(store: Path, now: datetime) -> Doctor:
    return Doctor(store, now)


def errors(report: Report) -> dict[str, int]:
    return {f.check: f.count for f in report.findings if f.severity is Severity.ERROR}


def warnings(report: Report) -> dict[str, int]:
    return {f.check: f.count for f in report.findings if f.severity is Severity.WARNING}


async def test_a_sound_store_has_no_findings(doctor: Doctor) -> None:
    report = await doctor()
    assert report.ok
    assert report.findings == ()


async def test_a_history_written_by_the_services_is_sound(
    leads: Database, settings: Settings, now: datetime
) -> None:
    async with leads.write() as session:
        await timeline.add_note(session, 1, "wants a call in spring", now=now)
        await timeline.log_call(session, 2, CallOutcome.TALKED, now=now)
    report = await examine(leads.path, settings=settings, now=now)
    assert report.findings == ()


async def test_what_was_done_undone_and_done_again_is_sound(
    leads: Database, settings: Settings, now: datetime
) -> None:
    for change in (bulk.add_tag("vip"), bulk.set_status(ContactStatus.REPLIED), bulk.archive()):
        await bulk.run(leads, [1, 2, 3], change, now=now)
    for turn in (undo.undo, undo.undo, undo.redo):
        await turn(leads, settings=settings, now=now)
    report = await examine(leads.path, settings=settings, now=now)
    assert report.findings == ()


async def test_an_undo_that_was_cut_off_is_told(
    leads: Database, settings: Settings, now: datetime
) -> None:
    await bulk.run(leads, [1, 2], bulk.add_tag("vip"), now=now)
    execute(leads.path, "UPDATE undo_entry SET state = 'undoing'")
    report = await examine(leads.path, settings=settings, now=now)
    assert warnings(report) == {"undo": 1}
    assert report.findings[0].detail.startswith("undone or done again in part: tagged 2 leads vip;")
    assert report.ok


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("status_drift", "UPDATE business SET contact_status = 'purchased' WHERE id < 3"),
        ("status_drift", "UPDATE business SET website_status = 'sold' WHERE id < 3"),
        (
            "status_drift",
            (
                "INSERT INTO event (key, business_id, origin_id, occurred_at, recorded_at, kind,"
                " moves_to, source, summary) SELECT 'k' || id, id, id, '2026-11-01T00:00:00.000000Z',"
                " '2026-11-01T00:00:00.000000Z', 'replied', 'replied', 'test', 'reply'"
                " FROM business WHERE id < 3"
            ),
        ),
        ("folded", "UPDATE business SET city_folded = 'bronx' WHERE id < 3"),
        ("folded", "UPDATE business SET name_folded = 'x' WHERE id < 3"),
        ("voided", "UPDATE event SET is_voided = 1 WHERE business_id < 3"),
        (
            "undo",
            "INSERT INTO undo_entry (words, created_at, changed_at) VALUES ('a', '', ''), ('b', '', '')",
        ),
        ("primaries", "UPDATE business SET phone = '+12125550199' WHERE id < 3"),
        ("primaries", "UPDATE business SET email = 'a@example.com' WHERE id < 3"),
        ("search_index", "DELETE FROM search_doc WHERE business_id < 3"),
        ("search_index", "UPDATE search_doc SET name = 'Zoë' WHERE business_id < 3"),
        ("stuck_sites", "UPDATE business SET building_by = 'gone' WHERE id < 3"),
    ],
)
async def test_what_is_wrong_with_two_leads_is_found_and_repaired(
    doctor: Doctor, check: str, damage: str
) -> None:
    execute(doctor.path, damage)
    assert errors(await doctor()) == {check: 2}

    report = await doctor(fix=True)
    assert report.ok
    assert warnings(report) == {check: 2}
    assert report.findings[0].detail.startswith("fixed: ")
    assert (await doctor()).findings == ()


async def test_a_build_that_was_cut_off_goes_back_to_what_the_sites_say(
    doctor: Doctor, leads: Database, now: datetime
) -> None:
    async with leads.write() as session:
        building = NewEvent(1, EventKind.SITE_BUILDING, now, "building a site", "you")
        await record(session, building, now=now)
    await leads.close()
    assert errors(await doctor()) == {"stuck_sites": 1}
    assert (await doctor(fix=True)).ok
    assert value(doctor.path, "SELECT website_status FROM business WHERE id = 1") == "none"
    assert value(doctor.path, "SELECT count(*) FROM event WHERE kind = 'site_abandoned'") == 1


async def test_builds_that_end_with_the_statuses_are_named_among_what_was_fixed(
    doctor: Doctor,
) -> None:
    execute(doctor.path, "UPDATE business SET website_status = 'generating' WHERE id < 3")
    assert errors(await doctor()) == {"status_drift": 2, "stuck_sites": 2}
    report = await doctor(fix=True)
    assert report.ok
    assert warnings(report) == {"status_drift": 2, "stuck_sites": 2}
    details = {finding.check: finding.detail for finding in report.findings}
    assert details["stuck_sites"].startswith("fixed: no build is left")


async def test_a_builder_that_is_alive_is_left_alone(doctor: Doctor) -> None:
    execute(doctor.path, "UPDATE business SET building_by = 'alive' WHERE id = 1")
    with held(doctor.path, "alive"):
        report = await doctor(fix=True)
    assert report.findings == ()
    assert value(doctor.path, "SELECT building_by FROM business WHERE id = 1") == "alive"


async def test_a_search_index_that_differs_from_its_documents_is_built_again(
    doctor: Doctor,
) -> None:
    execute(
        doctor.path,
        "INSERT INTO search_index (search_index, rowid, name, phone, email, address, city,"
        " category, notes) SELECT 'delete', business_id, name, phone, email, address, city,"
        " category, notes FROM search_doc WHERE business_id = 1",
    )
    assert errors(await doctor()) == {"search_index": 1}
    assert (await doctor(fix=True)).ok
    found = "SELECT rowid FROM search_index WHERE search_index MATCH 'plumbing'"
    assert value(doctor.path, found) == 1


async def test_a_missing_or_changed_file_of_a_site_is_written_from_its_row(
    doctor: Doctor,
) -> None:
    execute(doctor.path, *SITE)
    folder = beside(doctor.path, "sites")
    assert errors(await doctor()) == {"missing_files": 1}
    assert (await doctor(fix=True)).ok
    page = files.page_path(folder, "ada-queens")
    assert page.read_text() == "<!doctype html>Ada"

    page.write_text("half a pa")
    assert errors(await doctor()) == {"missing_files": 1}
    assert (await doctor(fix=True)).ok
    assert page.read_text() == "<!doctype html>Ada"


async def test_half_written_files_are_deleted_unless_somebody_is_writing_them(
    doctor: Doctor,
) -> None:
    folder = beside(doctor.path, "sites")
    for name in ("left", "busy"):
        (folder / name).mkdir(parents=True)
        (folder / name / files.DRAFT).write_text("<!doc")
    handle = os.open(folder / "busy" / files.DRAFT, os.O_WRONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        assert warnings(await doctor()) == {"missing_files": 1}
        await doctor(fix=True)
    finally:
        os.close(handle)
    assert not (folder / "left" / files.DRAFT).exists()
    assert (folder / "busy" / files.DRAFT).exists()


async def test_a_page_of_no_site_is_named_and_kept(doctor: Doctor) -> None:
    page = files.page_path(beside(doctor.path, "sites"), "unknown-page")
    page.parent.mkdir(parents=True)
    page.write_text("hello")
    report = await doctor(fix=True)
    assert report.ok
    assert warnings(report) == {"missing_files": 1}
    assert "unknown-page" in report.findings[0].detail
    assert page.exists()


async def test_orphan_sites_are_a_warning(doctor: Doctor) -> None:
    execute(
        doctor.path,
        "INSERT INTO unmatched (key, kind, title, reason, created_at, payload) VALUES"
        " ('legacy:1', 'site', 'Old page', 'no business', '2026-11-01T00:00:00.000000Z', '{}')",
    )
    report = await doctor()
    assert report.ok
    assert warnings(report) == {"orphan_sites": 1}
    assert "sites repair" in report.findings[0].detail


@pytest.mark.parametrize(
    "statement",
    ["DROP INDEX ix_business_order", "DROP TRIGGER search_doc_changed", "DROP TABLE search_index"],
)
async def test_a_missing_index_or_trigger_is_made_again(doctor: Doctor, statement: str) -> None:
    execute(doctor.path, statement)
    assert "schema" in errors(await doctor())
    assert (await doctor(fix=True)).ok
    assert (await doctor()).findings == ()


async def test_a_changed_table_is_an_error_that_stays(doctor: Doctor) -> None:
    execute(doctor.path, "ALTER TABLE tag ADD COLUMN colour TEXT")
    report = await doctor(fix=True)
    assert errors(report) == {"schema": 1}
    assert "tag; restore a backup" in report.findings[0].detail


async def test_a_table_of_somebody_else_is_a_warning(doctor: Doctor) -> None:
    execute(doctor.path, "CREATE TABLE mine (x)")
    assert warnings(await doctor(fix=True)) == {"schema": 1}


async def test_a_damaged_store_is_a_finding_and_nothing_is_repaired(
    doctor: Doctor, damage: Callable[[Path], None]
) -> None:
    execute(doctor.path, "UPDATE business SET contact_status = 'purchased'")
    damage(doctor.path)
    before = doctor.path.read_bytes()
    report = await doctor(fix=True)
    assert set(errors(report)) == {"integrity"}
    assert "restore" in report.findings[0].detail
    assert doctor.path.read_bytes() == before


@pytest.mark.parametrize("size", [3000, 8192, 40960])
async def test_a_store_that_was_cut_short_is_a_finding(doctor: Doctor, size: int) -> None:
    os.truncate(doctor.path, size)
    assert set(errors(await doctor(fix=True))) == {"integrity"}


async def test_rows_that_refer_to_nothing_are_an_error(doctor: Doctor) -> None:
    execute(doctor.path, "DELETE FROM business WHERE id = 1")
    report = await doctor()
    assert "integrity" in errors(report)
    assert "contact_point refer to rows that are not there" in report.findings[0].detail


async def test_scores_of_other_settings_are_a_warning(doctor: Doctor) -> None:
    other = Settings(score=ScoreSettings(categories=("bakery",)))
    report = await doctor(settings=other)
    assert report.ok
    assert warnings(report) == {"scores": 3}
    await doctor(fix=True, settings=other)
    assert (await doctor(settings=other)).findings == ()


async def test_a_store_without_a_recent_backup_is_warned_of(doctor: Doctor, config: Path) -> None:
    doctor.now += timedelta(days=3)
    assert warnings(await doctor()) == {"backups": 1}
    backup.make_backup(doctor.path, None, config_path=config, now=doctor.now)
    assert (await doctor()).findings == ()


async def test_stopped_sending_is_said_with_its_reason(doctor: Doctor) -> None:
    reason = '{"reason": "restored from a backup"}'
    execute(doctor.path, f"INSERT INTO setting VALUES ('sending_stopped', '{reason}')")
    report = await doctor()
    assert warnings(report) == {"sending_stopped": 1}
    assert "restored from a backup" in report.findings[0].detail


async def test_an_import_that_was_cut_off_is_taken_back(doctor: Doctor) -> None:
    execute(
        doctor.path,
        "INSERT INTO import_batch (file_name, format, owner, started_at) VALUES"
        " ('list.csv', 'csv', 'gone', '2026-11-22T09:00:00.000000Z'),"
        " ('busy.csv', 'csv', 'alive', '2026-11-22T09:00:00.000000Z')",
    )
    with held(doctor.path, "alive"):
        report = await doctor()
        fixed = await doctor(fix=True)
        again = await doctor()
    assert errors(report) == {"interrupted_imports": 1}
    assert "list.csv" in report.findings[0].detail
    assert fixed.ok
    assert again.findings == ()
    states = "SELECT group_concat(state, ' ') FROM import_batch"
    assert value(doctor.path, states) == "undone running"


async def test_no_store_is_made_by_looking_for_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store"):
        await Doctor(tmp_path / "none.db", datetime.now(UTC))()
    assert not (tmp_path / "none.db").exists()


async def test_a_newer_store_is_refused_untouched(doctor: Doctor) -> None:
    execute(doctor.path, "UPDATE alembic_version SET version_num = '9999'")
    before = doctor.path.read_bytes()
    with pytest.raises(StoreError, match="newer version"):
        await doctor(fix=True)
    assert doctor.path.read_bytes() == before


async def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")
    with pytest.raises(StoreError, match="not an SQLite file"):
        await Doctor(tmp_path / "letter.txt", datetime.now(UTC))()


def document_checks(document: dict[str, list[dict[str, str]]]) -> Collection[str]:
    return {finding["check"] for finding in document["findings"]}


def test_the_command_says_what_is_wrong_and_ends_with_1(cli: Cli, store: Path) -> None:
    execute(store, "UPDATE business SET contact_status = 'purchased'")
    wrong = cli("doctor", "--json")
    assert wrong.code == 1
    assert wrong.json["ok"] is False
    assert set(wrong.json["findings"][0]) == {"check", "severity", "count", "detail"}
    assert document_checks(wrong.json) == {"status_drift"}
    assert "status_drift" in cli("doctor").out

    fixed = cli("doctor", "--fix", "--json")
    assert fixed.code == 0
    assert fixed.json["ok"] is True
    assert cli("doctor", "--json").json == {"ok": True, "findings": []}


def test_the_command_refuses_a_missing_store_in_a_sentence(cli: Cli, store: Path) -> None:
    store.unlink()
    ran = cli("doctor", "--json")
    assert (ran.code, ran.out) == (1, "")
    assert "There is no store" in ran.err


def test_backup_and_restore_as_commands(cli: Cli, store: Path, tmp_path: Path) -> None:
    made = cli("backup", str(tmp_path / "copy.db"), "--json")
    assert made.code == 0
    assert made.json["file"] == str(tmp_path / "copy.db")
    assert cli("backup", str(tmp_path / "copy.db")).code == 1
    execute(store, "UPDATE business SET city = 'Bronx'")
    restored = cli("restore", str(tmp_path / "copy.db"), "--json")
    assert restored.code == 0
    assert restored.json["leads"] == 3
    assert restored.json["sending_stopped"] is True
    assert Path(restored.json["saved"]).exists()
    assert value(store, "SELECT DISTINCT city FROM business") == "Queens"
