"""What came of a campaign: counts that add up, and rates beside the counts they are made of."""

from __future__ import annotations

from dataclasses import dataclass

from crm_tui.db.engine import ReadSession


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


async def figures(session: ReadSession, campaign_id: int) -> Figures:
    """The figures of a campaign."""
    raise NotImplementedError
