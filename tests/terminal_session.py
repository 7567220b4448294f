"""A program in a pseudo-terminal: what it writes, byte by byte, and what that shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import pyte

ROOT = Path(__file__).parent.parent
_QUIET = 0.25
"""Seconds without output after which a paint counts as over."""
_ANSWERS_WITHIN = 3.0
"""Seconds until the first of what a key makes the program write, where it makes it write at all."""
_PATIENCE = 90.0
"""Seconds that what is awaited may take, on the slowest machine."""


class Terminal:
    """Runs `python ARGS` at a given size; use as a context manager."""

    def __init__(
        self,
        args: Sequence[str],
        *,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.exit_code: int | None = None
        variables = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("NO_COLOR", "COLUMNS", "LINES", "SSH_CONNECTION", "SSH_TTY"):
            variables.pop(name, None)
        self.pid, self._fd = pty.fork()
        if self.pid == 0:  # pragma: no cover - the child is another program
            os.chdir(ROOT)
            os.execve(sys.executable, [sys.executable, *args], {**variables, **(env or {})})
        self._set_size(columns, lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    @property
    def fileno(self) -> int:
        """The terminal's end of the line."""
        return self._fd

    @property
    def text(self) -> str:
        """What the screen shows, line by line."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def read(self, timeout: float) -> bytes:
        """The next output, or nothing when there is none within `timeout` seconds."""
        if not select.select([self._fd], [], [], timeout)[0]:
            return b""
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # the other end is closed
            return b""
        self.written += data
        # pyte takes the private modes of kitty's keyboard protocol for its own.
        self._stream.feed(data.replace(b"\x1b[>25u", b"").replace(b"\x1b[<u", b""))
        return data

    def settle(self, quiet: float = _QUIET) -> bytes:
        """All output until there is none for a while."""
        output = b""
        while data := self.read(quiet):
            output += data
        return output

    def send(self, keys: str) -> None:
        """Send keys, and go on at once."""
        os.write(self._fd, keys.encode())

    def press(self, keys: str) -> bytes:
        """Send keys and return what the program writes because of them."""
        self.send(keys)
        return self.read(_ANSWERS_WITHIN) + self.settle()

    def rests(self, seconds: float) -> bool:
        """Whether the program comes to write nothing for so long, once what it began is painted."""
        deadline = time.monotonic() + _PATIENCE
        while self.read(seconds):
            if time.monotonic() > deadline:
                return False
        return True

    def until(self, shown: Callable[[str], object], *, timeout: float = _PATIENCE) -> str:
        """Wait until the screen's text is as asked; fails with the screen when it never is."""
        deadline = time.monotonic() + timeout
        while not shown(self.text):
            if time.monotonic() > deadline:
                raise AssertionError(f"never shown within {timeout} s; the screen is:\n{self.text}")
            self.read(0.1)
        return self.text

    def wait(self, *, timeout: float = _PATIENCE) -> int:
        """Wait for the program to end; its exit code, negative for a signal."""
        deadline = time.monotonic() + timeout
        while self.exit_code is None:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError(f"still running after {timeout} s:\n{self.text}")
        self.settle(0.05)
        return self.exit_code

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size; the program is told by the terminal."""
        self.screen.resize(lines, columns)
        self._set_size(columns, lines)

    def _set_size(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        os.kill(self.pid, number)
