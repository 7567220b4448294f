"""What a query says, as values: the tree the parser makes and everything else reads.

A tree says nothing of the time: `today` stays a word until it is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias


class How(Enum):
    """How much of a field's text has to be the value."""

    WHOLE = "whole"
    BEGINNING = "beginning"
    PART = "part"


@dataclass(frozen=True, slots=True)
class Text:
    """A text to compare with, as it was typed; case and accents do not count."""

    text: str
    how: How = How.WHOLE


@dataclass(frozen=True, slots=True)
class When:
    """A time as dates.read has it: "2026-01", "2026-01-31T14:30", "last-week", or an age, "7d"."""

    text: str


Point: TypeAlias = int | float | When


@dataclass(frozen=True, slots=True)
class Span:
    """From one point to another, both in; None is open. A single value is both."""

    low: Point | None
    high: Point | None


Value: TypeAlias = Text | Span
Operator: TypeAlias = Literal["<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Match:
    """`field:value,value`: the field is any of the values.

    `field` is a name of fields.py, or "custom." and the name of an own field.
    """

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """`field>=point`."""

    field: str
    operator: Operator
    point: Point


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word: the beginning of a word in name, phone, e-mail, address, notes."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Quoted words, as they follow each other."""

    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """What the part does not find, whether it is known or not."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts; without any, everything."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the parts."""

    parts: tuple[Node, ...]


Leaf: TypeAlias = Match | Compare | Word | Phrase
Node: TypeAlias = Leaf | Not | And | Or


def conjuncts(node: Node) -> tuple[Node, ...]:
    """What has to hold all at once: the parts of an `And`, its nested ones included."""
    if isinstance(node, And):
        return tuple(deeper for part in node.parts for deeper in conjuncts(part))
    return (node,)


def asks_for(node: Node, field: str, word: str) -> bool:
    """Whether the query asks for `field:word` somewhere, and not to leave it out."""
    return _asks(node, field, word, positive=True)


def _asks(node: Node, field: str, word: str, *, positive: bool) -> bool:
    match node:
        case And(parts) | Or(parts):
            return any(_asks(part, field, word, positive=positive) for part in parts)
        case Not(part):
            return _asks(part, field, word, positive=not positive)
        case Match(name, values):
            return positive and name == field and Text(word) in values
        case _:
            return False
