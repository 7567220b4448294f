"""Closing payment links that need nothing more: the lead has bought, or the plan is in the archive.

Nobody is asked to pay through one of them from the moment on that it is so (see `offered`); closing
it at the provider keeps those out who have its address still.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, case, or_, select

from crm_tui.db.engine import Database
from crm_tui.db.models import PaymentLink, Plan
from crm_tui.providers.base import ProviderError, Refused, Unsendable
from crm_tui.services.money import links
from crm_tui.services.money.links import BANK, STRIPE, Payments
from crm_tui.services.money.offered import STANDING, is_stale, paid_since
from crm_tui.text import plural
from crm_tui.vocabulary import LinkState, Mode

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Closed:
    """What closing came to: how many were, and why not all."""

    count: int
    problem: str

    @property
    def words(self) -> str:
        """The same as a sentence; "" where nothing was."""
        return f"Closed {plural(self.count, 'payment link')}." if self.count else ""


class _Stale(NamedTuple):
    id: int
    provider_id: str | None
    at_provider: bool
    paid: bool


async def close_stale(
    db: Database,
    *,
    payments: Callable[[], AbstractAsyncContextManager[Payments]],
    mode: Mode,
    clock: Callable[[], datetime],
) -> Closed:
    """Close what needs nothing more, a hundred at most; also what is of the other kind of money.

    Args:
        db: the store.
        payments: opens the provider, if it has to be asked.
        mode: whose money it is now.
        clock: tells the time, aware UTC.
    """
    async with db.read() as session:
        rows = await session.execute(
            select(
                PaymentLink.id,
                PaymentLink.provider_id,
                and_(PaymentLink.mode == mode, PaymentLink.provider_id.is_not(None)),
                case((PaymentLink.provider == BANK, paid_since()), else_=False),
            )
            .join(Plan, Plan.id == PaymentLink.plan_id)
            .where(
                PaymentLink.state.in_(STANDING),
                or_(is_stale(), and_(PaymentLink.provider == STRIPE, PaymentLink.mode != mode)),
            )
            .order_by(PaymentLink.id)
            .limit(_AT_ONCE)
        )
        stale = [_Stale(*row) for row in rows]
    here = [each for each in stale if not each.at_provider]
    there = [each for each in stale if each.at_provider]
    count = await _close(db, here, clock())
    if not there:
        return Closed(count, "")
    problem = ""
    try:
        async with payments() as provider:
            for each in there:
                assert each.provider_id is not None
                try:
                    await provider.close_link(each.provider_id)
                except (Refused, Unsendable) as error:
                    # Asking again changes nothing; it is said once, and holds up no other.
                    problem = f"A payment link could not be closed: {error}"
                count += await _close(db, [each], clock())
    except ProviderError as error:
        return Closed(count, f"Payment links could not be closed: {error}")
    return Closed(count, problem)


async def _close(db: Database, stale: list[_Stale], now: datetime) -> int:
    if not stale:
        return 0
    paid = [each.id for each in stale if each.paid]
    rest = [each.id for each in stale if not each.paid]
    async with db.write() as session:
        count = await links.close(session, paid, now=now, state=LinkState.PAID)
        return count + await links.close(session, rest, now=now)
