"""What the filter line of the leads offers while one types, and the counts of a list by field."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from crm_tui.screens.dialogs import Pick, Picker
from crm_tui.text import fold, plural
from crm_tui.widgets.completions import Candidate
from crm_tui.widgets.filter_line import FilterLine

if TYPE_CHECKING:
    from crm_tui.screens.base import AppScreen
    from crm_tui.services.lead_query import LeadQuery

_PAUSE = 0.06
"""Seconds after a keystroke before values are counted; the list itself is read first."""

_LETTERS = 2
"""Letters of a field's name before it is offered: most words one types are no fields."""


class Completer:
    """Offers what could be meant, in the background; the rows of the list come first.

    Args:
        screen: Whose workers do it.
        line: Where it is offered.
        shown: Set while the list shows what was typed last.
        told: Called when it is known what there is to offer.
    """

    def __init__(
        self,
        screen: AppScreen,
        line: FilterLine,
        shown: asyncio.Event,
        told: Callable[[], None],
    ) -> None:
        self._screen = screen
        self._line = line
        self._shown = shown
        self._told = told
        self._done = asyncio.Event()
        self._done.set()

    def typed(self) -> None:
        """Something was typed."""
        self._begin(asked=False)

    def wanted(self) -> None:
        """Tab was pressed: accept what is offered; keys typed ahead wait for it."""
        if self._line.is_offering and self._done.is_set():
            self._line.accept()
            return
        asked = not self._line.is_offering and self._done.is_set()
        self._begin(asked=asked, then=None if asked else self._line.accept)
        self._screen.host.keys_wait_for(self._done)

    def is_half_typed(self) -> bool | None:
        """Whether what is typed last is the beginning of a value; None while that is not known.

        A field is compared with whole values: a list of those that are called "N" would be empty.
        """
        typed = self._value_typed() if self._line.has_focus_within else ""
        if not typed:
            return False
        offered = [fold(each) for each in self._line.offered]
        if offered:
            return typed not in offered
        return False if self._done.is_set() else None

    def _value_typed(self) -> str:
        """What is typed at the end to be compared with whole values, folded; else ""."""
        from crm_tui.services.filters.complete import place_at
        from crm_tui.services.filters.fields import Kind

        text, cursor = self._line.value, self._line.cursor
        place = place_at(text[:cursor])
        if place is None or place.field is None or text[cursor:].strip():
            return ""
        is_part = text.startswith("~", place.start) or place.typed.endswith("*")
        is_whole = place.operator in {":", "="} and place.field.kind in {Kind.TEXT, Kind.WORDS}
        return fold(place.typed) if is_whole and not is_part else ""

    def _begin(self, *, asked: bool, then: Callable[[], object] | None = None) -> None:
        self._done.clear()
        self._screen.work(self._complete(asked=asked, then=then), group="complete")

    async def _complete(self, *, asked: bool, then: Callable[[], object] | None) -> None:
        db = await self._screen.host.store()
        from crm_tui.services.filters.complete import complete, place_at

        text, cursor = self._line.value, self._line.cursor
        place = place_at(text[:cursor])
        if place is None or (
            place.field is None and len(place.typed) < _LETTERS and not (asked or then)
        ):
            self._line.withdraw()
            self._done.set()
            self._told()
            return
        if place.field is not None and not then:
            await asyncio.sleep(_PAUSE)
            await self._shown.wait()
        async with db.read() as session:
            found = await complete(session, text, cursor)
        offered = [
            Candidate(each.insert, each.shown, each.hint or _counted(each.leads))
            for each in found.candidates
        ]
        if len(offered) == 1 and offered[0].insert == text[found.start : found.end]:
            offered = []
        self._line.offer(offered, found.start, found.end)
        if then is not None:
            then()
        self._done.set()
        self._told()


def _counted(leads: int | None) -> str:
    return "" if leads is None else f"{leads:,}"


def choose_facet(screen: AppScreen, query: LeadQuery, use: Callable[[str], None]) -> None:
    """Ask for a field, count the values the list has of it, and use the one that is picked.

    Args:
        screen: The screen it is for.
        query: The list.
        use: Given the filter with the value added.
    """
    from crm_tui.services.filters.facets import FACETS
    from crm_tui.services.filters.fields import FIELDS

    def count(field: str | None) -> None:
        if field is not None:
            screen.host.say(f"Counting by {field}…")
            screen.work(_choose_value(screen, query, field, use), group="facets")

    fields = [Pick(name, name, FIELDS[name].hint) for name in FACETS]
    screen.app.push_screen(Picker("Count the list by", fields), count)


async def _choose_value(
    screen: AppScreen, query: LeadQuery, field: str, use: Callable[[str], None]
) -> None:
    db = await screen.host.store()
    from crm_tui.services.filters import facets, render
    from crm_tui.services.filters.tree import And, Match, Text, conjuncts

    async with db.read() as session:
        found = await facets.facets(session, query, field)
    if not found:
        screen.host.say(f"No lead of the list has a {field}.")
        return

    def narrow(value: str | None) -> None:
        if value is not None:
            use(render(And((*conjuncts(query.tree), Match(field, (Text(value),))))))

    picks = [Pick(each.value, each.value, f"{each.leads:>9,}") for each in found]
    screen.app.push_screen(Picker(f"{plural(len(found), 'value')} of {field}", picks), narrow)
