"""The terminal: fewer bytes to it, which is what a slow SSH line feels, and its end.

Textual writes every piece of text with its whole style and a reset after it: 40 bytes for a word
of ten. Within one write, `lean` leaves out what the terminal already has, which takes a third to a
half off every paint. The text itself is not touched.
"""

from __future__ import annotations

import os
import re
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, NamedTuple, TextIO, cast

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from crm_tui.first_keys import terminal_before
from crm_tui.widgets.shapes import wants_plain_shapes

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


_LINK = re.compile(r"\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)")
_AS_IT_WAS = (
    b"\x18\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?2048l\x1b[?7h\x1b[<u"
    b"\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
)
"""No sequence half-written, no mouse, no pastes in brackets, plain keys, the first screen, a cursor."""


def without_links(data: str) -> str:
    """The same writing without links (OSC 8), which old terminals print as text."""
    return _LINK.sub("", data)


class _Output:
    """The terminal as a file, whose end is no error: what cannot be written goes nowhere.

    Textual writes in a thread of its own. If that died of a terminal that hung up, the next
    writes would fill its queue, and the app would wait for it for ever.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.gone = False

    def write(self, text: str) -> None:
        with self._ending():
            if not self.gone:
                self._file.write(text)

    def flush(self) -> None:
        with self._ending():
            if not self.gone:
                self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.gone = True
            # What is still buffered has to go somewhere, or Python fails over it at the end.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)


class LeanDriver(LinuxDriver):
    """Textual's own driver, writing fewer bytes, and no links where they are shown as text.

    It outlives its terminal: what is written to one that hung up is dropped, and `gone` tells.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._output = _Output(cast("TextIO", self._file))
        self._file = cast("Any", self._output)
        self._drawing = False

    def write(self, data: str) -> None:
        """Write to the terminal."""
        if wants_plain_shapes(os.environ):
            data = without_links(data)
        super().write(lean(data))

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        self._drawing = True
        super().start_application_mode()  # type: ignore[no-untyped-call] # Textual's
        self.attrs_before = terminal_before() or self.attrs_before

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        super().stop_application_mode()
        self._drawing = False

    @property
    def gone(self) -> bool:
        """Whether there is no terminal any more to draw on and to read from."""
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return True
        return self._output.gone

    def give_back(self) -> None:
        """Give the terminal back from any thread, where the app is in no state to do it.

        Writing waits where the terminal stands still.
        """
        if not self._drawing:
            return
        if self.attrs_before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        with suppress(OSError):
            os.write(self._output.fileno(), _AS_IT_WAS)

    def _run_input_thread(self) -> None:
        """Read keys; a terminal that is gone ends that, anything else is a defect."""
        try:
            self.run_input_thread()
        except OSError:
            self._output.gone = True
        except Exception as error:  # noqa: BLE001 - handed to the app, which logs it and ends
            self._app.call_later(self._app._handle_exception, error)  # noqa: SLF001 - Textual's own
