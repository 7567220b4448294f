from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    CampaignExclusion,
    ContactPoint,
    Event,
    Merge,
    Message,
    RawRecord,
    Task,
)
from crm_tui.errors import BadInput
from crm_tui.services import leads, tags, tasks, timeline, undo
from crm_tui.vocabulary import CallOutcome, ContactState, EventKind
from tests.merging.conftest import Work, picture
from tests.queue_rows import add_campaign

if TYPE_CHECKING:
    from tests.merging.conftest import Picture

Look = Callable[[], "Picture"]


async def test_a_split_gives_both_leads_back_and_says_so_on_their_timelines(
    work: Work, db: Database, look: Look
) -> None:
    keep = await work.add("Ada", phone="718 555 0142")
    other = await work.add("Bea", phone="718 555 0142", email="b@bea-plumbing.com")
    before = look()
    await work.merge(keep, other)
    merged = look()
    split = await work.split(other)
    assert (split.kept_id, split.split_id, split.left) == (keep, other, [])
    assert split.words == "split Bea from Ada"
    async with db.read() as session:
        assert (await timeline.entries(session, keep))[
            0
        ].summary == f"split from Bea (lead {other})"
        assert (await timeline.entries(session, other))[
            0
        ].summary == f"split from Ada (lead {keep})"
        (line, _) = await undo.entries(session)
        assert (line.id, line.words) == (split.entry_id, "split Bea from Ada")
    assert without_activity(look()) == without_activity(before)
    await work.take_back()
    assert look() == merged
    assert without_activity(await resplit(work, other, look)) == without_activity(before)


async def resplit(work: Work, lead: int, look: Look) -> Picture:
    await work.split(lead)
    return look()


def without_activity(pictured: Picture) -> Picture:
    """The picture without what a split line on the timeline makes the latest."""
    quiet = {"last_activity", "last_activity_at"}
    pictured["business"] = [
        {name: value for name, value in row.items() if name not in quiet}
        for row in pictured["business"]
    ]
    return pictured


async def test_the_kept_lead_can_be_named_where_one_went_into_it(work: Work) -> None:
    keep, other, third = [await work.add(name) for name in ("Ada", "Bea", "Cy")]
    with pytest.raises(BadInput, match="nothing to split"):
        await work.split(keep)
    await work.merge(keep, other)
    await work.merge(keep, third)
    with pytest.raises(BadInput, match=rf"Name the one to split: {third} \(Cy\), {other} \(Bea\)"):
        await work.split(keep)
    await work.split(third)
    assert (await work.split(keep)).split_id == other


async def test_one_of_several_that_were_merged_together_is_split_and_the_others_stay(
    work: Work, db: Database
) -> None:
    keep, other, third = [await work.add(name) for name in ("Ada", "Bea", "Cy")]
    await work.note(third, "of Cy")
    await work.merge(keep, other, third)
    await work.split(other)
    async with db.read() as session:
        assert list(await session.scalars(select(Business.id))) == [keep, other]
        assert list(await session.scalars(select(Merge.merged_id))) == [third]
        note = await session.scalar(select(Event.business_id).where(Event.kind == EventKind.NOTE))
        assert note == keep
    await work.split(third)
    async with db.read() as session:
        assert list(await session.scalars(select(Business.id))) == [keep, other, third]


async def test_what_came_since_stays_with_the_kept_lead(work: Work, db: Database) -> None:
    keep, other = await work.add("Ada", city="Queens"), await work.add("Bea", city="Queens")
    await work.note(other, "before")
    async with db.write() as session:
        task = await tasks.add(session, other, "call back", work.now, now=work.now)
    await work.merge(keep, other)
    await work.note(keep, "since")
    async with undo.action(db, "done", now=work.tick()) as session:
        await tasks.done(session, [task], now=work.now)
        await tags.add(session, [keep], "vip", now=work.now)
    split = await work.split(other)
    assert split.left == []
    async with db.read() as session:
        notes = await session.execute(
            select(Event.business_id, Event.body).where(Event.kind == EventKind.NOTE)
        )
        assert {tuple(note) for note in notes} == {(other, "before"), (keep, "since")}
        found = await session.execute(select(Task.business_id, Task.state))
        assert tuple(found.one()) == (other, "done")
        assert await leads.tags_of(session, [keep, other]) == {keep: ("vip",)}


async def test_what_was_changed_since_is_left_and_named(work: Work, db: Database) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea", category="Plumber")
    await work.merge(keep, other)
    await work.edit(keep, category="Roofer")
    split = await work.split(other)
    assert [(left.name, left.why) for left in split.left] == [("Ada", "category changed since")]
    async with db.read() as session:
        rows = await session.execute(select(Business.id, Business.category))
        assert {tuple(row) for row in rows} == {(keep, "Roofer"), (other, "Plumber")}


