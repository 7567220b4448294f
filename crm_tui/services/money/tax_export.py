"""A year's payments as a table for the tax adviser.

Every line is money that came or went on a day of that year, in the operator's zone: a payment, a
refund, or a dispute that was lost. What went back has a line of its own on its own day, so that it
stands in the year in which it happened, whenever the payment was. Each column adds up by itself, for
each currency.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import MAXYEAR, date, datetime, tzinfo
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select

from crm_tui import money
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, Customer, Dispute, Payment, Refund
from crm_tui.errors import BadInput
from crm_tui.services.export import protected, replacing
from crm_tui.services.figures.calendar import day_of
from crm_tui.services.filters import dates
from crm_tui.text import plain_line
from crm_tui.vocabulary import DisputeState, Mode, PaymentState, RefundState

COLUMNS = (
    "date",
    "customer",
    "address",
    "invoice number",
    "gross",
    "fee",
    "tax",
    "net",
    "refund",
    "currency",
    "country",
    "what",
    "payment",
)
_FIRST_YEAR = 1970
_PAYMENT, _REFUND, _DISPUTE = "payment", "refund", "dispute lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxLine:
    """Money that came or went, in minor units.

    Attributes:
        gross, fee, tax: of a payment; the last two are parts of the first, None where not known.
        net: what is left of the gross without fee and tax; of what went back, as much below 0.
        refund: what went back.
        payment: the number of the payment it belongs to.
    """

    at: datetime
    customer: str
    address: str
    invoice_number: str
    gross: int | None = None
    fee: int | None = None
    tax: int | None = None
    net: int
    refund: int | None = None
    currency: str
    country: str
    what: str
    payment: int


@dataclass(slots=True)
class Sums:
    """The columns of one currency, added up, in minor units."""

    gross: int = 0
    fee: int = 0
    tax: int = 0
    net: int = 0
    refund: int = 0

    def add(self, line: TaxLine) -> None:
        """Add a line."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + (getattr(line, each.name) or 0))

    def plain(self) -> dict[str, int]:
        """By the names of the columns."""
        return asdict(self)


@dataclass(slots=True)
class Exported:
    """What was written: how many lines, and their sums by currency."""

    path: Path
    lines: int = 0
    sums: dict[str, Sums] = field(default_factory=dict)


async def export_year(
    db: Database,
    year: int,
    target: Path,
    *,
    zone: tzinfo | None,
    modes: Sequence[Mode],
    force: bool = False,
) -> Exported:
    """Write a year's payments to a CSV in UTF-8; all of it, or nothing.

    Args:
        db: the store.
        year: of the calendar.
        target: the file.
        zone: where days begin; None is the machine's own.
        modes: which money counts.
        force: whether a file that is there is replaced.

    Raises:
        BadInput: there is no such year, the file is there already, or it cannot be written.
    """
    if not _FIRST_YEAR <= year < MAXYEAR:
        raise BadInput(f"{year} is no year of payments: write it like 2026.")
    if not force and await asyncio.to_thread(target.is_file):
        raise BadInput(f"{target} is there already. Name another file, or replace it with --force.")
    async with db.read() as session:
        lines = await year_lines(session, year, zone=zone, modes=modes)
    exported = Exported(target, len(lines))
    for line in lines:
        exported.sums.setdefault(line.currency, Sums()).add(line)
    async with replacing(target) as file:
        file.write(_table(lines, zone))
    return exported


async def year_lines(
    session: ReadSession, year: int, *, zone: tzinfo | None, modes: Sequence[Mode]
) -> list[TaxLine]:
    """What came and went in a year, in the order it did."""
    span = dates.midnight(date(year, 1, 1), zone), dates.midnight(date(year + 1, 1, 1), zone)
    found = [line async for line in _lines(session, span, modes)]
    return sorted(found, key=lambda line: (line.at, line.payment, line.what))


async def _lines(
    session: ReadSession, span: tuple[datetime, datetime], modes: Sequence[Mode]
) -> AsyncIterator[TaxLine]:
    since, until = span
    paid = _payments(modes).where(Payment.paid_at >= since, Payment.paid_at < until)
    for row in (await session.execute(paid.add_columns(Payment.paid_at.label("at")))).mappings():
        net = row["amount"] - (row["fee"] or 0) - (row["tax"] or 0)
        yield TaxLine(
            **_whose(row),
            what=_PAYMENT,
            gross=row["amount"],
            fee=row["fee"],
            tax=row["tax"],
            net=net,
        )
    refunds = (
        _payments(modes)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(
            Refund.state == RefundState.SUCCEEDED,
            Refund.refunded_at >= since,
            Refund.refunded_at < until,
        )
        .add_columns(Refund.refunded_at.label("at"), Refund.amount.label("back"))
    )
    lost = (
        _payments(modes)
        .join(Dispute, Dispute.payment_id == Payment.id)
        .where(
            Dispute.state == DisputeState.LOST,
            Dispute.closed_at >= since,
            Dispute.closed_at < until,
        )
        .add_columns(Dispute.closed_at.label("at"), Dispute.amount.label("back"))
    )
    for what, statement in ((_REFUND, refunds), (_DISPUTE, lost)):
        for row in (await session.execute(statement)).mappings():
            yield TaxLine(**_whose(row), what=what, refund=row["back"], net=-row["back"])


def _payments(modes: Sequence[Mode]) -> Select[*tuple[Any, ...]]:
    """Payments that succeeded, with whose they are: as the invoice had it, else as it is known now."""
    return (
        select(
            Payment.id.label("payment"),
            Payment.amount,
            Payment.currency,
            Payment.fee,
            Payment.tax,
            Payment.invoice_number,
            Payment.name.label("name"),
            Payment.address.label("address"),
            Payment.country.label("country"),
            Customer.name.label("customer_name"),
            Customer.address.label("customer_address"),
            Customer.country.label("customer_country"),
            Business.name.label("business_name"),
            Business.street,
            Business.postal_code,
            Business.city,
            Business.region,
            Business.country.label("business_country"),
        )
        .join(Business, Business.id == Payment.business_id)
        .join(Customer, Customer.business_id == Payment.business_id, isouter=True)
        .where(Payment.state == PaymentState.SUCCEEDED, Payment.mode.in_(modes))
    )


def _whose(row: Mapping[Any, Any]) -> dict[str, Any]:
    own = {name: row[name] for name in ("street", "postal_code", "city", "region")}
    address = row["address"] or row["customer_address"] or own
    return {
        "at": row["at"],
        "customer": row["name"] or row["customer_name"] or row["business_name"],
        "address": _in_one_line(address),
        "invoice_number": row["invoice_number"] or "",
        "currency": row["currency"],
        "country": row["country"] or row["customer_country"] or row["business_country"] or "",
        "payment": row["payment"],
    }


def _in_one_line(address: Mapping[str, Any]) -> str:
    town = " ".join(filter(None, (address.get("postal_code"), address.get("city"))))
    return ", ".join(filter(None, (address.get("street"), town, address.get("region"))))


def _table(lines: Sequence[TaxLine], zone: tzinfo | None) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([protected(plain_line(cell)) for cell in _cells(line, zone)])
    return text.getvalue()


def _cells(line: TaxLine, zone: tzinfo | None) -> Iterator[str]:
    def amount(minor: int | None) -> str:
        return "" if minor is None else money.plain_amount(minor, line.currency)

    yield day_of(line.at, zone).isoformat()
    yield from (line.customer, line.address, line.invoice_number)
    yield from map(amount, (line.gross, line.fee, line.tax, line.net, line.refund))
    yield from (line.currency, line.country, line.what, str(line.payment))
