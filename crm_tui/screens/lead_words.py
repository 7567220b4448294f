"""What is said about the lead list: how many it has, in which view, and how many are selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_tui.screens.lead_columns import LEAD_COLUMNS
from crm_tui.text import plural

if TYPE_CHECKING:
    from crm_tui.screens.lead_arrangement import Arrangement
    from crm_tui.screens.lead_listing import Asked, LeadListing
    from crm_tui.services.lead_rows import LeadRow
    from crm_tui.widgets.row_table import RowTable

_TITLES = {column.key: column.title for column in LEAD_COLUMNS}


def list_words(listing: LeadListing, asked: Asked, arrangement: Arrangement) -> str:
    """The list as a whole: "162 of 500 · view Hot", with its order where no header shows that."""
    parts = []
    if listing.all is not None:
        matching = "…" if listing.matching is None else f"{listing.matching:,}"
        filtered = f"{matching} of {listing.all:,}"
        parts.append(filtered if asked.text else plural(listing.all, "lead"))
    if asked.sort.key not in arrangement.fitting_keys:
        parts.append(f"by {_TITLES[asked.sort.key].lower()}")
    parts.append(arrangement.words(asked))
    return " · ".join(filter(None, parts))


def selection_words(table: RowTable[LeadRow]) -> str:
    """What is selected: "148 selected, 12 of them not in this list"; "" where nothing is."""
    selected, marking, hidden = table.selected_count, table.marking, table.hidden_count
    about = [f"marking {marking:,}"] if marking else []
    if selected:
        not_here = f", {hidden:,} of them not in this list" if hidden else ""
        about.append(f"{selected:,} selected{not_here}")
    return " · ".join(about)
