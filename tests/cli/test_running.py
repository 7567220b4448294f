"""The app is opened without Typer, and the options before it mean what they mean to Typer."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from crm_tui.cli import main
from crm_tui.cli.output import Invocation
from crm_tui.cli.running import of_the_app

OPENING = [
    "",
    "--ascii",
    "--db a.db",
    "--db=a.db",
    "--db=a=b.db",
    "--db a.db --db b.db",
    "--config c.toml --ascii --db a.db",
    "--config=sub/c.toml",
    "--ascii --ascii",
]
OTHER = [
    "--help",
    "-h",
    "--version",
    "leads list",
    "--db a.db leads list",
    "--db",
    "--db=",
    "--db --ascii",
    "--db -",
    "--config",
    "--asci",
    "--ascii=yes",
    "-- --ascii",
    "--db a.db extra",
]


def said(asked: Invocation) -> dict[str, Any]:
    return vars(asked)


@pytest.mark.parametrize("words", OPENING)
def test_options_of_the_app_are_read_as_typer_reads_them(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Invocation] = []
    monkeypatch.setattr(main, "open_app", opened.append)
    typer.main.get_command(main.app)(words.split(), standalone_mode=False)
    read = of_the_app(words.split())
    assert read is not None
    assert [said(read)] == [said(each) for each in opened]


@pytest.mark.parametrize("words", OTHER)
def test_whatever_else_is_said_is_left_to_typer(words: str) -> None:
    assert of_the_app(words.split()) is None


def test_opening_the_app_does_not_read_typer() -> None:
    program = (
        "import sys; from crm_tui.__main__ import main; sys.argv = ['crm-tui', '--ascii']\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, 'typer' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 False\n"
    assert done.stderr.startswith("The app needs a terminal.")
