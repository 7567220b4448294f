from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.terminal_session import Terminal

pytestmark = pytest.mark.pty

PROGRAM = ["-m", "tests.widgets.table_program"]
MOVE, SCROLL = 650, 6_500
"""The most bytes a cursor move inside the window, and a scroll or page, may write at 80x24."""


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    with Terminal([*PROGRAM, "1000000"]) as terminal:
        terminal.until(lambda text: "number 20" in text)
        terminal.settle()
        yield terminal


def test_a_cursor_move_writes_two_lines(terminal: Terminal) -> None:
    for key in "jjjkkj":
        output = terminal.press(key)
        assert 0 < len(output) <= MOVE
        assert set(re.findall(rb"\x1b\[(\d+);1H", output)) - {b"1"} == set(
            re.findall(rb"\x1b\[(\d+);1H\x1b\[[0-9;]*m", output)
        )
        assert len(re.findall(rb"\x1b\[\d+;1H\x1b\[[0-9;]*m", output)) == 2


@pytest.mark.parametrize("keys", ["\x1b[6~", "\x04", "\x1b[5~", "G", "gg"])
def test_a_page_or_jump_is_one_paint(terminal: Terminal, keys: str) -> None:
    sizes = []
    for _ in range(3):  # where the machine is busy, rows may be late for the first paint
        terminal.press("G" if keys in {"\x1b[5~", "gg"} else "gg")
        sizes.append(len(terminal.press(keys)))
    assert 0 < min(sizes) <= SCROLL


def test_scrolling_line_by_line_is_one_paint_each(terminal: Terminal) -> None:
    terminal.press("gg" + "j" * 22)
    for _ in range(5):
        assert 0 < len(terminal.press("j")) <= SCROLL


def test_selecting_all_of_a_million_repaints_once(terminal: Terminal) -> None:
    assert 0 < len(terminal.press("*")) <= SCROLL
    assert 0 < len(terminal.press("~")) <= SCROLL


def test_nothing_is_written_while_nothing_happens(terminal: Terminal) -> None:
    assert terminal.rests(2.0)


def test_a_name_from_a_stranger_writes_no_control_byte() -> None:
    name = "\x1b]52;c;eA==\x07\x9b31m[red]\u202e[/]\r\n\x7f" + "x" * 10_000
    with Terminal([*PROGRAM, "3", name], columns=120) as terminal:
        terminal.until(lambda text: "number 3" in text)
        terminal.settle()
        assert "␛]52;c;eA==␇⟨U+009B⟩31m[red]⟨U+20" in terminal.text
        assert b"\x1b]52" not in terminal.written
        # The one bell is the end of Textual's own wish for a pointer shape.
        assert b"\x07" not in terminal.written.replace(b"\x1b]22;default\x07", b"")
        assert "\x9b".encode() not in terminal.written
        assert "\u202e".encode() not in terminal.written
        assert b"\x7f" not in terminal.written
