"""Long work on the command line: how far it is, and stopping it."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crm_tui.cli.output import say
from crm_tui.text import visible


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Whether ctrl+c was pressed: the first one asks to stop, the next one is as usual."""
    stopped = threading.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        say("Stopping after what is at hand.")
        stopped.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield stopped.is_set
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """One line on the terminal that is written over and over; tells a file nothing."""
    shown = sys.stderr.isatty()

    def show(words: str) -> None:
        if shown:
            sys.stderr.write(f"\r{visible(words)}\x1b[K")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def progress_of(words: str) -> Iterator[Callable[[int, int], None]]:
    """Tells on the terminal how far a long piece of work is."""
    with status_line() as show:
        yield lambda done, total: show(f"{words}: {done:,} of {total:,}")