async def test_a_contact_deleted_since_is_named_and_the_split_goes_on(
    work: Work, db: Database
) -> None:
    keep = await work.add("Ada")
    other = await work.add("Bea", phone="718 555 0142")
    await work.merge(keep, other)
    async with db.write() as session:
        await session.execute(delete(ContactPoint))
    split = await work.split(other)
    assert [left.why for left in split.left] == ["it is gone"]
    async with db.read() as session:
        assert list(await session.scalars(select(Business.id))) == [keep, other]


async def test_another_primary_phone_chosen_since_stays(work: Work, db: Database) -> None:
    keep = await work.add("Ada", phone="718 555 0142")
    other = await work.add("Bea", phone="718 555 0143")
    await work.merge(keep, other, phone=other)
    await work.edit(keep, phone="718 555 0144")
    split = await work.split(other)
    async with db.read() as session:
        rows = await session.execute(select(Business.id, Business.phone))
        assert {tuple(row) for row in rows} == {(keep, "+17185550144"), (other, "+17185550143")}
    assert split.left


async def test_a_note_corrected_while_they_were_one_stays_corrected(
    work: Work, db: Database
) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea")
    await work.note(other, "wrong")
    await work.merge(keep, other)
    async with undo.action(db, "corrected", now=work.tick()) as session:
        note = await session.scalar(select(Event.id).where(Event.kind == EventKind.NOTE))
        assert note is not None
        await timeline.correct(session, note, text="right", now=work.now)
    await work.split(other)
    async with db.read() as session:
        for lead, said in ((keep, ["right"]), (other, [])):
            found = [e.body for e in await timeline.entries(session, lead) if e.kind == "note"]
            assert found == said


async def test_merges_of_merged_leads_are_split_in_any_order(
    work: Work, db: Database, look: Look
) -> None:
    first = await work.add("Ada", phone="718 555 0142")
    second = await work.add("Bea", phone="718 555 0142", street="1 Main St")
    third = await work.add("Cy", phone="718 555 0142", category="Plumber")
    before = look()
    await work.merge(second, third)
    await work.merge(first, second)
    split = await work.split(third)
    assert (split.kept_id, split.left) == (first, [])
    async with db.read() as session:
        assert list(await session.scalars(select(Merge.merged_id))) == [second]
        rows = await session.execute(select(Business.id, Business.category, Business.street))
        assert {tuple(r) for r in rows} == {
            (first, None, "1 Main St"),
            (third, "Plumber", None),
        }
        lines = [line.words for line in await undo.entries(session)]
        assert lines[:2] == ["merged Bea into Ada again", "split Cy from Ada"]
    await work.split(second)
    assert without_activity(look()) == without_activity(before)


async def test_what_two_merged_leads_shared_stays_with_the_one_that_is_not_split(
    work: Work, db: Database
) -> None:
    keep = await work.add("Ada")
    first, second = [await work.add(n, phone="718 555 0142") for n in ("Bea", "Cy")]
    async with db.write() as session:
        await tags.add(session, [first, second], "vip", now=work.now)
        await session.execute(
            update(Business)
            .where(Business.id.in_([first, second]))
            .values(do_not_contact=True, do_not_contact_reason="asked")
        )
    await work.merge(keep, first)
    await work.merge(keep, second)
    await work.split(first)
    async with db.read() as session:
        rows = await session.execute(
            select(Business.phone, Business.do_not_contact).where(Business.id == keep)
        )
        assert tuple(rows.one()) == ("+17185550142", True)
        assert set(await leads.tags_of(session, [keep])) == {keep}


async def test_an_inner_merge_is_not_undone_by_its_number(work: Work, look: Look) -> None:
    first, second, third = [await work.add(name) for name in ("Ada", "Bea", "Cy")]
    inner = await work.merge(second, third)
    await work.merge(first, second)
    before = look()
    undone = await work.take_back(inner)
    assert undone.restored == 0
    assert {left.why for left in undone.left} == {
        "it has gone into another lead since; split that one first"
    }
    assert look() == before
    assert (await work.split(third)).left == []


async def test_a_merge_can_be_split_after_many_other_actions(work: Work, db: Database) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea")
    await work.merge(keep, other)
    for number in range(4):
        await work.note(keep, f"note {number}")
    await undo.prune(db, keep=2)
    assert (await work.split(other)).left == []


FIELDS = {
    "phone": ["718 555 0142", "718 555 0143", ""],
    "email": ["a@ada-plumbing.com", "b@bea-roofing.com", ""],
    "city": ["Queens", "Bronx", ""],
    "street": ["1 Main St", ""],
    "category": ["Plumber", ""],
}
LEADS = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in FIELDS.items()}),
    min_size=3,
    max_size=4,
)
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            ["note", "call", "tag", "task", "stop", "state", "sent", "left out", "record"]
        ),
        st.integers(0, 3),
        st.sampled_from(list(CallOutcome)),
        st.sampled_from(list(ContactState)),
    ),
    max_size=10,
)
MERGES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=3)


