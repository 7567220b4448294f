from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    BusinessAlias,
    Campaign,
    ContactPoint,
    Distinct,
    DomainCheck,
    ErasedKey,
    Event,
    ImportRow,
    Message,
    RawRecord,
    Site,
    Suppression,
    Task,
    UndoEntry,
    Unmatched,
    WorkerLog,
)
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import (
    backup,
    doctor,
    erase,
    leads,
    never,
    suppression,
    tasks,
    timeline,
    undo,
)
from crm_tui.services.erase import scrubbing
from crm_tui.services.imports.run import import_file
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import count
from crm_tui.session import Draft, Session
from crm_tui.vocabulary import CallOutcome, CampaignState, ContactStatus, MessageState, RowAction
from tests.queue_rows import add_campaign, mark_sent, messages

if TYPE_CHECKING:
    from tests.merging.conftest import Work

NAME, OLD_NAME, MERGED = "Zephyrine Quillfeather", "Zephyrina Quill", "Quillfeather Twin"
PHONE, MAIL, STREET = "718 555 0142", "zephyrine@quillfeather.com", "77 Umbrella Lane"
NEEDLES = (
    "quillf", "zephyrin", "umbrella lane", "5550142", "5550143", "555-0142", "718 555 0142",
    "boilerplate secret", "11416-1234",
)  # fmt: skip


def left_in_files(store: Path, needles: tuple[str, ...] = NEEDLES) -> dict[str, list[str]]:
    """Which needles stand in which of the store's files."""
    files = [p for p in store.parent.rglob(f"{store.name}*") if p.is_file()]
    files += [p for p in (store.parent / f"{store.name}.sites").rglob("*") if p.is_file()]
    found = {}
    for path in files:
        content = path.read_bytes().lower()
        names = [needle for needle in needles if needle.encode() in content]
        if names:
            found[path.name] = names
    return found


def write_list(path: Path, *rows: dict[str, str]) -> Path:
    fields = sorted({field for row in rows for field in row})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
async def lead(work: Work, db: Database, settings: Settings, tmp_path: Path) -> int:
    """A lead with traces of itself everywhere."""
    row = {
        "name": OLD_NAME, "phone": PHONE, "email": MAIL, "street": STREET, "city": "Queens",
        "zip": "11416-1234", "website": "https://www.quillfeather.com", "notes": "boilerplate secret",
    }  # fmt: skip
    await import_file(db, write_list(tmp_path / "a.csv", row), settings=settings, now=work.now)
    other = await work.add("Somebody Else")
    async with db.read() as session:
        lead = (await session.execute(select(Business.id).order_by(Business.id))).scalars().first()
    assert lead is not None
    await work.edit(lead, name=NAME)
    merged = await work.add(MERGED, phone="718 555 0143")
    await work.merge(lead, merged)
    await work.call(lead, CallOutcome.TALKED)
    await work.note(lead, f"{NAME} told a boilerplate secret")
    apart = await work.add("Apart")
    await work.merge(apart, other)
    async with undo.action(db, f"set a follow-up with {NAME}", now=work.tick()) as session:
        await tasks.add(session, lead, f"call {NAME}", work.now, now=work.now)
    async with undo.action(db, f"never {NAME}", now=work.tick()) as session:
        await never.never(session, [lead, apart], "asked us to stop", now=work.now)
    async with db.write() as session:
        await session.execute(
            insert(Site).values(
                business_id=lead, slug="zephyrine-quillfeather", theme="imported",
                content_hash="x", html=f"<p>{NAME}", created_at=work.now, built_at=work.now,
            )
        )  # fmt: skip
        await session.execute(
            insert(BusinessAlias).values(business_id=lead, kind="legacy", value="leads:7")
        )
        await session.execute(
            insert(RawRecord).values(
                source="legacy", external_id="leads:7", received_at=work.now, payload={"n": NAME}
            )
        )
        await session.execute(
            insert(Unmatched).values(
                key="legacy:sites:1", kind="site", title="A page", reason="its lead is unknown",
                created_at=work.now, payload={"html": f"<p>{MAIL}</p>"},
            )
        )  # fmt: skip
        await session.execute(insert(Distinct).values(low_id=lead, high_id=apart, said_at=work.now))
    await mailed(work, lead)
    page = db.site_folder / "zephyrine-quillfeather" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(NAME)
    kept = Session.load(db.path)
    kept.keep(Draft("business.note", lead, f"Note about {NAME}", {"text": NAME}, work.now))
    kept.save()
    return lead


