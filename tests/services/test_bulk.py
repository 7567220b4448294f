from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from crm_tui.config import ScoreSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Event, SearchDoc, Task
from crm_tui.errors import BadInput, StoreError
from crm_tui.services import bulk, leads, search, statuses, tags, timeline, undo
from crm_tui.services.bulk import Change
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import count
from crm_tui.vocabulary import CallOutcome, ContactStatus, EventKind, Outcome

if TYPE_CHECKING:
    from tests.conftest import AddLead


async def words_of_entries(db: Database) -> list[str]:
    async with db.read() as session:
        return [line.words for line in await undo.entries(session)]


async def told(db: Database, lead: int) -> list[str]:
    """What a lead's timeline says, the newest last, without how it was captured."""
    async with db.read() as session:
        lines = await timeline.entries(session, lead)
    return [line.summary for line in reversed(lines)][1:]


async def column(db: Database, name: str) -> list[object]:
    async with db.read() as session:
        return list(await session.scalars(select(getattr(Business, name)).order_by(Business.id)))


async def tagged(db: Database, ids: Sequence[int]) -> list[tuple[str, ...]]:
    async with db.read() as session:
        by_lead = await leads.tags_of(session, ids)
    return [by_lead.get(lead, ()) for lead in ids]


@pytest.fixture
async def three(add_lead: AddLead) -> list[int]:
    """Three leads, the second of which was called."""
    return [await add_lead(name, city="Queens", category="Plumber") for name in ("A", "B", "C")]


async def test_leads_are_tagged_and_those_that_were_are_counted_and_left_alone(
    db: Database, three: list[int], now: datetime
) -> None:
    async with db.write() as session:
        await tags.add(session, three[:1], "VIP", now=now)
    result = await bulk.run(db, three, bulk.add_tag("  vip "), now=now)
    assert (result.matched, result.reached, result.changed, result.unchanged) == (3, 3, 2, 1)
    assert (result.words, result.cancelled) == ("tagged 2 leads vip", False)
    assert await tagged(db, three) == [("VIP",)] * 3
    assert await told(db, three[0]) == ["tagged VIP"]
    assert await told(db, three[1]) == ["tagged vip"]
    assert await words_of_entries(db) == ["tagged 2 leads vip"]


async def test_a_tag_is_taken_off_those_that_carry_it(
    db: Database, three: list[int], settings: Settings, now: datetime
) -> None:
    await bulk.run(db, three[:2], bulk.add_tag("vip"), now=now)
    result = await bulk.run(db, three, bulk.remove_tag("VIP"), now=now)
    assert (result.changed, result.words) == (2, "took the tag VIP off 2 leads")
    assert await tagged(db, three) == [(), (), ()]
    async with db.read() as session:
        assert await tags.in_use(session) == []
    await undo.undo(db, settings=settings, now=now)
    assert await tagged(db, three) == [("vip",), ("vip",), ()]


@pytest.mark.parametrize("name", ["", "  ", "x" * 61])
def test_what_is_no_tag_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="tag"):
        bulk.add_tag(name)


async def test_a_status_set_by_hand_overrules_what_is_known_of_each_lead(
    db: Database, three: list[int], settings: Settings, now: datetime
) -> None:
    async with db.write() as session:
        await timeline.log_call(session, three[1], CallOutcome.TALKED, now=now)
        await timeline.log_call(session, three[2], CallOutcome.NO_ANSWER, now=now)
    later = now + timedelta(hours=1)
    result = await bulk.run(db, three, bulk.set_status(ContactStatus.CALLED), now=later)
    assert (result.changed, result.unchanged) == (2, 1)
    assert await column(db, "contact_status") == [ContactStatus.CALLED] * 3
    assert await told(db, three[1]) == ["call: talked", "status set to called"]
    async with db.read() as session:
        folded = await statuses.fold(session, three)
        assert await statuses.differing(session, folded) == {}
    await undo.undo(db, settings=settings, now=later)
    assert await column(db, "contact_status") == ["pending", "replied", "called"]


