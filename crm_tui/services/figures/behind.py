"""The records behind a figure or a stage of the funnel: those it counts, above and below the line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select, true

from crm_tui import money
from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business, ImportBatch, Message, Spend, Subscription
from crm_tui.errors import NotFound
from crm_tui.services.figures import among, customers, messages, subscriptions
from crm_tui.services.figures.asking import end_of
from crm_tui.services.figures.base import Record, Scope
from crm_tui.services.figures.costs import on_days
from crm_tui.services.figures.kpis import FORMULAS, churn_period, standing_imports
from crm_tui.services.figures.message_costs import message_costs
from crm_tui.services.filters import dates, stages
from crm_tui.services.filters.stages import EARNS, words
from crm_tui.services.money.terms import a_month
from crm_tui.text import plural
from crm_tui.vocabulary import Channel, Stage

NUMERATOR, DENOMINATOR, BOTH = "numerator", "denominator", "both"
STAGE = "stage:"


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which records are asked for."""

    session: ReadSession
    scope: Scope
    currency: str | None
    part: str | None
    limit: int

    async def rows(self, statement: Select[*tuple[Any, ...]]) -> list[Any]:
        """The first rows of a statement."""
        return list(await self.session.execute(statement.limit(self.limit)))

    def wants(self, part: str) -> bool:
        """Whether records of this side of the line are asked for."""
        return self.part in {None, part}

    def wants_currency(self, currency: str) -> bool:
        """Whether records in this currency are asked for."""
        return self.currency in {None, currency}


async def behind(
    session: ReadSession,
    scope: Scope,
    name: str,
    *,
    currency: str | None = None,
    part: str | None = None,
    limit: int = 500,
) -> list[Record]:
    """The records a figure counts.

    Args:
        session: the store.
        scope: as the figure was asked for.
        name: a figure's, or "stage:" and the name of a stage.
        currency: only records in this currency, where they are in one.
        part: "numerator" or "denominator": only those on this side of the line; either has those
            that are on both.
        limit: at most so many; those above the line first, then the latest.

    Raises:
        NotFound: there is no such figure or stage.
    """
    asked = _Asked(session, scope, currency, part, limit)
    if name.startswith(STAGE):
        found = await _reached(asked, _stage(name.removeprefix(STAGE)))
    elif name in _OF:
        found = await _OF[name](asked)
    else:
        raise NotFound(f'There is no figure "{name}"; there are {", ".join(FORMULAS)}.')
    return [each for each in found if part in {None, each.part} or each.part == BOTH][:limit]


def _stage(word: str) -> Stage:
    try:
        return Stage(word)
    except ValueError:
        raise NotFound(f'There is no stage "{word}"; there are {", ".join(Stage)}.') from None


# Leads


async def _reached(asked: _Asked, stage: Stage) -> list[Record]:
    return await _leads(asked, true(), _at_least(asked.scope, stage))


async def _qualified(asked: _Asked) -> list[Record]:
    return await _leads(asked, stages.is_qualified(asked.scope.standpoint.threshold))


async def _with_site(asked: _Asked) -> list[Record]:
    qualified = stages.is_qualified(asked.scope.standpoint.threshold)
    return await _leads(asked, stages.has_site(), qualified)


async def _bought(asked: _Asked) -> list[Record]:
    return await _leads(asked, _at_least(asked.scope, Stage.PURCHASED))


def _at_least(scope: Scope, stage: Stage) -> ColumnElement[bool]:
    threshold = scope.standpoint.threshold
    return stages.reached(stage, threshold=threshold, modes=scope.modes)


async def _leads(
    asked: _Asked, above: ColumnElement[bool], *counted: ColumnElement[bool]
) -> list[Record]:
    """The leads captured in the period that count, and of which `above` counts above the line."""
    tests = [*among.leads(asked.scope), *counted]
    if asked.part == NUMERATOR:
        tests.append(above)
    is_above = case((above, 1), else_=0)
    rows = await asked.rows(
        select(
            Business.id,
            Business.name,
            Business.contact_status,
            Business.website_status,
            Business.qualification_score,
            Business.captured_at,
            is_above,
        )
        .where(*tests)
        .order_by(is_above.desc(), Business.captured_at.desc(), Business.id.desc())
    )
    return [
        Record(
            number,
            name,
            f"{status}, site {site}, score {score}",
            at,
            BOTH if is_in else DENOMINATOR,
        )
        for number, name, status, site, score, at, is_in in rows
    ]


