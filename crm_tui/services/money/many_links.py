"""Payment links for many leads at once, one after the other and not faster than Stripe lets us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from crm_tui.db.engine import Database
from crm_tui.db.models import Business, Payment
from crm_tui.db.types import listed
from crm_tui.errors import NotFound
from crm_tui.providers.base import ProviderError, Refused, Unsendable
from crm_tui.services.money import links
from crm_tui.services.money.links import Made, Payments
from crm_tui.text import plural
from crm_tui.vocabulary import Mode, PaymentState

APART = 0.05
"""Seconds between two links at least: play money may be asked for 25 times a second."""

_NAMED = 500


@dataclass(slots=True)
class ManyLinks:
    """What came of it; whom nothing names was not reached.

    Attributes:
        made, found: how many links were made, and were there already.
        bought: how many leads have bought, and need none.
        failures: the leads that got none, and why.
        problem: why it ended before its end; "" where it did not.
        cancelled: whether it was stopped.
    """

    made: int = 0
    found: int = 0
    bought: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    problem: str = ""
    cancelled: bool = False

    @property
    def sentences(self) -> list[str]:
        """The same in words."""
        said = f"{plural(self.made, 'payment link')} made, {self.found:,} there already."
        lines = [f"Stopped: {said}" if self.cancelled else said]
        if self.bought:
            lines.append(f"{plural(self.bought, 'lead has', 'leads have')} bought and got none.")
        if self.failures:
            first, why = self.failures[0]
            lines.append(f"{len(self.failures):,} got none, the first lead {first}: {why}.")
        if self.problem:
            end = "" if self.problem.endswith((".", "…")) else "."
            lines.append(f"{self.problem}{end} Doing it again goes on from there.")
        return lines


async def make_many(
    db: Database,
    business_ids: Sequence[int],
    plan_id: int,
    *,
    payments: Payments,
    mode: Mode,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancelled: Callable[[], bool] = lambda: False,
    apart: float = APART,
) -> ManyLinks:
    """Make the links of leads for a plan; those that are there stay, who has bought gets none.

    A provider that cannot be reached ends it; doing it again goes on where it was.

    Args:
        db: the store.
        business_ids: the leads, in this order.
        plan_id: the plan.
        payments: the provider.
        mode: whose money.
        clock: tells the time, aware UTC.
        progress: called with how many leads are done, of how many.
        cancelled: asked before every lead whether to stop.
        apart: seconds between two links at least.

    Raises:
        NotFound: there is no such plan.
        BadInput: the plan is in the archive.
    """
    report = ManyLinks()
    bought = await _bought(db, business_ids, mode)
    loop = asyncio.get_running_loop()

    async def make(lead: int) -> Made:
        return await links.make(db, lead, plan_id, payments=payments, mode=mode, clock=clock)

    for number, business_id in enumerate(business_ids):
        if cancelled():
            report.cancelled = True
            break
        began = loop.time()
        if business_id in bought:
            report.bought += 1
        elif await _one(db, business_id, make, report):
            await asyncio.sleep(max(began + apart - loop.time(), 0))
        if report.problem:
            break
        progress(number + 1, len(business_ids))
    return report


async def _one(
    db: Database,
    business_id: int,
    make: Callable[[int], Awaitable[Made]],
    report: ManyLinks,
) -> bool:
    """Make the link of one lead; whether the provider was asked."""
    try:
        made = await make(business_id)
    except (Refused, Unsendable) as error:
        report.failures.append((business_id, error.words))
        return True
    except ProviderError as error:
        report.problem = str(error)
        return True
    except NotFound as error:
        if await _is_there(db, business_id):
            raise  # it is the plan that is not
        report.failures.append((business_id, str(error).rstrip(".")))
        return False
    report.made += made.new
    report.found += not made.new
    return made.new


async def _is_there(db: Database, business_id: int) -> bool:
    async with db.read() as session:
        where = (Business.id == business_id, Business.erased_at.is_(None))
        return await session.scalar(select(Business.id).where(*where)) is not None


async def _bought(db: Database, business_ids: Sequence[int], mode: Mode) -> set[int]:
    """Who has bought, for real or in this mode."""
    found: set[int] = set()
    for start in range(0, len(business_ids), _NAMED):
        async with db.read() as session:
            found.update(
                await session.scalars(
                    select(Payment.business_id).where(
                        Payment.business_id.in_(listed(business_ids[start : start + _NAMED])),
                        Payment.state == PaymentState.SUCCEEDED,
                        Payment.mode.in_((Mode.MANUAL, Mode.LIVE, mode)),
                    )
                )
            )
    return found
