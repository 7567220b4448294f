"""Fewer bytes to the terminal, which is what a slow SSH line feels.

Textual writes every piece of text with its whole style and a reset after it: 40 bytes for a word
of ten. Within one write, `lean` leaves out what the terminal already has, which takes a third to a
half off every paint. The text itself is not touched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from textual.drivers.linux_driver import LinuxDriver

_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "8": "28", "9": "29"}
"""The code that takes an attribute back."""

_STYLE_CHANGE = re.compile(r"\x1b\[([0-9;]*)m")


class _Sgr(NamedTuple):
    """A style as the terminal keeps it: attributes ("1", "4"), text colour and ground ("38;5;7")."""

    attributes: frozenset[str] = frozenset()
    colour: str = ""
    ground: str = ""

    def after(self, before: _Sgr) -> str:
        """The shortest sequence that turns the style `before` into this one."""
        lost = before.attributes - self.attributes
        fades = (before.colour and not self.colour) or (before.ground and not self.ground)
        afresh = _sequence("0", *sorted(self.attributes), self.colour, self.ground)
        if fades or not lost <= _OFF.keys():
            return afresh
        off = {_OFF[attribute] for attribute in lost}
        # Bold and dim are taken back by one code, whichever of them should stay.
        kept = {a for a in before.attributes & self.attributes if _OFF.get(a) not in off}
        change = _sequence(
            *sorted(off),
            *sorted(self.attributes - kept),
            self.colour if self.colour != before.colour else "",
            self.ground if self.ground != before.ground else "",
        )
        return min(change, afresh, key=len)


def _sequence(*codes: str) -> str:
    joined = ";".join(filter(None, codes))
    return f"\x1b[{joined}m" if joined else ""


_PLAIN = _Sgr()


@lru_cache(maxsize=1_024)
def _parse(codes: str) -> _Sgr:
    """The style a sequence of codes sets, starting from a plain one."""
    attributes: set[str] = set()
    colour = ground = ""
    parts = iter(codes.split(";"))
    for part in parts:
        if part in {"38", "48"}:
            kind = next(parts, "")
            rest = [next(parts, "") for _ in range(3 if kind == "2" else 1)]
            value = ";".join((part, kind, *rest))
            colour, ground = (value, ground) if part == "38" else (colour, value)
        elif part in {"", "0"}:
            attributes, colour, ground = set(), "", ""
        elif 30 <= (number := int(part)) <= 39 or 90 <= number <= 97:
            colour = part
        elif 40 <= number <= 49 or 100 <= number <= 107:
            ground = part
        else:
            attributes.add(part)
    return _Sgr(frozenset(attributes), colour, ground)


def lean(data: str) -> str:
    """The same writing with shorter style changes; it begins and ends as plain as it did."""
    if "\x1b[0m" not in data:
        return data
    written: list[str] = []
    has = wants = _PLAIN
    position = 0
    for change in _STYLE_CHANGE.finditer(data):
        if change.start() > position:
            written += (wants.after(has), data[position : change.start()])
            has = wants
        position = change.end()
        # A style is set after a reset; without one it adds to what is there.
        wants = _parse(change[1]) if wants == _PLAIN or change[1] == "0" else _merge(wants, change)
    written += (wants.after(has), data[position:])
    return "".join(written)


def _merge(style: _Sgr, change: re.Match[str]) -> _Sgr:
    more = _parse(change[1])
    return _Sgr(
        style.attributes | more.attributes,
        more.colour or style.colour,
        more.ground or style.ground,
    )


_PLAIN_SHAPES = str.maketrans("▸●○◐▲…▐▌█▔▁─│↓↑■", ">*o+!~|||-_-|v^#")
_PLAIN_TERMINALS = frozenset({"linux", "dumb", "vt100", "vt102", "vt220", "cons25"})


def wants_plain_shapes(environ: Mapping[str, str]) -> bool:
    """Whether the terminal's font has letters only: consoles, and old terminals' descendants."""
    return environ.get("TERM", "") in _PLAIN_TERMINALS


def plain_shapes(data: str) -> str:
    """The same writing with our shapes, and the lines of borders, as ASCII."""
    return data.translate(_PLAIN_SHAPES)


class LeanDriver(LinuxDriver):
    """Textual's own driver, writing fewer bytes, and ASCII shapes where others cannot be shown."""

    def write(self, data: str) -> None:
        """Write to the terminal."""
        super().write(lean(plain_shapes(data) if wants_plain_shapes(os.environ) else data))
