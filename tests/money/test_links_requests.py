"""Payment requests: bank details, a reference to name, as a text and as a page to print."""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.config.sections import MoneySettings, OperatorSettings, SenderSettings
from crm_tui.db.engine import Database
from crm_tui.db.models import Event
from crm_tui.errors import BadInput, NotFound
from crm_tui.services.money import links, plans, requests
from crm_tui.services.money.offered import offered
from crm_tui.services.money.requests import Request
from crm_tui.vocabulary import EventKind, Interval, LinkState, Mode
from tests.conftest import AddLead
from tests.money.making import Till, add_plan, make

SETTINGS = Settings(
    sender=SenderSettings(
        name="Anna Berg", email="anna@example.org", postal_address="5 Mill Lane\nBristol BS1 4QD"
    ),
    money=MoneySettings(bank_details="Anna Berg\n IBAN GB29 NWBK 6016 1331 9268 19\n\n"),
    operator=OperatorSettings(timezone="Asia/Tokyo"),
)


async def ask(
    db: Database, lead: int, plan: int, now: datetime, settings: Settings = SETTINGS
) -> Request:
    async with db.write() as session:
        number = await requests.ask(session, lead, plan, settings=settings, now=now)
    async with db.read() as session:
        return await requests.request(session, number, settings=settings)


async def test_a_request_says_what_is_to_be_paid_by_when_where_and_under_which_reference(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("Marsh & Sons", street="12 Chapel Row", city="Bath", country="GB")
    late = now.replace(hour=20)  # the next day in Tokyo
    asked = await ask(db, lead, await add_plan(db, now, setup_fee=9900), late)
    assert asked.amount == "148.00 USD"
    assert asked.parts == (("Care, first month", "49.00 USD"), ("Setup, once", "99.00 USD"))
    assert (asked.issued, asked.due) == (date(2026, 11, 23), date(2026, 12, 7))
    assert asked.issued == late.astimezone(ZoneInfo("Asia/Tokyo")).date()
    assert asked.payee == ("Anna Berg", "5 Mill Lane", "Bristol BS1 4QD", "anna@example.org")
    assert asked.payer == ("Marsh & Sons", "12 Chapel Row", "Bath", "GB")
    assert asked.bank == ("Anna Berg", "IBAN GB29 NWBK 6016 1331 9268 19")
    text = requests.as_text(asked)
    for said in (
        "Please transfer 148.00 USD by 7 December 2026 to:",
        "  IBAN GB29 NWBK 6016 1331 9268 19",
        f"so that I know it is yours: {asked.reference}",
        "From then on 49.00 USD a month",
    ):
        assert said in text
    async with db.read() as session:
        (told,) = await session.scalars(
            select(Event.summary).where(Event.kind == EventKind.PAYMENT_ASKED)
        )
        (link,) = await links.listed(session)
        assert await offered(session, [lead]) == {}  # it is no page to pay at
    assert told.endswith(f"reference {asked.reference}")
    assert (link.provider, link.mode, link.state) == ("bank", Mode.MANUAL, LinkState.OPEN)


async def test_what_is_paid_once_says_nothing_of_later(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    plan = await add_plan(db, now, interval=Interval.ONCE)
    asked = await ask(db, await add_lead("Ace"), plan, now)
    assert asked.parts == (("Care, one payment", "49.00 USD"),)
    assert asked.repeats == ""
    assert "From then on" not in requests.as_text(asked) + requests.as_page(asked)


async def test_a_request_is_made_once_for_a_lead_and_a_plan_beside_its_link(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead, plan = await add_lead("Ace"), await add_plan(db, now)
    asked = await ask(db, lead, plan, now)
    assert (await ask(db, lead, plan, now)).reference == asked.reference
    assert (await make(db, lead, plan, now, Till())).new
    other = await ask(db, await add_lead("Best"), plan, now)
    assert other.reference != asked.reference


def test_a_reference_has_no_letter_that_is_taken_for_another() -> None:
    made = {requests.reference_of(str(number)) for number in range(500)}
    assert len(made) == 500
    assert all(re.fullmatch("[2-9B-DF-HJKMNP-TV-Y]{4}-[2-9B-DF-HJKMNP-TV-Y]{4}", m) for m in made)


async def test_the_page_is_one_file_in_which_names_are_no_markup(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead = await add_lead("<script>alert(1)</script> & Sons", street="<img>")
    page = requests.as_page(await ask(db, lead, await add_plan(db, now, "A<b>"), now))
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Sons" in page
    assert "A&lt;b&gt;, first month" in page
    assert not re.search(r"(?:src|href)=|url\(|@import", page)


async def test_without_bank_details_or_a_plan_that_is_sold_nobody_is_asked(
    db: Database, add_lead: AddLead, now: datetime
) -> None:
    lead, plan = await add_lead("Ace"), await add_plan(db, now)
    with pytest.raises(BadInput, match="bank_details under \\[money\\]"):
        await ask(db, lead, plan, now, replace(SETTINGS, money=MoneySettings(bank_details=" \n")))
    with pytest.raises(NotFound):
        await ask(db, 99, plan, now)
    async with db.write() as session:
        await plans.archive(session, plan, now=now)
    with pytest.raises(BadInput, match="archive"):
        await ask(db, lead, plan, now)
    async with db.read() as session:
        assert await links.listed(session) == []
        with pytest.raises(NotFound):
            await requests.request(session, 1, settings=SETTINGS)
