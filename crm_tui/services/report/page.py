"""A report as one page of HTML that needs nothing else: no script, no font, no server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_tui import __version__
from crm_tui.services.export import replacing
from crm_tui.services.figures import attribution, by_group, cohorts, series
from crm_tui.services.figures.base import Figure
from crm_tui.services.report import words
from crm_tui.services.report.charts import Chart, chart
from crm_tui.services.report.gathering import Report
from crm_tui.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment

_FOREMOST = ("mrr", "lead_to_customer", "cac", "ltv_cac_ratio")
"""The figures that stand on top, large."""


async def write_html(report: Report, target: Path) -> None:
    """Write a report to a file; one that is there is replaced.

    Raises:
        BadInput: it cannot be written; what was there before stands.
    """
    text = as_html(report)
    async with replacing(target) as file:
        file.write(text)


def as_html(report: Report) -> str:
    """The whole page."""
    scope = report.scope
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            words=words,
            foremost=[_foremost(report, name) for name in _FOREMOST],
            past=_past(report),
            charts=_charts(report),
            most=max((each.count for each in report.stages), default=0),
            best=_best(report),
            rules={
                "cohorts": cohorts.RULE,
                "attribution": attribution.RULE,
                "campaigns": by_group.CAMPAIGN_RULE,
                "sources": by_group.SOURCE_RULE,
            },
            period=words.period(scope),
            made_at=words.stamp(scope.standpoint.now, scope.standpoint.zone),
            version=__version__,
        )
    )


def _charts(report: Report) -> Sequence[tuple[str, Chart]]:
    """Every series that has a point, with its rule."""
    return [
        (series.RULES[name], chart(line))
        for name, lines in report.series.items()
        for line in lines
        if line.points
    ]


def _foremost(report: Report, name: str) -> Figure:
    """A figure in the operator's own currency, where it is told in it."""
    named = [each for each in report.figures if each.name == name]
    own = (each for each in named if each.currency == report.scope.money.currency)
    return next(own, named[0])


def _past(report: Report) -> Callable[[Figure], Figure | None]:
    """What tells of a figure what it was in the period before, if anything was told then."""
    told = {(each.name, each.currency): each for each in report.earlier if each.value is not None}
    return lambda figure: told.get((figure.name, figure.currency))


def _best(report: Report) -> float:
    """The highest share of a cohort that bought, to which the others are shaded; never 0."""
    shares = (
        bought / each.leads
        for each in report.cohorts
        for bought in each.bought
        if bought is not None and each.leads
    )
    return max(shares, default=0) or 1


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415 - starts slowly

    folder = files("crm_tui") / "templates" / "report"

    def load(name: str) -> Any:
        return (folder / name).read_text(encoding="utf-8")

    return Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        finalize=_seen,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _seen(value: Any) -> Any:
    """What stands in the page, without signs that cannot be seen."""
    return visible(value) if type(value) is str else value
