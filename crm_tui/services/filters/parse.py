"""Reading a query: by hand, left to right, with the column of whatever is wrong.

query   = [any]
any     = all ("or" all)*
all     = one+
one     = "-" one | "(" any ")" | phrase | field op values | word
values  = value ("," value)*          several only after ":"
value   = ["~"] text ["*"] | number | time | [number] ".." [number] | [time] ".." [time]
text    = phrase | characters without space, comma, parenthesis or quotation mark
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from crm_tui.services.filters import dates, fields
from crm_tui.services.filters.errors import QueryError
from crm_tui.services.filters.fields import CUSTOM, Field, Kind
from crm_tui.services.filters.tree import (
    And,
    Compare,
    How,
    Match,
    Node,
    Not,
    Operator,
    Or,
    Phrase,
    Point,
    Span,
    Text,
    Value,
    Word,
)

MOST_CONDITIONS = 400
"""More tests in one query than SQLite takes at once; whole values of a list are not counted."""

MOST_VALUES = 10_000
"""Values in all lists of a query."""

MOST_DEPTH = 50
"""Parentheses and minus signs within each other."""

_SPACE = re.compile(r"\s*")
_OR = re.compile(r'or(?=[\s()"]|\Z)', re.IGNORECASE)
_PHRASE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
FIELD = re.compile(
    r"(?P<name>custom\.(?:\"(?:[^\"\\]|\\.)*\"|[^\s:<>=!,()\"]+)|[^\W\d]\w*)"
    r"(?P<operator>!=|<=|>=|<|>|=|:)",
    re.DOTALL | re.IGNORECASE,
)
"""A field and what compares it."""

_WORD = re.compile(r'[^\s()"]+')
_BARE = re.compile(r'[^\s,()"]+')
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,12})?")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_SHOWN = 40


def parse(text: str) -> Node:
    """The tree of a query; '' is the one that leaves nothing out.

    Raises:
        QueryError: it cannot be read; the sentence says what is wrong, and where.
    """
    return _Reader(text).query()


class _Reader:
    """Where the reading of one query stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._conditions = 0
        self._values = 0

    def query(self) -> Node:
        if bad := _NO_TEXT.search(self._text):
            raise self._error("A character is no text", at=bad.start())
        self._skip_space()
        if self._ended():
            return And(())
        node = self._any()
        if not self._ended():
            raise self._error('A ")" has no "(" before it')
        return node

    # Structure

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take(_OR):
            self._skip_space()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Node:
        start = self._at
        parts: list[Node] = []
        empty: list[tuple[str, int]] = []
        while not self._ended() and not self._sees(")") and not _OR.match(self._text, self._at):
            at = self._at
            part = self._one()
            if isinstance(part, Word) and not _searchable(part.text):
                empty.append((part.text, at))  # the "&" of "Smith & Sons"
            else:
                parts.append(part)
            self._skip_space()
        if parts:
            return parts[0] if len(parts) == 1 else And(tuple(parts))
        if empty:
            raise self._error(f'"{empty[0][0]}" is nothing to search for', at=empty[0][1])
        if self._sees(")"):
            raise self._error('Before ")" something is missing')
        at = start if _OR.match(self._text, start) else len(self._text.rstrip())
        raise self._error('"or" needs something on both sides', at=at)

    def _one(self) -> Node:
        if self._sees("-"):
            return Not(self._deeper(self._left_out))
        if self._sees("("):
            return self._deeper(self._group)
        self._count()
        if self._sees('"'):
            at = self._at
            words = self._phrase()
            if not _searchable(words):
                raise self._error("Between the quotation marks is nothing to search for", at=at)
            return Phrase(words)
        if found := FIELD.match(self._text, self._at):
            return self._comparison(found)
        return self._word()

    def _deeper(self, read: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._error(
                f"More than {MOST_DEPTH} parentheses and minus signs are within each other"
            )
        node = read()
        self._depth -= 1
        return node

    def _left_out(self) -> Node:
        at = self._at
        self._at += 1
        if self._ended() or self._text[self._at].isspace() or self._sees(")"):
            raise self._error('"-" stands right before what it leaves out', at=at)
        part = self._one()
        if isinstance(part, Word) and not _searchable(part.text):
            raise self._error(f'"{part.text}" is nothing to search for', at=at + 1)
        return part

    def _group(self) -> Node:
        opened = self._at
        self._at += 1
        self._skip_space()
        if self._ended():
            raise self._error('A "(" is not closed', at=opened)
        node = self._any()
        if not self._sees(")"):
            raise self._error('A "(" is not closed', at=opened)
        self._at += 1
        return node

    def _word(self) -> Word:
        found = _WORD.match(self._text, self._at)
        assert found is not None
        if found[0][0] in ":<>=":
            raise self._error(f'Before "{found[0][0]}" comes a field, without a space: score>=70')
        self._at = found.end()
        return Word(found[0])

    def _phrase(self) -> str:
        found = _PHRASE.match(self._text, self._at)
        if found is None:
            raise self._error("A quotation mark is not closed")
        self._at = found.end()
        return _unescaped(found[1])

    # Comparisons

    def _comparison(self, found: re.Match[str]) -> Match | Compare:
        field = self._field(found)
        operator = found["operator"]
        if operator == "!=":
            raise self._error(
                f"{found[0]}: write -{found['name']}: for what it is not", at=found.start()
            )
        self._at = found.end()
        if operator in {":", "="}:
            values = [self._value(field, found)]
            while self._sees(","):
                self._at += 1
                values.append(self._value(field, found))
            self._end_of_value()
            return Match(field.name, tuple(values))
        return Compare(field.name, cast("Operator", operator), self._limit(field, found))

    def _field(self, found: re.Match[str]) -> Field:
        name = found["name"]
        if name[: len(CUSTOM)].lower() == CUSTOM:
            own = name[len(CUSTOM) :]
            own = _unescaped(own[1:-1]) if own.startswith('"') else own
            if own:
                return Field(CUSTOM + own, Kind.OWN, "")
        elif known := fields.field(name):
            return known
        near = fields.nearest(name, fields.FIELDS)
        hint = f"did you mean {near}?" if near else "words with a colon need quotation marks"
        raise self._error(f"{_cut(name)}: there is no such field; {hint}", at=found.start())

    def _limit(self, field: Field, found: re.Match[str]) -> Point:
        if field.kind in {Kind.TEXT, Kind.WORDS}:
            raise self._error(
                f"{found[0]}: {field.name} is a text; write {field.name}:VALUE", at=found.start()
            )
        at = self._at
        text, _ = self._raw(found)
        point = _point(field, text)
        if point is None:
            raise self._refused(field, found, text, at)
        if self._sees(","):
            raise self._error(
                f"{found[0]}{_cut(text)}: it takes one value; several stand after a colon"
            )
        self._end_of_value()
        return point

    def _value(self, field: Field, found: re.Match[str]) -> Value:
        at = self._at
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._error(f"More than {MOST_VALUES:,} values are in one query")
        if field.kind in {Kind.TEXT, Kind.OWN}:
            return self._text_value(field, found)
        text, _ = self._raw(found)
        if field.kind is Kind.WORDS:
            word = fields.word(field, text)
            if word is None:
                raise self._refused(field, found, text, at)
            return Text(word)
        if field.words and (word := fields.word(field, text)) is not None:
            self._count()
            return Text(word)
        span = _span(field, text)
        if span is None:
            raise self._refused(field, found, text, at)
        self._count()
        return span

    def _text_value(self, field: Field, found: re.Match[str]) -> Value:
        at = self._at
        part = self._sees("~")
        self._at += part
        text, is_quoted = self._raw(found)
        if field.kind is Kind.OWN and not part and not is_quoted and ".." in text:
            span = _span(field, text)
            if span is None:
                raise self._refused(field, found, text, at)
            self._count()
            return span
        begins = not is_quoted and text.endswith("*")
        if begins:
            text = text[:-1]
        elif is_quoted and self._sees("*"):
            self._at += 1
            begins = True
        if "*" in text and not is_quoted:
            raise self._error(
                f'{found[0]}{_cut(text)}: "*" stands at the end; ~ before a value finds any part',
                at=at,
            )
        if not field.key(text) and not (begins and not text and not part):
            typed = _cut(self._text[at : self._at])
            raise self._error(f"{found[0]}{typed}: there is nothing to compare with", at=at)
        if part or begins:
            self._count()
        return Text(text, How.PART if part else How.BEGINNING if begins else How.WHOLE)

    def _raw(self, found: re.Match[str]) -> tuple[str, bool]:
        """What is typed as a value, and whether it stood in quotation marks."""
        if self._sees('"'):
            return self._phrase(), True
        bare = _BARE.match(self._text, self._at)
        if bare is None:
            raise self._error(f"{found[0]} needs a value right after it")
        self._at = bare.end()
        return bare[0], False

    def _end_of_value(self) -> None:
        if not self._ended() and not self._sees(")") and not self._text[self._at].isspace():
            raise self._error(f'Before "{self._text[self._at]}" a space is missing')

    def _refused(self, field: Field, found: re.Match[str], text: str, at: int) -> QueryError:
        shown = _cut(text)
        if field.kind is Kind.WORDS:
            near = fields.nearest(text, field.words)
            meant = f"did you mean {near}? There are" if near else "there are"
            why = f'"{shown}" is unknown; {meant} {", ".join(field.words)}'
        elif field.kind is Kind.TIME:
            also = "".join(f", {word}" for word in field.words)
            why = f'"{shown}" is no time, such as {dates.EXAMPLES}{also}'
            read = dates.read(text)
            if read is not None:
                why = f"an age is compared with < or >: {field.name}<{read.text}"
        elif ".." in text:
            why = f'"{shown}" is no range, such as 60..80'
        elif field.name == "id" and _NUMBER.fullmatch(text):
            why = f'"{shown}" is no whole number'
        else:
            why = f'"{shown}" is no number'
        return self._error(f"{found[0]}{shown}: {why}", at=at)

    # Small steps

    def _ended(self) -> bool:
        return self._at >= len(self._text)

    def _sees(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _take(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found is not None

    def _skip_space(self) -> None:
        self._take(_SPACE)

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise self._error(f"More than {MOST_CONDITIONS} conditions are in one query")

    def _error(self, problem: str, *, at: int | None = None) -> QueryError:
        at = self._at if at is None else at
        return QueryError(problem, column=at + 1, text=self._text)


def _searchable(words: str) -> bool:
    return any(character.isalnum() for character in words)


def _unescaped(text: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", text)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _point(field: Field, text: str) -> Point | None:
    if field.kind is Kind.TIME:
        return dates.read(text)
    if not _NUMBER.fullmatch(text) or (field.name == "id" and "." in text):
        return None
    return float(text) if "." in text else int(text)


def _span(field: Field, text: str) -> Span | None:
    """A value or a range of them; None where it is neither."""
    first, dots, last = text.partition("..")
    if not dots:
        point = _point(field, text)
        is_age = not isinstance(point, int | float | None) and dates.is_age(point)
        return None if point is None or is_age else Span(point, point)
    low, high = (_point(field, part) if part else None for part in (first, last))
    unread = (first and low is None) or (last and high is None) or not (first or last)
    if unread:
        return None
    if field.kind is Kind.TIME:
        ages = {
            dates.is_age(point)
            for point in (low, high)
            if not isinstance(point, int | float | None)
        }
        return None if len(ages) > 1 else Span(low, high)
    backwards = isinstance(low, int | float) and isinstance(high, int | float) and low > high
    return None if backwards else Span(low, high)