async def test_leads_are_archived_and_brought_back(
    db: Database, three: list[int], now: datetime
) -> None:
    result = await bulk.run(db, three, bulk.archive(), now=now)
    assert result.words == "archived 3 leads"
    assert await column(db, "archived_at") == [now] * 3
    async with db.read() as session:
        assert await count(session, LeadQuery()) == 0
    again = await bulk.run(db, three, bulk.archive(), now=now)
    assert (again.changed, again.entry_id) == (0, None)
    back = await bulk.run(db, three[:2], bulk.unarchive(), now=now)
    assert back.words == "brought 2 leads back from the archive"
    assert await column(db, "archived_at") == [None, None, now]
    assert await told(db, three[0]) == ["archived", "brought back from the archive"]


async def test_a_field_is_set_with_all_that_follows_from_it(
    db: Database, three: list[int], settings: Settings, now: datetime
) -> None:
    async with db.write() as session:
        await leads.edit(session, three[0], {"city": "Café"}, settings=settings, now=now)
    change = bulk.set_field("city", " Café ", settings)
    result = await bulk.run(db, three, change, now=now)
    assert (result.changed, result.words) == (2, "set the city of 2 leads to Café")
    assert await column(db, "city_folded") == ["cafe"] * 3
    assert await told(db, three[1]) == ["changed city"]
    async with db.read() as session:
        assert await count(session, LeadQuery("cafe")) == 3
        data = await session.scalar(
            select(Event.data).where(Event.business_id == three[1], Event.kind == EventKind.EDITED)
        )
        assert data == {"fields": {"city": ["Queens", "Café"]}}
    cleared = await bulk.run(db, three, bulk.set_field("city", "", settings), now=now)
    assert cleared.words == "cleared the city of 3 leads"
    assert await column(db, "city") == [None] * 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Dee"),
        ("category", "Dentist"),
        ("street", "1 Main St"),
        ("region", "NY"),
        ("postal_code", "11416"),
        ("country", "us"),
        ("timezone", "America/New_York"),
    ],
)
async def test_setting_a_field_of_many_leads_leaves_what_editing_each_leaves(
    db: Database, three: list[int], settings: Settings, now: datetime, name: str, value: str
) -> None:
    one, *others = three
    async with db.write() as session:
        await leads.edit(session, one, {"street": "2 High St"}, settings=settings, now=now)
        await leads.edit(session, others[0], {"street": "2 High St"}, settings=settings, now=now)
        await session.execute(update(Business).values(name="A", sort_name="a", name_folded="a"))
        await search.index(session, three)
        await leads.edit(session, one, {name: value}, settings=settings, now=now)
    await bulk.run(db, others, bulk.set_field(name, value, settings), now=now)
    async with db.read() as session:
        columns = [c for c in Business.__table__.columns if c.name not in {"id", "key"}]
        edited, many = (
            await session.execute(select(*columns).where(Business.id.in_(three[:2])))
        ).all()
        assert edited == many
        fields = [c for c in SearchDoc.__table__.columns if c.name != "business_id"]
        edited, many = (
            await session.execute(select(*fields).where(SearchDoc.business_id.in_(three[:2])))
        ).all()
        assert edited == many
    assert await told(db, three[0]) == await told(db, three[1])


async def test_a_contact_belongs_to_one_lead_only(
    db: Database, three: list[int], settings: Settings, now: datetime
) -> None:
    change = bulk.set_field("phone", "718 555 0142", settings)
    with pytest.raises(BadInput, match="3 leads cannot share one phone"):
        await bulk.run(db, three, change, now=now)
    result = await bulk.run(db, three[:1], change, now=now)
    assert result.words == "set the phone of A to +17185550142"
    assert await column(db, "phone") == ["+17185550142", None, None]


CONTACTS = {
    "phone": ("718 555 0142", "+17185550143"),
    "email": ("office@acme.com", "joe@acme.com"),
    "website": ("acme.com", "https://www.acme.com/"),
}


