"""How a run of the program begins and ends: the app at once, where no more is asked for, or a command.

Nothing here knows Typer: to import it and what it imports takes a tenth of a second, which is a
seventh of what the app takes to its first leads.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from io import StringIO, TextIOWrapper
from pathlib import Path

from crm_tui import first_keys
from crm_tui.cli.output import Exit, Invocation, say
from crm_tui.errors import UserError, WrongUsage

ASKED = "_CRM_TUI_COMPLETE"
"""The variable that makes the program answer a shell's script instead of running a command."""


def run() -> None:
    """Run the command line. Whatever happens, the reader gets a sentence and an exit code."""
    _make_writable()
    try:
        try:
            _run(sys.argv[1:])
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


def _run(words: Sequence[str]) -> None:
    asked = None if ASKED in os.environ else of_the_app(words)
    if asked is not None:
        open_app(asked)
        return
    from crm_tui.cli.main import answer

    answer()


def of_the_app(words: Sequence[str]) -> Invocation | None:
    """What options say before the app is opened; None where more is said, or anything unclear."""
    given: dict[str, str] = {}
    ascii_only = False
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--ascii":
            ascii_only = True
        elif name in {"--db", "--config"}:
            given[name] = value if equals else next(rest, "")
            if not given[name] or given[name].startswith("-"):
                return None
        else:
            return None
    config = given.get("--config")
    return Invocation(given.get("--db"), Path(config) if config else None, ascii_only=ascii_only)


def open_app(asked: Invocation, *, throw_away: bool = False) -> None:
    """Run the app on the store the options name."""
    # Looking for garbage among what is being imported takes a tenth of the start; the app turns
    # the collector on again when it has opened the store.
    gc.disable()
    need_terminal()
    with first_keys.kept():
        from crm_tui.app import CrmApp

        crm = CrmApp(asked.store, asked.settings, config=asked.config, throw_away=throw_away)
        crm.run()
    if crm.return_code:
        sys.exit(crm.return_code)


def need_terminal() -> None:
    """See that the app has a terminal to draw on.

    Raises:
        UserError: it has none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("The app needs a terminal. For scripts, see `crm-tui --help`.")


def _make_writable() -> None:
    """Have output that is closed go nowhere, and signs its encoding lacks be written as escapes."""
    # Python has None in the place of an output that was closed before it began.
    sys.stdout, sys.stderr = sys.stdout or StringIO(), sys.stderr or StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
