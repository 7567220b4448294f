"""The funnel as bars, and every figure below it, beside what they were in the period before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.cells import cell_len

from crm_tui.screens.funnel_sheet import (
    Behind,
    Line,
    Sheet,
    Table,
    bar_column,
    column,
    heading,
    money,
    percent,
)
from crm_tui.services.figures.base import Unit
from crm_tui.text import plural
from crm_tui.vocabulary import Stage
from crm_tui.widgets.columns import GAP, Cell, Column
from crm_tui.widgets.look import Role
from crm_tui.widgets.row_paint import GUTTER

if TYPE_CHECKING:
    from crm_tui.services.figures.base import Figure, StageCount

STAGE_WORDS = {
    Stage.CAPTURED: "Leads that were found or added.",
    Stage.QUALIFIED: "Leads whose score is high enough, or that came further.",
    Stage.SITE_BUILT: "Leads for whom a preview site was built, or that came further.",
    Stage.CONTACTED: "Leads that were mailed, texted or called, or that came further.",
    Stage.OPENED: "Leads of whom a person opened a mail, or that came further.",
    Stage.CLICKED: "Leads of whom a person followed a link, or that came further.",
    Stage.REPLIED: "Leads that answered, or that came further.",
    Stage.PURCHASED: "Leads that paid.",
    Stage.ACTIVE_CLIENT: "Leads that had a subscription.",
}
"""What it is to have reached a stage; who reached one counts in all before it."""

FIGURE_TITLES = {
    "site_generation_rate": "Sites built",
    "lead_capture_rate": "Lead capture",
    "qualification_rate": "Qualification",
    "lead_to_customer": "Lead to customer",
    "time_to_purchase_median_days": "Median to purchase",
    "time_to_purchase_mean_days": "Mean to purchase",
    "cac": "CAC",
    "mrr": "MRR",
    "ltv": "LTV",
    "ltv_cac_ratio": "LTV to CAC",
}
"""What figures are called where their names are not said as they are."""

_NAME, _VALUE, _LAST, _FIRST, _BEFORE = 20, 13, 7, 6, 12
_LEAST_BAR, _LONGEST_BAR = 14, 60


def title_of(name: str) -> str:
    """What a figure or a stage is called: "Open rate"."""
    words = name.replace("_", " ")
    return FIGURE_TITLES.get(name, f"{words[:1].upper()}{words[1:]}")


def value_words(figure: Figure) -> str:
    """A figure for people: "63%", "1,249.00 USD", "12.5 days"; "—" where there is none."""
    return "—" if figure.value is None else _words(figure.value, figure)


def made_of(figure: Figure) -> str:
    """What a figure is computed of: "12 of 148"; "" where it is a count."""
    above, below = figure.numerator, figure.denominator
    if above is None or below is None:
        return ""
    between = "of" if figure.unit is Unit.RATIO and _is_whole(above, below) else "÷"
    return f"{number_words(above)} {between} {number_words(below)}"


def number_words(number: float | Decimal) -> str:
    """A number for people, with no more digits than say something."""
    if isinstance(number, float) and not number.is_integer():
        return f"{number:,.2f}".rstrip("0")
    return f"{number:,}" if isinstance(number, Decimal) else f"{int(number):,}"


def _is_whole(*numbers: float | Decimal) -> bool:
    return all(number == int(number) for number in numbers)


def _words(value: float | Decimal, figure: Figure) -> str:
    if figure.name == "ltv_cac_ratio":
        return f"{value:,.1f}"
    match figure.unit:
        case Unit.RATIO:
            return percent(float(value))
        case Unit.DAYS:
            return f"{value:,.1f} days"
        case Unit.MONEY:
            return money(value, figure.currency or "")
        case Unit.COUNT:
            return number_words(value)


# The lines


def stages_sheet(
    stages: Sequence[StageCount],
    figures: Sequence[Figure],
    stages_before: Sequence[StageCount],
    figures_before: Sequence[Figure],
) -> Sheet:
    """The view of the funnel and the figures.

    Args:
        stages: In their order.
        figures: In theirs.
        stages_before: Those of the period before; none where there is none.
        figures_before: Likewise.
    """
    counts_before = {each.stage: each.count for each in stages_before}
    values_before = {(each.name, each.currency): each for each in figures_before}
    lines = [_stage(number, each, stages, counts_before) for number, each in enumerate(stages, 1)]
    lines += heading(1, "Figures")
    names = Counter(each.name for each in figures)
    lines += [
        _figure(
            number,
            each,
            values_before.get((each.name, each.currency)),
            in_several=names[each.name] > 1,
        )
        for number, each in enumerate(figures, len(stages) + 1)
    ]
    return Sheet(
        lambda width: _columns(width, compared=bool(stages_before)),
        lines,
        {"stages": _stage_table(stages), "figures": figure_table(figures)},
        count=plural(stages[0].count, "lead") if stages else "",
        is_empty=not any(each.count for each in stages),
        shape="compared" if stages_before else "",
    )


def _stage(
    number: int,
    stage: StageCount,
    stages: Sequence[StageCount],
    before: Mapping[Stage, int],
) -> Line:
    most = max(each.count for each in stages)
    was = before.get(stage.stage)
    return Line(
        number,
        (
            Cell(title_of(stage.stage), Role.STRONG),
            Cell(""),
            Cell(f"{stage.count:,}", Role.TEXT if stage.count else Role.QUIET),
            Cell(percent(stage.rate_from_previous)),
            Cell(percent(stage.rate_from_first), Role.QUIET),
            Cell(_than(stage.count, was, f"{was or 0:,}"), Role.QUIET),
        ),
        share=stage.count / most if most else 0.0,
        about=STAGE_WORDS[stage.stage],
        behind=Behind(query=f"stage:{stage.stage}", leads=stage.count),
    )


def _figure(number: int, figure: Figure, before: Figure | None, *, in_several: bool) -> Line:
    """A line of a figure, with its currency where there are several."""
    title = title_of(figure.name) + (f" {figure.currency}" if in_several else "")
    known = figure.value is not None
    was = ""
    if before is not None and before.value is not None and figure.value is not None:
        was = _than(figure.value, before.value, _words(before.value, before))
    said = made_of(figure) if known else figure.lacks
    return Line(
        number,
        (
            Cell(title, Role.STRONG if known else Role.TEXT),
            Cell(said, Role.QUIET),
            Cell(value_words(figure), Role.TEXT if known else Role.QUIET),
            Cell(""),
            Cell(""),
            Cell(was, Role.QUIET),
        ),
        about=_about(figure),
        behind=Behind(figure.name, figure.currency, figure),
    )


def _about(figure: Figure) -> str:
    """What is to be known of a figure: why there is none, before how it is computed."""
    said = (
        (figure.formula, figure.note) if figure.value is not None else (figure.note, figure.formula)
    )
    return " ".join(f"{each[:1].upper()}{each[1:]}." for each in said if each)


def _than(now: float | Decimal, before: float | Decimal | None, words: str) -> str:
    """How it went since the period before: "↑ from 1,100"."""
    if before is None:
        return ""
    if now == before:
        return "as before"
    way = "↑" if now > before else "↓"
    words = words.rpartition(" ")[0] if words[-1:].isupper() else words  # its currency is known
    said = f"{way} from {words}"
    return said if cell_len(said) <= _BEFORE else f"{way} {words}"


def _columns(width: int, *, compared: bool) -> Sequence[Column[Line]]:
    """The bars take what the others leave; where that is little, shares and the past give way."""
    room = width - GUTTER - 1
    others = [_VALUE, _LAST, _FIRST, *([_BEFORE] if compared else [])]
    wide = room - _NAME - GAP - sum(each + GAP for each in others)
    with_first = wide >= _LEAST_BAR
    wide += 0 if with_first else _FIRST + GAP
    wide = min(max(wide, _LEAST_BAR), _LONGEST_BAR)
    return (
        column(0, "name", "Stage", _NAME),
        bar_column(1, "bar", "", wide, rank=4),
        column(2, "value", "Leads", _VALUE, right=True, rank=1),
        column(3, "last", "of last", _LAST, right=True, rank=2),
        *([column(4, "first", "of all", _FIRST, right=True, rank=5)] if with_first else []),
        *([column(5, "before", "Before", _BEFORE, rank=3)] if compared else []),
    )


# As it is exported


def _stage_table(stages: Sequence[StageCount]) -> Table:
    names = ("stage", "count", "rate_from_previous", "rate_from_first")
    return Table(
        names,
        [(str(e.stage), e.count, e.rate_from_previous, e.rate_from_first) for e in stages],
    )


def figure_table(figures: Sequence[Figure]) -> Table:
    """Figures as they are exported, money as numbers in the major unit."""
    names = ("name", "value", "unit", "currency", "numerator", "denominator", "formula", "note")
    rows = [
        (
            each.name,
            each.value,
            each.unit.value,
            each.currency,
            each.numerator,
            each.denominator,
            each.formula,
            each.note,
        )
        for each in figures
    ]
    return Table(names, rows)
