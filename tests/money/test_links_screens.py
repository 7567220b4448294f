"""L on a lead: its payment link, made and copied, or a request with bank details."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from sqlalchemy import select
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from crm_tui.app import CrmApp
from crm_tui.db.engine import Database
from crm_tui.db.models import Event, Message
from crm_tui.providers.base import Unavailable
from crm_tui.screens.dialogs import Picker
from crm_tui.screens.mail_texts import LetterForm
from crm_tui.services.money import links
from crm_tui.services.money.links import LinkRow
from crm_tui.vocabulary import EventKind, LinkState, Mode, PaymentState
from crm_tui.widgets.forms import Form
from crm_tui.widgets.frame import Footer
from tests.conftest import NOW, AddLead
from tests.money.making import Till, add_plan, pay
from tests.screens.mailings import SETTINGS
from tests.screens.settling import press, settle

BANK = replace(SETTINGS, money=replace(SETTINGS.money, bank_details="IBAN 1"))


class Account(Till):
    """A till that is opened like an account at a provider."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    monkeypatch.setattr(
        "crm_tui.services.money.provider.StripePayments", lambda *_settings: account
    )
    return account


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_tui.app._MAIL_AFTER", 3600.0)


@pytest.fixture
async def pilot(
    db: Database, add_lead: AddLead, store_path: Path, account: Account, tmp_path: Path
) -> AsyncIterator[Pilot[None]]:
    del account
    await add_plan(db, NOW)
    await add_lead("Ada Plumbing", city="Queens", email="jo@ada-plumbing.com")
    await add_lead("Best Plumbing", email="jo@best-plumbing.com")
    copies = replace(BANK.clipboard, command=("tee", str(tmp_path / "copied")))
    app = CrmApp(store_path, replace(BANK, clipboard=copies), now=lambda: NOW)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        yield pilot


def said(pilot: Pilot[None]) -> str:
    return pilot.app.screen_stack[0].query_one(Footer).words


async def all_links(db: Database) -> list[LinkRow]:
    async with db.read() as session:
        return await links.listed(session)


async def test_a_link_is_made_and_copied_and_found_again(
    pilot: Pilot[None], db: Database, account: Account, tmp_path: Path
) -> None:
    await press(pilot, ("L",))
    assert isinstance(pilot.app.screen, Picker)
    await press(pilot, ("enter",))
    (link,) = await all_links(db)
    assert (link.business, link.state) == ("Ada Plumbing", LinkState.OPEN)
    assert (tmp_path / "copied").read_text() == link.url
    assert said(pilot).startswith("Payment link of Ada Plumbing")
    await press(pilot, ("L", "enter"))
    assert account.asked == ["prices", "link"]


@pytest.mark.parametrize("width", [80, 40])
async def test_what_l_offers_takes_a_line_each_and_is_not_cut_where_there_is_room(
    pilot: Pilot[None], width: int
) -> None:
    await pilot.resize_terminal(width, 24)
    await press(pilot, ("L",))
    options = pilot.app.screen.query_one(OptionList)
    lines = [str(each.prompt) for each in options.options]
    assert options.size.height == len(lines) == 2
    assert all(cell_len(line) <= width - 6 for line in lines)
    assert any("…" in line for line in lines) is (width == 40)
    assert "make a link: " in lines[0]


async def test_a_provider_that_is_gone_is_said(
    pilot: Pilot[None], db: Database, account: Account
) -> None:
    account.breaks["link"] = Unavailable("Stripe cannot be reached")
    await press(pilot, ("L", "enter"))
    assert said(pilot) == "Stripe cannot be reached"
    (link,) = await all_links(db)
    assert link.state is LinkState.CREATING


async def test_of_a_selection_each_lead_gets_one(pilot: Pilot[None], db: Database) -> None:
    await press(pilot, ("*", "L", "enter"))
    assert await all_links(db) == []  # it asks before
    await press(pilot, ("enter",))
    assert {link.business for link in await all_links(db)} == {"Ada Plumbing", "Best Plumbing"}
    assert said(pilot) == "2 payment links made, 0 there already."


async def test_a_request_is_written_as_a_mail(pilot: Pilot[None], db: Database) -> None:
    await press(pilot, ("L", "down", "enter", "enter"))
    assert isinstance(pilot.app.screen, LetterForm)
    await press(pilot, ("ctrl+s",))
    (request,) = await all_links(db)
    async with db.read() as session:
        (message,) = await session.scalars(select(Message))
    assert message.subject == f"Payment request {request.reference}"
    assert f"it is yours: {request.reference}" in (message.body or "")


async def test_a_request_is_written_as_a_page(
    pilot: Pilot[None], db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")  # there is no browser here
    page = tmp_path / "page.html"
    page.write_text("something else")
    await press(pilot, ("L", "down", "enter", "down", "enter"))
    assert isinstance(pilot.app.screen, Form)
    pilot.app.screen.query_one("#path", Input).value = str(page)
    await press(pilot, ("enter",))
    assert page.read_text() == "something else"  # it was there already
    await press(pilot, ("enter",))
    (request,) = await all_links(db)
    assert request.reference in page.read_text()


async def test_without_a_plan_there_is_nothing_to_pay_for(
    db: Database, add_lead: AddLead, store_path: Path
) -> None:
    await add_lead("Ada Plumbing")
    del db
    async with CrmApp(store_path, SETTINGS, now=lambda: NOW).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, ("L",))
        assert said(pilot).startswith("There is no plan to pay for yet")


async def test_today_deals_with_a_failed_payment(pilot: Pilot[None], db: Database) -> None:
    at = NOW - timedelta(hours=1)
    await pay(db, 1, at, mode=Mode.LIVE, state=PaymentState.FAILED, failure="expired")
    await press(pilot, ("2", "x"))
    async with db.read() as session:
        (done,) = await session.scalars(
            select(Event.summary).where(Event.kind == EventKind.TASK_DONE)
        )
    assert done == "failed payment dealt with"
    assert said(pilot).startswith("Dealt with the failed payment of Ada Plumbing.")
