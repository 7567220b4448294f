"""Twelve months of known subscriptions come to a table that was worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm_tui.config import OperatorSettings, Settings
from crm_tui.db.engine import Database
from crm_tui.providers.money import MoneyEvent, MoneyKind, SubscriptionTold
from crm_tui.services.figures.asking import scope_of
from crm_tui.services.figures.kpis import kpis
from crm_tui.services.money.telling import tell
from crm_tui.vocabulary import Interval, Mode, SubscriptionState
from tests.conftest import AddLead

S = SubscriptionState
MONTH, YEAR = Interval.MONTH, Interval.YEAR

TOLD = (
    # day, business, state, amount, currency, interval
    ("2025-01-10", "Abbey", S.ACTIVE, 4_900, "USD", MONTH),  # new: 49.00
    ("2025-01-20", "Birch", S.TRIALING, 9_900, "USD", MONTH),  # tries it out: nothing yet
    ("2025-02-03", "Birch", S.ACTIVE, 9_900, "USD", MONTH),  # new: 99.00
    ("2025-02-14", "Cedar", S.ACTIVE, 50_000, "USD", YEAR),  # new: 500 a year, 41 2/3 a month
    ("2025-03-01", "Sakura", S.ACTIVE, 6_000, "JPY", MONTH),  # new: 6,000 yen
    ("2025-04-15", "Abbey", S.ACTIVE, 9_900, "USD", MONTH),  # upgrade: 99.00
    ("2025-05-20", "Birch", S.PAST_DUE, 9_900, "USD", MONTH),  # late, and still a customer
    ("2025-06-02", "Birch", S.ACTIVE, 4_900, "USD", MONTH),  # downgrade: 49.00
    ("2025-06-30", "Dogwood", S.ACTIVE, 10_000, "USD", YEAR),  # new: 100 a year, 8 1/3 a month
    ("2025-07-10", "Abbey", S.PAUSED, 9_900, "USD", MONTH),  # pause
    ("2025-08-05", "Sakura", S.ACTIVE, 50_005, "JPY", YEAR),  # 50,005 yen a year: 4,167 1/12 a month
    ("2025-09-12", "Abbey", S.ACTIVE, 9_900, "USD", MONTH),  # resume
    ("2025-10-01", "Birch", S.ENDED, 4_900, "USD", MONTH),  # churn
    ("2025-11-11", "Cedar", S.ENDED, 50_000, "USD", YEAR),  # churn
    ("2025-12-24", "Birch 2", S.ACTIVE, 4_900, "USD", MONTH),  # comes back, anew
)  # fmt: skip

BY_HAND = {
    # last day: dollars, yen, what the dollars are
    "2025-01-31": ("49.00", None),  # Abbey 49
    "2025-02-28": ("189.67", None),  # 49 + 99 + 41 2/3
    "2025-03-31": ("189.67", "6000"),
    "2025-04-30": ("239.67", "6000"),  # 99 + 99 + 41 2/3
    "2025-05-31": ("239.67", "6000"),
    "2025-06-30": ("198.00", "6000"),  # 99 + 49 + 41 2/3 + 8 1/3: exactly 198
    "2025-07-31": ("99.00", "6000"),  # 49 + 41 2/3 + 8 1/3
    "2025-08-31": ("99.00", "4167"),
    "2025-09-30": ("198.00", "4167"),
    "2025-10-31": ("149.00", "4167"),  # 99 + 41 2/3 + 8 1/3
    "2025-11-30": ("107.33", "4167"),  # 99 + 8 1/3
    "2025-12-31": ("156.33", "4167"),  # 99 + 8 1/3 + 49
}

CHURN = {
    # month: ended, active at its start
    "2025-02": (0, 1),
    "2025-07": (0, 5),  # Abbey, Birch, Cedar, Sakura, Dogwood; a pause is no end
    "2025-08": (0, 4),
    "2025-10": (1, 5),
    "2025-11": (1, 4),
    "2025-12": (0, 3),
}

NEW_YORK = Settings(operator=OperatorSettings(timezone="America/New_York"))
NOW = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_year_of_mrr_is_the_table_worked_out_by_hand(
    db: Database, add_lead: AddLead, *, backwards: bool
) -> None:
    await _tell(db, add_lead, backwards=backwards)
    async with db.read() as session:
        for day, amounts in BY_HAND.items():
            scope = scope_of(NEW_YORK, since=None, until=day, query=None, now=NOW)
            told = {
                each.currency: each for each in await kpis(session, scope) if each.name == "mrr"
            }
            said = tuple(str(told[each].value) if each in told else None for each in ("USD", "JPY"))
            assert said == amounts, day


async def test_the_churn_of_a_month_is_what_ended_in_it_by_what_was_there_when_it_began(
    db: Database, add_lead: AddLead
) -> None:
    await _tell(db, add_lead)
    async with db.read() as session:
        for month, counts in CHURN.items():
            scope = scope_of(NEW_YORK, since=month, until=month, query=None, now=NOW)
            figures = {(each.name, each.currency): each for each in await kpis(session, scope)}
            churn = figures["churn_rate", None]
            assert (churn.numerator, churn.denominator) == counts, month
            if month == "2025-11":  # 107 1/3 of two businesses, x 0.8, ÷ 1/4
                assert str(figures["ltv", "USD"].value) == "171.73"
                assert str(figures["ltv", "JPY"].value) == "13335"


async def _tell(db: Database, add_lead: AddLead, *, backwards: bool = False) -> None:
    leads: dict[str, int] = {}
    for number, told in enumerate(reversed(TOLD) if backwards else TOLD):
        day, name, state, amount, currency, interval = told
        business = name.partition(" ")[0]
        if business not in leads:
            leads[business] = await add_lead(business)
        at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        event = MoneyEvent(
            name=f"evt_{number}",
            kind=MoneyKind.SUBSCRIPTION,
            occurred_at=at,
            live=True,
            subscription=SubscriptionTold(
                id=f"sub_{name}",
                state=state,
                amount=amount,
                currency=currency,
                interval=interval,
                started_at=at,
                ended_at=at if state is S.ENDED else None,
            ),
        )
        async with db.write() as session:
            await tell(
                session,
                leads[business],
                event,
                provider="stripe",
                mode=Mode.LIVE,
                source="stripe",
                now=NOW,
            )
