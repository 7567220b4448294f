from __future__ import annotations

import asyncio
import csv
import json
from array import array
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, BusinessAlias, BusinessTag, ContactPoint, Tag, Task
from crm_tui.errors import BadInput, Cancelled
from crm_tui.services import export, timeline
from crm_tui.services.export import ExportFormat
from crm_tui.services.imports import cells
from crm_tui.services.imports.captured import CapturedCall, CapturedLead, ReadOptions
from crm_tui.services.imports.reading import read
from crm_tui.services.imports.sniff import sniff
from crm_tui.services.lead_query import LeadQuery
from crm_tui.vocabulary import AliasKind, CallOutcome, ContactKind, ContactState, ContactStatus

if TYPE_CHECKING:
    from tests.conftest import AddLead

ALL = LeadQuery()
FORMS: tuple[ExportFormat, ...] = ("csv", "json")


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def read_back(path: Path) -> list[CapturedLead]:
    with sniff(path) as source:
        assert source.format == "crm-tui"
        found = list(read(source, ReadOptions()))
    assert all(isinstance(lead, CapturedLead) for lead in found), found
    return [lead for lead in found if isinstance(lead, CapturedLead)]


@pytest.fixture
async def rich_lead(db: Database, add_lead: AddLead, now: datetime) -> int:
    """A lead with everything that an export can hold."""
    lead = await add_lead(
        '=Ace, "Sons" & Café',
        category="Plumber",
        phone="518-555-0100",
        email="joe@ace.example",
        website="https://ace.example/",
        street="1 Main St",
        city="Albany",
        region="NY",
        postal_code="01220",
        country="US",
        timezone="America/New_York",
    )
    async with db.write() as session:
        await timeline.add_note(session, lead, "First note.\nTwo lines.", now=now)
        await timeline.add_note(session, lead, "-Second note", now=now)
        at = now - timedelta(days=2)
        await timeline.log_call(session, lead, CallOutcome.NO, note="=No\nthanks", at=at, now=now)
        await session.execute(
            update(Business)
            .where(Business.id == lead)
            .values(
                rating=4.5,
                review_count=12,
                photo_count=3,
                latitude=42.65,
                longitude=-73.75,
                place_id="ChIJ1",
                hours={"mon": [["09:00", "17:00"]], "sun": []},
                custom={"price_range": "$", "Shoe size": [43, None]},
                do_not_contact=True,
                do_not_contact_reason="asked us to stop",
            )
        )
        points = (
            (ContactKind.EMAIL, "ann@gmail.com", "Ann", "Owner", None, ContactState.BOUNCED),
            (ContactKind.PHONE, "+15185550101", None, None, "ext. 5", ContactState.UNKNOWN),
            (ContactKind.PHONE, "518", None, None, None, ContactState.INVALID),
            (
                ContactKind.SOCIAL,
                "https://facebook.com/ace",
                None,
                None,
                None,
                ContactState.UNKNOWN,
            ),
        )
        for kind, value, person, title, label, state in points:
            await session.execute(
                insert(ContactPoint).values(
                    business_id=lead,
                    kind=kind,
                    value=value,
                    person=person,
                    title=title,
                    label=label,
                    state=state,
                    created_at=now,
                )
            )
        for id_, name in ((1, "hot"), (2, "a, b")):
            await session.execute(insert(Tag).values(id=id_, name=name, folded=name))
            await session.execute(
                insert(BusinessTag).values(business_id=lead, tag_id=id_, created_at=now)
            )
        for days, what in ((9, "later"), (3, "Call Joe")):
            await session.execute(
                insert(Task).values(
                    business_id=lead, what=what, due_at=now + timedelta(days=days), created_at=now
                )
            )
        await session.execute(
            insert(BusinessAlias).values(
                business_id=lead, kind=AliasKind.GOOGLE_ID, value="0x1:0x2"
            )
        )
    return lead


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lossless", [False, True])
async def test_everything_an_import_can_take_back_is_in_the_file(
    db: Database, rich_lead: int, form: ExportFormat, lossless: bool, tmp_path: Path, now: datetime
) -> None:
    target = tmp_path / f"leads.{form}"
    done = await export.export_leads(db, ALL, form=form, target=target, lossless=lossless, now=now)
    assert (done.written, done.path) == (1, target)
    (lead,) = read_back(target)
    assert (lead.name, lead.category) == ('=Ace, "Sons" & Café', "Plumber")
    assert (lead.street, lead.city, lead.region) == ("1 Main St", "Albany", "NY")
    assert (lead.postal_code, lead.country) == ("01220", "US")
    assert (lead.rating, lead.review_count, lead.photo_count) == (4.5, 12, 3)
    assert (lead.latitude, lead.longitude) == (42.65, -73.75)
    assert (lead.place_id, lead.google_id) == ("ChIJ1", "0x1:0x2")
    assert lead.hours == {"mon": [["09:00", "17:00"]], "sun": []}
    assert lead.custom == {"price_range": "$", "Shoe size": [43, None]}
    assert lead.notes == ("First note.\nTwo lines.", "-Second note")
    assert lead.calls == (CapturedCall(now - timedelta(days=2), CallOutcome.NO, "=No\nthanks"),)
    assert lead.tags == ("a, b", "hot")
    assert lead.status is ContactStatus.REPLIED
    assert (lead.outcome, lead.outcome_reason) == ("lost", "said no")
    assert lead.last_contacted == now - timedelta(days=2)
    assert lead.do_not_contact == "asked us to stop"
    assert (lead.follow_up, lead.follow_up_note) == (now + timedelta(days=3), "Call Joe")
    assert lead.created_at == now
    assert lead.key is not None
    assert lead.warnings == ()
    assert {
        (p.kind, p.value, p.person, p.title, p.label, p.valid, p.state) for p in lead.points
    } == {
        ("phone", "+15185550100", "", "", "", True, None),
        ("phone", "+15185550101", "", "", "ext. 5", True, None),
        ("phone", "518", "", "", "", False, "invalid"),
        ("email", "joe@ace.example", "", "", "", True, None),
        ("email", "ann@gmail.com", "Ann", "Owner", "", True, "bounced"),
        ("website", "https://ace.example/", "", "", "", True, None),
        ("social", "https://facebook.com/ace", "", "", "", True, None),
    }
    first_phone = next(p.value for p in lead.points if p.kind == "phone")
    assert first_phone == "+15185550100"


