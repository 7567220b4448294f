"""What a few numbers can tell: intervals, and when one text is said to do better."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.campaigns.chance import LEAST, Share, interval, share_words, verdict

ALL = "40 of 40 (91–100%)"


@pytest.mark.parametrize(
    ("events", "of", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_an_interval_is_that_of_the_books(events: int, of: int, low: float, high: float) -> None:
    assert interval(Share(events, of)) == pytest.approx((low, high), abs=5e-5)


@given(of=st.integers(1, 100_000), data=st.data())
def test_an_interval_holds_the_rate_and_is_that_of_the_opposite_turned_round(
    of: int, data: st.DataObject
) -> None:
    events = data.draw(st.integers(0, of))
    sure, opposite = interval(Share(events, of)), interval(Share(of - events, of))
    assert sure is not None
    assert opposite is not None
    low, high = sure
    assert 0 <= low <= events / of <= high <= 1
    assert (low, high) == pytest.approx((1 - opposite[1], 1 - opposite[0]))
    wider = interval(Share(events * 10, of * 10))
    assert wider is not None
    assert wider[1] - wider[0] < high - low


def test_nobody_has_no_interval_and_more_than_all_are_none() -> None:
    assert interval(Share(0, 0)) is None
    assert share_words(Share(0, 0)) == "0 of 0"
    for events in (4, -1):
        with pytest.raises(ValueError, match="no share"):
            interval(Share(events, 3))


@pytest.mark.parametrize(
    ("rate", "a", "b", "winner", "sentence"),
    [
        (
            "reply",
            Share(3, 79),
            Share(12, 80),
            "b",
            "B gets more answers: 12 of 80 (9–24%) against 3 of 79 (1–11%).",
        ),
        (
            "click",
            Share(30, 100),
            Share(10, 100),
            "a",
            "A gets more clicks: 30 of 100 (22–40%) against 10 of 100 (6–17%).",
        ),
        (
            "open",
            Share(9, 79),
            Share(12, 80),
            None,
            "No difference in opens that could not be chance: A 9 of 79 (6–20%), B 12 of 80 (9–24%).",
        ),
        (
            "open",
            Share(40, 40),
            Share(40, 40),
            None,
            f"No difference in opens that could not be chance: A {ALL}, B {ALL}.",
        ),
    ],
)
def test_two_texts_are_told_apart_by_more_than_chance(
    rate: str, a: Share, b: Share, winner: str | None, sentence: str
) -> None:
    found = verdict(rate, a, b)
    assert (found.winner, found.sentence, found.enough) == (winner, sentence, True)


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (Share(0, 0), Share(0, 0), "about 60 more recipients needed."),
        (Share(0, 29), Share(20, 29), "about 2 more recipients needed."),
        (Share(1, 40), Share(2, 40), "about 188 more recipients needed."),
        (Share(39, 40), Share(40, 40), "about 720 more recipients needed."),
        (Share(0, 400), Share(0, 400), "no answer so far."),
    ],
)
def test_no_winner_is_named_of_too_few(a: Share, b: Share, sentence: str) -> None:
    found = verdict("reply", a, b)
    assert (found.enough, found.winner) == (False, None)
    assert found.sentence == f"Not enough data yet: {sentence}"


def test_chance_alone_seldom_names_a_winner() -> None:
    draws = random.Random(5)
    named = 0
    for _ in range(2_000):
        a, b = (Share(sum(draws.random() < 0.1 for _ in range(100)), 100) for _ in range(2))
        named += verdict("reply", a, b).winner is not None
    assert named <= 2_000 * 0.06


@given(
    a=st.tuples(st.integers(0, 400), st.integers(0, 400)),
    b=st.tuples(st.integers(0, 400), st.integers(0, 400)),
)
def test_whoever_is_named_does_better_and_the_order_does_not_matter(
    a: tuple[int, int], b: tuple[int, int]
) -> None:
    own, second = Share(min(a), max(a)), Share(min(b), max(b))
    found, turned = verdict("open", own, second), verdict("open", second, own)
    assert (found.enough, found.winner) == (
        turned.enough,
        {"a": "b", "b": "a", None: None}[turned.winner],
    )
    if found.winner:
        better, worse = (own, second) if found.winner == "a" else (second, own)
        assert min(own.of, second.of) >= LEAST
        assert better.events / better.of > worse.events / worse.of
