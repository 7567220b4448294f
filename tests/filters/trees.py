"""Random queries, as trees, for the tests of the filter language."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from crm_tui.services.filters import dates
from crm_tui.services.filters.fields import FIELDS, Field, Kind
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
    Text,
    Value,
    When,
    Word,
)

OPERATORS = st.sampled_from(["<", "<=", ">", ">="])


def texts(words: st.SearchStrategy[str], field: Field) -> st.SearchStrategy[Text]:
    """Texts there is something to compare with."""
    usable = words.filter(lambda text: bool(field.key(text)))
    return st.builds(Text, usable, st.sampled_from(How)) | st.just(Text("", How.BEGINNING))


def numbers(field: str) -> st.SearchStrategy[int | float]:
    whole = st.integers(-3, 110)
    return whole if field == "id" else whole | st.integers(-30, 1000).map(lambda n: n / 10)


AGES = st.builds("{}{}".format, st.integers(0, 400), st.sampled_from("hdwmy")).map(When)
_DAYS = st.dates(date(1000, 1, 1), date(9998, 12, 31)) | st.dates(
    date(2025, 1, 1), date(2026, 4, 30)
)
_WRITTEN = st.one_of(
    _DAYS.map(str),
    _DAYS.map(lambda day: str(day)[:7]),
    _DAYS.map(lambda day: str(day)[:4]),
    st.builds("{}T{:02}:{:02}".format, _DAYS, st.integers(0, 23), st.integers(0, 59)),
)
TIMES = _WRITTEN.map(When) | st.sampled_from(dates.WORDS).map(When)


@st.composite
def spans(draw: st.DrawFn, points: st.SearchStrategy[Any]) -> Span:
    """A single value, or a range that has at least one end; never the larger number first."""
    low, high = draw(points), draw(points)
    if not isinstance(low, When):
        low, high = min(low, high), max(low, high)
    first, last = draw(st.sampled_from([(low, low), (low, high), (low, None), (None, high)]))
    return Span(first, last)


def leaves(field: Field, words: st.SearchStrategy[str]) -> st.SearchStrategy[Node]:
    """Everything that can be asked of a field."""
    values: st.SearchStrategy[Value]
    if field.kind is Kind.WORDS:
        values = st.sampled_from(field.words).map(Text)
        return st.builds(Match, st.just(field.name), _several(values))
    if field.kind is Kind.TEXT:
        return st.builds(Match, st.just(field.name), _several(texts(words, field)))
    points: st.SearchStrategy[Point]
    if field.kind is Kind.TIME:
        points, values = AGES | TIMES, spans(AGES) | spans(TIMES)
        if field.words:
            values = values | st.sampled_from(field.words).map(Text)
    else:
        points = numbers(field.name)
        values = spans(points)
    if field.kind is Kind.OWN:
        values = values | texts(words, field)
    return st.builds(Match, st.just(field.name), _several(values)) | st.builds(
        Compare, st.just(field.name), OPERATORS, points
    )


def _several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, min_size=1, max_size=3).map(tuple)


def queries(
    words: st.SearchStrategy[str],
    searched: st.SearchStrategy[str],
    own: st.SearchStrategy[str],
) -> st.SearchStrategy[Node]:
    """Any query: over values like `words`, search words like `searched`, own fields like `own`."""
    named = st.sampled_from(list(FIELDS.values())).flatmap(lambda field: leaves(field, words))
    mine = own.map(lambda name: Field(f"custom.{name}", Kind.OWN, "")).flatmap(
        lambda field: leaves(field, words)
    )
    phrases = st.lists(searched, min_size=1, max_size=2).map(" ".join)
    search = st.builds(Word, searched) | st.builds(Phrase, phrases)
    leaf = st.one_of(named, named, mine, search)
    nodes: st.SearchStrategy[Node] = st.recursive(
        leaf,
        lambda deeper: st.one_of(
            st.builds(Not, deeper),
            st.lists(deeper, min_size=2, max_size=3).map(tuple).map(And),
            st.lists(deeper, min_size=2, max_size=3).map(tuple).map(Or),
        ),
        max_leaves=6,
    )
    return nodes | st.just(And(()))
