"""The command line's root: its options, its commands, and how an error ends it."""

from __future__ import annotations

import gc
import os
import sys
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from crm_tui import __version__, first_keys
from crm_tui.cli import completions
from crm_tui.cli.commands import Root
from crm_tui.cli.output import Exit, Invocation, invocation, say
from crm_tui.errors import UserError, WrongUsage

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
        open_app(context)


def open_app(context: typer.Context, *, throw_away: bool = False) -> None:
    """Run the app on the store the options name."""
    # Looking for garbage among what is being imported takes a tenth of the start; the app turns
    # the collector on again when it has opened the store.
    gc.disable()
    asked = invocation(context)
    need_terminal()
    with first_keys.kept():
        from crm_tui.app import CrmApp

        crm = CrmApp(asked.store, asked.settings, config=asked.config, throw_away=throw_away)
        crm.run()
    if crm.return_code:
        raise typer.Exit(crm.return_code)


def need_terminal() -> None:
    """See that the app has a terminal to draw on.

    Raises:
        UserError: it has none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("The app needs a terminal. For scripts, see `crm-tui --help`.")


def run() -> None:
    """Run the command line. Whatever happens, the reader gets a sentence and an exit code."""
    _make_writable()
    completions.answer_scripts()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except UserError as error:
        say(str(error))
        sys.exit(Exit.USAGE if isinstance(error, WrongUsage) else Exit.REFUSED)
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.REFUSED)
    except OSError as error:
        say(f"{error.filename or 'The output could not be written'}: {error.strerror}.")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.REFUSED)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect is logged, not printed
        from crm_tui.defects import report_defect

        say(report_defect(error))
        sys.exit(Exit.REFUSED)


def _make_writable() -> None:
    """Have output that is closed go nowhere, and signs its encoding lacks be written as escapes."""
    # Python has None in the place of an output that was closed before it began.
    sys.stdout, sys.stderr = sys.stdout or StringIO(), sys.stderr or StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
