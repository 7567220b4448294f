"""Keys in the order they were typed, each done before the next begins.

Textual hands a key to the widget that has the focus when the key arrives. Keys that arrive at once
(over a slow line, pasted, typed ahead) would all go to the widget that had the focus before the
first of them was done: in "/plumber", the letters would reach the list instead of the filter. What
is pasted waits like a key. Letters that pile up before a text go into it together, as a paste does:
a terminal that has no other way of pasting sends ten thousand of them at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import NamedTuple

from textual import events
from textual.app import App
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, TextArea

_LOOK_EVERY = 0.02
"""Seconds between looks whether the widget of the key in hand is still there."""

_LONGEST = 15.0
"""Seconds that keys wait at most for a key before them; the store may be locked for five."""

_MANY = 8
"""Letters from which on they are no longer typed one by one."""

_PATIENCE = 2.0
"""Seconds that keys wait at most for what they mean."""


@dataclass
class _Done(Message):
    """Follows a key through the same queues, so that it comes out after it.

    The first lap ends when the key was handled, the second when the messages were that the key
    made the widget post.
    """

    target: Widget
    number: int
    lap: int = 1


class _Gate(NamedTuple):
    """What keys wait for, and for how many seconds."""

    ready: asyncio.Event
    patience: float


class OrderedKeysApp(App[None], inherit_bindings=False):
    """An app whose keys wait for each other."""

    # `_number` counts the keys that are over. What is still under way of a key that was given up on
    # must not end the one that is in hand by then.

    def __init__(self) -> None:
        super().__init__()
        self._typed_ahead: deque[events.Key | events.Paste] = deque()
        self._busy = False
        self._number = 0
        self._target: Widget | None = None
        self._looks = 0
        self._look_out: Timer | None = None
        self._gate: _Gate | None = None
        self._waiting: asyncio.Task[None] | None = None

    async def on_event(self, event: events.Event) -> None:
        """Pass a key on, or keep it while one before it is being done."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif not self._busy:
            await self._press(event)
        elif isinstance(event, events.Key) and self.is_urgent(event):
            await super().on_event(event)
        else:
            self._typed_ahead.append(event)

    def is_urgent(self, _key: events.Key) -> bool:
        """Whether a key is for what is going on just now, and waits for no other."""
        return False

    @property
    def is_busy(self) -> bool:
        """Whether a key is being done, or keys wait for something to be there."""
        return self._busy

    def key_arrives(self) -> None:
        """Called just before a key is handed on."""

    def keys_are_lost(self, number: int) -> None:
        """Called when so many keys typed ahead are dropped: what was before them takes too long."""

    def keys_wait_for(self, ready: asyncio.Event, *, at_most: float | None = None) -> None:
        """Keep the keys that follow until `ready` is set, for two seconds (or `at_most`).

        For keys typed ahead that mean what is not there yet, such as the first row of a list that
        is still being read. The key in hand, if there is one, is done first.
        """
        gate = _Gate(ready, at_most or _PATIENCE)
        if self._busy:
            self._gate = gate
        else:
            self._busy = True
            self._waiting = asyncio.create_task(self._next_when(gate))

    async def _press(self, key: events.Key | events.Paste) -> None:
        self._busy = True
        self.key_arrives()
        target = self.focused or self.screen
        await super().on_event(key)
        self._follow(target)
        self._looks = 0
        self._look_out = self.set_interval(_LOOK_EVERY, partial(self._look, self._number))

    def _follow(self, target: Widget) -> None:
        self._target = target
        target.post_message(_Done(target, self._number))

    async def _look(self, number: int) -> None:
        """See that the key in hand comes to its end.

        What its widget had still to do when it went away, the screen in front does. Looks are
        counted, not seconds: while an editor has the terminal, no key is late.
        """
        if number != self._number:
            return
        self._looks += 1
        if self._looks * _LOOK_EVERY >= _LONGEST:
            self._number += 1  # whatever comes of it now comes too late to count
            if self._typed_ahead:
                self.keys_are_lost(len(self._typed_ahead))
                self._typed_ahead.clear()
            await self._next()
        elif self._target is not None and not _is_there(self._target) and self.screen_stack:
            self._follow(self.screen)

    def on__done(self, message: _Done) -> None:
        """The key has been through; what it asked the app to do later is in the queue before us."""
        message.stop()
        if message.number != self._number:
            return
        if message.lap == 1 and _is_there(message.target):
            message.target.post_message(_Done(message.target, message.number, lap=2))
        else:
            self._number += 1
            self.call_later(self._next)

    async def _next(self) -> None:
        if self._look_out is not None:
            self._look_out.stop()
            self._look_out = None
        if self._gate is not None:
            self._waiting = asyncio.create_task(self._next_when(self._gate))
            self._gate = None
            return
        self._busy = False
        if self._typed_ahead:
            await self._press(self._piled_up_text() or self._typed_ahead.popleft())

    def _piled_up_text(self) -> events.Paste | None:
        """The letters that come next, where there are many and a text is being typed."""
        if not isinstance(self.focused, Input | TextArea):
            return None
        letters = "".join(takewhile(bool, map(_letter, self._typed_ahead)))
        if len(letters) < _MANY:
            return None
        for _ in letters:
            self._typed_ahead.popleft()
        return events.Paste(letters)

    async def _next_when(self, gate: _Gate) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(gate.ready.wait(), gate.patience)
        self.call_later(self._next)


def _letter(event: events.Key | events.Paste) -> str:
    """The one character that a key types; "" where it does something else."""
    if isinstance(event, events.Key) and event.is_printable and "+" not in event.key:
        return event.character or ""
    return ""


def _is_there(widget: Widget) -> bool:
    """Whether a widget still does what it is told."""
    return widget.is_attached and widget.is_running
