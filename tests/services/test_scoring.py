from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crm_tui.config import ScoreSettings, ScoreWeights
from crm_tui.services.scoring import ScoreFacts, explain, points


@pytest.fixture
def facts(now: datetime) -> ScoreFacts:
    return ScoreFacts(
        website=None,
        rating=4.6,
        review_count=40,
        photo_count=4,
        email=None,
        phone="+15188711647",
        category="Plumber",
        captured_at=now,
    )


def test_a_plumber_with_a_phone_and_no_website_is_qualified(
    facts: ScoreFacts, now: datetime
) -> None:
    settings = ScoreSettings()
    assert points(facts, settings, now=now) >= settings.threshold


def test_no_website_ranks_above_the_same_lead_with_one(facts: ScoreFacts, now: datetime) -> None:
    with_site = replace(facts, website="https://acme.com/")
    assert points(facts, ScoreSettings(), now=now) > points(with_site, ScoreSettings(), now=now)


def test_every_factor_says_why_and_they_add_up(facts: ScoreFacts, now: datetime) -> None:
    score = explain(facts, ScoreSettings(), now=now)
    assert score.total == points(facts, ScoreSettings(), now=now)
    assert abs(sum(factor.points for factor in score.factors) - score.total) < 1
    assert all(factor.why for factor in score.factors)
    assert [f.why for f in score.factors if f.factor == "reviews"] == ["40 reviews"]


def test_an_old_capture_counts_less(facts: ScoreFacts, now: datetime) -> None:
    stale = replace(facts, captured_at=now - timedelta(days=200))
    assert points(stale, ScoreSettings(), now=now) < points(facts, ScoreSettings(), now=now)


def test_only_the_proportions_of_the_weights_matter(facts: ScoreFacts, now: datetime) -> None:
    small = ScoreSettings(weights=ScoreWeights(3, 1, 1, 1, 1, 1, 1, 1))
    large = ScoreSettings(weights=ScoreWeights(300, 100, 100, 100, 100, 100, 100, 100))
    assert points(facts, small, now=now) == points(facts, large, now=now)


def test_the_operator_can_name_the_categories_that_fit(facts: ScoreFacts, now: datetime) -> None:
    dentists = ScoreSettings(categories=("dentist",))
    assert points(facts, dentists, now=now) < points(facts, ScoreSettings(), now=now)


@given(
    website=st.none() | st.just("https://a.com/"),
    rating=st.none() | st.floats(0, 5),
    review_count=st.none() | st.integers(0, 10**7),
    photo_count=st.none() | st.integers(0, 10**5),
    category=st.none() | st.text(max_size=20),
    age=st.integers(-400, 4000),
    weights=st.lists(st.floats(0.1, 1000), min_size=8, max_size=8),
)
def test_a_score_is_always_between_0_and_100(
    website: str | None,
    rating: float | None,
    review_count: int | None,
    photo_count: int | None,
    category: str | None,
    age: int,
    weights: list[float],
) -> None:
    at = datetime.fromisoformat("2026-11-22T09:30:00+00:00")
    facts = ScoreFacts(
        website, rating, review_count, photo_count, None, None, category, at - timedelta(days=age)
    )
    settings = ScoreSettings(weights=ScoreWeights(*weights))
    assert 0 <= points(facts, settings, now=at) <= 100
