"""What terminals send for the default keys arrives as those keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from crm_tui.actions import ACTIONS, ANY_LETTER
from tests.conftest import AddLead
from tests.terminal_session import Terminal

SENT = {
    "linux": {
        "up": "\x1b[A",
        "down": "\x1b[B",
        "home": "\x1b[1~",
        "end": "\x1b[4~",
        "pageup": "\x1b[5~",
        "pagedown": "\x1b[6~",
    },
    "screen-256color": {
        "up": "\x1bOA",
        "down": "\x1bOB",
        "home": "\x1b[1~",
        "end": "\x1b[4~",
        "pageup": "\x1b[5~",
        "pagedown": "\x1b[6~",
    },
}
"""The keys that are no characters, as these terminals' terminfo entries have them."""

EVERYWHERE = {"enter": "\r", "escape": "\x1b", "space": " "}

KEYS = sorted({key for action in ACTIONS for keys in action.keys for key in keys.split(" ")})


def sent(key: str, term: str) -> str:
    """The bytes a terminal sends for a key."""
    if key == ANY_LETTER:
        return "a"
    if key.startswith("ctrl+"):
        return chr(ord(key[-1].upper()) - 64)
    return EVERYWHERE.get(key) or SENT[term].get(key) or key


def arrives_as(key: str) -> str:
    return "a" if key == ANY_LETTER else key


def begins_with(text: str, line: str) -> bool:
    return text.split("\n", maxsplit=1)[0] == line


@pytest.mark.pty
@pytest.mark.parametrize("term", SENT)
def test_every_default_key_arrives(term: str) -> None:
    program = ["-m", "tests.widgets.key_program"]
    with Terminal(program, env={"TERM": term, "COLORTERM": ""}) as terminal:
        terminal.until(lambda text: "0 ready" in text)
        for number, key in enumerate(KEYS, start=1):
            terminal.send(sent(key, term))
            terminal.until(partial(begins_with, line=f"{number} {arrives_as(key)}"))


@pytest.mark.pty
@pytest.mark.parametrize("term", SENT)
async def test_the_app_runs_where_nothing_but_the_basics_is_known(
    term: str, store_path: Path, add_lead: AddLead
) -> None:
    for name in ("Ada's Plumbing", "Bo Roofing"):
        await add_lead(name)
    program = ["-m", "crm_tui", "--db", str(store_path)]
    with Terminal(program, env={"TERM": term, "COLORTERM": ""}) as terminal:
        terminal.until(lambda text: "2 leads" in text)
        terminal.press("j")
        cursor = ">" if term == "linux" else "▸"
        terminal.until(lambda text: text.split("\n")[4].startswith(cursor))
        terminal.press("qq")
        assert terminal.wait() == 0
