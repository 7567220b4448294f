"""When the app in a test has done what a key began: told by what it has under way, not by time.

Textual's pilot guesses it from the time the process takes. On a busy machine the guess is wrong,
and on an idle one it costs 40 ms a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import get_native_id
from time import monotonic, process_time

from textual.app import App
from textual.dom import DOMNode
from textual.pilot import Pilot

from crm_tui.screens.mail_work import GROUP
from crm_tui.widgets.ordered_keys import OrderedKeysApp

SOON = 0.1
"""What the app puts off by no more seconds than this belongs to what a key began."""

_PATIENCE = 30.0
_LOOKS = 4


async def settle(pilot: Pilot[None], *, within: float = SOON) -> None:
    """Wait until the app has nothing under way any more, and nothing put off until `within`."""
    calm = 0
    while True:
        if _under_way(pilot.app) or _put_off(pilot.app, within):
            calm = 0
            await asyncio.sleep(0.004)
            continue
        if _was_sent(pilot.app):
            calm = 0
        elif calm == 2:
            break
        if not await pilot._wait_for_screen():  # all that widgets were sent is done
            return
        calm += 1
    _paint(pilot)


async def still(pilot: Pilot[None]) -> None:
    """Wait for what goes on by itself, but not for work that is held up, or takes long."""
    until = monotonic() + _PATIENCE
    idle = calm = 0
    while calm < 2:
        if not await pilot._wait_for_screen():
            return
        if _put_off(pilot.app, SOON):
            await asyncio.sleep(0.002)
            continue
        if not _under_way(pilot.app):
            calm = 0 if _was_sent(pilot.app) else calm + 1
            continue
        calm = 0
        before = process_time()
        await asyncio.sleep(0.02)
        idle = idle + 1 if process_time() - before < 0.001 and not _others_run() else 0
        if idle == _LOOKS or monotonic() > until:
            await pilot._wait_for_screen()
            break
    _paint(pilot)


async def press(pilot: Pilot[None], keys: Iterable[str]) -> None:
    """Press keys, waiting after each for what it began."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def _under_way(app: App[None]) -> bool:
    typed = isinstance(app, OrderedKeysApp) and app.is_busy
    workers = (worker for worker in app.workers if worker.group != GROUP)
    return typed or any(not worker.is_finished for worker in workers)


def _others_run() -> bool:
    """Whether another thread works, or would if a busy machine let it (state R), or waits for the disk."""
    for state in Path("/proc/self/task").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            others = int(state.parent.name) != get_native_id()
            if others and state.read_text().rpartition(")")[2].split()[0] in {"R", "D"}:
                return True
    return False


def _nodes(app: App[None]) -> Iterator[DOMNode]:
    yield app
    for screen in app.screen_stack:
        yield screen
        yield from screen.walk_children()


def _was_sent(app: App[None]) -> bool:
    """Whether anybody has still to look at something, such as a row that is wanted."""
    return any(node._message_queue.qsize() for node in _nodes(app))


def _put_off(app: App[None], within: float) -> bool:
    timers = (timer for node in _nodes(app) for timer in tuple(node._timers))
    return any(
        timer._repeat == 0 and timer._interval <= within and _runs(timer._task) for timer in timers
    )


def _runs(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done()


def _paint(pilot: Pilot[None]) -> None:
    if pilot.app.screen_stack:
        pilot.app.screen._on_timer_update()
