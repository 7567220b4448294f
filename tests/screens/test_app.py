from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crm_tui.app import CrmApp
from crm_tui.config import Settings
from tests.conftest import NOW, AddLead
from tests.terminal_session import ROOT, Terminal

HOSTILE = "\x1b]52;c;eA==\x07[/] [red]\u202eevil"


def test_the_first_frame_needs_neither_the_database_nor_the_templates() -> None:
    heavy = ["sqlalchemy", "aiosqlite", "alembic", "jinja2", "phonenumbers", "rapidfuzz"]
    heavy += ["crm_tui.services", "crm_tui.widgets.forms", "crm_tui.screens.today"]
    code = f"import sys, crm_tui.app; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


async def test_the_app_ends_with_a_sentence_where_the_store_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear diary, this is no database at all.")
    app = CrmApp(path, Settings(), now=lambda: NOW)
    async with app.run_test() as pilot:
        while app.return_code is None:
            await pilot.pause()
    assert app.return_code == 1
    assert path.read_text().startswith("Dear diary")


@pytest.fixture
async def hostile_store(add_lead: AddLead, store_path: Path, tmp_path: Path) -> Path:
    for name in ("Ada's Plumbing", HOSTILE, "x" * 10_000, "Bo Roofing"):
        await add_lead(name, city="Queens")
    return store_path


def app_args(store: Path) -> list[str]:
    return ["-m", "crm_tui", "--db", str(store)]


@pytest.mark.pty
def test_what_strangers_wrote_is_only_text_in_a_real_terminal(hostile_store: Path) -> None:
    with Terminal(app_args(hostile_store), columns=120) as terminal:
        terminal.until(lambda text: "Bo Roofing" in text)
        terminal.settle()
        terminal.press("G")
        strange = "␛]52;c;eA==␇[/] [red]⟨U+202E⟩evil"[:30]
        terminal.until(lambda text: strange in text and "xxxxxxxx…" in text)
        terminal.press("gg/eA\r\r")
        terminal.until(lambda text: ("␛]52" in text and "Captured" in text) or "captured" in text)
        terminal.press("q")
        written = terminal.written.replace(b"\x1b]22;default\x07", b"")
        written = written.replace(b"\x1b]22;text\x07", b"").replace(b"\x1b]22;pointer\x07", b"")
        assert b"\x1b]52" not in written
        assert b"\x07" not in written
        assert "\u202e".encode() not in written
        terminal.press("q")
        assert terminal.wait() == 0


@pytest.mark.pty
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_app_and_gives_the_terminal_back(
    hostile_store: Path, number: signal.Signals
) -> None:
    with Terminal(app_args(hostile_store)) as terminal:
        terminal.until(lambda text: "Bo Roofing" in text)
        terminal.signal(number)
        assert terminal.wait() == 128 + number
        ending = terminal.written[terminal.written.rindex(b"\x1b[?1049l") :]
        assert b"\x1b[?25h" in ending
        assert b"\x1b[?1003l" in ending
        assert b"Traceback" not in terminal.written


@pytest.mark.pty
def test_a_store_that_cannot_be_used_is_a_sentence_and_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear diary, this is no database at all.")
    with Terminal(app_args(path), columns=120) as terminal:
        assert terminal.wait() == 1
        assert "is not a store of crm-tui" in terminal.text.replace("\n", " ")
        assert b"Traceback" not in terminal.written


@pytest.mark.pty
def test_the_app_is_silent_while_nothing_happens(hostile_store: Path) -> None:
    with Terminal(app_args(hostile_store)) as terminal:
        terminal.until(lambda text: "Bo Roofing" in text)
        assert terminal.rests(5.0)
        assert 0 < len(terminal.press("j")) <= 650
        terminal.press("/")
        assert terminal.rests(2.0)


@pytest.mark.pty
def test_without_colour_the_cursor_is_still_to_be_seen(hostile_store: Path) -> None:
    with Terminal(app_args(hostile_store), env={"NO_COLOR": "1"}) as terminal:
        terminal.until(lambda text: "Bo Roofing" in text)
        terminal.settle()
        terminal.press("j")
        terminal.until(lambda text: text.split("\n")[4].startswith("▸"))


@pytest.mark.pty
def test_another_process_adds_a_lead_and_it_appears(hostile_store: Path) -> None:
    with Terminal(app_args(hostile_store)) as terminal:
        terminal.until(lambda text: "4 leads" in text)
        program = shutil.which("crm-tui", path=str(Path(sys.executable).parent))
        assert program is not None
        subprocess.run(
            [program, "--db", hostile_store, "leads", "add", "Zed Glass"],
            check=True,
            capture_output=True,
            env={**os.environ, "TERM": "dumb"},
        )
        terminal.until(lambda text: "Zed Glass" in text and "5 leads" in text)


@pytest.mark.pty
def test_keys_that_arrive_at_once_are_done_one_after_the_other(hostile_store: Path) -> None:
    with Terminal(app_args(hostile_store)) as terminal:
        terminal.until(lambda text: "4 leads" in text)
        terminal.press("/roofing\r")
        terminal.until(lambda text: "1 of 4" in text)
        terminal.press("\x1b")
        terminal.until(lambda text: "4 leads" in text)
        terminal.press("/evil\r\r")
        terminal.until(lambda text: "⟨U+202E⟩evil" in text and "Score" not in text)
        terminal.press("q")
        terminal.until(lambda text: "1 of 4" in text)
        terminal.press("\x1b")
        terminal.until(lambda text: "4 leads" in text)
        terminal.press(",name\r")
        terminal.until(lambda text: "Name↑" in text)
        terminal.press(":select all\r")
        terminal.until(lambda text: "4 selected" in text)
        terminal.press("jj\rqq")
        assert terminal.wait() == 0
