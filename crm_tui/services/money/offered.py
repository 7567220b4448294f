"""Which page a lead is offered to pay at: the one its mails and its public page name.

It is the newest open link of the lead. One that needs nothing more is none, even while it is not
closed at the provider yet: its plan is in the archive, or the lead has paid since it was made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, or_, select

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Payment, PaymentLink, Plan
from crm_tui.vocabulary import LinkState, Mode, PaymentState

STANDING = (LinkState.CREATING, LinkState.OPEN)
"""The states of a link that was not closed."""

SLACK = timedelta(days=1)
"""A payment that was written down with its day alone may seem to be from before the link."""


class Offered(NamedTuple):
    """The page a lead can pay at."""

    link_id: int
    url: str
    plan_id: int


def paid_since() -> ColumnElement[bool]:
    """That the lead of a link has bought since it was made; a renewal is no purchase.

    Play money buys nothing that is asked for in real money.
    """
    return exists().where(
        Payment.business_id == PaymentLink.business_id,
        Payment.state == PaymentState.SUCCEEDED,
        or_(Payment.mode != Mode.TEST, PaymentLink.mode != Mode.LIVE),
        Payment.is_renewal.is_(False),
        # The times are texts of one length; the day is taken off as SQLite does it.
        func.julianday(Payment.paid_at)
        >= func.julianday(PaymentLink.created_at) - SLACK / timedelta(days=1),
    )


def is_offered() -> ColumnElement[bool]:
    """That a link, joined with its plan, is a page a lead can pay at."""
    return and_(
        PaymentLink.state == LinkState.OPEN,
        PaymentLink.url.is_not(None),
        Plan.archived_at.is_(None),
        ~paid_since(),
    )


def is_stale() -> ColumnElement[bool]:
    """That an open link, joined with its plan, needs nothing more."""
    return or_(Plan.archived_at.is_not(None), paid_since())


_IDS = func.json_each(bindparam("ids")).table_valued("value")
_OFFERED: Any = (
    select(PaymentLink.business_id, PaymentLink.id, PaymentLink.url, PaymentLink.plan_id)
    .join(Plan, Plan.id == PaymentLink.plan_id)
    .where(PaymentLink.business_id.in_(select(_IDS.c.value)), is_offered())
    .order_by(PaymentLink.id)
)


async def offered(session: ReadSession, business_ids: Sequence[int]) -> dict[int, Offered]:
    """The page of each of these leads that has one."""
    if not business_ids:
        return {}
    connection = await session.connection()
    rows = await connection.execute(_OFFERED, {"ids": json.dumps(list(business_ids))})
    return {business_id: Offered(*rest) for business_id, *rest in rows}
