"""What came of a campaign: counts that add up, and rates beside the counts they are made of.

A rate is a share of distinct businesses: of those it was delivered to, or, where the provider does
not tell that, of those it was sent to. What a channel cannot measure has no numerator: it is not
nought. Opens and clicks count those by people; those by machines stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from crm_tui.db.engine import ReadSession
from crm_tui.db.models import CampaignStep, Message
from crm_tui.services.campaigns import chance, variants
from crm_tui.services.campaigns.chance import Share, Verdict
from crm_tui.services.campaigns.drafts import steps_of
from crm_tui.services.campaigns.measured import CLICKS, DELIVERY, OPENS
from crm_tui.services.campaigns.steps import Step
from crm_tui.vocabulary import MessageState

_BY_MACHINES_TOO = ("open", "click")


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
    """A share of businesses.

    Attributes:
        name: what they did.
        numerator: how many did; None where nothing was sent that can be measured.
        denominator: of how many, as far as they can be measured.
        raw: how many did with machines among them; None where machines do nothing of the kind.
        unmeasured: how many more it reached who cannot be measured.
    """

    name: str
    numerator: int | None
    denominator: int
    raw: int | None = None
    unmeasured: int = 0

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

    @property
    def share(self) -> Share:
        """The two numbers; none of nobody where it is not measured."""
        return Share(0, 0) if self.numerator is None else Share(self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class VariantFigures:
    """One of the texts of a step: which, what it is under, how many of a hundred get it."""

    letter: str
    template: str
    subject: str
    share: int
    version: int
    counts: Counts
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True)
class StepFigures:
    """One step: its counts and rates; where two texts are tried, those of each and what they tell."""

    position: int
    template: str
    counts: Counts
    rates: tuple[Rate, ...]
    variants: tuple[VariantFigures, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """A campaign: `recipients` counts businesses, `counts` messages."""

    recipients: int
    counts: Counts
    rates: tuple[Rate, ...]
    steps: tuple[StepFigures, ...]


class _Row(NamedTuple):
    """What one query counts of a campaign, a step, or each of several: messages, then businesses."""

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
    tried: int
    told_reached: int
    told_tried: int
    measures_opens: int
    opens_reached: int
    opened: int
    opened_raw: int
    measures_clicks: int
    clicks_reached: int
    clicked: int
    clicked_raw: int
    replied: int
    bounced: int
    unsubscribed: int
    complained: int

    @property
    def counts(self) -> Counts:
        return Counts(**{each.name: getattr(self, each.name) for each in fields(Counts)})

    @property
    def rates(self) -> tuple[Rate, ...]:
        told = self.told_reached if self.told_tried else None
        return (
            Rate("delivery", told, self.told_tried),
            self._by_people("open", self.opened, self.opened_raw, self.opens_reached)
            if self.measures_opens
            else Rate("open", None, self.reached),
            self._by_people("click", self.clicked, self.clicked_raw, self.clicks_reached)
            if self.measures_clicks
            else Rate("click", None, self.reached),
            Rate("reply", self.replied, self.reached),
            Rate("bounce", self.bounced, self.tried),
            Rate("unsubscribe", self.unsubscribed, self.reached),
            Rate("complaint", self.complained, self.reached),
        )

    def _by_people(self, name: str, people: int, raw: int, of: int) -> Rate:
        return Rate(name, people, of, raw, self.reached - of)


NOTHING = _Row(*[0] * len(_Row._fields))


def counting(of: InstrumentedAttribute[int | None]) -> Select[*tuple[Any, ...]]:
    """Everything that is counted of messages, for each value of a column."""
    held = and_(
        Message.state == MessageState.QUEUED, Message.due_at.is_(None), Message.reason.is_not(None)
    )
    return select(
        of,
        func.count(),
        *(_messages(Message.state == state) for state in MessageState),
        _messages(held),
        func.count(Message.business_id.distinct()),
        *_facts(),
    ).group_by(of)


def _messages(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((which, 1)))


def _businesses(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((which, Message.business_id)).distinct())


def _any(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.max(case((which, 1), else_=0))


def _facts() -> Iterator[ColumnElement[int]]:
    """Of how many businesses what is so of one of their messages, in the order of `_Row`.

    What decides most stands first: SQLite looks no further then.
    """
    sent, bounced = Message.state == MessageState.SENT, Message.bounced_at.is_not(None)
    opened, clicked = Message.opened_at.is_not(None), Message.clicked_at.is_not(None)
    opened_too = or_(opened, Message.machine_opened_at.is_not(None))
    clicked_too = or_(clicked, Message.machine_clicked_at.is_not(None))
    replied = Message.replied_at.is_not(None)
    unsubscribed = Message.unsubscribed_at.is_not(None)
    complained = Message.complained_at.is_not(None)
    provider = func.coalesce(Message.provider, "")
    told, by_opens, by_clicks = (provider.in_(names) for names in (DELIVERY, OPENS, CLICKS))
    # Who did something with it has got it, even where nobody said so.
    did = or_(opened_too, clicked_too, replied, unsubscribed, complained)
    delivered = and_(Message.delivered_at.is_not(None), Message.bounced_at.is_(None))
    reached = or_(and_(sent, or_(delivered, ~told)), did)
    tried = or_(sent, bounced, did)
    yield from map(_businesses, (reached, tried, and_(told, reached), and_(told, tried)))
    for measured, people, machines_too in (
        (by_opens, opened, opened_too),
        (by_clicks, clicked, clicked_too),
    ):
        yield _any(and_(measured, tried))
        yield from (_businesses(and_(which, measured)) for which in (reached, people, machines_too))
    yield from map(_businesses, (replied, bounced, unsubscribed, complained))


async def counted(session: ReadSession, statement: Select[*tuple[Any, ...]]) -> dict[int, _Row]:
    """The rows of `counting`, by what they are of."""
    return {row[0]: _Row._make(row) for row in await session.execute(statement)}


async def figures(session: ReadSession, campaign_id: int) -> Figures:
    """The figures of a campaign."""
    mine = Message.campaign_id == campaign_id
    of_all = await counted(session, counting(Message.campaign_id).where(mine))
    of_steps = await counted(session, counting(Message.step_id).where(mine))
    steps = await steps_of(session, campaign_id)
    ids = await session.scalars(
        select(CampaignStep.id)
        .where(CampaignStep.campaign_id == campaign_id)
        .order_by(CampaignStep.position)
    )
    letters = sorted({letter for step in steps if step.variant for letter in step.texts})
    of_texts = {
        letter: await counted(
            session, counting(Message.step_id).where(mine, Message.variant == letter)
        )
        for letter in letters
    }
    whole = of_all.get(campaign_id, NOTHING)
    found = []
    for position, (step_id, step) in enumerate(zip(ids, steps, strict=True), start=1):
        all_of = of_steps.get(step_id, NOTHING)
        texts = _texts(step, {name: rows.get(step_id, NOTHING) for name, rows in of_texts.items()})
        verdict = _verdict(step, position, texts)
        found.append(
            StepFigures(position, step.template, all_of.counts, all_of.rates, texts, verdict)
        )
    return Figures(whole.businesses, whole.counts, whole.rates, tuple(found))


def _texts(step: Step, rows: dict[str, _Row]) -> tuple[VariantFigures, ...]:
    """The figures of each text, where there are two."""
    if step.variant is None:
        return ()
    share = step.variant.share
    return tuple(
        VariantFigures(
            letter,
            text.template,
            text.subject,
            share if letter == variants.SECOND else 100 - share,
            text.version,
            rows[letter].counts,
            rows[letter].rates,
        )
        for letter, text in step.texts.items()
    )


def _verdict(step: Step, position: int, texts: Sequence[VariantFigures]) -> Verdict | None:
    """What two texts tell, by what can be measured of both.

    One question is asked, not three: each further one would find a winner by chance more often.
    """
    if not texts:
        return None
    name = _compared_by(step, position)
    if not all(named(each.rates, name).share.of for each in texts):
        name = "reply"
    own, second = (named(each.rates, name).share for each in texts)
    return chance.verdict(name, own, second)


def _compared_by(step: Step, position: int) -> str:
    """By what two texts are best compared: opens where their subjects differ, clicks if they link.

    A follow-up goes under the subject of the first step, so its own makes no difference.
    """
    texts = step.texts.values()
    if position == 1 and len({each.subject for each in texts}) > 1:
        return "open"
    return "click" if all(each.uses_site or "http" in each.source for each in texts) else "reply"


def named(rates: Iterable[Rate], name: str) -> Rate:
    """The rate of this name."""
    return next(each for each in rates if each.name == name)


def documents(rates: Iterable[Rate]) -> dict[str, dict[str, Any]]:
    """Rates as a document has them: each with the interval that holds the true one, 95 of 100."""
    return {rate.name: _document(rate) for rate in rates}


def _document(rate: Rate) -> dict[str, Any]:
    sure = chance.interval(rate.share)
    told = {
        "numerator": rate.numerator,
        "denominator": rate.denominator,
        "value": rate.value,
        "measured": rate.measured,
        "interval": None if sure is None else list(sure),
    }
    if rate.name in _BY_MACHINES_TOO:
        told |= {"raw_numerator": rate.raw, "unmeasured": rate.unmeasured}
    return told
