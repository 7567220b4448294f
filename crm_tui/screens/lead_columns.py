"""The columns of the lead list, and what each shows of a lead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from crm_tui.clock import ago
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import Role, status_mark

if TYPE_CHECKING:
    from crm_tui.services.lead_rows import LeadRow


def _text(field: str, role: Role = Role.TEXT) -> Callable[[LeadRow, datetime], Cell]:
    def cell(row: LeadRow, _now: datetime) -> Cell:
        value = getattr(row, field)
        return Cell("" if value is None else str(value), role)

    return cell


def _status(field: str) -> Callable[[LeadRow, datetime], Cell]:
    def cell(row: LeadRow, _now: datetime) -> Cell:
        mark = status_mark(getattr(row, field))
        return Cell(mark.label, mark.role)

    return cell


def _name(row: LeadRow, _now: datetime) -> Cell:
    return Cell(row.name, Role.QUIET if row.do_not_contact else Role.STRONG)


def _contact(row: LeadRow, now: datetime) -> Cell:
    if row.do_not_contact:
        return Cell("▲ never", Role.BAD)
    return _status("contact_status")(row, now)


def _activity(row: LeadRow, now: datetime) -> Cell:
    when = ago(row.last_activity_at, now)
    return Cell(f"{when:<4}{row.last_activity or ''}" if len(when) < 4 else when, Role.QUIET)


def _rating(row: LeadRow, _now: datetime) -> Cell:
    return Cell("" if row.rating is None else f"{row.rating:.1f}")


LEAD_COLUMNS: tuple[Column[LeadRow], ...] = (
    Column("score", "Score", _text("score"), width=6, align="right", rank=1),
    Column("name", "Name", _name, width=26, widest=40),
    Column("category", "Category", _text("category"), width=12, widest=20, rank=6),
    Column("city", "City", _text("city"), width=12, widest=18, rank=4),
    Column("phone", "Phone", _text("phone"), width=14, widest=16, rank=7),
    Column("email", "E-mail", _text("email"), width=22, widest=30, rank=9),
    Column("rating", "Rating", _rating, width=7, align="right", rank=8),
    Column("reviews", "Reviews", _text("review_count"), width=8, align="right", rank=10),
    Column("contact", "Contact", _contact, width=11, rank=2),
    Column("site", "Site", _status("website_status"), width=12, rank=3),
    Column("outcome", "Outcome", _status("outcome"), width=13, rank=11),
    Column("activity", "Last activity", _activity, width=18, widest=26, rank=5),
)
"""What fits is shown; at 80 cells: score, name, city, contact, site."""
