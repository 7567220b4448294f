"""`crm-tui funnel` and `crm-tui kpis`: how far leads came, and every figure with its proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crm_tui.cli.output import invocation, say, show_json, show_table, with_store
from crm_tui.clock import local_stamp, utc_now
from crm_tui.errors import WrongUsage
from crm_tui.text import plural
from crm_tui.vocabulary import Stage

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.figures.base import Figure, Record, Scope, StageCount

_BAR = 30
_MOST = 100_000

Since = Annotated[
    str | None,
    typer.Option("--from", metavar="DATE", help="The first day [default: the first record]."),
]
Until = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="The last day, in it [default: now].")
]
Where = Annotated[
    str | None,
    typer.Option("--where", metavar="QUERY", help="Only leads that a filter finds."),
]
Limit = Annotated[int, typer.Option(min=1, max=_MOST, help="How many records at most.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(funnel)
    app.command()(kpis)


def funnel(
    context: typer.Context,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    stage: Annotated[Stage | None, typer.Option(help="A stage, whose leads --list lists.")] = None,
    limit: Limit = 500,
    *,
    listed: Annotated[
        bool, typer.Option("--list", help="List the leads that reached the stage.")
    ] = False,
    json: Json = False,
) -> None:
    """How many leads reached each stage, such as: funnel --from 2026-09-01 --where city:Queens.

    Of the leads captured in the period, with what they reached until now.
    """
    scope = _scope(context, since, until, where)
    if listed != (stage is not None):
        raise WrongUsage("Give a stage and --list together: funnel --stage opened --list.")

    async def work(db: Database) -> None:
        if stage is not None:
            await _show_records(db, scope, f"stage:{stage}", limit=limit, json=json)
            return
        from crm_tui.services.figures.funnel import funnel as count

        async with db.read() as session:
            stages = await count(session, scope)
        if json:
            show_json({"stages": [_stage_document(each) for each in stages]})
            return
        most = stages[0].count
        ascii_only = invocation(context).settings.appearance.ascii
        show_table(
            ("Stage", "Leads", "", "of the one before", "of all"),
            [
                (
                    each.stage.replace("_", " "),
                    each.count,
                    _bar(each.count, most, ascii_only=ascii_only),
                    _percent(each.rate_from_previous),
                    _percent(each.rate_from_first),
                )
                for each in stages
            ],
        )

    with_store(context, work)


def kpis(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="One figure, such as mrr [default: all].", show_default=False
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    limit: Limit = 500,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Each with its formula and what it is made of.")
    ] = False,
    records: Annotated[
        bool, typer.Option("--records", help="List the records behind the figure.")
    ] = False,
    json: Json = False,
) -> None:
    """Every figure of a period, such as: kpis --from 2026-09-01 --explain.

    Amounts are told once for each currency. MRR is that of the period's end; without a first day,
    churn is told over the last 30 days.
    """
    scope = _scope(context, since, until, where)
    if records and name is None:
        raise WrongUsage("Name the figure whose records are to be listed: kpis mrr --records.")

    async def work(db: Database) -> None:
        from crm_tui.services.figures.kpis import FORMULAS
        from crm_tui.services.figures.told import told

        if name is not None and name not in FORMULAS:
            raise WrongUsage(f'There is no figure "{name}"; there are {", ".join(FORMULAS)}.')
        if records:
            await _show_records(db, scope, str(name), limit=limit, json=json)
            return
        figures = [each for each in (await told(db, scope)).figures if name in {None, each.name}]
        if json:
            show_json({"figures": [_figure_document(each) for each in figures]})
        elif explain:
            for line in _explained(figures):
                typer.echo(line)
        else:
            show_table(
                ("Figure", "Value", "Note"),
                [(_words(each.name), _value(each), each.note) for each in figures],
            )

    with_store(context, work)


def _scope(
    context: typer.Context, since: str | None, until: str | None, where: str | None
) -> Scope:
    from crm_tui.services.figures.asking import scope_of

    settings = invocation(context).settings
    return scope_of(settings, since=since, until=until, query=where, now=utc_now())


async def _show_records(db: Database, scope: Scope, name: str, *, limit: int, json: bool) -> None:
    from crm_tui.services.figures.behind import behind

    async with db.read() as session:
        found = await behind(session, scope, name, limit=limit + 1)
    shown = found[:limit]
    if json:
        show_json({"records": [_record_document(each) for each in shown]})
    else:
        show_table(
            ("Lead", "Name", "", "When", "Counts"),
            [
                (
                    each.business_id,
                    each.title,
                    each.detail,
                    each.at and local_stamp(each.at, zone=scope.standpoint.zone),
                    _PARTS[each.part],
                )
                for each in shown
            ],
        )
        more = "; there are more, see --limit" if len(found) > limit else ""
        say(f"{plural(len(shown), 'record')}{more}")


_PARTS = {"numerator": "above the line", "denominator": "below the line", "both": "above and below"}


# Documents


def _stage_document(each: StageCount) -> dict[str, Any]:
    return {
        "stage": each.stage.value,
        "count": each.count,
        "rate_from_previous": each.rate_from_previous,
        "rate_from_first": each.rate_from_first,
    }


def _figure_document(each: Figure) -> dict[str, Any]:
    return {
        "name": each.name,
        "value": _number(each.value),
        "unit": each.unit.value,
        "currency": each.currency,
        "numerator": _number(each.numerator),
        "denominator": _number(each.denominator),
        "formula": each.formula,
        "note": each.note,
    }


def _record_document(each: Record) -> dict[str, Any]:
    return {
        "business_id": each.business_id,
        "title": each.title,
        "detail": each.detail,
        "at": each.at and each.at.isoformat(),
        "part": each.part,
    }


def _number(value: float | Decimal | None) -> float | None:
    """An amount as the number that JSON has for it: the nearest, which reads back as it was."""
    return float(value) if isinstance(value, Decimal) else value


# Words


def _words(name: str) -> str:
    known = {"cac": "CAC", "mrr": "MRR", "ltv": "LTV", "ltv_cac_ratio": "LTV ÷ CAC"}
    return known.get(name, name.replace("_", " "))


def _bar(count: int, most: int, *, ascii_only: bool) -> str:
    length = -(-count * _BAR // most) if most else 0
    return ("#" if ascii_only else "█") * length


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:6.1f} %"


def _value(each: Figure) -> str:
    if each.value is None:
        return "–"
    return _amount(each.value, each)


def _amount(value: float | Decimal, each: Figure) -> str:
    match each.unit.value:
        case "ratio" if each.currency is None:
            return f"{100 * value:.1f} %"
        case "ratio":
            return f"{value:,.2f} in {each.currency}"
        case "money":
            return f"{value:,} {each.currency}"
        case "days":
            return f"{value:.1f} days"
        case _:
            return f"{value:,}"


def _explained(figures: Sequence[Figure]) -> Iterator[str]:
    for each in figures:
        yield f"{_words(each.name)}: {_value(each)}"
        yield f"  {each.formula}"
        if each.numerator is not None and each.denominator is not None:
            yield f"  {_plain(each.numerator)} ÷ {_plain(each.denominator)}"
        if each.note:
            yield f"  {each.note}"


def _plain(value: float | Decimal | None) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.2f}"
    return "–" if value is None else f"{value:,}"
