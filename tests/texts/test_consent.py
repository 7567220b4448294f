"""Consent to text messages: recorded, undone, merged, erased, exported, and looked at by doctor."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Consent, ContactPoint, Message
from crm_tui.errors import BadInput
from crm_tui.services import bulk, consent, export, leads, undo
from crm_tui.services import erase as erasing
from crm_tui.services import merge as merging
from crm_tui.services.doctor import examine
from crm_tui.services.lead_query import LeadQuery
from tests.campaigns.making import a_running
from tests.conftest import AddLead, Cli
from tests.texts.texting import a_desk, a_text, add_called, agree, settings_to_text

NUMBER = "+17185550201"


async def given(db: Database) -> list[tuple[int, str, str, datetime | None]]:
    async with db.read() as session:
        rows = await session.execute(
            select(Consent.business_id, Consent.value, Consent.how, Consent.withdrawn_at).order_by(
                Consent.id
            )
        )
        return [(lead, number, how, until) for lead, number, how, until in rows]


async def test_consent_is_for_the_number_and_another_number_is_not_agreed_to(
    db: Database, now: datetime
) -> None:
    (lead,) = await add_called(db, 1, now)
    await agree(db, [lead], now)
    async with db.write() as session:
        await leads.edit(session, lead, {"phone": "+17185550299"}, settings=Settings(), now=now)
    async with db.read() as session:
        assert await consent.standing(session, lead) is None
        page = await leads.page(session, lead, settings=Settings(), now=now)
    assert [bool(point.agreed) for point in page.points if point.is_primary] == [False]


@pytest.mark.parametrize("how", ["", "  ", "x" * 301])
async def test_how_they_agreed_has_to_be_said_in_a_line(
    db: Database, now: datetime, how: str
) -> None:
    (lead,) = await add_called(db, 1, now)
    with pytest.raises(BadInput):
        async with db.write() as session:
            await consent.for_lead(session, lead, how, now=now)
    assert await given(db) == []


async def test_nobody_agrees_tomorrow(db: Database, now: datetime) -> None:
    (lead,) = await add_called(db, 1, now)
    later = now + timedelta(days=1)
    with pytest.raises(BadInput, match="future"):
        async with db.write() as session:
            await consent.for_lead(session, lead, "said so", given_at=later, now=now)


async def test_withdrawing_what_was_not_given_is_refused(db: Database, now: datetime) -> None:
    (lead,) = await add_called(db, 1, now)
    with pytest.raises(BadInput, match="nothing to withdraw"):
        async with db.write() as session:
            await consent.for_lead(session, lead, "", withdraw_it=True, now=now)


async def test_undo_takes_consent_back_and_redo_gives_it_again(db: Database, now: datetime) -> None:
    (lead,) = await add_called(db, 1, now)
    result = await bulk.run(db, [lead], bulk.give_consent("signed up"), now=now)
    assert result.changed == 1
    before = await given(db)
    await undo.undo(db, settings=Settings(), now=now)
    assert await given(db) == []
    await undo.redo(db, settings=Settings(), now=now)
    assert await given(db) == before == [(lead, NUMBER, "signed up", None)]


async def test_merged_leads_keep_the_first_consent_for_a_number_and_undo_splits_them(
    db: Database, now: datetime
) -> None:
    kept, other = await add_called(db, 2, now)
    async with db.write() as session:
        await session.execute(
            update(ContactPoint).where(ContactPoint.business_id == other).values(value=NUMBER)
        )
        await consent.give(session, [other], "first", now=now)
        await session.execute(update(Consent).values(value=NUMBER))
        await consent.give(session, [kept], "second", now=now + timedelta(hours=1))
    before = await given(db)
    async with undo.action(db, "merged", now=now) as session:
        await merging.merge(session, kept, [other], score=Settings().score, now=now)
    assert await given(db) == [(kept, NUMBER, "first", None)]
    await undo.undo(db, settings=Settings(), now=now)
    assert await given(db) == before


async def test_erasing_a_lead_erases_its_consent(db: Database, now: datetime) -> None:
    (lead,) = await add_called(db, 1, now)
    await agree(db, [lead], now)
    await erasing.erase(db, lead, settings=Settings(), now=now)
    assert await given(db) == []


async def test_an_export_holds_who_agreed(db: Database, now: datetime, tmp_path: Path) -> None:
    (lead,) = await add_called(db, 1, now)
    await agree(db, [lead], now)
    target = tmp_path / "leads.json"
    await export.export_leads(db, LeadQuery(), form="json", target=target, now=now)
    (point,) = json.loads(target.read_text())["leads"][0]["points"]
    assert point["consent"] == {
        "given_at": now.isoformat(),
        "how": "asked for it on the phone",
    }


async def test_doctor_names_texts_that_went_without_consent(
    db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch, store_path: Path
) -> None:
    settings = settings_to_text()
    desk = a_desk(db, settings, monkeypatch)
    found = await add_called(db, 1, now)
    await agree(db, found, now)
    await a_running(db, settings, now, steps=(a_text(),))
    assert (await desk.at(now)).sent == 1
    report = await examine(store_path, settings=settings, now=now)
    assert [each.check for each in report.findings if "text" in each.check] == []
    assert report.ok
    async with db.write() as session:
        await session.delete((await session.scalars(select(Consent))).one())
        assert (await session.scalars(select(Message.id))).one()
    report = await examine(store_path, settings=settings, now=now)
    assert [each.check for each in report.findings] == ["unasked_texts"]


def test_the_command_records_and_withdraws(cli: Cli) -> None:
    cli("leads", "add", "Joe", "--phone", "518-871-1647")
    done = cli("leads", "consent", "1", "--how", "signed up", "--date", "2026-01-05", "--json")
    assert done.json["undo"] is not None
    shown = cli("leads", "show", "1", "--json").json
    assert shown["lead"]["contact_points"][0]["agreed_to_texts"] == "signed up, 2026-01-05"
    again = cli("leads", "consent", "1", "--how", "signed up")
    assert (again.code, "already" in again.err) == (1, True)
    assert cli("leads", "consent", "1", "--withdraw").code == 0
    assert cli("leads", "consent", "1", "--withdraw").code == 1
    assert cli("leads", "consent", "1", "--how", "x", "--date", "someday").code == 2
    cli("leads", "add", "Ann", "--email", "ann@shop.com")
    refused = cli("leads", "consent", "2", "--how", "x")
    assert (refused.code, "no phone number" in refused.err) == (1, True)


async def test_who_has_no_number_is_passed_over_among_many(
    db: Database, now: datetime, add_lead: AddLead
) -> None:
    (lead,) = await add_called(db, 1, now)
    other = await add_lead("Ann", email="ann@shop.com")
    result = await bulk.run(db, [lead, other], bulk.give_consent("signed up"), now=now)
    assert result.changed == 1
