from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import (
    Business,
    BusinessAlias,
    BusinessTag,
    ContactPoint,
    Distinct,
    Event,
    Merge,
    Site,
    Suppression,
    Tag,
    Task,
)
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import leads, merge, merged, statuses, tags, tasks, timeline, undo
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.lead_rows import count
from crm_tui.services.sites import gather
from crm_tui.vocabulary import CallOutcome, ContactState, ContactStatus, EventKind

if TYPE_CHECKING:
    from tests.merging.conftest import Picture, Work

Look = Callable[[], "Picture"]


async def columns(db: Database, lead: int, *names: str) -> tuple[Any, ...]:
    async with db.read() as session:
        found = await session.execute(
            select(*(getattr(Business, name) for name in names)).where(Business.id == lead)
        )
        return tuple(found.one())


async def test_the_kept_lead_keeps_its_values_and_is_filled_from_the_other(
    work: Work, db: Database
) -> None:
    keep = await work.add("Ada Plumbing", city="Queens", phone="718 555 0142")
    other = await work.add("Ada Plumbing Inc", category="Plumber", email="ada@ada-plumbing.com")
    await work.merge(keep, other)
    found = await columns(db, keep, "name", "city", "category", "phone", "email")
    assert found == (
        "Ada Plumbing", "Queens", "Plumber", "+17185550142", "ada@ada-plumbing.com",
    )  # fmt: skip
    async with db.read() as session:
        assert await session.get(Business, other) is None
        assert await count(session, LeadQuery("ada")) == 1
        with pytest.raises(NotFound, match=rf"Lead {other} \(Ada Plumbing Inc\) was merged into"):
            await leads.require(session, other)


async def test_a_choice_takes_the_value_of_the_other_lead(work: Work, db: Database) -> None:
    keep = await work.add("Ada", phone="718 555 0142", street="1 Main St", city="Queens")
    other = await work.add("Bea", phone="718 555 0143", street="2 Elm St", city="Bronx")
    await work.merge(keep, other, name=other, phone=other, address=other)
    found = await columns(db, keep, "name", "sort_name", "phone", "street", "city", "city_folded")
    assert found == ("Bea", "bea", "+17185550143", "2 Elm St", "Bronx", "bronx")
    async with db.read() as session:
        points = await session.scalars(select(ContactPoint.value).order_by(ContactPoint.id))
        assert list(points) == ["+17185550142", "+17185550143"]


async def test_addresses_of_two_places_are_not_mixed(work: Work, db: Database) -> None:
    keep = await work.add("Ada", city="Queens")
    other = await work.add("Ada", street="2 Elm St", city="Bronx", postal_code="10451")
    same = await work.add("Ada", street="3 Oak St", city="queens", postal_code="11416")
    await work.merge(keep, other, same)
    found = await columns(db, keep, "street", "city", "postal_code")
    assert found == ("3 Oak St", "Queens", "11416")


async def test_whatever_belonged_to_the_other_belongs_to_the_kept_one(
    work: Work, db: Database
) -> None:
    keep, other, third = [await work.add(name) for name in ("Ada", "Bea", "Cy")]
    async with db.write() as session:
        await tags.add(session, [keep, other], "vip", now=work.now)
        await tags.add(session, [other], "cold", now=work.now)
        await tasks.add(session, other, "call back", work.now, now=work.now)
        await session.execute(
            insert(Site).values(
                business_id=other, slug="bea", theme="imported", content_hash="x", html="<p>",
                created_at=work.now, built_at=work.now,
            )
        )  # fmt: skip
        await session.execute(
            insert(BusinessAlias).values(business_id=other, kind="google_id", value="0x1:0x2")
        )
        await session.execute(
            insert(Distinct),
            [
                {"low_id": keep, "high_id": other, "said_at": work.now},
                {"low_id": other, "high_id": third, "said_at": work.now},
            ],
        )
    await work.note(other, "hello")
    await work.merge(keep, other)
    async with db.read() as session:
        for model in (BusinessTag, Task, Site, BusinessAlias):
            assert set(await session.scalars(select(model.business_id))) == {keep}, model
        tagged = select(Tag.name).join(BusinessTag, BusinessTag.tag_id == Tag.id)
        assert sorted(await session.scalars(tagged)) == ["cold", "vip"]
        pairs = await session.execute(select(Distinct.low_id, Distinct.high_id))
        assert [tuple(pair) for pair in pairs] == [(keep, third)]
        lines = [line.summary for line in await timeline.entries(session, keep)]
        assert lines[0] == f"merged with Bea (lead {other})"
        assert "note" in lines
        origins = await session.execute(select(Event.origin_id).where(Event.kind == "note"))
        assert origins.scalar_one() == other
        assert await count(session, LeadQuery("hello")) == 1