async def mailed(work: Work, lead: int) -> None:
    """Mails to the lead and answers of it, and what the worker wrote down about them."""
    db = work.db
    campaign = await add_campaign(db, [lead], now=work.now, steps=2)
    await mark_sent(db, campaign, lead, 1, work.now)
    await suppression.add(
        db, suppression.Entry(suppression.read_value("quillfeather.com", region="US"), "asked"),
        now=work.tick(),
    )  # fmt: skip
    async with db.write() as session:
        session.add(
            Message(
                business_id=lead, origin_id=lead, key="single", message_id="<single@us.example>",
                token="single", address=MAIL, person=NAME, state=MessageState.UNCERTAIN,
                reason=f"the server said {MAIL} may have it", subject=f"For {NAME}",
                headers={"In-Reply-To": f"<1@{MAIL}>"}, body=f"Dear {NAME}", html=f"<p>{NAME}",
                created_at=work.now,
            )
        )  # fmt: skip
        await session.execute(
            update(Message)
            .where(Message.campaign_id == campaign)
            .values(subject=NAME, body=f"Hello {NAME}", html=f"<b>{NAME}", provider_id=MAIL)
            .execution_options(synchronize_session=None)
        )
        raw = RawRecord(
            source="mailbox", external_id="1", received_at=work.now, applied_at=work.now,
            business_id=lead, payload={"sender": MAIL},
        )  # fmt: skip
        waiting = RawRecord(
            source="mailbox",
            external_id="2",
            received_at=work.now,
            payload={"sender": MAIL.upper()},
        )
        unread = RawRecord(
            source="mailgun:studio.example", external_id="4", received_at=work.now,
            applied_at=work.now, problem="it cannot be read: it has no time",
            payload={"recipient": MAIL},
        )  # fmt: skip
        nobodys = RawRecord(
            source="mailbox", external_id="3", received_at=work.now, applied_at=work.now,
            payload={"name": NAME},
        )  # fmt: skip
        session.add_all([raw, waiting, unread, nobodys])
        await session.flush()
        session.add(
            Unmatched(
                key="mailbox:3", kind="reply", title=NAME, reason="several leads have it",
                raw_id=nobodys.id, created_at=work.now, payload={"from": MAIL, "text": "secret"},
            )
        )  # fmt: skip
        session.add(WorkerLog(at=work.now, words=f"{MAIL}: 550 no such user", is_problem=True))
        session.add(DomainCheck(domain="quillfeather.com", words="", checked_at=work.now))


async def erased(work: Work, lead: int) -> erase.Erasure:
    return await erase.erase(work.db, lead, settings=work.settings, now=work.tick())


async def test_nothing_personal_is_left_in_any_file_of_the_store(
    work: Work, db: Database, lead: int, store_path: Path
) -> None:
    assert left_in_files(store_path)
    result = await erased(work, lead)
    assert result.problems == []
    await db.close()
    assert left_in_files(store_path) == {}
    assert not (db.site_folder / "zephyrine-quillfeather").exists()


async def test_the_row_and_bare_events_stay_so_that_figures_keep_their_counts(
    work: Work, db: Database, lead: int
) -> None:
    async with db.read() as session:
        events = (await session.execute(select(func.count()).select_from(Event))).scalar_one()
        status = await session.scalar(select(Business.contact_status).where(Business.id == lead))
    await erased(work, lead)
    async with db.read() as session:
        row = (await session.execute(select(Business).where(Business.id == lead))).scalar_one()
        assert (row.name, row.city, row.phone, row.email) == ("erased", "Queens", None, None)
        assert row.erased_at == row.archived_at == work.now
        assert (row.contact_status, status) == (ContactStatus.REPLIED, ContactStatus.REPLIED)
        after = (await session.execute(select(func.count()).select_from(Event))).scalar_one()
        assert after == events + 1
        assert (await timeline.entries(session, lead))[0].summary == "erased on request"
        for model in (
            ContactPoint,
            Task,
            Site,
            RawRecord,
            Unmatched,
            Distinct,
            WorkerLog,
            DomainCheck,
        ):
            assert list(await session.scalars(select(model))) == [], model
        for words in ("zephyrine", "quillfeather", "7185550142", "boilerplate", "umbrella"):
            assert await count(session, LeadQuery(words)) == 0


