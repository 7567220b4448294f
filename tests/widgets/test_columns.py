from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from crm_tui.widgets.columns import GAP, Cell, Column, fit, place


def column(key: str, width: int, rank: int, widest: int | None = None) -> Column[str]:
    return Column(
        key, key.title(), lambda row, _now: Cell(row), width=width, widest=widest, rank=rank
    )


COLUMNS = [
    column("score", 5, 1),
    column("name", 20, 0, widest=40),
    column("city", 10, 3, widest=15),
    column("status", 9, 2),
]


def keys(width: int) -> list[str]:
    return [COLUMNS[placed.index].key for placed in place(COLUMNS, width)]


def test_all_columns_stand_in_their_order_where_there_is_room() -> None:
    assert keys(200) == ["score", "name", "city", "status"]


@pytest.mark.parametrize(
    ("width", "left"),
    [
        (50, ["score", "name", "city", "status"]),
        (49, ["score", "name", "status"]),
        (37, ["score", "name"]),
        (26, ["name"]),
        (5, ["name"]),
    ],
)
def test_the_highest_rank_is_left_out_first_and_the_name_never(width: int, left: list[str]) -> None:
    assert keys(width) == left


def test_room_left_over_goes_to_the_most_important_column_that_may_grow() -> None:
    assert [placed.width for placed in place(COLUMNS, 54)] == [5, 24, 10, 9]
    assert [placed.width for placed in place(COLUMNS, 72)] == [5, 40, 12, 9]
    assert [placed.width for placed in place(COLUMNS, 300)] == [5, 40, 15, 9]


@given(width=st.integers(1, 300), indent=st.integers(0, 6))
def test_columns_never_overlap_nor_leave_the_screen(width: int, indent: int) -> None:
    placed = place(COLUMNS, width, indent=indent)
    assert placed[0].x == indent
    assert "name" in {COLUMNS[each.index].key for each in placed}
    for before, after in pairwise(placed):
        assert after.x == before.x + before.width + GAP
    last = placed[-1]
    assert last.width == 0 or last.x + last.width <= width


@given(text=st.text(max_size=60), width=st.integers(0, 40))
def test_a_fitted_text_fills_its_cells_exactly(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert cell_len(fit(text, width, "right")) == width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("Woodhaven", 9, "Woodhaven"),
        ("Woodhaven", 8, "Woodhav…"),
        ("Joe and sons", 5, "Joe…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301tude", 3, "e\u0301t…"),
        ("[red]x[/]", 9, "[red]x[/]"),
        ("\x1b]52;c;eA==\x07", 14, "␛]52;c;eA==␇"),
        ("a\u202eb", 12, "a⟨U+202E⟩b"),
        ("", 3, ""),
    ],
)
def test_what_is_cut_ends_in_an_ellipsis(text: str, width: int, shown: str) -> None:
    assert fit(text, width).rstrip() == shown


def test_numbers_stand_at_the_right() -> None:
    assert fit("92", 5, "right") == "   92"


def test_a_name_of_ten_thousand_characters_is_a_name_that_is_cut() -> None:
    assert fit("x" * 10_000, 10) == "xxxxxxxxx…"
    assert cell_len(fit("e" + "\u0301" * 10_000, 10)) == 10
