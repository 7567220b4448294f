from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database, WriteSession
from crm_tui.db.models import (
    Business,
    BusinessTag,
    ContactPoint,
    Event,
    Suppression,
    Tag,
    UndoChange,
    UndoEntry,
)
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import leads, timeline, undo
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import count
from crm_tui.services.statuses import fold
from crm_tui.vocabulary import CallOutcome, ContactStatus, UndoState

if TYPE_CHECKING:
    from tests.conftest import AddLead

QUIET = {"updated_at"}
TABLES = (
    "business",
    "contact_point",
    "business_alias",
    "business_tag",
    "tag",
    "task",
    "suppression",
    "saved_view",
    "search_doc",
)


def picture(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything an action can write, and what follows from it; the order of rows left out."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = {
            table: [
                {name: row[name] for name in row.keys() if name not in QUIET}  # noqa: SIM118 - a Row iterates over its values
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
            ]
            for table in TABLES
        }
        standing = connection.execute(
            "SELECT key, business_id, kind FROM event WHERE is_voided = 0 AND kind <> 'voided'"
            " ORDER BY key"
        )
        tables["event"] = [dict(row) for row in standing]
        return tables


class Work:
    """Does actions on a store with a clock that moves on, and takes them back."""

    def __init__(self, db: Database, settings: Settings, now: datetime) -> None:
        self.db, self.settings, self.now = db, settings, now

    def tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    async def note(self, lead: int, words: str = "hello") -> None:
        async with undo.action(self.db, f"note on {lead}", now=self.tick()) as session:
            await timeline.add_note(session, lead, words, now=self.now)

    async def edit(self, lead: int, **changes: str) -> None:
        async with undo.action(self.db, f"edited {lead}", now=self.tick()) as session:
            await leads.edit(session, lead, changes, settings=self.settings, now=self.now)

    async def take_back(self, entry: int | None = None) -> undo.Undone:
        return await undo.undo(self.db, settings=self.settings, now=self.tick(), entry_id=entry)

    async def do_again(self) -> undo.Undone:
        return await undo.redo(self.db, settings=self.settings, now=self.tick())


@pytest.fixture
def work(db: Database, settings: Settings, now: datetime) -> Work:
    return Work(db, settings, now)


async def test_undo_gives_an_edited_field_back_and_redo_edits_it_again(
    work: Work, add_lead: AddLead, store_path: Path
) -> None:
    lead = await add_lead("Ada", city="Queens", phone="718 555 0142", email="a@ada-plumbing.com")
    before = picture(store_path)
    await work.edit(lead, city="Brooklyn", phone="718 555 0143", email="")
    after = picture(store_path)
    undone = await work.take_back()
    assert (undone.words, undone.restored, undone.left) == (f"edited {lead}", 1, [])
    assert picture(store_path) == before
    assert (await work.do_again()).restored == 1
    assert picture(store_path) == after
    await work.take_back()
    assert picture(store_path) == before


async def test_what_an_action_wrote_on_the_timeline_disappears_and_comes_back(
    work: Work, add_lead: AddLead, db: Database, store_path: Path
) -> None:
    lead = await add_lead("Ada", phone="718 555 0142")
    before = picture(store_path)
    async with undo.action(db, "called Ada", now=work.tick()) as session:
        await timeline.log_call(session, lead, CallOutcome.NO, note="no thanks", now=work.now)
    after = picture(store_path)
    await work.take_back()
    assert picture(store_path) == before
    async with db.read() as session:
        assert (await fold(session, [lead]))[lead].contact_status is ContactStatus.PENDING
        assert len(list(await session.scalars(select(Event.key)))) == 3
        assert await count(session, LeadQuery("thanks")) == 0
    await work.do_again()
    assert picture(store_path) == after
    async with db.read() as session:
        assert await count(session, LeadQuery("thanks")) == 1


async def test_an_added_lead_goes_and_comes_back_with_everything_that_is_its(
    work: Work, db: Database, store_path: Path
) -> None:
    empty = picture(store_path)
    async with undo.action(db, "added Ada", now=work.tick()) as session:
        fields = {"name": "Ada", "phone": "718 555 0142", "city": "Queens"}
        await leads.add(session, fields, settings=work.settings, now=work.now)
    added = picture(store_path)
    await work.take_back()
    assert picture(store_path) == empty
    await work.do_again()
    assert picture(store_path) == added


