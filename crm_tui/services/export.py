"""Leads as a file: a table for spreadsheets or JSON, both of which `crm-tui import` takes back.

JSON holds their payments, too, for whoever asks what is kept of them; no import takes those back.

The file is complete or it is not there: it is written under a temporary name in the same folder,
synced, and then takes its name.

In a table, a cell that a spreadsheet would run as a formula gets an apostrophe in front, unless
the export is lossless. Numbers and phones in E.164 are left alone: "+15185550100" and "-73.7"
cannot do anything, and other programs want them clean. Our own import takes either form back.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import secrets
from array import array
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from sqlalchemy import func, select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Business, BusinessAlias, Consent, ContactPoint, Event, Task
from crm_tui.errors import BadInput, Cancelled
from crm_tui.money import plain_amount
from crm_tui.services import lead_rows, leads
from crm_tui.services.imports.readers.own import COLUMNS
from crm_tui.services.lead_query import LeadQuery
from crm_tui.services.money import listing
from crm_tui.services.money.rows import PaymentRow
from crm_tui.vocabulary import AliasKind, ContactState, ContactStatus, EventKind, TaskState

ExportFormat = Literal["csv", "json"]

_CHUNK = 500
_RUNS_AS_FORMULA = re.compile(r"[=+\-@\t\r]|'[=+\-@\t\r']")
_HARMLESS = re.compile(r"[+-]\d+(?:\.\d+)?\Z")
_CONTACTS = frozenset(
    {
        EventKind.EMAIL_SENT,
        EventKind.SMS_SENT,
        EventKind.CALL,
        EventKind.STATUS_SET,
        EventKind.STATUS_IMPORTED,
    }
)
_FACTS = (
    "key name category phone email website street city region postal_code country contact_status "
    "website_status outcome outcome_reason do_not_contact_reason rating review_count photo_count latitude longitude "
    "timezone hours place_id created_at archived_at custom"
).split()


@dataclass(frozen=True, slots=True)
class ExportResult:
    """How many leads were written, and where to."""

    written: int
    path: Path


def _nobody(_done: int, _total: int) -> None:
    """Report to nobody."""


async def export_leads(
    db: Database,
    wanted: LeadQuery | array[int],
    *,
    form: ExportFormat,
    target: Path,
    lossless: bool = False,
    now: datetime,
    progress: Callable[[int, int], None] = _nobody,
    cancelled: Callable[[], bool] = lambda: False,
) -> ExportResult:
    """Write leads to a file; one that is there is replaced.

    Args:
        db: The store.
        wanted: Which leads, in this order: those of a query, or these.
        form: "csv" or "json".
        target: The file.
        lossless: Whether to leave formulas in a table as they are, for programs instead of people.
        now: Noted in the file.
        progress: Called with how many leads were written, of how many.
        cancelled: Asked again and again whether to stop.

    Raises:
        BadInput: The file cannot be written; what was there before stands.
        Cancelled: It was stopped; what was there before stands.
    """
    async with replacing(target) as file:
        written = await write_leads(
            db,
            wanted,
            file,
            form=form,
            lossless=lossless,
            now=now,
            progress=progress,
            cancelled=cancelled,
        )
    return ExportResult(written, target)


@asynccontextmanager
async def replacing(target: Path) -> AsyncIterator[TextIO]:
    """A file to write to that takes the place of `target` once all is written and on the disk.

    Raises:
        BadInput: It cannot be written; what was there before stands.
    """
    if await asyncio.to_thread(target.is_dir):
        example = target / f"list{target.suffix or '.csv'}"
        raise BadInput(f"{target} is a folder. Name a file in it, such as {example}.")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="") as file:
            yield file
            await asyncio.to_thread(_sync, file)
        temporary.replace(target)
    except OSError as error:
        raise BadInput(
            f"The export cannot be written to {target}: {error.strerror or error}. "
            "Name another file, or make room."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(file: TextIO) -> None:
    file.flush()
    os.fsync(file.fileno())


async def write_leads(
    db: Database,
    wanted: LeadQuery | array[int],
    out: TextIO,
    *,
    form: ExportFormat,
    lossless: bool = False,
    now: datetime,
    progress: Callable[[int, int], None] = _nobody,
    cancelled: Callable[[], bool] = lambda: False,
) -> int:
    """Write leads to an open stream, a few hundred at a time; returns how many.

    Raises:
        OSError: The stream cannot be written.
        Cancelled: It was stopped.
    """
    ids = await lead_rows.order(db, wanted) if isinstance(wanted, LeadQuery) else wanted
    written = 0
    if form == "csv":
        out.write(_table([dict(zip(COLUMNS, COLUMNS, strict=True))], lossless=True))
    else:
        out.write(f'{{"crm-tui": {json.dumps({"exported_at": now.isoformat()})}, "leads": [')
    async for documents in _documents(db, ids):
        if cancelled():
            raise Cancelled("The export was stopped; no file was written.")
        if form == "csv":
            text = await asyncio.to_thread(_table, documents, lossless=lossless)
        else:
            text = await asyncio.to_thread(_json_items, documents, first=written == 0)
        await asyncio.to_thread(out.write, text)
        written += len(documents)
        progress(written, len(ids))
    if form == "json":
        out.write("\n]}\n")
    return written


async def _documents(db: Database, ids: array[int]) -> AsyncIterator[list[dict[str, Any]]]:
    for start in range(0, len(ids), _CHUNK):
        async with db.read() as session:
            documents = await _documents_of(session, ids[start : start + _CHUNK])
        yield documents


async def _documents_of(session: ReadSession, ids: Sequence[int]) -> list[dict[str, Any]]:
    """These leads with all that an import can take back, in this order."""
    columns = [getattr(Business, name) for name in ("id", *_FACTS)]
    rows = await session.execute(select(*columns).where(Business.id.in_(ids)))
    facts = {row["id"]: row for row in rows.mappings()}
    points = await _points(session, ids)
    tags = await leads.tags_of(session, ids)
    history = await _history(session, ids)
    tasks = await _next_tasks(session, ids)
    google_ids = await _google_ids(session, ids)
    payments = await listing.payments_of(session, ids)
    documents = []
    for lead_id in ids:
        if lead_id not in facts:
            continue
        due, what = tasks.get(lead_id, (None, None))
        document = {
            **facts[lead_id],
            "points": points.get(lead_id, []),
            "tags": list(tags.get(lead_id, ())),
            "notes": history.notes.get(lead_id, []),
            "calls": history.calls.get(lead_id, []),
            "last_contacted": history.contacted.get(lead_id),
            "do_not_contact": facts[lead_id]["do_not_contact_reason"],
            "follow_up": due,
            "follow_up_note": what,
            "google_id": google_ids.get(lead_id),
        }
        plain = {name: _plain(document[name]) for name in COLUMNS}
        documents.append(plain | {"payments": [_paid(each) for each in payments.get(lead_id, ())]})
    return documents


def _paid(payment: PaymentRow) -> dict[str, Any]:
    """A payment for whoever asks what is kept of them; an import does not take it back."""

    def amount(minor: int) -> str:
        return plain_amount(minor, payment.currency)

    known = {
        "at": payment.at.isoformat(),
        "state": payment.state.value,
        "mode": payment.mode.value,
        "amount": amount(payment.amount),
        "currency": payment.currency,
        "method": payment.method,
        "plan": payment.plan,
        "invoice_number": payment.invoice_number,
        "name": payment.name,
        "address": payment.address,
        "country": payment.country,
        "note": payment.note,
        "refunds": [
            {"at": each.refunded_at.isoformat(), "amount": amount(each.amount), "state": each.state}
            for each in payment.refunds
        ],
    }
    return {name: value for name, value in known.items() if value}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


async def _points(session: ReadSession, ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    columns = ("kind", "value", "raw", "person", "title", "label", "state")
    rows = await session.execute(
        select(ContactPoint.business_id, *(getattr(ContactPoint, name) for name in columns))
        .where(ContactPoint.business_id.in_(ids))
        .order_by(ContactPoint.is_primary.desc(), ContactPoint.id)
    )
    given = await _consents(session, ids)
    points: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for lead_id, *values in rows:
        point = dict(zip(columns, values, strict=True))
        point["consent"] = given.get((lead_id, point["value"]))
        if point["raw"] == point["value"]:
            point["raw"] = None
        if point["state"] is ContactState.UNKNOWN:
            point["state"] = None
        points[lead_id].append({name: value for name, value in point.items() if value})
    return points


async def _consents(
    session: ReadSession, ids: Sequence[int]
) -> dict[tuple[int, str], dict[str, str]]:
    """What stands of consent to text messages, by the lead and the number."""
    rows = await session.execute(
        select(Consent.business_id, Consent.value, Consent.given_at, Consent.how).where(
            Consent.business_id.in_(ids), Consent.withdrawn_at.is_(None)
        )
    )
    return {
        (lead_id, value): {"given_at": at.isoformat(), "how": how}
        for lead_id, value, at, how in rows
    }


@dataclass(slots=True)
class _History:
    """Of each lead: its notes and calls, oldest first, and when it was last contacted."""

    notes: dict[int, list[str]] = field(default_factory=dict)
    calls: dict[int, list[dict[str, str]]] = field(default_factory=dict)
    contacted: dict[int, datetime] = field(default_factory=dict)


async def _history(session: ReadSession, ids: Sequence[int]) -> _History:
    columns = (Event.business_id, Event.kind, Event.body, Event.moves_to, Event.occurred_at)
    rows = await session.execute(
        select(*columns, Event.data)
        .where(
            Event.business_id.in_(ids),
            Event.kind.in_([EventKind.NOTE, *_CONTACTS]),
            Event.is_voided.is_(False),
        )
        .order_by(Event.occurred_at, Event.id)
    )
    history = _History()
    for lead_id, kind, body, moves_to, at, data in rows:
        if kind is EventKind.NOTE:
            history.notes.setdefault(lead_id, []).append(body or "")
            continue
        if kind is EventKind.CALL:
            call = {"at": at.isoformat(), "outcome": str(data["outcome"])}
            call |= {"text": body} if body else {}
            history.calls.setdefault(lead_id, []).append(call)
        if moves_to is not ContactStatus.PENDING:
            history.contacted[lead_id] = at
    return history


async def _next_tasks(session: ReadSession, ids: Sequence[int]) -> dict[int, tuple[datetime, str]]:
    rows = await session.execute(
        select(Task.business_id, Task.due_at, Task.what)
        .where(Task.business_id.in_(ids), Task.state == TaskState.OPEN)
        .order_by(Task.due_at.desc(), Task.id.desc())
    )
    return {lead_id: (due, what) for lead_id, due, what in rows}


async def _google_ids(session: ReadSession, ids: Sequence[int]) -> dict[int, str]:
    rows = await session.execute(
        select(BusinessAlias.business_id, func.min(BusinessAlias.value).label("value"))
        .where(BusinessAlias.business_id.in_(ids), BusinessAlias.kind == AliasKind.GOOGLE_ID)
        .group_by(BusinessAlias.business_id)
    )
    return {row.business_id: row.value for row in rows}


# Writing -----------------------------------------------------------------------------------------


def _table(documents: Iterable[Mapping[str, Any]], *, lossless: bool) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for document in documents:
        cells = (_cell(name, document[name]) for name in COLUMNS)
        writer.writerow(map(_told_apart if lossless else protected, cells))
    return text.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None or value in ([], {}):
        return ""
    if name == "tags" and isinstance(value, list) and not any(map(_splits, value)):
        return ", ".join(value)
    if name == "notes" and isinstance(value, list) and len(value) == 1 and value[0][:1] not in "[{":
        return str(value[0])
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _splits(tag: str) -> bool:
    return re.search(r"[,;|\n]", tag) is not None or tag[:1] in {"[", "{"}


def _told_apart(cell: str) -> str:
    """A cell as it is, but for one that an import would take for a protected one."""
    return protected(cell) if cell[:1] == "'" else cell


def protected(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; `cells.unprotected` undoes it."""
    if _RUNS_AS_FORMULA.match(cell) and not _HARMLESS.match(cell):
        return f"'{cell}"
    return cell


def _json_items(documents: Iterable[Mapping[str, Any]], *, first: bool) -> str:
    items = []
    for document in documents:
        filled = {name: value for name, value in document.items() if value not in (None, [], {})}
        needed = {
            name: filled.get(name) for name in ("key", "name", "contact_status", "website_status")
        }
        whole = needed | filled | {"points": document["points"]}
        items.append("\n" + json.dumps(whole, ensure_ascii=False))
    return ("" if first or not items else ",") + ",".join(items)
