from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.sites.facts import DAYS, SiteFacts, canonical, content_hash, plain, tidy
from crm_tui.services.sites.texts import SiteTexts
from tests.sites.businesses import ONLY_A_NAME, RICH

TEXTS = SiteTexts(headline="Hello")


def test_the_hash_is_the_same_for_the_same_facts_in_another_order() -> None:
    turned = replace(RICH, hours=dict(reversed(list(RICH.hours.items()))))
    assert content_hash(RICH, TEXTS, "1") == content_hash(turned, TEXTS, "1")


@pytest.mark.parametrize(
    "changed",
    [
        replace(RICH, name="Another"),
        replace(RICH, phone="+441225555013"),
        replace(RICH, hours={**RICH.hours, "mon": [["09:00", "10:00"]]}),
        replace(RICH, review_count=1132),
    ],
)
def test_the_hash_differs_when_a_fact_on_the_page_differs(changed: SiteFacts) -> None:
    assert content_hash(RICH, TEXTS, "1") != content_hash(changed, TEXTS, "1")


def test_the_hash_differs_when_texts_or_theme_differ() -> None:
    first = content_hash(RICH, TEXTS, "1")
    assert first != content_hash(RICH, SiteTexts(headline="Goodbye"), "1")
    assert first != content_hash(RICH, TEXTS, "2")


def test_a_rating_that_is_not_shown_does_not_count() -> None:
    poor, poorer = replace(RICH, rating=3.9), replace(RICH, rating=3.1, review_count=1140)
    assert content_hash(poor, TEXTS, "1") == content_hash(poorer, TEXTS, "1")


@pytest.mark.parametrize(
    ("rating", "reviews", "shown"),
    [
        (4.0, 1, True),
        (5.0, 2, True),
        (3.9, 900, False),
        (4.9, 0, False),
        (4.9, None, False),
        (None, 12, False),
        (9.6, 12, False),
    ],
)
def test_ratings_are_shown_only_where_they_flatter(
    rating: float | None, reviews: int | None, shown: bool
) -> None:
    facts = replace(ONLY_A_NAME, rating=rating, review_count=reviews)
    assert facts.flattering is shown
    assert (canonical(facts)["rating"] is not None) is shown


def test_names_lose_what_nobody_can_see() -> None:
    assert plain("\u202eMarsh\x00 \x1b & \u200bSons\r\n", 100) == "Marsh & Sons"
    assert plain("👩\u200d🍳", 10) == "👩\u200d🍳"  # a joiner belongs to its emoji
    assert tidy(replace(RICH, name="\u200b ")).name == "This business"


def test_times_and_places_that_do_not_exist_are_not_known() -> None:
    hours = {"mon": [["9", "17:00"]], "tue": [["09:00", "25:00"]], "wed": [["09:00", "24:00"]]}
    facts = tidy(replace(RICH, hours={**hours, "xyz": []}, latitude=float("nan")))
    assert facts.hours == {"wed": [["09:00", "24:00"]]}
    assert facts.latitude is None
    assert facts.longitude is None


def test_an_endless_name_is_cut() -> None:
    name = tidy(replace(RICH, name="x" * 10_000)).name
    assert len(name) == 160
    assert name.endswith("…")


@given(st.text(), st.dictionaries(st.sampled_from(DAYS), st.just([["09:00", "17:00"]])))
def test_any_facts_can_be_hashed(name: str, hours: dict[str, list[list[str]]]) -> None:
    facts = replace(RICH, name=name, hours=hours)
    assert len(content_hash(facts, TEXTS, "1")) == 64
