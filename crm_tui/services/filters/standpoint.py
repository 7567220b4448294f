from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from crm_tui.config import Settings
from crm_tui.vocabulary import Mode


@dataclass(frozen=True, slots=True)
class Standpoint:
    """From where a query is asked: what "today" and "qualified" mean.

    Args:
        now: the time, aware.
        zone: where days begin; None is the machine's own zone.
        threshold: the score (0-100) from which a lead is qualified.
        mode: whether a provider's real or play money counts, beside what was recorded by hand.
    """

    now: datetime
    zone: tzinfo | None
    threshold: int
    mode: Mode = Mode.LIVE

    @property
    def modes(self) -> tuple[Mode, Mode]:
        """The money that counts."""
        return Mode.MANUAL, self.mode

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> Standpoint:
        """The operator's standpoint at this moment."""
        mode = Mode(settings.providers.stripe.mode)
        return cls(now, settings.operator.zone, settings.score.threshold, mode)
