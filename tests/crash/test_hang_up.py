"""The real program, ended while it is used: the terminal is as it was, and no text is lost."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import sqlite3
import struct
import sys
import termios
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crm_tui.session import session_path
from tests.terminal_session import Terminal

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.pty

ENDING = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l", b"\x1b[<u")
TEXT = "Called back, wants a quote"
SOON = 30.0
"""Seconds within which the app has ended: it gives itself five, a busy machine may take more."""


@pytest.fixture
def store(store_path: Path, cli: Cli) -> Path:
    """A store with two leads."""
    for name in ("Woodhaven Plumbing", "Ace Roofing"):
        assert cli("leads", "add", name).code == 0
    return store_path


def started(store: Path) -> Terminal:
    return Terminal(["-m", "crm_tui", "--db", str(store)])


def half_a_note(terminal: Terminal) -> None:
    """Open the note of Woodhaven Plumbing and type into it."""
    terminal.until(lambda text: "Woodhaven" in text and "2 leads" in text)
    terminal.press("/wood\r")
    terminal.until(lambda text: "1 of 2" in text)
    terminal.press("\r")
    terminal.until(lambda text: "captured by hand" in text)
    terminal.press("n")
    terminal.until(lambda text: "Note about Woodhaven" in text)
    terminal.press(TEXT)
    terminal.until(lambda text: TEXT in text)


def kept(store: Path) -> Any:
    """What the session file holds."""
    return json.loads(session_path(store).read_bytes())


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_while_a_note_is_written_loses_neither_terminal_nor_text(
    store: Path, number: signal.Signals
) -> None:
    with started(store) as terminal:
        before = termios.tcgetattr(terminal.fileno)
        half_a_note(terminal)
        assert termios.tcgetattr(terminal.fileno) != before
        terminal.signal(number)
        assert terminal.wait(timeout=SOON) == 128 + number
        assert termios.tcgetattr(terminal.fileno) == before
        ending = terminal.written[-2_000:]
        assert all(sequence in ending for sequence in RESTORED)
        assert b"Traceback" not in terminal.written
    with started(store) as terminal:
        terminal.until(lambda text: "Note about Woodhaven Plumbing" in text and TEXT in text)
        terminal.press("\r")
        terminal.until(lambda text: "This was not saved" in text and TEXT in text)
        terminal.press(", by Friday\x13")
        terminal.until(lambda text: "This was not saved" not in text and "by Friday" in text)
        terminal.signal(signal.SIGTERM)
        assert terminal.wait() == 143
    assert "drafts" not in kept(store)
    with closing(sqlite3.connect(store)) as connection:
        (note,) = connection.execute("SELECT body FROM event WHERE kind = 'note'").fetchone()
    assert note == f"{TEXT}, by Friday"


def test_a_text_that_is_left_for_later_is_offered_again_and_comes_up_with_its_key(
    store: Path,
) -> None:
    with started(store) as terminal:
        half_a_note(terminal)
        terminal.signal(signal.SIGTERM)
        terminal.wait()
    for _ in range(2):
        with started(store) as terminal:
            terminal.until(lambda text: "Go on with it" in text)
            terminal.press("\x1b")
            terminal.until(lambda text: "Go on with it" not in text)
            terminal.signal(signal.SIGTERM)
            terminal.wait()
    assert kept(store)["drafts"][0]["values"]["text"] == TEXT


def test_a_form_that_is_left_on_purpose_is_not_kept(store: Path) -> None:
    with started(store) as terminal:
        half_a_note(terminal)
        terminal.press("\x1b")
        terminal.until(lambda text: "esc again leaves" in text)
        terminal.press("\x1b")
        terminal.until(lambda text: "Note about" not in text)
        terminal.signal(signal.SIGHUP)
        assert terminal.wait() == 129
    assert "drafts" not in kept(store)


class Line:
    """A line to the program that can be cut: afterwards, what it writes fails."""

    def __init__(self, *args: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:  # pragma: no cover - the child is another program
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(sys.executable, [sys.executable, *args])
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.shown = b""

    def until(self, words: bytes) -> None:
        deadline = time.monotonic() + 90
        while words not in self.shown:
            assert time.monotonic() < deadline, self.shown[-3_000:]
            if select.select([self._fd], [], [], 0.1)[0]:
                self.shown += os.read(self._fd, 65_536)

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def cut(self) -> None:
        os.close(self._fd)

    def wait(self, seconds: float) -> tuple[int, float]:
        """The exit code, and the seconds of processor time the program took since now."""
        used = self._used()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            last = self._used()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status), last - used
            time.sleep(0.01)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"still running {seconds} s after the line was cut")

    def _used(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def line(store: Path) -> Line:
    """The app with a note half-written, on a line that can be cut."""
    line = Line("-m", "crm_tui", "--db", str(store))
    line.until(b"Woodhaven")
    line.type("/wood\r\r")
    line.until(b"by hand")
    line.type("n")
    line.until(b"Note about")
    line.type(TEXT)
    line.until(b"quote")
    return line


def test_a_line_that_is_cut_ends_the_app_soon_and_keeps_the_text(line: Line, store: Path) -> None:
    line.cut()
    code, used = line.wait(SOON)
    assert code == 129
    assert used < 2
    assert kept(store)["drafts"][0]["values"]["text"] == TEXT


def test_a_terminal_that_is_gone_without_a_signal_ends_the_app_too(store: Path) -> None:
    deaf = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    line = Line(
        "-c",
        f"{deaf}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
        *("-m", "crm_tui", "--db", str(store)),
    )
    line.until(b"Woodhaven")
    line.cut()
    code, used = line.wait(SOON)
    assert code == 129
    assert used < 4


@pytest.fixture
def long_list(tmp_path: Path) -> Path:
    """A list that takes seconds to import."""
    path = tmp_path / "long.csv"
    rows = (f"Business {i},518-871-{i % 10_000:04},Town {i % 97}" for i in range(20_000))
    path.write_text("\n".join(("Company,Phone,City", *rows)) + "\n")
    return path


def imported(store: Path) -> int:
    """How many leads there are more than before, as another process sees it."""
    with closing(sqlite3.connect(store)) as connection:
        (leads,) = connection.execute("SELECT count(*) FROM business").fetchone()
    return int(leads) - 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_list_is_imported_leaves_whole_chunks_and_a_sound_store(
    store: Path, long_list: Path, cli: Cli, number: signal.Signals
) -> None:
    with started(store) as terminal:
        terminal.until(lambda text: "2 leads" in text)
        terminal.press("I")
        terminal.until(lambda text: "Import a list" in text)
        terminal.press(f"{long_list}\r")
        terminal.until(lambda text: "Company" in text)
        terminal.press("i")
        terminal.until(lambda text: "taken back afterwards" in text)
        terminal.send("\r")
        terminal.until(lambda text: "Importing long.csv" in text and imported(store) > 0)
        terminal.signal(number)
        assert terminal.wait(timeout=SOON) == 128 + number
    with closing(sqlite3.connect(store)) as connection:
        ((state, counted),) = connection.execute("SELECT state, created FROM import_batch")
        (leads,) = connection.execute("SELECT count(*) FROM business").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert state == "cancelled"
    assert 0 < counted < 20_000
    assert leads == counted + 2
    assert cli("doctor").code == 0


def test_a_defect_behind_the_screen_is_a_sentence_and_a_log_and_the_app_goes_on(
    store: Path, tmp_path: Path
) -> None:
    with started(store) as terminal:
        terminal.until(lambda text: "2 leads" in text)
        with closing(sqlite3.connect(store)) as connection:
            connection.execute("ALTER TABLE event RENAME TO stolen")
        terminal.press("j\r")
        terminal.until(lambda text: "Something went wrong inside crm-tui" in text)
        log = next((tmp_path / "home").rglob("crash.log"))
        assert "no such table: event" in log.read_text()
        assert "no such table" not in terminal.text
        terminal.press("q")
        terminal.until(lambda text: "2 leads" in text)
        terminal.press("q")
        assert terminal.wait() == 0
