"""Every figure, in the order of the command line's contract; each says what it was computed of.

Sums and shares are exact; they are rounded once, when they are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select

from crm_tui import money
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import ImportBatch
from crm_tui.services.figures import among, customers, funnel, messages, subscriptions
from crm_tui.services.figures.asking import end_of
from crm_tui.services.figures.base import NOT_ENOUGH, NOT_MEASURED, Figure, Scope, Unit
from crm_tui.services.figures.costs import costs
from crm_tui.services.figures.message_costs import message_costs
from crm_tui.text import plural
from crm_tui.vocabulary import BatchState, Stage

FORMULAS = {
    "lead_capture_rate": "rows created or merged ÷ rows seen, over the imports of the period",
    "qualification_rate": "qualified leads ÷ leads captured in the period",
    "site_generation_rate": "qualified leads with a site ÷ qualified leads",
    "messages_sent": "messages sent in the period",
    "open_rate": "businesses with an open by a person ÷ businesses reached",
    "click_rate": "businesses with a click by a person ÷ businesses reached",
    "reply_rate": "businesses that answered ÷ businesses reached",
    "lead_to_customer": "leads of the period that bought so far ÷ leads of the period",
    "time_to_purchase_median_days": "days from first contact to first payment: the middle one",
    "time_to_purchase_mean_days": "days from first contact to first payment: sum ÷ customers",
    "cac": "spend and messages of the period ÷ customers who first paid in it",
    "mrr": "sum of the subscriptions that earn, each brought to a month, at the period's end",
    "churn_rate": "subscriptions that ended in the period ÷ those that earned at its start",
    "ltv": "MRR ÷ paying businesses x gross margin ÷ churn rate of a month",
    "ltv_cac_ratio": "LTV ÷ CAC; more than 3 is the aim",
}
"""What each figure is, by its name; in order."""

_MONTH = 30
"""Days of a month, for a period that is none."""
_MONTHS = range(28, 32)
"""Days of a period that is a month."""


@dataclass(frozen=True, slots=True)
class _Amount:
    """An amount before it is rounded, in minor units; None where it cannot be told, and why."""

    value: Fraction | None
    numerator: Fraction | int
    denominator: Fraction | int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """All that the figures are made of."""

    leads: funnel.Tally
    rows: tuple[int, int]
    """Rows of imports that were kept, and those that were seen."""
    messages: messages.Reach
    waits: customers.Waits
    spent: Mapping[str, Fraction]
    earning: Mapping[str, subscriptions.Earning]
    churn: subscriptions.Churn


async def kpis(session: ReadSession, scope: Scope) -> list[Figure]:
    """Every figure of a scope: one for each currency, where it is an amount."""
    return figures_of(scope, await count(session, scope))


async def count(session: ReadSession, scope: Scope) -> Counted:
    """All that the figures are made of, one after the other."""
    return Counted(
        leads=await funnel.tally(session, scope),
        rows=await rows_kept(session, scope),
        messages=await messages.reach(session, scope),
        waits=await customers.waits(session, scope),
        spent=await spent_on(session, scope),
        earning=await earning_at_end(session, scope),
        churn=await churn_of_period(session, scope),
    )


def figures_of(scope: Scope, counted: Counted) -> list[Figure]:
    """The figures, of what was counted."""
    return [
        _capture_rate(scope, *counted.rows),
        *_of_leads(counted.leads),
        *_of_messages(counted.messages),
        _lead_to_customer(counted.leads),
        *_time_to_purchase(counted.waits),
        *_of_money(scope, counted),
    ]


async def earning_at_end(session: ReadSession, scope: Scope) -> Mapping[str, subscriptions.Earning]:
    """The subscriptions that earn at the end of the period."""
    return await subscriptions.earning(session, scope, end_of(scope))


async def churn_of_period(session: ReadSession, scope: Scope) -> subscriptions.Churn:
    """The subscriptions that ended in the time over which churn is told."""
    return await subscriptions.churn(session, scope, *churn_period(scope))


async def spent_on(session: ReadSession, scope: Scope) -> Mapping[str, Fraction]:
    """What was spent in the period, by currency, in minor units.

    What was spent in general belongs to no lead: with a filter, only what messages to its leads
    cost is known to be theirs.
    """
    spent = await (costs if scope.where is None else message_costs)(session, scope)
    return {currency: amount for (_, currency), amount in sorted(spent.items(), key=_currency)}


def _currency(item: tuple[tuple[Any, str], Fraction]) -> str:
    return item[0][1]


# Leads


async def rows_kept(session: ReadSession, scope: Scope) -> tuple[int, int]:
    """The rows of imports that were created or merged, and those that were seen."""
    batch = ImportBatch
    sums = func.sum(batch.created + batch.merged), func.sum(batch.seen)
    kept, seen = (await session.execute(select(*sums).where(*standing_imports(scope)))).one()
    return kept or 0, seen or 0


def _capture_rate(scope: Scope, kept: int, seen: int) -> Figure:
    note = "" if seen else f"{NOT_ENOUGH}: nothing was imported"
    if scope.where is not None:
        whole = "rows that were not kept belong to no lead, so this is of all imports"
        note = _joined(note, whole)
    return _share("lead_capture_rate", kept, seen, note)


def standing_imports(scope: Scope) -> Iterator[among.Test]:
    """The imports of the period that were not taken back."""
    yield ImportBatch.state.in_([BatchState.DONE, BatchState.CANCELLED])
    yield from among.within(ImportBatch.started_at, scope.period)


def _of_leads(counted: funnel.Tally) -> Iterator[Figure]:
    note = "" if counted.leads else f"{NOT_ENOUGH}: no leads"
    yield _share("qualification_rate", counted.qualified, counted.leads, note)
    note = "" if counted.qualified else f"{NOT_ENOUGH}: no lead is qualified"
    with_site = counted.qualified_with_site
    yield _share("site_generation_rate", with_site, counted.qualified, note)


def _lead_to_customer(counted: funnel.Tally) -> Figure:
    note = "" if counted.leads else f"{NOT_ENOUGH}: no leads"
    return _share("lead_to_customer", counted.reached(Stage.PURCHASED), counted.leads, note)


# Messages


def _of_messages(found: messages.Reach) -> Iterator[Figure]:
    yield Figure(
        name="messages_sent",
        value=found.messages,
        unit=Unit.COUNT,
        formula=FORMULAS["messages_sent"],
        numerator=found.messages,
    )
    yield _by_people(
        "open_rate",
        found.opened,
        found.opens_reached,
        raw=found.opened_raw,
        tried=found.opens_tried,
        found=found,
    )
    yield _by_people(
        "click_rate",
        found.clicked,
        found.clicks_reached,
        raw=found.clicked_raw,
        tried=found.clicks_tried,
        found=found,
    )
    note = "" if found.reached else _nobody(found)
    yield _share("reply_rate", found.replied, found.reached, note)


def _by_people(
    name: str, people: int, of: int, *, raw: int, tried: int, found: messages.Reach
) -> Figure:
    """A share that some providers do not measure, and machines take part in."""
    if not found.messages:
        return _share(name, 0, 0, _nobody(found))
    if not tried:
        return _share(name, 0, 0, f"{NOT_MEASURED}: the providers in use do not tell")
    if not of:
        return _share(name, people, of, _nobody(found))
    told = [f"{_percent(raw, of)} with machines ({raw:,} of {of:,})"]
    if found.reached > of:
        told.append(f"{plural(found.reached - of, 'business', 'businesses')} not measured")
    return _share(name, people, of, "; ".join(told))


def _nobody(found: messages.Reach) -> str:
    nothing = "nothing arrived" if found.messages else "nothing was sent"
    return f"{NOT_ENOUGH}: {nothing}"


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %"


# Money


def _of_money(scope: Scope, counted: Counted) -> Iterator[Figure]:
    costs_of = _costs(scope, counted.spent, counted.waits.customers)
    values = _ltvs(scope, counted.earning, counted.churn)
    for currency, each in costs_of.items():
        yield _money("cac", currency, each)
    yield from _mrr(scope, counted.earning)
    yield _churn_rate(scope, counted.churn)
    for currency, each in values.items():
        yield _money("ltv", currency, each)
    yield from _ratios(values, costs_of)


def _time_to_purchase(waits: customers.Waits) -> Iterator[Figure]:
    without = plural(waits.without, "customer")
    note = f"{without} paid without having been contacted before" if waits.without else ""
    if not waits.times:
        note = f"{NOT_ENOUGH}: {note or 'nobody paid for the first time'}"
    count = len(waits.times)
    days = None if waits.mean is None else float(waits.mean * count)
    median, mean = (_number(each) for each in (waits.median, waits.mean))
    name = "time_to_purchase_median_days"
    yield Figure(
        name=name,
        value=median,
        unit=Unit.DAYS,
        formula=FORMULAS[name],
        denominator=count,
        note=note,
    )
    name = "time_to_purchase_mean_days"
    yield Figure(
        name=name,
        value=mean,
        unit=Unit.DAYS,
        formula=FORMULAS[name],
        numerator=days,
        denominator=count,
        note=note,
    )


def _costs(scope: Scope, spent: Mapping[str, Fraction], new: int) -> Mapping[str, _Amount]:
    """What a new customer cost, by the currency of what was spent."""
    note = "" if scope.where is None else "messages alone: what was spent otherwise is of no lead"
    if not spent:
        why = f"{NOT_ENOUGH}: no spend is recorded"
        return {scope.money.currency: _Amount(None, 0, new, _joined(why, note))}
    nobody = "" if new else f"{NOT_ENOUGH}: nobody paid for the first time"
    return {
        currency: _Amount(amount / new if new else None, amount, new, _joined(nobody, note))
        for currency, amount in spent.items()
    }


def _mrr(scope: Scope, earning: Mapping[str, subscriptions.Earning]) -> Iterator[Figure]:
    nothing = subscriptions.Earning(Fraction(), 0, 0)
    for currency, each in (earning or {scope.money.currency: nothing}).items():
        amount = money.major(each.monthly, currency)
        paying = plural(each.businesses, "business", "businesses")
        yield Figure(
            name="mrr",
            value=amount,
            unit=Unit.MONEY,
            currency=currency,
            formula=FORMULAS["mrr"],
            numerator=amount,
            note=f"{plural(each.subscriptions, 'subscription')} of {paying}",
        )


def churn_period(scope: Scope) -> tuple[datetime, datetime]:
    """The time over which churn is told: the period, or the 30 days before its end."""
    until = end_of(scope)
    return scope.period.since or until - timedelta(days=_MONTH), until


def _churn_rate(scope: Scope, ended: subscriptions.Churn) -> Figure:
    note = "" if ended.at_start else f"{NOT_ENOUGH}: no subscription earned at its start"
    if ended.ended_new:
        note = _joined(note, f"{ended.ended_new:,} of those that ended did not earn at its start")
    if scope.period.since is None:
        note = _joined(note, f"over the last {_MONTH} days")
    return _share("churn_rate", ended.ended, ended.at_start, note)


def months_of(since: datetime, until: datetime) -> Fraction:
    """How many months a period is: one of 28 to 31 days is one, any other its days by 30."""
    days = max(1, round((until - since) / timedelta(days=1)))
    return Fraction(1) if days in _MONTHS else Fraction(days, _MONTH)


def _ltvs(
    scope: Scope, earning: Mapping[str, subscriptions.Earning], ended: subscriptions.Churn
) -> Mapping[str, _Amount]:
    """What a customer brings as long as it stays, by currency."""
    months = months_of(*churn_period(scope))
    rate = Fraction(ended.ended, ended.at_start) / months if ended.at_start else Fraction()
    margin = Fraction(str(scope.money.gross_margin))
    if not earning:
        why = f"{NOT_ENOUGH}: no subscription earns"
        return {scope.money.currency: _Amount(None, 0, rate, why)}
    found = {}
    for currency, each in earning.items():
        gained = each.monthly / each.businesses * margin
        why = "" if rate else f"{NOT_ENOUGH}: no subscription ended"
        found[currency] = _Amount(gained / rate if rate else None, gained, rate, why)
    return found


def _ratios(values: Mapping[str, _Amount], costs_of: Mapping[str, _Amount]) -> Iterator[Figure]:
    name = "ltv_cac_ratio"
    for currency in sorted({*values, *costs_of}):
        value, cost = values.get(currency), costs_of.get(currency)
        above = None if value is None else value.value
        below = None if cost is None else cost.value
        missing = [word for word, each in (("LTV", above), ("CAC", below)) if each is None]
        why = f"{NOT_ENOUGH}: no {' and no '.join(missing)} in {currency}" if missing else ""
        yield Figure(
            name=name,
            value=float(above / below) if above is not None and below else None,
            unit=Unit.RATIO,
            currency=currency,
            formula=FORMULAS[name],
            numerator=None if above is None else money.major(above, currency),
            denominator=None if below is None else money.major(below, currency),
            note=why,
        )


# How they are told


def _share(name: str, count: int, of: int, note: str) -> Figure:
    return Figure(
        name=name,
        value=count / of if of else None,
        unit=Unit.RATIO,
        formula=FORMULAS[name],
        numerator=count,
        denominator=of,
        note=note,
    )


def _money(name: str, currency: str, amount: _Amount) -> Figure:
    """An amount per something: LTV has a rate below the line, CAC a number of customers."""
    below = amount.denominator
    return Figure(
        name=name,
        value=None if amount.value is None else money.major(amount.value, currency),
        unit=Unit.MONEY,
        currency=currency,
        formula=FORMULAS[name],
        numerator=money.major(Fraction(amount.numerator), currency),
        denominator=below if isinstance(below, int) else float(below),
        note=amount.note,
    )


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
