"""Keys that are typed while the program starts: kept as they are for the app to read.

Until an app takes the terminal over, the system reads the keys: ctrl+s stops the output and is
gone, ctrl+u and backspace take back what was typed before, enter becomes another key. Loading the
app takes a moment, and who knows the program types on.
"""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_INPUT, _LOCAL = 0, 3
"""The places of their flags in what termios hands out."""

_CHANGING_KEYS = termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR
_TAKING_KEYS = termios.ECHO | termios.ICANON | termios.IEXTEN

_as_it_was: list[Any] | None = None


@contextmanager
def kept() -> Iterator[None]:
    """Keep the keys typed from now on; after it, the terminal is as it was.

    ctrl+c ends the program as before.
    """
    global _as_it_was  # noqa: PLW0603 - a process has one terminal
    with suppress(termios.error):
        _as_it_was = termios.tcgetattr(sys.stdin)
        changed = list(_as_it_was)
        changed[_INPUT] &= ~_CHANGING_KEYS
        changed[_LOCAL] &= ~_TAKING_KEYS
        termios.tcsetattr(sys.stdin, termios.TCSANOW, changed)
    try:
        yield
    finally:
        if _as_it_was is not None:
            with suppress(termios.error):  # it has hung up
                termios.tcsetattr(sys.stdin, termios.TCSANOW, _as_it_was)
            _as_it_was = None


def terminal_before() -> list[Any] | None:
    """How the terminal was before keys were kept; None where they are not."""
    return _as_it_was
