"""The filter line of the leads: what is typed there, when it is applied, and what is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.timer import Timer

from crm_tui.screens.lead_completing import Completer
from crm_tui.widgets.filter_line import FilterLine

if TYPE_CHECKING:
    from crm_tui.screens.base import AppScreen
    from crm_tui.services.filters import QueryError

_TYPING_PAUSE = 0.04
"""Seconds after a keystroke before the filter is applied."""

_PROBLEM_PAUSE = 0.5
"""Seconds without a keystroke before it is said what cannot be read: most of it is half typed."""

_OPERATORS = frozenset(":<>=")
"""What follows the name of a field."""


class LeadFilter:
    """Between the line and the list: a filter that cannot be read leaves the list as it is.

    Args:
        screen: Where both are.
        line: What is typed into.
        shown: Set while what is filtered is shown as it was asked for last.
        apply: Shows the list of a filter that can be read.
    """

    def __init__(
        self,
        screen: AppScreen,
        line: FilterLine,
        shown: asyncio.Event,
        apply: Callable[[str], None],
    ) -> None:
        self._screen = screen
        self._line = line
        self._shown = shown
        self._apply_text = apply
        self._completer = Completer(screen, line, shown, self._known)
        self._waits = False
        self._pause: Timer | None = None
        self._problem: QueryError | None = None
        self._applied = ""

    @property
    def text(self) -> str:
        """What stands in the line, whether it can be read or not."""
        return self._line.value.rstrip()

    def begin_with(self, text: str) -> str:
        """Put a text into the line; returns it, or '' where it cannot be read."""
        self._line.put(text, quietly=True)
        self._line.clear_problem()
        self._stop_pause()
        self._waits = False
        self._applied = self.text if self._reads() else ""
        self._show_problem()
        return self._applied

    def typed(self) -> None:
        """Something was typed: the list follows after a moment, then what could be meant."""
        self._shown.clear()
        self._line.clear_problem()
        self._stop_pause()
        self._pause = self._screen.set_timer(_TYPING_PAUSE, self._apply)
        self._completer.typed()

    def complete(self) -> None:
        """Tab was pressed."""
        self._completer.wanted()

    def entered(self) -> bool:
        """Enter was pressed: whether the list is of what was typed, or will be in a moment.

        What cannot be read is put right first: the cursor goes there.
        """
        self._apply_as_it_stands()
        if self._problem is None:
            return True
        self._line.go_to(self._problem.column - 1)
        self._show_problem()
        return False

    def left(self) -> None:
        """The operator left the line, whatever stands in it."""
        self._apply_as_it_stands()
        if self._problem is not None:
            self._show_problem()

    def _apply_as_it_stands(self) -> None:
        """Nothing more is typed: what looked half typed is what is looked for."""
        if self._stop_pause() or self._waits:
            self._shown.clear()
            self._apply(half_typed=False)

    def _known(self) -> None:
        """It is known what the value that is being typed could become."""
        if self._line.is_offering:
            self._line.clear_problem()  # it was said while that took its time
        if self._waits and self._completer.is_half_typed() is False:
            self._apply(half_typed=False)

    def _apply(self, *, half_typed: bool | None = None) -> None:
        self._pause = None
        if half_typed is None:
            half_typed = self._completer.is_half_typed() is not False
        self._waits = False
        if self._reads():
            self._waits = half_typed
            if half_typed:
                self._keep_rows()
            else:
                self._apply_words(self.text)
        else:
            self._keep_rows()
            self._pause = self._screen.set_timer(_PROBLEM_PAUSE, self._show_problem)

    def _keep_rows(self) -> None:
        """Leave the list as it is while what is typed cannot be read, or is half a value.

        A field's name is looked for as a word on the way to what cannot be read, as "city" is on the
        way to "city:"; then the list goes back to what it was before that word.
        """
        before = self.text.rpartition(" ")[0].rstrip()
        word = self._applied[len(before) :]
        is_name = self.text.startswith(self._applied) and not _OPERATORS.intersection(word)
        has_operator = _OPERATORS.intersection(self.text[len(before) :])
        if word and is_name and has_operator and _problem_of(before) is None:
            self._apply_words(before)
        else:
            self._shown.set()

    def _apply_words(self, text: str) -> None:
        self._applied = text
        self._apply_text(text)

    def _reads(self) -> bool:
        self._problem = _problem_of(self.text)
        return self._problem is None

    def _show_problem(self) -> None:
        if self._problem is not None and not self._line.is_offering:
            self._line.show_problem(str(self._problem), self._problem.column)

    def _stop_pause(self) -> bool:
        """Wait no longer; False if nothing was waited for."""
        waited, self._pause = self._pause, None
        if waited is not None:
            waited.stop()
        return waited is not None


def _problem_of(text: str) -> QueryError | None:
    """What is wrong with a filter; None where it can be read."""
    from crm_tui.services.filters import QueryError, parse

    try:
        parse(text)
    except QueryError as error:
        return error
    return None
