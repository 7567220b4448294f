"""A report as data: one JSON document, or a folder of tables."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from crm_tui.errors import BadInput
from crm_tui.services.campaigns.figures import Rate
from crm_tui.services.export import protected, replacing
from crm_tui.services.figures.by_group import Earned
from crm_tui.services.report.gathering import Report
from crm_tui.text import plain_line

Table = tuple[Sequence[str], Sequence[Sequence[Any]]]
"""The names of the columns, and the rows."""


def tables(report: Report) -> dict[str, Table]:
    """Every part of a report as a table; money is in the major unit beside its currency."""
    return {
        "funnel": (
            ("stage", "count", "rate_from_previous", "rate_from_first"),
            [
                (each.stage, each.count, each.rate_from_previous, each.rate_from_first)
                for each in report.stages
            ],
        ),
        "figures": (
            ("name", "value", "unit", "currency", "numerator", "denominator", "formula", "note"),
            [
                (
                    each.name,
                    each.value,
                    each.unit,
                    each.currency,
                    each.numerator,
                    each.denominator,
                    each.formula,
                    each.note,
                )
                for each in report.figures
            ],
        ),
        "series": (
            ("name", "step", "day", "value", "currency"),
            [
                (line.name, line.step, point.day, point.value, line.currency)
                for lines in report.series.values()
                for line in lines
                for point in line.points
            ],
        ),
        "cohorts": (
            ("week", "monday", "leads", "within_7_days", "within_30_days", "within_90_days"),
            [(each.name, each.week, each.leads, *each.bought) for each in report.cohorts],
        ),
        "campaigns": (
            (
                "campaign",
                "name",
                "sent",
                *(f"{name}_{what}" for name in _RATES for what in ("businesses", "of")),
                "customers",
                *_MONEY,
            ),
            [
                (
                    each.campaign_id,
                    each.name,
                    each.sent,
                    *_rate(each.opens),
                    *_rate(each.clicks),
                    *_rate(each.replies),
                    each.customers,
                    *money,
                )
                for each in report.campaigns
                for money in _money(each.money)
            ],
        ),
        "sources": (
            ("source", "leads", "customers", *_MONEY),
            [
                (each.source, each.leads, each.customers, *money)
                for each in report.sources
                for money in _money(each.money)
            ],
        ),
        "attribution": (
            (
                "campaign",
                "name",
                "currency",
                "first_touch",
                "last_touch",
                "linear",
                "first_touch_customers",
                "last_touch_customers",
                "linear_customers",
            ),
            [
                (
                    each.campaign_id,
                    each.campaign,
                    each.currency,
                    each.first,
                    each.last,
                    each.linear,
                    each.first_customers,
                    each.last_customers,
                    each.linear_customers,
                )
                for each in report.attribution
            ],
        ),
    }


_RATES = ("open", "click", "reply")
_MONEY = ("revenue", "spend", "cac", "currency")


def _rate(rate: Rate) -> tuple[int | None, int]:
    return rate.numerator, rate.denominator


def _money(earned: Sequence[Earned]) -> list[tuple[Any, ...]]:
    """A row for each currency; one without money where there is none."""
    rows = [(each.revenue, each.spend, each.cac, each.currency) for each in earned]
    return rows or [(None,) * len(_MONEY)]


def document(report: Report) -> dict[str, Any]:
    """A report as one JSON document: {"stages": [{"stage": "captured", …}], …}."""
    scope = report.scope
    parts = {"funnel": "stages"}
    found: dict[str, Any] = {
        "made_at": scope.standpoint.now.isoformat(),
        "from": scope.period.since and scope.period.since.isoformat(),
        "until": scope.period.until and scope.period.until.isoformat(),
        "where": scope.query,
    }
    for name, (names, rows) in tables(report).items():
        found[parts.get(name, name)] = [
            dict(zip(names, map(_plain, row), strict=True)) for row in rows
        ]
    return found


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return float(value)
        case StrEnum():
            return value.value
        case date() | datetime():
            return value.isoformat()
        case _:
            return value


async def write_tables(report: Report, folder: Path) -> list[Path]:
    """Write every table into a folder, each to a CSV of its name; those that are there are replaced.

    Raises:
        BadInput: the folder cannot be made, or a file not be written.
    """
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"The tables cannot be written to {folder}: {error.strerror or error}. "
            "Name another folder."
        ) from error
    written = []
    for name, table in tables(report).items():
        path = folder / f"{name}.csv"
        async with replacing(path) as file:
            file.write(_csv(table))
        written.append(path)
    return written


def _csv(table: Table) -> str:
    names, rows = table
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(each) for each in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    plain = value if isinstance(value, Decimal) else _plain(value)
    return protected(plain_line(plain)) if isinstance(plain, str) else plain
