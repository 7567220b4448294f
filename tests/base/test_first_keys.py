"""What is typed while the program starts reaches it as it was typed."""

from __future__ import annotations

import termios
from pathlib import Path

import pytest

from tests.conftest import AddLead
from tests.terminal_session import Terminal

READER = """
import os
from crm_tui.first_keys import kept
with kept():
    print("type", flush=True)
    got = b""
    while b"." not in got:
        got += os.read(0, 100)
    print("got", got.hex(), flush=True)
input("left ")
"""
"""Reads what comes up to a dot, as an app would."""


def shown_of(keys: str) -> str:
    return f"got {keys.encode().hex()}"


@pytest.mark.pty
def test_keys_the_system_would_take_for_itself_arrive() -> None:
    keys = "hello\x13\x11\x15\x7f\x04\r."
    with Terminal(["-c", READER]) as terminal:
        before = termios.tcgetattr(terminal.fileno)
        terminal.until(lambda text: "type" in text)
        terminal.send(keys)
        terminal.until(lambda text: shown_of(keys) in text and "left" in text)
        assert "hello" not in terminal.text
        assert termios.tcgetattr(terminal.fileno) == before
        terminal.send("\r")
        assert terminal.wait() == 0


@pytest.mark.pty
async def test_a_note_typed_before_the_app_is_there_is_saved(
    store_path: Path, add_lead: AddLead
) -> None:
    await add_lead("Ada's Plumbing")
    for _ in range(10):
        with Terminal(["-m", "crm_tui", "--db", str(store_path)]) as terminal:
            while termios.tcgetattr(terminal.fileno)[0] & termios.IXON:
                terminal.read(0.001)
            if b"\x1b[?1049h" in terminal.written:
                continue  # the machine is busy: the app draws already
            terminal.send("ncall again\x13")
            terminal.until(lambda text: "Note on Ada's Plumbing. u takes it back." in text)
            return
    pytest.fail("the app drew before a key could be sent")
