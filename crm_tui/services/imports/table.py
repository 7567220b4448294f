"""Records of a delimited table, one by one, with every damaged one reported alone.

csv.reader does the parsing, in its strict mode, over lines this module hands it. A quote that is
never closed would swallow the rest of the file: the lines of the record being read are kept, and
when it cannot be finished (it ends the file, grows past the limit for a cell or goes on after a
closing quote) it is given up at its first line and reading goes on with the second. In what
follows such a line, only lines of the table's own width count as records again; the others are
what is left of the broken one.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import TextIO

from crm_tui.services.imports.source import BROKEN, Source
from crm_tui.text import plural

CELL_LIMIT = 1_000_000
"""Longest cell in characters; a longer one rejects its row."""
_LINE_LIMIT = 8 * CELL_LIMIT
_PROSE_LIMIT = 50 * CELL_LIMIT
_OVERLONG_CELL = "a cell of over 1 MB"
_OVERLONG_LINE = "a line of over 8 MB"

Record = tuple[int, list[str], str]
"""A record's number (the first after the header is 1), its cells, and what is wrong with it."""


class _OverlongLineError(Exception):
    """A physical line too long to be a row; it has been skipped."""


class _Lines:
    """Physical lines for csv.reader, with those of the record being read remembered."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.again: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.again:
            line = self.again.popleft()
        else:
            line = self._stream.readline(_LINE_LIMIT)
            if len(line) == _LINE_LIMIT and line[-1] not in "\r\n":
                self._skip_line()
                raise _OverlongLineError
        if not line:
            raise StopIteration
        self.taken.append(line)
        return line

    def _skip_line(self) -> None:
        while (rest := self._stream.readline(_LINE_LIMIT)) and rest[-1] not in "\r\n":
            pass


def records(source: Source) -> Iterator[Record]:
    """Every data record of a table.

    Blank lines are not records; rows of empty cells are, but say nothing and are left out. A row
    with fewer cells than the header is as damaged as one with more: which are missing is a guess.

    Args:
        source: A source with the layout "table".
    """
    width = len(source.headers)
    with source.text() as stream:
        rows = rows_of(stream, source.delimiter, source.quote, width=width)
        if source.header_row is not None:
            for _ in range(source.header_row + 1):
                next(rows, None)
        for number, (cells, damage) in enumerate(rows, 1):
            fits = damage or len(cells) == width
            problem = damage if fits else _fit(cells, width)
            if problem or any(cells):
                yield number, cells, problem


def _fit(cells: list[str], width: int) -> str:
    """Bring a row to the header's width in place, or say why that cannot be."""
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) > width:
        return f"{len(cells)} cells in a table of {width} columns"
    if len(cells) < width and any(map(str.strip, cells)):
        return f"only {plural(len(cells), 'cell')} in a table of {width} columns"
    cells.extend([""] * (width - len(cells)))
    return ""


def rows_of(
    stream: TextIO, delimiter: str, quote: str, *, width: int = 0
) -> Iterator[tuple[list[str], str]]:
    """Rows of a stream with the problem of each ("" for none); blank lines are left out.

    Args:
        stream: Text with its line ends untouched.
        delimiter: One character.
        quote: One character.
        width: How many cells a row has, where it is known: by it the next good row after a
            broken one is recognised.
    """
    csv.field_size_limit(CELL_LIMIT)
    yield from _Rows(stream, delimiter, quote, width).read()


class _Rows:
    """The rows of a stream, past whatever is broken in it."""

    def __init__(self, stream: TextIO, delimiter: str, quote: str, width: int) -> None:
        self._delimiter = delimiter
        self._quote = quote
        self._lines = _Lines(stream)
        self._reader = csv.reader(self._lines, delimiter=delimiter, quotechar=quote, strict=True)
        self._widths = {width} if width else set()
        self._broken: _Broken | None = None

    def read(self) -> Iterator[tuple[list[str], str]]:
        lines = self._lines
        while True:
            lines.taken.clear()
            try:
                cells = next(self._reader)
            except StopIteration:
                break
            except (csv.Error, _OverlongLineError) as error:
                yield from self._failed(_reason(error))
                continue
            if not cells:
                continue
            if self._broken is not None:
                if self._broken.goes_on_with(cells, self._widths, sure=bool(lines.again)):
                    lines.again.extendleft(reversed(lines.taken[1:]))
                    continue
                yield self._broken.row()
                self._broken = None
            else:
                self._widths.add(len(cells))
            yield cells, _damage(lines.taken)
        if self._broken is not None:
            yield self._broken.row()

    def _failed(self, problem: str) -> Iterator[tuple[list[str], str]]:
        """Give a record up at its first line; the lines after it are read again."""
        taken = self._lines.taken[:]
        self._lines.again.extendleft(reversed(taken[1:]))
        if self._broken is not None:
            self._broken.lines += 1
            return
        lenient = _one_line(taken, self._delimiter, self._quote, self._widths)
        if lenient is not None:
            yield lenient, _damage(taken[:1])
            return
        broken = _Broken(problem, taken[0][:200] if taken else "", self._delimiter)
        open_quote = bool(taken) and taken[0].count(self._quote) % 2 == 1
        if len(taken) > 1 or (open_quote and problem == _OVERLONG_CELL):
            self._broken = broken
        else:
            yield broken.row()  # the damage ends with its line


def _reason(error: Exception) -> str:
    if isinstance(error, _OverlongLineError):
        return _OVERLONG_LINE
    return _OVERLONG_CELL if "limit" in str(error) else "a quote that is never closed"


class _Broken:
    """A row given up at its first line, and the lines after it that may belong to it."""

    def __init__(self, problem: str, start: str, delimiter: str) -> None:
        self.problem = problem
        self.name = start.partition(delimiter)[0].strip(" \"'\r\n")
        self.lines = 0
        self.size = 0

    def goes_on_with(self, cells: list[str], widths: set[int], *, sure: bool) -> bool:
        """Whether a line is a rest of the broken row rather than the next row, whole or ragged.

        Past the lines that the broken row had taken in already, no more than a cell's worth of
        short rows is given up: a table whose rows all differ in width must not be lost. A line
        without any delimiter is hardly a row.
        """
        if len(cells) in widths or len(cells) > max(widths, default=0):
            return False
        self.size += sum(map(len, cells))
        if not sure and self.size > (_PROSE_LIMIT if len(cells) == 1 else CELL_LIMIT):
            return False
        self.lines += 1
        return True

    def row(self) -> tuple[list[str], str]:
        """The row as it can be reported: its first cell, and what is wrong."""
        rest = f"; {self.lines} lines after it belong to it" if self.lines > 1 else ""
        return [self.name], self.problem + rest


def _damage(taken: list[str]) -> str:
    for line in taken:
        if "\0" in line:
            return "a NUL byte"
        if not line.isascii() and BROKEN.search(line):
            return "bytes that are not text in the file's encoding"
    return ""


def _one_line(taken: list[str], delimiter: str, quote: str, widths: set[int]) -> list[str] | None:
    """A row with careless quotes ("Joe "Ace" Doe"), if its first line alone makes a whole row."""
    if not taken or taken[0].count(quote) % 2:
        return None
    try:
        rows = list(csv.reader(taken[:1], delimiter=delimiter, quotechar=quote))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 and len(rows[0]) in widths else None


def name_in(cells: list[str], at: int) -> str:
    """What a damaged row may be called in a report: the cell of its name, as far as it is there."""
    if not cells:
        return ""
    cell = cells[at] if at < len(cells) else cells[0]
    return BROKEN.sub("\ufffd", cell.replace("\0", "")).strip()[:200]
