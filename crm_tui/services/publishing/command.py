"""Running the operator's command: a list of arguments, no shell, a time limit, its last words."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from crm_tui.services.publishing.publisher import Unfinished
from crm_tui.text import plain_line, plural, visible

_LOOK_EVERY = 0.1
_GRACE = 0.5
"""Seconds between asking a program to end and ending it."""

_MOST_PRINTED = 64 * 1024 * 1024
_TAIL = 4096
_LINES = 3
_SHOWN = 300
_STYLING = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


async def run_command(
    command: Sequence[str], *, folder: Path, seconds: float, cancelled: Callable[[], bool]
) -> None:
    """Run a program in a folder and wait for it; what it starts ends with it when it is stopped.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        seconds: how long it may take.
        cancelled: asked ten times a second whether to stop it.

    Raises:
        Unfinished: it could not be run, failed, took too long or was stopped; with what it said.
    """
    name = visible(Path(command[0]).name, 40)
    # A file, not a pipe: what the program leaves running must not keep us waiting for its end.
    with tempfile.TemporaryFile() as said:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a command"
            raise Unfinished(f"{name} cannot be run: {reason}") from None
        try:
            stopped = await _wait(process, said, seconds, cancelled)
        finally:
            if process.returncode is None:
                await _end(process)
        if stopped:
            raise Unfinished(_failed(f"{name} was stopped", stopped, said))
        if process.returncode:
            raise Unfinished(_failed(f"{name} failed", _ended(process.returncode), said))


async def _wait(
    process: asyncio.subprocess.Process,
    said: IO[bytes],
    seconds: float,
    cancelled: Callable[[], bool],
) -> str:
    """Wait for the end of a program; returns why it has to be stopped before, or ""."""
    over = asyncio.get_running_loop().time() + seconds
    waiting = asyncio.ensure_future(process.wait())
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=_LOOK_EVERY)
            if done:
                return ""
            if cancelled():
                return "as you asked"
            if asyncio.get_running_loop().time() > over:
                return f"not finished within {plural(int(seconds), 'second')}"
            if os.fstat(said.fileno()).st_size > _MOST_PRINTED:
                return "it printed without end"
    finally:
        waiting.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program and what it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            continue
    await process.wait()


def _ended(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"


def _failed(what: str, why: str, said: IO[bytes]) -> str:
    """A sentence without its full stop; what the program said comes before how it ended."""
    words = _last_words(said)
    return f"{what}: {words} ({why})" if words else f"{what}: {why}"


def _last_words(said: IO[bytes]) -> str:
    """The last lines a program printed, fit to stand in a sentence."""
    said.seek(max(said.seek(0, os.SEEK_END) - _TAIL, 0))
    text = _STYLING.sub("", said.read().decode("utf-8", "replace"))
    lines = [line for each in re.split(r"[\r\n]+", text) if (line := plain_line(each))]
    words = " / ".join(lines[-_LINES:])
    return (f"…{words[-_SHOWN:]}" if len(words) > _SHOWN else words).rstrip(".")
