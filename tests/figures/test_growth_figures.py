"""Cohorts, revenue by touch, campaigns, sources and series, on cases that are looked at one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from crm_tui.db.engine import Database
from crm_tui.services.figures.attribution import adding_up, attribution
from crm_tui.services.figures.by_group import by_campaign, by_source
from crm_tui.services.figures.calendar import Step
from crm_tui.services.figures.cohorts import cohorts
from crm_tui.services.figures.series import series
from crm_tui.services.filters import parse
from crm_tui.vocabulary import Interval, Mode, PaymentState, SubscriptionState
from tests.figures.histories import (
    NOW,
    Change,
    History,
    Lead,
    Mail,
    Paid,
    Subscribed,
    write,
)

_CAPTURED = datetime(2026, 10, 5, 12, tzinfo=UTC)
_BOUGHT = datetime(2026, 10, 20, 12, tzinfo=UTC)
_LEAD = Lead(1, _CAPTURED, "Maps")
_MAIL = Mail(
    1,
    1,
    _CAPTURED,
    sent=True,
    bounced=False,
    provider="smtp",
    opened=False,
    replied=False,
    cost=None,
)
_PAID = Paid(1, _BOUGHT, 10_000, "USD", Mode.LIVE, PaymentState.SUCCEEDED, (), ())


def _change(at: datetime, state: SubscriptionState, amount: int) -> Change:
    return Change(at, state, amount, "USD", Interval.YEAR)


async def test_parts_of_a_cent_add_up_to_what_was_paid(db: Database) -> None:
    mails = tuple(
        replace(_MAIL, campaign=campaign, at=_CAPTURED + timedelta(days=day))
        for day, campaign in enumerate((1, 2, None))
    )
    history = History((_LEAD,), mails, (_PAID,))
    await write(db, history)
    async with db.read() as session:
        found = await attribution(session, history.scope())
    told = {each.campaign: (each.first, each.last, each.linear) for each in found}
    hundred, nothing = Decimal("100.00"), Decimal("0.00")
    assert told == {
        "Autumn": (hundred, nothing, Decimal("33.34")),
        "Winter": (nothing, nothing, Decimal("33.33")),
        "no campaign": (nothing, hundred, Decimal("33.33")),
    }
    assert [each.linear_customers for each in found] == [1 / 3] * 3


def test_rounded_parts_add_up_to_the_rounded_whole() -> None:
    parts = {number: Fraction(number * 7, 13) for number in range(50)}
    rounded = adding_up(parts)  # type: ignore[arg-type]
    assert sum(rounded.values()) == round(sum(parts.values(), Fraction()))
    assert all(abs(rounded[number] - part) < 1 for number, part in parts.items())


async def test_what_was_sent_after_they_bought_won_nothing(db: Database) -> None:
    late = replace(_MAIL, campaign=2, at=_BOUGHT + timedelta(days=1))
    renewal = replace(_PAID, at=_BOUGHT + timedelta(days=30))
    history = History((_LEAD,), (_MAIL, late), (_PAID, renewal))
    await write(db, history)
    async with db.read() as session:
        (found,) = await attribution(session, history.scope())
        first, second = sorted(await by_campaign(session, history.scope()), key=lambda c: c.name)
    assert (found.campaign, found.last, found.last_customers) == ("Autumn", Decimal("200.00"), 1)
    assert (first.name, first.customers, first.money[0].revenue) == ("Autumn", 1, Decimal(200))
    assert first.money[0].cac == Decimal("0.02")  # 0.015, half-even
    assert (second.name, second.customers, second.sent) == ("Winter", 0, 1)


async def test_what_cannot_be_measured_is_not_nought(db: Database) -> None:
    history = History(
        (_LEAD,), (_MAIL, replace(_MAIL, campaign=2, provider="mailgun", opened=True))
    )
    await write(db, history)
    async with db.read() as session:
        told = {each.name: each.opens for each in await by_campaign(session, history.scope())}
    assert (told["Autumn"].measured, told["Autumn"].value) == (False, None)
    assert (told["Winter"].numerator, told["Winter"].denominator) == (1, 1)


async def test_a_week_that_is_too_young_has_no_number(db: Database) -> None:
    weeks = [NOW - timedelta(days=days) for days in (3, 20, 50, 120)]
    leads = tuple(Lead(number, at, "Maps") for number, at in enumerate(weeks, 1))
    history = History(leads)
    await write(db, history)
    async with db.read() as session:
        found = await cohorts(session, history.scope())
    assert [each.bought for each in found] == [
        (0, 0, 0),
        (0, 0, None),
        (0, None, None),
        (None, None, None),
    ]
    assert found[-1].name == "2026-W47"


async def test_a_filter_of_leads_is_kept_to(db: Database) -> None:
    other = Lead(2, _CAPTURED, "List")
    history = History((_LEAD, other), (_MAIL,), (_PAID, replace(_PAID, lead=2, amount=500)))
    await write(db, history)
    scope = replace(history.scope(), where=parse("source:List"), query="source:List")
    async with db.read() as session:
        assert [each.last for each in await attribution(session, scope)] == [Decimal("5.00")]
        assert [each.source for each in await by_source(session, scope)] == ["List"]
        assert [each.leads for each in await cohorts(session, scope)] == [1]
        assert await series(session, scope, "sends") == []
        (customers,) = await series(session, scope, "new_customers")
    assert sum(int(point.value) for point in customers.points) == 1


async def test_mrr_stops_at_the_end_of_the_period(db: Database) -> None:
    changes = (
        _change(datetime(2026, 3, 10, tzinfo=UTC), SubscriptionState.ACTIVE, 12_000),
        _change(datetime(2026, 5, 10, tzinfo=UTC), SubscriptionState.ACTIVE, 24_000),
        _change(datetime(2026, 6, 20, tzinfo=UTC), SubscriptionState.ENDED, 24_000),
    )
    subscribed = (Subscribed(1, Mode.LIVE, changes), Subscribed(1, Mode.TEST, changes))
    since, until = datetime(2025, 7, 1, tzinfo=UTC), datetime(2026, 6, 15, tzinfo=UTC)
    history = History((_LEAD,), subscribed=subscribed, since=since, until=until)
    await write(db, history)
    async with db.read() as session:
        (line,) = await series(session, history.scope(), "mrr")
        (days,) = await series(
            session, replace(history, since=datetime(2026, 6, 1, tzinfo=UTC)).scope(), "mrr"
        )
        (all_of_it,) = await series(
            session, replace(history, since=None, until=None).scope(), "mrr"
        )
    assert (line.step, line.currency, len(line.points)) == (Step.MONTH, "USD", 12)
    assert [point.value for point in line.points[-5:]] == [0, 10, 10, 20, 20]
    assert (days.step, len(days.points)) == (Step.DAY, 14)
    assert all_of_it.step is Step.WEEK
    assert (all_of_it.points[0].day, all_of_it.points[-1].day) == (
        date(2026, 3, 9),
        date(2026, 11, 16),
    )
    assert all_of_it.points[-1].value == 0
