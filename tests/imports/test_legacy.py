"""Old stores: their leads, their sites and their orphans, taken in once and never touched."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event, RawRecord, Site, Unmatched
from crm_tui.errors import BadInput
from crm_tui.services import doctor, statuses
from crm_tui.services.imports.result import ImportResult
from crm_tui.services.imports.run import import_file
from crm_tui.services.imports.undo import undo
from crm_tui.services.sites import files, repair
from crm_tui.vocabulary import ContactStatus, EventKind, SiteStatus, UnmatchedState, WebsiteStatus

SCHEMA = """
    CREATE TABLE businesses (id INTEGER PRIMARY KEY, name TEXT, category TEXT, city TEXT,
        state TEXT, phone TEXT, email TEXT, website_url TEXT, rating REAL, review_count INTEGER,
        contact_status TEXT, website_status TEXT, qualification_score INTEGER, created_at TEXT);
    CREATE TABLE sites (id INTEGER PRIMARY KEY, slug TEXT, business_id INTEGER, status TEXT,
        html_content TEXT, css_content TEXT, js_content TEXT, created_at TEXT);
"""
BUSINESS = """
    INSERT INTO businesses VALUES (1, 'Acme Plumbing', 'Plumber', 'Albany', 'NY',
        '(518) 871-1647', 'joe@acme-plumbing.com', 'http://acme-plumbing.com', 4.5, 12, 'emailed',
        'generated', 77, '2024-03-01 10:00:00');
"""
SITE = """
    INSERT INTO sites VALUES (1, 'acme-plumbing', 1, 'published',
        '<html><head><title>Acme</title></head><body><h1>Acme</h1></body></html>',
        'h1 { color: red }', 'alert(1)', '2024-03-05 10:00:00');
"""
ORPHANS = """
    INSERT INTO sites VALUES
        (2, 'lost', NULL, 'preview', '<html><head><title>Lost &amp; Found Cafe</title></head>'
            || '<body><h1>Lost &amp; Found Cafe</h1><a href="tel:+15185550123">call</a></body>'
            || '</html>', '', '', '2024-03-06'),
        (3, 'gone', 99, 'sold', '<h1>Gone Bakery</h1>', 'h1 {}', '', '2024-03-07');