async def test_one_that_must_not_be_contacted_makes_both_so(work: Work, db: Database) -> None:
    keep = await work.add("Ada", phone="718 555 0142", email="ada@ada-plumbing.com")
    other = await work.add("Bea", phone="718 555 0143")
    async with db.write() as session:
        await session.execute(
            update(Business)
            .where(Business.id == other)
            .values(do_not_contact=True, do_not_contact_reason="asked us not to")
        )
    await work.merge(keep, other)
    found = await columns(db, keep, "do_not_contact", "do_not_contact_reason", "key")
    assert found[:2] == (True, "asked us not to")
    async with db.read() as session:
        barred = set(await session.scalars(select(Suppression.value)))
    assert barred == {found[2], "+17185550142", "+17185550143", "ada@ada-plumbing.com"}


async def test_the_worst_that_is_known_of_an_address_is_kept(work: Work, db: Database) -> None:
    keep = await work.add("Ada", email="ada@ada-plumbing.com")
    other = await work.add("Bea", email="ada@ada-plumbing.com")
    async with db.write() as session:
        for lead, state in ((keep, ContactState.BOUNCED), (other, ContactState.UNSUBSCRIBED)):
            await session.execute(
                update(ContactPoint)
                .where(ContactPoint.business_id == lead)
                .values(state=state, state_reason=f"because {state}", person=f"of {lead}")
            )
    await work.merge(keep, other)
    async with db.read() as session:
        row = (
            await session.execute(
                select(ContactPoint.state, ContactPoint.state_reason, ContactPoint.person)
            )
        ).one()
    assert tuple(row) == (ContactState.UNSUBSCRIBED, "because unsubscribed", f"of {keep}")


async def test_statuses_are_folded_over_both_histories(work: Work, db: Database) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea")
    await work.call(keep, CallOutcome.NO_ANSWER)
    await work.call(other, CallOutcome.TALKED)
    async with undo.action(db, "set", now=work.tick()) as session:
        await timeline.set_status(session, keep, ContactStatus.PENDING, now=work.now)
    await work.merge(keep, other)
    assert await columns(db, keep, "contact_status") == (ContactStatus.REPLIED,)


async def test_what_led_to_the_other_leads_to_the_kept_one(work: Work, db: Database) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea")
    async with db.write() as session:
        for lead, place in ((keep, "place-1"), (other, "place-2")):
            await session.execute(
                update(Business).where(Business.id == lead).values(place_id=place)
            )
    (key,) = await columns(db, other, "key")
    await work.merge(keep, other)
    async with db.read() as session:
        rows = await session.execute(
            select(BusinessAlias.kind, BusinessAlias.value, BusinessAlias.business_id)
        )
        assert {tuple(row) for row in rows} == {
            ("key", key, keep),
            ("place_id", "place-2", keep),
        }
    assert await columns(db, keep, "place_id") == ("place-1",)


async def test_a_place_id_the_kept_lead_lacks_becomes_its_own(work: Work, db: Database) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea")
    async with db.write() as session:
        await session.execute(
            update(Business).where(Business.id == other).values(place_id="place-2")
        )
    await work.merge(keep, other)
    assert await columns(db, keep, "place_id") == ("place-2",)


async def test_a_lead_in_the_list_stays_there_when_it_is_merged_into_an_archived_one(
    work: Work, db: Database
) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea")
    async with db.write() as session:
        await session.execute(
            update(Business).where(Business.id == keep).values(archived_at=work.now)
        )
    await work.merge(keep, other)
    assert await columns(db, keep, "archived_at") == (None,)


