from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.text import fold, plural, to_json, visible, visible_lines

HOSTILE = [
    "\x1b]52;c;aGk=\x07",
    "\x9b2J",
    "\u202egnp.exe",
    "a\u2028b",
    "\ud800",
    "zero\u200bwidth",
    "\x7f\x00\x08",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_control_or_format_character_survives(text: str) -> None:
    shown = visible(text)
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in shown)
    assert shown.encode()


@given(st.text())
def test_whatever_the_text_one_line_of_printable_characters_comes_out(text: str) -> None:
    shown = visible(text)
    unsafe = {"Cc", "Cs", "Zl", "Zp"}
    assert not any(unicodedata.category(c) in unsafe for c in shown)
    assert "\n" not in shown


@given(st.text())
def test_making_text_visible_twice_changes_nothing_more(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert visible_lines(visible_lines(text)) == visible_lines(text)


def test_markup_is_text() -> None:
    assert visible("[red]Joe[/]") == "[red]Joe[/]"


def test_the_emoji_joiner_and_accents_stay() -> None:
    assert visible("👩\u200d🔧 Ηλίας Müller") == "👩\u200d🔧 Ηλίας Müller"


def test_a_pile_of_marks_is_cut_down() -> None:
    assert len(visible("a" + "\u0301" * 500)) < 10


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert visible("x" * 10_000, 20) == "x" * 19 + "…"
    assert visible("short", 20) == "short"


def test_lines_are_kept_and_tabs_become_spaces() -> None:
    assert visible_lines("a\r\nb\rc\td\x1b") == "a\nb\nc    d␛"


without_marks = st.characters(exclude_categories=("Cs", "Mn", "Mc", "Me"))
"""Of a pile of marks only some are shown, which has a test of its own."""


@given(st.recursive(st.none() | st.text(without_marks) | st.integers(), st.lists))
def test_json_reads_back_and_holds_no_unsafe_character(value: object) -> None:
    dumped = to_json(value)
    assert json.loads(dumped) == value
    assert visible(dumped.replace("\n", "")) == dumped.replace("\n", "")


def test_folding_forgets_case_accents_and_spacing() -> None:
    assert fold("  Café  MÜLLER ") == "cafe muller"
    assert fold("Λεωφόρος") == fold("ΛΕΩΦΌΡΟΣ")


def test_counts_carry_their_noun() -> None:
    assert plural(1, "lead") == "1 lead"
    assert plural(1204, "lead") == "1,204 leads"
    assert plural(2, "business", "businesses") == "2 businesses"
