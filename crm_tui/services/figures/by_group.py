"""Campaigns and sources: what was done, what it brought, and what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from sqlalchemy import func, select

from crm_tui import money
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, Spend
from crm_tui.db.types import listed
from crm_tui.services.campaigns.figures import Rate
from crm_tui.services.figures import among, messages
from crm_tui.services.figures.attribution import Attributed, attribution, campaign_names
from crm_tui.services.figures.base import Scope
from crm_tui.services.figures.costs import costs
from crm_tui.services.figures.customers import first_payments
from crm_tui.services.figures.message_costs import By
from crm_tui.services.figures.sales import takings

CAMPAIGN_RULE = (
    "Messages sent in the period; opens, clicks and answers are businesses. A new customer and its "
    "money belong to the campaign whose message was the last one before the first payment. CAC is "
    "what was spent on the campaign and what its messages cost ÷ its new customers."
)
SOURCE_RULE = (
    "Leads captured in the period; customers made their first payment in it. CAC is what was spent "
    "on the source and what messages to its leads cost ÷ its new customers."
)
NO_SOURCE = "no source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """Money of one currency, in its major unit; `cac` is None without customers, or without cost."""

    currency: str
    revenue: Decimal
    spend: Decimal
    cac: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCampaign:
    """What came of a campaign; `campaign_id` is None for all that belongs to none.

    Attributes:
        sent: messages.
        opens, clicks, replies: shares of the businesses they reached; those that cannot be measured
            have no numerator.
        customers: businesses that made their first payment.
        money: by currency; empty where none came or went.
    """

    campaign_id: int | None
    name: str
    sent: int
    opens: Rate
    clicks: Rate
    replies: Rate
    customers: int
    money: tuple[Earned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSource:
    """What came of the leads of a source; "" is what was spent on none."""

    source: str
    leads: int
    customers: int
    money: tuple[Earned, ...]


async def by_campaign(
    session: ReadSession, scope: Scope, attributed: Sequence[Attributed] | None = None
) -> list[OfCampaign]:
    """Every campaign that did, brought or cost something in the period; the latest first.

    `attributed` is what `attribution` told of the scope, where that is known already.
    """
    rows = await _reached(session, scope)
    customers: defaultdict[int | None, int] = defaultdict(int)
    revenue: dict[tuple[Any, str], Decimal] = {}
    for each in await attribution(session, scope) if attributed is None else attributed:
        customers[each.campaign_id] += each.last_customers
        if each.last:
            revenue[each.campaign_id, each.currency] = each.last
    spent = await costs(session, scope, by=By.CAMPAIGN)
    names = await campaign_names(session)
    numbers = {*rows, *customers, *(number for number, _ in spent)}
    found = []
    for number in sorted(numbers, key=lambda each: (each is None, -(each or 0))):
        row = rows.get(number, _NOBODY)
        found.append(
            OfCampaign(
                campaign_id=number,
                name=names[number],
                sent=row.sent,
                opens=row.opens,
                clicks=row.clicks,
                replies=Rate("reply", row.replied, row.reached),
                customers=customers[number],
                money=_earned(number, revenue, spent, customers[number]),
            )
        )
    return [each for each in found if each.sent or each.customers or each.money]


class _Reached(NamedTuple):
    """Of a campaign: messages that were sent, then businesses, as in `messages.Reach`."""

    sent: int
    reached: int
    measures_opens: int
    opens_reached: int
    opened: int
    measures_clicks: int
    clicks_reached: int
    clicked: int
    replied: int

    @property
    def opens(self) -> Rate:
        """Who opened, of those of whom that can be known."""
        return self._measured("open", self.measures_opens, self.opened, self.opens_reached)

    @property
    def clicks(self) -> Rate:
        """Who clicked, likewise."""
        return self._measured("click", self.measures_clicks, self.clicked, self.clicks_reached)

    def _measured(self, name: str, measures: int, did: int, of: int) -> Rate:
        if not measures:
            return Rate(name, None, self.reached)
        return Rate(name, did, of, unmeasured=self.reached - of)


_NOBODY = _Reached(*[0] * len(_Reached._fields))


async def _reached(session: ReadSession, scope: Scope) -> dict[int | None, _Reached]:
    """What was sent of each campaign in the period, and what the businesses did."""
    found: defaultdict[int | None, list[int]] = defaultdict(lambda: [0] * len(_Reached._fields))
    for campaign, levels, businesses in await messages.by_campaign(session, scope):
        tests = (
            levels.answers >= 1,
            *(levels.opens >= least for least in (1, 2, 4)),
            *(levels.clicks >= least for least in (1, 2, 4)),
            levels.answers == 2,
        )
        counts = found[campaign]
        counts[0] += levels.messages * businesses
        for at, is_so in enumerate(tests, 1):
            counts[at] += is_so * businesses
    return {campaign: _Reached(*counts) for campaign, counts in found.items()}


async def by_source(session: ReadSession, scope: Scope) -> list[OfSource]:
    """Every source that brought or cost something in the period; the most leads first."""
    names: dict[str, str] = {}
    leads: dict[str, int] = {}
    for folded, name, count in await session.execute(
        select(Business.source_folded, func.min(Business.source), func.count())
        .where(*among.leads(scope))
        .group_by(Business.source_folded)
    ):
        names[folded], leads[folded] = name, count
    firsts = first_payments(scope)
    bought = await session.execute(
        select(Business.source_folded, func.count())
        .join(firsts, firsts.c.business_id == Business.id)
        .group_by(Business.source_folded)
    )
    customers: defaultdict[str, int] = defaultdict(int, {row[0]: row[1] for row in bought})
    revenue = await _revenue_by_source(session, scope)
    spent = {
        (folded or "", currency): cost
        for (folded, currency), cost in (await costs(session, scope, by=By.SOURCE)).items()
    }
    others = await _written(session, customers.keys() - names.keys())
    names = await _spent_on(session) | others | names | {"": NO_SOURCE}
    folded_names = {*leads, *customers, *(each for each, _ in (*spent, *revenue))}
    found = [
        OfSource(
            source=names.get(each, each),
            leads=leads.get(each, 0),
            customers=customers[each],
            money=_earned(each, revenue, spent, customers[each]),
        )
        for each in folded_names
    ]
    return sorted(found, key=lambda each: (-each.leads, -each.customers, each.source))


async def _revenue_by_source(session: ReadSession, scope: Scope) -> dict[tuple[Any, str], Decimal]:
    paid = takings(scope)
    rows = await session.execute(
        select(Business.source_folded, paid.c.currency, func.sum(paid.c.amount))
        .join_from(paid, Business, Business.id == paid.c.business_id)
        .group_by(Business.source_folded, paid.c.currency)
    )
    return {
        (source, currency): money.major(amount, currency)
        for source, currency, amount in rows
        if amount
    }


async def _written(session: ReadSession, folded: Collection[str]) -> dict[str, str]:
    """How sources are written that leads have."""
    if not folded:
        return {}  # all leads would be looked at for nothing
    rows = await session.execute(
        select(Business.source_folded, func.min(Business.source))
        .where(Business.source_folded.in_(listed(folded)))
        .group_by(Business.source_folded)
    )
    return {row[0]: row[1] for row in rows}


async def _spent_on(session: ReadSession) -> dict[str, str]:
    """How sources are written that something was spent on."""
    rows = await session.execute(
        select(Spend.source_folded, func.min(Spend.source))
        .where(Spend.source_folded.is_not(None))
        .group_by(Spend.source_folded)
    )
    return {str(folded): str(name) for folded, name in rows}


def _earned(
    of: Any,
    revenue: Mapping[tuple[Any, str], Decimal],
    spent: Mapping[tuple[Any, str], Fraction],
    customers: int,
) -> tuple[Earned, ...]:
    currencies = sorted({code for each, code in (*revenue, *spent) if each == of})
    found = []
    for code in currencies:
        cost = spent.get((of, code), Fraction())
        found.append(
            Earned(
                currency=code,
                revenue=revenue.get((of, code), money.major(0, code)),
                spend=money.major(cost, code),
                cac=money.major(cost / customers, code) if customers and cost else None,
            )
        )
    return tuple(found)
