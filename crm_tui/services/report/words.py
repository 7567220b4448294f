"""How a report names and writes things."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from crm_tui import money
from crm_tui.services.figures.base import Figure, Scope, Unit

NOTHING = "–"

_TITLES = {
    "cac": "CAC",
    "mrr": "MRR",
    "ltv": "LTV",
    "ltv_cac_ratio": "LTV ÷ CAC",
    "lead_to_customer": "Lead → customer",
    "sends": "Messages sent",
    "time_to_purchase_median_days": "Time to purchase, median",
    "time_to_purchase_mean_days": "Time to purchase, mean",
}
_MOMENT = timedelta(microseconds=1)


def title(name: str) -> str:
    """What a figure or a stage is called: "Open rate"."""
    return _TITLES.get(name, name.replace("_", " ").capitalize())


def value(figure: Figure) -> str:
    """A figure for people: "12.5 %", "1,249.00 USD"; a dash where there is none."""
    amount = figure.value
    if amount is None:
        return NOTHING
    match figure.unit:
        case Unit.RATIO if figure.currency is not None:
            return f"{amount:,.1f}"
        case Unit.RATIO:
            return percent(float(amount))
        case Unit.DAYS:
            return f"{amount:,.1f} days"
        case Unit.MONEY:
            return f"{amount:,} {figure.currency}"
        case Unit.COUNT:
            return f"{amount:,}"


def made_of(figure: Figure) -> str:
    """What a figure was computed of: "12 ÷ 148"; "" where it is a count."""
    if figure.numerator is None or figure.denominator is None:
        return ""
    return f"{number(figure.numerator)} ÷ {number(figure.denominator)}"


def number(amount: float | Decimal) -> str:
    """A number without digits that say nothing."""
    if isinstance(amount, float) and not amount.is_integer():
        return f"{amount:,.4f}".rstrip("0")
    return f"{amount:,}" if isinstance(amount, Decimal) else f"{int(amount):,}"


def percent(share: float) -> str:
    """A share: "12.5 %"."""
    return f"{100 * share:,.1f}\u00a0%"


def amount(value: Decimal, currency: str) -> str:
    """Money: "1,249.00 USD"."""
    return f"{value:,.{money.digits(currency)}f}\u00a0{currency}"


def day(value: date) -> str:
    """A day: "22 Nov 2026"."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def stamp(at: datetime, zone: tzinfo | None) -> str:
    """A time: "22 Nov 2026, 14:02"."""
    local = at.astimezone(zone)
    return f"{day(local.date())}, {local:%H:%M}"


def period(scope: Scope) -> str:
    """The time a report is of: "1 Sep 2026 to 22 Nov 2026"."""
    zone = scope.standpoint.zone
    since, until = scope.period.since, scope.period.until
    first = "The first record" if since is None else day(since.astimezone(zone).date())
    last = scope.standpoint.now if until is None else until - _MOMENT
    return f"{first} to {day(last.astimezone(zone).date())}"
