"""What came of a campaign: counts that add up, and rates beside the counts they are made of.

A rate is a share of distinct businesses. Delivery is not known over SMTP, so the others count
against those it was sent to. What a channel cannot measure has no numerator: it is not nought.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import CampaignStep, Message
from crm_tui.vocabulary import MessageState

_NOT_MEASURED = ("open", "click")
"""What neither a mailbox of one's own nor the outbox can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Messages by state; `audience` is the sum of all but `held`, which are among the queued."""

    audience: int = 0
    queued: int = 0
    sending: int = 0
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    canceled: int = 0
    uncertain: int = 0
    held: int = 0

    def plain(self) -> dict[str, int]:
        """As a document has them: `audience`, and what adds up to it."""
        counts = asdict(self)
        del counts["held"]
        return counts


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of businesses; `numerator` is None where the channel cannot measure it."""

    name: str
    numerator: int | None
    denominator: int

    @property
    def measured(self) -> bool:
        """Whether the channel can measure it at all."""
        return self.numerator is not None

    @property
    def value(self) -> float | None:
        """From 0 to 1; None without a denominator, or where it is not measured."""
        if self.numerator is None or not self.denominator:
            return None
        return self.numerator / self.denominator


@dataclass(frozen=True, slots=True)
class StepFigures:
    """One step: its counts and rates."""

    position: int
    template: str
    counts: Counts
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """A campaign: `recipients` counts businesses, `counts` messages."""

    recipients: int
    counts: Counts
    rates: tuple[Rate, ...]
    steps: tuple[StepFigures, ...]


class _Row(NamedTuple):
    """What one query counts of a campaign, a step, or each of several."""

    of: int
    audience: int
    queued: int
    sending: int
    sent: int
    failed: int
    skipped: int
    canceled: int
    uncertain: int
    held: int
    businesses: int
    reached: int
    bounced: int
    tried: int
    replied: int
    unsubscribed: int
    complained: int

    @property
    def counts(self) -> Counts:
        return Counts(**{name: getattr(self, name) for name in Counts.__dataclass_fields__})

    @property
    def rates(self) -> tuple[Rate, ...]:
        return (
            *(Rate(name, None, self.reached) for name in _NOT_MEASURED),
            Rate("reply", self.replied, self.reached),
            Rate("bounce", self.bounced, self.tried),
            Rate("unsubscribe", self.unsubscribed, self.reached),
            Rate("complaint", self.complained, self.reached),
        )


NOTHING = _Row(*[0] * len(_Row._fields))


def counting(of: InstrumentedAttribute[int | None]) -> Select[*tuple[Any, ...]]:
    """Everything that is counted of messages, for each value of a column."""
    sent = Message.state == MessageState.SENT
    bounced = Message.bounced_at.is_not(None)
    held = and_(
        Message.state == MessageState.QUEUED, Message.due_at.is_(None), Message.reason.is_not(None)
    )
    return select(
        of,
        func.count(),
        *(_messages(Message.state == state) for state in MessageState),
        _messages(held),
        func.count(Message.business_id.distinct()),
        _businesses(sent),
        _businesses(bounced),
        _businesses(or_(sent, bounced)),
        _businesses(Message.replied_at.is_not(None)),
        _businesses(Message.unsubscribed_at.is_not(None)),
        _businesses(Message.complained_at.is_not(None)),
    ).group_by(of)


def _messages(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((which, 1)))


def _businesses(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((which, Message.business_id)).distinct())


async def counted(session: ReadSession, statement: Select[*tuple[Any, ...]]) -> dict[int, _Row]:
    """The rows of `counting`, by what they are of."""
    return {row[0]: _Row._make(row) for row in await session.execute(statement)}


async def figures(session: ReadSession, campaign_id: int) -> Figures:
    """The figures of a campaign."""
    mine = Message.campaign_id == campaign_id
    of_all = await counted(session, counting(Message.campaign_id).where(mine))
    of_steps = await counted(session, counting(Message.step_id).where(mine))
    steps = await session.execute(
        select(CampaignStep.id, CampaignStep.position, CampaignStep.template)
        .where(CampaignStep.campaign_id == campaign_id)
        .order_by(CampaignStep.position)
    )
    whole = of_all.get(campaign_id, NOTHING)
    return Figures(
        whole.businesses,
        whole.counts,
        whole.rates,
        tuple(
            StepFigures(
                step.position,
                step.template,
                of_steps.get(step.id, NOTHING).counts,
                of_steps.get(step.id, NOTHING).rates,
            )
            for step in steps
        ),
    )


def documents(rates: Iterable[Rate]) -> dict[str, dict[str, float | None]]:
    """Rates as a document has them."""
    return {
        rate.name: {
            "numerator": rate.numerator,
            "denominator": rate.denominator,
            "value": rate.value,
        }
        for rate in rates
    }
