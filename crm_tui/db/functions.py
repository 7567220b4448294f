"""The functions the filter language adds to SQLite, on every connection of a store."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import msgspec

from crm_tui.text import fold

_NUMBER = re.compile(r"\s*[+-]?[0-9]+(?:\.[0-9]+)?\s*")
_decode = msgspec.json.Decoder().decode


def register(connection: Any) -> None:
    """Give a connection of the driver `fold(text)`, `own_text` and `own_number`.

    The last two take the JSON of `business.custom` and the name of a field in it.
    """
    connection.create_function("fold", 1, _fold, deterministic=True)
    connection.create_function("own_text", 2, own_text, deterministic=True)
    connection.create_function("own_number", 2, own_number, deterministic=True)


def _fold(value: str | None) -> str | None:
    return None if value is None else fold(value)


def own_text(custom: str, name: str) -> str | None:
    """An own field as folded text; None where it is missing or empty."""
    value = _own(custom, name)
    if value is None:
        return None
    if isinstance(value, str):
        return fold(value) or None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return fold(json.dumps(value, ensure_ascii=False))


def own_number(custom: str, name: str) -> float | None:
    """An own field as a number, also where a list kept it as text; None where it is none."""
    value = _own(custom, name)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        with suppress(OverflowError):
            return float(value)
    return None


def _own(custom: str, name: str) -> Any:
    if custom == "{}":
        return None
    try:
        fields = _decode(custom)
    except msgspec.DecodeError:  # what SQLite takes for JSON and nobody else does
        return None
    if not isinstance(fields, dict):
        return None
    if name in fields:
        return fields[name]
    folded = fold(name)
    return next((value for key, value in fields.items() if fold(key) == folded), None)
