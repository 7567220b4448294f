"""The list of those not to be contacted, with the keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select
from textual.widgets import Input

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Suppression
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.suppression import SuppressionScreen
from crm_tui.services import suppression
from crm_tui.services.suppression import Entry, read_value
from tests.conftest import NOW
from tests.screens.looks import Look, SnapCompare, in_every_look, pressed
from tests.screens.settling import press, settle
from tests.screens.ways import WAYS

WAY = WAYS["suppression"].keys


async def _fill(path: Path) -> None:
    db = Database(path)
    async with db.read() as session:
        email = await session.scalar(select(Business.email).where(Business.email.is_not(None)))
    for typed, why in (
        (str(email), "they unsubscribed"),
        ("718-555-0142", "asked us to stop"),
        ("roofing.com", "competitor"),
        ("ann@elsewhere.com", "on the list stop-2026.csv"),
        ("lead:12", "closed down"),
    ):
        entry = Entry(read_value(typed, region="US"), why)
        await suppression.add(db, entry, now=NOW)
    await db.close()


@pytest.fixture
def store(demo: Path) -> Path:
    asyncio.run(_fill(demo))
    return demo


def app(path: Path) -> CrmApp:
    return CrmApp(path, Settings(), now=lambda: NOW, environ={})


def is_lead(crm: CrmApp) -> bool:
    return isinstance(crm.screen, LeadScreen)


async def on_list(crm: CrmApp) -> set[str]:
    db = await crm.store()
    async with db.read() as session:
        return set(await session.scalars(select(Suppression.value)))


async def test_somebody_is_put_on_the_list_found_there_and_taken_off(demo: Path) -> None:
    crm = app(demo)
    async with crm.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, WAY)
        assert isinstance(crm.screen, SuppressionScreen)
        before = await on_list(crm)
        await press(pilot, ("a", *"rubbish", "ctrl+s"))
        assert "is no address" in str(crm.screen.query("#form-words, .told").first().render())
        crm.screen.query(Input).first().value = "Joe@Acme.com"
        await press(pilot, ("tab", *"asked", "enter"))
        assert await on_list(crm) == before | {"joe@acme.com"}
        await press(pilot, ("/", *"acme", "enter", "x", *"mistake", "enter"))
        assert await on_list(crm) == before
        await press(pilot, ("u",))
        assert await on_list(crm) == before | {"joe@acme.com"}


async def test_enter_opens_the_lead(store: Path) -> None:
    crm = app(store)
    async with crm.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, (*WAY, "/", *"closed", "enter", "enter"))
        assert isinstance(crm.screen, LeadScreen)
        assert is_lead(crm)
        await press(pilot, ("q",))
        assert not is_lead(crm)


async def test_what_they_asked_for_themselves_stays_and_the_form_says_so(store: Path) -> None:
    crm = app(store)
    async with crm.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, (*WAY, "/", *"they unsub", "enter"))
        before = await on_list(crm)
        await press(pilot, ("x", *"mistake", "enter"))
        assert await on_list(crm) == before
        assert not isinstance(crm.screen, SuppressionScreen)
        await press(pilot, ("escape", "escape"))


@in_every_look
def test_the_list_looks_as_agreed(look: Look, store: Path, snap_compare: SnapCompare) -> None:
    assert look.compare(snap_compare, store, run_before=pressed(*WAY, "j"))


def test_the_empty_list_says_what_to_do(store_path: Path, snap_compare: SnapCompare) -> None:
    assert Look(80, 24).compare(snap_compare, store_path, run_before=pressed(*WAY))


def test_the_form_looks_as_agreed(store: Path, snap_compare: SnapCompare) -> None:
    keys = (*WAY, "a")
    assert Look(80, 24).compare(snap_compare, store, run_before=pressed(*keys))
