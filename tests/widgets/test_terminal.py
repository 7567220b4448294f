from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.widgets.terminal import lean

colours = st.sampled_from(["38;2;211;216;224", "38;2;127;196;143", "38;5;9", "31", "97", ""])
grounds = st.sampled_from(["48;2;21;24;29", "48;2;38;44;54", "48;5;1", "44", "104", ""])
attributes = st.sampled_from(["", "1", "4", "1;4", "3;7", "9"])
moves = st.sampled_from(["", "\x1b[2;1H", "\r\n", "\x1b[4;3H"])


@st.composite
def pieces(draw: st.DrawFn) -> str:
    """A piece as Textual writes it: a move, a whole style, text, a reset."""
    codes = ";".join(filter(None, (draw(attributes), draw(colours), draw(grounds))))
    text = draw(st.text("abc ▸é", max_size=6))
    return draw(moves) + (f"\x1b[{codes}m{text}\x1b[0m" if codes else text)


def shown(data: str) -> list[list[object]]:
    screen = pyte.Screen(30, 6)
    pyte.Stream(screen).feed(data)
    return [[screen.buffer[y][x] for x in range(30)] for y in range(6)]


@given(st.lists(pieces(), max_size=12))
def test_a_lean_writing_shows_the_same_screen_in_no_more_bytes(written: list[str]) -> None:
    data = "".join(written)
    assert shown(lean(data)) == shown(data)
    assert len(lean(data)) <= len(data)
    assert shown(lean(data) + "after") == shown(data + "after")


@pytest.mark.parametrize(
    ("data", "fewer"),
    [
        ("\x1b[31;44ma\x1b[0m\x1b[31;44mb\x1b[0m", "\x1b[31;44mab\x1b[0m"),
        ("\x1b[31;44ma\x1b[0m\x1b[32;44mb\x1b[0m", "\x1b[31;44ma\x1b[32mb\x1b[0m"),
        ("\x1b[31ma\x1b[0m\x1b[1;31mb\x1b[0m", "\x1b[31ma\x1b[1mb\x1b[0m"),
        ("\x1b[1;31ma\x1b[0m\x1b[31mb\x1b[0m", "\x1b[1;31ma\x1b[22mb\x1b[0m"),
        ("\x1b[1;2;31ma\x1b[0m\x1b[2;31mb\x1b[0m", "\x1b[1;2;31ma\x1b[22;2mb\x1b[0m"),
        ("\x1b[21ma\x1b[0m\x1b[31mb\x1b[0m", "\x1b[21ma\x1b[0;31mb\x1b[0m"),
        ("\x1b[?25l", "\x1b[?25l"),
    ],
)
def test_only_what_changes_is_written(data: str, fewer: str) -> None:
    assert lean(data) == fewer
