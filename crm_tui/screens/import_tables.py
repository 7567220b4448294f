"""What the tables of an import show: its first rows, its columns, and what became of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crm_tui.services.contacts import phone_words
from crm_tui.services.imports.captured import CapturedLead, RejectedRow
from crm_tui.services.imports.mapping import CUSTOM, FIELDS
from crm_tui.services.imports.reading import Preview
from crm_tui.services.imports.report import ReportRow
from crm_tui.text import plural
from crm_tui.vocabulary import ContactKind, RowAction
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import BEGUN, NOTHING, REACHED, TROUBLE, Role

FORMAT_TITLES: Mapping[str, str] = {
    "outscraper": "Outscraper",
    "gosom": "gosom google-maps-scraper",
    "places": "Google Places",
    "csv": "A table with columns of its own",
    "crm-tui": "Export of crm-tui",
    "legacy": "Store of an old version",
}
_ENCODINGS = {"utf-8": "UTF-8", "cp1252": "Latin-1", "latin-1": "Latin-1"}
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_ACTIONS = {
    RowAction.CREATED: Cell(f"{REACHED} new", Role.GOOD),
    RowAction.MERGED: Cell(f"{BEGUN} merged", Role.TEXT),
    RowAction.SKIPPED: Cell(f"{NOTHING} known", Role.QUIET),
    RowAction.REJECTED: Cell(f"{TROUBLE} rejected", Role.BAD),
}
ACTION_WORDS = {
    RowAction.CREATED: "new",
    RowAction.MERGED: "merged into leads",
    RowAction.SKIPPED: "known already",
    RowAction.REJECTED: "rejected",
}
"""What was done with rows, after their number."""


class FirstRow(NamedTuple):
    """One of a file's first rows; `id` is its number there."""

    id: int
    name: str
    phone: str
    email: str
    website: str
    city: str
    problem: str


class ColumnRow(NamedTuple):
    """A column of a table and what it means; `id` is its place."""

    id: int
    header: str
    example: str
    field: str


def first_rows(rows: Sequence[CapturedLead | RejectedRow]) -> list[FirstRow]:
    """The first rows of a file as they would be imported."""
    return [_first_row(row) for row in rows]


def _first_row(row: CapturedLead | RejectedRow) -> FirstRow:
    if isinstance(row, RejectedRow):
        return FirstRow(row.row, row.name, "", "", "", "", row.reason)

    def first(*kinds: ContactKind) -> str:
        return next((p.value for p in row.points if p.kind in kinds and p.valid), "")

    website = first(ContactKind.WEBSITE) or first(ContactKind.SOCIAL)
    return FirstRow(
        row.row,
        row.name,
        phone_words(first(ContactKind.PHONE)),
        first(ContactKind.EMAIL),
        website.removeprefix("https://").removeprefix("http://").rstrip("/"),
        row.city or "",
        "",
    )


def column_rows(preview: Preview) -> list[ColumnRow]:
    """The columns of a table, each with the first cell that says something."""
    return [
        ColumnRow(
            at,
            header,
            next((row[at] for row in preview.sample if row[at].strip()), ""),
            preview.mapping.get(header, CUSTOM),
        )
        for at, header in enumerate(preview.headers)
    ]


def _text(field: str, role: Role = Role.TEXT) -> Callable[[Any, datetime], Cell]:
    def cell(row: Any, _now: datetime) -> Cell:
        return Cell(str(getattr(row, field)), role)

    return cell


def _name(row: FirstRow, _now: datetime) -> Cell:
    if row.problem:
        return Cell(f"{TROUBLE} {row.problem}", Role.BAD)
    return Cell(row.name, Role.STRONG)


def _meaning(row: ColumnRow, _now: datetime) -> Cell:
    return Cell(FIELDS[row.field], Role.QUIET if row.field == CUSTOM else Role.TEXT)


def _action(row: ReportRow, _now: datetime) -> Cell:
    return _ACTIONS[row.action]


FIRST_ROW_COLUMNS: tuple[Column[FirstRow], ...] = (
    Column("row", "Row", _text("id", Role.QUIET), width=4, align="right", rank=5, sortable=False),
    Column("name", "Name", _name, width=26, widest=44, sortable=False),
    Column("phone", "Phone", _text("phone"), width=15, rank=1, sortable=False),
    Column("city", "City", _text("city"), width=12, widest=20, rank=2, sortable=False),
    Column("email", "E-mail", _text("email"), width=16, widest=34, rank=4, sortable=False),
    Column("website", "Website", _text("website"), width=16, widest=34, rank=3, sortable=False),
)
COLUMN_COLUMNS: tuple[Column[ColumnRow], ...] = (
    Column("header", "Column", _text("header", Role.STRONG), width=22, widest=34, sortable=False),
    Column("meaning", "Means", _meaning, width=24, widest=26, sortable=False),
    Column("example", "Example", _text("example"), width=20, widest=60, rank=1, sortable=False),
)
REPORT_COLUMNS: tuple[Column[ReportRow], ...] = (
    Column("row", "Row", _text("id", Role.QUIET), width=7, align="right", rank=1, sortable=False),
    Column("action", "Became", _action, width=11, sortable=False),
    Column("name", "Name", _text("name", Role.STRONG), width=20, widest=40, sortable=False),
    Column("reason", "Why", _text("reason"), width=30, widest=80, rank=2, sortable=False),
)


def facts_words(preview: Preview) -> str:
    """What a file is, in a line: "Outscraper · UTF-8, commas · 433 KB"."""
    how = [_ENCODINGS.get(preview.encoding, preview.encoding.upper())] if preview.encoding else []
    how += [_DELIMITERS.get(preview.delimiter, preview.delimiter)] if preview.delimiter else []
    parts = [FORMAT_TITLES[preview.format], ", ".join(how), size_words(preview.size)]
    return " · ".join(part for part in parts if part)


def mapping_words(preview: Preview) -> str:
    """What the columns of a table mean, in a line."""
    named = [
        f"{header} is {FIELDS[field].lower()}"
        for header, field in preview.mapping.items()
        if field != CUSTOM
    ]
    kept = len(preview.headers) - len(named)
    rest = (
        [f"{plural(kept, 'other')} kept as {'it is' if kept == 1 else 'they are'}"] if kept else []
    )
    return ", ".join(named + rest)


def size_words(size: int) -> str:
    """A file's size: "433 KB"."""
    if size < 1000:
        return plural(size, "byte")
    for unit in ("KB", "MB"):
        size = round(size / 1000)
        if size < 1000:
            return f"{size} {unit}"
    return f"{size / 1000:,.1f} GB"


def counts_words(counts: Mapping[RowAction, int]) -> str:
    """What became of rows: "230 new, 18 merged into leads, 2 known already"."""
    said = [
        f"{counts[action]:,} {words}" for action, words in ACTION_WORDS.items() if counts[action]
    ]
    return ", ".join(said) or "nothing to import"