async def test_an_added_lead_that_was_worked_on_since_is_left_and_named(
    work: Work, db: Database
) -> None:
    async with undo.action(db, "added Ada", now=work.tick()) as session:
        lead = await leads.add(session, {"name": "Ada"}, settings=work.settings, now=work.now)
    async with db.write() as session:
        await timeline.add_note(session, lead, "from elsewhere", now=work.tick())
    undone = await work.take_back()
    assert undone.restored == 0
    assert undone.left == [undo.Left(lead, "Ada", "something else depends on it by now")]


async def test_an_added_lead_goes_when_all_that_was_done_with_it_was_undone_and_all_comes_back(
    work: Work, db: Database, store_path: Path
) -> None:
    empty = picture(store_path)
    async with undo.action(db, "added Ada", now=work.tick()) as session:
        lead = await leads.add(session, {"name": "Ada"}, settings=work.settings, now=work.now)
    await work.note(lead, "hello")
    await work.edit(lead, city="Queens")
    whole = picture(store_path)
    for _ in range(2):
        for _ in range(3):
            assert (await work.take_back()).left == []
        assert picture(store_path) == empty
        for _ in range(3):
            assert (await work.do_again()).left == []
        assert picture(store_path) == whole
    async with db.read() as session:
        assert await count(session, LeadQuery("hello")) == 1


