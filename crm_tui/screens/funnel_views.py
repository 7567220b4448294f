"""The views of the funnel screen: which there are, and how each is read from the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from crm_tui.screens import funnel_campaigns, funnel_spend, funnel_time
from crm_tui.screens.funnel_sheet import Sheet
from crm_tui.screens.funnel_stages import stages_sheet

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.figures.base import Scope

Read = Callable[["Database", "Scope"], Awaitable[Sheet]]


class View(NamedTuple):
    """A way to look at the figures.

    Attributes:
        name: As its action is called: "funnel.<name>".
        title: What stands in the line of views.
        read: Computes it.
    """

    name: str
    title: str
    read: Read


async def _stages(db: Database, scope: Scope) -> Sheet:
    from crm_tui.services.figures.asking import before
    from crm_tui.services.figures.told import told

    past = before(scope)
    found = await told(db, scope)
    if past is None:
        return stages_sheet(found.stages, found.figures, [], [])
    earlier = await told(db, past)
    return stages_sheet(found.stages, found.figures, earlier.stages, earlier.figures)


VIEWS: tuple[View, ...] = (
    View("stages", "Funnel", _stages),
    View("campaigns", "Campaigns", funnel_campaigns.read),
    View("revenue", "Revenue", funnel_campaigns.read_revenue),
    View("cohorts", "Cohorts", funnel_time.read_cohorts),
    View("charts", "Charts", funnel_time.read_charts),
    View("spend", "Spend", funnel_spend.read),
)
"""In the order they are gone through."""


def place_of(name: str) -> int:
    """The place of a view; the first where there is none of that name."""
    return next((place for place, view in enumerate(VIEWS) if view.name == name), 0)
