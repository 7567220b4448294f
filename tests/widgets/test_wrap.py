from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from crm_tui.text import visible_lines
from crm_tui.widgets.wrap import wrap

TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from(" \n\tabc é日本👩‍🔧"), max_size=200)


def test_lines_break_at_spaces_and_keep_the_breaks_of_the_text() -> None:
    assert wrap("call after nine\n\nor on Monday", 10) == [
        "call after",
        "nine",
        "",
        "or on",
        "Monday",
    ]


def test_a_word_wider_than_the_line_is_broken_where_it_must_be() -> None:
    assert wrap("https://example.com/x", 8) == ["https://", "example.", "com/x"]


def test_wide_characters_count_as_two_cells() -> None:
    assert wrap("日本語 東京", 6) == ["日本語", "東京"]


@given(TEXTS, st.integers(min_value=2, max_value=40))
def test_no_line_is_wider_than_asked_and_no_word_is_lost(text: str, width: int) -> None:
    safe = visible_lines(text)
    lines = wrap(safe, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(safe.split())