@pytest.mark.parametrize(
    ("others", "choices", "words"),
    [
        ([], {}, "at least two"),
        ([1], {}, "at least two"),
        ([2], {"shoe_size": 2}, "cannot be chosen"),
        ([2], {"name": 3}, "none of those"),
    ],
)
async def test_what_cannot_be_merged_says_why_and_changes_nothing(
    work: Work, look: Look, others: list[int], choices: dict[str, int], words: str
) -> None:
    for name in ("Ada", "Bea", "Cy"):
        await work.add(name)
    before = look()
    with pytest.raises(BadInput, match=words):
        await work.merge(1, *others, **choices)
    assert look() == before


async def test_a_lead_whose_site_is_being_built_waits(work: Work, db: Database) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea")
    async with db.write() as session:
        await session.execute(
            update(Business).where(Business.id == other).values(building_by="build-1")
        )
    with pytest.raises(BadInput, match="site of Bea is being built"):
        await work.merge(keep, other)


async def test_undo_of_a_merge_gives_both_back_and_redo_merges_them_again(
    work: Work, db: Database, look: Look
) -> None:
    keep = await work.add("Ada", phone="718 555 0142", city="Queens")
    other = await work.add("Bea", phone="718 555 0142", email="b@bea-plumbing.com", street="1 A")
    await work.call(other, CallOutcome.TALKED)
    await work.note(other, "about the boiler")
    before = look()
    await work.merge(keep, other, name=other)
    after = look()
    undone = await work.take_back()
    assert undone.left == []
    assert look() == before
    async with db.read() as session:
        assert await count(session, LeadQuery("boiler")) == 1
        assert list(await session.scalars(select(Merge.id))) == []
    await work.do_again()
    assert look() == after
    await work.take_back()
    assert look() == before


async def test_a_merge_tells_who_went_where(work: Work, db: Database, settings: Settings) -> None:
    keep, other, third = [await work.add(name) for name in ("Ada", "Bea", "Cy")]
    await work.merge(other, third)
    entry = await work.merge(keep, other)
    async with db.read() as session:
        parts = await merged.merged_into(session, keep)
        assert [(part.id, part.name) for part in parts] == [(other, "Bea"), (third, "Cy")]
        found = await merged.led_to(session, third)
        assert found is not None
        assert found.kept_id == keep
        event = await session.scalar(
            select(Event.data).where(Event.key == f"merge-{entry}-{other}")
        )
        assert event == {"merged": [other], "choices": {}}
        assert await merge.words_of_merge(session, keep, [other]) == f"merged lead {other} into Ada"
        kinds = await session.scalars(
            select(Event.kind).where(Event.business_id == keep, Event.kind == EventKind.MERGED)
        )
        assert len(list(kinds)) == 2


async def test_a_merge_of_names_without_end_is_told_in_a_line(work: Work, db: Database) -> None:
    keep, other = await work.add("Ada " * 2_500), await work.add("Bea\x1b[2J" * 1_000)
    async with db.read() as session:
        words = await merge.words_of_merge(session, keep, [other])
    assert words.startswith("merged Bea")
    assert words.isprintable()
    assert len(words) < 120


async def test_a_site_that_no_longer_says_what_is_so_is_marked_and_the_mark_goes_with_an_undo(
    work: Work, db: Database, look: Look, now: datetime
) -> None:
    keep, other = await work.add("Ada"), await work.add("Bea", phone="718 555 0142")
    async with db.read() as session:
        facts = (await gather.site_facts(session, [keep]))[keep]
    async with db.write() as session:
        await session.execute(
            insert(Site).values(
                business_id=keep, slug="ada", theme="trades", content_hash="x", html="<p>",
                facts_hash=gather.facts_hash(facts), created_at=now, built_at=now,
            )
        )  # fmt: skip
        await statuses.refold(session, [keep])
    before = look()
    await work.merge(keep, other)
    async with db.read() as session:
        assert (await session.execute(select(Site.out_of_date))).scalar_one()
    await work.take_back()
    assert look() == before
