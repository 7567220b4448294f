"""What campaigns and sources cost and brought, and which campaigns revenue is owed to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crm_tui.screens.funnel_sheet import Behind, Line, Sheet, Table, column, heading, percent
from crm_tui.widgets.columns import Cell, Column
from crm_tui.widgets.look import Role

if TYPE_CHECKING:
    from crm_tui.db.engine import Database
    from crm_tui.services.campaigns.figures import Rate
    from crm_tui.services.figures.attribution import Attributed
    from crm_tui.services.figures.base import Scope
    from crm_tui.services.figures.by_group import Earned, OfCampaign, OfSource

_NOTHING = "No campaign has sent anything in this time, and nobody has paid."
_NO_REVENUE = "Nobody has paid in this time."


async def read(db: Database, scope: Scope) -> Sheet:
    """Campaigns, and sources below them."""
    from crm_tui.services.figures.by_group import by_campaign, by_source

    async with db.read() as session:
        campaigns = await by_campaign(session, scope)
        sources = await by_source(session, scope)
    return groups_sheet(campaigns, sources)


def groups_sheet(campaigns: Sequence[OfCampaign], sources: Sequence[OfSource]) -> Sheet:
    """Both as one view."""
    from crm_tui.services.figures.by_group import CAMPAIGN_RULE, SOURCE_RULE

    lines: list[Line] = []
    for campaign in campaigns:
        first = (
            Cell(campaign.name, _name_role(campaign.campaign_id)),
            Cell(f"{campaign.sent:,}"),
            _rate(campaign.opens),
            _rate(campaign.clicks),
            _rate(campaign.replies),
            _number(campaign.customers),
        )
        behind = Behind(campaign=campaign.campaign_id)
        rule = f"{_unmeasured(campaign)}{CAMPAIGN_RULE}"
        lines += _lines(len(lines) + 1, first, campaign.money, behind, rule)
    if sources:
        lines += heading(1, "Source", "Leads", "", "", "", "Bought")
    for source in sources:
        first = (
            Cell(source.source or "no source", _name_role(source.source or None)),
            Cell(f"{source.leads:,}"),
            Cell(""),
            Cell(""),
            Cell(""),
            _number(source.customers),
        )
        quoted = source.source.replace('"', "")
        behind = Behind(query=f'source:"{quoted}"' if quoted else "", leads=source.leads)
        lines += _lines(len(lines) + 1, first, source.money, behind, SOURCE_RULE)
    tables = {
        "campaigns": _campaign_table(campaigns),
        "sources": _source_table(sources),
    }
    return Sheet(lambda _: _COLUMNS, lines, tables, nothing=_NOTHING)


def _name_role(of: object) -> Role:
    return Role.TEXT if of is None else Role.STRONG


def _unmeasured(campaign: OfCampaign) -> str:
    """What the dashes of a campaign stand for, as a sentence."""
    rates = {"opens": campaign.opens, "clicks": campaign.clicks}
    names = [name for name, rate in rates.items() if campaign.sent and rate.numerator is None]
    return f"Its {' and '.join(names)} are not measured. " if names else ""


def _lines(
    number: int, first: Sequence[Cell], money: Sequence[Earned], behind: Behind, rule: str
) -> Iterable[Line]:
    """A line, and one more for every other currency."""
    blank = (Cell(""),) * len(first)
    for at, each in enumerate(money or (None,)):
        cells = () if each is None else _money(each)
        yield Line(number + at, (*(blank if at else first), *cells), rule=rule, behind=behind)


def _money(earned: Earned) -> tuple[Cell, ...]:
    return (
        _amount(earned.revenue),
        _amount(earned.spend),
        Cell("—", Role.QUIET) if earned.cac is None else Cell(f"{earned.cac:,}"),
        Cell(earned.currency, Role.QUIET),
    )


def _amount(amount: Decimal) -> Cell:
    return Cell(f"{amount:,}", Role.TEXT if amount else Role.QUIET)


def _number(number: float) -> Cell:
    words = f"{number:,.2f}".rstrip("0").rstrip(".")
    return Cell(words, Role.TEXT if number else Role.QUIET)


def _rate(rate: Rate) -> Cell:
    """A share; "—" where it cannot be measured."""
    if rate.numerator is None or rate.value is None:
        return Cell("—", Role.QUIET)
    return Cell(percent(rate.value), Role.TEXT if rate.numerator else Role.QUIET)


_COLUMNS: tuple[Column[Line], ...] = (
    column(0, "name", "Campaign", 17, widest=44),
    column(1, "sent", "Sent", 7, right=True, rank=5),
    column(2, "opens", "Opens", 6, right=True, rank=8),
    column(3, "clicks", "Clicks", 6, right=True, rank=7),
    column(4, "replies", "Answers", 7, right=True, rank=6),
    column(5, "bought", "Bought", 6, right=True, rank=4),
    column(6, "revenue", "Revenue", 10, widest=14, right=True, rank=1),
    column(7, "spend", "Cost", 10, widest=14, right=True, rank=2),
    column(8, "cac", "CAC", 9, widest=12, right=True, rank=3),
    column(9, "currency", "", 3, rank=1),
)


def _campaign_table(campaigns: Sequence[OfCampaign]) -> Table:
    names = (
        *("campaign_id", "campaign", "sent", "open_rate", "click_rate", "reply_rate", "customers"),
        *_MONEY,
    )
    rows = [
        (
            *(each.campaign_id, each.name, each.sent, each.opens.value, each.clicks.value),
            *(each.replies.value, each.customers, *money),
        )
        for each in campaigns
        for money in _money_rows(each.money)
    ]
    return Table(names, rows)


def _source_table(sources: Sequence[OfSource]) -> Table:
    rows = [
        (each.source, each.leads, each.customers, *money)
        for each in sources
        for money in _money_rows(each.money)
    ]
    return Table(("source", "leads", "customers", *_MONEY), rows)


_MONEY = ("revenue", "cost", "cac", "currency")


def _money_rows(money: Sequence[Earned]) -> Iterable[tuple[Any, ...]]:
    if not money:
        yield (None, None, None, None)
    for each in money:
        yield (each.revenue, each.spend, each.cac, each.currency)


# Revenue by touch


async def read_revenue(db: Database, scope: Scope) -> Sheet:
    """What each campaign brought, by each rule."""
    from crm_tui.services.figures.attribution import attribution

    async with db.read() as session:
        return revenue_sheet(await attribution(session, scope))


def revenue_sheet(rows: Sequence[Attributed]) -> Sheet:
    """Revenue and customers by campaign."""
    from crm_tui.services.figures.attribution import RULE

    lines = [
        Line(
            number,
            (
                Cell(each.campaign, _name_role(each.campaign_id)),
                _amount(each.first),
                _amount(each.last),
                _amount(each.linear),
                Cell(each.currency, Role.QUIET),
                _number(each.first_customers),
                _number(each.last_customers),
                _number(each.linear_customers),
            ),
            behind=Behind(campaign=each.campaign_id),
        )
        for number, each in enumerate(rows, 1)
    ]
    names = (
        *("campaign_id", "campaign", "currency", "first_touch", "last_touch", "linear"),
        *("first_touch_customers", "last_touch_customers", "linear_customers"),
    )
    table = [
        (
            *(each.campaign_id, each.campaign, each.currency, each.first, each.last, each.linear),
            *(each.first_customers, each.last_customers, each.linear_customers),
        )
        for each in rows
    ]
    return Sheet(
        lambda _: _REVENUE, lines, {"revenue": Table(names, table)}, nothing=_NO_REVENUE, rule=RULE
    )


_REVENUE: tuple[Column[Line], ...] = (
    column(0, "name", "Campaign", 18, widest=44),
    column(1, "first", "First touch", 12, widest=14, right=True, rank=1),
    column(2, "last", "Last touch", 12, widest=14, right=True, rank=1),
    column(3, "linear", "Linear", 12, widest=14, right=True, rank=1),
    column(4, "currency", "", 3, rank=1),
    column(5, "first_customers", "Customers, first", 16, right=True, rank=2),
    column(6, "last_customers", "last", 5, right=True, rank=3),
    column(7, "linear_customers", "linear", 7, right=True, rank=4),
)
