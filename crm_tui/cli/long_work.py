"""Long work on the command line: how far it is, and stopping it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crm_tui.cli.output import say
from crm_tui.text import visible

_ASKING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Whether ctrl+c was pressed or SIGTERM came: the first asks to stop, the next is as usual."""
    stopped = threading.Event()
    import asyncio

    loop = asyncio.get_running_loop()

    def stop() -> None:
        say("Stopping after what is at hand.")
        stopped.set()
        let_go()

    def let_go() -> None:
        for each in _ASKING:
            loop.remove_signal_handler(each)

    for each in _ASKING:
        loop.add_signal_handler(each, stop)
    try:
        yield stopped.is_set
    finally:
        let_go()


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
