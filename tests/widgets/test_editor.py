from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pexpect
import pytest

from crm_tui.errors import UserError
from crm_tui.widgets.editor import edit_text, editor_command


def editor(folder: Path, script: str) -> list[str]:
    """A program that is run like an editor: a shell script given the file."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


def test_what_the_editor_saved_comes_back_without_its_last_newline(tmp_path: Path) -> None:
    assert edit_text("one", editor(tmp_path, 'printf " é two\\n" >> "$1"')) == "one é two"
    assert edit_text("one\n", editor(tmp_path, 'printf "two\\n" >> "$1"')) == "one\ntwo\n"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 3", "code 3"),
        ('rm "$1"', "left no file"),
        ("printf '\\377\\376' > \"$1\"", "UTF-8"),
    ],
)
def test_an_editor_that_fails_is_named_and_the_text_is_kept(
    tmp_path: Path, script: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        edit_text("text", editor(tmp_path, script))


def test_an_editor_that_cannot_start_says_why(tmp_path: Path) -> None:
    path = tmp_path / "not-a-program"
    path.write_text("")
    with pytest.raises(UserError, match="did not start"):
        edit_text("text", [str(path)])


def test_the_editor_is_the_one_the_environment_names(tmp_path: Path) -> None:
    (command,) = editor(tmp_path, "")
    assert editor_command({"EDITOR": f"{command} --wait"}) == [command, "--wait"]
    assert editor_command({"VISUAL": command, "EDITOR": "x"}) == [command]
    with pytest.raises(UserError, match="EDITOR"):
        editor_command({"EDITOR": "'unbalanced"})
    with pytest.raises(UserError, match="not found"):
        editor_command({"EDITOR": "no-such-editor"})
    with pytest.raises(UserError, match="No editor"):
        editor_command({"PATH": str(tmp_path / "empty")})


APP = """
from textual.app import App
from crm_tui.widgets.forms import Form, TextField

class Host(App[None]):
    def on_mount(self):
        self.push_screen(Form("Note", [TextField("text", "Note", "before")], save=self.save))

    async def save(self, values):
        self.exit(message="saved: " + repr(values["text"]))

Host().run()
"""


@pytest.mark.pty
def test_the_terminal_is_handed_to_the_editor_and_taken_back(tmp_path: Path) -> None:
    (command,) = editor(
        tmp_path, 'trap : INT; echo "in the editor"; read answer; printf "$answer" > "$1"'
    )
    child = pexpect.spawn(
        sys.executable,
        ["-c", APP],
        env={**os.environ, "TERM": "xterm-256color", "EDITOR": command, "VISUAL": command},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=20,
    )
    child.expect("before")
    child.send("\x05")
    child.expect("in the editor")
    child.send("\x03")
    child.sendline("after")
    child.expect("ctrl")
    child.expect("after")
    child.send("\x13")
    child.expect_exact("saved: 'after'")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
