"""How far leads have come, as tests of the store: the stages of the funnel.

Who reached a stage reached those before it, so a lead is at least at a stage if anything puts it
there or further. The words of the statuses stand in the statements themselves, by which SQLite finds
its indexes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, or_, select, true

from crm_tui.db.models import Business, Payment, Subscription, SubscriptionChange
from crm_tui.vocabulary import ContactStatus, Mode, Stage, SubscriptionState, WebsiteStatus

STAGES = tuple(Stage)

_STATUS_OF = {
    1: Stage.CONTACTED,
    2: Stage.OPENED,
    3: Stage.CLICKED,
    4: Stage.REPLIED,
    5: Stage.PURCHASED,
}
"""The stage a contact status puts a lead at, by its rank."""

SITE_BUILT = (
    WebsiteStatus.GENERATED,
    WebsiteStatus.PUBLISHED,
    WebsiteStatus.SOLD,
    WebsiteStatus.ARCHIVED,
)
"""The website statuses of who has a site, or had one."""

EARNS = tuple(state for state in SubscriptionState if state.earns)


def stage_of(status: ContactStatus) -> Stage | None:
    """The stage a contact status puts a lead at; None for one that was not contacted."""
    return _STATUS_OF.get(status.rank)


def words(values: Sequence[str]) -> list[ColumnElement[str]]:
    """Words of ours, to stand in a statement as they are."""
    return [literal_column(f"'{value}'") for value in values]


def is_qualified(threshold: int) -> ColumnElement[bool]:
    """Whether a lead's score is high enough."""
    return Business.qualification_score >= threshold


def has_site() -> ColumnElement[bool]:
    """Whether a site was ever built for a lead."""
    return Business.website_status.in_(words(SITE_BUILT))


def payers(modes: Sequence[Mode]) -> Select[int]:
    """The leads a payment of which succeeded."""
    return select(Payment.business_id).where(
        Payment.paid_at.is_not(None), Payment.mode.in_(words(modes))
    )


def clients(modes: Sequence[Mode]) -> Select[int]:
    """The leads with a subscription that ever earned."""
    earned = select(SubscriptionChange.subscription_id).where(
        SubscriptionChange.state.in_(words(EARNS))
    )
    return select(Subscription.business_id).where(
        Subscription.mode.in_(words(modes)), Subscription.id.in_(earned)
    )


def reached(stage: Stage, *, threshold: int, modes: Sequence[Mode]) -> ColumnElement[bool]:
    """Whether a lead ever reached at least this stage."""
    if stage is Stage.CAPTURED:
        return true()
    return or_(*_ways(stage, threshold, modes))


def _ways(stage: Stage, threshold: int, modes: Sequence[Mode]) -> list[Any]:
    at_least = STAGES[STAGES.index(stage) :]
    statuses = [status for status in ContactStatus if stage_of(status) in at_least]
    ways: list[Any] = []
    if statuses:
        ways.append(Business.contact_status.in_(words(statuses)))
    if Stage.QUALIFIED in at_least:
        ways.append(is_qualified(threshold))
    if Stage.SITE_BUILT in at_least:
        ways.append(has_site())
    if Stage.PURCHASED in at_least:
        ways.append(Business.id.in_(payers(modes)))
    ways.append(Business.id.in_(clients(modes)))
    return ways