@pytest.mark.parametrize("name", CONTACTS)
async def test_clearing_a_contact_of_many_leads_leaves_what_editing_each_leaves(
    db: Database, three: list[int], settings: Settings, now: datetime, name: str
) -> None:
    one, *others = three
    first, second = CONTACTS[name]
    async with db.write() as session:
        await session.execute(update(Business).values(name="A", sort_name="a", name_folded="a"))
        for lead in three[:2]:
            await leads.edit(session, lead, {name: first}, settings=settings, now=now)
            await leads.edit(session, lead, {name: second}, settings=settings, now=now)
        await search.index(session, three)
    before = await column(db, name)
    assert before == [second, second, None]
    async with db.write() as session:
        await leads.edit(session, one, {name: ""}, settings=settings, now=now)
    cleared = await bulk.run(db, others, bulk.set_field(name, "", settings), now=now)
    assert (cleared.words, cleared.changed) == (f"cleared the {name} of 1 lead", 1)
    async with db.read() as session:
        columns = [c for c in Business.__table__.columns if c.name not in {"id", "key"}]
        edited, many = (
            await session.execute(select(*columns).where(Business.id.in_(three[:2])))
        ).all()
        assert edited == many
        assert await count(session, LeadQuery(f'"{second}"')) == 0
        points = [[p.value for p in await leads.points_of(session, lead)] for lead in three[:2]]
        assert points[0] == points[1] == [str((await column(db, name))[0])]
    assert await told(db, one) == await told(db, others[0])
    assert (await undo.undo(db, settings=settings, now=now)).left == []
    assert (await column(db, name))[1] == second


async def test_an_outcome_is_set(db: Database, three: list[int], now: datetime) -> None:
    async with db.write() as session:
        await timeline.log_call(session, three[0], CallOutcome.NO, now=now)
    result = await bulk.run(db, three, bulk.set_outcome(Outcome.WRONG_CONTACT), now=now)
    assert result.words == "set the outcome of 3 leads to wrong contact"
    assert await column(db, "outcome") == ["wrong_contact"] * 3
    assert await column(db, "outcome_reason") == [None] * 3
    async with db.read() as session:
        data = await session.scalars(
            select(Event.data).where(Event.kind == EventKind.OUTCOME_SET).order_by(Event.id)
        )
        assert [each["before"] for each in data] == ["lost", "open", "open"]


async def test_follow_ups_are_set(db: Database, three: list[int], now: datetime) -> None:
    due = now + timedelta(days=14)
    change = bulk.add_follow_up("call again", due, zone=None, now=now)
    result = await bulk.run(db, three, change, now=now)
    assert result.changed == 3
    assert result.words.startswith("set a follow-up with 3 leads for ")
    async with db.read() as session:
        found = await session.execute(select(Task.business_id, Task.what, Task.due_at))
        assert [tuple(row) for row in found] == [(lead, "call again", due) for lead in three]


async def test_scoring_again_is_nothing_to_undo(
    db: Database, three: list[int], now: datetime
) -> None:
    async with db.write() as session:
        await session.execute(
            update(Business).where(Business.id == three[0]).values(qualification_score=0)
        )
    result = await bulk.run(db, three, bulk.rescore(ScoreSettings()), now=now)
    assert (result.changed, result.unchanged, result.entry_id) == (1, 2, None)
    assert await words_of_entries(db) == []


async def test_leads_that_are_gone_or_were_erased_count_as_unchanged(
    db: Database, three: list[int], settings: Settings, now: datetime
) -> None:
    async with db.write() as session:
        await session.execute(update(Business).where(Business.id == three[0]).values(erased_at=now))
    due = now + timedelta(days=1)
    for change in (
        bulk.add_tag("vip"),
        bulk.set_status(ContactStatus.CALLED),
        bulk.set_outcome(Outcome.LOST),
        bulk.set_field("city", "Bronx", settings),
        bulk.add_follow_up("call", due, zone=None, now=now),
        bulk.archive(),
        bulk.unarchive(),
        bulk.remove_tag("vip"),
    ):
        ids = [*three, 999]
        assert await bulk.foresee(db, ids, change, now=now) == 2
        result = await bulk.run(db, ids, change, now=now)
        assert (result.changed, result.unchanged) == (2, 2)