"""

Import = Callable[..., Any]


@pytest.fixture
def old_store(tmp_path: Path) -> Callable[..., Path]:
    """Makes an old store from SQL."""

    def make(*statements: str, name: str = "old.db") -> Path:
        path = tmp_path / name
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("".join(statements))
        return path

    return make


@pytest.fixture
def take_in(db: Database, settings: Settings, now: datetime) -> Import:
    async def run(path: Path, **options: Any) -> ImportResult:
        return await import_file(db, path, settings=settings, now=now, **options)

    return run


def counts(result: ImportResult) -> tuple[int, ...]:
    return (
        result.created,
        result.merged,
        result.skipped,
        result.rejected,
        result.sites,
        result.unmatched,
    )


async def everything(db: Database) -> list[int]:
    async with db.read() as session:
        return [
            (await session.execute(select(func.count()).select_from(model))).scalar_one()
            for model in (Business, Event, Site, Unmatched, RawRecord)
        ]


async def test_a_lead_comes_with_its_history_and_its_site(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    result = await take_in(old_store(SCHEMA, BUSINESS, SITE))
    assert result.format == "legacy"
    assert counts(result) == (1, 0, 0, 0, 1, 0)
    async with db.read() as session:
        (business,) = await session.scalars(select(Business))
        (site,) = await session.scalars(select(Site))
        found = await session.execute(
            select(Event.kind, Event.occurred_at, Event.moves_to, Event.site_id).order_by(Event.id)
        )
        events = [tuple(row) for row in found]
        assert not await statuses.differing(session, await statuses.fold(session, [business.id]))
    assert (business.name, business.city, business.region, business.phone) == (
        "Acme Plumbing",
        "Albany",
        "NY",
        "+15188711647",
    )
    assert (business.contact_status, business.website_status) == (
        ContactStatus.EMAILED,
        WebsiteStatus.PUBLISHED,
    )
    assert business.custom == {}
    assert (site.business_id, site.slug, site.status) == (1, "acme-plumbing", SiteStatus.PUBLISHED)
    assert "color: red" in site.html
    created = datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert events == [
        (EventKind.CAPTURED, created, None, None),
        (EventKind.STATUS_IMPORTED, created, ContactStatus.EMAILED, None),
        (EventKind.SITE_IMPORTED, datetime(2024, 3, 5, 10, tzinfo=UTC), None, site.id),
    ]
    assert files.is_written(db.site_folder, "acme-plumbing", site.html)


async def test_sites_without_their_business_are_kept_with_the_reason(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    result = await take_in(old_store(SCHEMA, ORPHANS))
    assert counts(result) == (0, 0, 0, 0, 0, 2)
    assert result.seen == 0
    async with db.read() as session:
        found = list(await session.scalars(select(Unmatched).order_by(Unmatched.id)))
    assert [(each.title, each.reason) for each in found] == [
        ("Lost & Found Cafe", "it belonged to no business"),
        ("gone", "its business (old id 99) is missing"),
    ]
    assert found[1].payload == {
        "slug": "gone",
        "status": "sold",
        "html": "<h1>Gone Bakery</h1>",
        "css": "h1 {}",
        "js": "",
        "created_at": "2024-03-07T00:00:00+00:00",
        "old_id": 3,
        "old_business_id": 99,
    }


async def test_an_orphan_is_repaired_and_the_file_imported_again_adds_nothing(
    db: Database,
    old_store: Callable[..., Path],
    take_in: Import,
    settings: Settings,
    now: datetime,
) -> None:
    path = old_store(SCHEMA, BUSINESS, SITE, ORPHANS)
    await take_in(path)
    report = await repair.accept_all(db, settings=settings, clock=lambda: now)
    assert (report.created, report.left) == (2, 0)
    before = await everything(db)
    again = await take_in(path)
    assert counts(again) == (0, 0, 1, 0, 0, 0)
    assert await everything(db) == before
    async with db.read() as session:
        lost = await session.scalar(select(Business).where(Business.name == "Lost & Found Cafe"))
        assert lost is not None
        assert (lost.contact_status, lost.website_status) == (
            ContactStatus.PENDING,
            WebsiteStatus.GENERATED,
        )
    examined = await doctor.examine(db.path, settings=settings, now=now)
    assert examined.ok


async def test_an_old_store_that_grew_adds_only_what_is_new(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    path = old_store(SCHEMA, BUSINESS)
    await take_in(path)
    old_store(SITE, "UPDATE businesses SET contact_status = 'replied'")
    assert counts(await take_in(path)) == (0, 1, 0, 0, 1, 0)
    async with db.read() as session:
        (business,) = await session.scalars(select(Business))
    assert (business.contact_status, business.website_status) == (
        ContactStatus.REPLIED,
        WebsiteStatus.PUBLISHED,
    )


async def test_two_old_stores_with_the_same_ids_do_not_collide(
    old_store: Callable[..., Path], take_in: Import
) -> None:
    await take_in(old_store(SCHEMA, BUSINESS, SITE))
    other = old_store(
        SCHEMA,
        BUSINESS.replace("Acme Plumbing", "Zed Bakery")
        .replace("871-1647", "871-1648")
        .replace("acme-plumbing", "zed"),
        SITE.replace("acme-plumbing", "zed-bakery"),
        name="other.db",
    )
    assert counts(await take_in(other)) == (1, 0, 0, 0, 1, 0)


async def test_the_same_phone_is_one_lead_with_both_sites(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    second = BUSINESS.replace("(1, 'Acme Plumbing'", "(2, 'Acme Plumbing Inc'")
    site = SITE.replace("(1, 'acme-plumbing', 1,", "(4, 'acme-plumbing', 2,")
    result = await take_in(old_store(SCHEMA, BUSINESS, second, SITE, site))
    assert counts(result) == (1, 0, 1, 0, 2, 0)
    async with db.read() as session:
        found = await session.execute(select(Site.business_id, Site.slug).order_by(Site.id))
        assert [tuple(row) for row in found] == [(1, "acme-plumbing"), (1, "acme-plumbing-2")]
        slugs = await session.scalars(
            select(Event.data).where(Event.kind == EventKind.SITE_IMPORTED).order_by(Event.id)
        )
        assert list(slugs) == [{"slug": "acme-plumbing"}, {"slug": "acme-plumbing-2"}]


async def test_unknown_columns_and_missing_ones_are_fine(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    path = old_store(
        "CREATE TABLE Businesses (ID INTEGER PRIMARY KEY, Name TEXT, mood TEXT, "
        "website_status TEXT, contact_status TEXT);"
        "INSERT INTO Businesses VALUES (7, 'Acme', 'good', 'generated', 'teleported'),"
        "(8, 'Zed', NULL, 'none', 'pending');"
    )
    result = await take_in(path)
    assert counts(result) == (2, 0, 0, 0, 0, 0)
    assert [problem.reason for problem in result.problems] == [
        "contact_status “teleported”: not a known status"
    ]
    async with db.read() as session:
        custom = list(await session.scalars(select(Business.custom).order_by(Business.id)))
        raw = await session.scalar(select(RawRecord.payload).order_by(RawRecord.id))
    assert custom == [
        {"mood": "good", "website_status": "generated", "contact_status": "teleported"},
        {},
    ]
    assert raw == {
        "id": 7,
        "name": "Acme",
        "mood": "good",
        "website_status": "generated",
        "contact_status": "teleported",
    }


async def test_bad_rows_are_rejected_alone_and_their_sites_are_kept(
    old_store: Callable[..., Path], take_in: Import
) -> None:
    path = old_store(
        SCHEMA,
        "INSERT INTO businesses (id, name) VALUES (1, NULL), (2, 'A' || char(0) || 'B'), "
        "(3, 'Acme');"
        "INSERT INTO businesses (id, name, city) VALUES (4, 'Big', hex(zeroblob(600000)));"
        "INSERT INTO sites (id, slug, business_id, html_content) VALUES (1, 'a', 1, '<h1>A</h1>');",
    )
    result = await take_in(path)
    assert counts(result) == (1, 0, 0, 3, 0, 1)
    assert [(problem.row, problem.reason) for problem in result.problems] == [
        (1, "old id 1: no name, and nothing to name it by"),
        (2, "old id 2: a NUL byte in name"),
        (4, "old id 4: over 1 MB in city"),
    ]


async def test_hostile_text_stays_text(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    path = old_store(
        SCHEMA,
        "INSERT INTO businesses (id, name) VALUES (1, 'A' || char(27) || ']52;c;x' || char(7));"
        "INSERT INTO sites (id, slug, business_id, html_content, css_content) VALUES "
        "(1, '../../etc/passwd', 1, '<h1>A</h1>', '</style><script>alert(1)</script>');",
    )
    await take_in(path)
    async with db.read() as session:
        (site,) = await session.scalars(select(Site))
    assert site.slug == "etc-passwd"
    assert "</style><script>" not in site.html
    assert files.is_written(db.site_folder, "etc-passwd", site.html)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
async def test_the_file_is_not_touched(
    old_store: Callable[..., Path], take_in: Import, journal: str
) -> None:
    path = old_store(f"PRAGMA journal_mode = {journal};", SCHEMA, BUSINESS, SITE, ORPHANS)
    before = {each.name: _digest(each) for each in path.parent.glob("old.db*")}
    await take_in(path)
    assert {each.name: _digest(each) for each in path.parent.glob("old.db*")} == before


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_what_was_written_last_is_read_from_the_log_too(
    old_store: Callable[..., Path], take_in: Import
) -> None:
    path = old_store("PRAGMA journal_mode = WAL;", SCHEMA)
    with closing(sqlite3.connect(path)) as writer:
        writer.executescript(BUSINESS)
        assert counts(await take_in(path)) == (1, 0, 0, 0, 0, 0)


async def test_a_dry_run_says_the_same(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    path = old_store(SCHEMA, BUSINESS, SITE, ORPHANS)
    rehearsed = await take_in(path, dry_run=True)
    assert await everything(db) == [0, 0, 0, 0, 0]
    assert counts(rehearsed) == counts(await take_in(path))
    assert counts(await take_in(path, dry_run=True)) == counts(await take_in(path))


async def test_an_old_store_is_taken_back_with_its_sites_and_their_files(
    db: Database,
    old_store: Callable[..., Path],
    take_in: Import,
    settings: Settings,
    now: datetime,
) -> None:
    path = old_store(SCHEMA, BUSINESS, SITE, ORPHANS)
    result = await take_in(path)
    undone = await undo(db, result.batch or 0, settings=settings, now=now)
    assert (undone.deleted, undone.left) == (1, [])
    assert await everything(db) == [0, 0, 0, 0, 0]
    assert not files.page_path(db.site_folder, "acme-plumbing").parent.exists()
    assert counts(await take_in(path)) == (1, 0, 0, 0, 1, 2)


async def test_what_was_repaired_stays_when_the_import_is_taken_back(
    db: Database,
    old_store: Callable[..., Path],
    take_in: Import,
    settings: Settings,
    now: datetime,
) -> None:
    result = await take_in(old_store(SCHEMA, BUSINESS, ORPHANS))
    async with db.read() as session:
        orphan = await session.scalar(select(Unmatched.id).order_by(Unmatched.id))
    assert orphan is not None
    await repair.accept(db, orphan, settings=settings, now=now)
    await undo(db, result.batch or 0, settings=settings, now=now)
    async with db.read() as session:
        assert list(await session.scalars(select(Business.name))) == ["Lost & Found Cafe"]
        assert list(await session.scalars(select(Unmatched.state))) == [UnmatchedState.CREATED]


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        ("CREATE TABLE songs (id)", "without the tables “businesses” and “sites”"),
        ("CREATE VIEW businesses AS SELECT 1 AS id, 'x' AS name", "without the tables"),
        ("CREATE TABLE businesses (id)", "has no column “name”"),
        ("CREATE TABLE businesses (id, name)", "holds no leads"),
    ],
)
async def test_what_is_no_old_store_is_refused(
    db: Database,
    old_store: Callable[..., Path],
    take_in: Import,
    statements: str,
    sentence: str,
) -> None:
    with pytest.raises(BadInput, match=sentence):
        await take_in(old_store(statements))
    assert await everything(db) == [0, 0, 0, 0, 0]


async def test_a_store_of_ours_is_refused(take_in: Import, empty_store: Path) -> None:
    with pytest.raises(BadInput, match="is a store of crm-tui itself"):
        await take_in(empty_store)


async def test_a_damaged_file_is_refused_and_leaves_nothing(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    many = "".join(
        f"INSERT INTO businesses (id, name, city) VALUES ({i}, 'Lead {i}', '{'x' * 300}');"
        for i in range(1, 2000)
    )
    path = old_store(SCHEMA, many)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="cannot be read as an SQLite file"):
        await take_in(path)
    assert await everything(db) == [0, 0, 0, 0, 0]


async def test_odd_values_are_kept_as_json(
    db: Database, old_store: Callable[..., Path], take_in: Import
) -> None:
    path = old_store(
        "CREATE TABLE businesses (id, name, blob, huge, number);"
        "INSERT INTO businesses VALUES ('x', 'Acme', x'41ff', 9e999, 1.5);"
    )
    await take_in(path)
    async with db.read() as session:
        raw = await session.scalar(select(RawRecord.payload))
    assert raw == {"id": "x", "name": "Acme", "blob": "A\ufffd", "huge": None, "number": 1.5}