async def test_of_its_mails_stays_that_they_were_sent_and_nothing_waits_any_more(
    work: Work, db: Database, lead: int
) -> None:
    await erased(work, lead)
    states = await messages(db, 1)
    assert states[lead, 1] == ("sent", None)
    assert states[lead, 2][0] in {"skipped", "canceled"}
    async with db.read() as session:
        single = await session.scalar(select(Message.state).where(Message.key == "single"))
        assert single is MessageState.CANCELED
        assert await session.scalar(select(Campaign.state)) is CampaignState.FINISHED


async def test_what_other_leads_have_stays(work: Work, db: Database, lead: int) -> None:
    async with db.read() as session:
        apart = await session.scalar(select(Business.id).where(Business.name == "Apart"))
    assert apart is not None
    await work.edit(apart, phone="718 555 0177")
    await erased(work, lead)
    async with db.read() as session:
        assert list(await session.scalars(select(ContactPoint.value))) == ["+17185550177"]
        assert len(list(await session.scalars(select(Suppression.value)))) == 1
        words = list(await session.scalars(select(UndoEntry.words).order_by(UndoEntry.id)))
    assert words[-2:] == ["never an erased lead", f"edited {apart}"]
    assert (await work.split(apart)).left == []
    for _ in range(3):
        assert not (await work.take_back()).left


async def test_a_list_does_not_bring_the_erased_back(
    work: Work, db: Database, lead: int, settings: Settings, tmp_path: Path
) -> None:
    await erased(work, lead)
    rows = [
        {"name": NAME, "phone": "(718) 555-0142"},
        {"name": MERGED, "phone": "718-555-0143"},
        {"name": "Under another name", "email": MAIL.upper()},
        {"name": f"{OLD_NAME} LLC", "website": "quillfeather.com/about"},
        {"name": "At the same place", "website": "quillfeather.com", "zip": "11416"},
        {"name": OLD_NAME, "zip": "11416-1234"},
        {"name": "Another branch", "website": "quillfeather.com", "zip": "10451"},
        {"name": "Nobody", "phone": "718 555 0199"},
    ]
    path = write_list(tmp_path / "again.csv", *rows)
    dry = await import_file(db, path, settings=settings, now=work.tick(), dry_run=True)
    result = await import_file(db, path, settings=settings, now=work.tick())
    assert (result.skipped, result.created) == (dry.skipped, dry.created) == (6, 2)
    async with db.read() as session:
        found = await session.execute(
            select(ImportRow.name, ImportRow.reason).where(
                ImportRow.batch_id == result.batch, ImportRow.action == RowAction.SKIPPED
            )
        )
        assert {tuple(row) for row in found} == {(None, "erased on request")}


async def test_a_place_id_tells_the_erased_from_another_of_that_name(
    work: Work, db: Database, settings: Settings, tmp_path: Path
) -> None:
    lead = await work.add("Chain", postal_code="11416", website="chain.com")
    async with db.write() as session:
        await session.execute(update(Business).values(place_id="ChIJ-one"))
    await erased(work, lead)
    rows = [
        {"name": "Chain", "zip": "11416", "website": "chain.com", "place_id": "ChIJ-two"},
        {"name": "Renamed", "place_id": "ChIJ-one"},
        {"name": "Chain", "zip": "11416"},
    ]
    path = write_list(tmp_path / "again.csv", *[{"place_id": "", **row} for row in rows])
    result = await import_file(
        db, path, settings=settings, now=work.tick(), mapping={"place_id": "place_id"}
    )
    assert (result.created, result.skipped) == (1, 2)


async def test_a_row_that_is_somebody_who_is_there_is_not_skipped(
    work: Work, db: Database, settings: Settings, tmp_path: Path
) -> None:
    lead, other = [await work.add(name, phone=PHONE) for name in ("Ada", "Bea")]
    await erased(work, lead)
    path = write_list(tmp_path / "again.csv", {"name": "Bea", "phone": PHONE, "category": "Cafe"})
    result = await import_file(db, path, settings=settings, now=work.tick())
    assert (result.merged, result.skipped) == (1, 0)
    async with db.read() as session:
        assert await session.scalar(select(Business.phone).where(Business.id == other)) is not None


