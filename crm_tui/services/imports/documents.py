"""Records of JSON files, one by one: a document with a list in it, or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import ijson
import msgspec

from crm_tui.errors import BadInput
from crm_tui.services.imports.source import BROKEN, LOST, Source
from crm_tui.services.imports.table import CELL_LIMIT

_LINE_LIMIT = 32_000_000
_NOT_TEXT = "bytes that are not text in the file's encoding"

Item = tuple[int, Mapping[str, Any] | None, str]
"""A record's number (the first is 1), the record, and what is wrong with it if it is None."""


def items(source: Source) -> Iterator[Item]:
    """Every record of a source with the layout "json" or "lines".

    Raises:
        BadInput: The document breaks off or is not JSON further on; what came before was handed
            over already, so the caller takes it back. In JSON lines only the broken line is lost.
    """
    return _lines(source) if source.layout == "lines" else _document(source)


def _document(source: Source) -> Iterator[Item]:
    number = 0
    try:
        for item in ijson.items(source.utf8(), source.prefix, use_float=True):
            number += 1
            yield number, *_checked(item)
    except (ijson.JSONError, ValueError) as error:
        after = f"after record {number}" if number else "at its start"
        message = f"{source.path} is not whole: its JSON breaks off or is damaged {after}. "
        raise BadInput(message + "Download or export it again.") from error
    finally:
        source.close()


def _lines(source: Source) -> Iterator[Item]:
    number = 0
    with source.text() as stream:
        while line := stream.readline(_LINE_LIMIT):
            if len(line) == _LINE_LIMIT and not line.endswith("\n"):
                while (rest := stream.readline(_LINE_LIMIT)) and not rest.endswith("\n"):
                    pass
                number += 1
                yield number, None, "a line of over 32 MB"
                continue
            if not line.strip():
                continue
            for item, problem in _records_of_line(line, source):
                number += 1
                yield number, item, problem


def _records_of_line(line: str, source: Source) -> Iterator[tuple[Mapping[str, Any] | None, str]]:
    if not line.isascii() and BROKEN.search(line):
        yield None, _NOT_TEXT
        return
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        yield None, "the line is not JSON"
        return
    found: Any = [value]
    if source.format == "places" and isinstance(value, dict) and "displayName" not in value:
        found = value.get("places", [])
    for item in found if isinstance(found, list) else [found]:
        yield _checked(item)


def _checked(item: Any) -> tuple[Mapping[str, Any] | None, str]:
    if not isinstance(item, dict):
        return None, "not a record: no names and values"
    problem = _damage(item)
    return (None, problem) if problem else (item, "")


def _damage(value: Any) -> str:
    """What makes a value of a record one that cannot be stored."""
    if isinstance(value, str):
        return _damage_of_text(value)
    if isinstance(value, dict):
        return next(filter(None, map(_damage, value.values())), "")
    if isinstance(value, list):
        return next(filter(None, map(_damage, value)), "")
    return ""


def _damage_of_text(text: str) -> str:
    if len(text) > CELL_LIMIT:
        return "a value of over 1 MB"
    if "\0" in text:
        return "a NUL byte"
    if text.isascii():
        return ""
    if LOST in text:
        return _NOT_TEXT
    return "half a character" if BROKEN.search(text) else ""
