"""Long pieces of work: one at a time, with progress at the top right, to be cancelled with ctrl+c."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from textual.app import App
from textual.worker import WorkType

from crm_tui.errors import UserError
from crm_tui.screens.base import Job

Guard = Callable[[Awaitable[None]], Awaitable[None]]
"""Awaits a piece of work and shows its error, if it has one."""


@dataclass(slots=True)
class RunningJob:
    """A long piece of work that is running, and how far it is."""

    title: str
    on_change: Callable[[], None]
    done: int = 0
    total: int = 0
    cancelled: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def progress(self, done: int, total: int) -> None:
        """Say how far it is."""
        self.done, self.total = done, total
        self.on_change()

    def cancel(self) -> None:
        """Ask it to stop after the piece at hand."""
        self.cancelled = True
        self.on_change()

    def __str__(self) -> str:
        if self.cancelled:
            return f"{self.title}: stopping"
        if self.total:
            return f"{self.title} {self.done:,} of {self.total:,}"
        return self.title


class Jobs:
    """The one job that may run.

    Args:
        app: Runs it.
        guard: Shows its error.
        on_change: Called when one begins, comes further, or ends.
    """

    def __init__(self, app: App[Any], guard: Guard, on_change: Callable[[], None]) -> None:
        self._app = app
        self._guard = guard
        self._on_change = on_change
        self.running: RunningJob | None = None

    def start(self, title: str, body: Callable[[Job], Awaitable[None]]) -> None:
        """Begin a job.

        Raises:
            UserError: another one is still running.
        """
        if self.running is not None:
            raise UserError(f"{self.running}. Wait for it, or cancel it with ctrl+c.")
        job = self.running = RunningJob(title, self._on_change)

        async def run() -> None:
            try:
                await self._guard(body(job))
            finally:
                self.running = None
                job.finished.set()
                self._on_change()

        self._on_change()
        begin: WorkType[None] = run
        self._app.run_worker(begin, group="job", exit_on_error=False)

    async def stop(self) -> None:
        """Have the job that runs, if any, stop after the piece at hand, and wait for that."""
        if self.running is not None:
            self.running.cancel()
            await self.running.finished.wait()
