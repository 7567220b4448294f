"""Reading queries and writing them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crm_tui.services.filters import QueryError, parse, render
from crm_tui.services.filters.parse import MOST_CONDITIONS, MOST_DEPTH
from crm_tui.services.filters.tree import (
    And,
    Compare,
    How,
    Match,
    Node,
    Not,
    Or,
    Phrase,
    Span,
    Text,
    When,
    Word,
)
from tests.filters.trees import queries

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SEARCHED = st.from_regex(r"[\w.+@'/-]{1,8}", fullmatch=True).filter(
    lambda word: word[0] != "-" and word.lower() != "or" and any(map(str.isalnum, word))
)
OWN = ANY_TEXT.filter(bool)


@given(queries(ANY_TEXT, SEARCHED, OWN))
@settings(max_examples=300)
def test_a_query_that_is_written_and_read_again_is_the_same(query: Node) -> None:
    assert parse(render(query)) == query


@given(ANY_TEXT | st.text(':,.~*"()-<>=! orcitysndag7', max_size=30))
@example('city:"')
@example("score>=\ud800")
@settings(max_examples=300)
def test_any_text_is_read_or_refused_at_one_of_its_columns(text: str) -> None:
    read: Node | QueryError
    try:
        read = parse(text)
    except QueryError as error:
        read = error
    if isinstance(read, QueryError):
        assert 1 <= read.column <= len(text) + 1
        assert read.text == text
        assert str(read).endswith(f"(column {read.column}).")
    else:
        assert parse(render(read)) == read


QUEENS = Match("city", (Text("Queens"),))


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", And(())),
        ("   ", And(())),
        ("plumb", Word("plumb")),
        ("city:Queens", QUEENS),
        ("City:Queens", QUEENS),
        ("city=Queens", QUEENS),
        ('city:"New York"', Match("city", (Text("New York"),))),
        (
            'city:Que*,~ens,"St. "*,*',
            Match(
                "city",
                (
                    Text("Que", How.BEGINNING),
                    Text("ens", How.PART),
                    Text("St. ", How.BEGINNING),
                    Text("", How.BEGINNING),
                ),
            ),
        ),
        ('name:"5 \\"star\\" *"', Match("name", (Text('5 "star" *'),))),
        ("score>=70", Compare("score", ">=", 70)),
        ("rating>4.5", Compare("rating", ">", 4.5)),
        ("score:70", Match("score", (Span(70, 70),))),
        ("score:60..80,90..", Match("score", (Span(60, 80), Span(90, None)))),
        ("id:1,4..9", Match("id", (Span(1, 1), Span(4, 9)))),
        ("created>2026-1-5", Compare("created", ">", When("2026-01-05"))),
        ('created<"2026-01-05 9:30"', Compare("created", "<", When("2026-01-05T09:30"))),
        ("activity<7D", Compare("activity", "<", When("7d"))),
        (
            "created:last-month..Today",
            Match("created", (Span(When("last-month"), When("today")),)),
        ),
        ("mailed:never", Match("mailed", (Text("never"),))),
        ("campaign:Spring", Match("campaign", (Text("Spring"),))),
        ("outcome:Wrong-Contact", Match("outcome", (Text("wrong_contact"),))),
        ("contact:called", Match("status", (Text("called"),))),
        ("custom.floors>=3", Compare("custom.floors", ">=", 3)),
        ('custom."Our id":5', Match("custom.Our id", (Text("5"),))),
        ('custom.x:1..5,"1..5"', Match("custom.x", (Span(1, 5), Text("1..5")))),
        ("-city:Queens", Not(QUEENS)),
        ("--city:Queens", Not(Not(QUEENS))),
        ("a b or c", Or((And((Word("a"), Word("b"))), Word("c")))),
        ("a (b OR c)", And((Word("a"), Or((Word("b"), Word("c")))))),
        ("-(a b)", Not(And((Word("a"), Word("b"))))),
        ('"a  b" c', And((Phrase("a  b"), Word("c")))),
        ("Smith & Sons", And((Word("Smith"), Word("Sons")))),
        ("or", None),
        ("oregon or-ion", And((Word("oregon"), Word("or-ion")))),
        ("joe@acme.com +1-718", And((Word("joe@acme.com"), Word("+1-718")))),
        ("www.acme.com:8080", Word("www.acme.com:8080")),
        ("24/7", Word("24/7")),
    ],
)
def test_what_a_query_says(text: str, query: Node | None) -> None:
    if query is None:
        with pytest.raises(QueryError):
            parse(text)
    else:
        assert parse(text) == query


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("score>=abc", 'score>=abc: "abc" is no number (column 8).'),
        ("plumb citty:Queens", "citty: there is no such field; did you mean city? (column 7)."),
        (
            "https://acme.com",
            "https: there is no such field; words with a colon need quotation marks (column 1).",
        ),
        (
            "is:new",
            'is:new: "new" is unknown; there are archived, qualified, never, customer, suppressed (column 4).',
        ),
        (
            "outcome:intrested",
            'outcome:intrested: "intrested" is unknown; did you mean interested? There are open, interested, later, won, lost, wrong_contact (column 9).',
        ),
        ("city:", "city: needs a value right after it (column 6)."),
        ("city:Queens,", "city: needs a value right after it (column 13)."),
        ("city: Queens", "city: needs a value right after it (column 6)."),
        ('city:" "', 'city:" ": there is nothing to compare with (column 6).'),
        ("phone:none", "phone:none: there is nothing to compare with (column 7)."),
        (
            "city:Q*s",
            'city:Q*s: "*" stands at the end; ~ before a value finds any part (column 6).',
        ),
        ('city:"Queens"x', 'Before "x" a space is missing (column 14).'),
        ("city>M", "city>: city is a text; write city:VALUE (column 1)."),
        ("score!=5", "score!=: write -score: for what it is not (column 1)."),
        ("score >=70", 'Before ">" comes a field, without a space: score>=70 (column 7).'),
        ("score>=1,2", "score>=1: it takes one value; several stand after a colon (column 9)."),
        ("score:80..60", 'score:80..60: "80..60" is no range, such as 60..80 (column 7).'),
        ("id:1.5", 'id:1.5: "1.5" is no whole number (column 4).'),
        (
            "score>1234567890123456",
            'score>1234567890123456: "1234567890123456" is no number (column 7).',
        ),
        ("created>2026-02-30", None),
        ("created>0026-02-03", None),
        ("activity:7d", "activity:7d: an age is compared with < or >: activity<7d (column 10)."),
        ("activity:2d..today", None),
        ("activity:never", None),
        ("mailed<never", None),
        (
            "mailed:nver",
            'mailed:nver: "nver" is no time, such as 2026-01-31, 2026-01, today, last-week or 7d (ago), never (column 8).',
        ),
        ("a or", '"or" needs something on both sides (column 5).'),
        ("or a", '"or" needs something on both sides (column 1).'),
        ("a or or b", '"or" needs something on both sides (column 6).'),
        ("(a", 'A "(" is not closed (column 1).'),
        ("a b)", 'A ")" has no "(" before it (column 4).'),
        ("a ()", 'Before ")" something is missing (column 4).'),
        ('a "b', "A quotation mark is not closed (column 3)."),
        ('""', "Between the quotation marks is nothing to search for (column 1)."),
        ("&", '"&" is nothing to search for (column 1).'),
        ("a -&", '"&" is nothing to search for (column 4).'),
        ("a - b", '"-" stands right before what it leaves out (column 3).'),
        ("caf\0", "A character is no text (column 4)."),
    ],
)
def test_a_query_that_cannot_be_read_says_what_is_wrong_and_where(
    text: str, sentence: str | None
) -> None:
    with pytest.raises(QueryError) as refused:
        parse(text)
    if sentence is not None:
        assert str(refused.value) == sentence


def test_a_query_is_no_larger_than_the_store_can_take() -> None:
    most = " ".join(["a"] * MOST_CONDITIONS)
    assert isinstance(parse(most), And)
    with pytest.raises(QueryError, match="conditions"):
        parse(f"{most} a")
    deepest = "(" * MOST_DEPTH + "a" + ")" * MOST_DEPTH
    assert parse(deepest) == Word("a")
    with pytest.raises(QueryError, match="within each other"):
        parse(f"-{deepest}")
