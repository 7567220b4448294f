"""Completing commands in real shells, with the scripts that `completions` prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crm_tui.cli.completions import _SCRIPTS, Shell
from tests.terminal_session import Terminal

if TYPE_CHECKING:
    from tests.conftest import Cli

BIN = Path(sys.executable).parent
SHELLS = ["bash", "zsh", "fish"]

BASH = """
source {folder}/script
COMP_LINE={line} COMP_POINT=${{#COMP_LINE}} COMP_TYPE=9
read -ra COMP_WORDS <<< "${{COMP_LINE//:/ : }}"
[[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
compopt() {{ :; }}
_crm_tui crm-tui
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

ZSH = """
autoload -Uz compinit && compinit -u -d {folder}/zcompdump
source {folder}/script
_describe() {{ print -rl -- "${{(@P)2}}" }}
_files() {{ print -r -- FILES }}
line={line}
words=("${{(@)${{(z)line}}}}")
[[ $line != *' ' ]] || words+=('')
CURRENT=$#words
_crm_tui
"""

FISH = """
source {folder}/script
complete --do-complete {line}
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}

Complete = Callable[[str, str], list[str]]


@pytest.fixture
def complete(tmp_path: Path, store_path: Path) -> Complete:
    """What a shell offers at the end of a line, without descriptions."""

    def run(shell: str, line: str) -> list[str]:
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"{shell} is not installed")
        (tmp_path / "script").write_text(_SCRIPTS[Shell(shell)])
        quoted = "'" + line.replace("'", "'\\''") + "'"
        script = SCRIPTS[shell].format(line=quoted, folder=tmp_path)
        done = subprocess.run(
            [
                program,
                *(["--norc"] if shell == "bash" else ["-f"] * (shell == "zsh")),
                "-c",
                script,
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "CRM_TUI_DB": str(store_path),
                "COLUMNS": "40",
            },
        )
        assert done.stderr == ""
        separator = ":" if shell == "zsh" else "\t"
        words = (
            line.replace("\\:", "\0").partition(separator)[0] for line in done.stdout.split("\n")
        )
        return [word.replace("\0", ":") for word in words if word]

    return run


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_are_completed(complete: Complete, shell: str) -> None:
    assert complete(shell, "crm-tui lea") == ["leads"]
    assert "set-status" in complete(shell, "crm-tui leads ")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(cli: Cli, shell: str) -> None:
    ran = cli("completions", shell)
    assert (ran.code, ran.out) == (0, _SCRIPTS[Shell(shell)])


@pytest.mark.pty
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_tab_key_completes(tmp_path: Path, store_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(_SCRIPTS[Shell(shell)])
    bare = "--norc" if shell == "bash" else "-f"
    start = f"import os; os.execv({program!r}, [{program!r}, {bare!r}, '-i'])"
    variables = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path), "PS1": "$ "}
    variables |= {"CRM_TUI_DB": str(store_path), "INPUTRC": "/dev/null"}
    with Terminal(["-c", start], env=variables) as terminal:
        terminal.press("cd ~; autoload -Uz compinit && compinit -u; source ./script; clear\n")
        terminal.press("crm-tui views del\t")
        terminal.until(lambda text: "crm-tui views delete" in text)
        terminal.press("No\t")
        terminal.until(lambda text: "crm-tui views delete No\\ e-mail" in text)
        terminal.press("\x15crm-tui leads list -stat\t")
        terminal.until(lambda text: "crm-tui leads list -status:" in text)
        terminal.press("repl\t")
        terminal.until(lambda text: "crm-tui leads list -status:replied" in text)


@pytest.mark.parametrize("shell", SHELLS)
def test_options_are_completed(complete: Complete, shell: str) -> None:
    assert complete(shell, "crm-tui leads list --js") == ["--json"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_few_values_there_are_are_completed(complete: Complete, shell: str) -> None:
    assert complete(shell, "crm-tui leads set-status 1 repl") == ["replied"]


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "To\\ call"), ("zsh", "To call"), ("fish", "To call")]
)
def test_saved_views_are_completed_as_one_word(complete: Complete, shell: str, word: str) -> None:
    assert word in complete(shell, "crm-tui views delete ")


@pytest.mark.parametrize("shell", SHELLS)
def test_fields_and_values_of_a_query_are_completed(complete: Complete, shell: str) -> None:
    assert complete(shell, "crm-tui leads list stat") == ["status:"]
    expected = "opened" if shell == "bash" else "status:opened"
    assert complete(shell, "crm-tui leads list status:op") == [expected]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_minus_negates_is_completed_as_well(complete: Complete, shell: str) -> None:
    assert complete(shell, "crm-tui leads list -stat") == ["-status:"]
    assert complete(shell, "crm-tui leads bulk --tag vip -stat") == ["-status:"]
    expected = "opened" if shell == "bash" else "-status:opened"
    assert complete(shell, "crm-tui leads export -status:op") == [expected]
    assert complete(shell, "crm-tui leads list -has:website --js") == ["--json"]


def test_what_a_view_is_called_is_never_run(complete: Complete, cli: Cli, tmp_path: Path) -> None:
    name = "a'b\"c $(touch ran) `touch ran`;"
    assert cli("views", "save", name, "city:Queens").code == 0
    for shell in SHELLS:
        if shutil.which(shell):
            assert any(word.startswith("a") for word in complete(shell, "crm-tui views delete "))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_where_nothing_is_known_files_are_completed(complete: Complete, shell: str) -> None:
    offered = complete(shell, "crm-tui import ")
    assert offered == (["FILES"] if shell == "zsh" else [])


def test_fish_completes_files_where_nothing_else_is_known(
    complete: Complete, tmp_path: Path
) -> None:
    (tmp_path / "plumbers.csv").touch()
    assert complete("fish", "crm-tui import plum") == ["plumbers.csv"]


@pytest.mark.parametrize("store", ["nowhere/crm.db", "letter.txt", "postgresql://host/x"])
def test_without_a_store_that_can_be_read_nothing_is_offered_and_nothing_is_said(
    complete: Complete, tmp_path: Path, store: str
) -> None:
    (tmp_path / "letter.txt").write_text("Dear diary")
    assert complete("bash", f"crm-tui --db {store} views delete ") == []


@pytest.mark.parametrize(
    "line", ["crm-tui lea", "crm-tui leads list status:", "crm-tui views delete "]
)
def test_completing_imports_neither_the_database_layer_nor_the_screens(
    store_path: Path, line: str
) -> None:
    program = (
        "import sys, crm_tui.__main__ as entry\n"
        "sys.argv = ['crm-tui']\n"
        "try: entry.main()\n"
        "finally: print(sorted({'sqlalchemy', 'textual', 'alembic'} & sys.modules.keys()))"
    )
    asked = {"_CRM_TUI_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            **asked,
            "_TYPER_COMPLETE_ARGS": line,
            "CRM_TUI_DB": str(store_path),
        },
    )
    *offered, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    assert offered
