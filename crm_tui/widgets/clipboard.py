"""Handing a text to the operator's clipboard, and links to their terminal, over SSH as well.

Without a setting the terminal is asked (OSC 52). No terminal says whether it obeyed, so nothing
that is said claims it. `[clipboard] command` names a program instead, which is given the text on
its standard input and whose failure is known.

Knows nothing of Textual: the command line copies and links with the same functions.
"""

from __future__ import annotations

import asyncio
import base64
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from crm_tui.errors import UserError
from crm_tui.text import link_target, plain_line, visible

MAX_BYTES = 74_000
"""The most bytes of a text that are sent: common terminals refuse sequences above 100,000."""

COMMAND_SECONDS = 3.0
"""How long the operator's own command may take."""

_BARE_TERMINALS = {"", "dumb", "linux", "unknown"}
_SCREEN_MAX = 700
"""GNU screen writes a string it finds too long (768 bytes) onto the window."""


def copy_sequence(text: str, environ: Mapping[str, str]) -> str:
    """The sequence that asks the terminal to put a text on its clipboard, as one plain line.

    Inside tmux it is sent twice, plainly and passed through: which one tmux lets out depends on
    its `set-clipboard` and `allow-passthrough`. GNU screen passes it through in pieces. "" where
    the terminal is known to have no clipboard, or the text is too long for one.
    """
    content = plain_line(text).encode("utf-8", "replace")
    if len(content) > MAX_BYTES or not has_sequences(environ):
        return ""
    sequence = f"\x1b]52;c;{base64.b64encode(content).decode('ascii')}\x07"
    if environ.get("TMUX"):
        doubled = sequence.replace("\x1b", "\x1b\x1b")
        return f"{sequence}\x1bPtmux;{doubled}\x1b\\"
    if environ.get("STY"):
        return _in_pieces(sequence)
    if environ.get("TERM", "").startswith("screen"):
        # Over SSH, from a tmux (which takes the plain one) or a screen at the other end.
        return (sequence if len(sequence) <= _SCREEN_MAX else "") + _in_pieces(sequence)
    return sequence


def _in_pieces(sequence: str) -> str:
    starts = range(0, len(sequence), _SCREEN_MAX)
    return "".join(f"\x1bP{sequence[at : at + _SCREEN_MAX]}\x1b\\" for at in starts)


def has_sequences(environ: Mapping[str, str]) -> bool:
    """Whether the terminal takes sequences for clipboards and links, or at least skips them."""
    return environ.get("TERM", "") not in _BARE_TERMINALS


def sent_words(what: str, sequence: str, environ: Mapping[str, str]) -> str:
    """What to say after writing a `copy_sequence`, as a sentence without its full stop.

    Args:
        what: What was copied, as a sentence begins: "Phone", "Address of the site".
        sequence: What was written.
        environ: What `copy_sequence` was given.
    """
    if not sequence and has_sequences(environ):
        return f"{what} not copied: it is too long for a terminal's clipboard"
    if not sequence:
        return (
            f"{what} not copied: this terminal has no clipboard. "
            "[clipboard] command can name a program that has one"
        )
    if environ.get("TMUX"):
        return f"{what} sent to tmux; it arrives if tmux has set-clipboard on"
    return f"{what} sent to the terminal's clipboard; not every terminal takes it"


def link_sequence(address: str, text: str, environ: Mapping[str, str]) -> str:
    """Text as a link (OSC 8) to an address; plain text where address or terminal do not allow it.

    Inside the app, `styled(text, link=address)` (widgets/facts.py) does it.
    """
    shown, target = visible(text), link_target(address)
    if target is None or not has_sequences(environ):
        return shown
    return f"\x1b]8;;{target}\x1b\\{shown}\x1b]8;;\x1b\\"


async def copy_with(command: Sequence[str], text: str) -> str:
    """Hand a text, as one plain line, to the operator's own clipboard program; its name.

    Raises:
        UserError: It could not be started, failed, or did not end in three seconds.
    """
    return await asyncio.to_thread(_copy_with, command, plain_line(text))


def _copy_with(command: Sequence[str], text: str) -> str:
    name = visible(PurePath(command[0]).name, 40)
    # Clipboard programs stay behind to serve what they took, with their files still open: waiting
    # for the end of a pipe would be waiting for the next copy.
    with tempfile.TemporaryFile() as said:
        try:
            code = subprocess.run(  # noqa: S603 - the operator's own command
                command,
                input=text.encode("utf-8", "replace"),
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=COMMAND_SECONDS,
                start_new_session=True,
                check=False,
            ).returncode
        except OSError as error:
            raise UserError(
                f"Not copied: {name} did not start ({error.strerror}). "
                "See [clipboard] command in the configuration."
            ) from None
        except subprocess.TimeoutExpired:
            raise UserError(
                f"Not copied: {name} did not end within {COMMAND_SECONDS:.0f} seconds."
            ) from None
        if code:
            said.seek(0)
            reason = plain_line(said.read(200).decode("utf-8", "replace"))
            raise UserError(f"Not copied: {name} failed ({reason or f'code {code}'}).")
    return name
