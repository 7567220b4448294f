"""Every figure of a history, worked out slowly and plainly from the list of what happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from crm_tui.vocabulary import (
    BatchState,
    CallOutcome,
    ContactStatus,
    Interval,
    Mode,
    PaymentState,
    Stage,
    SubscriptionState,
)
from tests.figures import acts
from tests.figures.acts import NOW, Done

MARGIN = Fraction(3, 4)
PRICES = {"smtp": Fraction(3, 200), "mailgun": Fraction(1, 1000)}
_EARNS = {SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE}
_MONTHS = {
    Interval.MONTH: Fraction(1),
    Interval.YEAR: Fraction(12),
    Interval.WEEK: Fraction(7 * 48, 1461),
}
_STAGES = list(Stage)


@dataclass(frozen=True)
class Facts:
    """What no event tells of a lead: its score, and whether the filter finds it."""

    qualified: bool
    found: bool


@dataclass
class Oracle:
    """Answers for one history and one scope."""

    done: Done
    facts: Mapping[int, Facts]
    since: datetime | None
    until: datetime | None
    filtered: bool
    zone: ZoneInfo

    # who and when

    def holds(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def each(self, kind: type[Any]) -> Iterator[Any]:
        """What happened of one kind to the leads that the filter finds."""
        for act in self.done.acts:
            if isinstance(act, kind) and self.facts[self.done.lead(act.lead)].found:
                yield act

    def of(self, act: Any) -> int:
        return self.done.lead(act.lead)

    @property
    def leads(self) -> list[int]:
        """The leads that are there, are found, and were captured in the period."""
        return [
            lead
            for lead, at in enumerate(self.done.captured)
            if lead not in self.done.went_to and self.facts[lead].found and self.holds(at)
        ]

    # how far

    def rank(self, lead: int) -> int:
        """The highest of what stands: what a status set by hand knew does not."""
        known: list[tuple[int, int, bool]] = []  # origin, rank, by hand
        overruled: set[int] = set()
        went: dict[int, int] = {}
        for act in self.done.acts:
            if isinstance(act, acts.Merge):
                went[acts.root(went, act.other)] = acts.root(went, act.lead)
            elif not isinstance(act, acts.Spent | acts.Imported) and self.of(act) == lead:
                # The lead in the store that it happened to, which may be merged later.
                origin = acts.root(went, act.lead)
                if isinstance(act, acts.SetStatus):
                    # It knows what belonged to the lead then.
                    overruled |= {
                        at for at, each in enumerate(known) if acts.root(went, each[0]) == origin
                    }
                    known.append((origin, act.status.rank, True))
                else:
                    known += [(origin, rank, False) for rank in self.ranks(act)]
        return self.highest(known, overruled)

    @staticmethod
    def highest(known: list[tuple[int, int, bool]], overruled: set[int]) -> int:
        latest: dict[int, int] = {}
        for at, (origin, _, by_hand) in enumerate(known):
            if by_hand:
                latest[origin] = at
        return max(
            (
                rank
                for at, (origin, rank, by_hand) in enumerate(known)
                if at not in overruled and (not by_hand or latest[origin] == at)
            ),
            default=0,
        )

    @staticmethod
    def ranks(act: Any) -> Iterator[int]:
        match act:
            case acts.Mail():
                yield 1
                yield from (ContactStatus(m).rank for m in act.marks if not m.startswith("machine"))
            case acts.Call(undone=False):
                yield 4 if act.outcome is CallOutcome.TALKED else 1
            case acts.Pay(state=PaymentState.SUCCEEDED):
                yield 5
            case acts.Cash(undone=False):
                yield 5

    def payments(self) -> Iterator[tuple[int, datetime]]:
        """Who paid when, in money that counts."""
        for pay in self.each(acts.Pay):
            if pay.state is PaymentState.SUCCEEDED and pay.mode is not Mode.TEST:
                yield self.of(pay), pay.at
        for cash in self.each(acts.Cash):
            if not cash.undone:
                yield self.of(cash), cash.at

    def subscriptions(self) -> list[acts.Subscribe]:
        return [each for each in self.each(acts.Subscribe) if each.mode is not Mode.TEST]

    def has_site(self, lead: int) -> bool:
        return any(self.of(each) == lead for each in self.each(acts.Build))

    def furthest(self, lead: int) -> int:
        mine = [each for each in self.subscriptions() if self.of(each) == lead]
        if any(change[1] in _EARNS for each in mine for change in each.standing):
            return 8
        if any(payer == lead for payer, _ in self.payments()):
            return 7
        if rank := self.rank(lead):
            return 2 + rank
        return 2 if self.has_site(lead) else int(self.facts[lead].qualified)

    def stages(self) -> list[int]:
        reached = [self.furthest(lead) for lead in self.leads]
        return [sum(each >= at for each in reached) for at in range(len(_STAGES))]

    # figures: value, numerator, denominator

    def figures(self) -> dict[tuple[str, str | None], tuple[Any, Any, Any]]:
        found: dict[tuple[str, str | None], tuple[Any, Any, Any]] = {}
        for name, (count, of) in self.shares().items():
            found[name, None] = (Fraction(count, of) if of else None, count, of)
        sent = len(self.sent())
        found["messages_sent", None] = (sent, sent, None)
        found |= self.times()
        found |= self.money()
        return found

    def shares(self) -> dict[str, tuple[int, int]]:
        leads, qualified = self.leads, [each for each in self.leads if self.facts[each].qualified]
        batches = [
            each
            for each in self.done.acts
            if isinstance(each, acts.Imported)
            and each.state is not BatchState.UNDONE
            and self.holds(each.at)
        ]
        kept = sum(each.created + each.merged for each in batches)
        return {
            "lead_capture_rate": (kept, kept + sum(each.rejected for each in batches)),
            "qualification_rate": (len(qualified), len(leads)),
            "site_generation_rate": (sum(map(self.has_site, qualified)), len(qualified)),
            "lead_to_customer": (sum(self.furthest(lead) >= 7 for lead in leads), len(leads)),
            "open_rate": self.rate("opened", {"mailgun"}),
            "click_rate": self.rate("clicked", {"mailgun"}),
            "reply_rate": self.rate("replied", {"mailgun", "smtp", "twilio"}),
            "churn_rate": self.churn(),
        }

    def sent(self) -> list[acts.Mail]:
        return [each for each in self.each(acts.Mail) if self.holds(each.at)]

    def rate(self, mark: str, providers: set[str]) -> tuple[int, int]:
        measured = [each for each in self.sent() if each.provider in providers]
        reached = {
            self.of(each)
            for each in measured
            if each.marks or each.provider == "smtp" or (each.delivered and not each.bounced)
        }
        return len({self.of(each) for each in measured if mark in each.marks}), len(reached)

    def firsts(self) -> dict[int, datetime]:
        firsts: dict[int, datetime] = {}
        for lead, at in self.payments():
            firsts[lead] = min(at, firsts.get(lead, at))
        return {lead: at for lead, at in firsts.items() if self.holds(at)}

    def times(self) -> dict[tuple[str, str | None], tuple[Any, Any, Any]]:
        contacts: defaultdict[int, list[datetime]] = defaultdict(list)
        for act in [*self.each(acts.Mail), *self.each(acts.Call)]:
            if not getattr(act, "undone", False):
                contacts[self.of(act)].append(act.at)
        took = [
            Fraction((paid - min(contacts[lead])) / timedelta(microseconds=1)) / 86_400_000_000
            for lead, paid in self.firsts().items()
            if contacts[lead] and min(contacts[lead]) <= paid
        ]
        mean = sum(took) / len(took) if took else None
        return {
            ("time_to_purchase_median_days", None): (
                median(took) if took else None,
                None,
                len(took),
            ),
            ("time_to_purchase_mean_days", None): (
                mean,
                sum(took) if took else None,
                len(took),
            ),
        }

    # money

    @property
    def end(self) -> datetime:
        return self.until or NOW + timedelta(microseconds=1)

    @property
    def churn_since(self) -> datetime:
        return self.since or self.end - timedelta(days=30)

    @staticmethod
    def stood(each: acts.Subscribe, before: datetime) -> Any:
        return max((change for change in each.standing if change[0] < before), default=None)

    def earned(self, each: acts.Subscribe, before: datetime) -> bool:
        change = self.stood(each, before)
        return change is not None and change[1] in _EARNS

    def churn(self) -> tuple[int, int]:
        ended = 0
        for each in self.subscriptions():
            last, first = self.stood(each, self.end), self.stood(each, self.churn_since)
            ever = any(c[1] in _EARNS for c in each.standing if c[0] < self.end)
            was_over = first is not None and first[1] is SubscriptionState.ENDED
            is_over = last is not None and last[1] is SubscriptionState.ENDED
            ended += ever and is_over and not was_over
        return ended, sum(self.earned(each, self.churn_since) for each in self.subscriptions())

    def monthly_churn(self) -> Fraction:
        ended, at_start = self.churn()
        days = max(1, round((self.end - self.churn_since) / timedelta(days=1)))
        months = Fraction(1) if 28 <= days <= 31 else Fraction(days, 30)
        return Fraction(ended, at_start) / months if at_start else Fraction(0)

    def mrr(self) -> dict[str, tuple[Fraction, set[int]]]:
        found: dict[str, tuple[Fraction, set[int]]] = {}
        for each in self.subscriptions():
            if self.earned(each, self.end):
                _, _, amount, currency, interval, every = self.stood(each, self.end)
                sum_, who = found.get(currency, (Fraction(0), set()))
                month = Fraction(amount) / (_MONTHS[interval] * every)
                found[currency] = sum_ + month, who | {self.of(each)}
        return found

    def spent(self) -> dict[str, Fraction]:
        found: defaultdict[str, Fraction] = defaultdict(Fraction)
        for act in self.done.acts:
            if isinstance(act, acts.Spent) and not self.filtered and self.on_a_day(act):
                found[act.currency] += act.amount
        for mail in self.sent():
            if mail.cost is not None:
                found["EUR"] += Fraction(mail.cost, 10**4)
            elif mail.provider in PRICES:
                found["USD"] += PRICES[mail.provider] * 100
        return found

    def on_a_day(self, act: acts.Spent) -> bool:
        first = self.since and self.since.astimezone(self.zone).date()
        last = self.until and (self.until - timedelta(microseconds=1)).astimezone(self.zone).date()
        return (first is None or act.day >= first) and (last is None or act.day <= last)

    def money(self) -> dict[tuple[str, str | None], tuple[Any, Any, Any]]:
        found: dict[tuple[str, str | None], tuple[Any, Any, Any]] = {}
        new, rate, mrr, spent = len(self.firsts()), self.monthly_churn(), self.mrr(), self.spent()
        cacs: dict[str, Fraction | None] = {
            currency: amount / new if new else None for currency, amount in spent.items()
        } or {"USD": None}
        for currency, cac in cacs.items():
            amount = spent.get(currency, Fraction(0))
            found["cac", currency] = major(cac, currency), major(amount, currency), new
        for currency, (monthly, _) in (mrr or {"USD": (Fraction(0), set())}).items():
            value = major(monthly, currency)
            found["mrr", currency] = value, value, None
        ltvs: dict[str, Fraction | None] = {}
        for currency, (monthly, who) in mrr.items():
            gained = monthly / len(who) * MARGIN
            ltvs[currency] = gained / rate if rate else None
            found["ltv", currency] = major(ltvs[currency], currency), major(gained, currency), rate
        if not mrr:
            ltvs["USD"] = None
            found["ltv", "USD"] = None, major(Fraction(0), "USD"), rate
        for currency in {*ltvs, *cacs}:
            above, below = ltvs.get(currency), cacs.get(currency)
            ratio = above / below if above is not None and below is not None else None
            found["ltv_cac_ratio", currency] = (
                ratio,
                major(above, currency),
                major(below, currency),
            )
        return found


def major(minor: Fraction | None, currency: str) -> Decimal | None:
    """Rounded once, to the even neighbour."""
    if minor is None:
        return None
    digits = 0 if currency == "JPY" else 2
    whole, rest = divmod(minor, 1)
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2):
        whole += 1
    return Decimal(f"{whole}e-{digits}")
