from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, ContactPoint
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import duplicates, undo
from crm_tui.services.duplicates import Suggestion, suggestions, suggestions_for
from crm_tui.services.imports.run import import_file
from crm_tui.services.imports.undo import undo as take_import_back
from crm_tui.vocabulary import CallOutcome, ContactState

if TYPE_CHECKING:
    from tests.merging.conftest import Work


async def place(db: Database, lead: int, place_id: str) -> None:
    async with db.write() as session:
        await session.execute(update(Business).where(Business.id == lead).values(place_id=place_id))


@pytest.mark.parametrize(
    ("one", "other", "reason", "certainty"),
    [
        (
            {"name": "Ada Plumbing", "phone": "718 555 0142"},
            {"name": "Ada Plumbing LLC", "phone": "(718) 555-0142"},
            "same phone and a similar name",
            90,
        ),
        (
            {"name": "Ada Plumbing", "phone": "718 555 0142"},
            {"name": "Zoe Roofing", "phone": "718 555 0142"},
            "same phone",
            80,
        ),
        (
            {"name": "Ada Plumbing", "email": "ada.p@gmail.com"},
            {"name": "Ada Plumbing", "email": "Ada.P@gmail.com"},
            "same e-mail and a similar name",
            95,
        ),
        (
            {"name": "Ada Plumbing", "website": "ada-plumbing.com"},
            {"name": "Zoe", "website": "www.ada-plumbing.com", "postal_code": "11416"},
            "same domain",
            35,
        ),
        (
            {"name": "The Ada", "postal_code": "11416"},
            {"name": "Ada", "postal_code": "11416"},
            "same name and postcode",
            70,
        ),
        (
            {"name": "Ada Plumbing", "street": "1 Main St", "city": "Queens"},
            {"name": "Ada Plumbing & Heating", "street": "1 main st", "city": "QUEENS"},
            "similar names, same address",
            60,
        ),
    ],
)
async def test_leads_that_may_be_the_same_are_suggested_with_the_reason(
    work: Work,
    db: Database,
    one: dict[str, str],
    other: dict[str, str],
    reason: str,
    certainty: int,
) -> None:
    await work.add("Somebody else", phone="718 555 0199", street="1 Main St", city="Queens")
    first, second = await work.add(**one), await work.add(**other)
    expected = [Suggestion(first, second, reason, certainty)]
    assert await suggestions(db) == expected
    async with db.read() as session:
        assert await suggestions_for(session, first) == expected
        assert await suggestions_for(session, second) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"email": "info@agency.com"}, {"email": "info@agency.com"}),
        ({"email": "ada@gmail.com"}, {"email": "zoe@gmail.com"}),
        ({"website": "facebook.com/ada"}, {"website": "facebook.com/ada"}),
        ({"website": "ada.wixsite.com/x"}, {"website": "zoe.wixsite.com/x"}),
        ({"street": "1 Main St", "city": "Queens"}, {"street": "1 Main St", "city": "Queens"}),
    ],
)
async def test_what_many_share_suggests_nothing(
    work: Work, db: Database, one: dict[str, str], other: dict[str, str]
) -> None:
    await work.add("Ada Plumbing", **one)
    await work.add("Zoe Roofing", **other)
    assert await suggestions(db) == []


async def test_different_place_ids_make_different_businesses_whatever_else_they_share(
    work: Work, db: Database
) -> None:
    ids = [await work.add("Ada", phone="718 555 0142", postal_code="11416") for _ in range(3)]
    await place(db, ids[0], "place-1")
    await place(db, ids[1], "place-2")
    assert [(s.keep_id, s.other_id) for s in await suggestions(db)] == [(ids[0], ids[2])]
    await place(db, ids[2], "place-3")
    assert await suggestions(db) == []


async def test_a_number_found_to_be_wrong_suggests_nothing(work: Work, db: Database) -> None:
    one = await work.add("Ada", phone="718 555 0142")
    await work.add("Zoe", phone="718 555 0142")
    async with db.write() as session:
        await session.execute(
            update(ContactPoint)
            .where(ContactPoint.business_id == one)
            .values(state=ContactState.INVALID)
        )
    assert await suggestions(db) == []


async def test_leads_said_not_to_be_the_same_are_never_suggested_again(
    work: Work, db: Database, settings: Settings
) -> None:
    one, other = [await work.add("Ada", phone="718 555 0142") for _ in range(2)]
    async with undo.action(db, "said they are not the same", now=work.tick()) as session:
        await duplicates.say_distinct(session, other, one, now=work.now)
    assert await suggestions(db) == []
    async with db.read() as session:
        assert await suggestions_for(session, other) == []
    await work.take_back()
    assert len(await suggestions(db)) == 1
    async with db.write() as session:
        with pytest.raises(BadInput):
            await duplicates.say_distinct(session, one, one, now=work.now)
        with pytest.raises(NotFound):
            await duplicates.say_distinct(session, one, 99, now=work.now)


