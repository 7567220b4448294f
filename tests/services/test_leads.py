from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import lead_rows, leads, timeline, voiding
from crm_tui.services.lead_query import SORT_COLUMNS, LeadQuery, Sort
from crm_tui.services.leads import LeadPage
from crm_tui.vocabulary import CallOutcome, ContactKind, ContactStatus, Outcome

if TYPE_CHECKING:
    from tests.conftest import AddLead


async def page_of(db: Database, lead: int, settings: Settings, now: datetime) -> LeadPage:
    async with db.read() as session:
        return await leads.page(session, lead, settings=settings, now=now)


async def names(db: Database, words: str = "", sort: str | None = None) -> list[str]:
    query = LeadQuery(words, Sort.parse(sort) if sort else None)
    async with db.read() as session:
        rows = await lead_rows.first_rows(session, query, limit=100)
        assert await lead_rows.count(session, query) == len(rows)
    assert list(await lead_rows.order(db, query)) == [row.id for row in rows]
    return [row.name for row in rows]


async def test_countries_and_time_zones_are_those_that_there_are(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Ada", country="usa", timezone="america/new_york")
    async with db.read() as session:
        page = await leads.page(session, lead, settings=settings, now=now)
    assert page.business["country"] == "US"
    assert page.business["timezone"] == "America/New_York"
    with pytest.raises(BadInput, match="'Mars/Base' is not a time zone"):
        await add_lead("Bea", timezone="Mars/Base")


async def test_a_lead_is_added_with_its_contacts_normalised(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead(
        "Joe's  Plumbing",
        phone="(518) 871-1647",
        email="Joe@ACME.com",
        website="acme.com",
        city="Albany",
    )
    page = await page_of(db, lead, settings, now)
    assert page.business["name"] == "Joe's Plumbing"
    assert page.business["phone"] == "+15188711647"
    assert page.business["email"] == "joe@acme.com"
    assert page.business["website"] == "https://acme.com/"
    assert {point.kind for point in page.points if point.is_primary} == {
        ContactKind.PHONE,
        ContactKind.EMAIL,
        ContactKind.WEBSITE,
    }
    assert page.score.total == page.business["qualification_score"] > 0


async def test_a_page_on_a_network_is_no_website_of_its_own(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", website="facebook.com/joesplumbing")
    page = await page_of(db, lead, settings, now)
    assert page.business["website"] is None
    assert [point.kind for point in page.points] == [ContactKind.SOCIAL]


async def test_a_lead_with_the_phone_of_another_is_refused_by_name(add_lead: AddLead) -> None:
    await add_lead("Joe", phone="518-871-1647")
    with pytest.raises(BadInput, match=r"Joe \(lead 1\) has the same phone"):
        await add_lead("Jim", phone="+1 518 871 1647")


@pytest.mark.parametrize(
    "fields",
    [{"name": " "}, {"name": "A", "phone": "12"}, {"name": "A", "country": "XX"}, {"nam": "A"}],
)
async def test_a_value_that_cannot_be_used_adds_nothing(
    db: Database, settings: Settings, now: datetime, fields: dict[str, str]
) -> None:
    with pytest.raises(BadInput):
        async with db.write() as session:
            await leads.add(session, fields, settings=settings, now=now)
    assert await names(db) == []


async def test_editing_writes_the_field_the_timeline_and_what_follows(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    before = (await page_of(db, lead, settings, now)).score.total
    async with db.write() as session:
        changed = await leads.edit(
            session, lead, {"city": "Queens", "email": "joe@acme.com"}, settings=settings, now=now
        )
    assert changed == ("city", "email")
    page = await page_of(db, lead, settings, now)
    assert page.business["city"] == "Queens"
    assert page.score.total > before
    assert await names(db, "queens") == ["Joe"]
    async with db.read() as session:
        entries = await timeline.entries(session, lead)
    assert entries[0].summary == "changed city, email"
    assert entries[0].data["fields"]["city"] == [None, "Queens"]


async def test_editing_nothing_writes_nothing(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", city="Queens")
    async with db.write() as session:
        assert await leads.edit(session, lead, {"city": "Queens"}, settings=settings, now=now) == ()
    async with db.read() as session:
        assert len(await timeline.entries(session, lead)) == 1


async def test_clearing_the_primary_e_mail_makes_the_next_one_primary(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", email="old@acme.com")
    for value in ("new@acme.com", ""):
        async with db.write() as session:
            await leads.edit(session, lead, {"email": value}, settings=settings, now=now)
    assert (await page_of(db, lead, settings, now)).business["email"] == "old@acme.com"


async def test_a_lead_that_is_not_there_is_said_by_number(
    db: Database, settings: Settings, now: datetime
) -> None:
    with pytest.raises(NotFound, match="no lead 7"):
        await page_of(db, 7, settings, now)


async def test_the_list_is_in_the_order_of_the_domain(db: Database, add_lead: AddLead) -> None:
    await add_lead("With site", phone="518-871-1641", website="a.com")
    await add_lead("The Best", phone="518-871-1642", category="Plumber")
    await add_lead("able", phone="518-871-1643", category="Plumber")
    assert await names(db) == ["able", "The Best", "With site"]


@pytest.mark.parametrize("column", SORT_COLUMNS)
@pytest.mark.parametrize("direction", ["", "-"])
async def test_every_column_sorts_both_ways_with_missing_values_last(
    db: Database, add_lead: AddLead, column: str, direction: str
) -> None:
    await add_lead("A", city="X", category="C", region="R", phone="518-871-1641")
    await add_lead("B", city="Y", category="D", region="S", phone="518-871-1642")
    await add_lead("C")
    listed = await names(db, sort=direction + column)
    assert sorted(listed) == ["A", "B", "C"]
    if column in {"city", "category", "region", "phone"}:
        assert listed == (["B", "A", "C"] if direction else ["A", "B", "C"])


def test_an_unknown_column_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(BadInput, match="choose one of score, name"):
        Sort.parse("shoe_size")


@pytest.mark.parametrize(
    "words",
    [
        "plumb",
        "JOES",
        "518-871",
        "(518) 871-1647",
        "8711647",
        "5188711",
        "joe@acme",
        "albany",
        "cafe",
    ],
)
async def test_words_find_name_phone_e_mail_city_category_and_notes(
    db: Database, add_lead: AddLead, now: datetime, words: str
) -> None:
    lead = await add_lead(
        "Joes Plumbing", phone="518-871-1647", email="joe@acme.com", city="Albany", category="Café"
    )
    await add_lead("Other")
    async with db.write() as session:
        await timeline.add_note(session, lead, "loves dragons", now=now)
    assert await names(db, words) == ["Joes Plumbing"]
    assert await names(db, "drag") == ["Joes Plumbing"]


@pytest.mark.parametrize(
    "words", ["a* b*", "a AND NEAR(b)", "name:x", "'; drop table business", "a ^"]
)
async def test_no_words_reach_the_search_index_as_anything_but_words(
    db: Database, words: str
) -> None:
    await names(db, words)


async def test_a_call_in_which_somebody_answered_is_as_good_as_a_reply(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    statuses = []
    for outcome in (CallOutcome.NO_ANSWER, CallOutcome.TALKED, CallOutcome.VOICEMAIL):
        async with db.write() as session:
            await timeline.log_call(session, lead, outcome, now=now)
        statuses.append((await page_of(db, lead, settings, now)).business["contact_status"])
    assert statuses == [ContactStatus.CALLED, ContactStatus.REPLIED, ContactStatus.REPLIED]


async def test_no_loses_the_lead_and_a_wrong_number_marks_the_phone(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    async with db.write() as session:
        await timeline.log_call(session, lead, CallOutcome.NO, now=now)
        await timeline.log_call(session, lead, CallOutcome.WRONG_NUMBER, now=now)
    page = await page_of(db, lead, settings, now)
    assert page.business["outcome"] is Outcome.LOST
    assert page.points[0].state == "invalid"


async def test_a_status_set_by_hand_overrules_what_was_known_and_not_what_comes(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    async with db.write() as session:
        await timeline.log_call(session, lead, CallOutcome.TALKED, now=now)
        await timeline.set_status(session, lead, ContactStatus.PENDING, now=now)
    assert (await page_of(db, lead, settings, now)).business["contact_status"] == "pending"
    async with db.write() as session:
        await timeline.log_call(
            session, lead, CallOutcome.NO_ANSWER, at=now - timedelta(days=3), now=now
        )
    assert (await page_of(db, lead, settings, now)).business["contact_status"] == "called"


async def test_a_corrected_call_takes_back_what_the_wrong_one_did(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    async with db.write() as session:
        await timeline.log_call(session, lead, CallOutcome.TALKED, note="nice", now=now)
    async with db.read() as session:
        wrong = (await timeline.entries(session, lead))[0]
    async with db.write() as session:
        await timeline.correct(
            session,
            wrong.id,
            text="nobody there",
            outcome=CallOutcome.NO_ANSWER,
            at=now - timedelta(hours=1),
            now=now,
        )
    page = await page_of(db, lead, settings, now)
    assert page.business["contact_status"] == "called"
    async with db.read() as session:
        entries = await timeline.entries(session, lead)
    assert [(e.summary, e.body) for e in entries if e.kind == "call"] == [
        ("call: no answer", "nobody there")
    ]
    assert await names(db, "nice") == []
    assert await names(db, "nobody") == ["Joe"]


@pytest.mark.parametrize("wrong", [CallOutcome.NO, CallOutcome.LATER, CallOutcome.WRONG_NUMBER])
async def test_correcting_a_call_takes_back_its_outcome_and_the_invalid_phone(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime, wrong: CallOutcome
) -> None:
    lead = await add_lead("Joe", phone="518-871-1647")
    async with db.write() as session:
        await timeline.log_call(session, lead, wrong, now=now)
    async with db.read() as session:
        entry = (await timeline.entries(session, lead))[0]
    async with db.write() as session:
        await timeline.correct(session, entry.id, text="", outcome=CallOutcome.TALKED, now=now)
    page = await page_of(db, lead, settings, now)
    assert page.business["outcome"] is Outcome.OPEN
    assert page.points[0].state == "unknown"


async def test_a_corrected_note_keeps_its_place_in_time(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Joe")
    async with db.write() as session:
        await timeline.add_note(session, lead, "tpyo", now=now)
    async with db.read() as session:
        note = (await timeline.entries(session, lead))[0]
    later = now + timedelta(days=1)
    async with db.write() as session:
        await timeline.correct(session, note.id, text="typo", now=later)
    async with db.read() as session:
        entries = await timeline.entries(session, lead)
    assert [(e.body, e.at) for e in entries if e.kind == "note"] == [("typo", now)]


async def test_notes_and_calls_lie_in_the_past(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Joe")
    with pytest.raises(BadInput, match="future"):
        async with db.write() as session:
            await timeline.add_note(session, lead, "x", at=now + timedelta(hours=1), now=now)
    with pytest.raises(BadInput, match="empty"):
        async with db.write() as session:
            await timeline.add_note(session, lead, " \n", now=now)


async def test_voiding_a_void_brings_the_event_back(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe")
    async with db.write() as session:
        call = await timeline.log_call(session, lead, CallOutcome.TALKED, now=now)
        void = await voiding.void(session, lead, [call], why="undo", now=now + timedelta(seconds=1))
    assert (await page_of(db, lead, settings, now)).business["contact_status"] == "pending"
    assert (await page_of(db, lead, settings, now)).business["last_activity"] == "captured by hand"
    async with db.write() as session:
        await voiding.void(session, lead, [void], why="redo", now=now + timedelta(seconds=2))
    page = await page_of(db, lead, settings, now)
    assert page.business["contact_status"] == "replied"
    assert page.business["last_activity"] == "call: talked"


async def test_the_last_activity_is_the_latest_and_not_the_last_written(
    db: Database, add_lead: AddLead, settings: Settings, now: datetime
) -> None:
    lead = await add_lead("Joe")
    async with db.write() as session:
        await timeline.add_note(session, lead, "old", at=now - timedelta(days=9), now=now)
    assert (await page_of(db, lead, settings, now)).business["last_activity"] == "captured by hand"
