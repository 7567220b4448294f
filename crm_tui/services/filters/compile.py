"""A tree as an expression for the store.

Inside the expression a missing value makes a comparison NULL, which counts as false; a negation is
`IS NOT 1`, which makes it true again. Values reach SQLite as parameters, never as SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, func, literal, or_, select, true

from crm_tui.db.models import Business
from crm_tui.services import search
from crm_tui.services.filters import columns, dates, fields, stages
from crm_tui.services.filters.columns import Ids, Test
from crm_tui.services.filters.fields import CUSTOM, Field, Kind
from crm_tui.services.filters.standpoint import Standpoint
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
    Span,
    Text,
    When,
    Word,
    conjuncts,
)
from crm_tui.vocabulary import Stage


class Part(NamedTuple):
    """One of the things that have to hold all at once.

    Attributes:
        driven: the test, as SQLite may begin with it where an index finds its leads.
        checked: the same test, for leads that were found by other means.
        probe: what finds its leads in an index, if anything does.
        by_score: whether the score alone decides, by which the list is ordered.
    """

    driven: Test
    checked: Test
    probe: Select[Any] | None = None
    by_score: bool = False


def parts(node: Node, standpoint: Standpoint | None) -> list[Part]:
    """The query as tests of which a lead has to pass all.

    Raises:
        ValueError: the query speaks of today or of qualified leads, and there is no standpoint.
    """
    driving, checking = _Compiler(standpoint, indexed=True), _Compiler(standpoint, indexed=False)
    made: list[Part] = []
    words: list[Word | Phrase] = []
    for part in conjuncts(node):
        if isinstance(part, Word | Phrase):
            words.append(part)
            continue
        made.append(
            Part(
                driving.test(part),
                checking.test(part),
                probe=driving.probe(part),
                by_score=part == _QUALIFIED
                or (isinstance(part, Match | Compare) and part.field == "score"),
            )
        )
    if words:
        made.append(Part(driving.words(words), checking.words(words), probe=_found(words)))
    return made


def test(node: Node, standpoint: Standpoint | None) -> Test:
    """The whole query as one test of a business.

    Raises:
        ValueError: as `parts`.
    """
    return _Compiler(standpoint, indexed=True).test(node)


_QUALIFIED = Match("is", (Text("qualified"),))
_ARCHIVED = Match("is", (Text("archived"),))
_TURNED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Makes tests of nodes; `indexed`: in words by which SQLite may use an index for them."""

    standpoint: Standpoint | None
    indexed: bool

    def test(self, node: Node) -> Test:
        match node:
            case And(nodes):
                words = [part for part in nodes if isinstance(part, Word | Phrase)]
                tests = [self.test(n) for n in nodes if not isinstance(n, Word | Phrase)]
                return and_(true(), *tests, *([self.words(words)] if words else []))
            case Or(nodes):
                return or_(*map(self.test, nodes))
            case Not(part):
                # Not "NOT": what is unknown is not found, so its negation is.
                return self.test(part).self_group().op("IS NOT")(literal(1))
            case Word() | Phrase():
                return self.words([node])
            case Compare():
                return self._compared(node)
            case Match():
                ids = self._ids(node)
                return self._among(ids) if ids is not None else or_(*self._matches(node))

    def words(self, words: Sequence[Word | Phrase]) -> Test:
        """Whether the search index finds all of these words in a lead."""
        return self._among(_found(words))

    def probe(self, node: Node) -> Select[Any] | None:
        """What finds the leads of a node in an index; None where nothing does."""
        if not isinstance(node, Match | Compare):
            return None
        if isinstance(node, Match):
            ids = self._ids(node)
            if ids is not None:
                return ids
            if any(isinstance(v, Text) and v.how is How.PART for v in node.values):
                return None
        if node.field in columns.INDEXED or node == _ARCHIVED:
            return select(Business.id).where(self.test(node))
        return None

    # Tests of other tables

    def _among(self, ids: Ids) -> Test:
        # A sum is no key: the planner cannot begin with the found ones.
        return (Business.id if self.indexed else Business.id + 0).in_(ids)

    def _ids(self, node: Match) -> Ids | None:
        """The leads that a test finds in another table; None where it is about the lead's own."""
        texts = [value for value in node.values if isinstance(value, Text)]
        match node.field:
            case "tag" | "campaign" | "plan":
                return self._of_named(node.field, texts)
            case "subscription":
                states = [value.text for value in texts]
                return columns.subscribed(states, self._here().modes)
            case "email_state" | "phone_state":
                kind = columns.STATES[node.field]
                return columns.in_state(kind, [value.text for value in texts])
            case "task" if texts[0].text != "none" and len(texts) == 1:
                return self._with_task(texts[0].text)
        return None

    def _of_named(self, field: str, texts: list[Text]) -> Ids:
        """The leads of tags, campaigns or plans that are called so."""
        by_how = [(how, _keys(fields.FIELDS[field], texts, how)) for how in How]
        wanted = [(how, keys) for how, keys in by_how if keys]
        if field == "plan":
            return columns.payers(wanted, self._here().modes)
        return columns.tagged(wanted) if field == "tag" else columns.recipients(wanted)

    def _with_task(self, word: str) -> Ids:
        if word in {"open", "none"}:
            return columns.with_task()
        at = self._here()
        if word == "due":
            return columns.with_task(by=at.now)
        return columns.with_task(before=dates.bounds(When("today"), at.now, at.zone)[1])

    # Tests of a lead's own columns

    def _matches(self, node: Match) -> list[Test]:
        """A test for each way in which the values are compared."""
        field = fields.field(node.field)
        assert field is not None
        tests: list[Test] = []
        for how in How:
            keys = _keys(field, [v for v in node.values if isinstance(v, Text)], how)
            if keys:
                tests += self._texts(field, how, keys)
        spans = [value for value in node.values if isinstance(value, Span)]
        if any(isinstance(p, When) for span in spans for p in (span.low, span.high)):
            return tests + [self._within(field.name, span) for span in spans]
        exact = [span.low for span in spans if span.low == span.high]
        if exact:
            tests.append(self._number(field.name).in_(exact))
        for span in spans:
            if span.low != span.high:
                tests.append(_between(self._number(field.name), span))
        return tests

    def _texts(self, field: Field, how: How, keys: list[str]) -> list[Test]:
        match field.name:
            case "has" | "is" | "stage":
                tests = {"has": columns.has, "is": self._is, "stage": self._reached}
                return [tests[field.name](key) for key in keys]
            case "task":
                ids = [(key, self._with_task(key)) for key in keys]
                return [
                    Business.id.not_in(i) if key == "none" else self._among(i) for key, i in ids
                ]
            case "mailed":
                return [columns.never_mailed()]
            case "batch":
                column = self._column("batch", {"batch": Business.batch_id})
                return [column.in_(columns.batches(how, keys))]
        if field.kind is Kind.OWN:
            column = func.own_text(Business.custom, field.name.removeprefix(CUSTOM))
        else:
            column = self._column(field.name, columns.WORDS | columns.TEXTS)
        return [columns.TEXT_TESTS.get(field.name, columns.text_test)(column, how, keys)]

    def _is(self, word: str) -> Test:
        if word == "qualified":
            return Business.qualification_score >= self._here().threshold
        if word == "archived" and not self.indexed:
            return columns.no_index(Business.archived_at).is_not(None)
        return columns.is_(word)

    def _reached(self, word: str) -> Test:
        at = self._here()
        return stages.reached(Stage(word), threshold=at.threshold, modes=at.modes)

    def _number(self, field: str) -> Any:
        if field.startswith(CUSTOM):
            return func.own_number(Business.custom, field.removeprefix(CUSTOM))
        return self._column(field, columns.NUMBERS)

    def _column(self, field: str, among: dict[str, Any]) -> Any:
        column = among[field]
        if self.indexed or field not in columns.INDEXED:
            return column
        return columns.no_index(column)

    def _compared(self, node: Compare) -> Test:
        if not isinstance(node.point, When):
            return columns.compare(self._number(node.field), node.operator, node.point)
        at = self._here()
        start, after = dates.bounds(node.point, at.now, at.zone)
        operator = node.operator
        if dates.is_age(node.point):
            operator = _TURNED[operator]  # younger is later
        elif operator == "<=":
            operator, start = "<", after
        elif operator == ">":
            operator, start = ">=", after
        later = operator in {">", ">="}
        return self._between_times(
            node.field,
            start if later else None,
            None if later else start,
            after=operator == ">",
            before=operator == "<",
        )

    def _within(self, field: str, span: Span) -> Test:
        """From one time to another, both in."""
        at = self._here()
        low, high = (
            dates.bounds(point, at.now, at.zone) if isinstance(point, When) else None
            for point in (span.low, span.high)
        )
        ages = any(isinstance(p, When) and dates.is_age(p) for p in (span.low, span.high))
        first, last = (high, low) if ages else (low, high)
        return self._between_times(
            field,
            first[0] if first else None,
            last[1] if last else None,
            after=False,
            before=not ages,
        )

    def _between_times(
        self, field: str, low: datetime | None, high: datetime | None, *, after: bool, before: bool
    ) -> Test:
        """Between two times; with `after` and `before`, not at the times themselves."""
        if field in {"called", "mailed"}:
            last = columns.called if field == "called" else columns.mailed
            return last(low, high, after=after, before=before)
        column = self._column(field, columns.TIMES)
        tests: list[Test] = []
        if low is not None:
            tests.append(columns.compare(column, ">" if after else ">=", columns.stored(low)))
        if high is not None:
            tests.append(columns.compare(column, "<" if before else "<=", columns.stored(high)))
        return and_(*tests)

    def _here(self) -> Standpoint:
        if self.standpoint is None:
            raise ValueError(
                "a query that speaks of today, of money or of qualified leads needs a standpoint"
            )
        return self.standpoint


def _found(words: Sequence[Word | Phrase]) -> Ids:
    queries = [
        search.match(word.text) if isinstance(word, Word) else search.phrase(word.text)
        for word in words
    ]
    return search.found(" AND ".join(query or '""' for query in queries))


def _keys(field: Field, texts: Sequence[Text], how: How) -> list[str]:
    """The texts that are compared in this way, in the form in which they are."""
    return [field.key(value.text) for value in texts if value.how is how]


def _between(value: Any, span: Span) -> Test:
    tests: list[Test] = []
    if span.low is not None:
        tests.append(value >= span.low)
    if span.high is not None:
        tests.append(value <= span.high)
    return and_(*tests)
