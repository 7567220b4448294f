"""Counting in the background: stopped when something else is asked, calm while the store changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from textual.timer import Timer

from crm_tui.screens.base import AppScreen

_SAY_SO_AFTER = 0.3
"""Seconds of counting after which it is said; until then the numbers before stand there."""

_REST = 8
"""After a change of the store, it is left alone so many times as long as counting took."""

_CALM = 1.0
"""Seconds of rest that are not worth waiting for."""

_LONGEST_REST = 30.0
_GROUP = "figures"


class Tell(Protocol):
    """Is called with whether counting takes long enough to say so."""

    def __call__(self, *, takes_long: bool) -> None:
        """Tell it."""


class Counting:
    """Runs a screen's counting, one at a time.

    Args:
        screen: Whose workers do it.
        count: Counts, and shows what came of it.
        tell: Called with whether counting takes long enough to say so.
    """

    def __init__(
        self,
        screen: AppScreen,
        count: Callable[[], Awaitable[None]],
        tell: Tell,
    ) -> None:
        self._screen = screen
        self._count = count
        self._tell = tell
        self._running = 0
        self._took = 0.0
        self._resting: Timer | None = None
        self.is_outdated = False

    def begin(self) -> None:
        """Count anew; what was being counted is stopped."""
        self._rest_no_more()
        self._screen.work(self._run(), group=_GROUP)

    def stop(self) -> None:
        """Nothing needs to be counted."""
        self._rest_no_more()
        self._screen.workers.cancel_group(self._screen, _GROUP)

    def again(self) -> None:
        """The store was changed: count again, after what is being counted, and not all the time."""
        if self._running:
            self.is_outdated = True
        elif self._resting is None:
            rest = min(self._took * _REST, _LONGEST_REST)
            if rest > _CALM:
                self._resting = self._screen.set_timer(rest, self.begin)
            else:
                self.begin()

    def _rest_no_more(self) -> None:
        if self._resting is not None:
            self._resting.stop()
            self._resting = None

    async def _run(self) -> None:
        self.is_outdated = False
        clock = asyncio.get_running_loop()
        said = self._screen.set_timer(_SAY_SO_AFTER, partial(self._tell, takes_long=True))
        self._running += 1
        try:
            begun = clock.time()
            await self._count()
            self._took = clock.time() - begun
        finally:
            self._running -= 1
            said.stop()
            self._tell(takes_long=False)
        if self.is_outdated:
            self.again()
