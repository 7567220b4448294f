"""Writing a text in the operator's own editor, with the terminal handed over meanwhile."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from textual.app import App, SuspendNotSupported

from crm_tui.errors import UserError

_FALLBACKS = ("sensible-editor", "nano", "vi")


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """The words that start the editor: $VISUAL, else $EDITOR, else one that is installed.

    Raises:
        UserError: None is set or found, or the variable cannot be read as a command.
    """
    for name in ("VISUAL", "EDITOR"):
        if not environ.get(name, "").strip():
            continue
        try:
            command = shlex.split(environ[name])
        except ValueError:
            raise UserError(
                f"${name} is not a command: {environ[name]}. Set it to your editor."
            ) from None
        if shutil.which(command[0], path=environ.get("PATH")) is None:
            raise UserError(
                f"${name} names {command[0]}, which was not found. Set it to your editor."
            )
        return command
    for name in _FALLBACKS:
        if shutil.which(name, path=environ.get("PATH")) is not None:
            return [name]
    raise UserError("No editor was found. Set $EDITOR to one, for example EDITOR=nano.")


def edit_text(text: str, command: Sequence[str], *, suffix: str = ".txt") -> str:
    """What became of `text` in the editor; the newline that editors add at the end is taken off.

    Raises:
        UserError: The editor did not start, failed, or left something that is not text.
    """
    with tempfile.TemporaryDirectory(prefix="crm-tui-") as folder:
        path = Path(folder, f"text{suffix}")
        path.write_text(text, encoding="utf-8", newline="")
        try:
            with _interrupts_left_to_the_child():
                done = subprocess.run([*command, str(path)], check=False)  # noqa: S603 - the operator's own $EDITOR
        except OSError as error:
            raise UserError(
                f"{command[0]} did not start: {error.strerror}. The text is kept."
            ) from None
        if done.returncode:
            raise UserError(
                f"{command[0]} ended with code {done.returncode}. The text is kept as it was."
            )
        try:
            edited = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"{command[0]} left no file: {error.strerror}. The text is kept."
            ) from None
        except UnicodeDecodeError:
            raise UserError(
                f"{command[0]} did not save UTF-8. The text is kept as it was."
            ) from None
    return edited if text.endswith("\n") else edited.removesuffix("\n")


def edit_suspended(app: App[object], text: str, *, suffix: str = ".txt") -> str:
    """`edit_text` with the app suspended, so that the editor has the terminal to itself.

    Raises:
        UserError: As `editor_command` and `edit_text`, or this terminal cannot be handed over.
    """
    command = editor_command(os.environ)
    try:
        with app.suspend():
            return edit_text(text, command, suffix=suffix)
    except SuspendNotSupported:
        raise UserError(
            "This terminal cannot be handed to an editor. Write the text here."
        ) from None


@contextmanager
def _interrupts_left_to_the_child() -> Iterator[None]:
    """Ctrl+c in the editor reaches us too; it is meant for the editor."""

    def pass_over(_signal: int, _frame: FrameType | None) -> None:
        return

    before = signal.signal(signal.SIGINT, pass_over)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