@pytest.fixture
async def many(db: Database, now: datetime) -> list[int]:
    """1,201 leads: three chunks."""
    async with db.write() as session:
        session.add_all(
            Business(
                key=f"k{number}",
                name=f"Lead {number}",
                sort_name=f"lead {number:04}",
                source="test",
                created_at=now,
                captured_at=now,
                updated_at=now,
            )
            for number in range(1201)
        )
        await session.flush()
        ids = list(await session.scalars(select(Business.id)))
        await search.index(session, ids)
    return ids


async def test_many_leads_are_one_entry_with_the_true_number(
    db: Database, many: list[int], settings: Settings, now: datetime
) -> None:
    async with db.write() as session:
        await tags.add(session, many[100:300], "vip", now=now)
    seen: list[tuple[int, int]] = []
    result = await bulk.run(
        db, many[::-1], bulk.add_tag("vip"), now=now, progress=lambda *at: seen.append(at)
    )
    assert seen == [(500, 1201), (1000, 1201), (1201, 1201)]
    assert (result.changed, result.unchanged) == (1001, 200)
    assert await words_of_entries(db) == ["tagged 1,001 leads vip"]
    undone = await undo.undo(db, settings=settings, now=now)
    assert (undone.restored, undone.left) == (1001, [])
    assert sum(map(bool, await tagged(db, many))) == 200
    assert (await undo.redo(db, settings=settings, now=now)).restored == 1001
    assert all(await tagged(db, many))


async def test_a_cancelled_change_says_how_far_it_came_and_undoes_that(
    db: Database, many: list[int], settings: Settings, now: datetime
) -> None:
    answers = iter([False, False, True])
    result = await bulk.run(
        db, many, bulk.set_status(ContactStatus.CALLED), now=now, cancelled=lambda: next(answers)
    )
    assert (result.matched, result.reached, result.changed) == (1201, 1000, 1000)
    assert (result.cancelled, result.unchanged) == (True, 0)
    assert await words_of_entries(db) == ["set the status of 1,000 leads to called"]
    assert (await undo.undo(db, settings=settings, now=now)).restored == 1000
    assert set(await column(db, "contact_status")) == {"pending"}


async def test_a_disk_that_fills_up_midway_is_said_with_what_was_done_until_then(
    db: Database, many: list[int], now: datetime
) -> None:
    async def pages() -> int:
        async with db.read() as session:
            return await session.scalar(text("PRAGMA page_count")) or 0

    before = await pages()
    await bulk.run(db, many[:500], bulk.add_tag("first"), now=now)
    after = await pages()
    async with db.write() as session:  # room for one more chunk, not for two
        room = (after - before) * 3 // 2
        await session.execute(text(f"PRAGMA max_page_count = {after + room}"))
    with pytest.raises(StoreError, match=r"is full\. Done until then: tagged 500 leads vip\.$"):
        await bulk.run(db, many, bulk.add_tag("vip"), now=now)
    assert await words_of_entries(db) == ["tagged 500 leads vip", "tagged 500 leads first"]
    assert sum("vip" in each for each in await tagged(db, many)) == 500


CHANGES = {
    "tag": bulk.add_tag("vip"),
    "status": bulk.set_status(ContactStatus.REPLIED),
    "outcome": bulk.set_outcome(Outcome.LATER),
    "archive": bulk.archive(),
    "score": bulk.rescore(ScoreSettings()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_what_is_foreseen_is_what_happens(
    db: Database, many: list[int], change: Change, now: datetime
) -> None:
    await bulk.run(db, many[:700], change, now=now)
    foreseen = await bulk.foresee(db, many, change, now=now)
    assert foreseen == (await bulk.run(db, many, change, now=now)).changed
    assert await bulk.foresee(db, many, change, now=now) == 0
