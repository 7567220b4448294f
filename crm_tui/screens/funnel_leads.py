"""The leads behind a bar of the funnel, in the lead list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_tui.screens.base import AppScreen
from crm_tui.screens.funnel_period import Span

if TYPE_CHECKING:
    from crm_tui.screens.leads import LeadsScreen

_ARCHIVED_TOO = "(is:archived or -is:archived)"


def leads_query(stage: str, span: Span, text: str) -> str:
    """The filter of the leads of a stage ("stage:opened"), a time and a filter."""
    parts = [stage]
    if span.since is not None:
        parts.append(f"captured>={span.since.isoformat()}")
    if span.until is not None:
        parts.append(f"captured<={span.until.isoformat()}")
    if text:
        parts.append(f"({text})" if " or " in f" {text.lower()} " else text)
    return " ".join(parts)


async def show_leads(screen: AppScreen, query: str, number: int) -> None:
    """Show the leads of a filter in the lead list.

    Args:
        screen: Where it was asked for.
        query: The filter.
        number: How many leads were counted: where the list has fewer of them, the archived ones,
            which count too, are shown with them.
    """
    db = await screen.host.store()
    from crm_tui.services import lead_rows
    from crm_tui.services.filters import Standpoint
    from crm_tui.services.lead_query import LeadQuery

    at = Standpoint.of(screen.host.settings, screen.host.now())
    async with db.read() as session:
        listed = await lead_rows.count(session, LeadQuery(query, None, at))
    if listed < number:
        query = f"{query} {_ARCHIVED_TOO}"
    app = screen.app
    await app.switch_mode("leads")
    while len(app.screen_stack) > 1:
        front = app.screen
        if isinstance(front, AppScreen) and not front.may_close():
            return
        await app.pop_screen()
    leads: LeadsScreen = app.screen  # type: ignore[assignment]
    leads.show_matching(query)
