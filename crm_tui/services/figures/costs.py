"""What winning customers cost: what was spent, and what messages cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Spend
from crm_tui.services.figures.base import Scope
from crm_tui.services.figures.message_costs import By, message_costs

_MOMENT = timedelta(microseconds=1)


async def costs(
    session: ReadSession, scope: Scope, *, by: By = By.ALL
) -> dict[tuple[Any, str], Fraction]:
    """Spend and messages together, in minor units, by (what they are told by, currency).

    By campaign, None is what was for no campaign; by source (folded), what was for none.
    """
    total: defaultdict[tuple[Any, str], Fraction] = defaultdict(Fraction)
    for of, amount in (await spending(session, scope, by=by)).items():
        total[of] += amount
    for of, cost in (await message_costs(session, scope, by=by)).items():
        total[of] += cost
    return dict(total)


async def spending(
    session: ReadSession, scope: Scope, *, by: By = By.ALL
) -> dict[tuple[Any, str], int]:
    """What was spent on the days of a period, as it was written down, in minor units.

    Nobody can tell which leads it was spent on, so a filter of leads leaves it whole.
    """
    key = _key(by)
    statement = select(key, Spend.currency, func.sum(Spend.amount)).where(*on_days(scope))
    rows = await session.execute(statement.group_by(key, Spend.currency))
    return {(of, currency): int(amount) for of, currency, amount in rows}


def on_days(scope: Scope) -> Iterator[ColumnElement[bool]]:
    """What was spent on a day of the period, where the operator is."""
    zone = scope.standpoint.zone
    if scope.period.since is not None:
        yield Spend.spent_on >= scope.period.since.astimezone(zone).date()
    if scope.period.until is not None:
        yield Spend.spent_on <= (scope.period.until - _MOMENT).astimezone(zone).date()


def _key(by: By) -> ColumnElement[Any]:
    match by:
        case By.ALL:
            return literal(None)
        case By.CAMPAIGN:
            return Spend.campaign_id.expression
        case By.SOURCE:
            return Spend.source_folded.expression
