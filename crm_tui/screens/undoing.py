"""Undo and redo, as the operator sees them: a job with progress, and what it came to in words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from crm_tui.screens.base import Host, Job
from crm_tui.text import plural
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.services.undo import Undone


def turn_back(host: Host, *, again: bool = False, entry_id: int | None = None) -> None:
    """Take the last action back, or do again what was taken back last; keys typed ahead wait.

    Args:
        host: The app.
        again: Whether to do it again rather than to take it back.
        entry_id: Another action than the last one.

    Raises:
        UserError: another job is running.
    """
    ready = asyncio.Event()

    async def body(job: Job) -> None:
        try:
            await _turn(host, job, again=again, entry_id=entry_id)
        finally:
            ready.set()

    host.start_job("Doing again" if again else "Undoing", body)
    host.keys_wait_for(ready)


async def _turn(host: Host, job: Job, *, again: bool, entry_id: int | None) -> None:
    db = await host.store()
    from crm_tui.services import undo

    turn = undo.redo if again else undo.undo
    done = await turn(
        db,
        settings=host.settings,
        now=host.now(),
        entry_id=entry_id,
        progress=job.progress,
        cancelled=lambda: job.cancelled,
    )
    await host.look_for_changes()
    host.say(*undone_words(done, again=again))


def undone_words(done: Undone, *, again: bool) -> tuple[str, Role]:
    """What was undone, or done again, and what was left as it is and why."""
    verb = "Done again" if again else "Undone"
    words = [f"{verb}: {done.words}."]
    if done.stopped:
        words.append(f"It was stopped after {plural(done.restored, 'lead')}.")
    if done.left:
        first = done.left[0]
        words.append(
            f"{plural(len(done.left), 'lead')} left as they are, the first {first.name}: {first.why}."
            if len(done.left) > 1
            else f"{first.name} was left as it is: {first.why}."
        )
    return " ".join(words), Role.ATTENTION if done.stopped or done.left else Role.GOOD
