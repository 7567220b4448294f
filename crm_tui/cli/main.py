"""The command line's root: its options and its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crm_tui import __version__
from crm_tui.cli import completions
from crm_tui.cli.commands import Root
from crm_tui.cli.output import Invocation
from crm_tui.cli.running import open_app

app = typer.Typer(
    name="crm-tui",
    cls=Root,
    help="A terminal CRM for selling websites to local businesses. Without a command: the app.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature for an eager option
    if wanted:
        typer.echo(f"crm-tui {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    db: Annotated[
        str | None,
        typer.Option(help="The store, an SQLite file [default: CRM_TUI_DB, else the data folder]."),
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="The configuration file.")
    ] = None,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Draw shapes and borders with ASCII only.")
    ] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """Open the app when no command is given."""
    context.obj = Invocation(db, config_file, ascii_only=ascii_only)
    if context.invoked_subcommand is None:
        open_app(context.obj)


def answer() -> None:
    """Do what the command line says, or answer a shell's script."""
    completions.answer_scripts()
    app()
