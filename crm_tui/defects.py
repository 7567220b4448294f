"""Defects: what went wrong inside the program goes to a log, and the reader gets a sentence."""

from __future__ import annotations

import sys
import traceback

import platformdirs

from crm_tui.clock import utc_now
from crm_tui.config import APP


def report_defect(error: BaseException) -> str:
    """Write a defect to the log, and say in one sentence where it is."""
    log = platformdirs.user_log_path(APP) / "crash.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{utc_now().isoformat()} {' '.join(sys.argv[1:])}\n")
            traceback.print_exception(error, file=file)
    except OSError:
        return f"Something went wrong inside crm-tui ({type(error).__name__}: {error})."
    return (
        f"Something went wrong inside crm-tui ({type(error).__name__}). "
        f"Please report it with the file {log}."
    )
