"""`crm-tui plans`, `payments`, `customers` and `subscriptions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.fixture
def lead(cli: Cli) -> str:
    """The number of a lead that is there."""
    return str(cli("leads", "add", "Woodhaven Plumbing", "--json").json["lead"]["id"])


@pytest.fixture
def basic(cli: Cli) -> str:
    """The name of a plan that is there."""
    added = cli("plans", "add", "Basic", "--amount", "49.00", "--setup-fee", "99", "--json")
    assert added.code == 0
    return str(added.json["plan"]["name"])


def test_a_payment_in_cash_is_recorded_listed_given_back_and_undone(
    cli: Cli, lead: str, basic: str
) -> None:
    added = cli(
        "payments", "add", lead, "--amount", "148.00", "--currency", "USD", "--plan", basic,
        "--on", "2026-01-20", "--method", "cheque", "--note", "no. 17", "--json",
    )  # fmt: skip
    assert added.code == 0
    payment = added.json["payment"]
    assert (payment["amount"], payment["currency"]) == (148.0, "USD")
    assert (payment["lead"], payment["name"]) == (int(lead), "Woodhaven Plumbing")
    assert (payment["plan"], payment["method"], payment["note"]) == ("Basic", "cheque", "no. 17")
    assert (payment["state"], payment["mode"], payment["renewal"]) == ("succeeded", "manual", False)
    assert payment["paid_at"].startswith("2026-01-20T")
    assert payment["paid_at"].endswith("+00:00")
    assert cli("payments", "list", "--json").json == {"payments": [payment]}

    (customer,) = cli("customers", "list", "--json").json["customers"]
    assert (customer["lead"], customer["state"]) == (int(lead), "active")
    assert customer["paid"] == [{"amount": 148.0, "currency": "USD"}]
    assert customer["mrr"] == [{"amount": 49.0, "currency": "USD"}]
    assert customer["first_payment_at"] == payment["paid_at"]
    (subscription,) = cli("subscriptions", "list", "--json").json["subscriptions"]
    assert (subscription["state"], subscription["amount"]) == ("active", 49.0)
    assert subscription["current_period_end"].startswith("2026-02-20T")

    number = str(payment["id"])
    back = cli("payments", "refund", number, "--amount", "99", "--reason", "set up late", "--json")
    (refund,) = back.json["payment"]["refunds"]
    assert (refund["amount"], refund["currency"]) == (99.0, "USD")
    assert (refund["state"], refund["reason"]) == ("succeeded", "set up late")
    assert back.json["payment"]["refunded"] == 99.0
    assert cli("undo").code == 0
    assert cli("payments", "list", "--json").json == {"payments": [payment]}
    assert cli("undo").code == 0
    assert cli("payments", "list", "--json").json == {"payments": []}
    assert cli("customers", "list", "--json").json == {"customers": []}
    assert cli("subscriptions", "list", "--json").json == {"subscriptions": []}
    shown = cli("leads", "show", lead, "--json").json["lead"]
    assert shown["contact_status"] == "pending"
    assert cli("redo").code == 0
    assert cli("payments", "list", "--json").json == {"payments": [payment]}


def test_without_an_amount_the_plan_says_how_much_and_the_fee_is_paid_once(
    cli: Cli, lead: str, basic: str
) -> None:
    first = cli("payments", "add", lead, "--plan", basic, "--json").json["payment"]
    second = cli("payments", "add", lead, "--plan", "basic", "--json").json["payment"]
    assert (first["amount"], first["renewal"]) == (148.0, False)
    assert (second["amount"], second["renewal"]) == (49.0, True)
    assert first["subscription"] == second["subscription"]


def test_amounts_are_in_the_major_unit_of_their_currency(cli: Cli, lead: str) -> None:
    for amount, currency, told in (("4900", "jpy", 4900), ("1.250", "KWD", 1.25)):
        added = cli("payments", "add", lead, "--amount", amount, "--currency", currency, "--json")
        assert added.json["payment"]["amount"] == told
        assert added.json["payment"]["currency"] == currency.upper()


def test_a_subscription_is_paused_resumed_changed_and_ended(
    cli: Cli, lead: str, basic: str
) -> None:
    cli("plans", "add", "Pro", "--amount", "99", "--interval", "year")
    cli("payments", "add", lead, "--plan", basic)
    done = cli("subscriptions", "pause", "1", "--json")
    assert done.json["subscription"]["state"] == "paused"
    assert done.json["subscription"]["mrr"] == 0.0
    assert done.err == "Subscription 1 of Woodhaven Plumbing paused.\n"
    assert cli("subscriptions", "resume", "1", "--json").json["subscription"]["state"] == "active"
    changed = cli("subscriptions", "change", "1", "--plan", "pro", "--json").json["subscription"]
    assert (changed["plan"], changed["amount"], changed["interval"]) == ("Pro", 99.0, "year")
    assert changed["mrr"] == 8.25
    ended = cli("subscriptions", "end", "1", "--json").json["subscription"]
    assert (ended["state"], ended["ended_at"] is not None) == ("ended", True)
    again = cli("subscriptions", "end", "1")
    assert (again.code, again.err) == (1, "Subscription 1 has ended.\n")
    assert cli("undo").code == 0
    (row,) = cli("subscriptions", "list", "--json").json["subscriptions"]
    assert (row["state"], row["ended_at"]) == ("active", None)


def test_plans_are_changed_while_nobody_pays_by_them_and_archived(
    cli: Cli, lead: str, basic: str
) -> None:
    changed = cli("plans", "edit", basic, "--amount", "59", "--json").json["plan"]
    assert changed["amount"] == 59.0
    cli("payments", "add", lead, "--plan", basic)
    refused = cli("plans", "edit", basic, "--amount", "69")
    assert refused.code == 1
    assert "go by the price of Basic, so it stays" in refused.err
    assert cli("plans", "edit", basic, "--name", "Small", "--json").json["plan"]["name"] == "Small"
    assert cli("plans", "archive", "small", "--json").json["plan"]["archived"] is True
    assert cli("plans", "list", "--json").json == {"plans": []}
    refused = cli("payments", "add", lead, "--plan", "Small")
    assert (refused.code, refused.err) == (
        1, "The plan Small is in the archive; nothing new is sold by it.\n"
    )  # fmt: skip
    assert cli("plans", "unarchive", "small").code == 0
    (plan,) = cli("plans", "list", "--json").json["plans"]
    assert (plan["name"], plan["subscriptions"]) == ("Small", 1)


def test_what_invoices_say_is_edited(cli: Cli, lead: str) -> None:
    refused = cli("customers", "edit", lead, "tax_id=DE1")
    assert (refused.code, "is no customer" in refused.err) == (1, True)
    cli("payments", "add", lead, "--amount", "49")
    edited = cli("customers", "edit", lead, "tax_id=DE123", "country=de", "city=Berlin", "--json")
    invoice = edited.json["customer"]["invoice"]
    assert (invoice["tax_id"], invoice["country"]) == ("DE123", "DE")
    assert invoice["address"]["city"] == "Berlin"


_REFUSED = (
    (("payments", "add", "1"), 2, "Say how much was paid"),
    (("payments", "add", "1", "--amount", "49.001"), 1, "finer than USD can be paid"),
    (("payments", "add", "1", "--amount", "49.5", "--currency", "JPY"), 1, "finer than JPY"),
    (("payments", "add", "1", "--amount", "-5"), 1, "is not an amount"),
    (("payments", "add", "1", "--amount", "0"), 1, "more than nothing"),
    (("payments", "add", "1", "--amount", "9", "--currency", "dollar"), 1, "not a currency"),
    (("payments", "add", "1", "--amount", "9", "--currency", "ABC"), 1, "not a currency"),
    (("payments", "add", "1", "--amount", "9", "--plan", "Gold"), 1, "There are: Basic."),
    (("payments", "add", "1", "--amount", "9", "--plan", "Basic", "--currency", "EUR"), 1, "paid in USD, not in EUR"),
    (("payments", "add", "1", "--amount", "9", "--on", "2999-01-01"), 1, "lies in the future"),
    (("payments", "add", "1", "--amount", "9", "--on", "soon"), 1, "is no date"),
    (("payments", "add", "77", "--amount", "9"), 1, "There is no lead 77."),
    (("payments", "list", "--lead", "77"), 1, "There is no lead 77."),
    (("payments", "refund", "77"), 1, "There is no payment 77."),
    (("subscriptions", "end", "77"), 1, "There is no subscription 77."),
    (("plans", "add", "basic", "--amount", "5"), 1, "There is a plan Basic already"),
    (("plans", "add", " ", "--amount", "5"), 1, "A plan needs a name"),
    (("plans", "add", "New", "--amount", "0"), 1, "A plan costs something"),
    (("plans", "add", "New", "--amount", "5", "--interval", "week"), 2, "month, year, once"),
    (("plans", "archive", "Gold"), 1, 'There is no plan "Gold".'),
    (("customers", "edit", "1", "shoe=42"), 1, "is no customer"),
)  # fmt: skip


def test_what_cannot_be_is_said_in_a_sentence(cli: Cli, lead: str, basic: str) -> None:
    del lead, basic
    for arguments, code, said in _REFUSED:
        refused = cli(*arguments)
        assert (refused.code, refused.out) == (code, "")
        assert said in refused.err
    assert cli("payments", "list", "--json").json == {"payments": []}


def test_a_payment_of_somebody_erased_is_refused(cli: Cli, lead: str) -> None:
    assert cli("leads", "erase", lead, "--yes").code == 0
    refused = cli("payments", "add", lead, "--amount", "49")
    assert refused.code == 1
    assert "erased" in refused.err


def test_people_get_tables(cli: Cli, lead: str, basic: str) -> None:
    cli("payments", "add", lead, "--plan", basic)
    for command, head, count in (
        ("plans", "ID", "1 plan\n"),
        ("payments", "ID", "1 payment\n"),
        ("customers", "Lead", "1 customer\n"),
        ("subscriptions", "ID", "1 subscription\n"),
    ):
        listed = cli(command, "list")
        assert listed.out.startswith(head)
        assert listed.err == count
