from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.sites.slugs import RESERVED, clean_slug, is_safe, make_slug

KEY = str(uuid.UUID(int=7))


@pytest.mark.parametrize(
    ("name", "city", "words"),
    [
        ("Marsh & Daughter", "Bath", "marsh-daughter-bath"),
        ("Joe's Plumbing", "New York", "joes-plumbing-new-york"),
        ("Bath Plumbing of Bath", "Bath", "bath-plumbing-of-bath"),
        ("Ταβέρνα Αφροδίτη", "Λεμεσός", "taverna-afroditi-lemesos"),
        ("Кафе Пушкинъ", "Москва", "kafe-pushkin-moskva"),
        ("Straßenbäckerei Müller", "Köln", "strassenbackerei-muller-koln"),
        ("../../etc/passwd", "", "etc-passwd"),
        ("", "", "site"),
        ("🍕", "", "pizza"),
        ("CON", "", "con"),
    ],
)
def test_a_slug_is_made_of_name_and_city(name: str, city: str, words: str) -> None:
    slug = make_slug(name, city, KEY)
    assert slug.rpartition("-")[0] == words
    assert is_safe(slug)


def test_two_businesses_of_one_name_have_different_slugs() -> None:
    assert make_slug("Marsh", "Bath", KEY) != make_slug("Marsh", "Bath", str(uuid.UUID(int=8)))


def test_the_suffix_does_not_show_the_key() -> None:
    slug = make_slug("Marsh", "Bath", KEY)
    assert slug == make_slug("Marsh", "Bath", KEY)
    assert slug.rpartition("-")[2] not in KEY


def test_a_long_name_is_cut_between_words() -> None:
    slug = make_slug("plumbing " * 20, "Bath", KEY)
    assert len(slug) <= 60
    assert set(slug.split("-")[:-1]) == {"plumbing"}


@given(st.text(), st.text(), st.text())
def test_every_slug_made_is_safe(name: str, city: str, key: str) -> None:
    assert is_safe(make_slug(name, city, key))


@given(
    st.text()
    | st.from_regex(r"[a-z0-9-]{0,70}", fullmatch=True)
    | st.sampled_from(sorted(RESERVED))
)
def test_every_slug_cleaned_is_safe_and_stays_so(old: str) -> None:
    slug = clean_slug(old)
    assert is_safe(slug)
    assert clean_slug(slug) == slug


@pytest.mark.parametrize("slug", ["marsh-plumbing", "a1b", "x" * 60])
def test_a_safe_slug_is_kept(slug: str) -> None:
    assert clean_slug(slug) == slug


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "x" * 101,
        "con",
        "index",
        "Marsh",
        "a b",
        "a/b",
        "..",
        "a.b",
        "-ab",
        "ab-",
        "abc\n",
        "é-cafe",
        "a_b",
    ],
)
def test_anything_else_is_not_safe(slug: str) -> None:
    assert not is_safe(slug)