async def _imports(asked: _Asked) -> list[Record]:
    batch = ImportBatch
    columns = (batch.file_name, batch.created, batch.merged, batch.seen, batch.started_at)
    rows = await asked.rows(
        select(*columns)
        .where(*standing_imports(asked.scope))
        .order_by(batch.started_at.desc(), batch.id.desc())
    )
    return [
        Record(
            None, name, f"{created:,} created, {merged:,} merged of {plural(seen, 'row')}", at, BOTH
        )
        for name, created, merged, seen, at in rows
    ]


# Messages


async def _sent(asked: _Asked) -> list[Record]:
    rows = await asked.rows(
        select(
            Message.business_id,
            Business.name,
            Message.channel,
            Message.subject,
            Message.address,
            Message.sent_at,
        )
        .join(Business, Business.id == Message.business_id)
        .where(*messages.sent_in(asked.scope))
        .order_by(Message.sent_at.desc(), Message.id.desc())
    )
    return [
        Record(number, name, _mail(channel, subject, address), at, NUMERATOR)
        for number, name, channel, subject, address, at in rows
    ]


def _mail(channel: Channel, subject: str | None, address: str) -> str:
    what = "text message" if channel is Channel.SMS else subject or "mail"
    return f"{what} to {address}"


async def _opened(asked: _Asked) -> list[Record]:
    return await _answers(asked, messages.by_opens(), messages.opened(), Message.opened_at)


async def _clicked(asked: _Asked) -> list[Record]:
    return await _answers(asked, messages.by_clicks(), messages.clicked(), Message.clicked_at)


async def _replied(asked: _Asked) -> list[Record]:
    return await _answers(asked, true(), messages.replied(), Message.replied_at)


async def _answers(
    asked: _Asked, measured: ColumnElement[bool], did: ColumnElement[bool], column: Any
) -> list[Record]:
    """The businesses that were reached; above the line those that did something, and when first."""
    at = func.min(column)
    tests = [*messages.sent_in(asked.scope), measured, messages.was_reached()]
    if asked.part == NUMERATOR:
        tests.append(did)
    rows = await asked.rows(
        select(Message.business_id, Business.name, at, func.max(Message.sent_at), func.count())
        .join(Business, Business.id == Message.business_id)
        .where(*tests)
        .group_by(Message.business_id)
        .order_by(at.is_(None), at.desc(), Message.business_id.desc())
    )
    return [
        Record(number, name, plural(count, "message"), when or sent, BOTH if when else DENOMINATOR)
        for number, name, when, sent, count in rows
    ]


# Money


async def _waits(asked: _Asked) -> list[Record]:
    firsts = customers.first_payments(asked.scope)
    contact = customers.first_contact(firsts).scalar_subquery()
    pairs = select(firsts, contact.label("contact")).subquery()
    rows = await asked.rows(
        select(Business.id, Business.name, pairs.c.contact, pairs.c.paid_at)
        .join(Business, Business.id == pairs.c.business_id)
        .where(pairs.c.contact <= pairs.c.paid_at)
        .order_by(pairs.c.paid_at.desc(), Business.id.desc())
    )
    return [
        Record(number, name, f"{_days(paid - first):.1f} days after the first contact", paid, BOTH)
        for number, name, first, paid in rows
    ]


def _days(took: timedelta) -> float:
    return took / timedelta(days=1)


async def _costs(asked: _Asked) -> list[Record]:
    above = [*await _spend(asked), *await _message_costs(asked)] if asked.wants(NUMERATOR) else []
    return above + (await _new_customers(asked) if asked.wants(DENOMINATOR) else [])


async def _spend(asked: _Asked) -> list[Record]:
    if asked.scope.where is not None:
        return []  # it is of no lead
    tests = [*on_days(asked.scope)]
    if asked.currency is not None:
        tests.append(Spend.currency == asked.currency)
    columns = (Spend.kind, Spend.amount, Spend.currency, Spend.note, Spend.spent_on)
    rows = await asked.rows(
        select(*columns).where(*tests).order_by(Spend.spent_on.desc(), Spend.id.desc())
    )
    zone = asked.scope.standpoint.zone
    return [
        Record(
            None,
            f"{kind}: {note}" if note else kind,
            money.amount_words(amount, currency),
            dates.midnight(day, zone),
            NUMERATOR,
        )
        for kind, amount, currency, note, day in rows
    ]


