"""Lists of those not to be contacted, from a file and into one."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from sqlalchemy import select

from crm_tui.db.engine import Database, ReadSession
from crm_tui.db.models import Suppression
from crm_tui.db.types import listed
from crm_tui.errors import BadInput, NotFound
from crm_tui.services import never
from crm_tui.services.export import protected, replacing
from crm_tui.services.imports.cells import unprotected
from crm_tui.services.imports.source import detect_encoding
from crm_tui.services.lines_read import LinesRead
from crm_tui.services.suppression import acting
from crm_tui.services.suppression.barring import POINTS, Entry, keyed
from crm_tui.services.suppression.values import LONGEST, Value, read_value, value_in
from crm_tui.text import fold, plain_line, plural, visible
from crm_tui.vocabulary import SuppressionKind

COLUMNS = ("value", "kind", "reason")
"""The columns of an exported list."""

MOST_BYTES = 200_000_000
_HEAD = 1 << 16
_AT_ONCE = 500

_NAMES: Mapping[str, SuppressionKind | str] = {
    **dict.fromkeys(("value", "contact", "entry", "suppressed", "recipient"), "value"),
    **dict.fromkeys(("kind", "type"), "kind"),
    **dict.fromkeys(
        ("reason", "why", "note", "notes", "comment", "status", "grund", "bemerkung"), "reason"
    ),
    **dict.fromkeys(
        ("email", "e-mail", "mail", "email address", "e-mail address", "address", "e-mail-adresse"),
        SuppressionKind.EMAIL,
    ),
    **dict.fromkeys(
        ("phone", "phone number", "number", "telephone", "mobile", "telefon", "telefonnummer"),
        SuppressionKind.PHONE,
    ),
    **dict.fromkeys(("domain", "website"), SuppressionKind.DOMAIN),
    **dict.fromkeys(("lead", "business", "key", "lead id"), SuppressionKind.BUSINESS),
}
"""What columns are called: of values, their kind, and reasons."""


@dataclass(slots=True)
class Imported(LinesRead):
    """What importing a list came to; `added` and `known` count values, not lines.

    Attributes:
        skipped: messages that waited and will not be sent.
        cancelled: whether it was stopped before the end.
    """

    skipped: int = 0
    cancelled: bool = False


async def import_list(
    db: Database,
    path: Path,
    *,
    region: str,
    reason: str = "",
    now: datetime,
    progress: Callable[[int], None] = lambda _lines: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Imported:
    """Put every value of a file on the list; one entry of undo.

    A plain list has one value a line. A table (comma, semicolon, tab or bar) may have a header, and
    its columns any order; without a header, what reads as an address or a number is taken.

    Args:
        db: the store.
        path: the file.
        region: ISO 3166 of numbers without a country.
        reason: of lines that say none.
        now: aware UTC.
        progress: told how many lines were read.
        cancelled: asked between chunks whether to stop.

    Raises:
        BadInput: the file cannot be read, or is no text.
    """
    lines = await asyncio.to_thread(_lines, path)
    usual = reason or f"on the list {visible(path.name, 80)}"
    result = Imported()
    reader = _Reader(lines, region, usual, result)

    async def chunks() -> AsyncIterator[Sequence[Entry]]:
        while read := await asyncio.to_thread(reader.some):
            if cancelled():
                result.cancelled = True
                return
            async with db.read() as session:
                entries = await _without_unknown_leads(session, read, result)
            yield entries
            progress(result.seen)

    done = await acting.add_all(
        db,
        chunks(),
        lambda so_far: f"barred {plural(so_far.added, 'value')} of {visible(path.name, 60)}",
        now=now,
    )
    result.added, result.skipped = done.added, done.skipped
    result.known += done.known
    return result


async def _without_unknown_leads(
    session: ReadSession, read: Sequence[tuple[int, Entry]], result: Imported
) -> list[Entry]:
    entries: list[Entry] = []
    for line, entry in read:
        try:
            entries.append(entry._replace(value=await keyed(session, entry.value)))
        except NotFound as error:
            result.reject(line, str(error))
    return entries


def _lines(path: Path) -> list[str]:
    try:
        if not path.is_file():
            raise BadInput(f"There is no file {path}.")
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path} is too large to be a list of addresses.")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    encoding, mark, _ = detect_encoding(io.BytesIO(data), data[:_HEAD], unicode_only=False)
    text = data[mark:].decode(encoding, errors="replace")
    if "\x00" in text:
        raise BadInput(f"{path} is no text; save the list as CSV.")
    return text.splitlines()


class _Reader:
    """Reads a list line by line: a quotation mark that is not closed spoils no more than its line."""

    def __init__(self, lines: Sequence[str], region: str, usual: str, result: Imported) -> None:
        self._region = region
        self._usual = usual
        self._result = result
        self._sign = _sign("\n".join(lines[:50]))
        self._lines = iter(enumerate(lines, start=1))
        self._columns: list[SuppressionKind | str | None] | None = None
        self._seen: set[Value] = set()

    def some(self) -> list[tuple[int, Entry]]:
        """The next entries with their lines, about 500; none at the end."""
        read: list[tuple[int, Entry]] = []
        for number, line in self._lines:
            cells = [unprotected(cell.strip()) for cell in self._cells(line)]
            if not any(cells):
                continue
            if not self._result.seen and self._columns is None and self._is_header(cells):
                continue
            self._result.seen += 1
            for entry in self._entries(number, cells):
                if entry.value in self._seen:
                    self._result.known += 1
                else:
                    self._seen.add(entry.value)
                    read.append((number, entry))
            if len(read) >= _AT_ONCE:
                break
        return read

    def _cells(self, line: str) -> list[str]:
        if not self._sign:
            return [line]
        try:
            return next(csv.reader([line], delimiter=self._sign), [])
        except csv.Error:
            return [line]

    def _is_header(self, cells: Sequence[str]) -> bool:
        names = [_NAMES.get(fold(cell).replace("_", " ")) for cell in cells]
        if not any(names) or any(value_in(cell, self._region) for cell in cells):
            return False
        if any(name not in {None, "kind", "reason"} for name in names):
            self._columns = names
        return True

    def _entries(self, number: int, cells: Sequence[str]) -> list[Entry]:
        if self._columns is None:
            values, reason = self._guessed(cells)
            problems = [] if values else [_unreadable(cells)]
        else:
            values, reason, problems = self._by_columns(self._columns, cells)
        for problem in problems:
            self._result.reject(number, problem)
        said = plain_line(reason)[: never.LONGEST].strip(" .") or self._usual
        return [Entry(value, said) for value in values]

    def _guessed(self, cells: Sequence[str]) -> tuple[list[Value], str]:
        """Addresses and numbers of a line, else a lead or a domain; and what is left as a reason.

        A bare number is no lead here: it may count the lines.
        """
        found = {at: value for at, cell in enumerate(cells) if (value := self._value(cell))}
        left = [
            cell
            for at, cell in enumerate(cells)
            if cell and at not in found and fold(cell) not in _KINDS and not cell.isdigit()
        ]
        reached = [each for each in found.values() if each.kind in POINTS]
        values = reached or list(found.values())[:1]
        return values, left[0] if len(left) == 1 else ""

    def _value(self, cell: str) -> Value | None:
        text = plain_line(cell)
        value = value_in(text, self._region) if len(text) <= LONGEST else None
        is_bare = value is not None and value.lead_id is not None and text.isdigit()
        return None if is_bare else value

    def _by_columns(
        self, columns: Sequence[SuppressionKind | str | None], cells: Sequence[str]
    ) -> tuple[list[Value], str, list[str]]:
        named = list(zip(columns, cells, strict=False))
        said = next((cell for name, cell in named if name == "kind"), "")
        reason = next((cell for name, cell in named if name == "reason" and cell), "")
        values: list[Value] = []
        problems: list[str] = []
        for name, cell in named:
            if not cell or name in {None, "kind", "reason"}:
                continue
            kind = name if isinstance(name, SuppressionKind) else _KINDS.get(fold(said))
            try:
                value = read_value(cell, region=self._region, kind=kind)
            except BadInput as error:
                problems.append(str(error))
                continue
            if kind is None and value.lead_id is not None and cell.isdigit():
                problems.append(_unreadable([cell]))
            else:
                values.append(value)
        if not values and not problems:
            problems.append("There is no value in this line.")
        return values, reason, problems


_KINDS = {
    **{kind.value: kind for kind in SuppressionKind},
    **{name: kind for name, kind in _NAMES.items() if isinstance(kind, SuppressionKind)},
}
"""How the kind of a value may be written."""


def _unreadable(cells: Sequence[str]) -> str:
    return f"“{visible(' '.join(filter(None, cells)), 60)}” is no address, number or domain."


def _sign(sample: str) -> str:
    """What stands between the cells of a table; "" of a plain list."""
    signs = {sign: sample.count(sign) for sign in ",;\t|"}
    most = max(signs, key=lambda each: signs[each])
    return most if signs[most] else ""


async def export_list(db: Database, target: Path) -> int:
    """Write the whole list to a file, which `import_list` takes back; returns how many lines.

    Raises:
        BadInput: it cannot be written; what was there before stands.
    """
    async with replacing(target) as file:
        return await write_list(db, file)


async def write_list(db: Database, out: TextIO) -> int:
    """Write the whole list to an open stream, the oldest first; returns how many lines.

    A lead is written with its key, by which it is found in this store alone.

    Raises:
        OSError: the stream cannot be written.
    """
    ids = await db.integers(select(Suppression.id).order_by(Suppression.id))
    out.write(_table([COLUMNS]))
    for start in range(0, len(ids), _AT_ONCE):
        async with db.read() as session:
            rows = await session.execute(
                select(Suppression.value, Suppression.kind, Suppression.reason)
                .where(Suppression.id.in_(listed(ids[start : start + _AT_ONCE])))
                .order_by(Suppression.id)
            )
            text = _table([tuple(row) for row in rows])
        await asyncio.to_thread(out.write, text)
    return len(ids)


def _table(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([protected(str(cell)) for cell in row] for row in rows)
    return text.getvalue()
