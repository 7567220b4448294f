"""What is offered while a query is typed, and the facets of a list."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Campaign, CampaignStep, Message
from crm_tui.services import tags
from crm_tui.services.filters import QueryError, parse
from crm_tui.services.filters.complete import Completion, complete, place_at
from crm_tui.services.filters.facets import FACETS, facets
from crm_tui.services.filters.fields import FIELDS
from crm_tui.services.lead_query import LeadQuery
from tests.conftest import AddLead


async def completed(db: Database, typed: str) -> Completion:
    """What is offered at the "|" of a text."""
    cursor = typed.index("|")
    async with db.read() as session:
        return await complete(session, typed.replace("|", ""), cursor)


async def offered(db: Database, typed: str) -> list[tuple[str, int | None]]:
    return [(found.insert, found.leads) for found in (await completed(db, typed)).candidates]


@pytest.fixture
async def leads(db: Database, add_lead: AddLead, now: datetime) -> list[int]:
    """Six leads, of which the last is archived."""
    ids = [
        await add_lead(f"Lead {number}", city=city, category=category)
        for number, (city, category) in enumerate(
            [
                ("Queens", "Plumber"),
                ("QUEENS", "Plumber"),
                ("New York", "Café"),
                ("St. John's", ""),
                ("Newark", "Plumbing supply"),
                ("Queens", "Plumber"),
            ]
        )
    ]
    async with db.write() as session:
        await session.execute(
            update(Business).where(Business.id == ids[-1]).values(archived_at=now)
        )
        await session.execute(
            update(Business)
            .where(Business.id == ids[0])
            .values(custom={"Our id": 7, "floors": 2, 'a"b': ""})
        )
    return ids


async def test_fields_are_offered_with_what_follows_them(db: Database) -> None:
    names = await offered(db, "|")
    assert names[0] == ("status:", None)
    assert await offered(db, "plumb ci|") == [("city:", None)]
    assert await offered(db, "-(SC|") == [("score>=", None)]
    assert ("called<", None) in await offered(db, "ca|")
    assert await offered(db, "nothing|") == []
    assert (await completed(db, "act|")).candidates[0].hint == FIELDS["activity"].hint


async def test_never_is_offered_of_mails(db: Database) -> None:
    assert await offered(db, "mailed:ne|") == [("never", None)]
    assert await offered(db, "mailed<ne|") == []


async def test_campaigns_are_offered_with_their_recipients_the_newest_first(
    db: Database, leads: list[int], now: datetime
) -> None:
    async with db.write() as session:
        for number, name in enumerate(("Spring mail", "Autumn mail", "spring mail"), start=1):
            session.add(
                Campaign(
                    id=number,
                    key=str(number),
                    name=name,
                    name_folded=name.lower(),
                    audience={},
                    created_at=now,
                    updated_at=now,
                )
            )
            await session.flush()
            session.add(
                CampaignStep(id=number, campaign_id=number, position=1, template="a", source="")
            )
        await session.flush()
        for step, lead in ((1, leads[0]), (3, leads[0]), (3, leads[1])):
            session.add(
                Message(
                    key=f"{step} {lead}",
                    message_id=f"<{step}.{lead}@acme.example>",
                    token=f"{step}.{lead}",
                    business_id=lead,
                    origin_id=lead,
                    campaign_id=step,
                    step_id=step,
                    address=f"{lead}@acme.example",
                    created_at=now,
                )
            )
    assert await offered(db, "campaign:|") == [('"spring mail"', 2), ('"Autumn mail"', 0)]
    assert await offered(db, "campaign:aut|") == [('"Autumn mail"', 0)]


@pytest.mark.usefixtures("leads")
async def test_values_are_offered_with_how_many_leads_have_them(db: Database) -> None:
    assert await offered(db, "city:|") == [
        ("Queens", 2),
        ('"New York"', 1),
        ("Newark", 1),
        ('"St. John\'s"', 1),
    ]
    assert await offered(db, "city:new|") == [('"New York"', 1), ("Newark", 1)]
    assert await offered(db, "city:york|") == [('"New York"', 1)]
    assert await offered(db, 'city:Queens,"new y|') == [('"New York"', 1)]
    assert await offered(db, "category:~PLUMB|") == [("Plumber", 2), ('"Plumbing supply"', 1)]
    assert await offered(db, "category:cafe|") == [("Café", 1)]
    assert await offered(db, "source:|") == [("you", 5)]
    assert await offered(db, "status:pend|") == [("pending", 5)]
    assert ("called", 0) in await offered(db, "status:|")
    assert await offered(db, "has:web|") == [("website", None)]
    assert await offered(db, "is:ne|") == [("never", None)]
    assert ("last-week", None) in await offered(db, "created:|")
    assert ("7d", None) in await offered(db, "activity<|")


@pytest.mark.usefixtures("leads")
async def test_fields_of_ones_own_are_offered(db: Database) -> None:
    assert await offered(db, "custom.|") == [
        ('custom."Our id":', None),
        ('custom."a\\"b":', None),
        ("custom.floors:", None),
    ]
    assert await offered(db, "custom.FL|") == [("custom.floors:", None)]


@pytest.mark.usefixtures("leads")
@pytest.mark.parametrize(
    ("typed", "after"),
    [
        ("ci|", "city:"),
        ("plumb ci|ty", "plumb city:"),
        ("-city:que|", "-city:Queens"),
        ("city:Que|ens score>5", "city:Queens score>5"),
        ("(city:x,new y|", "(city:x,new y"),
        ('city:"new y|', 'city:"New York"'),
        ("city:~que|", "city:Queens"),
    ],
)
async def test_what_is_chosen_takes_the_place_of_what_was_typed(
    db: Database, typed: str, after: str
) -> None:
    found = await completed(db, typed)
    text = typed.replace("|", "")
    if found.candidates:
        text = text[: found.start] + found.candidates[0].insert + text[found.end :]
    assert text == after


@pytest.mark.usefixtures("leads")
@pytest.mark.parametrize(
    "typed", ['"a phrase|', '"a phrase"|', "nofield:x|", "name:x|", "score>=|"]
)
async def test_where_anything_may_stand_nothing_is_offered(db: Database, typed: str) -> None:
    assert await offered(db, typed) == []


@given(st.text(':,.~*"()-<>=! orcitysndag7\\', max_size=30))
def test_whatever_is_typed_there_is_a_place_or_none(typed: str) -> None:
    place = place_at(typed)
    assert place is None or 0 <= place.start <= len(typed)


@pytest.mark.usefixtures("leads")
async def test_every_value_that_is_offered_can_be_read(db: Database) -> None:
    for field in FIELDS:
        for operator in (":", ">="):
            for text, _ in await offered(db, f"{field}{operator}|"):
                try:
                    parse(f"{field}{operator}{text}")
                except QueryError as error:
                    pytest.fail(str(error))


async def test_facets_count_the_leads_of_a_list(
    db: Database, leads: list[int], now: datetime
) -> None:
    async with db.write() as session:
        await tags.add(session, leads[:3], "VIP", now=now)
        await tags.add(session, leads[2:], "warm", now=now)
    counted = {}
    async with db.read() as session:
        for field in FACETS:
            counted[field] = await facets(session, LeadQuery("-city:newark"), field)
        few = await facets(session, LeadQuery(), "city", limit=1)
    assert counted == {
        "status": [("pending", 4)],
        "category": [("Plumber", 2), ("Café", 1)],
        "city": [("Queens", 2), ("New York", 1), ("St. John's", 1)],
        "source": [("you", 4)],
        "tag": [("VIP", 3), ("warm", 2)],
    }
    assert few == [("Queens", 2)]
