"""A year's payments for the tax adviser, as a file."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, update

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Customer, Dispute, Payment, Refund
from crm_tui.errors import BadInput
from crm_tui.services.money.tax_export import COLUMNS, Exported, export_year
from crm_tui.vocabulary import DisputeState, Mode, PaymentState, RefundState
from tests.conftest import Cli
from tests.figures.histories import History, Lead, Paid, write

_BERLIN = ZoneInfo("Europe/Berlin")
_MODES = (Mode.MANUAL, Mode.LIVE)
_PAID = Paid(
    1,
    datetime(2025, 12, 30, 12, tzinfo=UTC),
    4_900,
    "USD",
    Mode.LIVE,
    PaymentState.SUCCEEDED,
    (),
    (),
)


async def _exported(db: Database, folder: Path, year: int) -> tuple[Exported, list[dict[str, str]]]:
    target = folder / f"{year}.csv"
    done = await export_year(db, year, target, zone=_BERLIN, modes=_MODES, force=True)
    with target.open(encoding="utf-8", newline="") as file:
        return done, list(csv.DictReader(file))


async def test_what_went_back_stands_in_the_year_in_which_it_did(
    db: Database, tmp_path: Path
) -> None:
    lead = Lead(1, datetime(2025, 11, 1, tzinfo=UTC), "maps")
    paid = replace(_PAID, refunds=((1_000, RefundState.PENDING), (900, RefundState.SUCCEEDED)))
    await write(db, History((lead,), paid=(paid,)))
    async with db.write() as session:
        later = {"payment_id": 1, "state": RefundState.SUCCEEDED}
        at = datetime(2026, 2, 3, tzinfo=UTC)
        await session.execute(
            insert(Refund).values(key="later", amount=1_500, refunded_at=at, **later)
        )
        await session.execute(
            update(Refund)
            .where(Refund.amount == 900)
            .values(refunded_at=datetime(2025, 12, 31, 22, 59, tzinfo=UTC))
        )
        await session.execute(
            insert(Dispute).values(
                key="lost",
                payment_id=1,
                amount=2_500,
                state=DisputeState.LOST,
                opened_at=at,
                closed_at=datetime(2026, 3, 1, tzinfo=UTC),
            )
        )
    before, lines = await _exported(db, tmp_path, 2025)
    assert [(each["date"], each["what"], each["gross"], each["refund"]) for each in lines] == [
        ("2025-12-30", "payment", "49.00", ""),
        ("2025-12-31", "refund", "", "9.00"),
    ]
    after, lines = await _exported(db, tmp_path, 2026)
    assert [(each["date"], each["what"], each["net"], each["refund"]) for each in lines] == [
        ("2026-02-03", "refund", "-15.00", "15.00"),
        ("2026-03-01", "dispute lost", "-25.00", "25.00"),
    ]
    assert before.sums["USD"].plain() == {
        "gross": 4_900, "fee": 0, "tax": 0, "net": 4_000, "refund": 900,
    }  # fmt: skip
    assert after.sums["USD"].net == -4_000


async def test_a_year_begins_at_midnight_in_the_operators_zone(
    db: Database, tmp_path: Path
) -> None:
    times = (
        datetime(2025, 12, 31, 22, 59, 59, tzinfo=UTC),
        datetime(2025, 12, 31, 23, 0, tzinfo=UTC),
        datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 0, tzinfo=UTC),
    )
    lead = Lead(1, times[0], "maps")
    paid = tuple(replace(_PAID, at=at, amount=100 + n) for n, at in enumerate(times))
    await write(db, History((lead,), paid=paid))
    _, lines = await _exported(db, tmp_path, 2026)
    assert [(each["date"], each["gross"]) for each in lines] == [
        ("2026-01-01", "1.01"),
        ("2026-12-31", "1.02"),
    ]


async def test_play_money_and_what_failed_are_left_out(db: Database, tmp_path: Path) -> None:
    lead = Lead(1, _PAID.at, "maps")
    paid = (
        replace(_PAID, mode=Mode.TEST),
        replace(_PAID, state=PaymentState.FAILED),
        replace(_PAID, mode=Mode.MANUAL, amount=700, currency="JPY"),
    )
    await write(db, History((lead,), paid=paid))
    _, lines = await _exported(db, tmp_path, 2025)
    assert [(each["gross"], each["currency"]) for each in lines] == [("700", "JPY")]


async def test_fee_tax_and_whom_it_came_from(db: Database, tmp_path: Path) -> None:
    lead = Lead(1, _PAID.at, "maps")
    await write(db, History((lead,), paid=(_PAID, _PAID, _PAID)))
    street = {"street": "1 Main St", "postal_code": "11375", "city": "Queens", "region": "NY"}
    async with db.write() as session:
        await session.execute(
            update(Business).values(name="=HYPERLINK(1)", street="2 Side\nSt", country="US")
        )
        await session.execute(
            update(Payment)
            .where(Payment.id == 1)
            .values(
                fee=172, tax=600, invoice_number="A-1", name="Joe", address=street, country="DE"
            )
        )
    _, lines = await _exported(db, tmp_path, 2025)
    assert list(lines[0]) == list(COLUMNS)
    assert lines[0] == {
        "date": "2025-12-30",
        "customer": "Joe",
        "address": "1 Main St, 11375 Queens, NY",
        "invoice number": "A-1",
        "gross": "49.00",
        "fee": "1.72",
        "tax": "6.00",
        "net": "41.28",
        "refund": "",
        "currency": "USD",
        "country": "DE",
        "what": "payment",
        "payment": "1",
    }
    assert (lines[1]["customer"], lines[1]["address"]) == ("'=HYPERLINK(1)", "2 Side St")
    assert (lines[1]["fee"], lines[1]["net"], lines[1]["country"]) == ("", "49.00", "US")
    async with db.write() as session:
        await session.execute(
            insert(Customer).values(
                business_id=1, name="Joe's Ltd", address=street, country="GB", created_at=_PAID.at
            )
        )
    _, lines = await _exported(db, tmp_path, 2025)
    assert (lines[1]["customer"], lines[1]["country"]) == ("Joe's Ltd", "GB")
    assert lines[1]["address"] == "1 Main St, 11375 Queens, NY"


def _left_over(folder: Path) -> list[Path]:
    return list(folder.glob(".*.tmp"))


async def test_a_file_that_is_there_stands(db: Database, tmp_path: Path) -> None:
    target = tmp_path / "2025.csv"
    target.write_text("mine")
    with pytest.raises(BadInput, match="--force"):
        await export_year(db, 2025, target, zone=None, modes=_MODES)
    assert target.read_text() == "mine"
    with pytest.raises(BadInput, match="cannot be written"):
        await export_year(db, 2025, tmp_path / "none" / "x.csv", zone=None, modes=_MODES)
    await export_year(db, 2025, target, zone=None, modes=_MODES, force=True)
    assert target.read_bytes() == f"{','.join(COLUMNS)}\r\n".encode()
    assert not _left_over(tmp_path)


def test_the_command_says_what_it_wrote(cli: Cli, tmp_path: Path) -> None:
    lead = cli("leads", "add", "Joe's Plumbing", "--json").json["lead"]["id"]
    paid = ("--amount", "49.00", "--currency", "USD", "--on", "2026-03-01")
    assert cli("payments", "add", str(lead), *paid).code == 0
    target = tmp_path / "tax.csv"
    ran = cli("payments", "export", "--year", "2026", "-o", str(target), "--json")
    assert ran.code == 0
    assert ran.json["written"] == 1
    assert ran.json["totals"] == [
        {"currency": "USD", "gross": 49.0, "fee": 0.0, "tax": 0.0, "net": 49.0, "refund": 0.0}
    ]
    assert "49.00 USD came in" in ran.err
    assert "Joe's Plumbing" in target.read_text(encoding="utf-8")
    assert cli("payments", "export", "--year", "2026", "-o", str(target)).code == 1
    assert cli("payments", "export", "--year", "2026", "-o", str(target), "--force").code == 0
