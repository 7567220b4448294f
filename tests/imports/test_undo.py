"""Taking an import back: all of it, but what was worked on since."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    BusinessTag,
    ContactPoint,
    Event,
    ImportBatch,
    ImportRow,
    MoneyRef,
    SearchDoc,
    Suppression,
    Tag,
    Task,
)
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import leads, timeline
from crm_tui.services.imports import batches
from crm_tui.services.imports.give_back import restored
from crm_tui.services.imports.owner import owner
from crm_tui.services.imports.undo import UndoResult, undo
from crm_tui.vocabulary import BatchState, ContactStatus, Mode, TaskState

if TYPE_CHECKING:
    from tests.conftest import AddLead
    from tests.imports.conftest import ImportRows

ACME = {
    "Company": "Acme Plumbing",
    "City": "Albany",
    "Phone": "518-871-1647",
    "E-mail": "joe@acme-plumbing.com",
    "Rating": "4.5",
    "Contact": "Joe Doe",
    "Notes": "asked for prices",
    "Tags": "hot",
    "Status": "called",
    "Follow up": "2026-12-01",
    "Mood": "good",
}


@pytest.fixture
def take_back(db: Database, settings: Settings, now: datetime) -> Any:
    async def run(batch: int | None) -> UndoResult:
        assert batch is not None
        return await undo(db, batch, settings=settings, now=now)

    return run


async def count(db: Database, model: Any) -> int:
    async with db.read() as session:
        return (await session.execute(select(func.count()).select_from(model))).scalar_one()


async def test_leads_nobody_touched_are_deleted_with_all_that_belongs_to_them(
    db: Database, import_rows: ImportRows, take_back: Any
) -> None:
    result = await import_rows(ACME, {"Company": "Zed", "Do not contact": "yes"}, tags=["autumn"])
    undone = await take_back(result.batch)
    assert (undone.deleted, undone.restored, undone.left) == (2, 0, [])
    for model in (Business, ContactPoint, Event, Task, BusinessTag, Tag, Suppression, SearchDoc):
        assert await count(db, model) == 0
    async with db.read() as session:
        (batch,) = await batches.all_batches(session)
        rows = await batches.rows_of(session, batch.id)
    assert (batch.state, batch.created) == (BatchState.UNDONE, 2)
    assert [row.name for row in rows] == ["Acme Plumbing", "Zed"]


async def test_importing_again_works_and_ids_do_not_return(
    db: Database, import_rows: ImportRows, take_back: Any
) -> None:
    await take_back((await import_rows(ACME)).batch)
    again = await import_rows(ACME)
    assert again.created == 1
    async with db.read() as session:
        assert await session.scalar(select(Business.id)) == 2


async def test_a_lead_worked_on_since_is_left_and_named(
    db: Database, import_rows: ImportRows, take_back: Any, now: datetime
) -> None:
    result = await import_rows(ACME, {"Company": "Zed", "Phone": "518-871-1648"})
    async with db.write() as session:
        await timeline.add_note(session, 1, "spoke to Joe", now=now)
    undone = await take_back(result.batch)
    assert undone.deleted == 1
    assert [(left.business_id, left.name, left.reason) for left in undone.left] == [
        (1, "Acme Plumbing", "worked on since: note")
    ]
    async with db.read() as session:
        assert list(await session.scalars(select(Business.name))) == ["Acme Plumbing"]
        assert await session.scalar(select(Business.contact_status)) is ContactStatus.CALLED
    assert (await import_rows(ACME)).skipped == 1


async def test_a_follow_up_that_was_done_is_work(
    db: Database, import_rows: ImportRows, take_back: Any, now: datetime
) -> None:
    result = await import_rows(ACME)
    async with db.write() as session:
        await session.execute(update(Task).values(state=TaskState.DONE, done_at=now))
    (left,) = (await take_back(result.batch)).left
    assert left.reason == "worked on since: a follow-up was done"


async def test_a_lead_that_another_list_added_to_is_left(
    import_rows: ImportRows, take_back: Any
) -> None:
    first = await import_rows({"Company": "Acme", "Phone": "518-871-1647"})
    second = await import_rows(ACME, name="second.csv")
    (left,) = (await take_back(first.batch)).left
    assert left.reason.startswith("worked on since: merged from second.csv")
    assert (await take_back(second.batch)).restored == 1


async def test_what_was_filled_in_leads_that_were_there_is_taken_back(
    db: Database,
    add_lead: AddLead,
    import_rows: ImportRows,
    take_back: Any,
    settings: Settings,
    now: datetime,
) -> None:
    lead = await add_lead("Acme", phone="518-871-1647", category="Plumber")

    async def everything() -> list[Any]:
        async with db.read() as session:
            page = await leads.page(session, lead, settings=settings, now=now)
            entries = await timeline.entries(session, lead)
            document = await session.get(SearchDoc, lead)
            assert document is not None
            return [page, entries, document.notes, document.email]

    before = await everything()
    result = await import_rows(ACME | {"Do not contact": "yes"})
    assert result.merged == 1
    assert await everything() != before
    undone = await take_back(result.batch)
    assert (undone.deleted, undone.restored, undone.left) == (0, 1, [])
    assert await everything() == before
    assert await count(db, Suppression) == 0


async def test_a_field_that_was_changed_since_is_left_and_named(
    db: Database,
    add_lead: AddLead,
    import_rows: ImportRows,
    take_back: Any,
    settings: Settings,
    now: datetime,
) -> None:
    lead = await add_lead("Acme", phone="518-871-1647")
    result = await import_rows(ACME)
    async with db.write() as session:
        await leads.edit(session, lead, {"city": "Troy"}, settings=settings, now=now)
    undone = await take_back(result.batch)
    assert [(left.name, left.reason) for left in undone.left] == [("Acme", "changed since: city")]
    async with db.read() as session:
        business = await session.get(Business, lead)
        assert business is not None
        assert (business.city, business.rating, business.custom) == ("Troy", None, {})
        assert business.email is None


async def test_an_address_the_operator_chose_since_stays(
    db: Database,
    add_lead: AddLead,
    import_rows: ImportRows,
    take_back: Any,
    settings: Settings,
    now: datetime,
) -> None:
    lead = await add_lead("Acme", phone="518-871-1647", email="old@acme-plumbing.com")
    result = await import_rows(ACME)
    async with db.write() as session:
        chosen = {"email": "joe@acme-plumbing.com"}
        await leads.edit(session, lead, chosen, settings=settings, now=now)
    undone = await take_back(result.batch)
    assert [left.reason for left in undone.left] == ["chosen since: joe@acme-plumbing.com"]
    async with db.read() as session:
        assert await session.scalar(select(Business.email)) == "joe@acme-plumbing.com"


async def test_a_suppression_stays_while_another_lead_needs_it(
    db: Database, import_rows: ImportRows, take_back: Any
) -> None:
    row = {"E-mail": "office@acme.com", "Do not contact": "yes"}
    first = await import_rows({"Company": "Acme", "Place id": "A"} | row)
    await import_rows({"Company": "Acme", "Place id": "B"} | row)
    await take_back(first.batch)
    async with db.read() as session:
        values = set(await session.scalars(select(Suppression.value)))
        (key,) = await session.scalars(select(Business.key))
    assert values == {key, "office@acme.com"}


async def test_a_batch_is_taken_back_once(import_rows: ImportRows, take_back: Any) -> None:
    result = await import_rows(ACME)
    await take_back(result.batch)
    with pytest.raises(BadInput, match=r"Import 1 \(list\.csv\) was taken back before"):
        await take_back(result.batch)
    with pytest.raises(NotFound, match="There is no import 7"):
        await take_back(7)


async def test_a_batch_somebody_works_on_is_refused(
    db: Database, store_path: Path, import_rows: ImportRows, take_back: Any
) -> None:
    result = await import_rows(ACME)
    with owner(store_path) as name:
        async with db.write() as session:
            await session.execute(update(ImportBatch).values(state=BatchState.UNDOING, owner=name))
        with pytest.raises(BadInput, match="still being worked on by another crm-tui"):
            await take_back(result.batch)
    assert (await take_back(result.batch)).deleted == 1


@pytest.mark.parametrize("state", [BatchState.RUNNING, BatchState.UNDOING])
async def test_what_a_dead_process_left_is_taken_back_at_the_next_import(
    db: Database,
    store_path: Path,
    import_rows: ImportRows,
    settings: Settings,
    now: datetime,
    state: BatchState,
) -> None:
    await import_rows(ACME)
    with owner(store_path) as name:
        async with db.write() as session:
            await session.execute(update(ImportBatch).values(state=state, owner=name))
        assert await batches.take_back_interrupted(db, settings=settings, now=now) == []
    await import_rows({"Company": "Zed"}, name="next.csv")
    async with db.read() as session:
        states = [(line.id, line.state) for line in await batches.all_batches(session)]
        assert list(await session.scalars(select(Business.name))) == ["Zed"]
    assert states == [(2, BatchState.DONE), (1, BatchState.UNDONE)]


async def test_many_leads_are_taken_back_in_short_steps(
    db: Database, import_rows: ImportRows, settings: Settings, now: datetime
) -> None:
    rows = [{"Company": f"Lead {i}", "Phone": f"518 871 {i}"} for i in range(1000, 1500)]
    result = await import_rows(*rows)
    seen: list[tuple[int, int]] = []
    assert result.batch is not None
    await undo(
        db,
        result.batch,
        settings=settings,
        now=now,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(200, 500), (400, 500), (500, 500)]
    assert await count(db, Business) == 0
    assert await count(db, ImportRow) == 500


def test_fields_are_restored_only_where_they_hold_what_was_written() -> None:
    business = {"city": "Troy", "rating": 4.5, "category": "Plumber", "custom": {"a": 1, "b": 2}}
    filled: dict[str, list[Any]] = {
        "city": [None, "Albany"],
        "rating": [None, 4.5],
        "category": [None, "Plumber"],
        "custom.a": [None, 1],
        "custom.b": [None, 3],
        "custom.c": [None, 4],
    }
    changes, changed_since = restored(business, filled)
    assert changes == {
        "rating": None,
        "category": None,
        "category_folded": None,
        "custom": {"b": 2},
    }
    assert changed_since == ["city", "b"]


async def test_a_lead_a_payment_provider_knows_is_left_though_its_timeline_says_nothing(
    db: Database, import_rows: ImportRows, take_back: Any
) -> None:
    done = await import_rows({"Company": "Acme Plumbing"}, {"Company": "Best Heating"})
    async with db.write() as session:
        lead = await session.scalar(select(Business.id).where(Business.name == "Acme Plumbing"))
        assert lead is not None
        session.add(MoneyRef(provider="stripe", mode=Mode.TEST, value="cus_1", business_id=lead))
    result = await take_back(done.batch)
    assert result.deleted == 1
    assert [(each.business_id, each.reason) for each in result.left] == [
        (lead, "worked on since: a payment provider knows it")
    ]
