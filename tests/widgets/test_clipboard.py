"""What is sent to a terminal's clipboard and as a link, and what is said of it."""

from __future__ import annotations

import base64
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tui.errors import UserError
from crm_tui.text import link_target, plain_line
from crm_tui.widgets import clipboard
from crm_tui.widgets.clipboard import copy_sequence, copy_with, link_sequence, sent_words

URL = "http://127.0.0.1:8765/ace/"
XTERM = {"TERM": "xterm"}
TMUX = {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}
SCREEN = {"TERM": "screen", "STY": "1.pts-0.host"}
OVER_SSH = {"TERM": "screen-256color"}


def taken(sequence: str) -> str:
    """The text a terminal takes from a plain sequence."""
    match = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert match is not None
    return base64.b64decode(match[1]).decode()


def passed_on_by_screen(sequence: str) -> str:
    """What GNU screen lets through to the terminal it runs in."""
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", sequence, re.DOTALL)
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == sequence
    assert all(len(piece) <= 700 for piece in pieces)
    return "".join(pieces)


def test_the_sequence_holds_the_text_as_one_line_without_control_characters() -> None:
    sequence = copy_sequence("12 Main St\r\nJamaica\x1b]52;c;evil\x07\x9b \u202enopu\n", XTERM)
    assert taken(sequence) == "12 Main St Jamaica]52;c;evil nopu"


@given(text=st.text(max_size=200), environ=st.sampled_from([XTERM, TMUX, SCREEN, OVER_SSH]))
def test_no_text_can_leave_the_sequence(text: str, environ: Mapping[str, str]) -> None:
    sequence = copy_sequence(text, environ)
    assert sequence.isascii()
    inner = sequence.replace("\x1b", "").replace("\x07", "")
    assert inner.isprintable()
    assert re.fullmatch(r"(P|tmux;|\]52;c;|[A-Za-z0-9+/=]|\\)*", inner)


@given(text=st.text())
def test_what_is_copied_never_runs_when_it_is_pasted(text: str) -> None:
    assert plain_line(text).isprintable() or not plain_line(text).isascii()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", plain_line(text))


def test_inside_tmux_the_sequence_is_sent_plainly_and_passed_through() -> None:
    plain = copy_sequence(URL, {"TERM": "tmux-256color"})
    assert taken(plain) == URL
    doubled = plain.replace("\x1b", "\x1b\x1b")
    assert copy_sequence(URL, TMUX) == f"{plain}\x1bPtmux;{doubled}\x1b\\"


@pytest.mark.parametrize("length", [10, 700, 5_000])
def test_gnu_screen_passes_it_through_in_pieces(length: int) -> None:
    text = "x" * length
    assert taken(passed_on_by_screen(copy_sequence(text, SCREEN))) == text


def test_what_may_be_a_screen_at_the_other_end_gets_both_ways_as_long_as_that_is_harmless() -> None:
    plain = copy_sequence(URL, XTERM)
    assert copy_sequence(URL, OVER_SSH) == plain + copy_sequence(URL, SCREEN)
    assert copy_sequence("x" * 5_000, OVER_SSH) == copy_sequence("x" * 5_000, SCREEN)


def test_no_sequence_is_longer_than_terminals_take() -> None:
    assert len(copy_sequence("x" * clipboard.MAX_BYTES, XTERM)) < 100_000
    assert copy_sequence("x" * (clipboard.MAX_BYTES + 1), XTERM) == ""
    assert "too long" in sent_words("Text", "", XTERM)


def test_a_terminal_without_a_clipboard_gets_none_and_it_is_said() -> None:
    for name in ("linux", "dumb", ""):
        assert copy_sequence(URL, {"TERM": name}) == ""
        assert "Address not copied: this terminal" in sent_words("Address", "", {"TERM": name})


def test_what_is_said_claims_no_more_than_is_known() -> None:
    for environ in (XTERM, TMUX, SCREEN):
        words = sent_words("Phone", copy_sequence("1", environ), environ)
        assert words.startswith("Phone sent to ")
        assert "copied" not in words


def test_a_link_wraps_safe_text_and_only_addresses_that_can_do_no_harm() -> None:
    assert link_sequence(URL, "Ace", XTERM) == f"\x1b]8;;{URL}\x1b\\Ace\x1b]8;;\x1b\\"
    assert "]8;;tel:+15188714000" in link_sequence("tel:+15188714000", "call", XTERM)
    assert link_sequence("javascript:alert(1)", "Ace", XTERM) == "Ace"
    assert link_sequence("http://x/\x1b]52;c;x\x07", "Ace", XTERM) == "Ace"
    assert "\x1b" not in link_sequence(URL, "A\x1bce", {"TERM": "linux"})
    assert link_sequence(URL, "A\x1bce", XTERM).count("\x1b") == 4


@given(st.text())
def test_no_control_character_gets_into_a_link(text: str) -> None:
    target = link_target(f"https://ace.example/{text}")
    assert target is None or (target.isascii() and target.isprintable() and " " not in target)


def a_program(folder: Path, script: str) -> tuple[str, ...]:
    """A command that stands for a clipboard program."""
    command = folder / "a-clipboard"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return str(command), "--flag"


async def test_the_operators_own_program_gets_the_text_on_its_standard_input(
    tmp_path: Path,
) -> None:
    command = a_program(tmp_path, f'echo "$1" > {tmp_path}/seen; cat >> {tmp_path}/seen')
    assert await copy_with(command, "+1 518\n") == "a-clipboard"
    assert (tmp_path / "seen").read_text() == "--flag\n+1 518"


async def test_a_program_that_stays_behind_to_serve_what_it_took_is_not_waited_for(
    tmp_path: Path,
) -> None:
    command = a_program(tmp_path, "cat > /dev/null; sleep 30 & exit 0")
    assert await copy_with(command, "x") == "a-clipboard"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no display >&2; exit 1", "a-clipboard failed (no display)"),
        ("exec 0<&-; exit 3", "a-clipboard failed (code 3)"),
        ("exec sleep 30", "did not end within 0 seconds"),
    ],
)
async def test_a_program_that_did_not_take_it_is_not_called_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(clipboard, "COMMAND_SECONDS", 0.3)
    with pytest.raises(UserError, match=re.escape(words)):
        await copy_with(a_program(tmp_path, script), "x" * 200_000)


async def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="not-installed did not start"):
        await copy_with(("/nowhere/not-installed",), "x")
