from __future__ import annotations

import pytest

from crm_tui.widgets.look import BEGUN, NOTHING, REACHED, TROUBLE
from crm_tui.widgets.row_paint import (
    ASCENDING,
    CURSOR_MARK,
    DESCENDING,
    NOT_LOADED,
    SELECTED_MARK,
    THUMB,
)
from crm_tui.widgets.shapes import plain_shapes, wants_plain_shapes


def test_every_mark_has_a_letter_of_its_own() -> None:
    marks = [BEGUN, NOTHING, REACHED, TROUBLE, ASCENDING, DESCENDING, CURSOR_MARK, THUMB]
    plain = [plain_shapes(mark) for mark in (*marks, NOT_LOADED)]
    assert all(mark.isascii() and len(mark) == 1 for mark in plain)
    assert len(set(plain)) == len(plain)
    assert plain_shapes(SELECTED_MARK) == SELECTED_MARK


def test_borders_blocks_and_signs_are_ascii_in_as_many_cells() -> None:
    boxes_and_blocks = "".join(map(chr, range(0x2500, 0x25A0)))
    for text in (boxes_and_blocks, "a · b – “c” ‘d’ × ← ⟨U+202E⟩ ␛"):  # noqa: RUF001 - the very signs
        assert plain_shapes(text).isascii()
        assert len(plain_shapes(text)) == len(text)


def test_the_mark_of_the_order_is_no_letter_of_the_title() -> None:
    assert plain_shapes(f"Score{DESCENDING} Name{ASCENDING}") == "Score> Name<"
    assert plain_shapes("↑ ↓ tomorrow") == "^ v tomorrow"


def test_what_others_wrote_in_their_script_stays() -> None:
    assert plain_shapes("Café ▸ Λεμεσός 東京") == "Café > Λεμεσός 東京"


@pytest.mark.parametrize(("term", "plain"), [("linux", True), ("xterm-256color", False)])
def test_only_consoles_get_plain_shapes(term: str, *, plain: bool) -> None:
    assert wants_plain_shapes({"TERM": term}) is plain
