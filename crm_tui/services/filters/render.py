"""A tree as the text that is read as that tree again."""

from __future__ import annotations

import re

from crm_tui.services.filters.dates import is_age
from crm_tui.services.filters.fields import CUSTOM, FIELDS
from crm_tui.services.filters.tree import (
    And,
    Compare,
    How,
    Match,
    Node,
    Not,
    Or,
    Phrase,
    Point,
    Span,
    Value,
    When,
    Word,
)

_PLAIN = re.compile(r'[^\s,()"~*](?:[^\s,()"*]*[^\s,()"*])?')
_PLAIN_NAME = re.compile(r'[^\s:<>=!,()"]+')


def render(node: Node) -> str:  # noqa: PLR0911 - one for each kind of node
    """The query as text; '' for the one that leaves nothing out."""
    match node:
        case And(parts):
            return " ".join(_within(part, And, Or) for part in parts)
        case Or(parts):
            return " or ".join(_within(part, Or) for part in parts)
        case Not(part):
            return f"-{_within(part, And, Or)}"
        case Match(field, values):
            return f"{name(field)}:{','.join(_value(field, value) for value in values)}"
        case Compare(field, operator, point):
            return f"{name(field)}{operator}{_point(point)}"
        case Word(text):
            return text
        case Phrase(text):
            return quoted(text)


def _within(node: Node, *apart: type[Node]) -> str:
    text = render(node)
    return f"({text})" if isinstance(node, apart) else text


def name(field: str) -> str:
    """A field's name as it stands before the colon."""
    own = field.removeprefix(CUSTOM)
    if own == field or _PLAIN_NAME.fullmatch(own):
        return field
    return f"{CUSTOM}{quoted(own)}"


def quoted(text: str) -> str:
    """A text in quotation marks."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def value(text: str, *, of: str) -> str:
    """A text as a whole value of a field, in quotation marks where it needs them."""
    own = of not in FIELDS
    plain = _PLAIN.fullmatch(text) and not (own and ".." in text)
    return text if plain else quoted(text)


def _value(field: str, part: Value) -> str:
    if isinstance(part, Span):
        low, high = _point(part.low), _point(part.high)
        return low if low == high and not _only_a_range(field, part) else f"{low}..{high}"
    if part.how is How.BEGINNING:
        return f"{value(part.text, of=field)}*" if part.text else "*"
    mark = "~" if part.how is How.PART else ""
    return mark + value(part.text, of=field)


def _only_a_range(field: str, span: Span) -> bool:
    """Whether a single value would be read as something else, or not at all."""
    return field not in FIELDS or (isinstance(span.low, When) and is_age(span.low))


def _point(point: Point | None) -> str:
    if point is None:
        return ""
    if isinstance(point, When):
        return point.text
    if isinstance(point, int):
        return str(point)
    # Never with an exponent, which the language does not know.
    return f"{point:.12f}".rstrip("0") + ("0" if point.is_integer() else "")