async def test_a_spreadsheet_runs_nothing_of_a_table(
    db: Database, rich_lead: int, tmp_path: Path, now: datetime
) -> None:
    target = tmp_path / "leads.csv"
    await export.export_leads(db, ALL, form="csv", target=target, now=now)
    with target.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["name"] == '\'=Ace, "Sons" & Café'
    assert row["phone"] == "+15185550100"
    assert row["longitude"] == "-73.75"
    await export.export_leads(db, ALL, form="csv", target=target, lossless=True, now=now)
    with target.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["name"] == '=Ace, "Sons" & Café'


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lossless", [False, True])
async def test_hostile_names_come_back_as_they_were(
    db: Database,
    add_lead: AddLead,
    form: ExportFormat,
    lossless: bool,
    tmp_path: Path,
    now: datetime,
) -> None:
    names = [
        '=HYPERLINK("http://x.example","y")', "+1+1", "-2+3", "@SUM(A1)", "'=x", "''=x", "'t Hoekje",
        "'quoted'", "%0A=1", "\x1b[31mred\x1b]52;c;aGk=\x07", "\u202eevil\u2066", "\ufeffBOM",
        "A" * 10_000, "👩‍👩‍👧‍👦 Plumbing 🇨🇾", "e\u0301\u0301", '"q","r"', "|=cmd",
    ]  # fmt: skip
    for name in names:
        await add_lead(name)
    target = tmp_path / f"leads.{form}"
    await export.export_leads(db, ALL, form=form, target=target, lossless=lossless, now=now)
    assert sorted(lead.name for lead in read_back(target)) == sorted(names)


