"""Plans: what is sold, and for how much.

What somebody pays by a plan stays as it was agreed: the amount of a plan that is used by a
subscription or a way to pay does not change any more. It is archived then, and another one added.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, insert, or_, select, update

from crm_tui.db.engine import ReadSession, WriteSession
from crm_tui.db.models import (
    PaymentLink,
    Plan,
    PlanPrice,
    Subscription,
    SubscriptionChange,
)
from crm_tui.errors import BadInput, NotFound, asked_as
from crm_tui.money import amount_words
from crm_tui.text import fold, plain_line
from crm_tui.vocabulary import Interval, SubscriptionState

LONGEST = 100
"""Characters of a plan's name."""

INTERVALS = (Interval.MONTH, Interval.YEAR, Interval.ONCE)
"""How often a plan can be due."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan. Amounts are in the currency's minor unit, times aware UTC.

    Attributes:
        running: how many subscriptions to it have not ended.
        used: whether its terms are settled: a subscription or a way to pay goes by them.
        archived_at: None while it is offered.
    """

    id: int
    name: str
    amount: int
    currency: str
    interval: Interval
    setup_fee: int
    created_at: datetime
    archived_at: datetime | None
    running: int
    used: bool

    @property
    def repeats(self) -> bool:
        """Whether it is paid again and again."""
        return self.interval is not Interval.ONCE

    @property
    def first(self) -> int:
        """What the first payment comes to, the setup fee included."""
        return self.amount + self.setup_fee

    @property
    def price(self) -> str:
        """What it costs, in words: "49.00 USD a month, 99.00 USD at the beginning"."""
        often = "once" if self.interval is Interval.ONCE else f"a {self.interval}"
        words = f"{amount_words(self.amount, self.currency)} {often}"
        if self.setup_fee:
            words += f", {amount_words(self.setup_fee, self.currency)} at the beginning"
        return words


async def listed(session: ReadSession, *, with_archived: bool = False) -> list[PlanRow]:
    """The plans that are offered, by name; after them, if asked for, those in the archive."""
    query = _plans().order_by(Plan.archived_at.is_not(None), Plan.folded)
    if not with_archived:
        query = query.where(Plan.archived_at.is_(None))
    return [PlanRow(*row) for row in await session.execute(query)]


async def required(session: ReadSession, plan_id: int) -> PlanRow:
    """A plan by its number.

    Raises:
        NotFound: there is no such plan.
    """
    row = (await session.execute(_plans().where(Plan.id == plan_id))).first()
    if row is None:
        raise NotFound(f"There is no plan {plan_id}. See `crm-tui plans list`.")
    return PlanRow(*row)


async def named(session: ReadSession, said: str, *, archived_too: bool = False) -> PlanRow:
    """A plan by its name, however it is cased, or else by its number.

    Raises:
        NotFound: there is none; the sentence names those that there are.
        BadInput: it is in the archive.
    """
    row = (await session.execute(_plans().where(Plan.folded == fold(said)))).first()
    if row is None and said.strip().isascii() and said.strip().isdigit() and len(said) < 18:
        row = (await session.execute(_plans().where(Plan.id == int(said)))).first()
    if row is None:
        offered = ", ".join(each.name for each in await listed(session))
        there = f"There are: {offered}." if offered else "Add one with `crm-tui plans add`."
        raise NotFound(f'There is no plan "{plain_line(said)}". {there}')
    plan = PlanRow(*row)
    if plan.archived_at is not None and not archived_too:
        raise BadInput(f"The plan {plan.name} is in the archive; nothing new is sold by it.")
    return plan


async def add(
    session: WriteSession,
    name: str,
    amount: int,
    currency: str,
    interval: Interval = Interval.MONTH,
    *,
    setup_fee: int = 0,
    now: datetime,
) -> int:
    """Add a plan; returns its number. Amounts are in minor units.

    Raises:
        BadInput: the name is taken or no name, or an amount cannot be.
    """
    with asked_as("name"):
        said = await _free_name(session, name, but=None)
    _check_terms(amount, interval)
    made = await session.execute(
        insert(Plan)
        .values(
            name=said,
            folded=fold(said),
            amount=amount,
            currency=currency,
            interval=interval,
            setup_fee=setup_fee,
            created_at=now,
        )
        .returning(Plan.id)
    )
    return int(made.scalar_one())


