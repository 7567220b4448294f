"""Shapes as ASCII, for fonts and readers that have nothing else: one table, for everything shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLAIN_TERMINALS = frozenset({"linux", "dumb", "vt100", "vt102", "vt220", "cons25"})

_BOXES = {chr(code): "+" for code in range(0x2500, 0x2580)}
_BOXES |= dict.fromkeys("─━┄┅┈┉╌╍╴╶╸╺╼╾", "-") | dict.fromkeys("│┃┆┇┊┋╎╏║╵╷╹╻╽╿", "|")
_BOXES |= {"═": "=", "╱": "/", "╲": "\\", "╳": "X"}  # noqa: RUF001 - these very signs
_BLOCKS = {chr(code): "|" for code in range(0x2580, 0x25A0)}
_BLOCKS |= {"▀": "-", "▔": "-", "▁": "_", "░": ".", "▒": ":", "▓": "#"}
_MARKS = dict(zip("▸●○◐▲■…↓↑←→", ">*o+!#~v^<>", strict=True))
_SIGNS = dict(zip("·–—“”‘’×÷⟨⟩", ".--\"\"''x/<>", strict=True))  # noqa: RUF001 - likewise
_CONTROLS = {chr(code): "?" for code in range(0x2400, 0x2427)}

_SORT_MARK = re.compile(r"(?<=\w)[↓↑]")
"""An arrow right after a word, as a table marks its order: "v" would be read as a letter of it."""
_COMPARED = {"↓": ">", "↑": "<"}

_TABLE = str.maketrans(_BOXES | _BLOCKS | _MARKS | _SIGNS | _CONTROLS)


def plain_shapes(text: str) -> str:
    """The same text with our shapes, borders and signs as ASCII, each in a cell as before."""
    if text.isascii():
        return text
    return _SORT_MARK.sub(lambda mark: _COMPARED[mark[0]], text).translate(_TABLE)


def wants_plain_shapes(environ: Mapping[str, str]) -> bool:
    """Whether the terminal's font has letters only: consoles, and old terminals' descendants."""
    return environ.get("TERM", "") in _PLAIN_TERMINALS