async def test_what_a_person_changed_in_the_table_comes_first(
    db: Database, rich_lead: int, tmp_path: Path, now: datetime
) -> None:
    target = tmp_path / "leads.csv"
    await export.export_leads(db, ALL, form="csv", target=target, now=now)
    text = target.read_text()
    target.write_text(text.replace(",+15185550100,", ",(518) 555-0199,", 1))
    (lead,) = read_back(target)
    assert [p.value for p in lead.points if p.kind == "phone"][:2] == [
        "+15185550199",
        "+15185550100",
    ]


@pytest.mark.parametrize("form", FORMS)
async def test_only_the_leads_found_are_written_in_the_lists_order(
    db: Database, add_lead: AddLead, form: ExportFormat, tmp_path: Path, now: datetime
) -> None:
    for name in ("Best Plumbing", "Ace Plumbing", "Corner Cafe"):
        await add_lead(name)
    target = tmp_path / "leads"
    await export.export_leads(db, LeadQuery("plumb"), form=form, target=target, now=now)
    assert [lead.name for lead in read_back(target)] == ["Ace Plumbing", "Best Plumbing"]


@pytest.mark.parametrize("form", FORMS)
async def test_an_export_of_many_leads_is_written_in_pieces_and_whole(
    db: Database, settings: Settings, form: ExportFormat, tmp_path: Path, now: datetime
) -> None:
    async with db.write() as session:
        for at in range(1201):
            await session.execute(
                insert(Business).values(
                    key=f"00000000-0000-4000-8000-{at:012}",
                    name=f"Lead {at}",
                    sort_name=f"lead {at:04}",
                    source="test",
                    created_at=now,
                    captured_at=now,
                    updated_at=now,
                )
            )
    target = tmp_path / "leads"
    done = await export.export_leads(db, ALL, form=form, target=target, now=now)
    assert done.written == 1201
    assert [lead.name for lead in read_back(target)] == [f"Lead {at}" for at in range(1201)]


async def test_an_export_without_leads_is_a_whole_file_too(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    target = tmp_path / "leads.json"
    await export.export_leads(db, ALL, form="json", target=target, now=now)
    assert json.loads(target.read_text())["leads"] == []


async def test_a_folder_or_a_place_that_cannot_be_written_is_refused(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        await export.export_leads(db, ALL, form="csv", target=tmp_path, now=now)
    with pytest.raises(BadInput, match="cannot be written"):
        await export.export_leads(db, ALL, form="csv", target=tmp_path / "no" / "x.csv", now=now)


def hidden_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


async def test_a_cancelled_export_leaves_what_was_there(
    db: Database, rich_lead: int, tmp_path: Path, now: datetime
) -> None:
    target = tmp_path / "leads.csv"
    target.write_text("what was there")
    work = asyncio.ensure_future(export.export_leads(db, ALL, form="csv", target=target, now=now))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert target.read_text() == "what was there"
    assert hidden_in(tmp_path) == []


@given(st.text())
def test_the_guard_against_formulas_is_always_undone(cell: str) -> None:
    assert cells.unprotected(export.protected(cell)) == cell
    if export.protected(cell) == cell and cell[:1] in {"=", "@", "\t", "\r"}:
        pytest.fail("a formula was left unguarded")


async def test_an_export_of_these_leads_tells_how_far_it_is_and_leaves_nothing_when_stopped(
    db: Database, add_lead: AddLead, tmp_path: Path, now: datetime
) -> None:
    ids = array("q", [await add_lead(name) for name in ("Cy", "Bo", "Ada")][:2])
    told: list[tuple[int, int]] = []
    target = tmp_path / "leads.csv"
    done = await export.export_leads(
        db, ids, form="csv", target=target, now=now, progress=lambda *far: told.append(far)
    )
    assert (done.written, told) == (2, [(2, 2)])
    with pytest.raises(Cancelled):
        await export.export_leads(
            db, ids, form="json", target=target, now=now, cancelled=lambda: True
        )
    assert [name for name in names_in(tmp_path) if "leads" in name] == ["leads.csv"]
    assert target.read_text(encoding="utf-8").count("\n") == 3
