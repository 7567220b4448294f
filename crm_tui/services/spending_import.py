"""What was spent, from a table: what an advertising account or a bookkeeper exports.

A line is known by what it says and by how often the file has said it so far, so that the same file
twice, or two exports that overlap by whole days, add nothing twice.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from crm_tui.config import Settings
from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Campaign
from crm_tui.errors import BadInput
from crm_tui.services import spending, undo
from crm_tui.services.imports import cells
from crm_tui.services.imports.cells import DateOrder
from crm_tui.services.imports.sniff import sniff
from crm_tui.services.imports.source import BROKEN, Source
from crm_tui.services.lines_read import LinesRead
from crm_tui.services.spending import NewSpend
from crm_tui.text import fold, plural, visible

COLUMNS = ("date", "amount", "currency", "kind", "campaign", "source", "note")
"""What a table may have; a date and an amount it must have."""

_MOST_BYTES = 20_000_000
_AT_ONCE = 500

_NAMES = {
    name: column
    for column, names in {
        "date": "date, day, spent on, on, datum, tag, fecha, jour",
        "amount": "amount, cost, spend, spent, amount spent, total, betrag, kosten, importe, montant",
        "currency": "currency, currency code, wahrung, moneda, devise",
        "kind": "kind, type, category, art, kategorie, tipo",
        "campaign": "campaign, campaign id, campaign name, kampagne",
        "source": "source, lead source, channel, quelle",
        "note": "note, notes, description, comment, memo, notiz, beschreibung, bemerkung",
    }.items()
    for name in names.split(", ")
}
_DECIMAL_COMMA = re.compile(r",\d{1,2}\Z")
_DECIMAL_POINT = re.compile(r"\.\d{1,2}\Z")
_SIGNS = "$€£¥₹ \u00a0\u202f"


@dataclass(slots=True)
class Imported(LinesRead):
    """What importing a table came to, in its lines; of a dry run: what it would come to.

    Attributes:
        totals: what was added by currency, in minor units.
    """

    totals: Counter[str] = field(default_factory=Counter)


async def import_spend(
    db: Database,
    path: Path,
    *,
    settings: Settings,
    now: datetime,
    kind: str = "",
    currency: str = "",
    dry_run: bool = False,
) -> Imported:
    """Write down the lines of a table; one entry of undo.

    Args:
        db: the store.
        path: the file, of any delimiter, with a header.
        settings: the operator's zone, region and currency.
        now: aware UTC.
        kind: of lines that name none.
        currency: of lines that name none; else that of [money].
        dry_run: whether only to say what would happen.

    Raises:
        BadInput: the file cannot be read, or has no column for the day or the amount.
    """
    result = Imported()
    usual = _Usual(
        zone=settings.operator.zone,
        today=spending.today_in(settings.operator.zone, now),
        order=cells.usual_date_order(settings.imports.default_region),
        kind=kind,
        currency=currency or settings.money.currency,
    )
    table = await asyncio.to_thread(_read, path)
    async with db.read() as session:
        campaigns = await _campaigns(session)
    lines = _Lines(table, usual, campaigns, result).all()
    keyed = list(lines.items())
    entry = undo.Entry()
    for start in range(0, len(keyed), _AT_ONCE):
        chunk = dict(keyed[start : start + _AT_ONCE])
        async with db.read() as session:
            known = await spending.keys_known(session, list(chunk))
        fresh = {key: new for key, new in chunk.items() if key not in known}
        result.known += len(chunk) - len(fresh)
        result.added += len(fresh)
        for new in fresh.values():
            result.totals[new.currency] += new.amount
        if fresh and not dry_run:
            said = f"wrote down {plural(result.added, 'line')} of spend of {visible(path.name, 60)}"
            async with undo.action(db, said, now=now, entry=entry) as session:
                entry.words = said
                await spending.add_known(session, fresh, now=now)
    return result


# Reading -----------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """A line of a table: its number, what its columns say, and what is wrong with it."""

    line: int
    cells: Mapping[str, str]
    problem: str = ""


def _read(path: Path) -> list[_Row]:
    source = sniff(path, forced="csv")
    if source.size > _MOST_BYTES:
        raise BadInput(f"{path} is too large to be a list of what was spent.")
    columns = [_NAMES.get(fold(name).replace("_", " ")) for name in source.headers]
    for needed in ("date", "amount"):
        if needed not in columns:
            raise BadInput(
                f"{path} has no column “{needed}”. It needs a header with these columns: "
                f"{', '.join(COLUMNS)}; it has {visible(', '.join(source.headers[:12]), 200)}."
            )
    with source:
        text = BROKEN.sub("\ufffd", source.text().read())
    return list(_rows(re.split(r"\r\n|\n|\r", text), source, columns))


def _rows(lines: Sequence[str], source: Source, columns: Sequence[str | None]) -> Iterator[_Row]:
    """The rows under the header; one with a quotation mark that is not closed spoils no other."""
    at, records = 0, -1
    while at < len(lines):
        given = (f"{line}\n" for line in lines[at:])
        reader = csv.reader(given, delimiter=source.delimiter, quotechar=source.quote, strict=True)
        begun = at
        try:
            for row in reader:
                number, at = at + 1, begun + reader.line_num
                if not any(map(str.strip, row)):
                    continue
                records += 1
                if source.header_row is None or records > source.header_row:
                    yield _row(number, row, columns)
        except csv.Error:
            yield _Row(at + 1, {}, "A quotation mark is not closed, or stands in the wrong place.")
            at += 1


def _row(number: int, row: Sequence[str], columns: Sequence[str | None]) -> _Row:
    if len(row) > len(columns) and any(map(str.strip, row[len(columns) :])):
        return _Row(number, {}, f"There are {len(row)} cells in a table of {len(columns)} columns.")
    said: dict[str, str] = {}
    for column, cell in zip(columns, row, strict=False):
        if column is not None and not said.get(column):
            said[column] = cells.unprotected(cells.text(cell))
    return _Row(number, said)


# Understanding -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is meant where a line does not say."""

    zone: tzinfo | None
    today: date
    order: DateOrder
    kind: str
    currency: str


