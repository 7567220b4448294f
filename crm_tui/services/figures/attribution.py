"""Which campaigns brought the money: by the first touch, the last one, or all of them alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Integer, Row, Select, case, func, select, type_coerce
from sqlalchemy.orm import aliased

from crm_tui import money
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Campaign, Message, Payment
from crm_tui.services.figures import messages
from crm_tui.services.figures.base import Scope
from crm_tui.services.figures.sales import ever_bought, takings
from crm_tui.services.filters.stages import words

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
    shares = _shared(await session.execute(_by_touches(scope)))
    names = await campaign_names(session)
    return _rounded(shares, names)


async def campaign_names(session: ReadSession) -> dict[int | None, str]:
    """The names of all campaigns by their numbers, and what no campaign is called."""
    rows = await session.execute(select(Campaign.id, Campaign.name))
    return {None: NO_CAMPAIGN} | {row.id: row.name for row in rows}


def _by_touches(scope: Scope) -> Select[str | None, str, int, int]:
    """What was paid, and how many paid for the first time, by who touched them and the currency.

    Businesses that were touched by the same campaigns in the same order are counted together: there
    are many more of them than of such orders.
    """
    firsts = ever_bought(scope)
    touches = (
        select(func.coalesce(Message.campaign_id, 0).label("campaign"))
        .where(
            messages.SENT,
            Message.business_id == firsts.c.business_id,
            Message.sent_at < firsts.c.paid_at,
            Message.bounced_at.is_(None),
        )
        .order_by(Message.sent_at, Message.id)
        .correlate(firsts)
        .subquery()
    )
    # SQLite keeps the order of a subquery for group_concat.
    in_order = select(func.group_concat(touches.c.campaign)).correlate(firsts).scalar_subquery()
    # Found once for each business, not again for each of its payments.
    buyers = (
        select(firsts.c.business_id, firsts.c.paid_at, in_order.label("touches"))
        .cte("buyer")
        .prefix_with("MATERIALIZED")
    )
    paid, own = takings(scope), aliased(Payment)
    # Where two were made at one moment, the one that was written first.
    first_id = (
        select(func.min(own.id))
        .where(
            own.business_id == buyers.c.business_id,
            own.paid_at == buyers.c.paid_at,
            own.mode.in_(words(scope.modes)),
        )
        .scalar_subquery()
    )
    is_first = case((paid.c.paid_at == buyers.c.paid_at, paid.c.id == first_id), else_=0)
    return (
        select(
            buyers.c.touches,
            paid.c.currency,
            func.sum(paid.c.amount),
            func.sum(type_coerce(is_first, Integer)),
        )
        .join(paid, paid.c.business_id == buyers.c.business_id)
        .group_by(buyers.c.touches, paid.c.currency)
    )


def _shared(
    rows: Iterable[Row[str | None, str, int, int]],
) -> dict[tuple[int | None, str], _Shares]:
    shares: defaultdict[tuple[int | None, str], _Shares] = defaultdict(_Shares)
    for text, currency, amount, customers in rows:
        touched = [int(each) or None for each in text.split(",")] if text else [None]
        first, last = shares[touched[0], currency], shares[touched[-1], currency]
        first.first += amount
        first.first_customers += customers
        last.last += amount
        last.last_customers += customers
        for campaign, times in Counter(touched).items():
            part = shares[campaign, currency]
            part.linear += Fraction(amount * times, len(touched))
            part.linear_customers += Fraction(customers * times, len(touched))
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
