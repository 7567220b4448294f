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
    from crm_tui.services.campaigns.figures import Figures, Rate, StepFigures, VariantFigures

_MOST_STEPS = 5
"""Steps whose figures are shown; more are rare, and the room is the ledger's."""

_MOST_TEXTS = 2
"""Steps of which two texts are tried whose texts are shown."""

_TEXT_RATES = {"open": "opened", "click": "clicked", "reply": "answered", "bounce": "came back"}
"""The rates of a text, and what is said of who is counted; first the one they are compared by."""

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
        "texts": _texts(figures.steps, room),
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


def _texts(steps: Sequence[StepFigures], room: int) -> Content:
    """A line for each text where two are tried, and what they tell, which is the bright thing."""
    tried = [each for each in steps if each.variants]
    lines = []
    for step in tried[:_MOST_TEXTS]:
        place = f"{step.position}" if len(steps) > 1 else ""
        rows = [_text_cells(step, each, place) for each in step.variants]
        columns = [column for column in zip(*rows, strict=True) if any(column)]
        while len(columns) > 1 and sum(_width(each) + 3 for each in columns) - 3 > room:
            columns.pop()
        for letter, *cells in zip(*columns, strict=True):
            padded = (
                "   " + cell + " " * (_width(column) - cell_len(cell))
                for cell, column in zip(cells, columns[1:], strict=True)
            )
            lines.append(styled(letter, Role.STRONG) + styled("".join(padded).rstrip()))
        if step.verdict is not None:
            role = Role.GOOD if step.verdict.winner else Role.QUIET
            said = step.verdict.sentence
            if cell_len(said) > room:  # its figures stand above
                said = f"{said.partition(': ')[0]}."
            lines.append(styled(said, role))
    return Content("\n").join(lines)


def _width(column: Sequence[str]) -> int:
    return max(map(cell_len, column))


def _text_cells(step: StepFigures, text: VariantFigures, place: str) -> list[str]:
    """What is said of one of two texts, what matters most first."""
    from crm_tui.services.campaigns.chance import share_words  # with the figures

    counts = text.counts
    compared = step.verdict.rate if step.verdict else "reply"
    cells = [place + text.letter.upper(), f"{counts.sent:,} of {counts.audience:,} sent"]
    for name in sorted(_TEXT_RATES, key=lambda each: each != compared):
        rate = rate_named(text.rates, name)
        shared = share_words(rate.share) if rate and rate.measured else ""
        cells.append(f"{_TEXT_RATES[name]} {shared}" if shared else "")
    return [*cells, visible(text.subject or text.template, 60)]
