"""Wrapping safe text into lines of terminal cells.

The text went through `text.visible_lines` before. Most of what a timeline holds is plain Latin, Greek or Cyrillic, one cell a character; that is wrapped by
counting characters, so that tens of thousands of notes cost milliseconds, not seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

# Ranges in which every character takes exactly one cell.
_ONE_CELL_EACH = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u2010-\u2026]*\\Z")
_WORDS = re.compile(r"\s*\S+")


def wrap(text: str, width: int) -> list[str]:
    """The lines `text` takes in `width` cells, broken at spaces where there are any.

    Line breaks of the text are kept; a word wider than the line is broken where it must be.
    """
    width = max(width, 1)
    lines: list[str] = []
    for line in text.split("\n"):
        if not _ONE_CELL_EACH.match(line):
            lines.extend(_wrap_by_cells(line, width))
        elif len(line) <= width:
            lines.append(line)
        else:
            lines.extend(_wrap_by_characters(line, width))
    return lines


def _wrap_by_characters(line: str, width: int) -> Iterator[str]:
    start = 0
    while len(line) - start > width:
        cut = line.rfind(" ", start + 1, start + width + 1)
        if cut == -1:
            cut = start + width
        yield line[start:cut].rstrip()
        start = cut
        while line[start : start + 1] == " ":
            start += 1
    if start < len(line) or start == 0:
        yield line[start:]


def _wrap_by_cells(line: str, width: int) -> Iterator[str]:
    current, used = "", 0
    for word in _WORDS.findall(line):
        cells = cell_len(word)
        if used + cells <= width:
            current, used = current + word, used + cells
            continue
        if current:
            yield current
        pieces = chop_cells(word.lstrip() if current else word, width)
        yield from pieces[:-1]
        current, used = pieces[-1], cell_len(pieces[-1])
    yield current
