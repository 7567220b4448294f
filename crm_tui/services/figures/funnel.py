"""The funnel: how many leads ever reached at least each stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import ColumnElement, CompoundSelect, func, select, union_all
from sqlalchemy.orm import aliased

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import Business
from crm_tui.services.figures import among
from crm_tui.services.figures.base import Scope, StageCount
from crm_tui.services.filters import stages
from crm_tui.vocabulary import ContactStatus, Stage

_PURCHASED = stages.words([ContactStatus.PURCHASED])[0]


@dataclass(frozen=True, slots=True)
class Leads:
    """How many leads there are with one contact status, and what else is so of them."""

    status: ContactStatus
    count: int
    qualified: int
    with_site: int
    either: int
    """Qualified, or with a site, or both."""
    both: int


@dataclass(frozen=True, slots=True)
class Tally:
    """The leads of a scope by how far they came.

    Attributes:
        by_status: all of them, by contact status.
        ahead: those among them that bought, although their status says otherwise: it was set by
            hand after the payment.
        clients: how many ever had a subscription that earned.
    """

    by_status: Sequence[Leads]
    ahead: Sequence[Leads]
    clients: int

    @property
    def leads(self) -> int:
        """All leads."""
        return sum(each.count for each in self.by_status)

    @property
    def qualified(self) -> int:
        """The qualified ones."""
        return sum(each.qualified for each in self.by_status)

    @property
    def qualified_with_site(self) -> int:
        """The qualified ones for which a site was built."""
        return sum(each.both for each in self.by_status)

    def reached(self, stage: Stage) -> int:
        """How many reached at least this stage."""
        if stage is Stage.ACTIVE_CLIENT:
            return self.clients
        counted = sum(_reached(each, stage) for each in self.by_status)
        return counted + sum(each.count - _reached(each, stage) for each in self.ahead)


def _reached(leads: Leads, stage: Stage) -> int:
    """How many of these reached the stage, by their status, score and site alone."""
    own = stages.stage_of(leads.status)
    order = stages.STAGES.index
    if stage is Stage.CAPTURED or (own is not None and order(own) >= order(stage)):
        return leads.count
    return {Stage.QUALIFIED: leads.either, Stage.SITE_BUILT: leads.with_site}.get(stage, 0)


async def tally(session: ReadSession, scope: Scope) -> Tally:
    """Count the leads captured in the period, by how far they came until now."""
    everyone = list(among.leads(scope))
    return Tally(
        await _by_status(session, scope, everyone),
        await _by_status(session, scope, [*everyone, Business.id.in_(_ahead(scope))]),
        await _clients(session, scope, everyone),
    )


async def _by_status(
    session: ReadSession, scope: Scope, tests: Sequence[ColumnElement[bool]]
) -> list[Leads]:
    # By the columns of the index, in its order: a count is all that is left to do for a lead.
    columns = (Business.contact_status, Business.website_status, Business.qualification_score)
    rows = await session.execute(select(*columns, func.count()).where(*tests).group_by(*columns))
    found: dict[ContactStatus, Counter[str]] = {}
    for status, site, score, count in rows:
        counts = found.setdefault(status, Counter())
        qualified, built = score >= scope.standpoint.threshold, site in stages.SITE_BUILT
        counts["count"] += count
        counts["qualified"] += count * qualified
        counts["with_site"] += count * built
        counts["either"] += count * (qualified or built)
        counts["both"] += count * (qualified and built)
    return [Leads(status, **counts) for status, counts in found.items()]


def _ahead(scope: Scope) -> CompoundSelect[int]:
    """The leads that bought although their status does not say so; seldom any."""
    buyers = union_all(stages.payers(scope.modes), stages.clients(scope.modes)).subquery()
    known = aliased(Business)
    says_so = select(known.id).where(known.contact_status == _PURCHASED)
    # In order: so the two are merged, where one would else be kept as a table to look into.
    return select(buyers.c.business_id).except_(says_so).order_by(buyers.c.business_id)


async def _clients(session: ReadSession, scope: Scope, tests: Sequence[ColumnElement[bool]]) -> int:
    clients = stages.clients(scope.modes)
    if tests:
        statement = select(func.count()).select_from(Business)
        statement = statement.where(*tests, Business.id.in_(clients))
    else:
        statement = select(func.count(clients.subquery().c.business_id.distinct()))
    return await session.scalar(statement) or 0


async def funnel(session: ReadSession, scope: Scope) -> list[StageCount]:
    """The stages in order, of the leads captured in the period; what they reached so far."""
    return stage_counts(await tally(session, scope))


def stage_counts(counted: Tally) -> list[StageCount]:
    """The stages in order, each with its share of the one before and of all."""
    counts = [counted.reached(stage) for stage in stages.STAGES]
    first = counts[0]
    before = [None, *(early for early, _ in pairwise(counts))]
    return [
        StageCount(stage, count, _share(count, previous), _share(count, first))
        for stage, count, previous in zip(stages.STAGES, counts, before, strict=True)
    ]


def _share(count: int, of: int | None) -> float | None:
    return count / of if of else None