async def do(work: Work, lead: int, deed: str, outcome: CallOutcome, state: ContactState) -> None:
    if deed == "note":
        await work.note(lead, f"note on {lead}")
    elif deed == "call":
        await work.call(lead, outcome)
    else:
        async with undo.action(work.db, deed, now=work.tick()) as session:
            if deed == "tag":
                await tags.add(session, [lead], outcome.value, now=work.now)
            elif deed == "task":
                await tasks.add(session, lead, "call back", work.now, now=work.now)
            elif deed == "left out":
                row = {"campaign_id": 1, "business_id": lead, "reason": state.value}
                await session.execute(
                    insert(CampaignExclusion).values(row).on_conflict_do_nothing()
                )
            elif deed == "record":
                session.add(
                    RawRecord(
                        source="mailbox",
                        external_id=str(work.now),
                        received_at=work.now,
                        applied_at=work.now,
                        business_id=lead,
                        payload={},
                    )
                )
            elif deed == "sent":
                first = update(Message).where(
                    Message.business_id == lead, Message.due_at.is_not(None)
                )
                await session.execute(first.values(state="sent", sent_at=work.now, body="Hello"))
            elif deed == "stop":
                await session.execute(
                    update(Business)
                    .where(Business.id == lead)
                    .values(do_not_contact=True, do_not_contact_reason="asked")
                )
            else:
                await session.execute(
                    update(ContactPoint)
                    .where(ContactPoint.business_id == lead)
                    .values(state=state)
                    .execution_options(synchronize_session=None)
                )


def owned(pictured: Picture, table: str, *names: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row[name] for name in names) for row in pictured[table]), key=repr)


SAME = {"contact_point": ("kind", "value"), "business_tag": ("tag_id",)}
AT_LEAST: dict[str, tuple[str, ...]] = {
    "task": ("id",),
    "business_alias": ("value",),
    "event": ("key", "origin_id"),
    "message": ("key", "origin_id", "sent_at"),
    "raw_record": ("external_id",),
}


def sequences(pictured: Picture) -> Counter[int]:
    """Of how many leads that a lead was made of steps of the campaign wait for it."""
    waiting = {
        (row["business_id"], row["origin_id"])
        for row in pictured["message"]
        if row["state"] == "queued"
    }
    return Counter(lead for lead, _ in waiting)


@given(LEADS, DEEDS, MERGES, st.randoms(use_true_random=False))
@examples(
    max_examples=12,
    phases=[__import__("hypothesis").Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_merging_loses_nothing_and_splitting_in_any_order_restores_every_row(
    empty_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
    now: datetime,
    given_leads: list[dict[str, str]],
    deeds: Any,
    merges: list[tuple[int, int]],
    random: Any,
) -> None:
    path = tmp_path_factory.mktemp("split") / "crm.db"
    shutil.copy(empty_store, path)
    db = Database(path)
    work = Work(db, Settings(), now)
    try:
        ids = [await work.add(f"Lead {n}", **fields) for n, fields in enumerate(given_leads)]
        await add_campaign(db, ids, now=work.tick(), steps=2)
        for deed, which, outcome, state in deeds:
            await do(work, ids[which % len(ids)], deed, outcome, state)
        before = picture(path)
        gone: list[int] = []
        pictures = [before]
        for keep, other in merges:
            keep_id, other_id = ids[keep % len(ids)], ids[other % len(ids)]
            if keep_id == other_id or {keep_id, other_id} & set(gone):
                continue
            await work.merge(keep_id, other_id)
            gone.append(other_id)
            pictures.append(picture(path))
        for merged in pictures[1:]:
            for table, names in SAME.items():
                assert set(owned(merged, table, *names)) == set(owned(before, table, *names))
            for table, names in AT_LEAST.items():
                assert set(owned(merged, table, *names)) >= set(owned(before, table, *names))
            assert all(count == 1 for count in sequences(merged).values())
            barred = set(owned(merged, "suppression", "kind", "value"))
            assert barred >= set(owned(before, "suppression", "kind", "value"))
        stopped = {row["id"] for row in before["business"] if row["do_not_contact"]}
        async with db.read() as session:
            rows = await session.execute(select(Merge.merged_id, Merge.kept_id))
            heirs = {row.merged_id: row.kept_id for row in rows}
            found = await session.scalars(
                select(Business.id).where(Business.do_not_contact.is_(True))
            )
            assert set(found) == {heirs.get(lead, lead) for lead in stopped}
        for at in range(len(pictures) - 1, 0, -1):
            assert (await work.take_back()).left == []
            assert picture(path) == pictures[at - 1]
        for at in range(1, len(pictures)):
            assert (await work.do_again()).left == []
            assert picture(path) == pictures[at]
        for lead in random.sample(gone, len(gone)):
            assert (await work.split(lead)).left == []
        assert without_activity(picture(path)) == without_activity(before)
    finally:
        await db.close()
