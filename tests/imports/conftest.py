"""Importing small lists into the test's store."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

from crm_tui.config import Settings
from crm_tui.db.engine import Database
from crm_tui.services.imports.result import ImportResult
from crm_tui.services.imports.run import import_file

COLUMNS = """
    Company,Category,Street,City,State,Zip,Country,Phone,E-mail,Website,Rating,Reviews,Place id,
    Contact,Notes,Tags,Status,Last contacted,Do not contact,Follow up,Follow up note,Mood
"""
HEADERS = tuple(name.strip() for name in COLUMNS.split(","))
Row = Mapping[str, str]


def as_csv(rows: Sequence[Row], *, headers: Sequence[str] = HEADERS) -> str:
    """A table of rows; what a row does not say is empty."""
    text = io.StringIO()
    table = csv.DictWriter(text, headers, restval="")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


class ImportRows(Protocol):
    """Imports rows as a list of their own."""

    def __call__(
        self, *rows: Row, name: str = "list.csv", **options: Any
    ) -> Awaitable[ImportResult]: ...


@pytest.fixture
def import_rows(db: Database, settings: Settings, now: datetime, tmp_path: Path) -> ImportRows:
    """Imports rows into the test's store, at the test's time."""

    async def run(*rows: Row, name: str = "list.csv", **options: Any) -> ImportResult:
        path = tmp_path / name
        path.write_text(as_csv(rows), encoding="utf-8")
        return await import_file(db, path, settings=settings, now=now, **options)

    return run
