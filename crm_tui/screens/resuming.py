"""Where the operator was: kept when the app ends, however it ends, and offered again at the start.

The app holds one `Resuming`. What is kept stands in the session (crm_tui/session.py); screens tell
and take it with `keep`, `restore` and `ask` (screens/base.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from textual.screen import Screen

from crm_tui.screens.base import AppScreen
from crm_tui.session import Place, Session
from crm_tui.widgets.forms import Form


def keep(
    session: Session, stacks: Mapping[str, Sequence[Screen[Any]]], *, area: str, now: datetime
) -> None:
    """Put into the session where the operator is, and what is typed and not saved.

    Args:
        session: Where to.
        stacks: The screens of each area, the one in front last.
        area: The area in front.
        now: The current time.
    """
    session.area = area
    for stack in stacks.values():
        root = next((screen for screen in stack if isinstance(screen, AppScreen)), None)
        if root is not None and (place := _place_of(stack)) is not None:
            session.places[root.AREA] = place
        for screen in stack:
            draft = screen.draft(now) if isinstance(screen, Form) else None
            if draft is not None:
                session.keep(draft)


def _place_of(stack: Sequence[Screen[Any]]) -> Place | None:
    """Where one is in an area: in its list, and on the page of which row above it."""
    first, *above = (screen for screen in stack if isinstance(screen, AppScreen))
    place = first.keep()
    pages = [page for screen in above if (page := screen.keep()) is not None]
    if place is not None and pages:
        place.opened = pages[0].cursor
    return place
