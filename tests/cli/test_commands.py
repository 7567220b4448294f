"""The commands of the root are read when they are asked for, and said before."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from crm_tui.cli.commands import PARTS
from crm_tui.cli.main import app
from tests.conftest import Cli


def root() -> Any:
    return typer.main.get_command(app)


@pytest.mark.parametrize("name", PARTS)
def test_the_help_of_the_root_says_what_a_command_says_of_itself(name: str) -> None:
    assert root().commands[name].get_short_help_str(1000) == PARTS[name].about


@pytest.mark.parametrize("name", PARTS)
def test_a_command_and_those_beside_it_are_told_by_the_root(name: str) -> None:
    commands = root().commands
    command = commands[name]
    assert command.name == name
    assert list(commands) == list(PARTS)
    if isinstance(command, TyperGroup):
        assert command.commands


@pytest.mark.parametrize("module", sorted({part.module for part in PARTS.values()}))
def test_no_command_of_a_module_is_left_out(module: str) -> None:
    commands = root().commands
    of_module = {name for name, part in PARTS.items() if part.module == module}
    commands[min(of_module)]
    assert set(commands._read) == of_module


def test_help_and_the_app_read_no_command() -> None:
    program = (
        "import sys; from crm_tui.__main__ import main; sys.argv = ['crm-tui', '--help']\n"
        "try: main()\n"
        "except SystemExit: print(*[name for name in sys.modules if name.startswith('crm_tui.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    read = done.stdout.splitlines()[-1].split()
    assert "crm_tui.cli.commands" in read
    commands = {f"crm_tui.cli.{part.module}" for part in PARTS.values()}
    # Scripts of shells are answered before there is a command.
    assert commands & set(read) == {"crm_tui.cli.completions"}


def test_a_slip_of_the_finger_is_told_the_command_that_was_meant(cli: Cli) -> None:
    told = cli("led")
    assert (told.code, "Did you mean 'leads'?" in told.err) == (2, True)
