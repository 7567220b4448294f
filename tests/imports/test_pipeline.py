"""What an import does with each row, and that it does it once."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from array import array
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from crm_tui.config import ImportSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    ContactPoint,
    Event,
    ImportBatch,
    ImportRow,
    Site,
    Suppression,
    Task,
)
from crm_tui.errors import BadInput
from crm_tui.services import leads, statuses, timeline
from crm_tui.services.imports import batches
from crm_tui.services.imports.result import ImportResult, Progress
from crm_tui.services.imports.run import import_file
from crm_tui.services.imports.undo import undo
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import order
from crm_tui.vocabulary import (
    BatchState,
    ContactKind,
    ContactState,
    ContactStatus,
    EventKind,
    RowAction,
    SuppressionKind,
)
from tests.imports.conftest import as_csv

if TYPE_CHECKING:
    from tests.conftest import AddLead
    from tests.imports.conftest import ImportRows

ACME = {
    "Company": "Acme Plumbing",
    "Category": "Plumber",
    "Street": "211 Maple Ave",
    "City": "Saratoga Springs",
    "State": "NY",
    "Zip": "12866",
    "Country": "US",
    "Phone": "(518) 871-1647",
    "E-mail": "joe@acme-plumbing.com",
    "Website": "www.acme-plumbing.com",
}


def counts(result: ImportResult) -> tuple[int, int, int, int]:
    return result.created, result.merged, result.skipped, result.rejected


async def the_lead(db: Database, settings: Settings, now: datetime) -> leads.LeadPage:
    """The page of the only lead there is."""
    async with db.read() as session:
        (lead,) = await session.scalars(select(Business.id))
        return await leads.page(session, lead, settings=settings, now=now)


async def rows_of(db: Database, batch: int | None) -> list[tuple[RowAction, str]]:
    async with db.read() as session:
        assert batch is not None
        return [(row.action, row.reason) for row in await batches.rows_of(session, batch)]


async def kinds(db: Database) -> list[EventKind]:
    async with db.read() as session:
        return list(await session.scalars(select(Event.kind).order_by(Event.id)))


async def test_a_row_becomes_a_lead_with_all_that_it_says(
    db: Database, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    result = await import_rows(
        ACME
        | {
            "Rating": "4.5",
            "Reviews": "120",
            "Contact": "Joe Doe",
            "Notes": "asked for prices",
            "Tags": "hot, autumn",
            "Status": "called",
            "Last contacted": "2026-03-04",
            "Follow up": "2026-12-01",
            "Follow up note": "send the offer",
            "Mood": "friendly",
        }
    )
    assert counts(result) == (1, 0, 0, 0)
    lead = await the_lead(db, settings, now)
    business = lead.business
    assert (business["name"], business["city"], business["region"], business["postal_code"]) == (
        "Acme Plumbing",
        "Saratoga Springs",
        "NY",
        "12866",
    )
    assert (business["phone"], business["email"], business["website"]) == (
        "+15188711647",
        "joe@acme-plumbing.com",
        "https://www.acme-plumbing.com/",
    )
    assert business["contact_status"] is ContactStatus.CALLED
    assert business["custom"] == {"Mood": "friendly"}
    assert business["source"] == "csv"
    assert business["qualification_score"] == lead.score.total
    assert lead.tags == ("autumn", "hot")
    assert [(task.what, task.due_at) for task in lead.tasks] == [
        ("send the offer", datetime(2026, 12, 1, 9, tzinfo=UTC))
    ]
    assert {point.person for point in lead.points if point.kind is ContactKind.PHONE} == {"Joe Doe"}
    async with db.read() as session:
        told = [
            (entry.at, entry.kind, entry.summary, entry.source)
            for entry in await timeline.entries(session, business["id"])
        ]
        assert business["last_activity_at"] == now
    contacted = datetime(2026, 3, 4, tzinfo=UTC)
    assert sorted(told) == [
        (contacted, EventKind.NOTE, "note", "import"),
        (contacted, EventKind.STATUS_IMPORTED, "called, says list.csv", "import"),
        (now, EventKind.CAPTURED, "captured from list.csv", "import"),
        (now, EventKind.TASK_ADDED, "follow-up: send the offer", "import"),
    ]


async def test_importing_the_same_rows_again_adds_nothing(
    db: Database, import_rows: ImportRows
) -> None:
    rows = [
        ACME
        | {
            "Notes": "asked for prices",
            "Tags": "hot",
            "Status": "called",
            "Last contacted": "2026-03-04",
            "Do not contact": "yes",
            "Follow up": "2026-12-01",
        },
        {"Company": "Only a name", "Phone": "not a number"},
        {"Company": "Bobs Barber", "Phone": "518 555 0199", "Status": "replied"},
    ]
    first = await import_rows(*rows, tags=["autumn"])
    assert counts(first) == (3, 0, 0, 0)
    before = await kinds(db)
    again = await import_rows(*rows, tags=["autumn"])
    assert counts(again) == (0, 0, 3, 0)
    assert await kinds(db) == before
    async with db.read() as session:
        assert (await session.execute(select(func.count()).select_from(Task))).scalar_one() == 1


async def test_a_merge_fills_what_is_empty_and_overwrites_nothing(
    db: Database, add_lead: AddLead, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    await add_lead("Acme", phone="518 871 1647", category="Heating", email="owner@acme.com")
    result = await import_rows(ACME | {"Contact": "Joe Doe", "Rating": "4.5", "Tags": "hot"})
    assert counts(result) == (0, 1, 0, 0)
    lead = await the_lead(db, settings, now)
    assert (lead.business["name"], lead.business["category"]) == ("Acme", "Heating")
    assert (lead.business["city"], lead.business["rating"]) == ("Saratoga Springs", 4.5)
    assert lead.business["email"] == "owner@acme.com"
    assert lead.business["website"] == "https://www.acme-plumbing.com/"
    assert lead.business["qualification_score"] == lead.score.total
    emails = [(p.value, p.is_primary) for p in lead.points if p.kind is ContactKind.EMAIL]
    assert emails == [("owner@acme.com", True), ("joe@acme-plumbing.com", False)]
    assert [p.person for p in lead.points if p.kind is ContactKind.PHONE] == ["Joe Doe"]
    ((action, reason),) = await rows_of(db, result.batch)
    assert action is RowAction.MERGED
    assert reason.startswith("is #1 Acme: same phone; added rating, street, city, region")
    async with db.read() as session:
        filled = await session.scalar(select(ImportRow.filled))
        assert filled is not None
        assert filled["city"] == [None, "Saratoga Springs"]
        assert filled["phone:+15188711647:person"] == [None, "Joe Doe"]
        found = await order(db, LeadQuery("saratoga"))
    assert list(found) == [lead.business["id"]]


async def test_what_the_operator_emptied_stays_empty(
    db: Database, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    await import_rows(ACME)
    async with db.write() as session:
        await leads.edit(session, 1, {"email": "", "city": ""}, settings=settings, now=now)
    assert counts(await import_rows(ACME)) == (0, 0, 1, 0)
    business = (await the_lead(db, settings, now)).business
    assert (business["email"], business["city"]) == (None, None)


async def test_an_address_is_not_mixed_from_two_places(
    db: Database, add_lead: AddLead, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    await add_lead("Acme", phone="518 871 1647", city="Albany")
    await import_rows(ACME)
    business = (await the_lead(db, settings, now)).business
    assert (business["city"], business["street"], business["postal_code"]) == ("Albany", None, None)


async def test_rows_of_one_list_are_merged_as_rows_of_two_are(
    db: Database, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    result = await import_rows(
        {"Company": "Acme Plumbing", "Phone": "518-871-1647", "Status": "called"},
        ACME | {"Status": "replied", "Notes": "likes it"},
        ACME,
    )
    assert counts(result) == (1, 1, 1, 0)
    lead = await the_lead(db, settings, now)
    assert lead.business["city"] == "Saratoga Springs"
    assert lead.business["contact_status"] is ContactStatus.REPLIED
    async with db.read() as session:
        assert not await statuses.differing(session, await statuses.fold(session, [1]))


BARE = {"Company": "Acme Plumbing", "Zip": "12866"}


@pytest.mark.parametrize(
    "rows",
    [
        [{"Company": "Acme Plumbing"}],
        [BARE, BARE],
        [BARE, BARE | {"City": "Albany"}, BARE | {"Rating": "4.5"}],
        [
            ACME | {"Place id": "ChIJ-one"},
            ACME | {"Place id": ""},
            ACME | {"Place id": "ChIJ-two"},
            ACME | {"Company": "Best Heating", "Zip": "10001", "Phone": ""},
        ],
    ],
    ids=["a name alone", "equal rows", "nearly equal rows", "rows that share everything"],
)
async def test_a_list_imported_again_creates_nothing_whatever_its_rows_say(
    db: Database, import_rows: ImportRows, rows: list[dict[str, str]]
) -> None:
    first = await import_rows(*rows)
    async with db.read() as session:
        leads_before = await session.scalar(select(func.count()).select_from(Business))
    dry = await import_rows(*rows, dry_run=True)
    again = await import_rows(*rows)
    assert first.created == leads_before
    assert counts(again) == counts(dry) == (0, 0, len(rows), 0)


async def test_equal_rows_are_one_lead_though_no_key_joins_them(import_rows: ImportRows) -> None:
    assert counts(await import_rows(BARE, BARE, BARE | {"Rating": "4.5"})) == (1, 1, 1, 0)
    other = await import_rows(BARE | {"Street": "1 Main St"})
    assert counts(other) == (1, 0, 0, 0)


async def test_an_import_taken_back_forgets_its_rows(
    db: Database, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    first = await import_rows(BARE)
    assert first.batch is not None
    await undo(db, first.batch, settings=settings, now=now)
    assert counts(await import_rows(BARE)) == (1, 0, 0, 0)


async def test_what_only_looks_like_a_lead_is_created_and_its_reason_says_so(
    db: Database, import_rows: ImportRows
) -> None:
    await import_rows({"Company": "Acme Plumbing", "Zip": "12866", "Phone": "518-871-1647"})
    result = await import_rows({"Company": "ACME plumbing", "Zip": "12866"})
    assert counts(result) == (1, 0, 0, 0)
    assert await rows_of(db, result.batch) == [
        (RowAction.CREATED, "looks like #1 Acme Plumbing: same name and postcode")
    ]
    assert result.problems == []


async def test_what_cannot_be_read_is_kept_reported_and_never_the_primary(
    db: Database, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    result = await import_rows(ACME | {"Phone": "call me", "Rating": "great"})
    assert [problem.row for problem in result.problems] == [1]
    assert "call me" in result.problems[0].reason
    lead = await the_lead(db, settings, now)
    assert lead.business["phone"] is None
    phones = [p for p in lead.points if p.kind is ContactKind.PHONE]
    assert [(p.value, p.state, p.is_primary) for p in phones] == [
        ("call me", ContactState.INVALID, False)
    ]
    again = await import_rows(ACME | {"Phone": "518-871-1647"})
    assert counts(again) == (0, 1, 0, 0)
    assert (await the_lead(db, settings, now)).business["phone"] == "+15188711647"


async def test_a_status_never_goes_back(
    db: Database, add_lead: AddLead, import_rows: ImportRows, now: datetime
) -> None:
    lead = await add_lead("Acme", phone="518 871 1647")
    async with db.write() as session:
        await timeline.set_status(session, lead, ContactStatus.REPLIED, now=now)
    result = await import_rows({"Company": "Acme", "Phone": "518 871 1647", "Status": "called"})
    assert counts(result) == (0, 0, 1, 0)
    result = await import_rows({"Company": "Acme", "Phone": "518 871 1647", "Status": "customer"})
    assert counts(result) == (0, 1, 0, 0)
    async with db.read() as session:
        assert await session.scalar(select(Business.contact_status)) is ContactStatus.PURCHASED


async def test_who_must_not_be_contacted_is_barred_with_every_address(
    db: Database, add_lead: AddLead, import_rows: ImportRows
) -> None:
    lead = await add_lead("Acme", phone="518 871 1647")
    result = await import_rows(ACME | {"Do not contact": "asked us to stop"})
    assert counts(result) == (0, 1, 0, 0)
    async with db.read() as session:
        business = await session.get(Business, lead)
        assert business is not None
        assert (business.do_not_contact, business.do_not_contact_reason) == (
            True,
            "asked us to stop",
        )
        barred = await session.execute(select(Suppression.kind, Suppression.value))
        assert {tuple(row) for row in barred} == {
            (SuppressionKind.BUSINESS, business.key),
            (SuppressionKind.PHONE, "+15188711647"),
            (SuppressionKind.EMAIL, "joe@acme-plumbing.com"),
        }
    assert EventKind.DO_NOT_CONTACT in await kinds(db)


async def test_a_note_the_operator_wrote_is_not_repeated(
    db: Database, add_lead: AddLead, import_rows: ImportRows, now: datetime
) -> None:
    lead = await add_lead("Acme", phone="518 871 1647")
    async with db.write() as session:
        await timeline.add_note(session, lead, "asked for prices", now=now)
    row = {"Company": "Acme", "Phone": "518 871 1647", "Notes": "asked for prices"}
    assert counts(await import_rows(row)) == (0, 0, 1, 0)


async def test_a_merge_with_other_facts_leaves_the_site_out_of_date(
    db: Database, add_lead: AddLead, import_rows: ImportRows, now: datetime
) -> None:
    lead = await add_lead("Acme", phone="518 871 1647")
    async with db.write() as session:
        session.add(
            Site(
                business_id=lead,
                slug="acme",
                theme="trades",
                content_hash="c",
                facts_hash="f",
                created_at=now,
                built_at=now,
                html="<p>",
            )
        )
    await import_rows(ACME)
    async with db.read() as session:
        assert await session.scalar(select(Site.out_of_date)) is True


async def test_the_region_of_phones_is_the_rows_then_the_one_asked_for_then_the_setting(
    db: Database, import_rows: ImportRows, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    await import_rows({"Company": "A", "Phone": "020 7946 0018", "Country": "GB"}, region="CY")
    await import_rows({"Company": "B", "Phone": "22 123456"}, region="cy")
    german = Settings(imports=ImportSettings(default_region="DE"))
    path = tmp_path / "german.csv"
    path.write_text("Firma,Telefon\nC,0221 9120100\n")
    await import_file(db, path, settings=german, now=now)
    async with db.read() as session:
        phones = await session.scalars(select(Business.phone).order_by(Business.id))
        assert list(phones) == ["+442079460018", "+35722123456", "+492219120100"]


async def test_a_mapping_is_kept_for_the_next_list_with_the_same_columns(
    db: Database, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("Betriebsstaette,Fon\nAcme,518-871-1647\n")
    await import_file(
        db, path, settings=settings, now=now, mapping={"betriebsstaette": "name", "Fon": "phone"}
    )
    path.write_text("FON,Betriebsstaette\n518-871-1648,Zed\n")
    result = await import_file(db, path, settings=settings, now=now)
    assert counts(result) == (1, 0, 0, 0)
    async with db.read() as session:
        found = await session.execute(select(Business.name, Business.phone).order_by(Business.id))
        assert [tuple(row) for row in found] == [("Acme", "+15188711647"), ("Zed", "+15188711648")]


async def test_bad_rows_are_rejected_alone_with_their_numbers(
    db: Database, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(b"Company,Phone\nAcme,518-871-1647\nNul\0,1\nA,B,C,D\n,\nZed,518-871-1648\n")
    result = await import_file(db, path, settings=settings, now=now)
    assert counts(result) == (2, 0, 0, 2)
    assert result.seen == 4
    assert [problem.row for problem in result.problems] == [2, 3]
    assert [row[0] for row in await rows_of(db, result.batch)] == [
        RowAction.CREATED,
        RowAction.REJECTED,
        RowAction.REJECTED,
        RowAction.CREATED,
    ]


async def test_a_file_that_breaks_off_leaves_nothing(
    db: Database, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    records = [
        f'{{"name": "Acme {i}", "place_id": "P{i}", "google_id": "0x{i}", "full_address": '
        f'"1 Main St", "working_hours": null, "reviews_link": ""}}'
        for i in range(600)
    ]
    path = tmp_path / "cut.json"
    path.write_text("[" + ",".join(records) + ', {"name": ]}]')
    with pytest.raises(BadInput, match=r"cut\.json.*What was imported before it was taken back\."):
        await import_file(db, path, settings=settings, now=now)
    async with db.read() as session:
        for model in (Business, ContactPoint, Event):
            assert await session.scalar(select(func.count()).select_from(model)) == 0
        assert list(await session.scalars(select(ImportBatch.state))) == [BatchState.UNDONE]


async def test_a_file_without_leads_is_refused_and_leaves_no_batch(
    db: Database, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "blank.csv"
    path.write_text("Company,Phone\n,\n,\n")
    with pytest.raises(BadInput, match="holds no leads"):
        await import_file(db, path, settings=settings, now=now)
    async with db.read() as session:
        assert await batches.all_batches(session) == []


async def test_what_was_imported_before_it_was_cancelled_stays(
    db: Database, import_rows: ImportRows
) -> None:
    seen: list[Progress] = []
    rows = [{"Company": f"Lead {i}", "Phone": f"518 871 {i:04}"} for i in range(1000, 3000)]
    result = await import_rows(*rows, progress=seen.append, cancelled=lambda: len(seen) == 2)
    assert result.cancelled
    assert 0 < result.created < 2000
    assert seen[-1].records == result.created
    assert 0 < seen[-1].position <= seen[-1].size
    async with db.read() as session:
        (batch,) = await batches.all_batches(session)
        stored = await session.scalar(select(func.count()).select_from(Business))
    assert (batch.state, batch.created) == (BatchState.CANCELLED, result.created)
    assert stored == result.created


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    db: Database, store_path: Path, import_rows: ImportRows
) -> None:
    await import_rows(ACME, {"Company": "Zed", "Zip": "12866"})
    before = dump(store_path)
    rows = [
        ACME | {"Rating": "4.5", "Tags": "hot"},
        ACME | {"Rating": "4.5", "Tags": "hot"},
        {"Company": "New", "Phone": "518-871-1699", "Notes": "hello"},
        {"Company": "New", "Phone": "518-871-1699", "Notes": "hello again"},
        {"Company": "Zed", "Zip": "12866"},
    ]
    rehearsed = await import_rows(*rows, dry_run=True, tags=["batch"])
    assert rehearsed.batch is None
    assert dump(store_path) == before
    real = await import_rows(*rows, tags=["batch"])
    assert counts(rehearsed) == counts(real) == (1, 3, 1, 0)


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything a store holds."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search_index%'"
        ).fetchall()
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for (name,) in tables
        }


async def test_two_imports_of_one_list_at_once_make_each_lead_once(
    db: Database, store_path: Path, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    rows = [{"Company": f"Lead {i}", "Phone": f"518 871 {i}"} for i in range(1000, 2500)]
    path.write_text(as_csv(rows))
    other = Database(store_path)
    try:
        results = await asyncio.gather(
            import_file(db, path, settings=settings, now=now),
            import_file(db, path, settings=settings, now=now),
            import_file(other, path, settings=settings, now=now),
        )
    finally:
        await other.close()
    assert sum(result.created for result in results) == len(rows)
    assert sum(result.skipped for result in results) == 2 * len(rows)
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Business)) == len(rows)


async def test_a_file_name_that_is_no_text_is_imported_all_the_same(
    db: Database, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"l\xffst.csv")
    path.write_text("Company,Phone\nAcme,518-871-1647\n")
    tag = os.fsdecode(b"h\xf6t")
    result = await import_file(db, path, settings=settings, now=now, tags=[tag, " ", ""])
    assert (result.created, result.file_name) == (1, "l\ufffdst.csv")
    lead = await the_lead(db, settings, now)
    assert lead.tags == ("h\ufffdt",)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("hello@yoursite.com", "a placeholder, not somebody's address"),
        ("user@domain.com", "a placeholder, not somebody's address"),
        ("abc123@sentry.io", "left in the page by its tools, not the business's address"),
        ("not an address", "not an e-mail address"),
        ("joe@@acme..com", "the part after @ is not a domain"),
    ],
)
async def test_what_is_nobodys_address_stays_on_the_lead_with_the_reason_and_counts_for_nothing(
    db: Database,
    import_rows: ImportRows,
    settings: Settings,
    now: datetime,
    written: str,
    reason: str,
) -> None:
    result = await import_rows({"Company": "Acme", "E-mail": written})
    lead = await the_lead(db, settings, now)
    (point,) = lead.points
    assert (point.value, point.state, point.state_reason, point.is_primary) == (
        written,
        ContactState.INVALID,
        reason,
        False,
    )
    assert lead.business["email"] is None
    assert next(each for each in lead.score.factors if each.factor == "email").points == 0
    assert await order(db, LeadQuery("has:email")) == array("q")
    ((_, said),) = await rows_of(db, result.batch)
    assert said == f"e-mail “{written}”: {reason}"


async def test_a_file_among_the_addresses_is_none_and_is_said(
    db: Database, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    result = await import_rows({"Company": "Acme", "E-mail": "logo@2x.png"})
    assert (await the_lead(db, settings, now)).points == ()
    ((_, said),) = await rows_of(db, result.batch)
    assert said == "e-mail “logo@2x.png”: the name of a file, not an e-mail address"


async def test_nobodys_address_leads_no_list_to_a_lead_and_a_wrong_one_still_does(
    db: Database, import_rows: ImportRows, now: datetime
) -> None:
    rows = [
        {"Company": "Acme", "E-mail": "user@domain.com", "Zip": "12866"},
        {"Company": "Acme", "E-mail": "joe@acme-plumbing.com", "Zip": "11111"},
    ]
    await import_rows(*rows)
    async with db.write() as session:
        await session.execute(update(ContactPoint).values(state=ContactState.INVALID))
    again = [row | {"City": "Troy"} for row in rows]
    assert counts(await import_rows(*again, name="again.csv")) == (1, 1, 0, 0)
