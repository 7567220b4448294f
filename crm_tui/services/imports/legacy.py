"""Old stores: a SQLite file with the tables `businesses` and `sites`, read and never written.

What the file holds is not trusted: only plain tables are read, row by row, so that a damaged or
monstrous row is rejected alone. Every row is kept as it stood, under an id made of its old one and
of what hardly ever changes about it, by which it is known when the file is imported again.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

from crm_tui.db import migrate
from crm_tui.errors import BadInput
from crm_tui.services.addresses import Address
from crm_tui.services.imports import cells
from crm_tui.services.imports.captured import (
    CapturedLead,
    CapturedSite,
    RawRow,
    ReadOptions,
    RejectedRow,
)
from crm_tui.services.imports.readers.draft import Draft
from crm_tui.services.imports.source import Source
from crm_tui.services.imports.table import CELL_LIMIT
from crm_tui.vocabulary import ContactStatus, SiteStatus

_LARGEST_VALUE = 64_000_000
_TABLES = ("businesses", "sites")
_KNOWN = frozenset(
    """
    id name category city state phone email website_url rating review_count contact_status
    website_status qualification_score created_at
    """.split()
)
_STATUSES = {
    "published": SiteStatus.PUBLISHED,
    "live": SiteStatus.PUBLISHED,
    "deployed": SiteStatus.PUBLISHED,
    "sold": SiteStatus.SOLD,
    "archived": SiteStatus.ARCHIVED,
    "deleted": SiteStatus.ARCHIVED,
}
_WITHOUT_SITE = frozenset({"", "none", "pending"})
_TITLE = re.compile(r"<title[^>]*>([^<]{1,300})", re.IGNORECASE)
_WAL = 2

Old = dict[str, Any]
"""A row of an old store: values by lower-case column, fit for JSON."""


def read(
    source: Source, options: ReadOptions
) -> Iterator[CapturedLead | CapturedSite | RejectedRow]:
    """Every business of an old store, then every site.

    Raises:
        BadInput: The file is no old store, is one of ours, or is damaged.
    """
    path = source.path
    try:
        with closing(_opened(path)) as connection:
            tables = _tables(connection, path)
            if "businesses" in tables:
                yield from _businesses(connection, tables, options)
            if "sites" in tables:
                yield from _sites(connection, tables)
    except sqlite3.Error as error:
        raise BadInput(f"{path} cannot be read as an SQLite file: {error}.") from error


# The file ----------------------------------------------------------------------------------------


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing, not even the files that go with a write-ahead log."""
    with path.open("rb") as file:
        header = file.read(100)
    log = path.with_name(f"{path.name}-wal")
    unlogged = header[18:19] == bytes([_WAL]) and not (log.exists() and log.stat().st_size)
    mode = "immutable=1" if unlogged else "mode=ro"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,  # chunks are read in one thread after another
    )
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.text_factory = _text
    return connection


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _tables(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """The tables of an old store by what they hold, under the names they have, quoted."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == migrate.APPLICATION_ID:
        raise BadInput(
            f"{path} is a store of crm-tui itself. Open it with --db, or take its leads from an "
            f"export: crm-tui --db {path} leads export --format csv -o leads.csv"
        )
    found = {
        name.lower(): '"' + name.replace('"', '""') + '"'
        for name, made_by in connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL"
        )
        if not made_by.upper().startswith("CREATE VIRTUAL")
    }
    tables = {table: found[table] for table in _TABLES if table in found}
    if not tables:
        raise BadInput(
            f"{path} is an SQLite file without the tables “businesses” and “sites”. Export the "
            "leads from it as CSV, and import that."
        )
    if "businesses" in tables and "name" not in _columns(connection, tables["businesses"]):
        raise BadInput(f"The table “businesses” of {path} has no column “name”.")
    return tables


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    cursor = connection.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 - quoted above
    return [column[0].lower() for column in cursor.description]


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[object, Old | str]]:
    """The place of every row, and its values, or why they cannot be read."""
    columns = _columns(connection, table)
    place = next(
        (name for name in ("rowid", "_rowid_", "oid") if _has_place(connection, table, name)), "id"
    )
    for (at,) in connection.execute(f"SELECT {place} FROM {table} ORDER BY 1"):  # noqa: S608 - quoted above
        try:
            row = connection.execute(
                f"SELECT * FROM {table} WHERE {place} = ?",  # noqa: S608 - quoted above
                (at,),
            ).fetchone()
        except sqlite3.DatabaseError as error:
            yield at, f"cannot be read: {error}"
            continue
        if row is not None:
            yield at, dict(zip(columns, map(_plain, row), strict=True))


def _has_place(connection: sqlite3.Connection, table: str, name: str) -> bool:
    """Whether a table has row ids under this name: not one WITHOUT ROWID, nor a column of it."""
    if name in _columns(connection, table):
        return False
    try:
        connection.execute(f"SELECT {name} FROM {table} LIMIT 0")  # noqa: S608 - quoted above
    except sqlite3.OperationalError:
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


# Businesses --------------------------------------------------------------------------------------


def _businesses(
    connection: sqlite3.Connection, tables: Mapping[str, str], options: ReadOptions
) -> Iterator[CapturedLead | RejectedRow]:
    sites = tables.get("sites", "")
    has_owner = bool(sites) and "business_id" in _columns(connection, sites)
    one_site = f"SELECT 1 FROM {sites} WHERE business_id = ? LIMIT 1"  # noqa: S608 - quoted above
    for number, (place, old) in enumerate(_rows(connection, tables["businesses"]), 1):
        if isinstance(old, str):
            yield RejectedRow(number, f"old row {place}: {old}")
            continue
        built = _website_status(old)
        if built and has_owner and connection.execute(one_site, (old.get("id"),)).fetchone():
            built = ""
        yield _lead(number, place, old, built, options)


def _website_status(old: Old) -> str:
    """The status of a website as told; its sites tell it better, where there are any."""
    told = cells.text(old.get("website_status")).lower()
    return "" if told in _WITHOUT_SITE else told


def _lead(
    number: int, place: object, old: Old, built: str, options: ReadOptions
) -> CapturedLead | RejectedRow:
    named = f"old id {old.get('id', place)}"
    name = cells.text(old.get("name"))
    if problem := _problem(old):
        return RejectedRow(number, f"{named}: {problem}", name[:200])
    draft = Draft(number, options.default_region)
    draft.website(old.get("website_url"))
    draft.phone(old.get("phone"))
    draft.email(old.get("email"))
    for column in sorted(old.keys() - _KNOWN):
        draft.keep(column, old[column])
    draft.keep("website_status", built)
    status, outcome, never = _status(draft, old)
    lead = draft.lead(
        name,
        Address(city=cells.text(old.get("city")), region=cells.text(old.get("state"))),
        category=cells.text(old.get("category")) or None,
        rating=cells.number(old.get("rating"), least=0, most=5),
        review_count=cells.count(old.get("review_count")),
        status=status,
        outcome=outcome,
        do_not_contact="status in the old store" if never else None,
        created_at=_moment(old.get("created_at")),
        raw=RawRow(_business_id(old, place), old),
    )
    return (
        lead if isinstance(lead, CapturedLead) else RejectedRow(number, f"{named}: {lead.reason}")
    )


def _problem(old: Old) -> str:
    for column, value in old.items():
        if isinstance(value, str) and "\0" in value:
            return f"a NUL byte in {column}"
        if isinstance(value, str) and len(value) > CELL_LIMIT:
            return f"over 1 MB in {column}"
    return ""


def _status(draft: Draft, old: Old) -> tuple[ContactStatus | None, Any, bool]:
    written = cells.text(old.get("contact_status"))
    status, outcome, never = cells.status(written)
    if written and status is None and not never:
        draft.keep("contact_status", written)
        draft.warn("contact_status", written, "not a known status")
    return status, outcome, never


def _moment(value: object) -> datetime | None:
    """A time as old stores keep it: ISO 8601, or seconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if value > 10**11 else value
        return datetime.fromtimestamp(seconds, UTC) if 10**8 < seconds < 10**10 else None
    return cells.moment(value, order="month")


# Sites -------------------------------------------------------------------------------------------


def _sites(connection: sqlite3.Connection, tables: Mapping[str, str]) -> Iterator[CapturedSite]:
    for place, read_row in _rows(connection, tables["sites"]):
        old, problem = ({}, read_row) if isinstance(read_row, str) else (read_row, "")
        owner, reason = _owner(connection, tables, old)
        slug = cells.text(old.get("slug")) or f"site-{old.get('id', place)}"
        html = _page(old.get("html_content"))
        title = _TITLE.search(html[:CELL_LIMIT])
        yield CapturedSite(
            raw=RawRow(_id("site", old.get("id", place), slug, old.get("created_at")), old),
            owner=owner,
            reason=f"the old row {problem}" if problem else reason,
            slug=slug[:200],
            title=cells.text(unescape(title[1])) if title else slug[:200],
            status=_STATUSES.get(cells.text(old.get("status")).lower(), SiteStatus.PREVIEW),
            html=html,
            css=_page(old.get("css_content")),
            js=_page(old.get("js_content")),
            created_at=_moment(old.get("created_at")),
        )


def _owner(
    connection: sqlite3.Connection, tables: Mapping[str, str], old: Old
) -> tuple[str | None, str]:
    """The id that the business of a site is kept under, or why it has none."""
    told = old.get("business_id")
    if told is None or told == "":
        return None, "it belonged to no business"
    missing = f"its business (old id {told}) is missing"
    table = tables.get("businesses")
    if table is None or "id" not in _columns(connection, table):
        return None, missing
    cursor = connection.execute(f"SELECT * FROM {table} WHERE id = ? LIMIT 1", (told,))  # noqa: S608 - quoted above
    row = cursor.fetchone()
    if row is None:
        return None, missing
    columns = (column[0].lower() for column in cursor.description)
    owner = dict(zip(columns, map(_plain, row), strict=True))
    return _business_id(owner, told), f"its business (old id {told}) could not be imported"


def _page(value: object) -> str:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else ""


# Ids ---------------------------------------------------------------------------------------------


def _business_id(old: Old, place: object) -> str:
    return _id("business", old.get("id", place), old.get("name"), old.get("created_at"))


def _id(kind: str, number: object, *told: object) -> str:
    """An id for good: the old number, and a digest that tells two old stores apart."""
    digest = hashlib.sha256("\0".join(map(str, told)).encode()).hexdigest()[:16]
    return f"{kind}:{number}:{digest}"
