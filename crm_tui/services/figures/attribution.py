"""Which campaigns brought the money: by the first touch, the last one, or all of them alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Text, select, type_coerce

from crm_tui import money
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Campaign, Message
from crm_tui.db.types import listed, utc_text
from crm_tui.services.figures.base import Period, Scope
from crm_tui.services.figures.sales import Income, Sale, first_payments, incomes
from crm_tui.vocabulary import MessageState

RULE = (
    "A touch is a message that was sent to the business before its first payment and did not come "
    "back. The first touch, or the last one, gets all the business paid in the period; linear gives "
    "every touch an equal part. What was refunded, or lost in a dispute, is taken off the payment. "
    "Single messages belong to no campaign, and so do payments before which nothing was sent."
)
NO_CAMPAIGN = "no campaign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """What a campaign brought by each rule, in one currency.

    Attributes:
        campaign_id: None is no campaign.
        first, last, linear: revenue in the major unit, rounded so that the parts add up to the whole.
        first_customers, last_customers, linear_customers: businesses whose first payment lies in the
            period and was in this currency; by the linear rule parts of them.
    """

    campaign_id: int | None
    campaign: str
    currency: str
    first: Decimal
    last: Decimal
    linear: Decimal
    first_customers: int
    last_customers: int
    linear_customers: float


@dataclass(slots=True)
class _Shares:
    """What a campaign gets of one currency: minor units, and businesses."""

    first: Fraction = field(default_factory=Fraction)
    last: Fraction = field(default_factory=Fraction)
    linear: Fraction = field(default_factory=Fraction)
    first_customers: int = 0
    last_customers: int = 0
    linear_customers: Fraction = field(default_factory=Fraction)


async def attribution(session: ReadSession, scope: Scope) -> list[Attributed]:
    """Revenue and new customers of the period by campaign, the most revenue first."""
    paid = await incomes(session, scope)
    sales = await first_payments(session, scope)
    businesses = {each.business_id for each in paid}
    touches = await _touches(session, [each for each in sales if each.business_id in businesses])
    new = [each for each in sales if _within(each, scope.period)]
    shares = _shared(paid, new, touches)
    names = await campaign_names(session)
    return _rounded(shares, names)


async def campaign_names(session: ReadSession) -> dict[int | None, str]:
    """The names of all campaigns by their numbers, and what no campaign is called."""
    rows = await session.execute(select(Campaign.id, Campaign.name))
    return {None: NO_CAMPAIGN} | {row.id: row.name for row in rows}


def _within(sale: Sale, period: Period) -> bool:
    since, until = period.since, period.until
    return (since is None or sale.at >= utc_text(since)) and (
        until is None or sale.at < utc_text(until)
    )


async def _touches(session: ReadSession, sales: Iterable[Sale]) -> dict[int, list[int | None]]:
    """The campaigns that touched each business before it bought, in the order they did."""
    bought = {each.business_id: each.at for each in sales}
    touches: dict[int, list[int | None]] = {}
    rows = await session.execute(
        select(Message.business_id, Message.campaign_id, type_coerce(Message.sent_at, Text))
        .where(
            Message.business_id.in_(listed(bought)),
            Message.state == MessageState.SENT,
            Message.bounced_at.is_(None),
        )
        .order_by(Message.business_id, Message.sent_at, Message.id)
    )
    for business_id, campaign_id, sent_at in rows:
        if sent_at < bought[business_id]:
            touches.setdefault(business_id, []).append(campaign_id)
    return touches


def _shared(
    paid: Iterable[Income], new: Iterable[Sale], touches: Mapping[int, list[int | None]]
) -> dict[tuple[int | None, str], _Shares]:
    shares: defaultdict[tuple[int | None, str], _Shares] = defaultdict(_Shares)
    for income in paid:
        touched = touches.get(income.business_id, [None])
        shares[touched[0], income.currency].first += income.amount
        shares[touched[-1], income.currency].last += income.amount
        for campaign in touched:
            part = Fraction(income.amount, len(touched))
            shares[campaign, income.currency].linear += part
    for sale in new:
        touched = touches.get(sale.business_id, [None])
        shares[touched[0], sale.currency].first_customers += 1
        shares[touched[-1], sale.currency].last_customers += 1
        for campaign in touched:
            shares[campaign, sale.currency].linear_customers += Fraction(1, len(touched))
    return dict(shares)


def _rounded(
    shares: Mapping[tuple[int | None, str], _Shares], names: Mapping[int | None, str]
) -> list[Attributed]:
    found = []
    for currency in sorted({code for _, code in shares}):
        own = {campaign: each for (campaign, code), each in shares.items() if code == currency}
        linear = adding_up({campaign: each.linear for campaign, each in own.items()})
        for campaign, each in own.items():
            found.append(
                Attributed(
                    campaign_id=campaign,
                    campaign=names.get(campaign, NO_CAMPAIGN),
                    currency=currency,
                    first=money.major(each.first, currency),
                    last=money.major(each.last, currency),
                    linear=money.major(linear[campaign], currency),
                    first_customers=each.first_customers,
                    last_customers=each.last_customers,
                    linear_customers=float(each.linear_customers),
                )
            )
    return sorted(found, key=lambda each: (each.currency, -each.last, -each.linear, each.campaign))


def adding_up(parts: Mapping[int | None, Fraction]) -> dict[int | None, int]:
    """Parts rounded to whole minor units so that they add up to their sum, rounded.

    Each loses less than one unit or gains less than one: what rounding down leaves over goes to
    those it took the most from.
    """
    whole = {name: part.numerator // part.denominator for name, part in parts.items()}
    over = round(sum(parts.values(), Fraction())) - sum(whole.values())
    most = sorted(parts, key=lambda name: (whole[name] - parts[name], name is None, name or 0))
    for name in most[:over]:
        whole[name] += 1
    return whole
