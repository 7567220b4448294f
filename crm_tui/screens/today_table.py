"""The list of Today: lines under the headings of their kinds, which the cursor passes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_tui.widgets.headed_list import HeadedList

if TYPE_CHECKING:
    from crm_tui.screens.today_columns import TodayRow  # noqa: F401 - named below


class TodayTable(HeadedList["TodayRow"]):
    """The lines of Today, of any kind."""
