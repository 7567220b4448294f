"""A program in a pseudo-terminal of 80x24: what it writes, and when."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import pyte

COLUMNS, LINES = 80, 24
QUIET = 0.12
"""Seconds without output after which an answer counts as complete."""
_PATIENCE = 2.0
"""Seconds after which a key counts as having no answer."""
_NOT_IN_PYTE = (b"\x1b[>25u", b"\x1b[>1u", b"\x1b[<u")
"""Modes of kitty's keyboard protocol, which pyte takes for something else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program wrote because of a key.

    Args:
        size: in bytes.
        first: seconds from the key to the first byte; None where there was none.
        last: seconds from the key to the last byte.
    """

    size: int
    first: float | None
    last: float | None


class Terminal:
    """Starts a program at once; use as a context manager, which kills it in the end.

    Args:
        command: the program, by its path, and its arguments.
        env: variables set beside those of this process.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        variables = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("NO_COLOR", "COLUMNS", "LINES", "SSH_CONNECTION", "SSH_TTY"):
            variables.pop(name, None)
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.execve(command[0], list(command), {**variables, **(env or {})})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(self._screen.display)

    def read(self, timeout: float) -> tuple[bytes, float]:
        """The next output and the moment it came; nothing if there is none within `timeout`."""
        ready = select.select([self._fd], [], [], timeout)[0]
        moment = time.perf_counter()
        if not ready:
            return b"", moment
        try:
            output = os.read(self._fd, 65_536)
        except OSError:  # the program has ended
            return b"", moment
        shown = output
        for mode in _NOT_IN_PYTE:
            shown = shown.replace(mode, b"")
        self._stream.feed(shown)
        return output, moment

    def shown(self, words: str, timeout: float = 60) -> float | None:
        """Seconds from the start until the words were on the screen; None if never."""
        deadline = time.perf_counter() + timeout
        while time.perf_counter() < deadline:
            _, moment = self.read(0.5)
            if words in self.text:
                return moment - self.started
        return None

    def settle(self, quiet: float = 1.0) -> None:
        """Read until nothing has come for so many seconds."""
        while self.read(quiet)[0]:
            pass

    def send(self, keys: str) -> None:
        """Send keys, and go on at once."""
        os.write(self._fd, keys.encode())

    def press(self, keys: str) -> Answer:
        """Send keys at once and read the whole answer."""
        sent = time.perf_counter()
        self.send(keys)
        size, first, last = 0, None, None
        while True:
            output, moment = self.read(QUIET if size else _PATIENCE)
            if not output:
                return Answer(size, first, last)
            size += len(output)
            last = moment - sent
            first = last if first is None else first

    def listen(self, seconds: float) -> int:
        """How many bytes come in so many seconds without a key."""
        size, end = 0, time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            size += len(self.read(left)[0])
        return size

    def resident(self) -> float:
        """Megabytes of memory the program holds now."""
        listed = subprocess.run(
            ["/bin/ps", "-o", "rss=", "-p", str(self.pid)],
            capture_output=True,
            check=True,
            text=True,
        )
        return int(listed.stdout) * 1024 / 1e6