async def edit(
    session: WriteSession,
    plan_id: int,
    *,
    name: str | None = None,
    amount: int | None = None,
    currency: str | None = None,
    interval: Interval | None = None,
    setup_fee: int | None = None,
) -> tuple[str, ...]:
    """Change a plan; None leaves a thing as it is. Returns the names of what really changed.

    Raises:
        NotFound: there is no such plan.
        BadInput: others go by its terms already, or a value cannot be used.
    """
    plan = await required(session, plan_id)
    with asked_as("name"):
        said = None if name is None else await _free_name(session, name, but=plan_id)
    wanted: dict[str, Any] = {
        "name": said,
        "amount": amount,
        "currency": currency,
        "interval": interval,
        "setup_fee": setup_fee,
    }
    changed = {
        field: value
        for field, value in wanted.items()
        if value is not None and value != getattr(plan, field)
    }
    if plan.used and changed.keys() - {"name"}:
        raise BadInput(
            f"Subscriptions or ways to pay go by the price of {plan.name}, so it stays. Archive "
            "the plan and add another one."
        )
    now_is = {field: getattr(plan, field) for field in wanted} | changed
    _check_terms(now_is["amount"], now_is["interval"])
    if changed:
        folded = {"folded": fold(changed["name"])} if "name" in changed else {}
        await session.execute(update(Plan).where(Plan.id == plan_id).values(**changed, **folded))
    return tuple(changed)


async def archive(session: WriteSession, plan_id: int, *, now: datetime) -> bool:
    """Sell nothing by a plan any more; who pays by it goes on. False: it was archived already.

    Raises:
        NotFound: there is no such plan.
    """
    plan = await required(session, plan_id)
    if plan.archived_at is not None:
        return False
    await session.execute(update(Plan).where(Plan.id == plan_id).values(archived_at=now))
    return True


async def unarchive(session: WriteSession, plan_id: int) -> bool:
    """Offer a plan again. False: it was offered already.

    Raises:
        NotFound: there is no such plan.
    """
    plan = await required(session, plan_id)
    if plan.archived_at is None:
        return False
    await session.execute(update(Plan).where(Plan.id == plan_id).values(archived_at=None))
    return True


def _plans() -> Select[*tuple[Any, ...]]:
    running = (
        select(func.count())
        .select_from(Subscription)
        .where(Subscription.plan_id == Plan.id, Subscription.state != SubscriptionState.ENDED)
        .correlate(Plan)
        .scalar_subquery()
    )
    return select(
        Plan.id,
        Plan.name,
        Plan.amount,
        Plan.currency,
        Plan.interval,
        Plan.setup_fee,
        Plan.created_at,
        Plan.archived_at,
        running,
        _used(),
    )


def _used() -> ColumnElement[bool]:
    models: tuple[Any, ...] = (Subscription, SubscriptionChange, PaymentLink, PlanPrice)
    return or_(*(exists().where(model.plan_id == Plan.id).correlate(Plan) for model in models))


async def _free_name(session: ReadSession, name: str, *, but: int | None) -> str:
    """A name as it is kept.

    Raises:
        BadInput: it is none, or another plan has it.
    """
    said = plain_line(name)
    if not fold(said):
        raise BadInput("A plan needs a name, such as: Basic.")
    if len(said) > LONGEST:
        raise BadInput(f"The name of a plan has {LONGEST} characters at most.")
    other = (
        await session.execute(select(Plan.id, Plan.name).where(Plan.folded == fold(said)))
    ).first()
    if other is not None and other.id != but:
        raise BadInput(f"There is a plan {other.name} already; give this one another name.")
    return said


def _check_terms(amount: int, interval: Interval) -> None:
    if amount < 1:
        raise BadInput("A plan costs something: write its amount like 49.00.", at="amount")
    if interval not in INTERVALS:
        raise BadInput("A plan is paid each month, each year or once.")