async def test_typing_an_erased_phone_is_refused_until_it_is_meant(
    work: Work, db: Database, lead: int, settings: Settings
) -> None:
    await erased(work, lead)
    other = await work.add("Other")
    with pytest.raises(BadInput, match=r"erased on request.*--duplicate"):
        async with db.write() as session:
            await leads.add(session, {"name": "X", "phone": PHONE}, settings=settings, now=work.now)
    with pytest.raises(BadInput, match="belongs to somebody"):
        await work.edit(other, email=MAIL)
    async with db.write() as session:
        await leads.edit(
            session, other, {"phone": PHONE}, settings=settings, now=work.now, duplicate=True
        )
        with pytest.raises(NotFound, match="was erased"):
            await leads.edit(session, lead, {"name": "Back"}, settings=settings, now=work.now)


async def test_the_question_beforehand_says_what_goes_and_changes_nothing(
    work: Work, db: Database, lead: int, store_path: Path
) -> None:
    backup.make_backup(store_path, None, config_path=None, now=work.now)
    before = left_in_files(store_path)
    found = await erase.extent(db, lead)
    assert found.words() == [
        "1 merged lead", "4 contact points", "2 lines of the timeline", "1 follow-up", "3 mails",
        "1 site", "5 raw records", "2 records of the inbox", "1 row of an import",
        "7 actions that can be undone",
    ]  # fmt: skip
    assert len(found.backups) == 1
    assert left_in_files(store_path) == before


async def test_notes_of_other_leads_that_mention_it_are_named(
    work: Work, db: Database, lead: int
) -> None:
    other = await work.add("Other")
    await work.note(other, f"referred by {MAIL}")
    assert (await erased(work, lead)).mentioned == [other]


async def test_a_lead_is_erased_once_and_a_merged_one_with_the_lead_it_went_into(
    work: Work, db: Database, lead: int
) -> None:
    merged = await db_scalar(db, "SELECT merged_id FROM merge WHERE kept_id = 1")
    with pytest.raises(NotFound, match=rf"Lead {merged} \({MERGED}\) was merged into lead 1"):
        await erased(work, merged)
    await erased(work, lead)
    with pytest.raises(BadInput, match="was erased on 2026-11-22"):
        await erased(work, lead)
    with pytest.raises(NotFound, match="no lead 99"):
        await erased(work, 99)


async def db_scalar(db: Database, statement: str) -> int:
    with closing(sqlite3.connect(db.path)) as connection:
        return int(connection.execute(statement).fetchone()[0])


async def test_what_was_split_off_before_leaves_nothing_with_the_other_lead(
    work: Work, db: Database, store_path: Path
) -> None:
    keep = await work.add("Keeper")
    other = await work.add(NAME, phone=PHONE, email=MAIL, street=STREET, city="Queens")
    await work.merge(keep, other)
    await work.split(other)
    await work.take_back()
    await work.do_again()
    await erased(work, other)
    await db.close()
    assert left_in_files(store_path) == {}


async def test_hashes_say_nothing_and_differ_between_stores(
    work: Work, db: Database, lead: int
) -> None:
    await erased(work, lead)
    async with db.read() as session:
        hashes = list(await session.scalars(select(ErasedKey.hash)))
    assert len(hashes) > 5
    assert all(len(each) == 32 and int(each, 16) for each in hashes)


async def test_a_store_that_could_not_be_written_anew_is_told_by_the_doctor(
    work: Work, db: Database, lead: int, settings: Settings, store_path: Path
) -> None:
    async with db.read() as reading:
        await reading.execute(select(Business.id))
        result = await erased(work, lead)
        assert "traces may be left" in result.problems[0]
    report = await doctor.examine(store_path, settings=settings, now=work.now)
    assert [f.check for f in report.findings if f.check == "erased_traces"]
    report = await doctor.examine(store_path, settings=settings, now=work.now, fix=True)
    assert report.ok
    async with db.read() as session:
        assert not await scrubbing.any_traces(session)
    await db.close()
    assert left_in_files(store_path) == {}


async def test_what_was_typed_about_it_is_forgotten(
    work: Work, lead: int, store_path: Path
) -> None:
    assert Session.load(store_path).drafts
    await erased(work, lead)
    assert not Session.load(store_path).drafts