async def test_a_field_that_was_put_back_by_hand_keeps_no_other_from_being_restored(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    lead = await add_lead("Ada", city="Queens", street="1 Main St")
    await work.edit(lead, city="Bronx", street="2 High St")
    for field in ("city", "street"):
        async with db.write() as session:
            again = {"city": "Queens"} if field == "city" else {"street": "1 Main St"}
            await leads.edit(session, lead, again, settings=work.settings, now=work.tick())
        await work.take_back()
        async with db.read() as session:
            found = await session.execute(select(Business.city, Business.street))
            assert tuple(found.one()) == ("Queens", "1 Main St")
        await work.do_again()


async def test_what_is_left_of_one_action_leaves_another_as_it_was(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    lead = await add_lead("Ada", city="Queens")
    await work.edit(lead, city="Bronx")
    await work.edit(lead, city="Yonkers")
    async with db.read() as session:
        _, first = await undo.entries(session)
    assert (await work.take_back(first.id)).left
    assert (await work.take_back()).left == []
    async with db.read() as session:
        assert await session.scalar(select(Business.city)) == "Bronx"


async def test_a_field_that_changed_since_is_left_and_named_and_others_are_restored(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    ada, bea = await add_lead("Ada", city="Queens"), await add_lead("Bea", city="Queens")
    async with undo.action(db, "moved 2 leads", now=work.tick()) as session:
        for lead in (ada, bea):
            await leads.edit(session, lead, {"city": "Bronx"}, settings=work.settings, now=work.now)
    async with db.write() as session:
        await leads.edit(session, bea, {"city": "Yonkers"}, settings=work.settings, now=work.tick())
    undone = await work.take_back()
    assert undone.restored == 1  # of the other only the line on the timeline is gone
    assert undone.left == [undo.Left(bea, "Bea", "city changed since")]
    async with db.read() as session:
        assert list(await session.scalars(select(Business.city).order_by(Business.id))) == [
            "Queens",
            "Yonkers",
        ]


async def test_an_action_that_wrote_nothing_leaves_no_entry(work: Work, add_lead: AddLead) -> None:
    lead = await add_lead("Ada", city="Queens")
    await work.edit(lead, city="Queens")
    with pytest.raises(BadInput, match="nothing to undo"):
        await work.take_back()


async def test_an_action_that_fails_leaves_nothing(
    work: Work, add_lead: AddLead, db: Database, store_path: Path
) -> None:
    lead = await add_lead("Ada")
    before = picture(store_path)
    with pytest.raises(BadInput):
        await work.note(lead, "  ")
    assert picture(store_path) == before
    await work.note(lead)
    assert (await work.take_back()).restored == 1


async def test_a_new_action_takes_the_place_of_what_was_undone(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    lead = await add_lead("Ada")
    await work.note(lead, "one")
    await work.take_back()
    await work.note(lead, "two")
    with pytest.raises(BadInput, match="nothing to redo"):
        await work.do_again()
    async with db.read() as session:
        assert [line.words for line in await undo.entries(session)] == [f"note on {lead}"]


async def test_chunks_of_one_action_are_one_entry_undone_together(
    work: Work, add_lead: AddLead, db: Database, store_path: Path
) -> None:
    ids = [await add_lead(f"Lead {n}") for n in range(6)]
    before = picture(store_path)
    entry = undo.Entry()
    for done in (2, 4, 6):
        async with undo.action(db, f"tagged {done}", now=work.tick(), entry=entry) as session:
            await tag(session, ids[done - 2 : done], work.now)
    after = picture(store_path)
    async with db.read() as session:
        (line,) = await undo.entries(session)
    assert (line.id, line.words) == (entry.id, "tagged 6")
    undone = await work.take_back()
    assert undone.restored == 6
    assert picture(store_path) == before
    assert (await work.do_again()).restored == 6
    assert picture(store_path) == after


async def tag(session: WriteSession, lead_ids: list[int], now: datetime) -> None:
    folded = await session.scalar(select(Tag.id).where(Tag.folded == "vip"))
    if folded is None:
        made = await session.execute(insert(Tag).values(name="VIP", folded="vip").returning(Tag.id))
        folded = made.scalar_one()
    rows = [{"business_id": lead, "tag_id": folded, "created_at": now} for lead in lead_ids]
    await session.execute(insert(BusinessTag), rows)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part of an action is turned in a transaction of its own."""
    monkeypatch.setattr("crm_tui.services.undo.reversal.TOGETHER", 1)


@pytest.mark.usefixtures("one_by_one")
async def test_an_undo_that_was_stopped_goes_on_where_it_stopped(
    work: Work, add_lead: AddLead, db: Database, store_path: Path
) -> None:
    ids = [await add_lead(f"Lead {n}") for n in range(4)]
    before = picture(store_path)
    entry = undo.Entry()
    for lead in ids:
        async with undo.action(db, "tagged some", now=work.tick(), entry=entry) as session:
            await tag(session, [lead], work.now)
    steps = iter([False, False, True])
    stopped = await undo.undo(
        db, settings=work.settings, now=work.tick(), cancelled=lambda: next(steps)
    )
    assert stopped.stopped
    assert stopped.restored == 2
    assert (await work.take_back()).restored == 2
    assert picture(store_path) == before


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("parts", [0, 1])
async def test_what_was_stopped_can_be_turned_round(
    work: Work, add_lead: AddLead, db: Database, store_path: Path, parts: int
) -> None:
    ids = [await add_lead(f"Lead {n}") for n in range(3)]
    before = picture(store_path)
    entry = undo.Entry()
    for lead in ids:
        async with undo.action(db, "tagged some", now=work.tick(), entry=entry) as session:
            await tag(session, [lead], work.now)
    done = picture(store_path)

    def stop_after() -> Callable[[], bool]:
        answers = iter([False] * parts + [True])
        return lambda: next(answers)

    settings = work.settings
    await undo.undo(db, settings=settings, now=work.tick(), cancelled=stop_after())
    if parts:
        await undo.redo(db, settings=settings, now=work.tick())
    async with db.read() as reader:
        assert [line.state for line in await undo.entries(reader)] == [UndoState.DONE]
    assert picture(store_path) == done
    await work.take_back()
    await undo.redo(db, settings=settings, now=work.tick(), cancelled=stop_after())
    if parts:
        await work.take_back()
    assert picture(store_path) == before
    assert (await undo.redo(db, settings=settings, now=work.tick())).restored == len(ids)


async def test_parts_that_are_turned_together_end_as_if_they_were_turned_alone(
    work: Work, add_lead: AddLead, db: Database, store_path: Path
) -> None:
    ada, bea = await add_lead("Ada", city="Queens"), await add_lead("Bea", city="Queens")
    before = picture(store_path)
    entry = undo.Entry()
    for lead, city in ((ada, "Bronx"), (ada, "Yonkers"), (bea, "Yonkers"), (ada, "Albany")):
        async with undo.action(db, "moved them", now=work.tick(), entry=entry) as session:
            await leads.edit(session, lead, {"city": city}, settings=work.settings, now=work.now)
    after = picture(store_path)
    transactions: list[tuple[int, int]] = []
    undone = await undo.undo(
        db,
        settings=work.settings,
        now=work.tick(),
        progress=lambda done, total: transactions.append((done, total)),
    )
    assert transactions == [(4, 4)]
    assert (undone.restored, undone.left) == (2, [])
    assert picture(store_path) == before
    assert (await work.do_again()).restored == 2
    assert picture(store_path) == after
    await work.edit(bea, city="Utica")
    assert entry.id is not None
    undone = await work.take_back(entry.id)
    assert (undone.restored, [left.business_id for left in undone.left]) == (1, [bea])


async def test_an_action_that_goes_on_after_it_was_undone_is_stopped(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    lead, other = await add_lead("Ada"), await add_lead("Bea")
    entry = undo.Entry()
    async with undo.action(db, "tagged", now=work.tick(), entry=entry) as session:
        await tag(session, [lead], work.now)
    await work.take_back()
    with pytest.raises(BadInput, match="undone while"):
        async with undo.action(db, "tagged", now=work.tick(), entry=entry) as session:
            await tag(session, [other], work.now)


async def test_a_tag_that_others_use_by_now_stays(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    ada, bea = await add_lead("Ada"), await add_lead("Bea")
    async with undo.action(db, "tagged Ada", now=work.tick()) as session:
        await tag(session, [ada], work.now)
    async with db.write() as session:
        await tag(session, [bea], work.tick())
    undone = await work.take_back()
    assert undone.left == []
    async with db.read() as session:
        assert list(await session.scalars(select(BusinessTag.business_id))) == [bea]


async def test_the_last_digit_of_a_float_comes_back(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    lead = await add_lead("Ada")
    place = 40.123456789012345
    async with db.write() as session:
        await session.execute(update(Business).values(latitude=place, longitude=-0.1 - 0.2))
    async with undo.action(db, "moved", now=work.tick()) as session:
        await session.execute(update(Business).values(latitude=1.5, longitude=None))
    await work.take_back()
    async with db.read() as session:
        found = await session.execute(select(Business.latitude, Business.longitude))
        assert tuple(found.one()) == (place, -0.1 - 0.2)
    assert lead


async def test_two_numbers_that_changed_places_change_back(
    work: Work, add_lead: AddLead, db: Database, store_path: Path
) -> None:
    lead = await add_lead("Ada", phone="718 555 0142")
    await work.edit(lead, phone="718 555 0143")
    before = picture(store_path)
    await work.edit(lead, phone="718 555 0142")
    await work.take_back()
    assert picture(store_path) == before
    async with db.read() as session:
        primary = select(ContactPoint.value).where(ContactPoint.is_primary.is_(True))
        assert list(await session.scalars(primary)) == ["+17185550143"]


async def test_an_action_can_be_undone_by_its_number_though_it_is_not_the_last(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    lead = await add_lead("Ada", city="Queens")
    await work.edit(lead, city="Bronx")
    await work.note(lead)
    async with db.read() as session:
        _, first = await undo.entries(session)
    assert (await work.take_back(first.id)).restored == 1
    with pytest.raises(BadInput, match="undone already"):
        await work.take_back(first.id)
    with pytest.raises(NotFound, match="no action 99"):
        await work.take_back(99)


async def test_an_action_can_take_an_earlier_one_back_and_be_undone_itself(
    work: Work, add_lead: AddLead, db: Database, settings: Settings, store_path: Path
) -> None:
    lead = await add_lead("Ada", city="Queens")
    before = picture(store_path)
    await work.edit(lead, city="Bronx")
    after = picture(store_path)
    async with db.read() as session:
        (first,) = await undo.entries(session)
    async with undo.action(db, "back to Queens", now=work.tick()) as session:
        assert await undo.recorded_as(session) > first.id
        left = await undo.reverse(
            session, first.id, "back to Queens", score=settings.score, now=work.now
        )
        assert left == []
    assert picture(store_path) == before
    await work.take_back()
    assert picture(store_path) == after
    await work.take_back()
    assert picture(store_path) == before


async def test_one_transaction_can_hold_several_actions(
    work: Work, add_lead: AddLead, db: Database, store_path: Path
) -> None:
    lead = await add_lead("Ada")
    before = picture(store_path)
    async with db.write() as session:
        for words in ("one", "two"):
            async with undo.recording(session, words, now=work.tick()):
                await timeline.add_note(session, lead, words, now=work.now)
    async with db.read() as session:
        assert [line.words for line in await undo.entries(session)] == ["two", "one"]
    await work.take_back()
    await work.take_back()
    assert picture(store_path) == before


async def test_old_actions_are_forgotten_with_their_changes(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    lead = await add_lead("Ada")
    for number in range(5):
        await work.note(lead, f"note {number}")
    assert await undo.prune(db, keep=2) == 3
    async with db.read() as session:
        assert len(await undo.entries(session)) == 2
        changes = await session.scalars(select(UndoChange.entry_id).distinct())
        entries = await session.scalars(select(UndoEntry.id))
        assert set(changes) == set(entries)


async def test_nothing_is_recorded_outside_of_an_action(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    lead = await add_lead("Ada")
    await work.note(lead)
    async with db.write() as session:
        await timeline.add_note(session, lead, "by a provider", now=work.tick())
        await session.execute(delete(Suppression))
    async with db.read() as session:
        assert len(list(await session.scalars(select(UndoChange.id)))) == 1
        (line,) = await undo.entries(session)
    assert line.state is UndoState.DONE


Step = Callable[[Work, list[int]], Any]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["city", "phone", "email", "name", "note", "call", "status", "tag", "add"]),
        st.integers(0, 2),
        st.sampled_from(["Queens", "Bronx", ""]),
        st.sampled_from(list(CallOutcome)),
        st.sampled_from(list(ContactStatus)),
    ),
    min_size=1,
    max_size=7,
)


@given(STEPS)
@examples(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_undoing_everything_restores_the_store_and_redoing_everything_repeats_it(
    empty_store: Path, tmp_path_factory: pytest.TempPathFactory, now: datetime, steps: Any
) -> None:
    path = tmp_path_factory.mktemp("undo") / "crm.db"
    shutil.copy(empty_store, path)
    db, settings = Database(path), Settings()
    work = Work(db, settings, now)
    try:
        async with db.write() as session:
            ids = [
                await leads.add(session, {"name": name, **more}, settings=settings, now=now)
                for name, more in (("Ada", {"city": "Queens"}), ("Bea", {"phone": "718 555 0142"}))
            ]
        pictures = [picture(path)]
        for number, (what, which, word, outcome, status) in enumerate(steps):
            async with undo.action(db, what, now=work.tick()) as session:
                lead, at = ids[which % len(ids)], work.now
                values = {
                    "city": word,
                    "name": word or "Cy",
                    "email": f"{word}@example-{which}.com" if word else "",
                    "phone": f"718 555 01{number + 50}" if word else "",
                }
                if what in values:
                    change = {what: values[what]}
                    await leads.edit(session, lead, change, settings=settings, now=at)
                elif what == "note":
                    await timeline.add_note(session, lead, word or "x", now=at)
                elif what == "call":
                    await timeline.log_call(session, lead, outcome, now=at)
                elif what == "status":
                    await timeline.set_status(session, lead, status, now=at)
                elif what == "add":
                    more = {"name": "New"}
                    ids.append(await leads.add(session, more, settings=settings, now=at))
                else:
                    await session.execute(delete(BusinessTag))
                    await tag(session, [lead], at)
            if picture(path) != pictures[-1]:
                pictures.append(picture(path))
        async with db.read() as session:
            done = len(await undo.entries(session))
        for _ in range(done):
            undone = await work.take_back()
            assert not undone.left
        assert picture(path) == pictures[0]
        for _ in range(done):
            assert not (await work.do_again()).left
        assert picture(path) == pictures[-1]
    finally:
        await db.close()


@pytest.mark.usefixtures("one_by_one")
async def test_what_was_half_undone_is_not_done_again_after_something_else_was_done(
    work: Work, add_lead: AddLead, db: Database
) -> None:
    ids = [await add_lead(f"Lead {n}") for n in range(2)]
    entry = undo.Entry()
    for lead in ids:
        async with undo.action(db, "tagged some", now=work.tick(), entry=entry) as session:
            await tag(session, [lead], work.now)
    steps = iter([False, True])
    await undo.undo(db, settings=work.settings, now=work.tick(), cancelled=lambda: next(steps))
    await work.note(ids[0])
    with pytest.raises(BadInput, match="nothing to redo"):
        await work.do_again()
    assert (await work.take_back()).words == f"note on {ids[0]}"
    assert (await work.take_back()).words == "tagged some"