async def _message_costs(asked: _Asked) -> list[Record]:
    costs = await message_costs(asked.session, asked.scope)
    return [
        Record(None, "what messages cost", money.amount_words(amount, currency), None, NUMERATOR)
        for (_, currency), amount in costs.items()
        if asked.wants_currency(currency)
    ]


async def _new_customers(asked: _Asked) -> list[Record]:
    firsts = customers.first_payments(asked.scope)
    rows = await asked.rows(
        select(Business.id, Business.name, firsts.c.paid_at)
        .join(Business, Business.id == firsts.c.business_id)
        .order_by(firsts.c.paid_at.desc(), Business.id.desc())
    )
    return [Record(number, name, "first payment", at, DENOMINATOR) for number, name, at in rows]


async def _earning(asked: _Asked) -> list[Record]:
    return await _standing(asked, end_of(asked.scope), NUMERATOR, only=asked.currency)


async def _churn(asked: _Asked) -> list[Record]:
    since, until = churn_period(asked.scope)
    above = await _ended(asked, since, until, NUMERATOR) if asked.wants(NUMERATOR) else []
    return above + (await _standing(asked, since, DENOMINATOR) if asked.wants(DENOMINATOR) else [])


async def _standing(
    asked: _Asked, before: datetime, part: str, *, only: str | None = None
) -> list[Record]:
    """The subscriptions that earned just before a time."""
    stood = subscriptions.standing(before)
    tests = [stood.c.state.in_(words(EARNS)), *subscriptions.of_scope(asked.scope)]
    if only is not None:
        tests.append(stood.c.currency == only)
    rows = await asked.rows(
        select(
            Business.id,
            Business.name,
            stood.c.amount,
            stood.c.currency,
            stood.c.interval,
            stood.c.interval_count,
            Subscription.started_at,
        )
        .select_from(stood)
        .join(Subscription, Subscription.id == stood.c.subscription_id)
        .join(Business, Business.id == Subscription.business_id)
        .where(*tests)
        .order_by(Subscription.started_at.desc(), Subscription.id.desc())
    )
    return [
        Record(number, name, f"{_monthly(amount, currency, interval, every)} a month", at, part)
        for number, name, amount, currency, interval, every, at in rows
    ]


def _monthly(amount: int, currency: str, interval: Any, every: int) -> str:
    return money.amount_words(Fraction(a_month(amount, interval, every)), currency)


async def _ended(asked: _Asked, since: datetime, until: datetime, part: str) -> list[Record]:
    rows = await asked.rows(
        select(Business.id, Business.name, Subscription.ended_at)
        .join(Subscription, Subscription.business_id == Business.id)
        .where(Subscription.id.in_(subscriptions.ended_in(asked.scope, since, until)))
        .order_by(Subscription.ended_at.desc(), Subscription.id.desc())
    )
    return [Record(number, name, "subscription ended", at, part) for number, name, at in rows]


async def _value(asked: _Asked) -> list[Record]:
    above = await _earning(asked) if asked.wants(NUMERATOR) else []
    since, until = churn_period(asked.scope)
    return above + (
        await _ended(asked, since, until, DENOMINATOR) if asked.wants(DENOMINATOR) else []
    )


async def _value_and_costs(asked: _Asked) -> list[Record]:
    both = replace(asked, part=None)
    above = [replace(each, part=NUMERATOR) for each in await _value(both)]
    below = [replace(each, part=DENOMINATOR) for each in await _costs(both)]
    return [*above, *below]


_OF: dict[str, Callable[[_Asked], Awaitable[list[Record]]]] = {
    "lead_capture_rate": _imports,
    "qualification_rate": _qualified,
    "site_generation_rate": _with_site,
    "messages_sent": _sent,
    "open_rate": _opened,
    "click_rate": _clicked,
    "reply_rate": _replied,
    "lead_to_customer": _bought,
    "time_to_purchase_median_days": _waits,
    "time_to_purchase_mean_days": _waits,
    "cac": _costs,
    "mrr": _earning,
    "churn_rate": _churn,
    "ltv": _value,
    "ltv_cac_ratio": _value_and_costs,
}