class _Lines:
    """What the rows of a table say, by the keys of the lines."""

    def __init__(
        self,
        rows: Sequence[_Row],
        usual: _Usual,
        campaigns: Mapping[str, Sequence[int]],
        result: Imported,
    ) -> None:
        self._rows = rows
        self._usual = usual
        self._campaigns = campaigns
        self._result = result
        amounts = [row.cells.get("amount", "").strip(_SIGNS) for row in rows]
        self._commas = any(map(_DECIMAL_COMMA.search, amounts)) and not any(
            map(_DECIMAL_POINT.search, amounts)
        )
        self._order = cells.date_order(row.cells.get("date", "") for row in rows) or usual.order

    def all(self) -> dict[str, NewSpend]:
        """Every line that can be used; the others are told of."""
        found: dict[str, NewSpend] = {}
        seen: Counter[str] = Counter()
        for row in self._rows:
            self._result.seen += 1
            try:
                new = self._understood(row)
            except BadInput as error:
                self._result.reject(row.line, str(error))
                continue
            said = _said(new)
            seen[said] += 1
            found[_key(said, seen[said])] = new
        return found

    def _understood(self, row: _Row) -> NewSpend:
        if row.problem:
            raise BadInput(row.problem)
        said = row.cells
        currency = said.get("currency") or self._usual.currency
        return spending.new_spend(
            amount=self._amount(said.get("amount", ""), currency),
            currency=currency,
            kind=said.get("kind") or self._usual.kind,
            spent_on=self._day(said.get("date", "")),
            today=self._usual.today,
            campaign_id=self._campaign(said.get("campaign", "")),
            source=said.get("source", ""),
            note=said.get("note", ""),
        )

    def _amount(self, written: str, currency: str) -> str:
        """An amount without the sign of its currency, and with a decimal point."""
        if not written:
            raise BadInput("There is no amount in this line.")
        plain = re.sub(rf"\A{re.escape(currency)}|{re.escape(currency)}\Z", "", written.strip())
        plain = plain.strip(_SIGNS)
        if plain[:1] in "-(" or plain[-1:] == "-":
            raise BadInput(f"“{visible(written, 40)}” is not spent, but came back: leave it out.")
        if self._commas and not _DECIMAL_POINT.search(plain):
            plain = plain.replace(".", "").replace(",", ".")
        return plain

    def _day(self, written: str) -> date:
        if not written:
            raise BadInput("There is no day in this line.")
        at = cells.moment(written, order=self._order, zone=self._usual.zone)
        if at is None:
            raise BadInput(f"“{visible(written, 40)}” is not a day: write it like 2026-11-02.")
        return at.astimezone(self._usual.zone).date()

    def _campaign(self, written: str) -> int | None:
        """The campaign of a number or a name."""
        if not written:
            return None
        found = self._campaigns.get(fold(written), ())
        if not found:
            raise BadInput(f"There is no campaign “{visible(written, 60)}”.")
        if len(found) > 1:
            numbers = ", ".join(map(str, found))
            raise BadInput(
                f"There are several campaigns “{visible(written, 60)}” ({numbers}): write the number."
            )
        return found[0]


async def _campaigns(session: ReadSession) -> dict[str, list[int]]:
    """Campaigns by their folded names, and by their numbers, which win."""
    found: dict[str, list[int]] = {}
    for number, name in await session.execute(
        select(Campaign.id, Campaign.name).order_by(Campaign.id)
    ):
        found.setdefault(fold(name), []).append(number)
    numbers = sorted({number for each in found.values() for number in each})
    return found | {str(number): [number] for number in numbers}


def _said(new: NewSpend) -> str:
    """What makes a line the same as another."""
    parts = (
        new.spent_on.isoformat(),
        new.amount,
        new.currency,
        new.kind,
        new.campaign_id,
        fold(new.source or ""),
        new.note or "",
    )
    return json.dumps(parts, ensure_ascii=False)


def _key(said: str, occurrence: int) -> str:
    digest = hashlib.sha256(f"{occurrence} {said}".encode()).hexdigest()
    return f"row:{digest[:32]}"
