"""What stands above the ledger of a campaign: how it stands, its counts and rates, its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from crm_tui.clock import ago, local_stamp
from crm_tui.screens.campaign_columns import (
    counts_words,
    rate_named,
    rate_words,
    rates_words,
    short_rate_words,
)
from crm_tui.text import plural, visible
from crm_tui.widgets.facts import styled
from crm_tui.widgets.look import Role, status_mark

if TYPE_CHECKING:
    from crm_tui.services.campaigns.drafts import Kept
    from crm_tui.services.campaigns.figures import Figures, Rate, StepFigures

_MOST_STEPS = 5
"""Steps whose figures are shown; more are rare, and the room is the ledger's."""

_RATES = (("reply", "answered"), ("bounce", "came back"))
"""The rates of a step, and what is said of who is counted."""


def head(
    kept: Kept, figures: Figures, *, now: datetime, zone: tzinfo | None, room: int
) -> dict[str, Content]:
    """The lines above the ledger, by what they tell of; empty where there is nothing to tell.

    Args:
        kept: The campaign.
        figures: Its figures.
        now: Aware UTC.
        zone: The operator's zone.
        room: Cells of a line.
    """
    mark = status_mark(kept.state)
    name = styled(visible(kept.draft.name, 200), Role.STRONG)
    counts = [plural(figures.recipients, "recipient"), *counts_words(figures.counts)]
    rates = rates_words(figures.rates) if figures.counts.sent else []
    why = kept.pause_reason
    return {
        "name": name + "   " + styled(mark.label, mark.role) + _since(kept, now, zone),
        "why": styled(f"Paused: {why}" if why else "", Role.ATTENTION),
        "counts": styled(" · ".join(counts)),
        "rates": styled(" · ".join(rates), Role.QUIET),
        "steps": _steps(figures.steps if len(figures.steps) > 1 else (), room),
    }


def _since(kept: Kept, now: datetime, zone: tzinfo | None) -> Content:
    if kept.ended_at:
        words = f"   {ago(kept.ended_at, now, zone=zone)}"
    elif kept.started_at:
        words = f"   since {local_stamp(kept.started_at, zone=zone)}"
    else:
        words = ""
    return styled(words, Role.QUIET)


def _steps(steps: Sequence[StepFigures], room: int) -> Content:
    """A line for each step, in columns; rates in fewer words where the lines would be cut."""
    shown = steps[:_MOST_STEPS]
    cells = [_cells(each, rate_words) for each in shown]
    if any(sum(map(cell_len, row)) + 3 * len(row) > room for row in cells):
        cells = [_cells(each, short_rate_words) for each in shown]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for step, row in zip(shown, cells, strict=True):
        place, sent, *rates = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        )
        line = styled(f"{place}  ", Role.QUIET) + styled(sent)
        for rate, width in zip(rates, widths[2:], strict=True):
            line += styled(f"   {rate}" if width else "", Role.QUIET)
        lines.append(line + styled(f"   {visible(step.template, 60)}", Role.QUIET))
    if len(steps) > _MOST_STEPS:
        lines.append(styled(f"   and {len(steps) - _MOST_STEPS} more", Role.QUIET))
    return Content("\n").join(lines)


def _cells(step: StepFigures, words: Callable[[Rate], str]) -> list[str]:
    sent = f"{step.counts.sent:,} of {step.counts.audience:,} sent"
    return [str(step.position), sent, *(_rate(step, *each, words) for each in _RATES)]


def _rate(step: StepFigures, name: str, said: str, words: Callable[[Rate], str]) -> str:
    rate = rate_named(step.rates, name)
    return f"{said} {words(rate)}" if rate and rate.value is not None else ""