async def test_the_surest_come_first_and_the_one_that_was_worked_on_is_kept(
    work: Work, db: Database
) -> None:
    twins = [await work.add("Zoe", postal_code="11416") for _ in range(2)]
    phones = [await work.add(name, phone="718 555 0142") for name in ("Ada", "Bea", "Cy")]
    await work.call(phones[2], CallOutcome.TALKED)
    found = await suggestions(db)
    assert [(s.keep_id, s.other_id) for s in found] == [
        (phones[0], phones[1]),
        (phones[2], phones[0]),
        (twins[0], twins[1]),
    ]
    assert await suggestions(db, limit=1) == found[:1]


async def test_every_page_of_shared_keys_is_looked_at(
    work: Work, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "PAGE", 2)
    for number in range(5):
        for _ in range(2):
            await work.add(f"Lead {number}", phone=f"718 555 015{number}")
            await work.add(f"Twin {number}", postal_code=f"1141{number}")
            await work.add(f"Mail {number}", email=f"a{number}@gmail.com")
            await work.add(f"Web {number}", website=f"web-{number}.com")
    assert len(await suggestions(db)) == 20


async def test_archived_leads_are_left_out(work: Work, db: Database) -> None:
    one, _ = [await work.add("Ada", phone="718 555 0142") for _ in range(2)]
    async with db.write() as session:
        await session.execute(
            update(Business).where(Business.id == one).values(archived_at=work.now)
        )
    assert await suggestions(db) == []


async def test_looking_for_duplicates_can_be_cancelled(work: Work, db: Database) -> None:
    for _ in range(2):
        await work.add("Ada", phone="718 555 0142")
    looking = asyncio.ensure_future(suggestions(db))
    await asyncio.sleep(0)
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    assert len(await suggestions(db)) == 1


async def test_a_real_list_of_plumbers_suggests_nothing_as_google_knows_each_place(
    work: Work, db: Database, real_lists: Path, settings: Settings
) -> None:
    path = real_lists / "outscraper_plumbers_ny.csv"
    await import_file(db, path, settings=settings, now=work.now)
    assert await suggestions(db) == []


async def test_an_import_is_taken_back_although_its_leads_were_said_to_be_distinct(
    work: Work, db: Database, tmp_path: Path, settings: Settings
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("name,phone\nAda,718 555 0142\nBea,718 555 0143\n")
    batch = (await import_file(db, path, settings=settings, now=work.now)).batch
    assert batch is not None
    async with db.write() as session:
        await duplicates.say_distinct(session, 1, 2, now=work.now)
    result = await take_import_back(db, batch, settings=settings, now=work.tick())
    assert (result.deleted, result.left) == (2, [])


async def test_an_import_finds_the_kept_lead_by_all_that_led_to_the_merged_one(
    work: Work, db: Database, tmp_path: Path, settings: Settings
) -> None:
    path = tmp_path / "list.csv"
    rows = ["Ada,718 555 0142,,place-1", "Bea,,bea@gmail.com,place-2", "Cy,718 555 0144,,place-3"]
    path.write_text("\n".join(["name,phone,email,place_id", *rows]) + "\n")
    places = {"place_id": "place_id"}
    await import_file(db, path, settings=settings, now=work.now, mapping=places)
    await work.merge(1, 2)
    await work.merge(3, 1)
    again = await import_file(db, path, settings=settings, now=work.tick(), mapping=places)
    assert (again.created, again.merged, again.skipped) == (0, 0, 3)
    await work.split(2)
    again = await import_file(db, path, settings=settings, now=work.tick(), mapping=places)
    assert (again.created, again.merged, again.skipped) == (0, 0, 3)


@pytest.mark.parametrize("written", ["user@domain.com", "none", "see website", "x@sentry.io"])
async def test_what_is_nobodys_address_makes_no_two_leads_alike(
    work: Work, db: Database, tmp_path: Path, settings: Settings, written: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"name,email\nAda Plumbing,{written}\nAda Plumbing,{written}\nZoe,{written}\n")
    assert (await import_file(db, path, settings=settings, now=work.now)).created == 2
    assert await suggestions(db) == []
    async with db.read() as session:
        assert await suggestions_for(session, 1) == []
