"""The columns of the lead list: what each shows of a lead, and which of them are shown how.

The time a cell is given is the operator's: its zone tells which day it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from crm_tui.clock import ago
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import Role, status_mark

if TYPE_CHECKING:
    from crm_tui.services.lead_rows import LeadRow
    from crm_tui.services.views import Columns

NARROWEST, WIDEST = 4, 80
"""What a column can be made, in cells."""


def _text(field: str, role: Role = Role.TEXT) -> Callable[[LeadRow, datetime], Cell]:
    def cell(row: LeadRow, _now: datetime) -> Cell:
        value = getattr(row, field)
        return Cell("" if value is None else str(value), role)

    return cell


def _status(field: str) -> Callable[[LeadRow, datetime], Cell]:
    def cell(row: LeadRow, _now: datetime) -> Cell:
        word = getattr(row, field)
        if word is None:
            return Cell("")
        mark = status_mark(word)
        return Cell(mark.label, mark.role)

    return cell


def _past(field: str) -> Callable[[LeadRow, datetime], Cell]:
    def cell(row: LeadRow, now: datetime) -> Cell:
        at = getattr(row, field)
        return Cell("" if at is None else ago(at, now, zone=now.tzinfo), Role.QUIET)

    return cell


def _name(row: LeadRow, _now: datetime) -> Cell:
    return Cell(row.name, Role.QUIET if row.do_not_contact else Role.STRONG)


@lru_cache(maxsize=1_024)
def _phone_words(e164: str) -> str:
    from crm_tui.services.contacts import phone_words  # not before the first paint

    return phone_words(e164)


def _phone(row: LeadRow, _now: datetime) -> Cell:
    return Cell(_phone_words(row.phone) if row.phone else "")


def _contact(row: LeadRow, now: datetime) -> Cell:
    if row.do_not_contact:
        return Cell("▲ never", Role.BAD)
    return _status("contact_status")(row, now)


def _activity(row: LeadRow, now: datetime) -> Cell:
    when = ago(row.last_activity_at, now, zone=now.tzinfo)
    return Cell(f"{when:<4}{row.last_activity or ''}" if len(when) < 4 else when, Role.QUIET)


def _rating(row: LeadRow, _now: datetime) -> Cell:
    return Cell("" if row.rating is None else f"{row.rating:.1f}")


def _follow_up(row: LeadRow, now: datetime) -> Cell:
    if row.follow_up is None:
        return Cell("")
    due, today = row.follow_up.astimezone(now.tzinfo), now.date()
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((due.date() - today).days)
    day = near or (f"{due:%b} {due.day}" if due.year == today.year else f"{due:%Y-%m-%d}")
    words = f"{day} {due:%H:%M}" if near else day
    return Cell(words, Role.ATTENTION if row.follow_up <= now else Role.TEXT)


LEAD_COLUMNS: tuple[Column[LeadRow], ...] = (
    Column("score", "Score", _text("score"), width=6, align="right", rank=1),
    Column("name", "Name", _name, width=26, widest=40),
    Column("category", "Category", _text("category"), width=12, widest=20, rank=6),
    Column("city", "City", _text("city"), width=12, widest=18, rank=4),
    Column("phone", "Phone", _phone, width=15, widest=17, rank=7),
    Column("email", "E-mail", _text("email"), width=22, widest=30, rank=9),
    Column("rating", "Rating", _rating, width=7, align="right", rank=8),
    Column("reviews", "Reviews", _text("review_count"), width=8, align="right", rank=10),
    Column("contact", "Contact", _contact, width=11, rank=2),
    Column("site", "Site", _status("website_status"), width=12, rank=3),
    Column("outcome", "Outcome", _status("outcome"), width=13, rank=11),
    Column("activity", "Last activity", _activity, width=18, widest=26, rank=5),
    Column("region", "Region", _text("region"), width=8, widest=16, rank=1),
    Column("website", "Website", _text("website"), width=20, widest=32, rank=1),
    Column("email_state", "E-mail state", _status("email_state"), width=14, rank=1),
    Column("tags", "Tags", _text("tags"), width=14, widest=30, rank=1),
    Column("follow_up", "Follow-up", _follow_up, width=15, rank=1),
    Column("called", "Last call", _past("called"), width=10, rank=1),
    Column("source", "Source", _text("source", Role.QUIET), width=10, widest=20, rank=1),
    Column("created", "Created", _past("created_at"), width=10, rank=1),
)
"""All columns. One that has to be asked for outranks those that are usually there, or asking for it
would show nothing in a narrow window."""

USUAL: Columns = tuple((column.key, 0) for column in LEAD_COLUMNS[:12])
"""What is shown unless others are chosen; what fits is, at 80 cells: score, name, city, contact,
site."""

DESCENDING_FIRST = frozenset({"score", "rating", "reviews", "activity", "created", "called"})
"""Columns of which one wants the highest first."""

_BY_KEY = {column.key: column for column in LEAD_COLUMNS}


def arranged(columns: Columns) -> list[Column[LeadRow]]:
    """The columns that are meant, with the widths that are meant; unknown ones are left out."""
    return [
        replace(_BY_KEY[key], width=width, widest=None) if width else _BY_KEY[key]
        for key, width in columns
    ]


def readable(columns: Iterable[tuple[str, int]]) -> Columns:
    """Columns that were kept somewhere, as far as they can be shown; the name always is.

    They may come from another version of the program, or from a file that was changed by hand.
    """
    known = {
        key: min(max(width, NARROWEST), WIDEST) if width else 0
        for key, width in columns
        if key in _BY_KEY
    }
    return tuple(({} if "name" in known else {"name": 0}).items()) + tuple(known.items())
