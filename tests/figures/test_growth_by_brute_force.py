"""Cohorts, revenue by touch, campaigns, sources and series: each against plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples

from crm_tui import money
from crm_tui.db.engine import ReadSession
from crm_tui.services.figures.attribution import attribution
from crm_tui.services.figures.by_group import by_campaign, by_source
from crm_tui.services.figures.calendar import Step
from crm_tui.services.figures.cohorts import cohorts
from crm_tui.services.figures.series import Series, series
from tests.figures.histories import (
    CAMPAIGNS,
    NOW,
    PRICES,
    History,
    Mail,
    Paid,
    histories,
    told,
)


@given(histories())
@examples(max_examples=15)
def test_all_of_it_is_what_plain_python_makes_of_the_same_history(
    empty_store: Path, tmp_path_factory: pytest.TempPathFactory, history: History
) -> None:
    scope = history.scope()

    async def ask(session: ReadSession) -> None:
        _check_cohorts(history, await cohorts(session, scope))
        _check_revenue_and_customers_by_touch(history, await attribution(session, scope))
        _check_campaigns(history, await by_campaign(session, scope))
        _check_sources(history, await by_source(session, scope))
        names = ("mrr", "new_customers", "sends")
        _check_series(history, {name: await series(session, scope, name) for name in names})

    told(empty_store, tmp_path_factory.getbasetemp(), history, ask)


def _firsts(history: History) -> dict[int, Paid]:
    """The first payment of each lead; at one moment, the one written first."""
    firsts: dict[int, Paid] = {}
    for paid in history.paid:
        if paid.counts and (paid.lead not in firsts or paid.at < firsts[paid.lead].at):
            firsts[paid.lead] = paid
    return firsts


def _touches(history: History, lead: int) -> list[int | None]:
    first = _firsts(history)[lead]
    mine = [
        each
        for each in history.mails
        if each.lead == lead and each.sent and not each.bounced and each.at < first.at
    ]
    return [each.campaign for each in sorted(mine, key=lambda each: each.at)] or [None]


def _check_cohorts(history: History, found: Sequence[Any]) -> None:
    firsts = _firsts(history)
    weeks: defaultdict[date, list[int]] = defaultdict(list)
    captured = {each.id: each.captured_at for each in history.leads}
    for lead in history.leads:
        if history.holds(lead.captured_at):
            day = lead.captured_at.astimezone(history.tz).date()
            weeks[day - timedelta(days=day.weekday())].append(lead.id)
    expected = []
    for week, leads in sorted(weeks.items()):
        over = datetime.combine(week + timedelta(days=7), time(0), history.tz)
        bought = [
            sum(
                lead in firsts and firsts[lead].at - captured[lead] <= timedelta(days=days)
                for lead in leads
            )
            if over + timedelta(days=days) <= NOW
            else None
            for days in (7, 30, 90)
        ]
        expected.append((week, len(leads), *bought))
    assert [(each.week, each.leads, *each.bought) for each in found] == expected


def _check_revenue_and_customers_by_touch(history: History, found: Sequence[Any]) -> None:
    shares: defaultdict[tuple[int | None, str], list[Fraction]] = defaultdict(
        lambda: [Fraction()] * 6
    )
    totals: defaultdict[str, int] = defaultdict(int)
    for paid in history.paid:
        if not paid.counts or not history.holds(paid.at):
            continue
        touched = _touches(history, paid.lead)
        is_first = _firsts(history)[paid.lead] is paid
        totals[paid.currency] += paid.net
        for place, campaign in enumerate(touched):
            share = shares[campaign, paid.currency]
            weights = (
                Fraction(place == 0),
                Fraction(place == len(touched) - 1),
                Fraction(1, len(touched)),
            )
            for at, weight in enumerate(weights):
                share[at] += weight * paid.net
                share[at + 3] += weight * is_first
    assert {(each.campaign_id, each.currency) for each in found} == set(shares)
    for each in found:
        exact = shares[each.campaign_id, each.currency]
        unit = Fraction(1, 10 ** money.digits(each.currency))
        assert [Fraction(each.first), Fraction(each.last)] == [exact[0] * unit, exact[1] * unit]
        assert abs(Fraction(each.linear) - exact[2] * unit) < unit
        assert [each.first_customers, each.last_customers] == exact[3:5]
        assert each.linear_customers == float(exact[5])
        assert each.campaign == CAMPAIGNS.get(each.campaign_id or 0, "no campaign")
    for currency, total in totals.items():
        own = [each for each in found if each.currency == currency]
        whole = money.major(total, currency)
        for rule in ("first", "last", "linear"):
            assert sum((getattr(each, rule) for each in own), Decimal()) == whole


def _cost(history: History, mails: list[Mail]) -> Fraction:
    """What messages cost in cents."""
    total = Fraction()
    for mail in mails:
        if not history.holds(mail.at):
            continue
        if mail.cost is not None:
            total += Fraction(mail.cost, 10_000)
        elif mail.sent:
            total += PRICES.get(mail.provider, Fraction()) * 100
    return total


def _costs(history: History, of: dict[Any, list[Mail]], field: str) -> dict[Any, Fraction]:
    """Spend and messages in minor units, by what they are for, and the currency."""
    total: defaultdict[tuple[Any, str], Fraction] = defaultdict(Fraction)
    for name, mails in of.items():
        total[name, "USD"] += _cost(history, mails)
    first = None if history.since is None else history.since.astimezone(history.tz).date()
    last = None
    if history.until is not None:
        last = (history.until - timedelta(microseconds=1)).astimezone(history.tz).date()
    for spent in history.spent:
        if (first is None or spent.day >= first) and (last is None or spent.day <= last):
            total[getattr(spent, field), spent.currency] += spent.amount
    return {name: cost for name, cost in total.items() if cost}


def _same_money(
    history: History,
    found: Any,
    name: Any,
    revenue: dict[tuple[Any, str], int],
    costs: dict[Any, Fraction],
) -> None:
    """Whether the money of a campaign or source is what it must be."""
    currencies = {code for each, code in (*revenue, *costs) if each == name}
    # A currency in which everything was refunded may stand or not: it says 0 either way.
    shown = {each.currency: each for each in found.money}
    for code in currencies | set(shown):
        cost = costs.get((name, code), Fraction())
        brought = revenue.get((name, code), 0)
        if code not in shown:
            assert not cost
            assert not brought
            continue
        assert shown[code].revenue == money.major(brought, code)
        assert shown[code].spend == money.major(cost, code)
        expected = money.major(cost / found.customers, code) if found.customers and cost else None
        assert shown[code].cac == expected


def _check_campaigns(history: History, found: Sequence[Any]) -> None:
    by_number = {each.campaign_id: each for each in found}
    assert len(by_number) == len(found)
    mails = {
        number: [each for each in history.mails if each.campaign == number]
        for number in (None, *CAMPAIGNS)
    }
    revenue: defaultdict[tuple[Any, str], int] = defaultdict(int)
    customers: defaultdict[int | None, int] = defaultdict(int)
    for paid in history.paid:
        if paid.counts and history.holds(paid.at):
            last = _touches(history, paid.lead)[-1]
            revenue[last, paid.currency] += paid.net
            customers[last] += _firsts(history)[paid.lead] is paid
    costs = _costs(history, mails, "campaign")
    for number, own in mails.items():
        sent = [each for each in own if each.sent and history.holds(each.at)]
        each = by_number.get(number)
        if each is None:
            assert not sent
            assert not customers[number]
            assert not any(name == number for name, _ in costs)
            continue
        assert (each.sent, each.customers) == (len(sent), customers[number])
        opened = {mail.lead for mail in sent if mail.opened and mail.provider == "mailgun"}
        measured = any(mail.provider == "mailgun" for mail in sent)
        assert each.opens.numerator == (len(opened) if measured else None)
        assert each.replies.numerator == len({mail.lead for mail in sent if mail.replied})
        _same_money(history, each, number, revenue, costs)


def _check_sources(history: History, found: Sequence[Any]) -> None:
    source_of = {each.id: each.source.lower() for each in history.leads}
    mails = {
        source: [each for each in history.mails if source_of[each.lead] == source]
        for source in set(source_of.values())
    }
    revenue: defaultdict[tuple[Any, str], int] = defaultdict(int)
    customers: defaultdict[str, int] = defaultdict(int)
    for paid in history.paid:
        if paid.counts and history.holds(paid.at):
            revenue[source_of[paid.lead], paid.currency] += paid.net
            customers[source_of[paid.lead]] += _firsts(history)[paid.lead] is paid
    costs: defaultdict[tuple[Any, str], Fraction] = defaultdict(Fraction)
    for (name, code), cost in _costs(history, mails, "source").items():
        costs[(name or "").lower(), code] += cost
    by_name = {each.source.lower() if each.source != "no source" else "": each for each in found}
    assert len(by_name) == len(found)
    for source in {*source_of.values(), "leaflets", ""}:
        leads = sum(
            each.source.lower() == source and history.holds(each.captured_at)
            for each in history.leads
        )
        each = by_name.get(source)
        if each is None:
            assert not leads
            assert not customers[source]
            assert not any(name == source and cost for (name, _), cost in costs.items())
            continue
        assert (each.leads, each.customers) == (leads, customers[source])
        _same_money(history, each, source, revenue, costs)


def _ends(history: History, found: Series) -> list[tuple[datetime, datetime]]:
    """When each part of a series begins and ends, by the calendar alone."""
    spans = []
    for point in found.points:
        following = point.day + timedelta(days=1 if found.step is Step.DAY else 7)
        if found.step is Step.MONTH:
            following = date(point.day.year + point.day.month // 12, point.day.month % 12 + 1, 1)
        begin, end = (
            datetime.combine(each, time(0), history.tz) for each in (point.day, following)
        )
        spans.append((begin, end))
    return spans


def _check_series(history: History, found: dict[str, list[Series]]) -> None:
    happened = {
        "new_customers": [each.at for each in _firsts(history).values()],
        "sends": [each.at for each in history.mails if each.sent],
    }
    for name, times in happened.items():
        mine = [each for each in times if history.holds(each)]
        if not found[name]:
            assert not mine
            continue
        (line,) = found[name]
        for point, (begin, end) in zip(line.points, _ends(history, line), strict=True):
            assert point.value == sum(begin <= at < end for at in mine)
        assert sum(int(point.value) for point in line.points) == len(mine)
    for line in found["mrr"]:
        for point, (_, end) in zip(line.points, _ends(history, line), strict=True):
            before = min(end, history.until or end)
            assert point.value == _mrr(history, before, line.currency or "")
    shown = {line.currency for line in found["mrr"]}
    last = min(NOW, history.until - timedelta(microseconds=1) if history.until else NOW)
    for code in {"USD", "JPY"} - shown:
        began = history.since is None or history.since <= last
        assert not began or _mrr(history, last, code) == 0


def _mrr(history: History, before: datetime, currency: str) -> Decimal:
    """The month's worth of what was active before a moment, and stood then."""
    months = {"month": Fraction(1), "year": Fraction(12), "week": Fraction(7) / Fraction(1461, 48)}
    total = Fraction()
    for each in history.subscribed:
        past = [change for change in each.changes if change.at < before]
        if not past or each.mode.value == "test":
            continue
        last = max(past, key=lambda change: change.at)
        if last.state.value in {"active", "past_due"} and last.currency == currency:
            total += last.amount / months[last.interval.value]
    return money.major(total, currency)
