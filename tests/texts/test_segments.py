"""How many segments a text message takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.services.texting import Size, foreign, size, why_too_long


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Size(1, 0, True)),
        ("a" * 160, Size(1, 160, True)),
        ("a" * 161, Size(2, 161, True)),
        ("a" * 306, Size(2, 306, True)),
        ("a" * 307, Size(3, 307, True)),
        ("€" * 80, Size(1, 160, True)),
        ("a" + "€" * 80, Size(2, 161, True)),
        ("{}[]~^|\\€\f", Size(1, 20, True)),
        ("Grüße, Ñandú à la Ødegård", Size(1, 25, False)),  # ú is not in the alphabet
        ("Grüße, Ø à la Ñ @£$¥", Size(1, 20, True)),
        ("“" + "a" * 69, Size(1, 70, False)),
        ("“" + "a" * 70, Size(2, 71, False)),
        ("“" + "a" * 133, Size(2, 134, False)),
        ("“" + "a" * 134, Size(3, 135, False)),
        ("🙂" * 35, Size(1, 70, False)),
        ("🙂" * 36, Size(2, 72, False)),
    ],
)
def test_segments_are_counted_as_the_network_does(text: str, found: Size) -> None:
    assert size(text) == found


def test_an_extension_letter_is_not_cut_from_its_escape() -> None:
    # 152 letters and an escaped one do not fit into 153 septets: the escaped one moves on.
    assert size("a" * 152 + "€" + "a" * 152).segments == 3
    assert size("a" * 151 + "€" + "a" * 153).segments == 2


def test_a_letter_of_two_units_is_not_cut() -> None:
    assert size("é" * 66 + "ł" + "🙂" * 33).segments == 2
    assert size("ł" * 66 + "🙂" + "ł" * 66).segments == 3


@given(st.text(max_size=400))
def test_more_text_never_takes_less(text: str) -> None:
    assert size(text + "x").segments >= size(text).segments >= 1


def test_the_letters_that_make_it_short_are_named() -> None:
    assert foreign("Grüße “Ł” Ł") == "“Ł”"


def test_a_text_of_1600_characters_goes_and_one_more_does_not() -> None:
    assert why_too_long("a" * 1600) == ""
    assert why_too_long("a" * 1601) == "it has 1,601 characters, and a text message 1,600 at most"
