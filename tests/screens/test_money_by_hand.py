"""Payments and plans by the keyboard."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, Static

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.screens.lead import LeadScreen
from crm_tui.screens.plans import PlansScreen
from crm_tui.services import leads
from crm_tui.services.money import listing, plans
from crm_tui.services.money.rows import PaymentRow
from crm_tui.vocabulary import Interval, Mode
from tests.conftest import NOW
from tests.screens.settling import press, settle
from tests.screens.ways import WAYS


def app(path: Path) -> CrmApp:
    return CrmApp(path, Settings(), now=lambda: NOW, environ={})


async def paid(crm: CrmApp) -> list[PaymentRow]:
    db = await crm.store()
    async with db.read() as session:
        return await listing.payments(session, modes=(Mode.MANUAL,))


async def with_lead(path: Path, *, plan: bool) -> None:
    db = Database(path)
    async with db.write() as session:
        await leads.add(session, {"name": "Woodhaven Plumbing"}, settings=Settings(), now=NOW)
        if plan:
            await plans.add(session, "Basic", 4900, "USD", Interval.MONTH, setup_fee=9900, now=NOW)
    await db.close()


async def test_a_payment_is_recorded_from_the_list_and_shown_on_the_lead(store_path: Path) -> None:
    await with_lead(store_path, plan=True)
    crm = app(store_path)
    async with crm.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, ("$",))
        amount = crm.screen.query_one("#amount", Input)
        assert amount.value == "148.00 USD"
        await press(pilot, ("2",))
        assert amount.value == ""
        await press(pilot, ("1", "ctrl+s"))
        (payment,) = await paid(crm)
        assert (payment.amount, payment.plan, payment.method) == (14800, "Basic", "cash")

        await press(pilot, ("enter",))
        assert isinstance(crm.screen, LeadScreen)
        facts = "\n".join(str(each.render()) for each in crm.screen.query("#lead-facts Facts"))
        assert "active" in facts
        assert "paid 148.00 USD" in facts
        assert "Basic, 49.00 USD each month" in facts
        assert "money 2" in str(crm.screen.query_one("#lead-kinds", Static).render())
        await press(pilot, ("u",))
        assert await paid(crm) == []


async def test_what_is_typed_goes_before_what_the_plan_asks(store_path: Path) -> None:
    await with_lead(store_path, plan=True)
    crm = app(store_path)
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, ("$",))
        crm.screen.query_one("#amount", Input).value = "4.9.9"
        await press(pilot, ("2", "ctrl+s"))
        assert await paid(crm) == []
        crm.screen.query_one("#amount", Input).value = "20 eur"
        await press(pilot, ("ctrl+s",))
        (payment,) = await paid(crm)
        assert (payment.amount, payment.currency, payment.plan) == (2000, "EUR", None)


async def test_plans_are_added_changed_archived_and_undone(store_path: Path) -> None:
    crm = app(store_path)
    async with crm.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, WAYS["plans"].keys)
        assert isinstance(crm.screen, PlansScreen)
        await press(pilot, ("a", *"Basic", "tab", *"49", "ctrl+s"))
        await press(pilot, ("e", "tab", "ctrl+u", *"59", "ctrl+s"))
        db = await crm.store()
        async with db.read() as session:
            (plan,) = await plans.listed(session)
        assert (plan.name, plan.amount, plan.interval) == ("Basic", 5900, Interval.MONTH)
        await press(pilot, ("x",))
        async with db.read() as session:
            assert await plans.listed(session) == []
        await press(pilot, ("u",))
        async with db.read() as session:
            assert len(await plans.listed(session)) == 1


async def test_the_settings_lead_to_the_plans(store_path: Path) -> None:
    crm = app(store_path)
    async with crm.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, ("6", "h", "j", "j", "j", "j", "j", "enter"))
        assert isinstance(crm.screen, PlansScreen)
        await press(pilot, ("q",))
        assert not isinstance(crm.screen, PlansScreen)


async def refused_at(pilot: Pilot[None]) -> str | None:
    """Where the focus is after what is typed was refused."""
    await press(pilot, ("ctrl+s",))
    assert str(pilot.app.screen.query_one("#form-words", Static).render())
    assert pilot.app.focused is not None
    return pilot.app.focused.id


async def put(pilot: Pilot[None], **fields: str) -> None:
    """Write into the fields of a form."""
    for name, value in fields.items():
        pilot.app.screen.query_one(f"#{name}", Input).value = value
    await settle(pilot)


async def test_a_payment_that_is_refused_leads_to_what_was_refused(store_path: Path) -> None:
    await with_lead(store_path, plan=True)
    crm = app(store_path)
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, ("$",))
        await put(pilot, when="when it rained")
        assert await refused_at(pilot) == "when"
        await put(pilot, when="2999-01-01 10:00")
        assert await refused_at(pilot) == "when"
        await put(pilot, when="", amount="4.9.9")
        assert await refused_at(pilot) == "amount"
        await put(pilot, amount="148.00", note="x" * 1001)
        assert await refused_at(pilot) == "note"
        await put(pilot, note="", amount="148.00 EUR")
        assert await refused_at(pilot) == "amount"
        assert await paid(crm) == []


async def test_a_plan_that_is_refused_leads_to_what_was_refused(store_path: Path) -> None:
    await with_lead(store_path, plan=True)
    crm = app(store_path)
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, (*WAYS["plans"].keys, "a"))
        await put(pilot, name="Other", amount="nothing")
        assert await refused_at(pilot) == "amount"
        await put(pilot, amount="0")
        assert await refused_at(pilot) == "amount"
        await put(pilot, amount="49", currency="dollars")
        assert await refused_at(pilot) == "currency"
        await put(pilot, currency="USD", fee="much")
        assert await refused_at(pilot) == "fee"
        await put(pilot, fee="", name="basic")
        assert await refused_at(pilot) == "name"


async def test_spend_that_is_refused_leads_to_what_was_refused(store_path: Path) -> None:
    await with_lead(store_path, plan=False)
    crm = app(store_path)
    async with crm.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, ("4", "s", "a"))
        await put(pilot, amount="90", day="soon")
        assert await refused_at(pilot) == "day"
        await put(pilot, day="2999-01-01", kind="ads")
        assert await refused_at(pilot) == "day"
        await put(pilot, day="", campaign="Nowhere")
        assert await refused_at(pilot) == "campaign"
        await put(pilot, campaign="", kind="")
        assert await refused_at(pilot) == "kind"
        await put(pilot, kind="ads", currency="?")
        assert await refused_at(pilot) == "currency"
        await put(pilot, currency="USD", amount="0")
        assert await refused_at(pilot) == "amount"
