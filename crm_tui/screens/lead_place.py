"""Where the operator is in the lead list, kept for the next start and taken up again."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from crm_tui.screens.lead_columns import LEAD_COLUMNS, USUAL
from crm_tui.screens.lead_listing import Asked, Spot
from crm_tui.session import Place, Selected

if TYPE_CHECKING:
    from crm_tui.screens.leads import LeadsScreen

_KEYS = [column.key for column in LEAD_COLUMNS]


def place_of(screen: LeadsScreen) -> Place:
    """Where the operator is."""
    table, arrangement = screen.table, screen.arrangement
    selection = table.selection
    return Place(
        view=arrangement.view.name if arrangement.view is not None else "",
        filter=screen.filter.text,
        sort=screen.asked.sort_text or "",
        columns=dict(arrangement.columns) if arrangement.columns != USUAL else {},
        usual=dict(arrangement.usual) if arrangement.usual != USUAL else {},
        cursor=table.cursor_id,
        above=table.cursor - table.top,
        selected=Selected.of(selection.picked, all_but=selection.open_ended),
        pane=screen.pane.wanted,
    )


def take_up(screen: LeadsScreen, place: Place) -> None:
    """What the first reading of the list needs to know."""
    screen.asked = Asked(screen.filter.begin_with(place.filter), Asked.sort_of(place.sort, _KEYS))
    screen.arrangement.begin_with(tuple(place.usual.items()), tuple(place.columns.items()))
    if place.cursor is not None:
        screen.listing.spot = Spot(place.cursor, place.above)
    screen.pane.wanted = place.pane
    screen.pane.place(screen.size)


async def take_up_rest(screen: LeadsScreen, place: Place) -> None:
    """What can wait until the first rows are shown: selection, view, the page that was open."""
    await screen.listing.shown.wait()
    if place.selected.ids or place.selected.all_but:
        screen.table.select(array("q", place.selected.ids), all_but=place.selected.all_but)
    if place.selected.lost:
        screen.host.say(f"{place.selected.lost:,} leads were selected; too many to keep.")
    db = await screen.host.store()
    from crm_tui.errors import NotFound
    from crm_tui.services import leads, views

    async with db.read() as session:
        if place.view:
            screen.arrangement.view = await views.find(session, place.view)
            screen.show_counts()
        if place.opened is None or screen.app.screen is not screen:
            return
        try:
            await leads.require(session, place.opened)
        except NotFound:
            return
    screen.open_lead(place.opened)
